//! What an order is.

use rust_decimal::Decimal;

use crate::amount::{add, sub};
use crate::word::words;

words! {
    /// Which way an order trades.
    Side {
        Buy = "BUY",
        Sell = "SELL",
    }
}

impl Side {
    /// The side that it trades with.
    pub fn other(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

words! {
    /// The kinds of orders.
    OrderType {
        Limit = "LIMIT",
        Market = "MARKET",
        LimitMaker = "LIMIT_MAKER",
        StopLoss = "STOP_LOSS",
        StopLossLimit = "STOP_LOSS_LIMIT",
        TakeProfit = "TAKE_PROFIT",
        TakeProfitLimit = "TAKE_PROFIT_LIMIT",
    }
}

impl OrderType {
    /// It has a limit: it may rest in the book.
    pub fn has_price(self) -> bool {
        !matches!(self, OrderType::Market | OrderType::StopLoss | OrderType::TakeProfit)
    }

    /// It waits for the market to reach its stop price.
    pub fn has_stop(self) -> bool {
        !matches!(self, OrderType::Limit | OrderType::Market | OrderType::LimitMaker)
    }

    /// The caller says how long it is good for.
    pub fn has_time_in_force(self) -> bool {
        matches!(self, OrderType::Limit | OrderType::StopLossLimit | OrderType::TakeProfitLimit)
    }
}

words! {
    /// How long an order is good for.
    TimeInForce {
        Gtc = "GTC",
        Ioc = "IOC",
        Fok = "FOK",
        /// Of futures: it ends rather than take.
        Gtx = "GTX",
    }
}

words! {
    /// What happens to orders of one account that would trade with each other; the taker's mode counts.
    SelfTradePrevention {
        None = "NONE",
        ExpireTaker = "EXPIRE_TAKER",
        ExpireMaker = "EXPIRE_MAKER",
        ExpireBoth = "EXPIRE_BOTH",
    }
}

words! {
    /// Where an order is in its life.
    OrderStatus {
        New = "NEW",
        PartiallyFilled = "PARTIALLY_FILLED",
        Filled = "FILLED",
        Canceled = "CANCELED",
        Rejected = "REJECTED",
        Expired = "EXPIRED",
        ExpiredInMatch = "EXPIRED_IN_MATCH",
    }
}

impl OrderStatus {
    /// It may still trade.
    pub fn is_open(self) -> bool {
        matches!(self, OrderStatus::New | OrderStatus::PartiallyFilled)
    }
}

words! {
    /// Why an order expired.
    ExpiryReason {
        Rejected = "REJECTED",
        ExchangeCanceled = "EXCHANGE_CANCELED",
        UnfilledIoc = "UNFILLED_IOC_QUANTITY_EXPIRED",
        UnfilledFok = "UNFILLED_FOK_ORDER_EXPIRED",
        InsufficientLiquidity = "INSUFFICIENT_LIQUIDITY",
        /// Of futures: it only reduced, and there was no longer as much to reduce.
        NothingToReduce = "NOTHING_TO_REDUCE",
    }
}

words! {
    /// Which price starts a stop of futures. The mark price is the last price, so that both are the same here.
    WorkingType {
        ContractPrice = "CONTRACT_PRICE",
        MarkPrice = "MARK_PRICE",
    }
}

/// What an order of futures says beyond others; nothing of spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// It may make a position smaller, and nothing else.
    pub reduce_only: bool,
    /// A stop that closes all that there is when it is reached. It has no quantity before.
    pub close_position: bool,
    pub working_type: WorkingType,
    /// Both prices are the same: it makes no difference.
    pub price_protect: bool,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            reduce_only: false,
            close_position: false,
            working_type: WorkingType::ContractPrice,
            price_protect: false,
        }
    }
}

/// What is asked of the engine.
#[derive(Clone, Debug)]
pub struct NewOrder {
    pub account: String,
    pub symbol: String,
    pub client_order_id: String,
    pub side: Side,
    pub order_type: OrderType,
    /// GTC where the type has none.
    pub time_in_force: TimeInForce,
    /// Zero where the type has none.
    pub price: Decimal,
    /// In the base asset; zero in a market order of a quote quantity.
    pub quantity: Decimal,
    /// What a market order is to spend or to receive, in the quote asset; else zero.
    pub quote_quantity: Decimal,
    /// Zero where the type has none.
    pub stop_price: Decimal,
    pub self_trade_prevention: SelfTradePrevention,
    /// A label of the caller.
    pub strategy_id: Option<i64>,
    /// A label of the caller.
    pub strategy_type: Option<i64>,
    pub terms: Terms,
}

/// An order as the engine has it.
///
/// Invariants: `executed + prevented <= quantity` (of a market order of a quote quantity, `quantity` is what it has
/// executed once it is closed); `locked` is zero once it is closed.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// Unique and rising within its symbol.
    pub id: u64,
    pub account: String,
    pub symbol: String,
    pub client_order_id: String,
    pub side: Side,
    pub order_type: OrderType,
    pub time_in_force: TimeInForce,
    pub price: Decimal,
    pub quantity: Decimal,
    pub quote_quantity: Decimal,
    pub stop_price: Decimal,
    pub self_trade_prevention: SelfTradePrevention,
    pub strategy_id: Option<i64>,
    pub strategy_type: Option<i64>,
    pub terms: Terms,
    pub status: OrderStatus,
    /// What has been traded, in the base asset.
    pub executed: Decimal,
    /// What has been traded, in the quote asset.
    pub executed_quote: Decimal,
    /// What expired because it would have traded with its own account.
    pub prevented: Decimal,
    pub prevented_match_id: Option<u64>,
    pub expiry_reason: Option<ExpiryReason>,
    /// What is set aside for it: the quote asset for a buy, the base asset for a sell; of futures nothing.
    pub locked: Decimal,
    /// In the book, or has been there; false for a stop that waits.
    pub is_working: bool,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub working_ms: Option<i64>,
}

impl Order {
    pub(crate) fn new(id: u64, new: NewOrder, at_ms: i64) -> Order {
        Order {
            id,
            account: new.account,
            symbol: new.symbol,
            client_order_id: new.client_order_id,
            side: new.side,
            order_type: new.order_type,
            time_in_force: new.time_in_force,
            price: new.price,
            quantity: new.quantity,
            quote_quantity: new.quote_quantity,
            stop_price: new.stop_price,
            self_trade_prevention: new.self_trade_prevention,
            strategy_id: new.strategy_id,
            strategy_type: new.strategy_type,
            terms: new.terms,
            status: OrderStatus::New,
            executed: Decimal::ZERO,
            executed_quote: Decimal::ZERO,
            prevented: Decimal::ZERO,
            prevented_match_id: None,
            expiry_reason: None,
            locked: Decimal::ZERO,
            is_working: false,
            created_ms: at_ms,
            updated_ms: at_ms,
            working_ms: None,
        }
    }

    /// It may not take what rests.
    pub fn only_makes(&self) -> bool {
        self.order_type == OrderType::LimitMaker || self.time_in_force == TimeInForce::Gtx
    }

    /// What may still trade, in the base asset.
    pub fn remaining(&self) -> Decimal {
        sub(self.quantity, add(self.executed, self.prevented))
    }
}
