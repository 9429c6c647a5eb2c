//! What the engine refuses, in the words of the exchange.

use thiserror::Error;

/// Why nothing was done. The text is what stands in `msg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Rejection {
    #[error("Invalid symbol.")]
    NoSuchSymbol,
    #[error("Filter failure: {0}")]
    Filter(&'static str),
    #[error("Market is closed.")]
    MarketClosed,
    #[error("Duplicate order sent.")]
    DuplicateOrder,
    #[error("Account has insufficient balance for requested action.")]
    InsufficientBalance,
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
