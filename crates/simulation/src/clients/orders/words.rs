//! Orders and reports in the words of the API, of the exchange and of the record.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::Value;
use wire::v1;

use crate::judge::orders::record::{Entered, Fills, Ledger, Listing, Said, Shown, Wanted};

/// The account whose orders traders send to the exchange by themselves, at the exchange and here.
pub(super) const ACCOUNT: &str = venue_sim::identity::ACCOUNT;

/// An account whose orders the cluster would send. Nothing is sent of it yet.
pub(super) const GATEWAY: &str = "gate";

pub(super) const VENUE: &str = "sim";

/// Of an order that is history no numbers are shown; none of a run should be.
pub(super) fn number(text: &str) -> Decimal {
    if text.is_empty() {
        return Decimal::ZERO;
    }
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}

fn of_enum(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).filter(|name| *name != "UNSPECIFIED").unwrap_or_default().to_owned()
}

pub(super) fn shown(order: v1::Order) -> Shown {
    let status = of_enum(order.status().as_str_name(), "ORDER_STATUS_");
    let order_type = of_enum(order.r#type().as_str_name(), "ORDER_TYPE_");
    let time_in_force = of_enum(order.time_in_force().as_str_name(), "TIME_IN_FORCE_");
    let is_buy = order.side() == v1::Side::Buy;
    Shown {
        id: order.order_id,
        client_order_id: order.client_order_id,
        strategy: order.strategy,
        key: order.key,
        account: order.account,
        trader: order.trader,
        symbol: order.symbol,
        is_buy,
        order_type,
        time_in_force,
        quantity: number(&order.quantity),
        price: order.price.as_deref().map(number),
        lease: order.lease,
        token: order.token,
        authorized_serial: order.authorized_serial,
        timestamp_ms: order.timestamp_ms.unwrap_or_default(),
        window_ms: order.window_ms.unwrap_or_default(),
        status,
        flags: order.flags,
        filled: number(&order.filled_quantity),
        fills: fills(&order.fills, None),
        serial: order.serial,
    }
}

fn fills(fills: &[v1::Fill], of: Option<&String>) -> Fills {
    let fill = |fill: &v1::Fill| {
        let order =
            if fill.venue_order_id.is_empty() { of.cloned() } else { Some(fill.venue_order_id.clone()) };
        ((fill.trade_id.clone(), order.unwrap_or_default()), (number(&fill.quantity), number(&fill.price)))
    };
    fills.iter().map(fill).collect()
}

pub(super) fn listing(orders: Vec<v1::Order>) -> Listing {
    orders.into_iter().map(|order| (order.order_id, shown(order))).collect()
}

pub(super) fn new_order(wanted: &Wanted, hold_ms: u64) -> v1::NewOrder {
    let order_type = v1::OrderType::from_str_name(&format!("ORDER_TYPE_{}", wanted.order_type));
    let time_in_force = v1::TimeInForce::from_str_name(&format!("TIME_IN_FORCE_{}", wanted.time_in_force));
    let side = if wanted.is_buy { v1::Side::Buy } else { v1::Side::Sell };
    v1::NewOrder {
        key: wanted.key.clone(),
        account: wanted.account.clone(),
        strategy: wanted.strategy.clone(),
        algorithm: "chance".into(),
        trader: wanted.trader.clone(),
        symbol: wanted.symbol.clone(),
        side: side.into(),
        r#type: order_type.expect("it is one of the API's").into(),
        time_in_force: time_in_force.unwrap_or_default().into(),
        quantity: wanted.quantity.to_string(),
        price: wanted.price.map(|price| price.to_string()),
        stop_price: None,
        reduce_only: false,
        lease: wanted.lease.clone(),
        token: wanted.token,
        hold_ms,
    }
}

/// What a report says.
pub(super) fn said(report: &v1::OrderReport) -> Said {
    let ended = of_enum(report.ended().as_str_name(), "ORDER_STATUS_");
    Said {
        alive: report.acknowledged,
        filled: report.cumulative_quantity.as_deref().map(number).unwrap_or_default(),
        fills: fills(&report.fills, report.venue_order_id.as_ref()),
        ended: (!ended.is_empty()).then_some(ended),
        unknown: report.unknown() != v1::UnknownCause::Unspecified,
        not_sent: report.not_sent,
        cancel_done: report.cancel() == v1::CancelOutcome::Done,
        cancel_refused: report.cancel() == v1::CancelOutcome::Refused,
    }
}

pub(super) fn report_of(client_order_id: &str) -> v1::OrderReport {
    let which = Some(v1::order_report::Which::ClientOrderId(client_order_id.to_owned()));
    v1::OrderReport { which, ..v1::OrderReport::default() }
}

/// A report of an order as the exchange shows it, with these of its trades.
pub(super) fn report_of_shown(client_order_id: &str, order: &Value, trades: &[Value]) -> v1::OrderReport {
    let status = match order["status"].as_str().unwrap_or_default() {
        "FILLED" => v1::OrderStatus::Filled,
        "CANCELED" => v1::OrderStatus::Canceled,
        "EXPIRED" | "EXPIRED_IN_MATCH" => v1::OrderStatus::Expired,
        "REJECTED" => v1::OrderStatus::Rejected,
        _ => v1::OrderStatus::Unspecified,
    };
    v1::OrderReport {
        acknowledged: status != v1::OrderStatus::Rejected,
        venue_order_id: Some(text(&order["orderId"])),
        cumulative_quantity: Some(text(&order["executedQty"])),
        fills: trades.iter().map(fill_of_shown).collect(),
        ended: status.into(),
        time_ms: order["updateTime"].as_i64().or(order["transactTime"].as_i64()).unwrap_or_default(),
        ..report_of(client_order_id)
    }
}

/// An answer to a new order calls the name of a trade otherwise than a listing of trades.
fn fill_of_shown(trade: &Value) -> v1::Fill {
    let name = if trade["tradeId"].is_null() { &trade["id"] } else { &trade["tradeId"] };
    let order = if trade["orderId"].is_null() { String::new() } else { text(&trade["orderId"]) };
    v1::Fill {
        trade_id: text(name),
        venue_order_id: order,
        quantity: text(&trade["qty"]),
        price: text(&trade["price"]),
        commission: Some(text(&trade["commission"])),
        commission_asset: Some(text(&trade["commissionAsset"])),
        maker: trade["isMaker"].as_bool(),
        time_ms: trade["time"].as_i64(),
        bust: false,
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The exchange's ledger, and of each order all trades as it shows them.
pub(super) fn ledger(value: &Value) -> (Ledger, Vec<v1::OrderReport>) {
    let none = Vec::new();
    let rows = |name: &str| value[name].as_array().unwrap_or(&none).clone();
    let mut trades: BTreeMap<(String, String), Vec<Value>> = BTreeMap::new();
    for trade in rows("trades") {
        trades.entry((text(&trade["symbol"]), text(&trade["orderId"]))).or_default().push(trade);
    }
    let (mut ledger, mut reports) = (Ledger::default(), Vec::new());
    for order in rows("orders") {
        let client_order_id = text(&order["clientOrderId"]);
        let of = trades.remove(&(text(&order["symbol"]), text(&order["orderId"]))).unwrap_or_default();
        let report = report_of_shown(&client_order_id, &order, &of);
        ledger.fills.entry(client_order_id.clone()).or_default().extend(said(&report).fills);
        ledger.orders.push(Entered {
            client_order_id,
            venue_order_id: text(&order["orderId"]),
            symbol: text(&order["symbol"]),
            is_buy: order["side"] == "BUY",
            order_type: text(&order["type"]),
            quantity: number(&text(&order["origQty"])),
            price: Some(number(&text(&order["price"]))).filter(|price| !price.is_zero()),
            executed: number(&text(&order["executedQty"])),
            status: text(&order["status"]),
            created_ms: order["time"].as_i64().unwrap_or_default(),
        });
        reports.push(report);
    }
    (ledger, reports)
}

/// The client order id that a report is about.
pub(super) fn name(report: &v1::OrderReport) -> Option<&str> {
    match &report.which {
        Some(v1::order_report::Which::ClientOrderId(name)) => Some(name),
        _ => None,
    }
}
