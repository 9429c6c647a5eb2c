//! The filters of a symbol, in the order in which the exchange applies them.

use rust_decimal::Decimal;

use super::account::HOUSE;
use super::market::Market;
use super::order::{NewOrder, OrderType, Side};
use super::rejection::Rejection;
use super::symbol::{PercentBySide, Range};
use crate::amount::{is_multiple, mul};

/// Whether `new` passes every filter.
pub(crate) fn check(new: &NewOrder, market: &Market, at_ms: i64) -> Result<(), Rejection> {
    let symbol = &market.symbol;
    let average = market.average_price(at_ms);
    if new.order_type.has_price() {
        within(new.price, &symbol.price, "PRICE_FILTER")?;
        percent(new.side, new.price, average, &symbol.percent)?;
    }
    if new.order_type.has_stop() {
        within(new.stop_price, &symbol.price, "PRICE_FILTER")?;
    }
    if new.quote_quantity.is_zero() {
        within(new.quantity, &symbol.lot, "LOT_SIZE")?;
        if new.order_type == OrderType::Market {
            within(new.quantity, &symbol.market_lot, "MARKET_LOT_SIZE")?;
        }
    }
    notional(new, market, average)?;
    if new.account != HOUSE { counts(new, market) } else { Ok(()) }
}

fn within(amount: Decimal, range: &Range, filter: &'static str) -> Result<(), Rejection> {
    let fits = amount >= range.min && amount <= range.max && is_multiple(amount, range.step);
    if fits { Ok(()) } else { Err(Rejection::Filter(filter)) }
}

fn percent(side: Side, price: Decimal, average: Decimal, by: &PercentBySide) -> Result<(), Rejection> {
    let (down, up) = match side {
        Side::Buy => (by.bid_down, by.bid_up),
        Side::Sell => (by.ask_down, by.ask_up),
    };
    let fits = price >= mul(average, down) && price <= mul(average, up);
    if fits { Ok(()) } else { Err(Rejection::Filter("PERCENT_PRICE_BY_SIDE")) }
}

/// A market order counts by the average price, and has no upper bound.
fn notional(new: &NewOrder, market: &Market, average: Decimal) -> Result<(), Rejection> {
    let price = if new.order_type.has_price() { new.price } else { average };
    let notional = if new.quote_quantity.is_zero() { mul(price, new.quantity) } else { new.quote_quantity };
    let above = new.order_type.has_price() && notional > market.symbol.notional_max;
    if notional < market.symbol.notional_min || above {
        return Err(Rejection::Filter("NOTIONAL"));
    }
    Ok(())
}

fn counts(new: &NewOrder, market: &Market) -> Result<(), Rejection> {
    let own = || market.open.values().filter(|order| order.account == new.account);
    if own().count() >= market.symbol.orders_max {
        return Err(Rejection::Filter("MAX_NUM_ORDERS"));
    }
    let waiting = || own().filter(|order| !order.is_working).count();
    if new.order_type.has_stop() && waiting() >= market.symbol.algo_orders_max {
        return Err(Rejection::Filter("MAX_NUM_ALGO_ORDERS"));
    }
    Ok(())
}
