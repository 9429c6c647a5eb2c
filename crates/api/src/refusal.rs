//! Why a call was refused, from a closed list that programs can rely on.

use std::collections::HashMap;

use consensus::{AdminError, ArchiveError, ProposeError, ReadError};
use domain::Refusal;
use domain::orders::OrderId;
use domain::orders::reason::Reason as OrderReason;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::limits::REFUSAL_BYTES_MAX;

/// The domain of every `google.rpc.ErrorInfo` of this program.
pub const DOMAIN: &str = "tenure";

/// What the `google.rpc.ErrorInfo` of a refusal has as metadata if the write had run before.
const REPEATED: &str = "repeated";

/// What it has as metadata if the refused order was written down: the id under which it is found in the history.
const ORDER_ID: &str = "order_id";

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
    /// A kill switch is engaged.
    Killed,
    /// The mode does not allow it.
    Mode,
    /// The breaker of the venue is open.
    BreakerOpen,
    /// The account has not been reconciled since the last change of leadership.
    Unreconciled,
    /// The key is that of another order, with another payload.
    DuplicateKey,
    /// The key is older than keys are remembered.
    KeyExpired,
    /// Another lease trades this account and strategy.
    WrongLease,
    /// The order cannot be as it is.
    InvalidOrder,
    /// There is no such account, strategy or symbol.
    UnknownName,
    /// There is no such order.
    UnknownOrder,
    /// The strategy may not trade this.
    NotPermitted,
    /// The account sends through the cluster, or does not, and this asks for the other.
    AccountMode,
    /// The order is in no state for it.
    OrderState,
    /// As many orders or keys are remembered as may be.
    Full,
    /// Nodes differ in what they hold, and no majority says which is right.
    NodesDiffer,
    /// Another configuration stands than was expected: somebody has set it since.
    StaleRevision,
    /// This node cannot tell all of its history now: it is being indexed, or a file of it cannot be read.
    HistoryIncomplete,
}

impl Reason {
    pub const ALL: [Self; 29] = [
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
        Self::Killed,
        Self::Mode,
        Self::BreakerOpen,
        Self::Unreconciled,
        Self::DuplicateKey,
        Self::KeyExpired,
        Self::WrongLease,
        Self::InvalidOrder,
        Self::UnknownName,
        Self::UnknownOrder,
        Self::NotPermitted,
        Self::AccountMode,
        Self::OrderState,
        Self::Full,
        Self::NodesDiffer,
        Self::StaleRevision,
        Self::HistoryIncomplete,
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
            Self::Killed => "KILLED",
            Self::Mode => "MODE",
            Self::BreakerOpen => "BREAKER_OPEN",
            Self::Unreconciled => "UNRECONCILED",
            Self::DuplicateKey => "DUPLICATE_KEY",
            Self::KeyExpired => "KEY_EXPIRED",
            Self::WrongLease => "WRONG_LEASE",
            Self::InvalidOrder => "INVALID_ORDER",
            Self::UnknownName => "UNKNOWN_NAME",
            Self::UnknownOrder => "UNKNOWN_ORDER",
            Self::NotPermitted => "NOT_PERMITTED",
            Self::AccountMode => "ACCOUNT_MODE",
            Self::OrderState => "ORDER_STATE",
            Self::Full => "FULL",
            Self::NodesDiffer => "NODES_DIFFER",
            Self::StaleRevision => "STALE_REVISION",
            Self::HistoryIncomplete => "HISTORY_INCOMPLETE",
        }
    }

    fn code(self) -> Code {
        match self {
            Self::NoQuorum | Self::OutOfService | Self::Draining | Self::HistoryIncomplete => {
                Code::Unavailable
            }
            // Not UNAVAILABLE: clients retry that by themselves, and this must not be retried under a new id.
            Self::OutcomeUnknown => Code::Unknown,
            Self::Expired
            | Self::Fenced
            | Self::NotHolder
            | Self::Refused
            | Self::Killed
            | Self::Mode
            | Self::BreakerOpen
            | Self::Unreconciled
            | Self::NodesDiffer
            | Self::KeyExpired
            | Self::WrongLease
            | Self::AccountMode
            | Self::OrderState => Code::FailedPrecondition,
            Self::Limit | Self::DiskLow | Self::Full => Code::ResourceExhausted,
            Self::Invalid | Self::InvalidOrder => Code::InvalidArgument,
            Self::NotFound | Self::UnknownName | Self::UnknownOrder => Code::NotFound,
            Self::DuplicateKey => Code::AlreadyExists,
            Self::StaleRevision => Code::Aborted,
            Self::NotPermitted => Code::PermissionDenied,
        }
    }

    /// A refusal with this reason.
    pub fn status(self, message: impl Into<String>) -> Status {
        self.with(message, HashMap::new())
    }

    /// A refusal for all of these: in the message, and one by one in a `google.rpc.PreconditionFailure`.
    pub(crate) fn status_of_all(self, messages: &[String]) -> Status {
        let mut details = ErrorDetails::with_error_info(self.name(), DOMAIN, HashMap::new());
        let (told, left) = told(messages.iter().map(|message| (self.name(), message.clone())));
        for (name, message) in &told {
            details.add_precondition_failure_violation(*name, "request", message);
        }
        Status::with_error_details(self.code(), joined(&told, left), details)
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
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN)?;
    named(&info.reason)
}

