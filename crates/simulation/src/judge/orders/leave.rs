//! Who may trade: orders and cancels are authorised under the token that is the lease's at their place in the log, and
//! nothing that a switch forbids.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Asked, CancelAsked, Got, Record, Shown, Subject, Switch, Wanted, What};
use super::{Desk, Rule, Wrong};
use crate::judge::history::{Call, History, Outcome, Reply, serial_of_token};

pub(super) fn examine(record: &Record, history: &History, desk: &Desk) -> Vec<Wrong> {
    let tenures = Tenures::of(history);
    let spans = spans(&record.switches);
    let mut wrong = Vec::new();
    for shown in record.orders().values() {
        let Some(serial) = shown.authorized_serial else { continue };
        let act = Act { what: &shown.client_order_id, lease: &shown.lease, token: shown.token, serial };
        wrong.extend(tenures.judge(&act));
        wrong.extend(switched(shown, serial, &spans, desk, |what| what != What::ReduceOnly));
    }
    for CancelAsked { client_order_id, lease, token, got, .. } in &record.cancels {
        let Some(serial) = got.answer() else { continue };
        wrong.extend(tenures.judge(&Act { what: client_order_id, lease, token: *token, serial: *serial }));
        let order = record.kept.values().find(|shown| shown.client_order_id == *client_order_id);
        wrong.extend(
            order.and_then(|shown| switched(shown, *serial, &spans, desk, |what| what == What::Halted)),
        );
    }
    wrong.extend(without_reason(record, &tenures, desk));
    wrong
}

/// Something that was authorised.
struct Act<'a> {
    what: &'a str,
    lease: &'a str,
    token: u64,
    serial: u64,
}

/// All tokens of each lease that anybody was shown.
#[derive(Default)]
struct Tenures<'a> {
    granted: BTreeMap<&'a str, BTreeSet<u64>>,
    /// At which serial a token was given back.
    released: BTreeMap<u64, u64>,
    /// Leases of which a grant may have gone unseen.
    unseen: BTreeSet<&'a str>,
}

impl<'a> Tenures<'a> {
    fn of(history: &'a History) -> Self {
        let mut tenures = Self::default();
        for operation in &history.operations {
            let key = operation.key.as_str();
            if let Some((token, _)) = operation.token_shown() {
                tenures.granted.entry(key).or_default().insert(token);
            }
            match (&operation.call, &operation.outcome) {
                (
                    Call::Release { token, .. },
                    Outcome::Returned { reply: Reply::Released, serial: Some(serial), .. },
                ) => {
                    tenures.released.insert(*token, *serial);
                }
                (Call::Acquire { .. }, Outcome::Unknown | Outcome::Returned { repeated: true, .. }) => {
                    tenures.unseen.insert(key);
                }
                _ => {}
            }
        }
        tenures
    }

    fn judge(&self, act: &Act<'_>) -> Option<Wrong> {
        let Act { what, lease, token, serial } = act;
        let wrong = |detail: String| Some(Wrong::new(Rule::FencedServed, *what, detail));
        let tokens = self.granted.get(lease);
        if tokens.is_none_or(|tokens| !tokens.contains(token)) {
            return wrong(format!("authorised under token {token} of {lease}, which was never granted"));
        }
        let granted = serial_of_token(*token);
        if granted >= *serial {
            return wrong(format!(
                "authorised at serial {serial}, before its token was granted at {granted}"
            ));
        }
        if let Some(released) = self.released.get(token).filter(|released| *released < serial) {
            return wrong(format!(
                "authorised at serial {serial}, after its token was released at {released}"
            ));
        }
        let newer = tokens.into_iter().flatten().map(|token| serial_of_token(*token));
        let newer = newer.filter(|other| *other > granted && *other < *serial).min()?;
        wrong(format!(
            "authorised at serial {serial} under a token of serial {granted}, after {newer} was granted"
        ))
    }

    /// Whether somebody else may have been granted the lease after this token.
    fn may_be_fenced(&self, lease: &str, token: u64) -> bool {
        let newer = |tokens: &BTreeSet<u64>| tokens.last().is_some_and(|last| *last > token);
        self.unseen.contains(lease) || self.granted.get(lease).is_some_and(newer)
    }
}

