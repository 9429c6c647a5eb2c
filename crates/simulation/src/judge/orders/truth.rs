//! The log against the exchange: nothing entered it but what was authorised, as it was and in its time; and when all has been
//! told, every order is shown as the exchange has it, by every node.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Entered, Listing, Record, Shown};
use super::{Desk, Rule, Wrong};

/// How far the timestamp of a request may lie ahead of the exchange's clock.
const AHEAD_MS_MAX: i64 = 1_000;

pub(super) fn examine(record: &Record, desk: &Desk) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let kept: BTreeMap<&str, &Shown> =
        record.kept.values().map(|shown| (shown.client_order_id.as_str(), shown)).collect();
    for entered in &record.ledger.orders {
        let detail = match kept.get(entered.client_order_id.as_str()) {
            Some(shown) => unlike(entered, shown, desk),
            None => Some("the log does not know it".to_owned()),
        };
        wrong.extend(detail.map(|detail| {
            Wrong::new(Rule::Unauthorized, &entered.client_order_id, format!("{detail}: {entered:?}"))
        }));
    }
    for (node, listing) in &record.ends {
        wrong.extend(at_the_end(record, *node, listing));
    }
    for pair in record.ends.windows(2) {
        wrong.extend(parted(&pair[0], &pair[1]));
    }
    wrong
}

/// In what an order at the exchange is not the one that was authorised.
fn unlike(entered: &Entered, shown: &Shown, desk: &Desk) -> Option<String> {
    if shown.authorized_serial.is_none() {
        return Some("it was never authorised".to_owned());
    }
    if shown.account != desk.account {
        return Some(format!("it is of account {}, which sends nothing here", shown.account));
    }
    let asked = (&shown.symbol, shown.is_buy, &shown.order_type, shown.quantity, shown.price);
    if asked != (&entered.symbol, entered.is_buy, &entered.order_type, entered.quantity, entered.price) {
        return Some(format!("it was authorised as {shown:?}"));
    }
    let (first, last) =
        (shown.timestamp_ms - AHEAD_MS_MAX, shown.timestamp_ms + shown.window_ms.cast_signed());
    (!(first..=last).contains(&entered.created_ms))
        .then(|| format!("it was authorised for {first} to {last}, and came at {}", entered.created_ms))
}

fn at_the_end(record: &Record, node: u64, listing: &Listing) -> Vec<Wrong> {
    let shown: BTreeMap<&str, &Shown> =
        listing.values().map(|shown| (shown.client_order_id.as_str(), shown)).collect();
    let mut wrong = Vec::new();
    for entered in &record.ledger.orders {
        // Of those that the log does not know another rule tells.
        let Some(shown) = shown.get(entered.client_order_id.as_str()) else { continue };
        let fills = record.ledger.fills.get(&entered.client_order_id).cloned().unwrap_or_default();
        let is_right = is(&entered.status, &shown.status)
            && (shown.filled, &shown.fills) == (entered.executed, &fills)
            && !["quarantined", "overfilled", "fills_pending"].iter().any(|flag| shown.has(flag));
        if !is_right {
            let detail = format!("node {node} shows {shown:?}, and it is {entered:?} with {fills:?}");
            wrong.push(Wrong::new(Rule::NotTheTruth, &entered.client_order_id, detail));
        }
    }
    let entered: BTreeSet<&str> =
        record.ledger.orders.iter().map(|entered| entered.client_order_id.as_str()).collect();
    for shown in listing.values().filter(|shown| !entered.contains(shown.client_order_id.as_str())) {
        let is_right = shown.filled.is_zero()
            && !matches!(
                shown.status.as_str(),
                "OPEN" | "PARTIALLY_FILLED" | "FILLED" | "CANCELED" | "EXPIRED"
            );
        if !is_right {
            let detail = format!("node {node} shows {shown:?}, and the exchange never had it");
            wrong.push(Wrong::new(Rule::NotTheTruth, &shown.client_order_id, detail));
        }
    }
    wrong
}

/// Whether an order that the exchange has in one status may be shown in another.
fn is(entered: &str, shown: &str) -> bool {
    match entered {
        // A cancel may have been authorised and never sent.
        "NEW" => matches!(shown, "OPEN" | "PENDING_CANCEL"),
        "PARTIALLY_FILLED" => matches!(shown, "PARTIALLY_FILLED" | "PENDING_CANCEL"),
        "EXPIRED" | "EXPIRED_IN_MATCH" => shown == "EXPIRED",
        _ => shown == entered,
    }
}

/// What two nodes show differently. Whether an order of which nobody hears is overdue depends on when they were asked.
fn parted((one, ones): &(u64, Listing), (other, others): &(u64, Listing)) -> Option<Wrong> {
    let timeless = |shown: &Shown| {
        let mut shown = shown.clone();
        if shown.status == "SUBMIT_UNKNOWN" {
            shown.status = "SUBMITTING".to_owned();
        }
        shown
    };
    let ids = ones.keys().chain(others.keys());
    let mut differ = ids.filter(|id| ones.get(id).map(timeless) != others.get(id).map(timeless));
    let id = differ.next()?;
    let detail = format!("node {one} shows {:?}, node {other} {:?}", ones.get(id), others.get(id));
    Some(Wrong::new(Rule::NodesDiffer, format!("order {id}"), detail))
}
