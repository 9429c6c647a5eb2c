//! What the engine refuses, in the words of the exchange.

use rust_decimal::Decimal;
use thiserror::Error;

/// On which side of a filter an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// Less than this.
    Below(Decimal),
    /// More than this.
    Above(Decimal),
    /// Between two steps.
    OffStep,
}

/// Why nothing was done. The text is what stands in `msg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    #[error("Invalid symbol.")]
    NoSuchSymbol,
    #[error("Filter failure: {0}")]
    Filter(&'static str, Breach),
    #[error("Market is closed.")]
    MarketClosed,
    #[error("Duplicate order sent.")]
    DuplicateOrder,
    #[error("Account has insufficient balance for requested action.")]
    InsufficientBalance,
    #[error("Margin is insufficient.")]
    InsufficientMargin,
    #[error("ReduceOnly Order is rejected.")]
    NothingToReduce,
    #[error("Order would trigger immediately.")]
    WouldTriggerImmediately,
    #[error("Order would immediately match and take.")]
    WouldMatchImmediately,
    #[error("Order book liquidity is less than `LOT_SIZE` filter minimum quantity.")]
    LiquidityTooLow,
    #[error("Unknown order sent.")]
    UnknownOrder,
    #[error("Order was not canceled due to cancel restrictions.")]
    CancelRestricted,
}
