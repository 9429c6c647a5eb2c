//! Orders, trades and events as JSON, field by field as in the documentation of Binance (rest-api.md,
//! user-data-stream.md).

use serde_json::{Value, json};

use super::{extend, levels};
use crate::amount::show;
use crate::engine::{Depth, Event, ExpiryReason, Fill, Order, Rejection, Report, Trade};
use crate::venue::DepthChange;

/// An order as a query shows it.
pub(crate) fn order(order: &Order) -> Value {
    let mut value = json!({
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "cummulativeQuoteQty": show(order.executed_quote),
        "status": order.status.as_str(),
        "timeInForce": order.time_in_force.as_str(),
        "type": order.order_type.as_str(),
        "side": order.side.as_str(),
        "stopPrice": show(order.stop_price),
        "icebergQty": "0.00000000",
        "time": order.created_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.is_working,
        "workingTime": order.working_ms.unwrap_or(-1),
        "origQuoteOrderQty": show(order.quote_quantity),
        "selfTradePreventionMode": order.self_trade_prevention.as_str(),
    });
    conditional(&mut value, order);
    value
}

/// Fields that are there only under a condition.
fn conditional(value: &mut Value, order: &Order) {
    if let Some(id) = order.strategy_id {
        value["strategyId"] = json!(id);
    }
    if let Some(strategy_type) = order.strategy_type {
        value["strategyType"] = json!(strategy_type);
    }
    if let Some(id) = order.prevented_match_id {
        value["preventedMatchId"] = json!(id);
        value["preventedQuantity"] = json!(show(order.prevented));
    }
    if let Some(reason) = order.expiry_reason {
        value["expiryReason"] = json!(reason.as_str());
    }
}

/// How much an answer to a new order tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Telling {
    Ack,
    Result,
    Full,
}

/// The answer to a new order.
pub(crate) fn placed(order: &Order, fills: &[Fill], telling: Telling) -> Value {
    let mut value = json!({
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_order_id,
        "transactTime": order.updated_ms,
    });
    if telling == Telling::Ack {
        return value;
    }
    amounts(&mut value, order);
    value["workingTime"] = json!(order.working_ms.unwrap_or(-1));
    if telling == Telling::Full {
        value["fills"] = fills.iter().map(fill_of_answer).collect();
    }
    value
}

/// The answer to a cancel.
pub(crate) fn canceled(order: &Order, cancel_id: &str) -> Value {
    let mut value = json!({
        "symbol": order.symbol,
        "origClientOrderId": order.client_order_id,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": order.updated_ms,
    });
    amounts(&mut value, order);
    value
}

fn amounts(value: &mut Value, order: &Order) {
    let fields = json!({
        "price": show(order.price),
        "origQty": show(order.quantity),
        "executedQty": show(order.executed),
        "origQuoteOrderQty": show(order.quote_quantity),
        "cummulativeQuoteQty": show(order.executed_quote),
        "status": order.status.as_str(),
        "timeInForce": order.time_in_force.as_str(),
        "type": order.order_type.as_str(),
        "side": order.side.as_str(),
        "selfTradePreventionMode": order.self_trade_prevention.as_str(),
    });
    extend(value, fields);
    if order.order_type.has_stop() {
        value["stopPrice"] = json!(show(order.stop_price));
    }
    conditional(value, order);
}

fn fill_of_answer(fill: &Fill) -> Value {
    json!({
        "price": show(fill.price),
        "qty": show(fill.quantity),
        "commission": show(fill.commission),
        "commissionAsset": fill.commission_asset,
        "tradeId": fill.trade_id,
    })
}

/// A fill as a query shows it.
pub(crate) fn fill(fill: &Fill) -> Value {
    json!({
        "symbol": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "orderListId": -1,
        "price": show(fill.price),
        "qty": show(fill.quantity),
        "quoteQty": show(fill.quote),
        "commission": show(fill.commission),
        "commissionAsset": fill.commission_asset,
        "time": fill.at_ms,
        "isBuyer": fill.is_buyer,
        "isMaker": fill.is_maker,
        "isBestMatch": true,
    })
}

/// An event of the user data stream; trades of the market are not of it.
pub(crate) fn event(event: &Event, at_ms: i64) -> Option<Value> {
    match event {
        Event::Report(report) => Some(execution_report(report, at_ms)),
        Event::Account { at_ms: changed_ms, balances, .. } => {
            let balance = |(asset, balance): &(String, crate::engine::Balance)| json!({"a": asset, "f": show(balance.free), "l": show(balance.locked)});
            let balances: Vec<Value> = balances.iter().map(balance).collect();
            Some(json!({"e": "outboundAccountPosition", "E": at_ms, "u": changed_ms, "B": balances}))
        }
        Event::Transfer { at_ms: changed_ms, asset, change, .. } => Some(json!({
            "e": "balanceUpdate",
            "E": at_ms,
            "a": asset,
            "d": show(*change),
            "T": changed_ms,
        })),
        Event::Leverage { .. } | Event::Trade(_) => None,
    }
}