/// From when until when something was certainly forbidden, by serials.
struct Span<'a> {
    what: What,
    subject: &'a Subject,
    from: u64,
    /// `u64::MAX`: until the end.
    until: u64,
}

/// One operator set all switches, one after the other.
fn spans(switches: &[Switch]) -> Vec<Span<'_>> {
    let mut spans: Vec<Span<'_>> = Vec::new();
    for (at, Switch { what, subject, on, got, .. }) in switches.iter().enumerate() {
        let (true, Some(from)) = (*on, got.answer()) else { continue };
        // A mode takes the place of another.
        let is_same = |other: &&Switch| other.subject == *subject && other.what.kind() == what.kind();
        let until = match switches[at + 1..].iter().find(is_same) {
            None => u64::MAX,
            // Whether and when it ran nobody knows.
            Some(next) => next.got.answer().copied().unwrap_or(*from),
        };
        spans.push(Span { what: *what, subject, from: *from, until });
    }
    spans
}

fn switched(
    shown: &Shown,
    serial: u64,
    spans: &[Span<'_>],
    desk: &Desk,
    forbids: impl Fn(What) -> bool,
) -> Option<Wrong> {
    let covers = |span: &&Span<'_>| forbids(span.what) && covers(span.subject, &of_shown(shown), desk);
    let span = spans.iter().filter(covers).find(|span| span.from < serial && serial < span.until)?;
    let Span { what, subject, from, until } = span;
    let until = if *until == u64::MAX { "the end".to_owned() } else { until.to_string() };
    let detail =
        format!("authorised at serial {serial}, while {what:?} of {subject:?} stood from {from} to {until}");
    Some(Wrong::new(Rule::SwitchIgnored, &shown.client_order_id, detail))
}

/// By what an order may be covered.
struct Names<'a> {
    account: &'a str,
    strategy: &'a str,
    trader: &'a str,
    symbol: &'a str,
}

fn of_shown(shown: &Shown) -> Names<'_> {
    let Shown { account, strategy, trader, symbol, .. } = shown;
    Names { account, strategy, trader, symbol }
}

fn of_wanted(wanted: &Wanted) -> Names<'_> {
    let Wanted { account, strategy, trader, symbol, .. } = wanted;
    Names { account, strategy, trader, symbol }
}

fn covers(subject: &Subject, names: &Names<'_>, desk: &Desk) -> bool {
    match subject {
        Subject::All => true,
        // All accounts are at one venue.
        Subject::Venue(venue) => *venue == desk.venue,
        Subject::Account(account) => account == names.account,
        Subject::Strategy(strategy) => strategy == names.strategy,
        Subject::Trader(trader) => trader == names.trader,
        Subject::Symbol(symbol) => symbol == names.symbol,
    }
}

/// Refusals that nothing can explain.
fn without_reason(record: &Record, tenures: &Tenures<'_>, desk: &Desk) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for Asked { wanted, got, node, .. } in &record.asked {
        let Got::Refused { at_ns, .. } = got else { continue };
        let of = format!("key {} {}", wanted.strategy, wanted.key);
        let Wanted { lease, token, .. } = wanted;
        if got.is_refused_for("FENCED") && !tenures.may_be_fenced(lease, *token) {
            let detail = format!("node {node} fenced token {token} of {lease}, and no newer one was granted");
            wrong.push(Wrong::new(Rule::FencedWithoutReason, &of, detail));
        }
        for reason in ["KILLED", "MODE", "BREAKER_OPEN"] {
            let may_stand = |switch: &Switch| {
                switch.on
                    && switch.invoked_ns < *at_ns
                    && explains(switch.what, reason)
                    && covers(&switch.subject, &of_wanted(wanted), desk)
            };
            if got.is_refused_for(reason) && !record.switches.iter().any(may_stand) {
                let detail = format!("node {node} refused it as {reason}, and nothing of that was ever set");
                wrong.push(Wrong::new(Rule::SwitchedWithoutReason, &of, detail));
            }
        }
    }
    wrong
}

fn explains(what: What, reason: &str) -> bool {
    match reason {
        "KILLED" => what == What::Kill,
        "BREAKER_OPEN" => what == What::Breaker,
        _ => what.is_mode(),
    }
}
