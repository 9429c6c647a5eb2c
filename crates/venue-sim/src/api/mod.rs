//! What can be asked of the exchange, by REST and by WebSocket: one table of doors, one function behind each.

mod account;
mod candles;
mod doors;
pub(crate) mod futures;
mod market;
mod query;
mod session;
mod symbols;
mod trading;
mod wallet;
pub(crate) mod wire;

pub(crate) use account::order_limits;
pub(crate) use doors::{Door, FUTURES_PATH, Operation, Security, by_method, by_path, is_path};
pub(crate) use futures::Act;
pub(crate) use market::levels;

use serde_json::{Value, json};

use crate::engine::{Fill, Order, Product};
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// Carries out a request that was let in.
pub(crate) fn run(venue: &mut Venue, operation: Operation, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    match operation {
        Operation::Ping => Ok(json!({})),
        Operation::Time => Ok(json!({"serverTime": venue.now_ms()})),
        Operation::ExchangeInfo => symbols::exchange_info(venue, visitor),
        Operation::Depth => market::depth(venue, visitor),
        Operation::Trades => market::trades(venue, visitor),
        Operation::OldTrades => market::old_trades(venue, visitor),
        Operation::AggregateTrades => market::aggregate_trades(venue, visitor),
        Operation::Candles => candles::candles(venue, visitor),
        Operation::AveragePrice => market::average_price(venue, visitor),
        Operation::TickerPrice => market::ticker_price(venue, visitor),
        Operation::TickerBook => market::ticker_book(venue, visitor),
        Operation::TickerDay => market::ticker_day(venue, visitor),
        Operation::PlaceOrder => trading::place(venue, visitor),
        Operation::TestOrder => trading::test(venue, visitor),
        Operation::CancelOrder => trading::cancel(venue, visitor),
        Operation::CancelReplace => trading::cancel_replace(venue, visitor),
        Operation::CancelOpenOrders => trading::cancel_all(venue, visitor),
        Operation::QueryOrder => query::order(venue, visitor, wire::order),
        Operation::OpenOrders => query::open_orders(venue, visitor, wire::order),
        Operation::AllOrders => query::all_orders(venue, visitor, wire::order),
        Operation::MyTrades => query::my_trades(venue, visitor, wire::fill),
        Operation::Account => account::status(venue, visitor),
        Operation::OrderCount => account::order_count(venue, visitor),
        Operation::Commission => account::commission(venue, visitor),
        Operation::SystemStatus => Ok(wallet::system_status(venue)),
        Operation::Coins => Ok(wallet::coins(venue)),
        Operation::TradeFees => wallet::trade_fees(venue, visitor),
        Operation::NoMarginPairs | Operation::NoOrderLists => Ok(json!([])),
        Operation::Logon => session::logon(venue, visitor),
        Operation::Logout => session::logout(venue, visitor),
        Operation::SessionStatus => session::status(venue, visitor),
        Operation::Subscriptions => session::subscriptions(venue, visitor),
        Operation::Subscribe => session::subscribe(venue, visitor),
        Operation::SubscribeBySignature => session::subscribe_by_signature(venue, visitor),
        Operation::Unsubscribe => session::unsubscribe(venue, visitor),
        Operation::Futures(act) => futures::run(venue, act, visitor),
    }
}

/// An order as a query shows it.
pub(crate) fn shown_order(product: Product, order: &Order) -> Value {
    match product {
        Product::Spot => wire::order(order),
        Product::Futures => futures::order(order),
    }
}

/// A fill as a query shows it.
pub(crate) fn shown_fill(product: Product, fill: &Fill) -> Value {
    match product {
        Product::Spot => wire::fill(fill),
        Product::Futures => futures::fill(fill),
    }
}

/// Puts more fields into an object.
pub(crate) fn extend(value: &mut Value, fields: Value) {
    if let (Value::Object(value), Value::Object(fields)) = (value, fields) {
        value.extend(fields);
    }
}
