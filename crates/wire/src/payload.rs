//! The payload of one entry of the log.

use bytes::Bytes;
use domain::{Action, Command, LogTime, Stamp};
use prost::Message;

use crate::error::{message, required};
use crate::{DecodeError, log};

/// The newest format of entries that this program reads. It writes each in the oldest that has all that is in it, so that
/// nodes of the release before go on until a new kind of command is used.
///
/// 2: transactions, copies of keys, changes of elements, messages, scripts. 3: orders, and who may trade. No log that holds any of 3
/// exists outside of this repository yet: until one does, what is in it changes without a new number, the revision of a configuration
/// included.
pub const FORMAT_VERSION: u32 = 3;
const FORMAT_VERSION_MIN: u32 = 1;

/// What one entry of the log holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// The first entry of a leader.
    Blank,
    /// Commands under one stamp, applied in order.
    Batch { stamp: Stamp, commands: Vec<Command> },
    /// Who belongs to the group.
    Membership(log::Membership),
}

/// # Panics
///
/// If a command is [`domain::Action::Members`], which is a membership payload.
pub fn encode_payload(payload: &Payload) -> Bytes {
    use log::entry;
    let version = version(payload);
    let payload = match payload {
        Payload::Blank => entry::Payload::Blank(log::Blank {}),
        Payload::Batch { stamp, commands } => entry::Payload::Batch(log::Batch {
            stamp: Some(log::Stamp { term: stamp.term, time_ns: stamp.time.as_ns() }),
            commands: commands.iter().map(Into::into).collect(),
        }),
        Payload::Membership(membership) => entry::Payload::Membership(membership.clone()),
    };
    log::Entry { version, payload: Some(payload) }.encode_to_vec().into()
}

fn version(payload: &Payload) -> u32 {
    match payload {
        Payload::Batch { commands, .. } => {
            let versions = commands.iter().map(|command| version_of(&command.action));
            versions.max().unwrap_or(FORMAT_VERSION_MIN)
        }
        Payload::Blank | Payload::Membership(_) => FORMAT_VERSION_MIN,
    }
}

fn version_of(action: &Action) -> u32 {
    match action {
        Action::Order(_) | Action::Trading(_) => 3,
        Action::Transaction { actions, .. } => actions.iter().map(version_of).fold(2, u32::max),
        Action::Copy { .. }
        | Action::Alter { .. }
        | Action::Publish(_)
        | Action::LoadScript(_)
        | Action::FlushScripts => 2,
        _ => FORMAT_VERSION_MIN,
    }
}

/// The inverse of [`encode_payload`]. On any error the caller must stop before it applies the entry: a node that
/// passed over what others applied would differ from them.
pub fn decode_payload(bytes: &[u8]) -> Result<Payload, DecodeError> {
    use log::entry;
    let log::Entry { version, payload } = message("Entry", bytes)?;
    match version {
        FORMAT_VERSION_MIN..=FORMAT_VERSION => {}
        0 => return Err(DecodeError::new("Entry.version", "missing")),
        found => return Err(DecodeError::NewerFormat { found }),
    }
    Ok(match required("Entry.payload", payload)? {
        entry::Payload::Blank(log::Blank {}) => Payload::Blank,
        entry::Payload::Batch(log::Batch { stamp, commands }) => {
            let log::Stamp { term, time_ns } = required("Batch.stamp", stamp)?;
            Payload::Batch {
                stamp: Stamp { term, time: LogTime::from_ns(time_ns) },
                commands: commands.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
            }
        }
        entry::Payload::Membership(membership) => Payload::Membership(membership),
    })
}

/// What an entry holds, without its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadKind {
    Blank,
    Batch,
    Membership,
}

/// Reads only the first bytes of an entry: the log is read more often to be copied than to be applied. Relies on
/// the version standing first and the payload second, as [`encode_payload`] writes them.
pub fn payload_kind(mut bytes: &[u8]) -> Result<PayloadKind, DecodeError> {
    use prost::encoding::{WireType, decode_key, decode_varint};
    let unreadable = |source| DecodeError::Unreadable { what: "Entry", source };
    let version = match decode_key(&mut bytes).map_err(unreadable)? {
        (1, WireType::Varint) => decode_varint(&mut bytes).map_err(unreadable)?,
        _ => 0,
    };
    match u32::try_from(version).unwrap_or(u32::MAX) {
        FORMAT_VERSION_MIN..=FORMAT_VERSION => {}
        0 => return Err(DecodeError::new("Entry.version", "missing")),
        found => return Err(DecodeError::NewerFormat { found }),
    }
    match decode_key(&mut bytes).map_err(unreadable)? {
        (2, WireType::LengthDelimited) => Ok(PayloadKind::Blank),
        (3, WireType::LengthDelimited) => Ok(PayloadKind::Batch),
        (4, WireType::LengthDelimited) => Ok(PayloadKind::Membership),
        (field, _) => Err(DecodeError::new("Entry.payload", format!("field {field} is not a payload"))),
    }
}
