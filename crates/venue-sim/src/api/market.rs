//! What everybody may know of a market.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::symbols::named;
use super::trading::symbol;
use crate::amount::{add, mul, show, sub};
use crate::engine::{Engine, Trade};
use crate::limits::{AVERAGE_MINUTES, LEVELS_DEFAULT, LEVELS_MAX, ROWS_DEFAULT, ROWS_MAX};
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

const DAY_MS: i64 = 24 * 3600 * 1000;

pub(crate) fn depth(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let limit = visitor.params.limit(LEVELS_DEFAULT, LEVELS_MAX)?;
    let depth = venue.engine(visitor.product).depth(&symbol, limit).ok_or_else(Refusal::bad_symbol)?;
    Ok(json!({
        "lastUpdateId": depth.update_id,
        "bids": levels(&depth.bids),
        "asks": levels(&depth.asks),
    }))
}

/// Prices and quantities as pairs of texts.
pub(crate) fn levels(levels: &[(Decimal, Decimal)]) -> Vec<[String; 2]> {
    levels.iter().map(|(price, quantity)| [show(*price), show(*quantity)]).collect()
}

pub(crate) fn trades(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let limit = visitor.params.limit(ROWS_DEFAULT, ROWS_MAX)?;
    let engine = venue.engine(visitor.product);
    let mut newest: Vec<Value> = engine.trades(&symbol).rev().take(limit).map(trade).collect();
    newest.reverse();
    Ok(Value::Array(newest))
}

fn trade(trade: &Trade) -> Value {
    json!({
        "id": trade.id,
        "price": show(trade.price),
        "qty": show(trade.quantity),
        "quoteQty": show(trade.quote),
        "time": trade.at_ms,
        "isBuyerMaker": trade.is_buyer_maker,
        "isBestMatch": true,
    })
}

/// As far as they are kept.
pub(crate) fn old_trades(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    Ok(from_oldest_or_newest(venue, visitor)?.into_iter().map(trade).collect())
}

/// Each trade is an aggregate of its own.
pub(crate) fn aggregate_trades(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let aggregate = |trade: &Trade| {
        json!({
            "a": trade.id,
            "p": show(trade.price),
            "q": show(trade.quantity),
            "f": trade.id,
            "l": trade.id,
            "T": trade.at_ms,
            "m": trade.is_buyer_maker,
            "M": true,
        })
    };
    Ok(from_oldest_or_newest(venue, visitor)?.into_iter().map(aggregate).collect())
}

/// The oldest that are wanted if the request says where they begin, else the newest.
fn from_oldest_or_newest<'a>(venue: &'a Venue, visitor: &Visitor<'_>) -> Result<Vec<&'a Trade>, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let limit = visitor.params.limit(ROWS_DEFAULT, ROWS_MAX)?;
    let first = visitor.params.id("fromId")?;
    let (from_ms, to_ms) = (visitor.params.time_ms("startTime")?, visitor.params.time_ms("endTime")?);
    let mut wanted: Vec<&Trade> = venue.engine(visitor.product).trades(&symbol).collect();
    wanted.retain(|trade| {
        first.is_none_or(|id| trade.id >= id)
            && from_ms.is_none_or(|from_ms| trade.at_ms >= from_ms)
            && to_ms.is_none_or(|to_ms| trade.at_ms <= to_ms)
    });
    if first.is_none() && from_ms.is_none() {
        let surplus = wanted.len().saturating_sub(limit);
        wanted.drain(..surplus);
    }
    wanted.truncate(limit);
    Ok(wanted)
}

pub(crate) fn average_price(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let now_ms = venue.now_ms();
    let price =
        venue.engine(visitor.product).average_price(&symbol, now_ms).ok_or_else(Refusal::bad_symbol)?;
    let last = venue.engine(visitor.product).trades(&symbol).next_back().map_or(now_ms, |trade| trade.at_ms);
    Ok(json!({"mins": AVERAGE_MINUTES, "price": show(price), "closeTime": last}))
}

pub(crate) fn ticker_price(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    each(venue, visitor, |engine, symbol| {
        let price = engine.last_price(symbol).unwrap_or_default();
        json!({"symbol": symbol, "price": show(price)})
    })
}

pub(crate) fn ticker_book(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    each(venue, visitor, |engine, symbol| {
        let depth = engine.depth(symbol, 1).unwrap_or_default();
        let ((bid, bid_quantity), (ask, ask_quantity)) = (depth.best_bid(), depth.best_ask());
        json!({
            "symbol": symbol,
            "bidPrice": show(bid),
            "bidQty": show(bid_quantity),
            "askPrice": show(ask),
            "askQty": show(ask_quantity),
        })
    })
}

/// Of the last day, as far as its trades are kept.
pub(crate) fn ticker_day(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    each(venue, visitor, |engine, symbol| {
        let recent: Vec<&Trade> =
            engine.trades(symbol).filter(|trade| trade.at_ms >= now_ms - DAY_MS).collect();
        let last = engine.last_price(symbol).unwrap_or_default();
        let open = recent.first().map_or(last, |trade| trade.price);
        let high = recent.iter().map(|trade| trade.price).max().unwrap_or(last);
        let low = recent.iter().map(|trade| trade.price).min().unwrap_or(last);
        let volume = recent.iter().map(|trade| trade.quantity).fold(Decimal::ZERO, add);
        let quote_volume = recent.iter().map(|trade| trade.quote).fold(Decimal::ZERO, add);
        let change = sub(last, open);
        let percent = mul(change, Decimal::ONE_HUNDRED).checked_div(open).unwrap_or_default();
        let depth = engine.depth(symbol, 1).unwrap_or_default();
        let ((bid, bid_quantity), (ask, ask_quantity)) = (depth.best_bid(), depth.best_ask());
        let id = |trade: Option<&&Trade>| trade.map_or(json!(-1), |trade| json!(trade.id));
        json!({
            "symbol": symbol,
            "priceChange": show(change),
            "priceChangePercent": percent.round_dp(3).to_string(),
            "weightedAvgPrice": show(quote_volume.checked_div(volume).unwrap_or_default()),
            "prevClosePrice": show(open),
            "lastPrice": show(last),
            "lastQty": show(recent.last().map(|trade| trade.quantity).unwrap_or_default()),
            "bidPrice": show(bid),
            "bidQty": show(bid_quantity),
            "askPrice": show(ask),
            "askQty": show(ask_quantity),
            "openPrice": show(open),
            "highPrice": show(high),
            "lowPrice": show(low),
            "volume": show(volume),
            "quoteVolume": show(quote_volume),
            "openTime": now_ms - DAY_MS,
            "closeTime": now_ms,
            "firstId": id(recent.first()),
            "lastId": id(recent.last()),
            "count": recent.len(),
        })
    })
}

/// One object for `symbol`, else a list.
pub(crate) fn each(
    venue: &Venue,
    visitor: &Visitor<'_>,
    row: impl Fn(&Engine, &str) -> Value,
) -> Result<Value, Refusal> {
    let engine = venue.engine(visitor.product);
    let names = named(venue, visitor)?;
    if visitor.params.raw("symbol").is_some() {
        return Ok(names.iter().flatten().map(|name| row(engine, name)).next().unwrap_or_default());
    }
    let all = || engine.symbols().map(|(symbol, _)| symbol.name.clone()).collect();
    Ok(names.unwrap_or_else(all).iter().map(|name| row(engine, name)).collect())
}
