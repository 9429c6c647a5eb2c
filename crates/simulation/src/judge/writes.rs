//! Acknowledged writes are kept: by name and without the model, from reads that can show but one thing.
//!
//! The rules look at what is beyond doubt and leave the rest to the search. Of each rule at most one violation a key
//! is told.

use std::collections::BTreeMap;

use super::history::{Call, History, Operation, Reply, TimeLeft};
use super::verdict::{Findings, Rule, Violation};

/// Examines every key.
pub fn examine(history: &History) -> Findings {
    let mut findings = Findings::default();
    for (key, places) in history.by_key() {
        findings.keys += 1;
        let broken = match Counter::of(history, &places) {
            Some(counter) => counter.examine(),
            None => kept(history, &places).into_iter().chain(overwritten(history, &places)).collect(),
        };
        let mut told = Vec::new();
        for (rule, places, detail) in broken {
            if !told.contains(&rule) {
                told.push(rule);
                findings.violations.push(Violation::new(rule, history, key, &places, detail));
            }
        }
    }
    findings
}

type Broken = (Rule, Vec<usize>, String);

/// What a read shows: a value, or that there is none.
fn seen(operation: &Operation) -> Option<Option<&str>> {
    match operation.reply()? {
        Reply::Value(value) => Some(value.as_deref()),
        Reply::Inspected(lease) => Some(lease.as_ref().map(|lease| lease.holder.as_str())),
        Reply::TimeLeft(TimeLeft::Absent) => Some(None),
        _ => None,
    }
}

/// What an acknowledged write left behind for good.
fn left(operation: &Operation) -> Option<Option<&str>> {
    match (&operation.call, operation.reply()?) {
        (Call::Set { value, ttl_ms: None, keep: false, .. }, Reply::Written(true)) => Some(Some(value)),
        (Call::Delete, Reply::Removed(_)) => Some(None),
        (Call::CompareAndDelete { .. }, Reply::Removed(true)) | (Call::Release { .. }, Reply::Released) => {
            Some(None)
        }
        _ => None,
    }
}

/// Whoever reads after a write that nobody else can have followed sees it.
fn kept(history: &History, places: &[usize]) -> Vec<Broken> {
    let operations = &history.operations;
    let mut changers: Vec<usize> =
        places.iter().copied().filter(|place| operations[*place].may_have_changed()).collect();
    changers.sort_by_key(|place| operations[*place].invoked_ns);
    let mut broken = Vec::new();
    for place in places {
        let read = &operations[*place];
        let (Some(shown), Some(read_ns)) = (seen(read), read.returned_ns()) else { continue };
        let asked = changers.partition_point(|changer| operations[*changer].invoked_ns <= read_ns);
        let Some((last, before)) = changers[..asked].split_last() else { continue };
        let write = &operations[*last];
        let Some(left) = left(write).filter(|_| write.precedes(read)) else { continue };
        if shown == left || !before.iter().all(|other| operations[*other].precedes(write)) {
            continue;
        }
        let others = places.iter().filter(|other| *other != place).map(|other| &operations[*other]);
        let was_seen = others.filter(|other| write.precedes(other)).any(|other| seen(other) == Some(left));
        let rule = if was_seen { Rule::StaleRead } else { Rule::WriteLost };
        let detail = format!(
            "the last write left {}, the read shows {}",
            left.unwrap_or("nothing"),
            shown.unwrap_or("nothing")
        );
        broken.push((rule, vec![*last, *place], detail));
    }
    broken
}

/// A value that only one call wrote does not come back after it was overwritten.
fn overwritten(history: &History, places: &[usize]) -> Vec<Broken> {
    let operations = &history.operations;
    let mut writers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for place in places {
        match &operations[*place].call {
            Call::Set { value, .. } | Call::Acquire { holder: value, .. } => {
                writers.entry(value).or_default().push(*place);
            }
            Call::Increment => return Vec::new(),
            _ => {}
        }
    }
    let mut broken = Vec::new();
    for place in places {
        let read = &operations[*place];
        let Some(Some(shown)) = seen(read) else { continue };
        let Some([writer]) = writers.get(shown).map(Vec::as_slice) else { continue };
        let over = places.iter().find(|other| {
            let other = &operations[**other];
            let overwrites = match (&other.call, other.reply()) {
                (Call::Set { value, .. }, Some(Reply::Written(true))) => value != shown,
                (Call::Acquire { holder, .. }, Some(Reply::Acquired(_))) => holder != shown,
                _ => left(other) == Some(None),
            };
            overwrites && operations[*writer].precedes(other) && other.precedes(read)
        });
        if let Some(over) = over {
            let detail = format!("{shown} had been overwritten before this read began");
            broken.push((Rule::StaleRead, vec![*writer, *over, *place], detail));
        }
    }
    broken
}

/// A key that is only ever incremented and read.
struct Counter<'a> {
    operations: &'a [Operation],
    increments: Vec<usize>,
    /// What was shown, and by whom.
    shown: Vec<(i64, usize)>,
}

impl<'a> Counter<'a> {
    /// `None` if it is something else.
    fn of(history: &'a History, places: &[usize]) -> Option<Self> {
        let operations = &history.operations;
        let (mut increments, mut shown) = (Vec::new(), Vec::new());
        for place in places {
            let operation = &operations[*place];
            match (&operation.call, operation.reply()) {
                (Call::Increment, reply) if operation.may_have_changed() => {
                    increments.push(*place);
                    if let Some(Reply::Integer(integer)) = reply {
                        shown.push((*integer, *place));
                    }
                }
                (Call::Get, Some(Reply::Value(value))) => {
                    shown.push((value.as_deref().unwrap_or("0").parse().ok()?, *place));
                }
                _ if operation.may_have_changed() => return None,
                _ => {}
            }
        }
        (!increments.is_empty()).then_some(Self { operations, increments, shown })
    }

    fn examine(&self) -> Vec<Broken> {
        let mut broken = Vec::new();
        let mut results: BTreeMap<i64, usize> = BTreeMap::new();
        for (value, place) in &self.shown {
            let operation = &self.operations[*place];
            let is_increment = i64::from(operation.call == Call::Increment);
            if is_increment == 1
                && let Some(other) = results.insert(*value, *place)
            {
                broken.push((Rule::IncrementTwice, vec![other, *place], format!("both made it {value}")));
            }
            let others = || {
                self.increments.iter().filter(|other| *other != place).map(|other| &self.operations[*other])
            };
            let least = count(others().filter(|other| other.precedes(operation))) + is_increment;
            let most = count(others().filter(|other| !operation.precedes(other))) + is_increment;
            if *value < least {
                let detail = format!("it is {value} after {least} acknowledged increments");
                broken.push((Rule::IncrementLost, vec![*place], detail));
            } else if *value > most {
                let detail = format!("it is {value} where at most {most} increments were asked for");
                broken.push((Rule::IncrementDoubled, vec![*place], detail));
            }
        }
        broken
    }
}

fn count<'a>(operations: impl Iterator<Item = &'a Operation>) -> i64 {
    i64::try_from(operations.count()).unwrap_or(i64::MAX)
}
