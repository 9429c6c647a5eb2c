//! Why a command failed, as a person, a script and a shell see it.

use api::Reason;
use serde::Serialize;
use tonic::{Code, Status};

/// The exit codes that scripts rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Error = 1,
    Usage = 2,
    NotFound = 3,
    NotPermitted = 4,
    NoQuorum = 5,
    Conflict = 6,
    Unknown = 7,
    Refused = 8,
    /// `lease exec`: the wait was over, or a request to stop came first.
    NeverAcquired = 75,
    /// `lease exec`: the program was stopped.
    Lost = 76,
    /// `lease exec`, as shells have it.
    CannotBeRun = 126,
    NoSuchProgram = 127,
}

/// A failure with its cause and the next command to try.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    pub exit: Exit,
    pub reason: String,
    pub message: String,
    pub next: String,
    /// All reasons there are, each as the name that programs switch on and the words for people, of a refusal that tells more
    /// than one at once.
    pub reasons: Vec<(String, String)>,
}

/// What `-o json` prints on standard error.
#[derive(Serialize)]
struct Json<'a> {
    code: i32,
    reason: &'a str,
    message: &'a str,
    next: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasons: Vec<Said<'a>>,
}

/// One reason of several.
#[derive(Serialize)]
struct Said<'a> {
    reason: &'a str,
    message: &'a str,
}

impl Failure {
    pub fn new(exit: Exit, reason: &str, message: impl Into<String>, next: &str) -> Self {
        Self { exit, reason: reason.into(), message: message.into(), next: next.into(), reasons: Vec::new() }
    }

    pub fn usage(message: String) -> Self {
        Self::new(Exit::Usage, "USAGE", message, "tenure --help")
    }

    pub fn deadline() -> Self {
        let message = "no answer in time; what became of the request is unknown";
        Self::new(Exit::Unknown, "OUTCOME_UNKNOWN", message, "tenure status")
    }

    pub fn unreachable(address: &str, status: &Status) -> Self {
        let message = format!("no node could be reached, last {address}: {}", status.message());
        Self::new(Exit::NoQuorum, "UNREACHABLE", message, "check --endpoints, then start a node: tenure dev")
    }

    pub fn from_status(status: Status) -> Self {
        let reason = api::reason_of(&status);
        let (exit, next) = match reason {
            Some(Reason::NoQuorum) => (Exit::NoQuorum, "tenure status"),
            Some(Reason::OutcomeUnknown) => (Exit::Unknown, "tenure status"),
            Some(Reason::Expired) => (Exit::NotFound, "tenure lease acquire NAME --holder H --ttl 10s"),
            Some(Reason::Fenced | Reason::NotHolder) => (Exit::Conflict, "tenure lease get NAME"),
            Some(
                Reason::Limit
                | Reason::DiskLow
                | Reason::OutOfService
                | Reason::Draining
                | Reason::HistoryIncomplete,
            ) => (Exit::Refused, "tenure status"),
            Some(Reason::Refused) => (Exit::Conflict, "tenure status"),
            Some(Reason::DuplicateKey | Reason::KeyExpired) => {
                (Exit::Conflict, "use a new key for a new order")
            }
            Some(Reason::WrongLease) => (Exit::Conflict, "trade under the lease of the strategy"),
            Some(Reason::OrderState) => (Exit::Conflict, "tenure order get ID"),
            Some(Reason::Killed) => (Exit::Refused, "tenure kill-switch show"),
            Some(Reason::Mode) => (Exit::Refused, "tenure mode show"),
            Some(Reason::BreakerOpen) => (Exit::Refused, "tenure breaker list"),
            Some(Reason::Unreconciled | Reason::NodesDiffer) => (Exit::Refused, "tenure status"),
            Some(Reason::Full) => (Exit::Refused, "use keys that begin with their time"),
            Some(Reason::InvalidOrder) => (Exit::Usage, "correct the order"),
            Some(Reason::AccountMode) => {
                (Exit::Usage, "tenure order submit of a gateway account, authorize of a direct one")
            }
            Some(Reason::UnknownOrder) => (Exit::NotFound, "tenure order list"),
            Some(Reason::UnknownName) => (Exit::NotFound, "tenure config show"),
            Some(Reason::StaleRevision) => (Exit::Conflict, "tenure config show"),
            Some(Reason::NotPermitted) => (Exit::NotPermitted, "tenure status"),
            Some(Reason::Invalid) => (Exit::Usage, "tenure --help"),
            Some(Reason::NotFound) => (Exit::NotFound, "tenure member list"),
            None => match status.code() {
                Code::PermissionDenied | Code::Unauthenticated => (Exit::NotPermitted, "tenure --help"),
                Code::DeadlineExceeded | Code::Unknown | Code::Cancelled => (Exit::Unknown, "tenure status"),
                Code::Unavailable => (Exit::Unknown, "tenure status"),
                _ => (Exit::Error, "tenure status"),
            },
        };
        let reason =
            reason.map_or_else(|| format!("{:?}", status.code()).to_uppercase(), |r| r.name().into());
        let reasons = api::all_reasons(&status);
        Self { exit, reason, message: status.message().into(), next: next.into(), reasons }
    }

    /// Writes the failure to standard error, in the form that was asked for.
    pub fn print(&self, json: bool) {
        if json {
            let Self { exit, reason, message, next, reasons } = self;
            let reasons = reasons.iter().map(|(reason, message)| Said { reason, message }).collect();
            let json = Json { code: *exit as i32, reason, message, next, reasons };
            eprintln!("{}", serde_json::to_string(&json).expect("strings and a number"));
        } else {
            eprintln!("tenure: {}\n  next: {}", self.message, self.next);
        }
    }
}
