//! What an account holds of a contract, and the margin that it needs for it.

use rust_decimal::{Decimal, RoundingStrategy};

use super::account::HOUSE;
use super::market::Market;
use super::order::{Order, Side};
use crate::amount::{PLACES, add, div, mul, sub};

/// Leverage of a position where none was set, and the most that may be.
pub const LEVERAGE_DEFAULT: u32 = 20;
/// See [`LEVERAGE_DEFAULT`].
pub const LEVERAGE_MAX: u32 = 125;

/// Parts of 10 000 of a position that must be there for it to be kept: shown, and never acted upon.
const MAINTENANCE: i64 = 40;

/// A position in one-way mode: long or short, never both.
///
/// Invariant: over all accounts, the quantities of a contract come to nothing, and what was paid for them is with
/// those who were paid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// Above zero long, below zero short.
    pub quantity: Decimal,
    /// What it was opened for, with the sign of the quantity.
    pub cost: Decimal,
    /// What all that was closed has brought so far, before commissions.
    pub realized: Decimal,
    pub leverage: u32,
    pub updated_ms: i64,
}

impl Default for Position {
    fn default() -> Position {
        let nothing = Decimal::ZERO;
        Position {
            quantity: nothing,
            cost: nothing,
            realized: nothing,
            leverage: LEVERAGE_DEFAULT,
            updated_ms: 0,
        }
    }
}

impl Position {
    /// The average price at which it was opened; zero without one.
    pub fn entry_price(&self) -> Decimal {
        if self.quantity.is_zero() { Decimal::ZERO } else { div(self.cost, self.quantity) }
    }

    /// What closing it at a price would bring.
    pub fn unrealized(&self, price: Decimal) -> Decimal {
        sub(mul(self.quantity, price), self.cost)
    }

    /// How much of it an order on this side would close at most.
    pub fn closed_by(&self, side: Side) -> Decimal {
        match side {
            Side::Sell => self.quantity.max(Decimal::ZERO),
            Side::Buy => (-self.quantity).max(Decimal::ZERO),
        }
    }

    /// Closes what the trade closes, opens what is left of it, and says what the closing brought.
    pub(crate) fn trade(&mut self, side: Side, price: Decimal, quantity: Decimal) -> Decimal {
        let closed = self.closed_by(side).min(quantity);
        let opened = sub(quantity, closed);
        let sign = if side == Side::Buy { Decimal::ONE } else { Decimal::NEGATIVE_ONE };
        let released = self.release(closed);
        // A closing sale brings its price; a closing purchase, below zero, costs it.
        let realized = sub(mul(-sign, mul(price, closed)), released);
        self.quantity = add(self.quantity, mul(sign, quantity));
        self.cost = add(self.cost, mul(sign, mul(price, opened)));
        self.realized = add(self.realized, realized);
        realized
    }

    /// Takes out what was paid for a part of it.
    fn release(&mut self, closed: Decimal) -> Decimal {
        let released = if closed == self.quantity.abs() {
            self.cost
        } else {
            let part = div(mul(self.cost, closed), self.quantity.abs());
            part.round_dp_with_strategy(PLACES, RoundingStrategy::ToZero)
        };
        self.cost = sub(self.cost, released);
        released
    }
}

/// What an account must have for its positions and open orders.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Margin {
    /// What closing everything now would bring.
    pub unrealized: Decimal,
    pub of_positions: Decimal,
    /// What open orders may need beyond it.
    pub of_orders: Decimal,
    pub maintenance: Decimal,
}

impl Margin {
    pub fn initial(&self) -> Decimal {
        add(self.of_positions, self.of_orders)
    }

    pub fn and(&self, other: &Margin) -> Margin {
        Margin {
            unrealized: add(self.unrealized, other.unrealized),
            of_positions: add(self.of_positions, other.of_positions),
            of_orders: add(self.of_orders, other.of_orders),
            maintenance: add(self.maintenance, other.maintenance),
        }
    }

    /// Of a position at a price, and of orders that buy and sell for so much. The orders of one side count, those with
    /// which the position would be worth more; an order that closes needs nothing.
    pub fn of(position: &Position, price: Decimal, bids: Decimal, asks: Decimal) -> Margin {
        let worth = mul(position.quantity, price);
        let most = add(worth, bids).abs().max(sub(worth, asks).abs()).max(worth.abs());
        let leverage = Decimal::from(position.leverage);
        let part =
            |amount: Decimal| div(amount, leverage).round_dp_with_strategy(PLACES, RoundingStrategy::ToZero);
        Margin {
            unrealized: position.unrealized(price),
            of_positions: part(worth.abs()),
            of_orders: sub(part(most), part(worth.abs())),
            maintenance: mul(worth.abs(), Decimal::new(MAINTENANCE, 4)),
        }
    }
}

