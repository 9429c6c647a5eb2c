//! The orders that are in memory, and the ways in which one is found.
//!
//! Invariants of [`Orders`]:
//! * Each row stands under its id, and every way to it is there as long as the row is, and no longer.
//! * A key stands for one order or for one tombstone, never for both.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::changes::Touched;
use crate::digest::{Feed, Sum};
use crate::orders::id::OrderId;
use crate::orders::order::Order;
use crate::orders::status::{self, Status};
use crate::orders::tombstone::{StrategyKey, Tombstone, Tombstones};
use crate::{AccountId, LogTime, Serial, Symbol, VenueOrderId};

/// Shared with whoever looks at all of them aside.
pub type Row = Arc<Order>;

/// How an order stands, whatever the term and the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// In which way it has ended; `None` while it has not.
    pub end: Option<Status>,
    /// Nothing more is awaited of it.
    pub is_settled: bool,
}

impl Standing {
    pub fn of(order: &Order) -> Self {
        Self { end: status::end(order, &order.evidence()), is_settled: order.settled_at.is_some() }
    }
}

/// What a venue calls an order.
pub type VenueName = (AccountId, Symbol, VenueOrderId);

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    rows: BTreeMap<OrderId, Row>,
    by_key: BTreeMap<StrategyKey, OrderId>,
    by_venue_order_id: BTreeSet<(VenueName, OrderId)>,
    by_revision: BTreeSet<(Serial, OrderId)>,
    by_settled: BTreeSet<(LogTime, OrderId)>,
    by_standing: BTreeMap<Standing, BTreeMap<OrderId, Row>>,
    by_hold: BTreeSet<(LogTime, OrderId)>,
    sum: Sum,
    pub(crate) touched: Touched<OrderId>,
    pub(crate) tombstones: Tombstones,
}

impl Orders {
    pub fn get(&self, id: OrderId) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// In the order of their ids, which is that in which they were recorded.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.values()
    }

    /// Those of lower ids that stand in one of the wanted ways, the newest first.
    pub fn before(&self, id: OrderId, wanted: impl Fn(Standing) -> bool) -> impl Iterator<Item = &Row> {
        let wanted = self.by_standing.iter().filter(|(standing, _)| wanted(**standing));
        let mut ways: Vec<_> = wanted.map(|(_, rows)| rows.range(..id).rev().peekable()).collect();
        std::iter::from_fn(move || {
            let newest = ways.iter_mut().map(|rows| rows.peek().map(|(id, _)| **id)).enumerate();
            let (at, _) = newest.max_by_key(|(_, id)| *id)?;
            ways[at].next().map(|(_, row)| row)
        })
    }

    /// Those that changed after a serial, in the order of their last changes.
    pub fn changed_after(&self, serial: Serial) -> impl Iterator<Item = &Row> {
        let after = (Bound::Excluded((serial, OrderId(Serial(u64::MAX)))), Bound::Unbounded);
        self.by_revision.range(after).filter_map(|(_, id)| self.rows.get(id))
    }

    pub fn by_key(&self, key: &StrategyKey) -> Option<&Row> {
        self.rows.get(self.by_key.get(key)?)
    }

    /// Of two that claim one name the older: which of them came first to claim it is in no image.
    pub fn by_venue_order_id(&self, name: &VenueName) -> Option<&Row> {
        let first = (name.clone(), OrderId(Serial(0)));
        let (found, id) = self.by_venue_order_id.range(first..).next()?;
        self.rows.get(id).filter(|_| found == name)
    }

    /// What is left of the order that a key stood for.
    pub fn tombstone(&self, key: &StrategyKey) -> Option<&Tombstone> {
        self.tombstones.get(key)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn settled_count(&self) -> usize {
        self.by_settled.len()
    }

    pub fn tombstone_count(&self) -> usize {
        self.tombstones.len()
    }

    /// When the next one that waits has waited enough, and which.
    pub(crate) fn next_hold_end(&self) -> Option<(LogTime, OrderId)> {
        self.by_hold.first().copied()
    }

    /// The one that has been settled longest, and since when.
    pub(crate) fn first_settled(&self) -> Option<(LogTime, OrderId)> {
        self.by_settled.first().copied()
    }

    /// A new order, or one that has changed.
    pub(crate) fn put(&mut self, row: Row) {
        if let Some(before) = self.rows.remove(&row.id) {
            self.unlink(&before);
        }
        self.link(&row);
        self.rows.insert(row.id, row);
    }

    pub(crate) fn remove(&mut self, id: OrderId) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        self.unlink(&row);
        Some(row)
    }

    fn link(&mut self, order: &Row) {
        self.touched.note(&order.id);
        self.sum.add(order.digest().0);
        self.by_revision.insert((order.revision, order.id));
        self.by_settled.extend(order.settled_at.map(|at| (at, order.id)));
        self.by_standing.entry(Standing::of(order)).or_default().insert(order.id, order.clone());
        self.by_hold.extend(order.held_until.map(|until| (until, order.id)));
        if let Some(key) = order.strategy_key() {
            let before = self.by_key.insert(key, order.id);
            assert!(before.is_none(), "a key stands for one order");
        }
        for name in venue_names(order) {
            self.by_venue_order_id.insert((name, order.id));
        }
    }

    fn unlink(&mut self, order: &Order) {
        self.touched.note(&order.id);
        self.sum.remove(order.digest().0);
        self.by_revision.remove(&(order.revision, order.id));
        order.settled_at.map(|at| self.by_settled.remove(&(at, order.id)));
        self.by_standing.get_mut(&Standing::of(order)).map(|rows| rows.remove(&order.id));
        order.held_until.map(|until| self.by_hold.remove(&(until, order.id)));
        if let Some(key) = order.strategy_key() {
            self.by_key.remove(&key);
        }
        for name in venue_names(order) {
            self.by_venue_order_id.remove(&(name, order.id));
        }
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        // A state of before there were any has the digest that it had then.
        if self.is_empty() && self.tombstones.len() == 0 {
            return;
        }
        feed.bytes(b"orders").u64(self.rows.len() as u64).u128(self.sum.get());
        self.tombstones.feed(feed);
    }
}

fn venue_names(order: &Order) -> impl Iterator<Item = VenueName> {
    let ids = order.venue.venue_order_ids.union(&order.hints.venue_order_ids);
    ids.map(|id| (order.account().clone(), order.symbol().clone(), id.clone()))
}
