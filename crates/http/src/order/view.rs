//! Orders, and what became of requests for them, as scripts read them: here and in `tenure order … -o json`.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use wire::v1;

/// The first instant whose year has five digits, which RFC 3339 does not write, in milliseconds since 1970.
const END_OF_TIME_MS: i64 = 253_402_300_800_000;

/// Decimals are strings, times RFC 3339 in UTC, what is not known is null.
#[derive(Serialize)]
pub struct View {
    pub order_id: u64,
    pub key: Option<String>,
    pub client_order_id: Option<String>,
    pub venue: Option<String>,
    pub account: Option<String>,
    pub strategy: Option<String>,
    pub algorithm: Option<String>,
    pub trader: Option<String>,
    pub symbol: Option<String>,
    pub side: Option<&'static str>,
    pub r#type: Option<&'static str>,
    pub time_in_force: Option<&'static str>,
    pub quantity: Option<String>,
    pub price: Option<String>,
    pub stop_price: Option<String>,
    pub reduce_only: bool,
    pub status: Option<&'static str>,
    pub flags: Vec<String>,
    pub reason: Option<String>,
    pub filled_quantity: String,
    pub venue_order_id: Option<String>,
    pub lease: Option<String>,
    pub token: Option<u64>,
    pub authorized_serial: Option<u64>,
    pub serial: u64,
    pub updated_at: Option<String>,
    pub submitted_at: Option<String>,
    pub timestamp_ms: Option<i64>,
    pub window_ms: Option<u64>,
    pub fills: Vec<Fill>,
}

/// A trade of an order.
#[derive(Serialize)]
pub struct Fill {
    pub trade_id: String,
    pub venue_order_id: String,
    pub quantity: String,
    pub price: String,
    pub commission: Option<String>,
    pub commission_asset: Option<String>,
    pub maker: Option<bool>,
    pub bust: bool,
    pub at: Option<String>,
}

/// An order that was asked for, and what became of it.
#[derive(Serialize)]
pub struct Submitted {
    #[serde(flatten)]
    pub order: View,
    pub existing: bool,
    /// Of an order that is held.
    pub waits_for: Vec<Denial>,
}

/// Both of a pair.
#[derive(Serialize)]
pub struct Replaced {
    pub canceled: View,
    pub order: View,
    pub existing: bool,
}

/// The order that is cancelled, with what to sign for the cancel.
#[derive(Serialize)]
pub struct Canceled {
    pub order: View,
    pub timestamp_ms: Option<i64>,
    pub window_ms: Option<u64>,
}

/// One of several: without an order there are denials.
#[derive(Serialize)]
pub struct Fate {
    pub order: Option<View>,
    pub existing: bool,
    pub denials: Vec<Denial>,
}

/// Why not, or why not yet.
#[derive(Serialize)]
pub struct Denial {
    pub reason: String,
    pub message: String,
}

impl Submitted {
    fn new(order: Option<v1::Order>, existing: bool, waits_for: Vec<v1::Denial>) -> Self {
        let waits_for = waits_for.into_iter().map(Denial::from).collect();
        Self { order: order.unwrap_or_default().into(), existing, waits_for }
    }
}

impl From<v1::SubmitResponse> for Submitted {
    fn from(reply: v1::SubmitResponse) -> Self {
        Self::new(reply.order, reply.existing, reply.waits_for)
    }
}

impl From<v1::AuthorizeResponse> for Submitted {
    fn from(reply: v1::AuthorizeResponse) -> Self {
        Self::new(reply.order, reply.existing, reply.waits_for)
    }
}

impl From<v1::ReplaceResponse> for Replaced {
    fn from(reply: v1::ReplaceResponse) -> Self {
        let [canceled, order] = [reply.canceled, reply.order].map(|order| order.unwrap_or_default().into());
        Self { canceled, order, existing: reply.existing }
    }
}

impl From<v1::CancelResponse> for Canceled {
    fn from(reply: v1::CancelResponse) -> Self {
        let v1::CancelResponse { header: _, order, timestamp_ms, window_ms } = reply;
        Self { order: order.unwrap_or_default().into(), timestamp_ms, window_ms }
    }
}

impl From<v1::OrderResult> for Fate {
    fn from(result: v1::OrderResult) -> Self {
        let v1::OrderResult { order, existing, denials } = result;
        Self {
            order: order.map(View::from),
            existing,
            denials: denials.into_iter().map(Denial::from).collect(),
        }
    }
}

impl From<v1::Denial> for Denial {
    fn from(v1::Denial { reason, message }: v1::Denial) -> Self {
        Self { reason, message }
    }
}

impl From<v1::Order> for View {
    fn from(order: v1::Order) -> Self {
        let side = word(order.side().as_str_name(), "SIDE_");
        let order_type = word(order.r#type().as_str_name(), "ORDER_TYPE_");
        let time_in_force = word(order.time_in_force().as_str_name(), "TIME_IN_FORCE_");
        let status = word(order.status().as_str_name(), "ORDER_STATUS_");
        // Of an order that has gone to the history the time of its last change is not known.
        let updated_at = status.and_then(|_| rfc3339(order.updated_at_ms));
        Self {
            order_id: order.order_id,
            key: some(order.key),
            client_order_id: some(order.client_order_id),
            venue: some(order.venue),
            account: some(order.account),
            strategy: some(order.strategy),
            algorithm: some(order.algorithm),
            trader: some(order.trader),
            symbol: some(order.symbol),
            side,
            r#type: order_type,
            time_in_force,
            quantity: some(order.quantity),
            price: order.price,
            stop_price: order.stop_price,
            reduce_only: order.reduce_only,
            status,
            flags: order.flags,
            reason: order.reason,
            filled_quantity: order.filled_quantity,
            venue_order_id: order.venue_order_id,
            lease: some(order.lease),
            token: (order.token > 0).then_some(order.token),
            authorized_serial: order.authorized_serial,
            serial: order.serial,
            updated_at,
            submitted_at: order.submitted_at_ms.and_then(rfc3339),
            timestamp_ms: order.timestamp_ms,
            window_ms: order.window_ms,
            fills: order.fills.into_iter().map(Fill::from).collect(),
        }
    }
}

impl From<v1::Fill> for Fill {
    fn from(fill: v1::Fill) -> Self {
        let v1::Fill { trade_id, venue_order_id, quantity, price, commission, .. } = fill;
        let v1::Fill { commission_asset, maker, time_ms, bust, .. } = fill;
        let at = time_ms.and_then(rfc3339);
        Self { trade_id, venue_order_id, quantity, price, commission, commission_asset, maker, bust, at }
    }
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A word of a closed list without the name of the list; `None`: it is not said.
fn word(name: &'static str, list: &str) -> Option<&'static str> {
    name.strip_prefix(list).filter(|word| *word != "UNSPECIFIED")
}

/// `None`: it cannot be written so.
pub(crate) fn rfc3339(ms: i64) -> Option<String> {
    let ms = u64::try_from(ms).ok().filter(|_| ms < END_OF_TIME_MS)?;
    Some(humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(ms)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_people_read_it() {
        assert_eq!(rfc3339(1_790_000_000_123).as_deref(), Some("2026-09-21T14:13:20.123Z"));
        assert_eq!(rfc3339(END_OF_TIME_MS - 1).as_deref(), Some("9999-12-31T23:59:59.999Z"));
        for beyond in [-1, END_OF_TIME_MS, i64::MIN, i64::MAX] {
            assert_eq!(rfc3339(beyond), None);
        }
    }
}
