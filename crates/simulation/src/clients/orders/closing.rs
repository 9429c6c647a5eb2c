//! The last look, when nobody trades any more: what is known, what really happened, and what is known when all of that has been
//! told.

use std::sync::Arc;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::v1;
use wire::v1::config_service_client::ConfigServiceClient;
use wire::v1::order_service_client::OrderServiceClient;

use super::caller::Caller;
use super::operator::{compare, switched};
use super::{Desk, exchange, words};
use crate::judge::orders::record::Listing;

/// Reports in one call: each says three things at most, and a call 32.
const REPORTS_AT_ONCE: usize = 10;

/// Calls under way.
const TELLERS: usize = 8;

/// Of what is shown as it is already one in so many is told again.
const TOLD_AGAIN_ONE_IN: u32 = 5;

pub(super) async fn look(desk: &Arc<Desk>, mut random: StdRng) {
    let mut caller = desk.caller(StdRng::seed_from_u64(random.random()));
    if !*desk.configured.borrow() {
        return;
    }
    let kept =
        listing(async |before| caller.call_until_answered(async |channel| list(channel, before).await).await)
            .await;
    let show = async |channel| ConfigServiceClient::new(channel).show(v1::ShowRequest {}).await;
    compare(desk, 0, caller.call_until_answered(show).await);
    let switches = async |channel| ConfigServiceClient::new(channel).switches(v1::SwitchesRequest {}).await;
    let switches = switched(caller.call_until_answered(switches).await);

    while exchange::control("POST", "/settings", r#"{"quoting": false}"#).await.is_none() {}
    let ledger = loop {
        if let Some(ledger) = exchange::control("GET", "/ledger", "").await {
            break ledger;
        }
    };
    let (ledger, truth) = words::ledger(&ledger);
    let mut reports = std::mem::take(&mut *desk.outbox.lock());
    let shown: Vec<_> = kept.values().map(|shown| (shown.client_order_id.as_str(), shown)).collect();
    reports.extend(truth.into_iter().filter(|report| {
        let said = words::said(report);
        let is_known = shown.iter().any(|(name, shown)| {
            Some(*name) == words::name(report)
                && (shown.filled, &shown.fills) == (said.filled, &said.fills)
                && said.ended.as_ref().is_none_or(|ended| *ended == shown.status)
        });
        !is_known || random.random_ratio(1, TOLD_AGAIN_ONE_IN)
    }));
    let calls: Vec<Vec<v1::OrderReport>> =
        reports.chunks(REPORTS_AT_ONCE).map(<[v1::OrderReport]>::to_vec).collect();
    let share = calls.len().div_ceil(TELLERS).max(1);
    let tellers = calls.chunks(share).map(|calls| {
        let caller = desk.caller(StdRng::seed_from_u64(random.random()));
        tell(caller, calls.to_vec())
    });
    join_all(tellers.collect::<Vec<_>>()).await;

    let hosts = desk.shared.hosts.lock().clone();
    let mut ends = Vec::new();
    for (node, host) in hosts {
        let page = async |before| caller.call_at(&host, async |channel| list(channel, before).await).await;
        ends.push((node, listing(page).await));
    }
    let mut record = desk.record.lock();
    (record.kept, record.ends) = (kept, ends);
    (record.ledger, record.switched) = (ledger, Some(switches));
}

async fn tell(mut caller: Caller, calls: Vec<Vec<v1::OrderReport>>) {
    for reports in calls {
        let report = async |channel| {
            let request = v1::ReportRequest { reports: reports.clone(), request_id: Vec::new().into() };
            OrderServiceClient::new(channel).report(request).await
        };
        caller.call_until_answered(report).await;
    }
}

async fn list(
    channel: tonic::transport::Channel,
    before: u64,
) -> Result<tonic::Response<v1::ListOrdersResponse>, tonic::Status> {
    let request = v1::ListOrdersRequest { before, limit: 1000, ..v1::ListOrdersRequest::default() };
    OrderServiceClient::new(channel).list(request).await
}

/// All pages.
async fn listing(mut page: impl AsyncFnMut(u64) -> v1::ListOrdersResponse) -> Listing {
    let (mut all, mut before) = (Listing::new(), 0);
    loop {
        let v1::ListOrdersResponse { orders, next_before, .. } = page(before).await;
        all.extend(words::listing(orders));
        if next_before == 0 {
            return all;
        }
        before = next_before;
    }
}
