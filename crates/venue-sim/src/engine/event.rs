//! What the engine tells about what it did.

use rust_decimal::Decimal;

use super::order::{Order, Side};
use super::position::Position;
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
    /// What of an account may have changed, after a command.
    Account {
        account: String,
        at_ms: i64,
        cause: Cause,
        balances: Vec<(String, Balance)>,
        /// By symbol; of futures.
        positions: Vec<(String, Position)>,
    },
    /// The leverage of an account on a symbol is another.
    Leverage {
        account: String,
        at_ms: i64,
        symbol: String,
        leverage: u32,
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

/// Why something of an account changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    Order,
    /// So much came in or, below zero, went out.
    Transfer(Decimal),
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
    /// What the position that it closed has brought; of futures.
    pub realized: Decimal,
    pub at_ms: i64,
    pub is_buyer: bool,
    pub is_maker: bool,
}

impl Fill {
    /// Without what it costs and brings.
    pub(crate) fn of(order: &Order, trade: &Trade, is_maker: bool) -> Fill {
        Fill {
            trade_id: trade.id,
            order_id: order.id,
            account: order.account.clone(),
            symbol: order.symbol.clone(),
            price: trade.price,
            quantity: trade.quantity,
            quote: trade.quote,
            commission: Decimal::ZERO,
            commission_asset: String::new(),
            realized: Decimal::ZERO,
            at_ms: trade.at_ms,
            is_buyer: order.side == Side::Buy,
            is_maker,
        }
    }
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
