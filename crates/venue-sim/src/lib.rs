//! A simulated exchange that speaks the wire format of Binance Spot, and tells the truth about itself.
//!
//! In reading order:
//! * [`limits`]: every limit and why; [`amount`]: exact decimals;
//! * [`engine`]: orders, balances and trades.

pub mod amount;
pub mod engine;
pub mod limits;
mod word;
