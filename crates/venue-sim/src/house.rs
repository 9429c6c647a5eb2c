//! The house: quotes on both sides of a price that wanders as the seed decides, so that others have somebody to trade
//! with.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::amount::{add, lots, mul, sub};
use crate::chance::Chance;
use crate::engine::{
    Command, HOUSE, NewOrder, OrderType, SelfTradePrevention, Side, Symbol, Terms, TimeInForce,
};

/// How the house quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoting {
    /// Between two changes of its quotes.
    pub interval_ms: i64,
    /// Orders on each side.
    pub levels: u32,
    /// Between the price and the first quote on each side, in parts of 10 000 of the price.
    pub half_spread: u32,
    /// Between two quotes on a side, in the same measure.
    pub gap: u32,
    /// How far the price moves at most from one change to the next, in the same measure. With 0 it stands still.
    pub step: u32,
    /// What an order is worth at most, in the quote asset.
    pub value_max: u32,
}

impl Default for Quoting {
    fn default() -> Quoting {
        Quoting { interval_ms: 1000, levels: 10, half_spread: 1, gap: 1, step: 2, value_max: 50_000 }
    }
}

/// The prices that the house has in mind, and when it quotes next.
#[derive(Clone, Debug)]
pub(crate) struct House {
    quoting: Quoting,
    chance: Chance,
    prices: BTreeMap<String, Decimal>,
    next_ms: i64,
    /// Numbers its orders.
    orders: u64,
}

impl House {
    pub(crate) fn new(quoting: Quoting, chance: Chance) -> House {
        House { quoting, chance, prices: BTreeMap::new(), next_ms: i64::MIN, orders: 0 }
    }

    /// Whether it changes its quotes now. If it was not asked for long, it does so once.
    pub(crate) fn is_due(&mut self, at_ms: i64) -> bool {
        let is_due = at_ms >= self.next_ms;
        if is_due {
            let interval_ms = self.quoting.interval_ms.max(1);
            self.next_ms = (at_ms.div_euclid(interval_ms) + 1) * interval_ms;
        }
        is_due
    }

    /// Everything that it does to change its quotes on a symbol.
    pub(crate) fn quotes(&mut self, symbol: &Symbol) -> Vec<Command> {
        let price = self.wander(symbol);
        let mut commands = vec![withdrawal(symbol)];
        for level in 0..self.quoting.levels {
            let away = self.quoting.half_spread + level * self.quoting.gap;
            for side in [Side::Buy, Side::Sell] {
                let price = beside(price, side, away, symbol.price.step);
                commands.extend(self.order(symbol, side, price).map(Command::Place));
            }
        }
        commands.extend(self.trade(symbol, price).map(Command::Place));
        commands
    }

    /// It takes a little of its own quotes, so that the last price goes along with them.
    fn trade(&mut self, symbol: &Symbol, price: Decimal) -> Option<NewOrder> {
        let side = if self.chance.below(2) == 0 { Side::Buy } else { Side::Sell };
        let little = lots(add(symbol.notional_min, symbol.notional_min), price, symbol.lot.step);
        let little = little.max(symbol.lot.min);
        let order = self.new_order(symbol, side, price, little)?;
        Some(NewOrder { order_type: OrderType::Market, price: Decimal::ZERO, ..order })
    }

    /// A step of the price, within half and twice of where it began.
    fn wander(&mut self, symbol: &Symbol) -> Decimal {
        let opening = symbol.opening_price;
        let price = *self.prices.get(&symbol.name).unwrap_or(&opening);
        let step = i64::from(self.quoting.step);
        let drawn = self.chance.below(step.unsigned_abs() * 2 + 1);
        let parts = i64::try_from(drawn).expect("a few parts") - step;
        let moved = add(price, part(price, parts));
        let moved = moved.clamp(mul(opening, Decimal::new(5, 1)), mul(opening, Decimal::TWO));
        let moved = lots(moved, Decimal::ONE, symbol.price.step);
        self.prices.insert(symbol.name.clone(), moved);
        moved
    }

    fn order(&mut self, symbol: &Symbol, side: Side, price: Decimal) -> Option<NewOrder> {
        let most = lots(Decimal::from(self.quoting.value_max), price, symbol.lot.step);
        let percent = Decimal::from(20 + self.chance.below(81));
        let quantity = lots(mul(most, percent), Decimal::ONE_HUNDRED, symbol.lot.step);
        self.new_order(symbol, side, price, quantity.min(symbol.lot.max))
    }

    /// Nothing if it is too small for the filters.
    fn new_order(
        &mut self,
        symbol: &Symbol,
        side: Side,
        price: Decimal,
        quantity: Decimal,
    ) -> Option<NewOrder> {
        if quantity < symbol.lot.min || mul(price, quantity) < symbol.notional_min {
            return None;
        }
        self.orders += 1;
        Some(NewOrder {
            account: HOUSE.into(),
            symbol: symbol.name.clone(),
            client_order_id: format!("house-{}", self.orders),
            side,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price,
            quantity,
            quote_quantity: Decimal::ZERO,
            stop_price: Decimal::ZERO,
            self_trade_prevention: SelfTradePrevention::None,
            strategy_id: None,
            strategy_type: None,
            terms: Terms::default(),
        })
    }
}

/// The house takes its quotes back.
pub(crate) fn withdrawal(symbol: &Symbol) -> Command {
    Command::CancelAll { account: HOUSE.into(), symbol: symbol.name.clone(), cancel_id: "requote".into() }
}

/// So many parts of 10 000 below the price for a bid, above it for an ask, on the grid of prices.
fn beside(price: Decimal, side: Side, parts: u32, tick: Decimal) -> Decimal {
    let away = part(price, i64::from(parts));
    match side {
        Side::Buy => lots(sub(price, away), Decimal::ONE, tick),
        Side::Sell => add(lots(add(price, away), Decimal::ONE, tick), tick),
    }
}

fn part(amount: Decimal, parts: i64) -> Decimal {
    mul(amount, Decimal::new(parts, 4))
}
