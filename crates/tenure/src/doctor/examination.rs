//! One library and one server: every request of the catalogue in its order, until one is not answered as it must be.

use std::fmt::Write as _;

use serde::Serialize;
use sha1::{Digest, Sha1};

use super::catalogue::{self, Kind, Library, Step, Want};
use super::resp::{Connection, Login, Trouble, Value};

/// Leases of the examination, so that nothing stays of one that is cut off but what huey gives no end.
const TTL_MS: &str = "10000";

/// What was found.
#[derive(Serialize)]
pub struct Finding {
    pub library: &'static str,
    pub version: &'static str,
    pub what: &'static str,
    /// Every byte is the library's own; otherwise some scripts are written after its documentation.
    pub as_sent: bool,
    pub works: bool,
    /// The first request that was not answered as the library needs.
    pub failed: Option<Unanswered>,
}

#[derive(Serialize)]
pub struct Unanswered {
    pub step: &'static str,
    pub request: String,
    pub expected: String,
    /// In the server's words.
    pub said: String,
}

/// The names of one examination.
struct Names(Vec<(&'static str, String)>);

impl Names {
    fn new() -> Self {
        let id = uuid::Uuid::now_v7().simple();
        let name = |what: &'static str, value: String| (what, value);
        Self(vec![
            name("{key}", format!("tenure-doctor:{id}:lock")),
            name("{key2}", format!("tenure-doctor:{id}:signal")),
            name("{me}", format!("me-{id}")),
            name("{other}", format!("other-{id}")),
            name("{ttl}", TTL_MS.into()),
        ])
    }

    fn of(&self, word: &str) -> Option<&str> {
        self.0.iter().find(|(what, _)| *what == word).map(|(_, value)| value.as_str())
    }

    fn put_in<'a>(&'a self, word: &'a str) -> &'a str {
        self.of(word).unwrap_or(word)
    }
}

/// Asks all that the library would. What is left of it is deleted.
pub async fn examine(address: &str, login: &Login, library: &Library) -> Result<Finding, Trouble> {
    let names = Names::new();
    let failed = ask(address, login, library, &names).await?;
    if library.kind != Kind::Connects {
        let mut connection = Connection::open(address, login).await?;
        for key in ["{key}", "{key2}"] {
            connection.call(&["DEL", names.put_in(key)]).await?;
        }
    }
    let what = if library.kind == Kind::Connects { "connects" } else { "locks" };
    let (name, version, as_sent) = (library.name, library.version, library.as_sent());
    Ok(Finding { library: name, version, what, as_sent, works: failed.is_none(), failed })
}

async fn ask(
    address: &str,
    login: &Login,
    library: &Library,
    names: &Names,
) -> Result<Option<Unanswered>, Trouble> {
    let mut first = Connection::open(address, login).await?;
    let mut second = Connection::open(address, login).await?;
    if library.kind == (Kind::Locks { resp3: true }) {
        let step =
            Step { name: "protocol", second: false, request: vec!["HELLO", "3"], wants: vec![Want::Map] };
        if let Some(unanswered) = take(&mut first, &step, names).await {
            return Ok(Some(unanswered));
        }
    }
    for step in &library.steps {
        let connection = if step.second { &mut second } else { &mut first };
        if let Some(unanswered) = take(connection, step, names).await {
            return Ok(Some(unanswered));
        }
    }
    Ok(None)
}

/// Takes one step. A server that closes the connection or is silent has not answered either.
async fn take(connection: &mut Connection, step: &Step, names: &Names) -> Option<Unanswered> {
    let said = match said(connection, step, names).await {
        Ok(value) if step.wants.iter().any(|want| fits(want, &value, names)) => return None,
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    };
    let expected: Vec<String> = step.wants.iter().map(Want::to_string).collect();
    Some(Unanswered {
        step: step.name,
        request: step.request.join(" "),
        expected: expected.join(" or "),
        said,
    })
}

async fn said(connection: &mut Connection, step: &Step, names: &Names) -> std::io::Result<Value> {
    let command = step.request[0];
    if command == "@heard" {
        return connection.next().await;
    }
    let Some(when_unknown) = command.strip_prefix("EVALSHA/") else {
        return connection.call(&words(&step.request, names)).await;
    };
    let source = step.request[1].strip_prefix('@').and_then(catalogue::script).unwrap_or_default();
    let sha = sha(source);
    let mut request = words(&step.request, names);
    (request[0], request[1]) = ("EVALSHA", &sha);
    let value = connection.call(&request).await?;
    if !matches!(&value, Value::Error(error) if error.starts_with("NOSCRIPT")) {
        return Ok(value);
    }
    if when_unknown == "EVAL" {
        (request[0], request[1]) = ("EVAL", source);
    } else if let Value::Error(error) = connection.call(&["SCRIPT", "LOAD", source]).await? {
        return Ok(Value::Error(error));
    }
    connection.call(&request).await
}

fn words<'a>(request: &[&'a str], names: &'a Names) -> Vec<&'a str> {
    let word = |word: &&'a str| match word.strip_prefix('@').and_then(catalogue::script) {
        Some(source) => source,
        None => names.put_in(word),
    };
    request.iter().map(word).collect()
}

fn fits(want: &Want, value: &Value, names: &Names) -> bool {
    match (want, value) {
        (Want::Any, _) | (Want::Null, Value::Null) | (Want::Text, Value::Text(_)) => true,
        (Want::Array, Value::Array(_)) | (Want::Map, Value::Map(_)) => true,
        (Want::Simple(line), Value::Simple(said)) => line == said,
        (Want::Error(start), Value::Error(said)) => said.starts_with(start),
        (Want::Integer(number), Value::Integer(said)) => number == said,
        (Want::Positive, Value::Integer(said)) => *said > 0,
        (Want::Is(text), Value::Text(said)) => names.put_in(text) == said,
        (Want::Contains(part), Value::Text(said)) => said.contains(part),
        _ => false,
    }
}

/// As `EVALSHA` takes it.
pub fn sha(source: &str) -> String {
    let mut text = String::new();
    for byte in Sha1::digest(source.as_bytes()) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_fits_what_is_wanted_and_nothing_else() {
        let names = Names::new();
        let me = Value::Text(names.put_in("{me}").into());
        let error = Value::Error("ERR unknown command 'X'".into());
        let values = [
            Value::Simple("OK".into()),
            Value::Integer(1),
            me,
            error,
            Value::Null,
            Value::Array(vec![]),
            Value::Map(vec![]),
        ];
        let wants = [
            Want::Simple("OK"),
            Want::Integer(1),
            Want::Is("{me}"),
            Want::Error("ERR unknown command"),
            Want::Null,
            Want::Array,
            Want::Map,
        ];
        for (at, value) in values.iter().enumerate() {
            assert!(fits(&Want::Any, value, &names));
            for (of, want) in wants.iter().enumerate() {
                assert_eq!(fits(want, value, &names), at == of, "{want} and {value}");
            }
        }
        assert!(fits(&Want::Positive, &Value::Integer(9), &names));
        assert!(!fits(&Want::Positive, &Value::Integer(0), &names));
    }
}
