//! One key in one of the cases that it can be in, and the commands that a script may send to it.

use bytes::Bytes;
use domain::limits::TTL_MS_MAX;

use super::Unsupported;
use super::value::{Remaining, Value};
use crate::Error;
use crate::codec::decode;
use crate::command;
use crate::command::seconds;

/// How the key is when the script begins.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Case {
    Absent,
    /// `None` stands for any value but the one that the script compares with.
    Holding {
        value: Option<Bytes>,
        ending: bool,
    },
    /// As it really is.
    Actual {
        /// `None`: it is no string.
        value: Option<Bytes>,
        remaining_ms: Option<u64>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct World {
    /// The one key that the script has named.
    pub(super) key: Option<Bytes>,
    /// The one text that an unknown value was compared with.
    pub(super) compared: Option<Bytes>,
    /// It has asked for the value of a key that is there, which Redis refuses for one that is no string.
    pub(super) asked: bool,
    held: Option<Held>,
    wrote: bool,
    before: Option<Held>,
}

#[derive(Clone, Debug, PartialEq)]
struct Held {
    /// A text, or unknown; `None`: no string.
    value: Option<Value>,
    end: End,
}

/// When the key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Never,
    /// The end that it had when the script began.
    Had,
    /// The same, where it is known.
    Left(u64),
    InMs(i64),
    /// Later than it had by so much.
    LaterByMs(i64),
}

/// What the script has made of the key.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Change {
    Same,
    Gone,
    /// `value`: none if it was kept.
    Becomes {
        value: Option<Bytes>,
        end: End,
    },
}

/// Why a script stops before its end.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// This edge does not know what it means.
    Unsupported(Unsupported),
    /// Redis would answer this, too.
    Error(Error),
}

impl From<Unsupported> for Stop {
    fn from(unsupported: Unsupported) -> Self {
        Self::Unsupported(unsupported)
    }
}

pub(super) fn unsupported<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Unsupported::new(reason).into())
}

impl World {
    pub(super) fn new(case: Case) -> Self {
        let held = match case {
            Case::Absent => None,
            Case::Holding { value, ending } => {
                let end = if ending { End::Had } else { End::Never };
                Some(Held { value: Some(value.map_or(Value::Unknown, Value::Text)), end })
            }
            Case::Actual { value, remaining_ms } => {
                Some(Held { value: value.map(Value::Text), end: remaining_ms.map_or(End::Never, End::Left) })
            }
        };
        Self { key: None, compared: None, asked: false, before: held.clone(), held, wrote: false }
    }

    pub(super) fn change(&self) -> Change {
        match (&self.before, &self.held) {
            _ if !self.wrote => Change::Same,
            (None, None) => Change::Same,
            (Some(_), None) => Change::Gone,
            (before, Some(held)) => {
                let kept = before.as_ref().is_some_and(|before| before.value == held.value);
                let value = match &held.value {
                    Some(Value::Text(value)) if !kept => Some(value.clone()),
                    _ => None,
                };
                Change::Becomes { value, end: held.end }
            }
        }
    }

    /// Whether the unknown value equals `text`: it is by definition another than the one it is compared with.
    pub(super) fn compare(&mut self, text: &Bytes) -> Result<bool, Stop> {
        match &self.compared {
            Some(compared) if compared != text => {
                unsupported("it compares the value with more than one text")
            }
            _ => {
                self.compared = Some(text.clone());
                Ok(false)
            }
        }
    }

    /// `redis.call`.
    pub(super) fn call(&mut self, arguments: &[Value]) -> Result<Value, Stop> {
        let Some((name, arguments)) = arguments.split_first() else {
            return Err(script_error("ERR Please specify at least one argument for this redis lib call"));
        };
        let Some(name) = name.bytes() else { return unsupported("a command's name is not a text") };
        let name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        match name.as_str() {
            "get" => {
                self.asked |= self.held.is_some();
                self.read(arguments, |held| match held {
                    None => Ok(Value::Bool(false)),
                    Some(held) => {
                        held.value.clone().ok_or_else(|| script_error(&Error::WrongKind.to_string()))
                    }
                })
            }
            "exists" => self.read(arguments, |held| Ok(flag(held.is_some()))),
            "pttl" => self.read(arguments, |held| remaining(held, false)),
            "ttl" => self.read(arguments, |held| remaining(held, true)),
            "del" | "unlink" => self.remove(arguments),
            "expire" => self.expire(arguments, 1000, "expire"),
            "pexpire" => self.expire(arguments, 1, "pexpire"),
            "persist" => self.persist(arguments),
            "set" => self.set(arguments),
            "setnx" => self.setnx(arguments),
            "setex" => self.setex(arguments, 1000, "setex"),
            "psetex" => self.setex(arguments, 1, "psetex"),
            _ if command::COMMANDS.find(name.as_bytes()).is_some()
                || command::is_kept_from_scripts(name.as_bytes()) =>
            {
                unsupported(format!("it calls '{name}', which no supported script does"))
            }
            _ => Err(script_error("ERR Unknown Redis command called from script")),
        }
    }
}

// The commands.
impl World {
    fn read(
        &mut self,
        arguments: &[Value],
        look: fn(Option<&Held>) -> Result<Value, Stop>,
    ) -> Result<Value, Stop> {
        let [key] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        look(self.held.as_ref())
    }

    fn remove(&mut self, arguments: &[Value]) -> Result<Value, Stop> {
        let [key] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        let held = self.held.take().is_some();
        self.wrote |= held;
        Ok(flag(held))
    }