/// Of the stream `@trade`.
pub(crate) fn trade_message(trade: &Trade, now_ms: i64) -> Value {
    json!({
        "e": "trade",
        "E": now_ms,
        "s": trade.symbol,
        "t": trade.id,
        "p": show(trade.price),
        "q": show(trade.quantity),
        "T": trade.at_ms,
        "m": trade.is_buyer_maker,
        "M": true,
    })
}

/// Of the stream `@bookTicker`.
pub(crate) fn quote_message(symbol: &str, depth: &Depth) -> Value {
    let ((bid, bid_quantity), (ask, ask_quantity)) = (depth.best_bid(), depth.best_ask());
    json!({
        "u": depth.update_id,
        "s": symbol,
        "b": show(bid),
        "B": show(bid_quantity),
        "a": show(ask),
        "A": show(ask_quantity),
    })
}

/// Of the stream `@depth`.
pub(crate) fn depth_message(change: &DepthChange<'_>, now_ms: i64) -> Value {
    json!({
        "e": "depthUpdate",
        "E": now_ms,
        "s": change.symbol,
        "U": change.before + 1,
        "u": change.changes.update_id,
        "b": levels(&change.changes.bids),
        "a": levels(&change.changes.asks),
    })
}

fn execution_report(report: &Report, at_ms: i64) -> Value {
    let order = &report.order;
    let fill = report.fill.as_ref();
    let last = |amount: fn(&Fill) -> rust_decimal::Decimal| show(fill.map(amount).unwrap_or_default());
    let mut value = json!({
        "e": "executionReport",
        "E": at_ms,
        "s": order.symbol,
        "c": report.cancel_id.as_ref().unwrap_or(&order.client_order_id),
        "S": order.side.as_str(),
        "o": order.order_type.as_str(),
        "f": order.time_in_force.as_str(),
        "q": show(order.quantity),
        "p": show(order.price),
        "P": show(order.stop_price),
        "F": "0.00000000",
        "g": -1,
        "C": report.cancel_id.as_ref().map_or("", |_| order.client_order_id.as_str()),
        "x": report.execution.as_str(),
        "X": order.status.as_str(),
        "r": report.rejection.map_or("NONE", reject_reason),
        "i": order.id,
        "l": last(|fill| fill.quantity),
        "z": show(order.executed),
        "L": last(|fill| fill.price),
        "n": fill.map_or("0".into(), |fill| show(fill.commission)),
        "N": fill.map(|fill| &fill.commission_asset),
        "T": report.at_ms,
        "t": fill.map_or(-1, |fill| i64::try_from(fill.trade_id).unwrap_or(i64::MAX)),
        "I": report.id,
        "w": order.is_working && order.status.is_open(),
        "m": fill.is_some_and(|fill| fill.is_maker),
        "M": false,
        "O": order.created_ms,
        "Z": show(order.executed_quote),
        "Y": last(|fill| fill.quote),
        "Q": show(order.quote_quantity),
        "V": order.self_trade_prevention.as_str(),
    });
    conditional_of_report(&mut value, report);
    value
}

fn conditional_of_report(value: &mut Value, report: &Report) {
    let order = &report.order;
    if let Some(working_ms) = order.working_ms {
        value["W"] = json!(working_ms);
    }
    if let Some(id) = order.strategy_id {
        value["j"] = json!(id);
    }
    if let Some(strategy_type) = order.strategy_type {
        value["J"] = json!(strategy_type);
    }
    if let Some(reason) = order.expiry_reason {
        value["eR"] = json!(ExpiryReason::as_str(reason));
    }
    if let Some(prevention) = &report.prevention {
        let fields = json!({
            "v": prevention.match_id,
            "A": show(order.prevented),
            "B": show(prevention.quantity),
            "u": -1,
            "U": prevention.counter_order_id,
            "Cs": order.symbol,
            "pL": show(prevention.price),
        });
        extend(value, fields);
    }
}

fn reject_reason(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::InsufficientBalance => "INSUFFICIENT_BALANCES",
        Rejection::WouldTriggerImmediately => "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY",
        Rejection::WouldMatchImmediately => "WOULD_MATCH_IMMEDIATELY",
        _ => "NONE",
    }
}
