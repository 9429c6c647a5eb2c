//! Why a call was refused, from a closed list that programs can rely on.

use std::collections::HashMap;

use consensus::{AdminError, ProposeError, ReadError};
use domain::Refusal;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain of every `google.rpc.ErrorInfo` of this program.
pub const DOMAIN: &str = "tenure";

/// What the `google.rpc.ErrorInfo` of a refusal has as metadata if the write had run before.
const REPEATED: &str = "repeated";

/// The reason in a refusal's `google.rpc.ErrorInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// No leader could be reached in time; nothing was executed.
    NoQuorum,
    /// The call may or may not have been executed. Repeat it under the same request_id to learn which.
    OutcomeUnknown,
    /// The lease is free: it has ended.
    Expired,
    /// The holder has this lease under another token.
    Fenced,
    /// Another holds this lease.
    NotHolder,
    /// Too much is waiting, or a limit is reached.
    Limit,
    /// The disk of this node is almost full.
    DiskLow,
    /// This node's state differs from that of the majority.
    OutOfService,
    /// The request itself is wrong.
    Invalid,
    /// There is no such thing.
    NotFound,
    /// The change cannot be made as things are.
    Refused,
    /// This node is being stopped.
    Draining,
}

impl Reason {
    pub const ALL: [Self; 12] = [
        Self::NoQuorum,
        Self::OutcomeUnknown,
        Self::Expired,
        Self::Fenced,
        Self::NotHolder,
        Self::Limit,
        Self::DiskLow,
        Self::OutOfService,
        Self::Invalid,
        Self::NotFound,
        Self::Refused,
        Self::Draining,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::NoQuorum => "NO_QUORUM",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Expired => "EXPIRED",
            Self::Fenced => "FENCED",
            Self::NotHolder => "NOT_HOLDER",
            Self::Limit => "LIMIT",
            Self::DiskLow => "DISK_LOW",
            Self::OutOfService => "OUT_OF_SERVICE",
            Self::Invalid => "INVALID",
            Self::NotFound => "NOT_FOUND",
            Self::Refused => "REFUSED",
            Self::Draining => "DRAINING",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::NoQuorum | Self::OutOfService | Self::Draining => Code::Unavailable,
            // Not UNAVAILABLE: clients retry that by themselves, and this must not be retried under a new id.
            Self::OutcomeUnknown => Code::Unknown,
            Self::Expired | Self::Fenced | Self::NotHolder | Self::Refused => Code::FailedPrecondition,
            Self::Limit | Self::DiskLow => Code::ResourceExhausted,
            Self::Invalid => Code::InvalidArgument,
            Self::NotFound => Code::NotFound,
        }
    }

    /// A refusal with this reason.
    pub fn status(self, message: impl Into<String>) -> Status {
        self.with(message, HashMap::new())
    }

    /// A refusal, by how things are now, of a write that had run before.
    pub(crate) fn status_of_repeated(self, message: &str) -> Status {
        let message = format!("{message}; this call had run before, and its answer was lost");
        self.with(message, HashMap::from([(REPEATED.to_owned(), "true".to_owned())]))
    }

    fn with(self, message: impl Into<String>, metadata: HashMap<String, String>) -> Status {
        let details = ErrorDetails::with_error_info(self.name(), DOMAIN, metadata);
        Status::with_error_details(self.code(), message, details)
    }
}

/// Whether the refused write had run before; what it did then is not told.
pub fn is_repeated(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.metadata.contains_key(REPEATED))
}

/// The reason in a status that one of these services made; `None` in any other.
pub fn reason_of(status: &Status) -> Option<Reason> {
    let info = status.get_details_error_info()?;
    Reason::ALL.into_iter().find(|reason| info.domain == DOMAIN && info.reason == reason.name())
}

pub(crate) fn from_propose(error: ProposeError) -> Status {
    let reason = match error {
        ProposeError::NoQuorum => Reason::NoQuorum,
        ProposeError::Unknown => Reason::OutcomeUnknown,
        ProposeError::Overloaded(_) => Reason::Limit,
        ProposeError::DiskLow => Reason::DiskLow,
        ProposeError::OutOfService => Reason::OutOfService,
        ProposeError::TooLarge => Reason::Invalid,
    };
    reason.status(error.to_string())
}

pub(crate) fn from_read(error: ReadError) -> Status {
    let reason = match error {
        ReadError::NoQuorum => Reason::NoQuorum,
        ReadError::OutOfService => Reason::OutOfService,
        ReadError::Overloaded => Reason::Limit,
    };
    reason.status(error.to_string())
}

pub(crate) fn from_admin(error: AdminError) -> Status {
    let reason = match error {
        AdminError::NoQuorum => Reason::NoQuorum,
        AdminError::NotFound(_) => Reason::NotFound,
        AdminError::Refused(_) => Reason::Refused,
        AdminError::Unknown => Reason::OutcomeUnknown,
    };
    reason.status(error.to_string())
}

/// A refusal by the state itself: the log has it, and nothing changed.
pub(crate) fn from_refusal(refusal: Refusal) -> Status {
    match refusal {
        Refusal::Full => Reason::Limit.status(format!(
            "there are {} keys and leases, the most that a cluster holds; release some",
            domain::limits::KEYS_MAX
        )),
        Refusal::TooLarge => Reason::Invalid.status(format!(
            "a name has at most {} bytes and a holder at most {}",
            domain::limits::KEY_BYTES_MAX,
            domain::limits::VALUE_BYTES_MAX
        )),
        Refusal::InvalidTtl => {
            Reason::Invalid.status(format!("ttl_ms must be between 1 and {}", domain::limits::TTL_MS_MAX))
        }
        Refusal::WrongKind => Reason::Refused.status(
            "a Redis client keeps something else than a string under this name: it is no lease; choose another name",
        ),
        Refusal::NotAnInteger
        | Refusal::Overflow
        | Refusal::WallClock
        | Refusal::NotOnKeys
        | Refusal::NoSuchKey
        | Refusal::OutOfRange
        | Refusal::NotANumber => Reason::Invalid.status(format!("refused: {refusal:?}")),
        // These become errors of the proposal before they come here.
        Refusal::StaleStamp | Refusal::Late | Refusal::Overload => {
            Reason::OutcomeUnknown.status(format!("refused: {refusal:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_survives_the_wire() {
        for reason in Reason::ALL {
            assert_eq!(reason_of(&reason.status("why")), Some(reason));
        }
        assert_eq!(reason_of(&Status::unavailable("other")), None);
    }

    #[test]
    fn a_repetition_survives_the_wire() {
        let repeated = Reason::Expired.status_of_repeated("free");
        assert_eq!((reason_of(&repeated), is_repeated(&repeated)), (Some(Reason::Expired), true));
        assert!(!is_repeated(&Reason::Expired.status("free")));
    }
}
