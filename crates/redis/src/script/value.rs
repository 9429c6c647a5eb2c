//! What a script computes with: Lua's values, and two that are not known while a case is tried.

use bytes::Bytes;

use super::lexer;
use crate::{Error, Reply};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Number(f64),
    Text(Bytes),
    List(Vec<Value>),
    /// `{ok = …}`, what Redis makes of a status.
    Status(Bytes),
    /// `{err = …}`.
    Error(Bytes),
    /// The key's value, in the case that it is another than the script compares it with.
    Unknown,
    /// What was left of the key's time when the script began, and a number more.
    Remaining(Remaining),
}

/// At least `least`: the log ends a key, not the reading, so that a living one has at least 1 ms left, which may
/// be told as 0 s.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Remaining {
    pub(super) seconds: bool,
    pub(super) plus: f64,
}

impl Remaining {
    /// `self < number`, if that is so for every time left or for none.
    fn below(self, number: f64, or_equal: bool) -> Option<bool> {
        let least = if self.seconds { 0.0 } else { 1.0 } + self.plus;
        let never = if or_equal { least > number } else { least >= number };
        never.then_some(false)
    }

    /// The order of this and a number, as far as it is certain: (less, less or equal).
    pub(super) fn compare(self, number: f64) -> (Option<bool>, Option<bool>) {
        (self.below(number, false), self.below(number, true))
    }
}

impl Value {
    pub(super) fn text(text: &'static str) -> Self {
        Self::Text(Bytes::from_static(text.as_bytes()))
    }

    /// As Lua sees it: all but nil and false.
    pub(super) fn truth(&self) -> bool {
        !matches!(self, Self::Nil | Self::Bool(false))
    }

    /// The number that this is, or that Lua would read from it.
    pub(super) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => lexer::number(text),
            _ => None,
        }
    }

    /// As an argument of a command, or a piece of a text: a whole number without a point.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string().into_bytes().into()),
            _ => None,
        }
    }

    /// As the script's reply, by the rules of Redis; `None` if it is not known.
    pub(super) fn reply(&self) -> Option<Reply> {
        Some(match self {
            Self::Nil | Self::Bool(false) => Reply::Null,
            Self::Bool(true) => Reply::Integer(1),
            // Redis cuts the fraction off; the cast saturates.
            Self::Number(number) => Reply::Integer(*number as i64),
            Self::Text(text) => Reply::bulk(text),
            Self::List(items) => {
                let items = items.iter().take_while(|item| **item != Self::Nil);
                Reply::Array(items.map(Self::reply).collect::<Option<_>>()?)
            }
            Self::Status(text) => Reply::Simple(String::from_utf8_lossy(text).into_owned().into()),
            Self::Error(text) => Reply::Error(Error::Custom(String::from_utf8_lossy(text).into_owned())),
            Self::Unknown | Self::Remaining(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_converted_as_redis_does() {
        let list = Value::List(vec![Value::Number(1.0), Value::Bool(false), Value::Nil, Value::Number(4.0)]);
        assert_eq!(list.reply(), Some(Reply::Array(vec![Reply::Integer(1), Reply::Null])));
        assert_eq!(Value::Number(3.99).reply(), Some(Reply::Integer(3)));
        assert_eq!(Value::Number(1e15).bytes().unwrap(), "1000000000000000");
        assert_eq!(Value::Number(1000.5).bytes().unwrap(), "1000.5");
        assert_eq!(Value::Unknown.reply(), None);
    }

    #[test]
    fn an_unknown_time_is_compared_only_where_it_is_certain() {
        let left = Remaining { seconds: false, plus: 0.0 };
        assert_eq!(left.compare(0.0), (Some(false), Some(false)));
        assert_eq!(left.compare(1.0), (Some(false), None));
        assert_eq!(left.compare(5000.0), (None, None));
        assert_eq!(Remaining { seconds: true, plus: 0.0 }.compare(0.0), (Some(false), None));
    }
}
