//! The user data stream: what happened to an account, in order, unless a fault says otherwise.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::{futures, wire};
use crate::engine::{Engine, Event, Product};
use crate::fault::{EventAct, EventFacts, Faults};

/// Connections that hear of accounts.
pub(crate) trait Listeners {
    fn tell(&mut self, account: &str, event: &Value);
    /// Closes those that hear of an account.
    fn close(&mut self, account: &str);
}

/// Events that wait: for the next one, or for their time.
#[derive(Clone, Debug)]
pub(crate) struct UserStream {
    product: Product,
    /// Told right after the next event.
    held: Vec<(String, Value)>,
    /// By their time, then by their number.
    delayed: BTreeMap<(i64, u64), (String, Value)>,
    numbers: u64,
}

impl UserStream {
    pub(crate) fn new(product: Product) -> UserStream {
        UserStream { product, held: Vec::new(), delayed: BTreeMap::new(), numbers: 0 }
    }

    pub(crate) fn tell(
        &mut self,
        now_ms: i64,
        event: &Event,
        engine: &Engine,
        faults: &mut Faults,
        listeners: &mut dyn Listeners,
    ) {
        let value = match self.product {
            Product::Spot => wire::event(event, now_ms),
            Product::Futures => futures::event(event, now_ms, engine),
        };
        let (Some(account), Some(value)) = (account(event), value) else { return };
        let account = account.to_owned();
        match faults.meet_event(&facts(event, &value)) {
            None => self.tell_now(listeners, &account, &value),
            Some(EventAct::Lose) => {}
            Some(EventAct::Duplicate) => {
                self.tell_now(listeners, &account, &value);
                self.tell_now(listeners, &account, &value);
            }
            Some(EventAct::Reorder) => self.held.push((account, value)),
            Some(EventAct::Delay(delay)) => {
                self.numbers += 1;
                let due_ms = now_ms.saturating_add(i64::try_from(delay.ms).unwrap_or(i64::MAX));
                self.delayed.insert((due_ms, self.numbers), (account, value));
            }
            Some(EventAct::CloseStream) => listeners.close(&account),
        }
    }

    fn tell_now(&mut self, listeners: &mut dyn Listeners, account: &str, value: &Value) {
        listeners.tell(account, value);
        for (account, value) in std::mem::take(&mut self.held) {
            listeners.tell(&account, &value);
        }
    }

    /// Tells what was delayed until now.
    pub(crate) fn tell_due(&mut self, now_ms: i64, listeners: &mut dyn Listeners) {
        while let Some(first) = self.delayed.first_entry() {
            if first.key().0 > now_ms {
                return;
            }
            let (account, value) = first.remove();
            self.tell_now(listeners, &account, &value);
        }
    }
}

fn account(event: &Event) -> Option<&str> {
    match event {
        Event::Report(report) => Some(&report.order.account),
        Event::Account { account, .. }
        | Event::Leverage { account, .. }
        | Event::Transfer { account, .. } => Some(account),
        Event::Trade(_) => None,
    }
}

/// What a fault sees of an event, as it stands on the wire.
fn facts<'a>(event: &'a Event, value: &'a Value) -> EventFacts<'a> {
    let kind = value["e"].as_str().unwrap_or_default();
    let Event::Report(report) = event else { return EventFacts { event: kind, ..EventFacts::default() } };
    EventFacts {
        event: kind,
        execution: value["x"].as_str().or(value["o"]["x"].as_str()),
        symbol: Some(&report.order.symbol),
        client_order_id: Some(&report.order.client_order_id),
    }
}
