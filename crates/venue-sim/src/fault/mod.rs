//! Faults that are ordered beforehand: a script names what each meets and what it does. The same script, the same
//! seed and the same requests give the same faults.

mod script;
mod signal;

use rust_decimal::Decimal;
use serde::Serialize;

pub use script::{
    Answer, CutBody, Delay, EventAct, EventDelay, EventMatch, Fault, Hang, Redirect, RequestAct,
    RequestMatch, Rule,
};
pub use signal::Signal;

use crate::amount;
use crate::chance::Chance;
use crate::limits::FAULTS_MAX;

/// A fault that waits, and what became of it so far.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Armed {
    pub(crate) id: u64,
    #[serde(flatten)]
    pub(crate) fault: Fault,
    /// Requests or events that matched.
    pub(crate) seen: u64,
    /// Those that were met.
    pub(crate) met: u64,
}

/// All faults that were ordered, in that order; the first that meets something has it alone.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    armed: Vec<Armed>,
    ids: u64,
    chance: Chance,
}

/// What a fault sees of a request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestFacts<'a> {
    pub(crate) method: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) ws_method: Option<&'a str>,
    pub(crate) symbol: Option<&'a str>,
    pub(crate) client_order_id: Option<&'a str>,
    pub(crate) address: &'a str,
}

/// What a fault sees of an event.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct EventFacts<'a> {
    pub(crate) event: &'a str,
    pub(crate) execution: Option<&'a str>,
    pub(crate) symbol: Option<&'a str>,
    pub(crate) client_order_id: Option<&'a str>,
}

impl Faults {
    pub(crate) fn new(chance: Chance) -> Faults {
        Faults { armed: Vec::new(), ids: 0, chance }
    }

    /// Orders faults, all or none.
    pub(crate) fn arm(&mut self, faults: Vec<Fault>) -> Result<Vec<u64>, String> {
        if self.armed.len() + faults.len() > FAULTS_MAX {
            return Err(format!("more than {FAULTS_MAX} faults; DELETE /faults forgets all"));
        }
        let first = self.ids + 1;
        for fault in faults {
            self.ids += 1;
            self.armed.push(Armed { id: self.ids, fault, seen: 0, met: 0 });
        }
        Ok((first..=self.ids).collect())
    }

    /// Forgets all, or those of a name; says how many.
    pub(crate) fn disarm(&mut self, name: Option<&str>) -> usize {
        let before = self.armed.len();
        self.armed.retain(|armed| name.is_some_and(|name| armed.fault.name() != name));
        before - self.armed.len()
    }

    pub(crate) fn list(&self) -> &[Armed] {
        &self.armed
    }

    /// The fault that meets a request: its name, and what it does.
    pub(crate) fn meet_request(&mut self, facts: &RequestFacts<'_>) -> Option<(String, RequestAct)> {
        for armed in &mut self.armed {
            let Fault::Request(rule) = &armed.fault else { continue };
            if rule.matched.matches(facts) && rule.meets(&mut armed.seen, &mut armed.met, &mut self.chance) {
                return Some((rule.name.clone(), rule.act.clone()));
            }
        }
        None
    }

    /// What a fault does to an event.
    pub(crate) fn meet_event(&mut self, facts: &EventFacts<'_>) -> Option<EventAct> {
        for armed in &mut self.armed {
            let Fault::Event(rule) = &armed.fault else { continue };
            if rule.matched.matches(facts) && rule.meets(&mut armed.seen, &mut armed.met, &mut self.chance) {
                return Some(rule.act.clone());
            }
        }
        None
    }
}

impl<M, A> Rule<M, A> {
    /// Counts one that matches, and says whether it is met.
    fn meets(&self, seen: &mut u64, met: &mut u64, chance: &mut Chance) -> bool {
        *seen += 1;
        let is_open = *seen >= self.nth && self.count.is_none_or(|count| *met < count);
        let is_met = is_open && self.is_drawn(chance);
        *met += u64::from(is_met);
        is_met
    }

