//! How a request that was not carried out is answered: `{"code","reason","message","next"}` and a fitting status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tonic::Code;
use tonic_types::StatusExt;

use crate::limits::RETRY_AFTER_S;

const SAME_ID: &str =
    "repeat it within 30 s with the same request_id: it runs once, and the answer says what became of it";
const READY: &str = "GET /readyz?verbose";

/// An answer that says no. The reason is from the closed list of the services, so that a program reads one word
/// whichever way it came.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    reason: String,
    message: String,
    next: &'static str,
    /// All there are, where a service gives more than one.
    reasons: Vec<Reason>,
}

/// One reason of several.
#[derive(Debug, Serialize)]
struct Reason {
    reason: String,
    message: String,
}

#[derive(Serialize)]
struct View<'a> {
    code: u16,
    reason: &'a str,
    message: &'a str,
    next: &'a str,
    #[serde(skip_serializing_if = "<[Reason]>::is_empty")]
    reasons: &'a [Reason],
}

impl Refusal {
    fn new(
        status: StatusCode,
        reason: impl Into<String>,
        message: impl Into<String>,
        next: &'static str,
    ) -> Self {
        Self { status, reason: reason.into(), message: message.into(), next, reasons: Vec::new() }
    }

    /// The request itself is wrong.
    pub(crate) fn invalid(status: StatusCode, message: impl Into<String>, next: &'static str) -> Self {
        Self::new(status, "INVALID", message, next)
    }

    pub(crate) fn not_found(message: impl Into<String>, next: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message, next)
    }

    pub(crate) fn outcome_unknown(message: impl Into<String>) -> Self {
        let (status, next) = table("OUTCOME_UNKNOWN").expect("it is in the table");
        Self::new(status, "OUTCOME_UNKNOWN", message, next)
    }

    /// Nothing could have been changed, and nothing was learnt.
    pub(crate) fn late(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, "DEADLINE", message, READY)
    }
}

/// The status and the next thing to try, for each reason that a service may give.
fn table(reason: &str) -> Option<(StatusCode, &'static str)> {
    Some(match reason {
        "NO_QUORUM" => (StatusCode::SERVICE_UNAVAILABLE, READY),
        "OUT_OF_SERVICE" => (StatusCode::SERVICE_UNAVAILABLE, "ask another node; GET /api/v1/status"),
        "DRAINING" => (StatusCode::SERVICE_UNAVAILABLE, "ask another node"),
        "HISTORY_INCOMPLETE" => (StatusCode::SERVICE_UNAVAILABLE, "ask another node, or again in a moment"),
        "OUTCOME_UNKNOWN" => (StatusCode::GATEWAY_TIMEOUT, SAME_ID),
        "EXPIRED" => (StatusCode::CONFLICT, "POST /api/v1/leases/NAME/acquire"),
        "FENCED" | "NOT_HOLDER" => (StatusCode::CONFLICT, "GET /api/v1/leases/NAME"),
        "REFUSED" => (StatusCode::CONFLICT, "GET /api/v1/status"),
        "LIMIT" => (StatusCode::TOO_MANY_REQUESTS, "wait, then try again; GET /api/v1/status"),
        "DISK_LOW" => (StatusCode::INSUFFICIENT_STORAGE, "free disk space on this node; release still works"),
        "INVALID" => (StatusCode::BAD_REQUEST, "correct the request"),
        "NOT_FOUND" => (StatusCode::NOT_FOUND, "GET /api/v1/leases"),
        "INVALID_ORDER" => (StatusCode::BAD_REQUEST, "correct the order"),
        "UNKNOWN_ORDER" => (StatusCode::NOT_FOUND, "GET /api/v1/orders"),
        "UNKNOWN_NAME" => (StatusCode::NOT_FOUND, "GET /api/v1/config, then correct the name"),
        "NOT_PERMITTED" => (StatusCode::FORBIDDEN, "ask whoever configures the strategy"),
        "ACCOUNT_MODE" => (
            StatusCode::CONFLICT,
            "POST /api/v1/orders of a gateway account, /api/v1/orders/authorize of a direct one",
        ),
        "WRONG_LEASE" => (StatusCode::CONFLICT, "trade under the lease of the strategy"),
        "DUPLICATE_KEY" => (StatusCode::CONFLICT, "use a new key for another order"),
        "KEY_EXPIRED" => (StatusCode::CONFLICT, "use a new key"),
        "ORDER_STATE" => (StatusCode::CONFLICT, "GET /api/v1/orders/ID"),
        "KILLED" | "MODE" | "BREAKER_OPEN" | "UNRECONCILED" | "NODES_DIFFER" => {
            (StatusCode::CONFLICT, "wait until trading is allowed again, or send hold_ms with the order")
        }
        "STALE_REVISION" => (StatusCode::CONFLICT, "GET /api/v1/config, then decide again"),
        "FULL" => (StatusCode::INSUFFICIENT_STORAGE, "use keys that begin with their time"),
        _ => return None,
    })
}

