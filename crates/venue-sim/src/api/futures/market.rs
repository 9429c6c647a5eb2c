//! What everybody may know of a market: what spot says, with what futures say otherwise.

use serde_json::{Value, json};

use super::super::market;
use crate::amount::show;
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

pub(super) fn depth(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    Ok(otherwise(market::depth(venue, visitor)?, &[], &json!({"E": now_ms, "T": now_ms})))
}

pub(super) fn trades(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    Ok(as_trades(market::trades(venue, visitor)?))
}

pub(super) fn old_trades(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    Ok(as_trades(market::old_trades(venue, visitor)?))
}

/// Nobody here trades by retail price improvement.
fn as_trades(trades: Value) -> Value {
    otherwise(trades, &["isBestMatch"], &json!({"isRPITrade": false}))
}

pub(super) fn aggregate_trades(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let mut trades = market::aggregate_trades(venue, visitor)?;
    for trade in trades.as_array_mut().into_iter().flatten() {
        // The quantity without that of retail price improvement.
        trade["nq"] = trade["q"].clone();
    }
    Ok(otherwise(trades, &["M"], &json!({})))
}

pub(super) fn ticker_price(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    Ok(otherwise(market::ticker_price(venue, visitor)?, &[], &json!({"time": now_ms})))
}

pub(super) fn ticker_book(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    Ok(otherwise(market::ticker_book(venue, visitor)?, &[], &json!({"time": now_ms})))
}

pub(super) fn ticker_day(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let of_spot = ["prevClosePrice", "bidPrice", "bidQty", "askPrice", "askQty"];
    Ok(otherwise(market::ticker_day(venue, visitor)?, &of_spot, &json!({})))
}

/// The mark price and the index are the last price; there is no funding.
pub(super) fn mark_price(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let now_ms = venue.now_ms();
    market::each(venue, visitor, |engine, symbol| {
        let price = show(engine.last_price(symbol).unwrap_or_default());
        json!({
            "symbol": symbol,
            "markPrice": price,
            "indexPrice": price,
            "estimatedSettlePrice": price,
            "lastFundingRate": "0.00000000",
            "interestRate": "0.00000000",
            "nextFundingTime": 0,
            "time": now_ms,
        })
    })
}

/// The object, or each of the list, without some fields and with others.
fn otherwise(mut value: Value, without: &[&str], with: &Value) -> Value {
    let change = |row: &mut Value| {
        let (Some(row), Some(with)) = (row.as_object_mut(), with.as_object()) else { return };
        row.retain(|name, _| !without.contains(&name.as_str()));
        row.extend(with.clone());
    };
    match &mut value {
        Value::Array(rows) => rows.iter_mut().for_each(change),
        row => change(row),
    }
    value
}
