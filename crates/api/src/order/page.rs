//! One page of the list of orders, and of what a watcher is told: so many that a look at them is brief.

use std::cmp::Reverse;

use consensus::Reading;
use consensus::archive::{Cut, Query};
use domain::orders::OrderId;
use domain::orders::filter::Filter;
use domain::orders::order::{Order, Present};
use domain::orders::table::Standing;
use domain::{Serial, WallZero};
use tonic::Status;
use wire::v1;

use super::Orders;
use crate::faults::Faults;
use crate::limits::{
    LIST_BYTES_MAX, LIST_STEPS_MAX, ORDER_ROW_BYTES, ORDER_ROWS_DEFAULT, ORDER_ROWS_MAX, ORDERS_LOOKED_AT_MAX,
};
use crate::order::view::View;
use crate::order::words;
use crate::refusal::{Reason, from_archive, from_read};

/// A list, page by page.
#[derive(Debug)]
pub(super) struct Listing {
    filter: Filter,
    unresolved: bool,
    before: OrderId,
    limit: usize,
}

/// Orders of descending ids.
#[derive(Debug, Default)]
struct Page {
    orders: Vec<v1::Order>,
    bytes: usize,
    is_full: bool,
}

/// What is in memory of a part of a list, and the history at that moment.
struct Look {
    orders: Vec<v1::Order>,
    /// Nothing of this id or above is missing.
    decided_from: OrderId,
    history: Option<Cut>,
    present: Present,
}

pub(super) fn filter_of_watch(request: &v1::WatchOrdersRequest) -> Result<Filter, Status> {
    let mut faults = Faults::default();
    let account = faults.filter("account", &request.account);
    let strategy = faults.filter("strategy", &request.strategy);
    faults.none(Reason::Invalid)?;
    Ok(Filter { account, strategy, ..Filter::default() })
}

impl TryFrom<&v1::ListOrdersRequest> for Listing {
    type Error = Status;

    fn try_from(request: &v1::ListOrdersRequest) -> Result<Self, Status> {
        let mut faults = Faults::default();
        let statuses: Option<_> = request.statuses.iter().map(|number| known(*number)).collect();
        if statuses.is_none() {
            faults.say("statuses", "one of them is not a status");
        }
        let filter = Filter {
            account: faults.filter("account", &request.account),
            strategy: faults.filter("strategy", &request.strategy),
            symbol: faults.filter("symbol", &request.symbol),
            statuses: statuses.unwrap_or_default(),
            from_ms: request.from_ms,
            to_ms: request.to_ms,
        };
        faults.none(Reason::Invalid)?;
        let before = if request.before == 0 { u64::MAX } else { request.before };
        let limit = match request.limit as usize {
            0 => ORDER_ROWS_DEFAULT,
            limit => limit.min(ORDER_ROWS_MAX),
        };
        Ok(Self { filter, unresolved: request.unresolved, before: OrderId(Serial(before)), limit })
    }
}

fn known(status: i32) -> Option<domain::orders::Status> {
    words::status(v1::OrderStatus::try_from(status).ok()?)
}

impl Listing {
    /// Those in memory, the newest first, as many as a brief look finds.
    fn look(&self, view: View<'_>, before: OrderId, room: usize) -> Look {
        let (mut orders, mut bytes, mut decided_from) = (Vec::new(), 0, before);
        // Of what is settled everything is known.
        let wanted =
            |standing: Standing| self.filter.may_stand(standing) && !(self.unresolved && standing.is_settled);
        let mut rows = view.state.orders().before(before, wanted).enumerate();
        let decided_from = loop {
            let Some((looks, order)) = rows.next() else { break OrderId(Serial(0)) };
            if looks == ORDERS_LOOKED_AT_MAX || orders.len() == room || bytes > LIST_BYTES_MAX {
                break decided_from;
            }
            decided_from = order.id;
            if self.meets(order, view) {
                let shown = view.order(order);
                bytes += bytes_of(&shown);
                orders.push(shown);
            }
        };
        // What somebody must look after is in memory.
        let may_be_history = self.filter.may_be_history() && !self.unresolved;
        let history = may_be_history.then(|| Cut::of(view.state));
        Look { orders, decided_from, history, present: view.present }
    }

