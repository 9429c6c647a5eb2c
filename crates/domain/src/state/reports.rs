//! What is said of orders, in the state: whose it is, and what follows for prices.

use super::State;
use super::orders::refused;
use crate::limits::ORDERS_MAX;
use crate::orders::OrderId;
use crate::orders::command::OrderAnswer;
use crate::orders::order::Order;
use crate::orders::reason::{Field, Reason};
use crate::orders::report::{Fact, OrderName, Report, Weight, Witness};
use crate::orders::table::Row;
use crate::trading::counters::LastTrade;
use crate::{Answer, Refusal, VenueOrderId};

impl State {
    /// Never refused, but for what no report can say. What a bot says of an order that is not known is passed over: only a venue
    /// knows orders that nobody here does.
    pub(super) fn report_order(&mut self, report: &Report) -> Result<Answer, Refusal> {
        let faults = report.faults();
        if !faults.is_empty() {
            return Ok(refused(faults));
        }
        let known = self.meant_by(report).map(|row| (**row).clone());
        let mut weight = Weight::Evidence;
        let answer = match known {
            Some(mut order) => {
                let (id, bots) = (order.id, self.weight_of_bots(&order));
                weight = report.weight(bots);
                if order.report(report, bots, self.serial, self.now) {
                    self.put_order(order);
                }
                OrderAnswer::Reported { order: id }
            }
            None => self.report_of_external(report),
        };
        if let (OrderAnswer::Reported { .. }, Weight::Evidence) = (&answer, weight) {
            self.observe(report);
        }
        Ok(Answer::Order(Box::new(answer)))
    }

    /// What it says of prices, new or not: what counts must not depend on what came first. A hint moves no price that others are
    /// held against.
    fn observe(&mut self, report: &Report) {
        let Fact::Trades(trades) = &report.fact else { return };
        let Self { trading, trading_touched, .. } = self;
        for (key, fill) in trades.iter().filter(|(_, fill)| !fill.is_bust) {
            let of = (&report.account, &report.symbol);
            trading.counters.observe(&trading.configuration, of, LastTrade::of(key, fill));
            trading_touched.records = true;
        }
    }

    fn report_of_external(&mut self, report: &Report) -> OrderAnswer {
        let external = self
            .may_be_external(report)
            .then(|| Order::external(OrderId(self.serial), report, self.now))
            .flatten();
        match external {
            None => OrderAnswer::Refused { reasons: vec![Reason::Unknown(Field::Order)] },
            Some(_) if self.orders.len() >= ORDERS_MAX => {
                OrderAnswer::Refused { reasons: vec![Reason::Full] }
            }
            Some(order) => {
                let id = order.id;
                self.put_order(order);
                OrderAnswer::Reported { order: id }
            }
        }
    }

    /// What the venue has under a name by which it is known again, and what was not recorded here: one of ours that is not in
    /// memory is history, with all that it traded.
    fn may_be_external(&self, report: &Report) -> bool {
        let is_ours = match &report.order {
            OrderName::Id(_) => true,
            OrderName::Client(client) => self.tag == Some(client.tag) && client.epoch == self.epoch,
            OrderName::Venue(_) => false,
        };
        report.by == Witness::Venue && !is_ours && report.venue_order_ids().next().is_some()
    }

    /// Found by the name that the report has for it, or by the venue's, and only on its account and in its symbol.
    fn meant_by(&self, report: &Report) -> Option<&Row> {
        let named = match &report.order {
            OrderName::Id(id) => self.orders.get(*id),
            OrderName::Client(client) => self.by_client_order_id(*client),
            OrderName::Venue(_) => None,
        };
        let by_venue = |id: &VenueOrderId| {
            let name = (report.account.clone(), report.symbol.clone(), id.clone());
            self.orders.by_venue_order_id(&name)
        };
        let found = named.or_else(|| report.venue_order_ids().find_map(by_venue));
        found.filter(|row| row.is_meant_by(report))
    }

    fn weight_of_bots(&self, order: &Order) -> Weight {
        let account = self.trading.configuration.account(order.account());
        account.map_or(Weight::Hint, |account| account.bot_reports)
    }
}