impl Margin {
    /// What open orders of an account on one symbol are worth, those that buy and those that sell. Who waits for its stop
    /// does not count, nor who only reduces.
    pub fn worth_of<'a>(orders: impl Iterator<Item = &'a Order>) -> (Decimal, Decimal) {
        let counted = orders.filter(|order| order.is_working && !order.terms.reduce_only);
        counted.fold((Decimal::ZERO, Decimal::ZERO), |(bids, asks), order| {
            let worth = mul(order.price, order.remaining());
            match order.side {
                Side::Buy => (add(bids, worth), asks),
                Side::Sell => (bids, add(asks, worth)),
            }
        })
    }
}

impl Market {
    pub(crate) fn position(&self, account: &str) -> Position {
        self.positions.get(account).copied().unwrap_or_default()
    }

    /// To change it; it is told of afterwards.
    pub(crate) fn position_mut(&mut self, account: &str) -> &mut Position {
        self.moved.insert(account.to_owned());
        self.positions.entry(account.to_owned()).or_default()
    }

    /// What the account needs here, with an order more that would buy or sell for so much. The mark price is the last.
    pub(crate) fn margin(&self, account: &str, more: Option<(Side, Decimal)>) -> Margin {
        let own = self.open.values().filter(|order| order.account == account);
        let (mut bids, mut asks) = Margin::worth_of(own);
        match more {
            Some((Side::Buy, worth)) => bids = add(bids, worth),
            Some((Side::Sell, worth)) => asks = add(asks, worth),
            None => {}
        }
        Margin::of(&self.position(account), self.last_price, bids, asks)
    }

    /// What orders that only reduce may still close on this side, beside those of them that are in the book.
    pub(crate) fn reducible(&self, account: &str, side: Side) -> Decimal {
        let taken = self.reducing(account, side).map(Order::remaining).fold(Decimal::ZERO, add);
        sub(self.position(account).closed_by(side), taken).max(Decimal::ZERO)
    }

    /// Orders in the book that only reduce, from the oldest on.
    fn reducing(&self, account: &str, side: Side) -> impl Iterator<Item = &Order> {
        self.open.values().filter(move |order| {
            order.account == account && order.side == side && order.is_working && order.terms.reduce_only
        })
    }

    /// Orders that only reduce, and reach beyond what there is to reduce: the newest that do.
    pub(crate) fn beyond_position(&self) -> Vec<u64> {
        let mut beyond = Vec::new();
        for account in self.positions.keys().filter(|account| *account != HOUSE) {
            for side in [Side::Buy, Side::Sell] {
                let mut left = self.position(account).closed_by(side);
                for order in self.reducing(account, side) {
                    if order.remaining() > left {
                        beyond.push(order.id);
                    } else {
                        left = sub(left, order.remaining());
                    }
                }
            }
        }
        beyond
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    /// Side, price, quantity; then what it brought, and the position and its entry price after it.
    #[test]
    fn positions_open_grow_shrink_flip_and_close() {
        let mut position = Position::default();
        for (side, price, quantity, realized, held, entry) in [
            (Side::Buy, "100", "1", "0", "1", "100"),
            (Side::Buy, "110", "1", "0", "2", "105"),
            (Side::Sell, "120", "0.5", "7.5", "1.5", "105"),
            (Side::Sell, "90", "2.5", "-22.5", "-1", "90"),
            (Side::Sell, "96", "2", "0", "-3", "94"),
            (Side::Buy, "91", "1", "3", "-2", "94"),
            (Side::Buy, "95", "2", "-2", "0", "0"),
        ] {
            assert_eq!(position.trade(side, amount(price), amount(quantity)), amount(realized));
            assert_eq!((position.quantity, position.entry_price()), (amount(held), amount(entry)));
        }
        assert_eq!((position.cost, position.realized), (Decimal::ZERO, amount("-14")));
    }

    #[test]
    fn a_part_that_does_not_come_out_even_is_not_lost() {
        let mut position = Position::default();
        position.trade(Side::Buy, amount("100.1"), amount("0.003"));
        let paid = position.cost;
        let mut brought = Decimal::ZERO;
        for _ in 0..3 {
            brought += position.trade(Side::Sell, amount("90.7"), amount("0.001"));
        }
        assert_eq!(brought, amount("90.7") * amount("0.003") - paid);
    }

    #[test]
    fn the_side_that_needs_more_counts() {
        let mut position = Position { leverage: 10, ..Position::default() };
        let margin = |position: &Position, bids: i64, asks: i64| {
            let margin = Margin::of(position, 100.into(), bids.into(), asks.into());
            (margin.of_positions, margin.of_orders)
        };
        assert_eq!(margin(&position, 200, 300), (0.into(), 30.into()));
        position.trade(Side::Buy, 100.into(), 2.into());
        assert_eq!(margin(&position, 0, 200), (20.into(), 0.into()));
        assert_eq!(margin(&position, 100, 300), (20.into(), 10.into()));
        assert_eq!(margin(&position, 0, 500), (20.into(), 10.into()));
    }
}
