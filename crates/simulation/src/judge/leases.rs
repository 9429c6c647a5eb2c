//! What is promised of leases, by name and without the model: from times, holders and tokens alone.
//!
//! A lock over Redis is a lease too: `SET NX` with a length grants it, the script that gives a key a new end renews
//! it. Of each rule at most one violation a key is told; the first shows what there is to see.

use std::collections::{BTreeMap, BTreeSet};

use super::history::{Call, Condition, History, Operation, Outcome, Reply};
use super::model::earliest_end_ns;
use super::verdict::{Findings, Rule, Violation};

/// Examines every key.
pub fn examine(history: &History) -> Findings {
    let mut findings = Findings::default();
    tokens_once(history, &mut findings.violations);
    for (key, places) in history.by_key() {
        findings.keys += 1;
        let mut told = BTreeSet::new();
        let mut broken = tokens_grow(history, &places);
        broken.extend(holders(history, &places));
        for Broken { rule, places, detail } in broken {
            if told.insert(rule) {
                findings.violations.push(Violation::new(rule, history, key, &places, detail));
            }
        }
    }
    findings
}

struct Broken {
    rule: Rule,
    places: Vec<usize>,
    detail: String,
}

/// One token is of one key, one holder and one grant.
fn tokens_once(history: &History, violations: &mut Vec<Violation>) {
    let mut seen: BTreeMap<u64, (usize, &str)> = BTreeMap::new();
    let mut granted: BTreeMap<u64, usize> = BTreeMap::new();
    for (place, operation) in history.operations.iter().enumerate() {
        let Some((token, holder)) = operation.token_shown() else { continue };
        let (first, first_holder) = *seen.entry(token).or_insert((place, holder));
        let first_key = &history.operations[first].key;
        let mut add = |other: usize, detail: String| {
            let places = [other, place];
            violations.push(Violation::new(Rule::TokenTwice, history, &operation.key, &places, detail));
        };
        if *first_key != operation.key {
            add(first, format!("token {token} is also of key {first_key}"));
        } else if first_holder != holder {
            add(first, format!("token {token} is of {first_holder} and of {holder}"));
        }
        if matches!(operation.reply(), Some(Reply::Acquired(_)))
            && let Some(other) = granted.insert(token, place)
        {
            add(other, format!("token {token} was granted twice"));
        }
    }
}

/// Whoever begins after a token was shown sees no older one, and a grant is newer than all that were shown.
fn tokens_grow(history: &History, places: &[usize]) -> Vec<Broken> {
    let operations = &history.operations;
    let mut by_call: Vec<usize> =
        places.iter().copied().filter(|place| operations[*place].token_shown().is_some()).collect();
    let mut by_return = by_call.clone();
    by_call.sort_by_key(|place| operations[*place].invoked_ns);
    by_return.sort_by_key(|place| operations[*place].returned_ns());
    let mut over = by_return.into_iter().peekable();
    let mut newest: Option<(u64, usize)> = None;
    let mut broken = Vec::new();
    for place in by_call {
        let operation = &operations[place];
        while let Some(other) = over.next_if(|other| operations[*other].precedes(operation)) {
            newest = newest.max(operations[other].token_shown().map(|(token, _)| (token, other)));
        }
        let (Some((seen, other)), Some((token, _))) = (newest, operation.token_shown()) else { continue };
        let rule = match operation.reply() {
            Some(Reply::Acquired(_)) if token == seen => Rule::TokenTwice,
            Some(Reply::Renewed(_) | Reply::Released) if token < seen => Rule::FencedServed,
            _ if token < seen => Rule::TokenBack,
            _ => continue,
        };
        let detail = format!("token {token}, after {seen} had been shown");
        broken.push(Broken { rule, places: vec![other, place], detail });
    }
    broken
}

/// A reason to believe that one holds a lease: a grant or a renewal.
struct Holding<'a> {
    place: usize,
    holder: &'a str,
    token: Option<u64>,
    is_grant: bool,
    /// From when on the holder knows of it.
    known_ns: u64,
    /// Until when it certainly holds, unless something may have ended it.
    until_ns: u64,
}

