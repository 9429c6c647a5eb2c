//! Orders, trades, positions and events of futures as JSON, field by field as in Binance's own SDK.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::{extend, levels};
use crate::amount::{div, show};
use crate::engine::{
    Cause, Depth, Engine, Event, Execution, ExpiryReason, Fill, Order, OrderStatus, OrderType, Position,
    Report, Side, Trade,
};
use crate::venue::DepthChange;

/// In one-way mode every position is of this side.
pub(super) const BOTH: &str = "BOTH";

/// Without zeros behind, as futures show prices and quantities.
pub(super) fn plain(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// A type of order by its word.
pub(super) fn order_type(word: &str) -> Option<OrderType> {
    TYPES.iter().find(|(_, of_type)| *of_type == word).map(|(order_type, _)| *order_type)
}

/// The types under their names here; a stop with a limit has the short name.
const TYPES: [(OrderType, &str); 6] = [
    (OrderType::Limit, "LIMIT"),
    (OrderType::Market, "MARKET"),
    (OrderType::StopLossLimit, "STOP"),
    (OrderType::StopLoss, "STOP_MARKET"),
    (OrderType::TakeProfitLimit, "TAKE_PROFIT"),
    (OrderType::TakeProfit, "TAKE_PROFIT_MARKET"),
];

pub(super) fn word(order_type: OrderType) -> &'static str {
    TYPES.iter().find(|(known, _)| *known == order_type).map_or("LIMIT", |(_, word)| word)
}

/// What it is now: a stop that was reached is what it waited to be.
fn present_type(order: &Order) -> &'static str {
    match (order.order_type.has_stop() && order.is_working, order.order_type.has_price()) {
        (false, _) => word(order.order_type),
        (true, true) => word(OrderType::Limit),
        (true, false) => word(OrderType::Market),
    }
}

fn average(order: &Order) -> String {
    if order.executed.is_zero() {
        return "0.00000".into();
    }
    plain(div(order.executed_quote, order.executed).round_dp(5))
}

/// What every answer about an order has.
fn common(order: &Order) -> Value {
    json!({
        "orderId": order.id,
        "symbol": order.symbol,
        "status": order.status.as_str(),
        "clientOrderId": order.client_order_id,
        "price": plain(order.price),
        "avgPrice": average(order),
        "origQty": plain(order.quantity),
        "executedQty": plain(order.executed),
        "cumQuote": plain(order.executed_quote),
        "timeInForce": order.time_in_force.as_str(),
        "type": present_type(order),
        "reduceOnly": order.terms.reduce_only,
        "closePosition": order.terms.close_position,
        "side": order.side.as_str(),
        "positionSide": BOTH,
        "stopPrice": plain(order.stop_price),
        "workingType": order.terms.working_type.as_str(),
        "priceProtect": order.terms.price_protect,
        "origType": word(order.order_type),
        "priceMatch": "NONE",
        "selfTradePreventionMode": order.self_trade_prevention.as_str(),
        "goodTillDate": 0,
        "updateTime": order.updated_ms,
    })
}

/// An order as a query shows it.
pub(crate) fn order(order: &Order) -> Value {
    let mut value = common(order);
    value["time"] = json!(order.created_ms);
    value
}

/// An order as the listing of all shows it.
pub(super) fn order_of_listing(of_listing: &Order) -> Value {
    let mut value = order(of_listing);
    extend(&mut value, json!({"cumBase": "0", "pair": of_listing.symbol}));
    value
}

/// The answer to a new order, or to a cancel.
pub(super) fn changed(order: &Order) -> Value {
    let mut value = common(order);
    value["cumQty"] = json!(plain(order.executed));
    value
}

/// The answer to a new order that is not waited for: as it was accepted, whatever became of it at once.
pub(super) fn accepted(order: &Order) -> Value {
    let accepted = Order {
        status: OrderStatus::New,
        executed: Decimal::ZERO,
        executed_quote: Decimal::ZERO,
        updated_ms: order.created_ms,
        ..order.clone()
    };
    changed(&accepted)
}

/// A fill as a query shows it.
pub(crate) fn fill(fill: &Fill) -> Value {
    json!({
        "symbol": fill.symbol,
        "pair": fill.symbol,
        "id": fill.trade_id,
        "orderId": fill.order_id,
        "side": if fill.is_buyer { Side::Buy } else { Side::Sell }.as_str(),
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "baseQty": "0",
        "realizedPnl": show(fill.realized),
        "quoteQty": plain(fill.quote),
        "commission": show(fill.commission),
        "commissionAsset": fill.commission_asset,
        "marginAsset": fill.commission_asset,
        "time": fill.at_ms,
        "positionSide": BOTH,
        "buyer": fill.is_buyer,
        "maker": fill.is_maker,
    })
}

/// An event of the stream of an account. An order that was not taken is told of by its answer alone.
pub(crate) fn event(event: &Event, now_ms: i64, engine: &Engine) -> Option<Value> {
    match event {
        Event::Report(report) if report.execution == Execution::Rejected => None,
        Event::Report(report) => Some(json!({
            "e": "ORDER_TRADE_UPDATE",
            "E": now_ms,
            "T": report.at_ms,
            "o": order_update(report),
        })),
        Event::Account { at_ms, cause, balances, positions, .. } => {
            let changed_by = match cause {
                Cause::Order => Decimal::ZERO,
                Cause::Transfer(change) => *change,
            };
            let balances = balances.iter().map(|(asset, balance)| {
                let wallet = show(balance.free);
                json!({"a": asset, "wb": wallet, "cw": wallet, "bc": show(changed_by)})
            });
            let positions = positions.iter().map(|(symbol, position)| moved(symbol, position, engine));
            Some(json!({
                "e": "ACCOUNT_UPDATE",
                "E": now_ms,
                "T": at_ms,
                "a": {
                    "m": match cause {
                        Cause::Order => "ORDER",
                        Cause::Transfer(change) if change.is_sign_negative() => "WITHDRAW",
                        Cause::Transfer(_) => "DEPOSIT",
                    },
                    "B": balances.collect::<Vec<_>>(),
                    "P": positions.collect::<Vec<_>>(),
                },
            }))
        }
        Event::Leverage { at_ms, symbol, leverage, .. } => Some(json!({
            "e": "ACCOUNT_CONFIG_UPDATE",
            "E": now_ms,
            "T": at_ms,
            "ac": {"s": symbol, "l": leverage},
        })),
        // The change of the account tells of it.
        Event::Transfer { .. } | Event::Trade(_) => None,
    }
}

