//! The user data stream: what happened to an account, in order, unless a fault says otherwise.

use std::collections::BTreeMap;

use serde_json::Value;

use super::session::Sessions;
use crate::api::wire;
use crate::engine::Event;
use crate::fault::{EventAct, EventFacts, Faults};

/// Events that wait: for the next one, or for their time.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserStream {
    /// Told right after the next event.
    held: Vec<(String, Value)>,
    /// By their time, then by their number.
    delayed: BTreeMap<(i64, u64), (String, Value)>,
    numbers: u64,
}

impl UserStream {
    pub(crate) fn tell(&mut self, now_ms: i64, event: &Event, faults: &mut Faults, sessions: &mut Sessions) {
        let (Some(account), Some(value)) = (account(event), wire::event(event, now_ms)) else { return };
        let account = account.to_owned();
        match faults.meet_event(&facts(event)) {
            None => self.tell_now(sessions, &account, &value),
            Some(EventAct::Lose) => {}
            Some(EventAct::Duplicate) => {
                self.tell_now(sessions, &account, &value);
                self.tell_now(sessions, &account, &value);
            }
            Some(EventAct::Reorder) => self.held.push((account, value)),
            Some(EventAct::Delay(delay)) => {
                self.numbers += 1;
                let due_ms = now_ms.saturating_add(i64::try_from(delay.ms).unwrap_or(i64::MAX));
                self.delayed.insert((due_ms, self.numbers), (account, value));
            }
            Some(EventAct::CloseStream) => sessions.close_listeners(&account),
        }
    }

    fn tell_now(&mut self, sessions: &mut Sessions, account: &str, value: &Value) {
        sessions.tell(account, value);
        for (account, value) in std::mem::take(&mut self.held) {
            sessions.tell(&account, &value);
        }
    }

    /// Tells what was delayed until now.
    pub(crate) fn tell_due(&mut self, now_ms: i64, sessions: &mut Sessions) {
        while let Some(first) = self.delayed.first_entry() {
            if first.key().0 > now_ms {
                return;
            }
            let (account, value) = first.remove();
            self.tell_now(sessions, &account, &value);
        }
    }
}

fn account(event: &Event) -> Option<&str> {
    match event {
        Event::Report(report) => Some(&report.order.account),
        Event::Position { account, .. } | Event::Transfer { account, .. } => Some(account),
        Event::Trade(_) => None,
    }
}

fn facts(event: &Event) -> EventFacts<'_> {
    match event {
        Event::Report(report) => EventFacts {
            event: "executionReport",
            execution: Some(report.execution.as_str()),
            symbol: Some(&report.order.symbol),
            client_order_id: Some(&report.order.client_order_id),
        },
        Event::Position { .. } => EventFacts { event: "outboundAccountPosition", ..EventFacts::default() },
        Event::Transfer { .. } | Event::Trade(_) => {
            EventFacts { event: "balanceUpdate", ..EventFacts::default() }
        }
    }
}