fn holding(place: usize, operation: &Operation) -> Option<Holding<'_>> {
    let Outcome::Returned { at_ns, reply, .. } = &operation.outcome else { return None };
    let (holder, token, ttl_ms, is_grant) = match (&operation.call, reply) {
        (Call::Acquire { holder, ttl_ms, .. }, Reply::Acquired(lease)) => {
            (holder, Some(lease.token), *ttl_ms, true)
        }
        (Call::Renew { holder, token, ttl_ms }, Reply::Renewed(lease)) => {
            (holder, Some(*token), ttl_ms.or(lease.ttl_ms)?, false)
        }
        (
            Call::Set { value, condition: Condition::IfAbsent, ttl_ms: Some(ttl_ms), .. },
            Reply::Written(true),
        ) => (value, None, *ttl_ms, true),
        (Call::CompareAndExpire { value, ttl_ms }, Reply::Changed(true)) => (value, None, *ttl_ms, false),
        _ => return None,
    };
    let until_ns = earliest_end_ns(operation.invoked_ns, ttl_ms);
    Some(Holding { place, holder, token, is_grant, known_ns: *at_ns, until_ns })
}

fn holders(history: &History, places: &[usize]) -> Vec<Broken> {
    let operations = &history.operations;
    let changers: Vec<&Operation> =
        places.iter().map(|place| &operations[*place]).filter(|other| other.may_have_changed()).collect();
    let mut holdings: Vec<Holding<'_>> =
        places.iter().filter_map(|place| holding(*place, &operations[*place])).collect();
    for holding in &mut holdings {
        let own = &operations[holding.place];
        for other in changers.iter().filter(|other| !other.precedes(own) && !std::ptr::eq(**other, own)) {
            if may_end(other, holding) {
                holding.until_ns = holding.until_ns.min(other.invoked_ns.max(own.invoked_ns));
            }
        }
    }
    let mut broken = Vec::new();
    for (number, one) in holdings.iter().enumerate() {
        for other in &holdings[number + 1..] {
            if one.holder == other.holder {
                continue;
            }
            let from_ns = one.known_ns.max(other.known_ns);
            if from_ns < one.until_ns.min(other.until_ns) {
                let detail =
                    format!("{} and {} both hold it at {} ms", one.holder, other.holder, from_ns / 1_000_000);
                let places = vec![one.place, other.place];
                broken.push(Broken { rule: Rule::TwoHolders, places, detail });
            }
            broken.extend(handed_over(history, one, other).or_else(|| handed_over(history, other, one)));
        }
    }
    broken
}

/// Whether the lease went from `one` to `other` before it could be over.
fn handed_over(history: &History, one: &Holding<'_>, other: &Holding<'_>) -> Option<Broken> {
    let operations = &history.operations;
    let in_order = match (one.token, other.token) {
        (Some(token), Some(later)) => token < later,
        _ => operations[one.place].precedes(&operations[other.place]),
    };
    // Tokens that went back are another violation.
    let in_order = in_order && !operations[other.place].precedes(&operations[one.place]);
    if !other.is_grant || !in_order || other.known_ns >= one.until_ns {
        return None;
    }
    let early_us = (one.until_ns - other.known_ns) / 1_000;
    let detail = format!(
        "{} was granted it {}.{:03} ms before that of {} could be over",
        other.holder,
        early_us / 1_000,
        early_us % 1_000,
        one.holder
    );
    Some(Broken { rule: Rule::EarlyHandOver, places: vec![one.place, other.place], detail })
}

/// Whether `other` may end what `holding` holds, or let it end before its time.
fn may_end(other: &Operation, holding: &Holding<'_>) -> bool {
    let shortens = |ttl_ms: u64| earliest_end_ns(other.invoked_ns, ttl_ms) < holding.until_ns;
    let its_token = |token: u64| holding.token.is_none_or(|own| own == token);
    match &other.call {
        Call::Set { condition, .. } => *condition != Condition::IfAbsent,
        Call::Delete | Call::Increment => true,
        Call::CompareAndDelete { value } => value == holding.holder,
        Call::CompareAndExpire { value, ttl_ms } => value == holding.holder && shortens(*ttl_ms),
        // What it grants may be released under the new token.
        Call::Acquire { holder, take_over, .. } => *take_over && holder == holding.holder,
        // Without a length it is the one that it had, which nobody else may know.
        Call::Renew { holder, token, ttl_ms } => {
            holder == holding.holder && its_token(*token) && ttl_ms.is_none_or(shortens)
        }
        Call::Release { holder, token } => holder == holding.holder && its_token(*token),
        Call::Get | Call::TimeLeft | Call::Inspect => false,
    }
}
