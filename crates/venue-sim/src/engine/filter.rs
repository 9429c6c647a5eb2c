//! The filters of a symbol, in the order in which the exchange applies them.

use rust_decimal::Decimal;

use super::account::HOUSE;
use super::market::Market;
use super::order::{NewOrder, OrderType, Side};
use super::rejection::{Breach, Rejection};
use super::symbol::{PercentBySide, Product, Range};
use crate::amount::{is_multiple, mul};

/// Whether `new` passes every filter.
pub(crate) fn check(new: &NewOrder, market: &Market, at_ms: i64) -> Result<(), Rejection> {
    let symbol = &market.symbol;
    let is_futures = market.product == Product::Futures;
    let reference = if is_futures { market.last_price } else { market.average_price(at_ms) };
    if new.order_type.has_price() {
        within(new.price, &symbol.price, "PRICE_FILTER")?;
        // The house goes its own way: whoever traded far from it must not keep it from quoting.
        if !is_futures || new.account != HOUSE {
            percent(new.side, new.price, reference, &symbol.percent)?;
        }
    }
    if new.order_type.has_stop() {
        within(new.stop_price, &symbol.price, "PRICE_FILTER")?;
    }
    if new.quote_quantity.is_zero() && !new.terms.close_position {
        within(new.quantity, &symbol.lot, "LOT_SIZE")?;
        if new.order_type == OrderType::Market {
            within(new.quantity, &symbol.market_lot, "MARKET_LOT_SIZE")?;
        }
    }
    if !new.terms.reduce_only && !new.terms.close_position {
        notional(new, market, reference)?;
    }
    if new.account != HOUSE { counts(new, market) } else { Ok(()) }
}

fn within(amount: Decimal, range: &Range, filter: &'static str) -> Result<(), Rejection> {
    let breach = if amount < range.min {
        Breach::Below(range.min)
    } else if amount > range.max {
        Breach::Above(range.max)
    } else if !is_multiple(amount, range.step) {
        Breach::OffStep
    } else {
        return Ok(());
    };
    Err(Rejection::Filter(filter, breach))
}

fn percent(side: Side, price: Decimal, average: Decimal, by: &PercentBySide) -> Result<(), Rejection> {
    let (down, up) = match side {
        Side::Buy => (by.bid_down, by.bid_up),
        Side::Sell => (by.ask_down, by.ask_up),
    };
    let range = Range { min: mul(average, down), max: mul(average, up), step: Decimal::ZERO };
    within(price, &range, "PERCENT_PRICE_BY_SIDE")
}

/// A market order counts by the average price, and has no upper bound.
fn notional(new: &NewOrder, market: &Market, average: Decimal) -> Result<(), Rejection> {
    let price = if new.order_type.has_price() { new.price } else { average };
    let notional = if new.quote_quantity.is_zero() { mul(price, new.quantity) } else { new.quote_quantity };
    let max = if new.order_type.has_price() { market.symbol.notional_max } else { Decimal::MAX };
    within(notional, &Range { min: market.symbol.notional_min, max, step: Decimal::ZERO }, "NOTIONAL")
}

fn counts(new: &NewOrder, market: &Market) -> Result<(), Rejection> {
    let own = || market.open.values().filter(|order| order.account == new.account);
    if own().count() >= market.symbol.orders_max {
        let most = Decimal::from(market.symbol.orders_max);
        return Err(Rejection::Filter("MAX_NUM_ORDERS", Breach::Above(most)));
    }
    let waiting = || own().filter(|order| !order.is_working).count();
    if new.order_type.has_stop() && waiting() >= market.symbol.algo_orders_max {
        let most = Decimal::from(market.symbol.algo_orders_max);
        return Err(Rejection::Filter("MAX_NUM_ALGO_ORDERS", Breach::Above(most)));
    }
    Ok(())
}
