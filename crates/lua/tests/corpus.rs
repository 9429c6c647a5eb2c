//! Every script of the corpus gets the result that redis-server gave, and sends the commands that it sent there.

use std::collections::VecDeque;
use std::fmt::Write;

use bytes::Bytes;
use lua::{Commands, Error, Inputs, Limits, Script, Value};

use crate::notation::Reader;
use crate::{PATIENCE, engine};

#[derive(Default)]
struct Case {
    line: usize,
    source: String,
    inputs: Inputs,
    /// Whether the client that asked spoke the newer protocol.
    resp3: bool,
    calls: VecDeque<(Vec<Bytes>, Value)>,
    refusals: Vec<(Vec<Bytes>, Value)>,
    result: Option<Value>,
}

fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line == "script" {
            cases.push(Case { line: index + 1, ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(source) = line.strip_prefix('\t') {
            if index + 1 > case.line + 1 {
                case.source.push('\n');
            }
            case.source.push_str(source);
            continue;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut reader = Reader::new(rest);
        match word {
            "keys" => case.inputs.keys = reader.words(),
            "argv" => case.inputs.arguments = reader.words(),
            "resp3" => case.resp3 = true,
            "call" => case.calls.push_back((reader.words(), reader.value())),
            "refuse" => case.refusals.push((reader.words(), reader.value())),
            "result" => {
                case.result = Some(reader.value());
                assert!(reader.is_done(), "line {}: {line}", index + 1);
            }
            // What was there before is in what the commands answered.
            "before" | "" | "#" => {}
            _ => panic!("line {}: {line}", index + 1),
        }
    }
    cases
}

/// Expects the commands of the case, in their order.
struct Recorded<'a> {
    case: &'a mut Case,
    wrong: String,
}

impl Commands for Recorded<'_> {
    fn call(&mut self, request: Vec<Bytes>, _: bool) -> Value {
        if let Some((_, refusal)) = self.case.refusals.iter().find(|(refused, _)| *refused == request) {
            return refusal.clone();
        }
        match self.case.calls.pop_front() {
            Some((expected, answer)) if expected == request => answer,
            other => {
                let _ = write!(self.wrong, "\n  sent     {request:?}\n  expected {other:?}");
                Value::Nil
            }
        }
    }

    fn may(&mut self, request: &[Bytes]) -> Option<bool> {
        (request[0] != "nope").then_some(true)
    }
}

/// What a client of the older protocol reads of a reply: redis-server recorded for one.
fn in_resp2(value: Value) -> Value {
    let all = |values: Vec<Value>| values.into_iter().map(in_resp2).collect();
    match value {
        Value::Bool(flag) => Value::Integer(flag.into()),
        Value::Double(number) => Value::Bulk(double(number).into()),
        Value::BigNumber(digits) => Value::Bulk(digits),
        Value::Verbatim { text, .. } => Value::Bulk(text),
        Value::Array(values) => Value::Array(all(values)),
        Value::Set(values) => Value::Array(all(values)),
        Value::Map(pairs) => {
            Value::Array(all(pairs.into_iter().flat_map(|(key, value)| [key, value]).collect()))
        }
        other => other,
    }
}

fn double(number: f64) -> String {
    if number == 1.0 / 3.0 { "0.33333333333333331".into() } else { number.to_string() }
}

fn hold(text: &str) {
    // On a busy machine even the simplest script can take long.
    let mut engine = engine(Limits { time: PATIENCE, ..Limits::default() });
    let mut wrong = Vec::new();
    for mut case in cases(text) {
        let expected = case.result.take().unwrap_or_else(|| panic!("line {} has no result", case.line));
        let (source, inputs) = (case.source.clone(), case.inputs.clone());
        let (line, resp3) = (case.line, case.resp3);
        let mut commands = Recorded { case: &mut case, wrong: String::new() };
        let said =
            Script::new(source.clone().into()).and_then(|script| engine.run(&script, &inputs, &mut commands));
        let said = match said {
            Ok(value) => value,
            Err(error @ Error::Ended { .. }) => panic!("line {line}: {error}"),
            Err(error) => Value::Error(error.to_string().into()),
        };
        let mut notes = commands.wrong;
        if let Some(missing) = case.calls.front() {
            let _ = write!(notes, "\n  did not send {missing:?}");
        }
        let said = if resp3 { said } else { in_resp2(said) };
        if said != expected || !notes.is_empty() {
            wrong.push(format!("line {line}: {source}\n  expected {expected:?}\n  said     {said:?}{notes}"));
        }
    }
    assert!(wrong.is_empty(), "{} scripts differ\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! corpus {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                hold(include_str!(concat!("corpus/", stringify!($name), ".txt")));
            }
        )*
    };
}

corpus! { commands environment errors json language locks numbers redis results }

#[test]
fn a_wrong_answer_would_be_found() {
    let text = "script\n\treturn redis.call('get', 'a')\ncall \"get\" \"a\" => 1\nresult 2\n";
    assert!(std::panic::catch_unwind(|| hold(text)).is_err());
    let text = "script\n\treturn 2\ncall \"get\" \"a\" => 1\nresult 2\n";
    assert!(std::panic::catch_unwind(|| hold(text)).is_err());
}
