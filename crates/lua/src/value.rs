//! [`Value`]: what a command answers to a script, and what a script answers.

use bytes::Bytes;

/// A reply, as both versions of the protocol know it. The edge encodes it for the version that its client speaks.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Nil,
    Bool(bool),
    Integer(i64),
    Double(f64),
    /// The digits of an integer of any length.
    BigNumber(Bytes),
    Bulk(Bytes),
    /// `format` has three letters.
    Verbatim {
        format: Bytes,
        text: Bytes,
    },
    /// A line such as `OK`.
    Status(Bytes),
    /// A line that begins with its code, as `WRONGTYPE Operation against …`, without the protocol's `-`.
    Error(Bytes),
    Array(Vec<Value>),
    Map(Vec<(Value, Value)>),
    Set(Vec<Value>),
}

impl Value {
    pub fn bulk(bytes: impl Into<Bytes>) -> Self {
        Self::Bulk(bytes.into())
    }

    pub fn status(line: impl Into<Bytes>) -> Self {
        Self::Status(line.into())
    }

    pub fn error(line: impl Into<Bytes>) -> Self {
        Self::Error(line.into())
    }
}
