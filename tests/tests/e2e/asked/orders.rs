//! Many orders from their authorisation to the history, and what they take of a node.

use anyhow::{Context, Result, ensure};
use tests::{figures, suite};

use crate::beside::closed_orders;

#[test]
fn many_orders_are_told_within_fifty_milliseconds() {
    suite::asked("orders", "TENURE_ORDERS", |count| async move {
        let count: usize = count.parse().context("orders")?;
        let (figure, slowest) = closed_orders::run(count).await?;
        figures::record("orders", &figure)?;
        let limit = closed_orders::QUERY_MAX;
        ensure!(slowest <= limit, "a query took {slowest:?}, at most {limit:?} is allowed");
        Result::Ok(())
    });
}
