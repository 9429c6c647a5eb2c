//! What is asked of orders in a body. What is missing is told by the service, with all else that is wrong.

use axum::body::Bytes;
use serde::{Deserialize, Deserializer};
use wire::v1;

use crate::input::{bad, parse_request_id};
use crate::refusal::Refusal;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NewOrder {
    key: String,
    account: String,
    strategy: String,
    algorithm: String,
    trader: String,
    symbol: String,
    side: String,
    r#type: String,
    time_in_force: String,
    quantity: String,
    price: Option<String>,
    stop_price: Option<String>,
    reduce_only: bool,
    lease: String,
    token: u64,
    hold_ms: u64,
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    orders: Vec<NewOrder>,
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    pub(crate) lease: String,
    pub(crate) token: u64,
    pub(crate) request_id: Option<String>,
}

/// The order that takes the place of the one in the path.
#[derive(Deserialize)]
pub(crate) struct Replace(pub(crate) NewOrder);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reports {
    reports: Vec<Report>,
    request_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Report {
    order_id: Option<u64>,
    client_order_id: Option<String>,
    acknowledged: bool,
    #[serde(deserialize_with = "as_the_venue_says")]
    venue_order_id: Option<String>,
    cumulative_quantity: Option<String>,
    fills: Vec<Fill>,
    ended: String,
    #[serde(deserialize_with = "as_the_venue_says")]
    code: Option<String>,
    reason: String,
    unknown: String,
    not_sent: bool,
    cancel: String,
    time_ms: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Fill {
    #[serde(deserialize_with = "as_the_venue_says")]
    trade_id: Option<String>,
    #[serde(deserialize_with = "as_the_venue_says")]
    venue_order_id: Option<String>,
    quantity: String,
    price: String,
    commission: Option<String>,
    commission_asset: Option<String>,
    maker: Option<bool>,
    time_ms: Option<i64>,
    bust: bool,
}

impl NewOrder {
    pub(crate) fn into_wire(self) -> Result<(v1::NewOrder, Bytes), Refusal> {
        let request_id = parse_request_id(self.request_id.as_deref())?;
        let side = word("side", &self.side, |word| v1::Side::from_str_name(&format!("SIDE_{word}")))?;
        let order_type =
            word("type", &self.r#type, |word| v1::OrderType::from_str_name(&format!("ORDER_TYPE_{word}")))?;
        let time_in_force = word("time_in_force", &self.time_in_force, |word| {
            v1::TimeInForce::from_str_name(&format!("TIME_IN_FORCE_{word}"))
        })?;
        let order = v1::NewOrder {
            key: self.key,
            account: self.account,
            strategy: self.strategy,
            algorithm: self.algorithm,
            trader: self.trader,
            symbol: self.symbol,
            side,
            r#type: order_type,
            time_in_force,
            quantity: self.quantity,
            price: self.price,
            stop_price: self.stop_price,
            reduce_only: self.reduce_only,
            lease: self.lease,
            token: self.token,
            hold_ms: self.hold_ms,
        };
        Ok((order, request_id))
    }
}

impl Batch {
    pub(crate) fn into_wire(self) -> Result<v1::SubmitBatchRequest, Refusal> {
        let Self { orders, request_id } = self;
        let request_id = parse_request_id(request_id.as_deref())?;
        if orders.iter().any(|order| order.request_id.is_some()) {
            return Err(bad("request_id: one for all, beside `orders`"));
        }
        let orders = orders.into_iter().map(|order| order.into_wire().map(|(order, _)| order));
        Ok(v1::SubmitBatchRequest { orders: orders.collect::<Result<_, _>>()?, request_id })
    }
}

impl Reports {
    pub(crate) fn into_wire(self) -> Result<v1::ReportRequest, Refusal> {
        let Self { reports, request_id } = self;
        let request_id = parse_request_id(request_id.as_deref())?;
        let reports = reports.into_iter().map(Report::into_wire).collect::<Result<_, _>>()?;
        Ok(v1::ReportRequest { reports, request_id })
    }
}

impl Report {
    fn into_wire(self) -> Result<v1::OrderReport, Refusal> {
        use v1::order_report::Which;
        if self.order_id.is_some() && self.client_order_id.is_some() {
            return Err(bad("an order has one name: order_id or client_order_id"));
        }
        let client = self.client_order_id.map(Which::ClientOrderId);
        let ended = word("ended", &self.ended, |word| {
            v1::OrderStatus::from_str_name(&format!("ORDER_STATUS_{word}"))
        })?;
        let unknown = word("unknown", &self.unknown, |word| {
            v1::UnknownCause::from_str_name(&format!("UNKNOWN_CAUSE_{word}"))
        })?;
        let cancel = word("cancel", &self.cancel, |word| {
            v1::CancelOutcome::from_str_name(&format!("CANCEL_OUTCOME_{word}"))
        })?;
        Ok(v1::OrderReport {
            which: self.order_id.map(Which::OrderId).or(client),
            acknowledged: self.acknowledged,
            venue_order_id: self.venue_order_id,
            cumulative_quantity: self.cumulative_quantity,
            fills: self.fills.into_iter().map(Fill::into_wire).collect(),
            ended,
            code: self.code.unwrap_or_default(),
            reason: self.reason,
            unknown,
            not_sent: self.not_sent,
            cancel,
            time_ms: self.time_ms,
        })
    }
}

impl Fill {
    fn into_wire(self) -> v1::Fill {
        let Self { trade_id, venue_order_id, quantity, price, commission, .. } = self;
        let Self { commission_asset, maker, time_ms, bust, .. } = self;
        v1::Fill {
            trade_id: trade_id.unwrap_or_default(),
            venue_order_id: venue_order_id.unwrap_or_default(),
            quantity,
            price,
            commission,
            commission_asset,
            maker,
            time_ms,
            bust,
        }
    }
}

/// A name or a code of a venue's. Most of them say it as a number, and a bot may pass it on as it came.
fn as_the_venue_says<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a string or a whole number")]
    enum Said {
        Text(String),
        Positive(u64),
        Negative(i64),
    }
    Ok(Option::<Said>::deserialize(input)?.map(|said| match said {
        Said::Text(text) => text,
        Said::Positive(number) => number.to_string(),
        Said::Negative(number) => number.to_string(),
    }))
}

/// A word of a closed list, in upper or lower case; empty: it is not said.
fn word<E: Into<i32>>(
    field: &str,
    text: &str,
    named: impl FnOnce(String) -> Option<E>,
) -> Result<i32, Refusal> {
    if text.is_empty() {
        return Ok(0);
    }
    named(text.to_ascii_uppercase()).map(E::into).ok_or_else(|| bad(format!("{field}: there is no {text:?}")))
}
