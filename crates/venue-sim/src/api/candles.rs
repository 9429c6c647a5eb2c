//! `klines`: candles from the beginning of the exchange on.

use serde_json::{Value, json};

use super::trading::symbol;
use crate::amount::show;
use crate::candle::{Candle, Interval};
use crate::limits::{ROWS_DEFAULT, ROWS_MAX};
use crate::refusal::Refusal;
use crate::venue::{Venue, Visitor};

pub(crate) fn candles(venue: &mut Venue, visitor: &Visitor<'_>) -> Result<Value, Refusal> {
    let symbol = symbol(venue, visitor)?;
    let interval = Interval::parse(visitor.params.need("interval")?).ok_or_else(Refusal::bad_interval)?;
    let limit = visitor.params.limit(ROWS_DEFAULT, ROWS_MAX)?;
    let begun_ms = interval.begin(venue.begun_ms());
    let last_ms =
        visitor.params.time_ms("endTime")?.map_or(venue.now_ms(), |to_ms| to_ms.min(venue.now_ms()));
    let last_ms = interval.begin(last_ms);
    let span_ms = interval.length_ms * (i64::try_from(limit).unwrap_or(i64::MAX) - 1);
    // With a beginning from the oldest on, else the newest.
    let (first_ms, last_ms) = match visitor.params.time_ms("startTime")? {
        Some(from_ms) => {
            let first_ms = interval.begin(from_ms.max(begun_ms) + interval.length_ms - 1).max(begun_ms);
            (first_ms, last_ms.min(first_ms + span_ms))
        }
        None => ((last_ms - span_ms).max(begun_ms), last_ms),
    };
    let opening =
        venue.engine(visitor.product).symbol(&symbol).map(|symbol| symbol.opening_price).unwrap_or_default();
    let begins =
        (0..).map(|place| first_ms + place * interval.length_ms).take_while(|at_ms| *at_ms <= last_ms);
    Ok(begins
        .map(|begin_ms| {
            row(begin_ms, interval, &venue.candles(visitor.product).at(&symbol, begin_ms, interval, opening))
        })
        .collect())
}

fn row(begin_ms: i64, interval: Interval, candle: &Candle) -> Value {
    json!([
        begin_ms,
        show(candle.open),
        show(candle.high),
        show(candle.low),
        show(candle.close),
        show(candle.volume),
        begin_ms + interval.length_ms - 1,
        show(candle.quote_volume),
        candle.trades,
        show(candle.taker_volume),
        show(candle.taker_quote_volume),
        "0",
    ])
}
