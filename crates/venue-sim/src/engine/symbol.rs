//! What is traded, and between which bounds.

use rust_decimal::Decimal;

use crate::amount::PLACES;
use crate::word::words;

words! {
    /// Whether a symbol trades.
    SymbolStatus {
        Trading = "TRADING",
        Halt = "HALT",
        Break = "BREAK",
        CancelOnly = "CANCEL_ONLY",
    }
}

words! {
    /// What is traded.
    Product {
        /// Assets, for money that is there.
        Spot = "spot",
        /// Contracts without an end, on margin, in one-way mode.
        Futures = "futures",
    }
}

/// A symbol and its filters, named as in Binance's.
#[derive(Clone, Debug)]
pub struct Symbol {
    pub name: String,
    pub base: String,
    pub quote: String,
    /// The price before the first trade.
    pub opening_price: Decimal,
    /// PRICE_FILTER.
    pub price: Range,
    /// LOT_SIZE.
    pub lot: Range,
    /// MARKET_LOT_SIZE.
    pub market_lot: Range,
    /// NOTIONAL, applied to market orders too.
    pub notional_min: Decimal,
    /// NOTIONAL, not applied to market orders.
    pub notional_max: Decimal,
    /// PERCENT_PRICE_BY_SIDE; of futures PERCENT_PRICE.
    pub percent: PercentBySide,
    /// MAX_NUM_ORDERS: open orders of an account.
    pub orders_max: usize,
    /// MAX_NUM_ALGO_ORDERS: stops of an account that wait.
    pub algo_orders_max: usize,
}

/// Bounds, both included, and the step between them.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub min: Decimal,
    pub max: Decimal,
    pub step: Decimal,
}

/// How far from the average price an order may be, as factors of it.
#[derive(Clone, Copy, Debug)]
pub struct PercentBySide {
    pub bid_up: Decimal,
    pub bid_down: Decimal,
    pub ask_up: Decimal,
    pub ask_down: Decimal,
}

impl Symbol {
    /// BTCUSDT, with the filters that it has at Binance.
    pub fn btcusdt() -> Symbol {
        Symbol::spot("BTC", "USDT", 60_000, (1, 2), (1, 5), 9_000)
    }

    /// ETHUSDT, with the filters that it has at Binance.
    pub fn ethusdt() -> Symbol {
        Symbol::spot("ETH", "USDT", 3_000, (1, 2), (1, 4), 90_000)
    }

    /// The perpetual contracts on both, with filters as at Binance.
    pub fn futures() -> Vec<Symbol> {
        vec![
            Symbol::perpetual("BTC", 60_000, (1, 1), (1, 3), 1_000),
            Symbol::perpetual("ETH", 3_000, (1, 2), (1, 3), 10_000),
        ]
    }

    fn perpetual(base: &str, opening: i64, tick: (i64, u32), step: (i64, u32), lot_max: i64) -> Symbol {
        let (up, down) = (Decimal::new(105, 2), Decimal::new(95, 2));
        let spot = Symbol::spot(base, "USDT", opening, tick, step, lot_max);
        Symbol {
            market_lot: Range { max: Decimal::from(lot_max / 8), ..spot.lot },
            notional_max: spot.price.max * spot.lot.max,
            percent: PercentBySide { bid_up: up, bid_down: down, ask_up: up, ask_down: down },
            algo_orders_max: 10,
            ..spot
        }
    }

    /// `tick` and `step` are digits and places.
    fn spot(
        base: &str,
        quote: &str,
        opening: i64,
        tick: (i64, u32),
        step: (i64, u32),
        lot_max: i64,
    ) -> Symbol {
        let tick = Decimal::new(tick.0, tick.1);
        let step = Decimal::new(step.0, step.1);
        assert!(
            tick.scale() + step.scale() <= PLACES,
            "a product of price and quantity is exact on the wire"
        );
        Symbol {
            name: format!("{base}{quote}"),
            base: base.into(),
            quote: quote.into(),
            opening_price: Decimal::from(opening),
            price: Range { min: tick, max: Decimal::from(1_000_000), step: tick },
            lot: Range { min: step, max: Decimal::from(lot_max), step },
            market_lot: Range { min: Decimal::ZERO, max: Decimal::from(lot_max / 50), step: Decimal::ZERO },
            notional_min: Decimal::from(5),
            notional_max: Decimal::from(9_000_000),
            percent: PercentBySide {
                bid_up: Decimal::from(5),
                bid_down: Decimal::new(2, 1),
                ask_up: Decimal::from(5),
                ask_down: Decimal::new(2, 1),
            },
            orders_max: 200,
            algo_orders_max: 5,
        }
    }
}
