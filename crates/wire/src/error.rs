//! Why bytes could not be understood.

use crate::FORMAT_VERSION;

/// Bytes that are not what they should be. None of them may be applied or skipped: what one node cannot read and
/// another can would make them differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer program. The caller must stop the process before it applies the entry: this program
    /// cannot know what it means.
    #[error("format version {found} is newer than {known}, the newest that this program knows", known = FORMAT_VERSION)]
    NewerFormat { found: u32 },

    /// Not protobuf at all: cut short or damaged.
    #[error("{what} is not readable")]
    Unreadable { what: &'static str, source: prost::DecodeError },

    /// Protobuf, but a field is missing, of the wrong length, out of range, or of a kind that is not known.
    #[error("{what}: {why}")]
    Malformed { what: &'static str, why: String },
}

impl DecodeError {
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self::Malformed { what, why: why.into() }
    }
}

/// Reads one message from all of `bytes`.
pub(crate) fn message<M: prost::Message + Default>(
    what: &'static str,
    bytes: &[u8],
) -> Result<M, DecodeError> {
    M::decode(bytes).map_err(|source| DecodeError::Unreadable { what, source })
}

/// A message field that must be there. A kind that this program does not know also reads as missing.
pub(crate) fn required<T>(what: &'static str, field: Option<T>) -> Result<T, DecodeError> {
    field.ok_or_else(|| DecodeError::new(what, "missing, or of a kind that this program does not know"))
}

/// A value of the enumeration `E`.
pub(crate) fn known<E: TryFrom<i32>>(what: &'static str, value: i32) -> Result<E, DecodeError> {
    E::try_from(value)
        .map_err(|_| DecodeError::new(what, format!("{value} is not a value that this program knows")))
}

/// Exactly sixteen bytes: an id, a digest or a chain.
pub(crate) fn sixteen(what: &'static str, bytes: &[u8]) -> Result<[u8; 16], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::new(what, format!("{} bytes instead of 16", bytes.len())))
}

/// A digest or a chain, big-endian, so that it reads as it is printed.
pub(crate) fn u128_of(what: &'static str, bytes: &[u8]) -> Result<u128, DecodeError> {
    sixteen(what, bytes).map(u128::from_be_bytes)
}
