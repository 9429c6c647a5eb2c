//! Every limit of this crate, with its reason.

/// The largest sum that may be paid into an account at once: far more than any test needs, and so little that sums
/// of many of them stay exact.
pub const DEPOSIT_MAX: u64 = 1_000_000_000_000;

/// Trades that a symbol remembers for `GET /api/v3/trades` and for its average price: the largest `limit` there.
pub const TRADES_KEPT: usize = 1000;

/// The time over which the average price is taken, as in the filters of Binance.
pub const AVERAGE_MINUTES: i64 = 5;
