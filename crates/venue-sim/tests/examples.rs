//! The answers of the exchange beside the examples that Binance's own SDK carries as tests: the same fields, each of the
//! same kind.
//!
//! Whatever is answered is compared, not what is written down about it. Of each example some answers are given, between
//! them with everything that may be there: each field of each must be in the example, and each field of the example in
//! one of them, but for those that a case names as absent, with the reason.

mod futures;
mod spot;

use serde_json::Value;

/// The examples of one part of the SDK.
struct Examples(Value);

/// What differs from an example, each as a path and what is wrong there.
#[derive(Debug, Default, PartialEq)]
struct Differences(Vec<String>);

impl Examples {
    fn read(text: &str) -> Examples {
        Examples(serde_json::from_str(text).expect("the examples are JSON"))
    }

    fn answer(&self, name: &str) -> &Value {
        let example = &self.0["answers"][name];
        assert!(!example.is_null(), "there is no example {name}");
        example
    }

    /// `absent` are fields by their last name that the exchange never answers, or paths of lists that stay empty.
    fn compare(&self, name: &str, answers: &[&Value], absent: &[&str]) {
        let mut differences = Differences::default();
        differences.compare(name, self.answer(name), answers, absent);
        assert_eq!(differences, Differences::default(), "beside {name}");
    }

    /// An event beside the fields of its type in the SDK.
    fn compare_event(&self, name: &str, events: &[&Value], absent: &[&str]) {
        let fields = self.0["events"][name].as_object().expect("there is a type of this name");
        let mut wrong = Vec::new();
        for event in events {
            for (field, value) in event.as_object().expect("an event is an object") {
                let is_nested = value.is_array() || value.is_object();
                match fields.get(field).and_then(Value::as_str) {
                    _ if field == "e" || is_nested || value.is_null() => {}
                    None => wrong.push(format!("{field} is no field of {name}")),
                    Some(wanted) if wanted == kind_of_json(value) => {}
                    Some(wanted) => wrong.push(format!("{field} of {name} is {value} and no {wanted}")),
                }
            }
        }
        for field in fields.keys() {
            let is_there = events.iter().any(|event| event.get(field).is_some());
            if is_there == absent.contains(&field.as_str()) {
                wrong.push(format!("{field} of {name}: it is there, or named as absent"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

impl Differences {
    fn compare(&mut self, path: &str, example: &Value, answers: &[&Value], absent: &[&str]) {
        for answer in answers {
            if kind(answer) != kind(example) {
                self.0.push(format!("{path}: {answer} is answered, and {example} is the example"));
                return;
            }
        }
        match example {
            Value::Object(fields) => {
                for (name, of_example) in fields {
                    let path = format!("{path}.{name}");
                    let found: Vec<&Value> = answers.iter().filter_map(|answer| answer.get(name)).collect();
                    if found.is_empty() != absent.contains(&name.as_str()) {
                        self.0.push(format!("{path}: it is there, or named as absent"));
                    }
                    if !found.is_empty() {
                        self.compare(&path, of_example, &found, absent);
                    }
                }
                for answer in answers {
                    let beyond = answer.as_object().into_iter().flatten();
                    let beyond = beyond.filter(|(name, _)| !fields.contains_key(*name));
                    self.0.extend(beyond.map(|(name, value)| format!("{path}.{name}: {value} is beyond")));
                }
            }
            Value::Array(rows) => self.compare_rows(path, rows, answers, absent),
            _ => {}
        }
    }

    /// Rows of a list are of one kind: that of the first of the example.
    fn compare_rows(&mut self, path: &str, rows: &[Value], answers: &[&Value], absent: &[&str]) {
        let Some(example) = rows.first() else { return };
        let found: Vec<&Value> = answers.iter().flat_map(|answer| answer.as_array()).flatten().collect();
        if found.is_empty() {
            if !absent.contains(&path) {
                self.0.push(format!("{path}: there are no rows"));
            }
            return;
        }
        self.compare(&format!("{path}[]"), example, &found, absent);
    }
}

#[derive(Debug, PartialEq)]
enum Kind {
    Amount,
    Word,
    Whole,
    Part,
    Flag,
    List,
    Object,
    Nothing,
}

fn kind(value: &Value) -> Kind {
    let is_amount = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    match value {
        Value::String(text) if is_amount(text) => Kind::Amount,
        Value::String(_) => Kind::Word,
        Value::Number(number) if number.is_i64() || number.is_u64() => Kind::Whole,
        Value::Number(_) => Kind::Part,
        Value::Bool(_) => Kind::Flag,
        Value::Array(_) => Kind::List,
        Value::Object(_) => Kind::Object,
        Value::Null => Kind::Nothing,
    }
}

fn kind_of_json(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "string",
        Value::Number(_) => "integer",
        Value::Bool(_) => "boolean",
        _ => "nested",
    }
}

#[test]
fn what_differs_is_found() {
    let example = serde_json::json!({"id": 1, "price": "1.0", "fills": [{"qty": "2"}], "gone": true});
    let found = |answer: Value, absent: &[&str]| {
        let mut differences = Differences::default();
        differences.compare("x", &example, &[&answer], absent);
        differences.0
    };
    let right = serde_json::json!({"id": 7, "price": "60000", "fills": [{"qty": "0.5"}], "gone": false});
    assert_eq!(found(right.clone(), &[]), Vec::<String>::new());
    for (field, value, words) in [
        ("id", serde_json::json!("7"), "x.id: \"7\" is answered"),
        ("price", serde_json::json!(60_000), "x.price: 60000 is answered"),
        ("price", serde_json::json!("much"), "x.price: \"much\" is answered"),
        ("fills", serde_json::json!([]), "x.fills: there are no rows"),
        ("fills", serde_json::json!([{"qty": "2", "more": 1}]), "x.fills[].more: 1 is beyond"),
        ("new", serde_json::json!(1), "x.new: 1 is beyond"),
    ] {
        let mut wrong = right.clone();
        wrong[field] = value;
        assert!(found(wrong, &[])[0].contains(words), "{words}");
    }
    assert_eq!(found(right.clone(), &["gone"]).len(), 1);
    let mut without = right;
    without.as_object_mut().map(|fields| fields.remove("gone"));
    assert_eq!(found(without.clone(), &[]).len(), 1);
    assert_eq!(found(without, &["gone"]), Vec::<String>::new());
}
