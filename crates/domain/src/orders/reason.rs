//! Why an order is not authorised. All reasons there are come at once, so that nobody mends one only to hear of the next.

use std::fmt;

use crate::orders::id::OrderId;
use crate::words::words;
use crate::{Decimal, LeaseName, Token};

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A field cannot be as it is.
    Invalid(Field, Fault),
    /// There is no such account, strategy, symbol or order.
    Unknown(Field),
    /// The strategy may not trade on this account, or not this symbol.
    NotPermitted(Field),
    /// The account sends through the cluster, or does not, and this asks for the other.
    AccountMode,
    /// Another lease trades this account and strategy.
    WrongLease { expected: LeaseName },
    /// The lease is free: it has ended, or nobody has taken it.
    LeaseFree,
    /// The lease is held under another token.
    Fenced { current: Token },
    /// A kill switch is engaged.
    Killed(Scope),
    /// The mode does not allow it.
    Mode(Scope, Mode),
    /// The breaker of the venue is open.
    BreakerOpen,
    /// The account has not been reconciled in the present term.
    Unreconciled,
    /// Nodes differ in what they hold, and no majority says which of them is right.
    NodesDiffer,
    /// A limit would be passed.
    Limit { limit: Limit, scope: LimitScope, allowed: Decimal, found: Decimal },
    /// Too many orders and cancels in a stretch of time; again after `retry_ms`, if nothing else is sent meanwhile.
    MessageRate { scope: LimitScope, count: u32, per_ms: u64, retry_ms: u64 },
    /// The same was authorised `age_ms` ago, under another key.
    Duplicate { scope: LimitScope, window_ms: u64, age_ms: u64 },
    /// There is no price to hold the order against: neither a reference price nor a trade.
    NoReferencePrice,
    /// The key is that of another order, with another payload.
    DuplicateKey(OrderId),
    /// The key is older than keys are remembered.
    KeyExpired,
    /// The order is in no state for it.
    NotInState,
    /// As many orders or keys are remembered as may be.
    Full,
}

/// What a reason is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    Key,
    Account,
    Strategy,
    Symbol,
    OrderType,
    TimeInForce,
    Quantity,
    Price,
    StopPrice,
    /// Quantity times price.
    Notional,
    ReduceOnly,
    Order,
    /// The quantity that a venue says is filled.
    Cumulative,
    /// The trades of a report.
    Trades,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Missing,
    /// Orders of this type have none.
    NotOfThisType,
    NotPositive,
    Negative,
    /// Not a multiple of what the symbol is traded in.
    Precision {
        step: Decimal,
    },
    BelowMinimum {
        minimum: Decimal,
    },
    AboveMaximum {
        maximum: Decimal,
    },
    /// A key that says it was made in the future.
    InTheFuture,
    /// The venue does not know such orders.
    NotOfThisVenue,
    /// A reduce-only order that would not make the position smaller.
    WouldNotReduce,
    /// Of an order that takes the place of another, and is not like it in this.
    NotAsReplaced,
}

/// What a switch or a mode covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    All,
    Venue,
    Account,
    Strategy,
    Trader,
    Symbol,
}

/// How much trading is allowed. Each allows less than the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    #[default]
    Normal,
    /// Cancels, and orders that make a position smaller.
    ReduceOnly,
    /// Cancels only.
    CancelOnly,
    /// Nothing.
    Halted,
}

/// Whose limit it is: the account's or the strategy's, for all that it trades or for this symbol alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitScope {
    Account,
    AccountSymbol,
    Strategy,
    StrategySymbol,
}

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// The price; what is allowed is the farthest from the reference price on its side.
    PriceCollar,
    Quantity,
    Notional,
    /// The position with all that is open on this side.
    Position,
    OpenOrders,
    /// The notional of a day, with all that is open.
    DailyNotional,
}

impl Reason {
    /// The name that clients switch on: one of the closed list of `google.rpc.ErrorInfo` reasons.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(..) => "INVALID_ORDER",
            Self::Unknown(Field::Order) => "UNKNOWN_ORDER",
            Self::Unknown(_) => "UNKNOWN_NAME",
            Self::NotPermitted(_) => "NOT_PERMITTED",
            Self::AccountMode => "ACCOUNT_MODE",
            Self::WrongLease { .. } => "WRONG_LEASE",
            Self::LeaseFree => "EXPIRED",
            Self::Fenced { .. } => "FENCED",
            Self::Killed(_) => "KILLED",
            Self::Mode(..) => "MODE",
            Self::BreakerOpen => "BREAKER_OPEN",
            Self::Unreconciled => "UNRECONCILED",
            Self::NodesDiffer => "NODES_DIFFER",
            Self::Limit { .. }
            | Self::MessageRate { .. }
            | Self::Duplicate { .. }
            | Self::NoReferencePrice => "LIMIT",
            Self::DuplicateKey(_) => "DUPLICATE_KEY",
            Self::KeyExpired => "KEY_EXPIRED",
            Self::NotInState => "ORDER_STATE",
            Self::Full => "FULL",
        }
    }

    /// Whether a control of the desk says it, of an order that is well made and whose bot may trade: rules ask that this be written
    /// down. What a message rate refuses is not, for then there would be no end to what is.
    pub fn is_of_a_control(&self) -> bool {
        matches!(
            self,
            Self::Killed(_)
                | Self::Mode(..)
                | Self::BreakerOpen
                | Self::Unreconciled
                | Self::NodesDiffer
                | Self::Limit { .. }
                | Self::Duplicate { .. }
                | Self::NoReferencePrice
        )
    }

    /// Whether it may be gone in a while though the order stays the same.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Killed(_) | Self::Mode(..) | Self::BreakerOpen | Self::Unreconciled | Self::NodesDiffer
        )
    }
}

