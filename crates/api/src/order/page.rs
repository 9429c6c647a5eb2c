//! One page of the list of orders, and of what a watcher is told: so many that a look at them is brief.

use domain::orders::OrderId;
use domain::orders::order::Order;
use domain::{AccountId, Serial, StrategyId, Symbol};
use tonic::Status;
use wire::v1;

use crate::faults::Faults;
use crate::limits::{
    LIST_BYTES_MAX, ORDER_ROW_BYTES, ORDER_ROWS_DEFAULT, ORDER_ROWS_MAX, ORDERS_LOOKED_AT_MAX,
};
use crate::order::view::View;
use crate::order::words::status_to_wire;
use crate::refusal::Reason;

/// Which orders; what is `None`, or empty, does not matter.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    account: Option<AccountId>,
    strategy: Option<StrategyId>,
    symbol: Option<Symbol>,
    statuses: Vec<v1::OrderStatus>,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    unresolved: bool,
}

/// A list, page by page.
#[derive(Debug)]
pub(super) struct Listing {
    filter: Filter,
    before: OrderId,
    limit: usize,
}

impl Filter {
    fn meets(&self, order: &Order, view: View<'_>) -> bool {
        let Self { account, strategy, symbol, statuses, from_ms, to_ms, unresolved } = self;
        let status = || status_to_wire(order.status(view.present));
        let at = || view.wall_zero.wall_ms(order.updated_at);
        account.as_ref().is_none_or(|account| order.account() == account)
            && symbol.as_ref().is_none_or(|symbol| order.symbol() == symbol)
            && strategy.as_ref().is_none_or(|id| order.intent().is_some_and(|it| it.strategy == *id))
            && from_ms.is_none_or(|from| at() >= from)
            && to_ms.is_none_or(|to| at() < to)
            && (statuses.is_empty() || statuses.contains(&status()))
            && (!unresolved || view.is_unresolved(order))
    }

    pub(super) fn of_watch(request: &v1::WatchOrdersRequest) -> Result<Self, Status> {
        let mut faults = Faults::default();
        let account = faults.filter("account", &request.account);
        let strategy = faults.filter("strategy", &request.strategy);
        faults.none(Reason::Invalid)?;
        Ok(Self { account, strategy, ..Self::default() })
    }
}

impl TryFrom<&v1::ListOrdersRequest> for Listing {
    type Error = Status;

    fn try_from(request: &v1::ListOrdersRequest) -> Result<Self, Status> {
        let mut faults = Faults::default();
        let statuses: Vec<_> = request.statuses().collect();
        if statuses.len() != request.statuses.len() || statuses.contains(&v1::OrderStatus::Unspecified) {
            faults.say("statuses", "one of them is not a status");
        }
        let filter = Filter {
            account: faults.filter("account", &request.account),
            strategy: faults.filter("strategy", &request.strategy),
            symbol: faults.filter("symbol", &request.symbol),
            statuses,
            from_ms: request.from_ms,
            to_ms: request.to_ms,
            unresolved: request.unresolved,
        };
        faults.none(Reason::Invalid)?;
        let before = if request.before == 0 { u64::MAX } else { request.before };
        let limit = match request.limit as usize {
            0 => ORDER_ROWS_DEFAULT,
            limit => limit.min(ORDER_ROWS_MAX),
        };
        Ok(Self { filter, before: OrderId(Serial(before)), limit })
    }
}

impl Listing {
    /// The orders that were asked for, the newest first, and before which the next page begins; 0: these were the last.
    pub(super) fn page(&self, view: View<'_>) -> (Vec<v1::Order>, u64) {
        let (mut orders, mut bytes, mut looked_at) = (Vec::new(), 0, self.before);
        for (looks, order) in view.state.orders().before(self.before).enumerate() {
            if looks == ORDERS_LOOKED_AT_MAX || orders.len() == self.limit || bytes > LIST_BYTES_MAX {
                return (orders, looked_at.0.0);
            }
            looked_at = order.id;
            if self.filter.meets(order, view) {
                let shown = view.order(order);
                bytes += bytes_of(&shown);
                orders.push(shown);
            }
        }
        (orders, 0)
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
        if filter.meets(order, view) {
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