fn reasons(refused: &tonic::Status) -> Vec<Reason> {
    let failure = refused.get_details_precondition_failure();
    let violations = failure.into_iter().flat_map(|failure| failure.violations);
    violations.map(|one| Reason { reason: one.r#type, message: one.description }).collect()
}

impl From<tonic::Status> for Refusal {
    fn from(refused: tonic::Status) -> Self {
        let reason = refused.get_details_error_info().map(|info| info.reason);
        let message = refused.message().to_owned();
        if let Some(reason) = reason
            && let Some((status, next)) = table(&reason)
        {
            let reasons = reasons(&refused);
            return Self { reasons, ..Self::new(status, reason, message, next) };
        }
        let code = refused.code();
        let (status, reason) = match code {
            Code::InvalidArgument | Code::OutOfRange => (StatusCode::BAD_REQUEST, "INVALID"),
            Code::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            Code::PermissionDenied => (StatusCode::FORBIDDEN, "PERMISSION_DENIED"),
            Code::Unauthenticated => (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"),
            Code::ResourceExhausted => (StatusCode::TOO_MANY_REQUESTS, "LIMIT"),
            Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => {
                (StatusCode::CONFLICT, "REFUSED")
            }
            Code::Unimplemented => (StatusCode::NOT_IMPLEMENTED, "UNIMPLEMENTED"),
            // Whoever cannot say what happened is not believed that nothing did.
            _ => return Self::outcome_unknown(message),
        };
        Self::new(status, reason, message, READY)
    }
}

impl Refusal {
    fn view(&self) -> View<'_> {
        let Self { status, reason, message, next, reasons } = self;
        View { code: status.as_u16(), reason, message, next, reasons }
    }

    /// The body by itself.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&self.view())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, reason, .. } = &self;
        let mut response = (*status, Json(self.view())).into_response();
        // What passes by itself: a client that waits a little will be served.
        if matches!(reason.as_str(), "NO_QUORUM" | "LIMIT") {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::ErrorDetails;

    use super::*;

    #[test]
    fn every_reason_has_its_status() {
        let expected = [
            ("NO_QUORUM", 503, true),
            ("OUT_OF_SERVICE", 503, false),
            ("OUTCOME_UNKNOWN", 504, false),
            ("EXPIRED", 409, false),
            ("FENCED", 409, false),
            ("NOT_HOLDER", 409, false),
            ("LIMIT", 429, true),
            ("DISK_LOW", 507, false),
            ("INVALID", 400, false),
            ("NOT_FOUND", 404, false),
            ("REFUSED", 409, false),
            ("INVALID_ORDER", 400, false),
            ("UNKNOWN_ORDER", 404, false),
            ("UNKNOWN_NAME", 404, false),
            ("NOT_PERMITTED", 403, false),
            ("ACCOUNT_MODE", 409, false),
            ("WRONG_LEASE", 409, false),
            ("DUPLICATE_KEY", 409, false),
            ("KEY_EXPIRED", 409, false),
            ("ORDER_STATE", 409, false),
            ("KILLED", 409, false),
            ("MODE", 409, false),
            ("BREAKER_OPEN", 409, false),
            ("UNRECONCILED", 409, false),
            ("FULL", 507, false),
            ("STALE_REVISION", 409, false),
        ];
        for (reason, status, again) in expected {
            let details = ErrorDetails::with_error_info(reason, "tenure", []);
            let refused = tonic::Status::with_error_details(Code::Internal, "why", details);
            let response = Refusal::from(refused).into_response();
            assert_eq!(response.status().as_u16(), status, "{reason}");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), again, "{reason}");
        }
    }

    #[test]
    fn what_has_no_reason_is_unknown_unless_its_code_says_that_nothing_was_done() {
        let status = |code| Refusal::from(tonic::Status::new(code, "why")).status.as_u16();
        for code in
            [Code::Unknown, Code::Cancelled, Code::DeadlineExceeded, Code::Unavailable, Code::Internal]
        {
            assert_eq!(status(code), 504, "{code:?}");
        }
        assert_eq!(status(Code::InvalidArgument), 400);
        assert_eq!(status(Code::PermissionDenied), 403);
        let foreign = ErrorDetails::with_error_info("SOMETHING", "elsewhere", []);
        let foreign = tonic::Status::with_error_details(Code::NotFound, "why", foreign);
        assert_eq!(Refusal::from(foreign).status.as_u16(), 404);
    }
}