/// What is wrong, and what to do.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(field, fault) => write!(f, "{field} {fault}"),
            Self::Unknown(field) => write!(f, "there is no such {field}"),
            Self::NotPermitted(field) => write!(f, "the strategy may not trade this {field}"),
            Self::AccountMode => f.write_str("the account is of the other mode: gateway accounts submit, direct ones authorise"),
            Self::WrongLease { expected } => write!(f, "this account and strategy are traded under the lease {expected}"),
            Self::LeaseFree => f.write_str("the lease is free: acquire it, and use its new token"),
            Self::Fenced { current } => write!(f, "the lease is held under token {current}: whoever has another one must stop"),
            Self::Killed(scope) => write!(f, "the kill switch of {scope} is engaged"),
            Self::Mode(scope, mode) => write!(f, "the mode of {scope} is {mode}"),
            Self::BreakerOpen => f.write_str("the breaker of the venue is open"),
            Self::NodesDiffer => {
                f.write_str("nodes differ in what they hold, and no majority says which is right: see `tenure status`")
            }
            Self::Unreconciled => f.write_str("the account has not been reconciled since the last change of leadership"),
            Self::Limit { limit, scope, allowed, found } => write!(f, "{limit} of {scope}: {found}, and {allowed} is allowed"),
            Self::MessageRate { scope, count, per_ms, retry_ms } => write!(
                f,
                "message_rate of {scope}: {count} in {per_ms} ms are allowed, half of them and one at once; again in {retry_ms} ms"
            ),
            Self::Duplicate { scope, window_ms, age_ms } => write!(
                f,
                "duplicate_window_ms of {scope}: the same was authorised {age_ms} ms ago, and {window_ms} must lie between"
            ),
            Self::NoReferencePrice => f.write_str("there is no price to hold it against: give the symbol a reference price"),
            Self::DuplicateKey(order) => write!(f, "the key is that of order {order}, which asked for something else"),
            Self::KeyExpired => f.write_str("the key is older than keys are remembered: make a new one"),
            Self::NotInState => f.write_str("the order is in no state for it"),
            Self::Full => f.write_str("as many orders or keys are remembered as may be; keys that begin with their time are forgotten"),
        }
    }
}

words! {
    Field {
        Key => "key",
        Account => "account",
        Strategy => "strategy",
        Symbol => "symbol",
        OrderType => "type",
        TimeInForce => "time_in_force",
        Quantity => "quantity",
        Price => "price",
        StopPrice => "stop_price",
        Notional => "notional",
        ReduceOnly => "reduce_only",
        Order => "order",
        Cumulative => "filled_quantity",
        Trades => "trades",
    }
    Scope {
        All => "all",
        Venue => "venue",
        Account => "account",
        Strategy => "strategy",
        Trader => "trader",
        Symbol => "symbol",
    }
    LimitScope {
        Account => "account",
        AccountSymbol => "account_symbol",
        Strategy => "strategy",
        StrategySymbol => "strategy_symbol",
    }
    Mode {
        Normal => "normal",
        ReduceOnly => "reduce-only",
        CancelOnly => "cancel-only",
        Halted => "halted",
    }
    Limit {
        PriceCollar => "price_collar_bps",
        Quantity => "quantity_max",
        Notional => "notional_max",
        Position => "position_max",
        OpenOrders => "open_orders_max",
        DailyNotional => "daily_notional_max",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is missing"),
            Self::NotOfThisType => f.write_str("is not for orders of this type"),
            Self::NotPositive => f.write_str("must be above zero"),
            Self::Negative => f.write_str("must not be below zero"),
            Self::Precision { step } => write!(f, "must be a multiple of {step}"),
            Self::BelowMinimum { minimum } => write!(f, "must be at least {minimum}"),
            Self::AboveMaximum { maximum } => write!(f, "must be at most {maximum}"),
            Self::InTheFuture => {
                f.write_str("says that it was made in the future: look at the clock of the bot")
            }
            Self::NotOfThisVenue => f.write_str("is not for this venue"),
            Self::NotAsReplaced => f.write_str("must be that of the order that is replaced"),
            Self::WouldNotReduce => f.write_str(
                "needs a position that the order makes smaller, also after all else that is open on its side",
            ),
        }
    }
}
