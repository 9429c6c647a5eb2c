//! What a request is answered with, before it is known in which version of the protocol it will be said.

use std::borrow::Cow;
use std::sync::Arc;

use crate::Error;

/// A value of RESP3; what RESP2 lacks is said in its closest form, as Redis does.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// A status line.
    Simple(Cow<'static, str>),
    Error(Error),
    Integer(i64),
    Bulk(Arc<[u8]>),
    /// A bulk string that is text of ours.
    Text(Cow<'static, str>),
    /// Text for people (`INFO`, `CLIENT LIST`); in RESP2 a bulk string.
    Verbatim(String),
    Null,
    /// No list, as `EXEC` says that nothing was done; in RESP2 it differs from [`Reply::Null`].
    NullArray,
    Bool(bool),
    Double(f64),
    Array(Vec<Reply>),
    Map(Vec<(Reply, Reply)>),
    Set(Vec<Reply>),
    /// Arrays of two; in RESP2 one list of all.
    Pairs(Vec<(Reply, Reply)>),
    Push(Vec<Reply>),
    /// Subscriptions that begin or end, one after the other: one request may name many. Said even to a client that wants no
    /// replies, as Redis does.
    Several(Vec<Reply>),
}

impl Reply {
    pub const OK: Self = Self::Simple(Cow::Borrowed("OK"));

    pub fn text(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Text(text.into())
    }

    pub fn bulk(bytes: &[u8]) -> Self {
        Self::Bulk(bytes.into())
    }

    /// A value, or null.
    pub fn value(value: Option<Arc<[u8]>>) -> Self {
        value.map_or(Self::Null, Self::Bulk)
    }

    /// 1 or 0, as Redis tells a truth.
    pub fn flag(flag: bool) -> Self {
        Self::Integer(flag.into())
    }

    /// A count or a number of milliseconds; none comes near the end of the range.
    pub fn count(count: u64) -> Self {
        Self::Integer(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// About what it takes in memory and on the wire.
    pub(crate) fn bytes(&self) -> usize {
        const EACH: usize = 32;
        let of_all = |replies: &[Self]| replies.iter().map(Self::bytes).sum::<usize>();
        EACH + match self {
            Self::Bulk(bytes) => bytes.len(),
            Self::Text(text) | Self::Simple(text) => text.len(),
            Self::Verbatim(text) => text.len(),
            Self::Array(replies) | Self::Set(replies) | Self::Push(replies) | Self::Several(replies) => {
                of_all(replies)
            }
            Self::Map(pairs) | Self::Pairs(pairs) => {
                pairs.iter().map(|(key, value)| key.bytes() + value.bytes()).sum()
            }
            Self::Error(_)
            | Self::Integer(_)
            | Self::Null
            | Self::NullArray
            | Self::Bool(_)
            | Self::Double(_) => 0,
        }
    }

    pub fn texts(texts: impl IntoIterator<Item = &'static str>) -> Self {
        Self::Array(texts.into_iter().map(Self::text).collect())
    }
}

impl From<Error> for Reply {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Result<Self, Error>> for Reply {
    fn from(result: Result<Self, Error>) -> Self {
        result.unwrap_or_else(Self::Error)
    }
}
