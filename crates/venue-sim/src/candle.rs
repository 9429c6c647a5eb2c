//! Candles: what was traded in each minute, and intervals made of them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::amount::add;
use crate::engine::Trade;
use crate::limits::CANDLES_KEPT;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 1970 began on a Thursday; weeks begin on Monday.
const FIRST_MONDAY_MS: i64 = 4 * DAY_MS;

/// One interval of a symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Candle {
    pub(crate) open: Decimal,
    pub(crate) high: Decimal,
    pub(crate) low: Decimal,
    pub(crate) close: Decimal,
    pub(crate) volume: Decimal,
    pub(crate) quote_volume: Decimal,
    /// Of the volume, what takers bought.
    pub(crate) taker_volume: Decimal,
    pub(crate) taker_quote_volume: Decimal,
    pub(crate) trades: u64,
}

/// A length of candles, and where the first one begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) length_ms: i64,
    offset_ms: i64,
}

impl Interval {
    /// The intervals of Binance but those of a second and of a month.
    pub(crate) fn parse(word: &str) -> Option<Interval> {
        let length_ms = match word {
            "1m" => MINUTE_MS,
            "3m" => 3 * MINUTE_MS,
            "5m" => 5 * MINUTE_MS,
            "15m" => 15 * MINUTE_MS,
            "30m" => 30 * MINUTE_MS,
            "1h" => HOUR_MS,
            "2h" => 2 * HOUR_MS,
            "4h" => 4 * HOUR_MS,
            "6h" => 6 * HOUR_MS,
            "8h" => 8 * HOUR_MS,
            "12h" => 12 * HOUR_MS,
            "1d" => DAY_MS,
            "3d" => 3 * DAY_MS,
            "1w" => 7 * DAY_MS,
            _ => return None,
        };
        Some(Interval { length_ms, offset_ms: if word == "1w" { FIRST_MONDAY_MS } else { 0 } })
    }

    /// Where the candle begins that an instant is in.
    pub(crate) fn begin(self, at_ms: i64) -> i64 {
        at_ms - (at_ms - self.offset_ms).rem_euclid(self.length_ms)
    }
}

/// The minutes of each symbol in which something was traded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Candles(BTreeMap<String, BTreeMap<i64, Candle>>);

impl Candles {
    pub(crate) fn learn(&mut self, trade: &Trade) {
        let minutes = self.0.entry(trade.symbol.clone()).or_default();
        let of_trade = Candle::of(trade);
        let minute = trade.at_ms - trade.at_ms.rem_euclid(MINUTE_MS);
        minutes.entry(minute).and_modify(|candle| candle.extend(&of_trade)).or_insert(of_trade);
        if minutes.len() > CANDLES_KEPT {
            minutes.pop_first();
        }
    }

    /// The candle that begins at an instant; one in which nothing was traded stands at the last price before it.
    pub(crate) fn at(&self, symbol: &str, begin_ms: i64, interval: Interval, opening: Decimal) -> Candle {
        let Some(minutes) = self.0.get(symbol) else { return Candle::flat(opening) };
        let mut within = minutes.range(begin_ms..begin_ms + interval.length_ms).map(|(_, candle)| candle);
        let Some(first) = within.next() else {
            let before = minutes.range(..begin_ms).next_back();
            return Candle::flat(before.map_or(opening, |(_, candle)| candle.close));
        };
        let mut candle = *first;
        within.for_each(|next| candle.extend(next));
        candle
    }
}

impl Candle {
    fn flat(price: Decimal) -> Candle {
        Candle { open: price, high: price, low: price, close: price, ..Candle::default() }
    }

    fn of(trade: &Trade) -> Candle {
        let taken = |amount| if trade.is_buyer_maker { Decimal::ZERO } else { amount };
        Candle {
            volume: trade.quantity,
            quote_volume: trade.quote,
            taker_volume: taken(trade.quantity),
            taker_quote_volume: taken(trade.quote),
            trades: 1,
            ..Candle::flat(trade.price)
        }
    }

    /// Takes in what came right after.
    fn extend(&mut self, next: &Candle) {
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume = add(self.volume, next.volume);
        self.quote_volume = add(self.quote_volume, next.quote_volume);
        self.taker_volume = add(self.taker_volume, next.taker_volume);
        self.taker_quote_volume = add(self.taker_quote_volume, next.taker_quote_volume);
        self.trades += next.trades;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(at_ms: i64, price: i64, is_buyer_maker: bool) -> Trade {
        let (price, quantity) = (Decimal::from(price), Decimal::TWO);
        let quote = price * quantity;
        Trade { id: 1, symbol: "S".into(), price, quantity, quote, at_ms, is_buyer_maker }
    }

    #[test]
    fn minutes_make_longer_candles_and_gaps_are_flat() {
        let mut candles = Candles::default();
        for (at_ms, price, is_buyer_maker) in
            [(1_000, 10, false), (2_000, 14, true), (61_000, 8, false), (200_000, 9, false)]
        {
            candles.learn(&trade(at_ms, price, is_buyer_maker));
        }
        let at = |begin_ms, word| {
            let interval = Interval::parse(word).unwrap();
            let candle = candles.at("S", begin_ms, interval, Decimal::ONE);
            let prices = [candle.open, candle.high, candle.low, candle.close];
            (prices.map(|price| price.to_string()).join(" "), candle.trades, candle.taker_volume.to_string())
        };
        assert_eq!(at(0, "1m"), ("10 14 10 14".into(), 2, "2".into()));
        assert_eq!(at(60_000, "1m"), ("8 8 8 8".into(), 1, "2".into()));
        assert_eq!(at(120_000, "1m"), ("8 8 8 8".into(), 0, "0".into()));
        assert_eq!(at(0, "5m"), ("10 14 8 9".into(), 4, "6".into()));
        assert_eq!(at(-60_000, "1m"), ("1 1 1 1".into(), 0, "0".into()));
    }

    #[test]
    fn weeks_begin_on_monday() {
        // 2023-11-14 was a Tuesday.
        let week = Interval::parse("1w").unwrap();
        assert_eq!(week.begin(1_700_000_000_000), 1_699_833_600_000);
        assert_eq!(Interval::parse("1s"), None);
    }
}
