//! Clients of the lease service over gRPC. What the service did not answer is asked again under the same id, as a
//! careful client does.

use std::collections::BTreeMap;

use api::{Reason, is_repeated, reason_of};
use rand::RngExt;
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::v1;
use wire::v1::lease_service_client::LeaseServiceClient;

use super::{Answered, Calls, Client, Family, Protocol, grpc, now_ns, returned};
use crate::judge::{Call, Lease, NotHeld, Operation, Outcome, Reply};
use crate::plan::Plan;

#[derive(Default)]
pub(super) struct Leases {
    connection: Option<(String, LeaseServiceClient<Channel>)>,
}

impl Leases {
    fn connection(&mut self, host: &str) -> &mut LeaseServiceClient<Channel> {
        if self.connection.as_ref().is_none_or(|(at, _)| at != host) {
            self.connection = Some((host.to_owned(), LeaseServiceClient::new(grpc::connect(host))));
        }
        &mut self.connection.as_mut().expect("it was just made").1
    }
}

impl Protocol for Leases {
    async fn call(&mut self, host: &str, id: [u8; 16], key: &str, call: &Call) -> Answered {
        let client = self.connection(host);
        let name = key.to_owned();
        let request_id = id.to_vec().into();
        let answered = match call.clone() {
            Call::Acquire { holder, ttl_ms, take_over } => {
                let request = v1::AcquireRequest { name, holder, ttl_ms, take_over, request_id };
                client.acquire(request).await.map(|response| {
                    let v1::AcquireResponse { header, acquired, lease } = response.into_inner();
                    let reply = match (acquired, lease.and_then(held)) {
                        (true, Some(lease)) => Reply::Acquired(lease),
                        (_, lease) => Reply::NotAcquired(lease),
                    };
                    (reply, header)
                })
            }
            Call::Renew { holder, token, ttl_ms } => {
                let request = v1::RenewRequest { name, holder, token, ttl_ms, request_id };
                client.renew(request).await.map(|response| {
                    let v1::RenewResponse { header, lease } = response.into_inner();
                    (lease.and_then(held).map_or(Reply::Failed, Reply::Renewed), header)
                })
            }
            Call::Release { holder, token } => {
                let request = v1::ReleaseRequest { name, holder, token, request_id };
                client.release(request).await.map(|response| (Reply::Released, response.into_inner().header))
            }
            _ => client.get(v1::GetRequest { name }).await.map(|response| {
                let v1::GetResponse { header, lease } = response.into_inner();
                (Reply::Inspected(lease.and_then(held)), header)
            }),
        };
        match answered {
            Ok((reply, header)) => {
                returned(reply, header.map(|header| (header.serial, header.log_index, header.repeated)))
            }
            Err(status) => refused(&status),
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
    }

    fn repeats(&self) -> bool {
        true
    }
}

fn refused(status: &Status) -> Answered {
    let not_held = |why| {
        let (reply, repeated) = (Reply::NotHeld(why), is_repeated(status));
        Answered::Returned(Outcome::Returned { at_ns: now_ns(), reply, serial: None, index: None, repeated })
    };
    match reason_of(status) {
        Some(Reason::Expired) => not_held(NotHeld::Expired),
        Some(Reason::Fenced) => not_held(NotHeld::Fenced),
        Some(Reason::NotHolder) => not_held(NotHeld::NotHolder),
        Some(Reason::OutcomeUnknown) => Answered::Unknown,
        Some(Reason::Invalid) => returned(Reply::Failed, None),
        Some(_) => Answered::Refused,
        // No node has said this: the connection has.
        None if status.code() == Code::Unavailable && status.message().contains("tcp connect error") => {
            Answered::Unreachable
        }
        None => Answered::Unknown,
    }
}

fn held(lease: v1::Lease) -> Option<Lease> {
    let v1::Lease { holder, token, ttl_ms, remaining_ms, .. } = lease;
    Some(Lease { holder: holder?, token: token.unwrap_or(0), ttl_ms, remaining_ms })
}

impl Calls for Leases {
    fn next(&self, client: &mut Client) -> (String, Call) {
        let (_, key) = client.key(&[Family::Lease, Family::Lease, Family::Mixed]);
        let holder = format!("holder{}", client.id);
        let ttl_ms = client.random.random_range(200..5000);
        let token = client.tokens.get(&key).copied();
        let call = match (client.random.random_range(0..10), token) {
            (0..=2, _) | (3..=8, None) => {
                let take_over = client.random.random_ratio(1, 10);
                Call::Acquire { holder, ttl_ms, take_over }
            }
            (3..=5, Some(token)) => {
                let ttl_ms = client.random.random::<bool>().then_some(ttl_ms);
                Call::Renew { holder, token, ttl_ms }
            }
            (6..=7, Some(token)) => Call::Release { holder, token },
            _ => Call::Inspect,
        };
        (key, call)
    }

    fn last(&self, plan: &Plan) -> Vec<(String, Call)> {
        let families = [Family::Lease, Family::Mixed];
        let keys = (1..=plan.keys).flat_map(|number| families.each_ref().map(|family| family.key(number)));
        keys.map(|key| (key, Call::Inspect)).collect()
    }

    fn learn(&self, tokens: &mut BTreeMap<String, u64>, operation: &Operation) {
        learn(tokens, operation);
    }
}

/// The token of a grant.
pub(super) fn learn(tokens: &mut BTreeMap<String, u64>, operation: &Operation) {
    if let (Call::Acquire { .. }, Some(Reply::Acquired(lease))) = (&operation.call, operation.reply()) {
        tokens.insert(operation.key.clone(), lease.token);
    }
}
