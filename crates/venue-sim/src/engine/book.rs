//! The two sides of a market, by price and then by time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rust_decimal::Decimal;

use super::order::{Order, Side};

/// Which orders rest at which price. The orders themselves are with the market.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    bids: BTreeMap<Decimal, VecDeque<u64>>,
    asks: BTreeMap<Decimal, VecDeque<u64>>,
    /// Levels that changed since they were last asked for.
    changed: BTreeSet<(Side, Decimal)>,
    /// Rises by one with every change.
    update_id: u64,
}

impl Book {
    pub(crate) fn insert(&mut self, order: &Order) {
        self.side_mut(order.side).entry(order.price).or_default().push_back(order.id);
        self.touch(order);
    }

    pub(crate) fn remove(&mut self, order: &Order) {
        let side = self.side_mut(order.side);
        let Some(level) = side.get_mut(&order.price) else { return };
        let before = level.len();
        level.retain(|id| *id != order.id);
        let was_there = level.len() < before;
        if level.is_empty() {
            side.remove(&order.price);
        }
        if was_there {
            self.touch(order);
        }
    }

    /// The quantity at the order's price is another than before.
    pub(crate) fn touch(&mut self, order: &Order) {
        self.changed.insert((order.side, order.price));
        self.update_id += 1;
    }

    /// Levels from the best price on.
    pub(crate) fn levels(&self, side: Side) -> Box<dyn Iterator<Item = (Decimal, &VecDeque<u64>)> + '_> {
        match side {
            Side::Buy => Box::new(self.bids.iter().rev().map(|(price, ids)| (*price, ids))),
            Side::Sell => Box::new(self.asks.iter().map(|(price, ids)| (*price, ids))),
        }
    }

    pub(crate) fn best(&self, side: Side) -> Option<Decimal> {
        self.levels(side).next().map(|(price, _)| price)
    }

    pub(crate) fn update_id(&self) -> u64 {
        self.update_id
    }

    /// The levels that changed since this was last asked, and forgets that they did.
    pub(crate) fn take_changed(&mut self) -> BTreeSet<(Side, Decimal)> {
        std::mem::take(&mut self.changed)
    }

    pub(crate) fn ids_at(&self, side: Side, price: Decimal) -> impl Iterator<Item = u64> + '_ {
        let side = match side {
            Side::Buy => &self.bids,
            Side::Sell => &self.asks,
        };
        side.get(&price).into_iter().flatten().copied()
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<Decimal, VecDeque<u64>> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }
}
