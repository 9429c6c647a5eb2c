//! Times, keys, values and answers, as the scripts write them.

use std::error::Error;
use std::sync::Arc;

use domain::command::Audit;
use domain::{
    Action, Answer, HistoryRecord, Key, Lease, LogTime, Outcome, Recorded, Refusal, Scored, SealedHistory,
    Value,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

pub(crate) fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| format!("{text} is not a number").into())
}

pub(crate) fn time(text: &str) -> Result<LogTime> {
    Ok(LogTime::from_ns(u64::try_from(nanoseconds(text)?)?))
}

pub(crate) fn milliseconds(text: &str) -> Result<i64> {
    Ok(i64::try_from(nanoseconds(text)? / 1_000_000)?)
}

/// `1.5s`, `250ms`, `7ns`; a plain number is milliseconds.
fn nanoseconds(text: &str) -> Result<i128> {
    let units = [("ns", 1), ("ms", 1_000_000), ("s", 1_000_000_000), ("", 1_000_000)];
    let (digits, unit) = units
        .into_iter()
        .find_map(|(name, ns)| Some((text.strip_suffix(name)?, ns)))
        .expect("the last unit fits everything");
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = 10_i128.pow(u32::try_from(fraction.len())?);
    let value: i128 = format!("{whole}{fraction}").parse().map_err(|_| format!("{text} is not a time"))?;
    Ok(value * unit / scale)
}

/// `x@300` is 300 times `x`.
pub(crate) fn text(text: &str) -> Arc<[u8]> {
    match text.split_once('@') {
        Some((part, times)) if times.parse::<usize>().is_ok() => {
            part.repeat(times.parse().expect("just parsed")).into_bytes().into()
        }
        _ => text.as_bytes().into(),
    }
}

pub(crate) fn parse_key(key: &str) -> Key {
    match key.split_once('/') {
        Some((database, name)) if database.parse::<u8>().is_ok() => {
            Key::new(database.parse().expect("just parsed"), text(name))
        }
        _ => Key::new(0, text(key)),
    }
}

pub(crate) fn in_words(action: &Action, Outcome { made, repeated, answer }: &Outcome) -> String {
    let repeated = if *repeated { ", repeated" } else { "" };
    let answer = answer_in_words(action, answer);
    format!("{answer} (serial {}, entry {}, term {}{repeated})", made.serial, made.index, made.term)
}

fn answer_in_words(action: &Action, answer: &Answer) -> String {
    match answer {
        Answer::Done => "done".to_owned(),
        Answer::Refused(refusal) => format!("refused, {}", reason(*refusal)),
        Answer::Set { written, previous } => {
            let previous = match previous {
                None => String::new(),
                Some(None) => ", was absent".to_owned(),
                Some(Some(value)) => format!(", was {}", words(value)),
            };
            format!("{}{previous}", if *written { "written" } else { "not written" })
        }
        Answer::Count(count) => match (action, count) {
            (Action::Alter { .. }, 1) => "1 element".to_owned(),
            (Action::Alter { .. }, count) => format!("{count} elements"),
            (Action::FlushScripts, 1) => "1 script".to_owned(),
            (Action::FlushScripts, count) => format!("{count} scripts"),
            (_, 1) => "1 key".to_owned(),
            (_, count) => format!("{count} keys"),
        },
        Answer::Values(None) => "absent".to_owned(),
        Answer::Values(Some(values)) => list(values),
        Answer::Score(None) => "no score".to_owned(),
        Answer::Score(Some(score)) => score.get().to_string(),
        Answer::Scored(members) => ranked(members),
        Answer::Changed(true) => "changed".to_owned(),
        Answer::Changed(false) => "not changed".to_owned(),
        Answer::Value(None) => "absent".to_owned(),
        Answer::Value(Some(value)) => words(value),
        Answer::Integer(integer) => integer.to_string(),
        Answer::Lease { granted, lease } => {
            let not = if *granted { "" } else { "not " };
            let done = match action {
                Action::Renew { .. } => "renewed",
                Action::Release { .. } => "released",
                _ => "acquired",
            };
            format!("{not}{done}, {}", lease.as_ref().map_or("free".to_owned(), held))
        }
        Answer::Node(node) => format!("node {node}"),
        Answer::All(answers) => {
            let Action::Transaction { actions, .. } = action else { return "all".to_owned() };
            let each = actions.iter().zip(answers).map(|(action, answer)| answer_in_words(action, answer));
            format!("done: {}", each.collect::<Vec<_>>().join("; "))
        }
        Answer::Conflict => "conflict".to_owned(),
        Answer::Order(answer) => format!("{answer:?}"),
        Answer::Trading(answer) => format!("{answer:?}"),
    }
}

fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::StaleStamp => "stamped in another term",
        Refusal::Late => "too late",
        Refusal::Overload => "overloaded",
        Refusal::Full => "no room for another",
        Refusal::NotAnInteger => "not an integer",
        Refusal::Overflow => "out of the range of integers",
        Refusal::TooLarge => "too large",
        Refusal::InvalidTtl => "the length is out of range",
        Refusal::WallClock => "an end by the wall clock",
        Refusal::NotOnKeys => "an action that may not be a part",
        Refusal::WrongKind => "another kind of value",
        Refusal::NoSuchKey => "no such key",
        Refusal::OutOfRange => "no element in that place",
        Refusal::NotANumber => "not a number",
    }
}

fn held(lease: &Lease) -> String {
    let Lease { holder, token, ttl_ms, remaining_ms } = lease;
    let holder = words(holder);
    match (remaining_ms, ttl_ms) {
        (Some(left), Some(ttl)) => format!("{holder} holds it under token {token}, {left} of {ttl} ms left"),
        (Some(left), None) => format!("{holder} holds it under token {token}, {left} ms left"),
        (None, _) => format!("{holder} holds it under token {token}, no end"),
    }
}

pub(crate) fn sealed(SealedHistory { number, first, last, records, chain }: &SealedHistory) -> String {
    format!("file {number}: {records} records, serials {first} to {last}, chain {chain:032x}")
}

pub(crate) fn act(HistoryRecord { serial, term, time, what }: &HistoryRecord) -> String {
    let at = seconds(*time);
    let what = match what {
        Recorded::Audit(Audit { actor, action, subject, reason, .. }) => {
            let [actor, action, subject, reason] =
                [actor, action, subject, reason].map(|text| words(text.as_bytes()));
            format!("{actor} did {action} to {subject}, because {reason}")
        }
        Recorded::Order(order) => format!("order {}", order.id),
    };
    format!("serial {serial}, term {term}, at {at}: {what}")
}

pub(crate) fn name(key: &Key) -> String {
    match key.database {
        0 => words(&key.name),
        database => format!("{database}/{}", words(&key.name)),
    }
}

pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(value) => words(value),
        Value::Hash(hash) => {
            let fields = hash.iter().map(|(field, value)| format!("{}: {}", words(field), words(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        Value::List(of) => list(of.elements()),
        Value::Set(set) => {
            let members: Vec<String> = set.iter().map(|(member, ())| words(member)).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::SortedSet(set) => ranked(set.ranked()),
    }
}

fn ranked(members: &[Scored]) -> String {
    let members: Vec<String> =
        members.iter().map(|(score, member)| format!("{} at {}", words(member), score.get())).collect();
    format!("[{}]", members.join(", "))
}

fn list(elements: &[Arc<[u8]>]) -> String {
    let elements: Vec<String> = elements.iter().map(|element| words(element)).collect();
    format!("[{}]", elements.join(", "))
}

pub(crate) fn words(value: &[u8]) -> String {
    match value {
        [] => "nothing".to_owned(),
        [first, ..] if value.len() > 40 => format!("{}@{}", first.escape_ascii(), value.len()),
        _ => value.escape_ascii().to_string(),
    }
}

pub(crate) fn seconds(time: LogTime) -> String {
    let (whole, ns) = (time.as_ns() / 1_000_000_000, time.as_ns() % 1_000_000_000);
    match ns % 1_000_000 {
        0 => format!("{whole}.{:03}s", ns / 1_000_000),
        _ => format!("{whole}.{ns:09}s"),
    }
}
