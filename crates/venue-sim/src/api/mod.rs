//! What can be asked of the exchange, by REST and by WebSocket: one table of doors, one function behind each.

mod account;
mod candles;
mod door;
mod market;
mod query;
mod session;
mod symbols;
mod trading;
mod wallet;
pub(crate) mod wire;

pub(crate) use account::order_limits;
pub(crate) use door::{Door, Operation, Security, by_method, by_path, is_path};
pub(crate) use market::levels;

use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

/// Carries out a request that was let in.
pub(crate) fn run(venue: &mut Venue, operation: Operation, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let params = visitor.params;
    match operation {
        Operation::Ping => Ok(json!({})),
        Operation::Time => Ok(json!({"serverTime": venue.now_ms()})),
        Operation::ExchangeInfo => symbols::exchange_info(venue, params),
        Operation::Depth => market::depth(venue, params),
        Operation::Trades => market::trades(venue, params),
        Operation::OldTrades => market::old_trades(venue, params),
        Operation::AggregateTrades => market::aggregate_trades(venue, params),
        Operation::Candles => candles::candles(venue, params),
        Operation::AveragePrice => market::average_price(venue, params),
        Operation::TickerPrice => market::ticker_price(venue, params),
        Operation::TickerBook => market::ticker_book(venue, params),
        Operation::TickerDay => market::ticker_day(venue, params),
        Operation::PlaceOrder => trading::place(venue, visitor),
        Operation::TestOrder => trading::test(venue, visitor),
        Operation::CancelOrder => trading::cancel(venue, visitor),
        Operation::CancelReplace => trading::cancel_replace(venue, visitor),
        Operation::CancelOpenOrders => trading::cancel_all(venue, visitor),
        Operation::QueryOrder => query::order(venue, visitor),
        Operation::OpenOrders => query::open_orders(venue, visitor),
        Operation::AllOrders => query::all_orders(venue, visitor),
        Operation::MyTrades => query::my_trades(venue, visitor),
        Operation::Account => account::status(venue, visitor),
        Operation::OrderCount => account::order_count(venue, visitor),
        Operation::Commission => account::commission(venue, visitor),
        Operation::SystemStatus => Ok(wallet::system_status(venue)),
        Operation::Coins => Ok(wallet::coins(venue)),
        Operation::TradeFees => wallet::trade_fees(venue, params),
        Operation::NoMarginPairs | Operation::NoOrderLists => Ok(json!([])),
        Operation::Logon => session::logon(venue, visitor),
        Operation::Logout => session::logout(venue, visitor),
        Operation::SessionStatus => session::status(venue, visitor),
        Operation::Subscriptions => session::subscriptions(venue, visitor),
        Operation::Subscribe => session::subscribe(venue, visitor),
        Operation::SubscribeBySignature => session::subscribe_by_signature(venue, visitor),
        Operation::Unsubscribe => session::unsubscribe(venue, visitor),
    }
}
