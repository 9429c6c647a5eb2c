//! Keys, their ends and the conditions on them.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{known, required};
use crate::{DecodeError, log};

pub(crate) fn bytes_of(value: &[u8]) -> Bytes {
    Bytes::copy_from_slice(value)
}

pub(crate) fn value_of(bytes: &Bytes) -> Arc<[u8]> {
    Arc::from(&bytes[..])
}

pub(crate) fn all_bytes_of(values: &[Arc<[u8]>]) -> Vec<Bytes> {
    values.iter().map(|value| bytes_of(value)).collect()
}

pub(crate) fn values_of(all: &[Bytes]) -> Vec<Arc<[u8]>> {
    all.iter().map(value_of).collect()
}

impl From<&domain::Key> for log::Key {
    fn from(key: &domain::Key) -> Self {
        Self { database: key.database.into(), name: bytes_of(&key.name) }
    }
}

impl TryFrom<log::Key> for domain::Key {
    type Error = DecodeError;

    fn try_from(key: log::Key) -> Result<Self, DecodeError> {
        Ok(Self { database: database_of("Key.database", key.database)?, name: value_of(&key.name) })
    }
}

/// Whether a database exists is for `domain` to refuse; here it must only fit its type.
pub(crate) fn database_of(what: &'static str, database: u32) -> Result<u8, DecodeError> {
    u8::try_from(database).map_err(|_| DecodeError::new(what, format!("{database} is out of range")))
}

pub(crate) fn key_of(what: &'static str, key: Option<log::Key>) -> Result<domain::Key, DecodeError> {
    required(what, key)?.try_into()
}

pub(crate) fn token_of(what: &'static str, token: u64) -> Result<domain::Token, DecodeError> {
    domain::Token::from_u64(token)
        .ok_or_else(|| DecodeError::new(what, format!("{token} is greater than any token")))
}

impl From<domain::Expiry> for log::Expiry {
    fn from(expiry: domain::Expiry) -> Self {
        use log::expiry::Kind;
        let kind = match expiry {
            domain::Expiry::Keep => Kind::Keep(true),
            domain::Expiry::Never => Kind::Never(true),
            domain::Expiry::InMs(ms) => Kind::InMs(ms),
            domain::Expiry::LaterByMs(ms) => Kind::LaterByMs(ms),
            domain::Expiry::AtWallMs(ms) => Kind::AtWallMs(ms),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<log::Expiry> for domain::Expiry {
    type Error = DecodeError;

    fn try_from(expiry: log::Expiry) -> Result<Self, DecodeError> {
        use log::expiry::Kind;
        Ok(match required("Expiry.kind", expiry.kind)? {
            Kind::Keep(true) => Self::Keep,
            Kind::Never(true) => Self::Never,
            Kind::Keep(false) | Kind::Never(false) => {
                return Err(DecodeError::new("Expiry.kind", "neither kept nor removed"));
            }
            Kind::InMs(ms) => Self::InMs(ms),
            Kind::LaterByMs(ms) => Self::LaterByMs(ms),
            Kind::AtWallMs(ms) => Self::AtWallMs(ms),
        })
    }
}

/// The kind of the condition, and the value that it compares with.
pub(crate) fn set_condition_parts(condition: &domain::SetCondition) -> (log::SetCondition, Bytes) {
    match condition {
        domain::SetCondition::Always => (log::SetCondition::Always, Bytes::new()),
        domain::SetCondition::IfAbsent => (log::SetCondition::IfAbsent, Bytes::new()),
        domain::SetCondition::IfPresent => (log::SetCondition::IfPresent, Bytes::new()),
        domain::SetCondition::IfEqual(value) => (log::SetCondition::IfEqual, bytes_of(value)),
        domain::SetCondition::IfNotEqual(value) => (log::SetCondition::IfNotEqual, bytes_of(value)),
    }
}

pub(crate) fn set_condition_of(condition: i32, operand: &Bytes) -> Result<domain::SetCondition, DecodeError> {
    let condition = match known("Set.condition", condition)? {
        log::SetCondition::IfEqual => return Ok(domain::SetCondition::IfEqual(value_of(operand))),
        log::SetCondition::IfNotEqual => return Ok(domain::SetCondition::IfNotEqual(value_of(operand))),
        log::SetCondition::Always => domain::SetCondition::Always,
        log::SetCondition::IfAbsent => domain::SetCondition::IfAbsent,
        log::SetCondition::IfPresent => domain::SetCondition::IfPresent,
    };
    if !operand.is_empty() {
        return Err(DecodeError::new("Set.operand", "the condition compares with nothing"));
    }
    Ok(condition)
}

impl From<domain::ExpireCondition> for log::ExpireCondition {
    fn from(condition: domain::ExpireCondition) -> Self {
        match condition {
            domain::ExpireCondition::Always => Self::Always,
            domain::ExpireCondition::HasNoEnd => Self::HasNoEnd,
            domain::ExpireCondition::HasEnd => Self::HasEnd,
            domain::ExpireCondition::Later => Self::Later,
            domain::ExpireCondition::Earlier => Self::Earlier,
            domain::ExpireCondition::HasEndAndLater => Self::HasEndAndLater,
            domain::ExpireCondition::HasEndAndEarlier => Self::HasEndAndEarlier,
        }
    }
}

impl From<log::ExpireCondition> for domain::ExpireCondition {
    fn from(condition: log::ExpireCondition) -> Self {
        match condition {
            log::ExpireCondition::Always => Self::Always,
            log::ExpireCondition::HasNoEnd => Self::HasNoEnd,
            log::ExpireCondition::HasEnd => Self::HasEnd,
            log::ExpireCondition::Later => Self::Later,
            log::ExpireCondition::Earlier => Self::Earlier,
            log::ExpireCondition::HasEndAndLater => Self::HasEndAndLater,
            log::ExpireCondition::HasEndAndEarlier => Self::HasEndAndEarlier,
        }
    }
}
