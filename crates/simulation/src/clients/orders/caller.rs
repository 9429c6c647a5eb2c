//! Whoever calls the services of orders and of the configuration: at one node after another, and again under the same id until it
//! is answered, as a careful client does.

use std::sync::Arc;

use api::{Reason, all_reasons, reason_of};
use rand::RngExt;
use rand::rngs::StdRng;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};

use crate::clients::{ANSWER_WITHIN, PAUSE, REPEAT_WITHIN_NS, Shared, grpc};
use crate::clock::now_ns;
use crate::judge::orders::record::Got;

/// It asks another node after about so many calls.
const CALLS_AT_A_NODE: u32 = 8;

pub(super) struct Caller {
    shared: Arc<Shared>,
    pub(super) random: StdRng,
    at: usize,
    line: Option<(String, Channel)>,
}

/// What a refusal says of the call.
enum Fate {
    /// The log has it, or what was asked cannot be.
    Refused(Vec<String>),
    NotRun,
    Unknown,
}

impl Caller {
    pub(super) fn new(shared: Arc<Shared>, random: StdRng) -> Self {
        Self { shared, random, at: 0, line: None }
    }

    /// A name of a request.
    pub(super) fn request_id(&mut self) -> Vec<u8> {
        self.random.random::<[u8; 16]>().to_vec()
    }

    /// Asks until it is known what became of it, or it may not be asked again. With the node that was asked last.
    pub(super) async fn call<T>(
        &mut self,
        ask: impl AsyncFn(Channel) -> Result<Response<T>, Status>,
    ) -> (u64, Got<T>) {
        let invoked_ns = now_ns();
        let mut may_have_run = false;
        if self.random.random_ratio(1, CALLS_AT_A_NODE) {
            self.move_on();
        }
        loop {
            let (node, answered) = self.ask(&ask).await;
            let fate = match answered {
                Ok(response) => {
                    return (node, Got::Answer { at_ns: now_ns(), value: response.into_inner() });
                }
                Err(status) => fate(&status),
            };
            match fate {
                Fate::Refused(reasons) => return (node, Got::Refused { at_ns: now_ns(), reasons }),
                Fate::NotRun if !may_have_run => {
                    self.move_on();
                    sleep(PAUSE).await;
                    return (node, Got::NotRun);
                }
                Fate::NotRun => {}
                Fate::Unknown => may_have_run = true,
            }
            self.move_on();
            if now_ns() - invoked_ns > REPEAT_WITHIN_NS {
                return (node, Got::Unknown);
            }
            sleep(PAUSE).await;
        }
    }

    /// What repeats harmlessly, until it is answered.
    pub(super) async fn call_until_answered<T>(
        &mut self,
        ask: impl AsyncFn(Channel) -> Result<Response<T>, Status>,
    ) -> T {
        loop {
            if let (_, Got::Answer { value, .. }) = self.call(&ask).await {
                return value;
            }
        }
    }

    /// At this node, until it answers.
    pub(super) async fn call_at<T>(
        &mut self,
        host: &str,
        ask: impl AsyncFn(Channel) -> Result<Response<T>, Status>,
    ) -> T {
        loop {
            if let Ok(Ok(response)) = timeout(ANSWER_WITHIN, ask(grpc::connect(host))).await {
                return response.into_inner();
            }
            sleep(PAUSE).await;
        }
    }

    fn move_on(&mut self) {
        self.at = self.random.random_range(0..1 << 16);
        self.line = None;
    }

    async fn ask<T>(
        &mut self,
        ask: &impl AsyncFn(Channel) -> Result<Response<T>, Status>,
    ) -> (u64, Result<Response<T>, Status>) {
        let (node, host) = {
            let hosts = self.shared.hosts.lock();
            hosts[self.at % hosts.len()].clone()
        };
        if self.line.as_ref().is_none_or(|(at, _)| *at != host) {
            self.line = Some((host.clone(), grpc::connect(&host)));
        }
        let channel = self.line.as_ref().expect("it was just made").1.clone();
        let answered = timeout(ANSWER_WITHIN, ask(channel)).await;
        (node, answered.unwrap_or_else(|_| Err(Status::unknown("no answer in time"))))
    }
}

fn fate(status: &Status) -> Fate {
    let reasons: Vec<String> = all_reasons(status).into_iter().map(|(name, _)| name).collect();
    match reason_of(status) {
        Some(_) if !reasons.is_empty() => Fate::Refused(reasons),
        Some(Reason::OutcomeUnknown) => Fate::Unknown,
        Some(reason @ (Reason::Invalid | Reason::InvalidOrder)) => Fate::Refused(vec![reason.name().into()]),
        Some(_) => Fate::NotRun,
        // No node has said this: the connection has.
        None if status.code() == Code::Unavailable && status.message().contains("tcp connect error") => {
            Fate::NotRun
        }
        None => Fate::Unknown,
    }
}