fn named(name: &str) -> Option<Reason> {
    Reason::ALL.into_iter().find(|reason| reason.name() == name)
}

/// All reasons in a refusal of an order, each as the name that programs switch on and the words for people; empty in any
/// other refusal.
pub fn all_reasons(status: &Status) -> Vec<(String, String)> {
    let failure = status.get_details_precondition_failure();
    let violations = failure.into_iter().flat_map(|failure| failure.violations);
    violations.map(|violation| (violation.r#type, violation.description)).collect()
}

/// A refusal of an order: the first reason is that of the `google.rpc.ErrorInfo`, and all are in the message, and one by one
/// in a `google.rpc.PreconditionFailure`. `denied`: it was written down as this.
pub(crate) fn from_reasons(reasons: &[OrderReason], denied: Option<OrderId>, repeated: bool) -> Status {
    let first = reasons.first().and_then(|reason| named(reason.code())).unwrap_or(Reason::Refused);
    let mut metadata = HashMap::new();
    metadata.extend(denied.map(|order| (ORDER_ID.to_owned(), order.to_string())));
    metadata.extend(repeated.then(|| (REPEATED.to_owned(), "true".to_owned())));
    let mut details = ErrorDetails::with_error_info(first.name(), DOMAIN, metadata);
    let (told, left) = told(reasons.iter().map(|reason| (reason.code(), reason.to_string())));
    for (code, message) in &told {
        details.add_precondition_failure_violation(*code, "order", message);
    }
    Status::with_error_details(first.code(), joined(&told, left), details)
}

/// As many of these as a refusal holds, and how many are left.
fn told(messages: impl Iterator<Item = (&'static str, String)>) -> (Vec<(&'static str, String)>, usize) {
    let (mut told, mut left, mut bytes) = (Vec::new(), 0, 0);
    for (name, message) in messages {
        bytes += name.len() + message.len();
        if bytes <= REFUSAL_BYTES_MAX || told.is_empty() {
            told.push((name, message));
        } else {
            left += 1;
        }
    }
    (told, left)
}

fn joined(told: &[(&'static str, String)], left: usize) -> String {
    let mut message = told.iter().map(|(_, message)| message.as_str()).collect::<Vec<_>>().join("; ");
    if left > 0 {
        message += &format!("; and {left} more");
    }
    message
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

pub(crate) fn from_archive(error: &ArchiveError) -> Status {
    let reason = match error {
        ArchiveError::Indexing { .. } | ArchiveError::Unreadable(_) | ArchiveError::Unindexed => {
            Reason::HistoryIncomplete
        }
        ArchiveError::TooLongAgo { .. } => Reason::Invalid,
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
    fn a_refused_order_tells_all_reasons_and_where_it_is_written_down() {
        let reasons = [OrderReason::Full, OrderReason::BreakerOpen];
        let refused = from_reasons(&reasons, Some(OrderId(domain::Serial(7))), true);
        assert_eq!((reason_of(&refused), is_repeated(&refused)), (Some(Reason::Full), true));
        assert_eq!(refused.code(), Code::ResourceExhausted);
        let metadata = refused.get_details_error_info().unwrap().metadata;
        assert_eq!(metadata.get(ORDER_ID).map(String::as_str), Some("7"));
        let told: Vec<_> = all_reasons(&refused).into_iter().map(|(code, _)| code).collect();
        assert_eq!(told, ["FULL", "BREAKER_OPEN"]);
    }

    #[test]
    fn a_repetition_survives_the_wire() {
        let repeated = Reason::Expired.status_of_repeated("free");
        assert_eq!((reason_of(&repeated), is_repeated(&repeated)), (Some(Reason::Expired), true));
        assert!(!is_repeated(&Reason::Expired.status("free")));
    }
}