    fn expire(&mut self, arguments: &[Value], unit_ms: i64, command: &'static str) -> Result<Value, Stop> {
        let [key, length] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        let end = match length {
            Value::Remaining(Remaining { seconds: false, plus }) if unit_ms == 1 => {
                End::LaterByMs(whole(*plus).ok_or_else(not_an_integer)?)
            }
            length => End::InMs(milliseconds(length, unit_ms, command)?),
        };
        let Some(held) = &mut self.held else { return Ok(flag(false)) };
        self.wrote = true;
        held.end = end;
        if matches!(end, End::InMs(ms) if ms <= 0) {
            self.held = None;
        }
        Ok(flag(true))
    }

    fn persist(&mut self, arguments: &[Value]) -> Result<Value, Stop> {
        let [key] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        match &mut self.held {
            Some(held) if held.end != End::Never => {
                held.end = End::Never;
                self.wrote = true;
                Ok(flag(true))
            }
            _ => Ok(flag(false)),
        }
    }

    fn setnx(&mut self, arguments: &[Value]) -> Result<Value, Stop> {
        let [key, value] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        let free = self.held.is_none();
        if free {
            self.write(value, End::Never)?;
        }
        Ok(flag(free))
    }

    fn setex(&mut self, arguments: &[Value], unit_ms: i64, command: &'static str) -> Result<Value, Stop> {
        let [key, length, value] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        let ms = milliseconds(length, unit_ms, command)?;
        if ms <= 0 {
            return Err(script_error(&Error::InvalidExpire(command).to_string()));
        }
        self.write(value, End::InMs(ms))?;
        Ok(Value::Status(Bytes::from_static(b"OK")))
    }

    fn set(&mut self, arguments: &[Value]) -> Result<Value, Stop> {
        let [key, value, options @ ..] = arguments else { return Err(wrong_count()) };
        self.name(key)?;
        let mut options = options.iter();
        let (mut condition, mut end) = (None, None);
        while let Some(option) = options.next() {
            let option = option.bytes().unwrap_or_default().to_ascii_lowercase();
            match option.as_slice() {
                b"nx" if condition.is_none() => condition = Some(false),
                b"xx" if condition.is_none() => condition = Some(true),
                b"keepttl" if end.is_none() => {
                    end = Some(self.held.as_ref().map_or(End::Never, |held| held.end));
                }
                b"ex" | b"px" if end.is_none() => {
                    let unit_ms = if option == b"ex" { 1000 } else { 1 };
                    let length = options.next().ok_or_else(|| script_error("ERR syntax error"))?;
                    let ms = milliseconds(length, unit_ms, "set")?;
                    if ms <= 0 {
                        return Err(script_error(&Error::InvalidExpire("set").to_string()));
                    }
                    end = Some(End::InMs(ms));
                }
                _ => return unsupported("it uses an option of 'set' other than NX, XX, EX, PX and KEEPTTL"),
            }
        }
        if condition.is_some_and(|present| present != self.held.is_some()) {
            return Ok(Value::Bool(false));
        }
        self.write(value, end.unwrap_or(End::Never))?;
        Ok(Value::Status(Bytes::from_static(b"OK")))
    }

    fn write(&mut self, value: &Value, end: End) -> Result<(), Stop> {
        let Some(value) = value.bytes() else { return unsupported("it writes a value that is not a text") };
        self.held = Some(Held { value: Some(Value::Text(value)), end });
        self.wrote = true;
        Ok(())
    }

    /// Notes the key, which must always be the same.
    fn name(&mut self, key: &Value) -> Result<(), Stop> {
        let Some(key) = key.bytes() else { return unsupported("a key is not a text") };
        match &self.key {
            Some(named) if *named != key => unsupported("it uses more than one key"),
            _ => {
                self.key = Some(key);
                Ok(())
            }
        }
    }
}

fn flag(flag: bool) -> Value {
    Value::Number(if flag { 1.0 } else { 0.0 })
}

fn remaining(held: Option<&Held>, in_seconds: bool) -> Result<Value, Stop> {
    let told = |ms: i64| Value::Number(if in_seconds { seconds(ms) } else { ms } as f64);
    Ok(match held.map(|held| held.end) {
        None => Value::Number(-2.0),
        Some(End::Never) => Value::Number(-1.0),
        Some(End::Had) => Value::Remaining(Remaining { seconds: in_seconds, plus: 0.0 }),
        Some(End::Left(ms)) => told(i64::try_from(ms).unwrap_or(i64::MAX)),
        Some(End::InMs(ms)) => told(ms),
        Some(End::LaterByMs(ms)) if !in_seconds => {
            Value::Remaining(Remaining { seconds: false, plus: ms as f64 })
        }
        Some(End::LaterByMs(_)) => return unsupported("it asks for the seconds left after adding to them"),
    })
}

/// A length as an argument of a command, in milliseconds; beyond the limit the command is refused.
fn milliseconds(length: &Value, unit_ms: i64, command: &'static str) -> Result<i64, Stop> {
    let Some(text) = length.bytes() else {
        return unsupported(
            "it gives a length that depends on the remaining time in another way than adding to it",
        );
    };
    let number = decode::integer(&text).ok_or_else(not_an_integer)?;
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms <= TTL_MS_MAX);
    ms.ok_or_else(|| script_error(&Error::InvalidExpire(command).to_string()))
}

/// The whole number that this is; fractions and what a double cannot hold exactly are none.
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

fn not_an_integer() -> Stop {
    script_error(&Error::NotAnInteger.to_string())
}

fn wrong_count() -> Stop {
    script_error("ERR Wrong number of args calling Redis command from script")
}

/// An error that Redis would raise in the script, too; its SHA is added where it is known.
fn script_error(message: &str) -> Stop {
    Stop::Error(Error::InScript { message: message.to_owned(), sha: String::new() })
}
