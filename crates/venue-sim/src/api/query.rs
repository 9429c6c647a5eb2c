//! Queries of orders and trades: answered by memory and database, which know later than the engine.

use serde_json::Value;

use super::trading::{symbol, which};
use crate::engine::{Fill, Order, Which};
use crate::limits::{LISTED_MS_MAX, ROWS_DEFAULT, ROWS_MAX};
use crate::params::Params;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};
use crate::view::View;

/// From memory, or else from the database.
pub(crate) fn order(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    shown: fn(&Order) -> Value,
) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let which = which(visitor.params, "orderId", "origClientOrderId")?;
    let account = visitor.account();
    if let Some(order) = find(venue.memory(visitor.product), account, &symbol, &which) {
        return Ok(shown(order));
    }
    let order = find(venue.database(visitor.product), account, &symbol, &which);
    order.map(shown).ok_or_else(Refusal::no_such_order)
}

/// The order of an account that is meant.
pub(crate) fn find<'a>(view: &'a View, account: &str, symbol: &str, which: &Which) -> Option<&'a Order> {
    let order = match (which.order_id, &which.client_order_id) {
        (Some(id), _) => view.order(symbol, id),
        (None, Some(client_order_id)) => view.find(account, symbol, client_order_id),
        (None, None) => None,
    };
    order.filter(|order| {
        let named = which.client_order_id.as_ref().is_none_or(|id| *id == order.client_order_id);
        order.account == account && named
    })
}

pub(crate) fn open_orders(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    shown: fn(&Order) -> Value,
) -> Result<Value, Refusal> {
    let wanted = match visitor.params.raw("symbol") {
        Some(_) => Some(symbol(venue, visitor)?),
        None => None,
    };
    let open = venue.memory(visitor.product).open_orders().filter(|order| {
        let named = wanted.as_ref().is_none_or(|symbol| *symbol == order.symbol);
        named && order.account == visitor.account()
    });
    Ok(open.map(shown).collect())
}

pub(crate) fn all_orders(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    shown: fn(&Order) -> Value,
) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let span = Span::of(visitor.params, "orderId")?;
    let first = visitor.params.id("orderId")?;
    let orders = venue.database(visitor.product).orders_from(&symbol, first.unwrap_or(0));
    let own = orders.filter(|order| {
        order.account == visitor.account() && (first.is_some() || span.holds(order.created_ms))
    });
    Ok(span.rows(own).iter().map(|order: &&Order| shown(order)).collect())
}

pub(crate) fn my_trades(
    venue: &mut Venue,
    visitor: &Visitor<'_>,
    shown: fn(&Fill) -> Value,
) -> Result<Value, Refusal> {
    let params = visitor.params;
    let symbol = symbol(venue, visitor)?;
    let span = Span::of(params, "fromId")?;
    let (first, order_id) = (params.id("fromId")?, params.id("orderId")?);
    let is_bounded = span.from_ms.is_some() || span.to_ms.is_some();
    if is_bounded && (first.is_some() || order_id.is_some()) {
        return Err(Refusal::bad_combination());
    }
    let fills = venue.database(visitor.product).fills_from(&symbol, first.unwrap_or(0));
    let own = fills.filter(|fill| {
        let of_order = order_id.is_none_or(|id| id == fill.order_id);
        fill.account == visitor.account() && of_order && span.holds(fill.at_ms)
    });
    Ok(span.rows(own).iter().map(|fill: &&Fill| shown(fill)).collect())
}

/// Which rows of a listing are wanted.
struct Span {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    limit: usize,
    /// From the oldest on; else the newest.
    from_oldest: bool,
}

impl Span {
    fn of(params: &Params, first: &str) -> Result<Span, Refusal> {
        let (from_ms, to_ms) = (params.time_ms("startTime")?, params.time_ms("endTime")?);
        if let (Some(from_ms), Some(to_ms)) = (from_ms, to_ms)
            && to_ms - from_ms > LISTED_MS_MAX
        {
            return Err(Refusal::interval_too_long());
        }
        let from_oldest = from_ms.is_some() || params.raw(first).is_some();
        Ok(Span { from_ms, to_ms, limit: params.limit(ROWS_DEFAULT, ROWS_MAX)?, from_oldest })
    }

    fn holds(&self, at_ms: i64) -> bool {
        self.from_ms.is_none_or(|from_ms| at_ms >= from_ms) && self.to_ms.is_none_or(|to_ms| at_ms <= to_ms)
    }

    /// At most the limit, from the oldest to the newest.
    fn rows<T>(&self, rows: impl DoubleEndedIterator<Item = T>) -> Vec<T> {
        if self.from_oldest {
            return rows.take(self.limit).collect();
        }
        let mut newest: Vec<T> = rows.rev().take(self.limit).collect();
        newest.reverse();
        newest
    }
}