    fn is_drawn(&self, chance: &mut Chance) -> bool {
        let Some(wanted) = self.chance.as_deref().and_then(amount::parse) else { return true };
        Decimal::new(i64::try_from(chance.below(1_000_000)).expect("below a million"), 6) < wanted
    }
}

impl RequestMatch {
    fn matches(&self, facts: &RequestFacts<'_>) -> bool {
        is(&self.method, facts.method)
            && is(&self.path, facts.path)
            && is(&self.ws_method, facts.ws_method)
            && is(&self.symbol, facts.symbol)
            && is(&self.client_order_id, facts.client_order_id)
            && is(&self.address, Some(facts.address))
    }
}

impl EventMatch {
    fn matches(&self, facts: &EventFacts<'_>) -> bool {
        is(&self.event, Some(facts.event))
            && is(&self.execution, facts.execution)
            && is(&self.symbol, facts.symbol)
            && is(&self.client_order_id, facts.client_order_id)
    }
}

fn is(wanted: &Option<String>, got: Option<&str>) -> bool {
    wanted.is_none() || wanted.as_deref() == got
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn faults(script: &[Value]) -> Faults {
        let mut faults = Faults::new(Chance::new(7, 0));
        faults.arm(script.iter().map(|fault| Fault::parse(fault).unwrap()).collect()).unwrap();
        faults
    }

    fn place<'a>(client_order_id: &'a str) -> RequestFacts<'a> {
        RequestFacts {
            method: Some("POST"),
            path: Some("/api/v3/order"),
            client_order_id: Some(client_order_id),
            ..RequestFacts::default()
        }
    }

    #[test]
    fn a_fault_meets_what_it_names_from_the_nth_on() {
        let mut faults = faults(&[
            json!({"on": "request", "match": {"method": "POST", "client_order_id": "a"}, "nth": 2, "count": 2, "do": "drop_request"}),
            json!({"on": "request", "match": {"path": "/api/v3/order"}, "count": null, "do": {"delay": {"before_ms": 5}}}),
        ]);
        let mut met = |id| faults.meet_request(&place(id)).map(|(_, act)| act);
        let delay = Some(RequestAct::Delay(Delay { before_ms: 5, after_ms: 0 }));
        assert_eq!(met("a"), delay);
        assert_eq!(met("b"), delay);
        assert_eq!(met("a"), Some(RequestAct::DropRequest));
        assert_eq!(met("a"), Some(RequestAct::DropRequest));
        assert_eq!(met("a"), delay);
        assert_eq!(faults.meet_request(&RequestFacts::default()), None);
    }

    #[test]
    fn chance_is_the_seeds() {
        let script = [json!({"on": "event", "count": null, "chance": "0.5", "do": "lose"})];
        let draw = || {
            let mut faults = faults(&script);
            (0..100).map(|_| faults.meet_event(&EventFacts::default()).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        assert!((30..70).contains(&draw().iter().filter(|lost| **lost).count()));
    }

    #[test]
    fn what_is_wrong_with_a_fault_is_said() {
        for (script, words) in [
            (json!({"do": "drop_request"}), "missing field `on`"),
            (json!({"on": "request"}), "missing field `do`"),
            (json!({"on": "request", "do": "explode"}), "unknown variant `explode`"),
            (json!({"on": "request", "match": {"pth": "/"}, "do": "close"}), "unknown field `pth`"),
            (json!({"on": "request", "nth": 0, "do": "close"}), "nth counts from 1"),
            (json!({"on": "request", "chance": "2", "do": "close"}), "chance \"2\""),
            (json!({"on": "request", "do": {"answer": {"executed": true}}}), "either a signal or a status"),
            (
                json!({"on": "request", "do": {"redirect": {"status": 200, "location": "/"}}}),
                "does not redirect",
            ),
            (json!({"on": "event", "do": "drop_request"}), "unknown variant `drop_request`"),
            (json!({"on": "request", "do": "close", "often": true}), "unknown field `often`"),
        ] {
            let error = Fault::parse(&script).unwrap_err();
            assert!(error.contains(words), "{script}: {error}");
        }
    }
}