fn moved(symbol: &str, position: &Position, engine: &Engine) -> Value {
    let mark = engine.last_price(symbol).unwrap_or_default();
    json!({
        "s": symbol,
        "pa": plain(position.quantity),
        "ep": plain(position.entry_price()),
        // Before commissions.
        "bep": plain(position.entry_price()),
        "cr": show(position.realized),
        "up": show(position.unrealized(mark)),
        "mt": "cross",
        "iw": "0",
        "ps": BOTH,
    })
}

fn order_update(report: &Report) -> Value {
    let order = &report.order;
    let fill = report.fill.as_ref();
    let last = |amount: fn(&Fill) -> Decimal| plain(fill.map(amount).unwrap_or_default());
    let execution = match report.execution {
        Execution::TradePrevention => Execution::Expired,
        execution => execution,
    };
    let mut value = json!({
        "s": order.symbol,
        "c": order.client_order_id,
        "S": order.side.as_str(),
        "o": present_type(order),
        "f": order.time_in_force.as_str(),
        "q": plain(order.quantity),
        "p": plain(order.price),
        "ap": average(order),
        "sp": plain(order.stop_price),
        "x": execution.as_str(),
        "X": order.status.as_str(),
        "i": order.id,
        "l": last(|fill| fill.quantity),
        "z": plain(order.executed),
        "L": last(|fill| fill.price),
        "T": report.at_ms,
        "t": fill.map_or(0, |fill| fill.trade_id),
        // What open orders of a side come to in notional: not told here.
        "b": "0",
        "a": "0",
        "m": fill.is_some_and(|fill| fill.is_maker),
        "R": order.terms.reduce_only,
        "wt": order.terms.working_type.as_str(),
        "ot": word(order.order_type),
        "ps": BOTH,
        "cp": order.terms.close_position,
        "rp": show(fill.map(|fill| fill.realized).unwrap_or_default()),
        "pP": order.terms.price_protect,
        "si": 0,
        "ss": 0,
        "V": order.self_trade_prevention.as_str(),
        "pm": "NONE",
        "gtd": 0,
        "er": expiry(order),
    });
    if let Some(fill) = fill {
        extend(&mut value, json!({"N": fill.commission_asset, "n": show(fill.commission)}));
    }
    value
}

/// Why it ended, as a number; 0 says nothing.
fn expiry(order: &Order) -> &'static str {
    match (order.status, order.expiry_reason) {
        (OrderStatus::ExpiredInMatch, _) => "1",
        (_, Some(ExpiryReason::UnfilledIoc | ExpiryReason::UnfilledFok)) => "2",
        (_, Some(ExpiryReason::NothingToReduce)) => "4",
        (_, Some(ExpiryReason::InsufficientLiquidity)) => "9",
        _ => "0",
    }
}

/// Of the stream `@trade`.
pub(crate) fn trade_message(trade: &Trade, now_ms: i64) -> Value {
    json!({
        "e": "trade",
        "E": now_ms,
        "T": trade.at_ms,
        "s": trade.symbol,
        "t": trade.id,
        "p": plain(trade.price),
        "q": plain(trade.quantity),
        "X": "MARKET",
        "m": trade.is_buyer_maker,
    })
}

/// Of the stream `@aggTrade`: each trade is an aggregate of its own.
pub(crate) fn aggregate_message(trade: &Trade, now_ms: i64) -> Value {
    json!({
        "e": "aggTrade",
        "E": now_ms,
        "s": trade.symbol,
        "a": trade.id,
        "p": plain(trade.price),
        "q": plain(trade.quantity),
        "nq": plain(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.at_ms,
        "m": trade.is_buyer_maker,
        "st": USD_M,
    })
}

/// The kind of contract: on money, and not on coins.
const USD_M: u8 = 1;

/// Of the stream `@bookTicker`.
pub(crate) fn quote_message(symbol: &str, depth: &Depth, now_ms: i64) -> Value {
    let ((bid, bid_quantity), (ask, ask_quantity)) = (depth.best_bid(), depth.best_ask());
    json!({
        "e": "bookTicker",
        "u": depth.update_id,
        "E": now_ms,
        "T": now_ms,
        "s": symbol,
        "ps": symbol,
        "b": plain(bid),
        "B": plain(bid_quantity),
        "a": plain(ask),
        "A": plain(ask_quantity),
        "st": USD_M,
    })
}

/// Of the stream `@depth`.
pub(crate) fn depth_message(change: &DepthChange<'_>, now_ms: i64) -> Value {
    json!({
        "e": "depthUpdate",
        "E": now_ms,
        "T": now_ms,
        "s": change.symbol,
        "ps": change.symbol,
        "U": change.before + 1,
        "u": change.changes.update_id,
        "pu": change.before,
        "b": levels(&change.changes.bids),
        "a": levels(&change.changes.asks),
        "st": USD_M,
    })
}
