//! What the engine tells about what it did.

use rust_decimal::Decimal;

use super::order::Order;
use super::rejection::Rejection;
use crate::word::words;

words! {
    /// What happened to an order.
    Execution {
        New = "NEW",
        Canceled = "CANCELED",
        Rejected = "REJECTED",
        Trade = "TRADE",
        Expired = "EXPIRED",
        TradePrevention = "TRADE_PREVENTION",
    }
}

/// One thing that happened, in the order in which things happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Report(Box<Report>),
    /// Balances of an account that may have changed, after a command.
    Position {
        account: String,
        at_ms: i64,
        balances: Vec<(String, Balance)>,
    },
    /// Money came into an account or left it.
    Transfer {
        account: String,
        at_ms: i64,
        asset: String,
        change: Decimal,
    },
    /// Two orders traded, as everybody may see.
    Trade(Trade),
}

/// What happened to one order.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Rises by one with every report of any order.
    pub id: u64,
    pub at_ms: i64,
    pub execution: Execution,
    /// As it was right after.
    pub order: Order,
    /// Of a trade.
    pub fill: Option<Fill>,
    /// Of a cancel: the id of the cancel itself.
    pub cancel_id: Option<String>,
    /// Of a rejection.
    pub rejection: Option<Rejection>,
    /// Of a prevented self-trade.
    pub prevention: Option<Prevention>,
}

/// One side of a trade. A self-trade is two of them with one trade id.
#[derive(Clone, Debug, PartialEq)]
pub struct Fill {
    pub trade_id: u64,
    pub order_id: u64,
    pub account: String,
    pub symbol: String,
    pub price: Decimal,
    pub quantity: Decimal,
    pub quote: Decimal,
    pub commission: Decimal,
    pub commission_asset: String,
    pub at_ms: i64,
    pub is_buyer: bool,
    pub is_maker: bool,
}

/// A trade as the market sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Trade {
    /// Unique and rising by one within its symbol.
    pub id: u64,
    pub symbol: String,
    pub price: Decimal,
    pub quantity: Decimal,
    pub quote: Decimal,
    pub at_ms: i64,
    pub is_buyer_maker: bool,
}

/// A trade of an account with itself that did not happen.
#[derive(Clone, Debug, PartialEq)]
pub struct Prevention {
    pub match_id: u64,
    pub counter_order_id: u64,
    pub price: Decimal,
    /// What expired of this order.
    pub quantity: Decimal,
}

/// What an account has of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Balance {
    pub free: Decimal,
    /// Set aside for open orders.
    pub locked: Decimal,
}