    fn meets(&self, order: &Order, view: View<'_>) -> bool {
        self.filter.meets(order, view.present) && (!self.unresolved || order.is_unresolved(view.present))
    }
}

impl Page {
    /// Adds orders of lower ids than those before, and gives from which id on nothing is missing.
    fn add(&mut self, mut orders: Vec<v1::Order>, decided_from: OrderId, limit: usize) -> OrderId {
        orders.sort_unstable_by_key(|order| Reverse(order.order_id));
        let mut orders = orders.into_iter().take_while(|order| order.order_id >= decided_from.0.0).peekable();
        while let Some(order) = orders.next() {
            self.bytes += bytes_of(&order);
            let id = OrderId(Serial(order.order_id));
            self.orders.push(order);
            self.is_full = self.orders.len() >= limit || self.bytes > LIST_BYTES_MAX;
            if self.is_full && orders.peek().is_some() {
                return id;
            }
        }
        decided_from
    }
}

impl Orders {
    /// One page, and before which id the next one begins; 0: this was the last.
    pub(super) async fn list_page(
        &self,
        listing: Listing,
    ) -> Result<(v1::ReplyHeader, Vec<v1::Order>, u64), Status> {
        let reading = self.replica.read().await.map_err(from_read)?;
        let (mut page, mut before) = (Page::default(), listing.before);
        let mut steps = 0;
        loop {
            let room = listing.limit - page.orders.len();
            let (header, orders, decided_from) = self.list_step(&reading, &listing, before, room).await?;
            before = page.add(orders, decided_from, listing.limit);
            steps += 1;
            if page.is_full || steps == LIST_STEPS_MAX || before == OrderId(Serial(0)) {
                return Ok((header, page.orders, before.0.0));
            }
        }
    }

    /// Some orders, in memory and in the history as both were at one moment, and from which id on these are all.
    async fn list_step(
        &self,
        reading: &Reading,
        listing: &Listing,
        before: OrderId,
        room: usize,
    ) -> Result<(v1::ReplyHeader, Vec<v1::Order>, OrderId), Status> {
        let (header, look) = {
            let _turn = self.listings.acquire().await.expect("it is never closed");
            self.look(reading, |view| listing.look(view, before, room))
        };
        let Look { mut orders, decided_from, history, present } = look;
        let Some(cut) = history else { return Ok((header, orders, decided_from)) };
        let query = Query { filter: listing.filter.clone(), before, from: decided_from, limit: room };
        let past = self.replica.archive().list(&cut, query).await.map_err(|error| from_archive(&error))?;
        if !past.orders.is_empty() {
            let _turn = self.listings.acquire().await.expect("it is never closed");
            let wall_zero: WallZero = reading.wall_zero;
            let state = reading.state();
            let view = View { state: &state, present, wall_zero };
            orders.extend(past.orders.iter().map(|order| view.of_history(order)));
        }
        Ok((header, orders, decided_from.max(past.decided_from)))
    }
}

/// What changed after a serial, in the order of changes, and after which serial there may be more; `None`: that was all.
pub(super) fn changes(view: View<'_>, after: Serial, filter: &Filter) -> (Vec<v1::Order>, Option<Serial>) {
    let (mut orders, mut bytes, mut last) = (Vec::new(), 0, after);
    for (looks, order) in view.state.orders().changed_after(after).enumerate() {
        let is_enough =
            looks >= ORDERS_LOOKED_AT_MAX || orders.len() >= ORDER_ROWS_MAX || bytes > LIST_BYTES_MAX;
        // What changed together is told together: nobody could go on between two of one serial.
        if is_enough && order.revision != last {
            return (orders, Some(last));
        }
        last = order.revision;
        if filter.meets(order, view.present) {
            let shown = view.order(order);
            bytes += bytes_of(&shown);
            orders.push(shown);
        }
    }
    (orders, None)
}

fn bytes_of(order: &v1::Order) -> usize {
    ORDER_ROW_BYTES * (1 + order.fills.len()) + order.lease.len()
}
