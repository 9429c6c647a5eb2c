//! What an exchange says when something is wrong, by name.

use serde::{Deserialize, Serialize};

/// An answer of the exchange that is not the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    Unknown,
    Disconnected,
    Unauthorized,
    TooManyRequests,
    Banned,
    UnexpectedResponse,
    BackendTimeout,
    ServerBusy,
    TooManyOrders,
    ShuttingDown,
    BadTimestamp,
    BadSignature,
    RejectedKey,
    InsufficientBalance,
    DuplicateOrder,
    MarketClosed,
    UnknownOrder,
    NoSuchOrder,
    Firewall,
    RequestTimeout,
    InternalError,
    BadGateway,
    ServiceUnavailable,
    GatewayTimeout,
}

/// Status, and code and text if the exchange itself answers and no machine before it.
pub(crate) struct Meaning {
    pub(crate) status: u16,
    pub(crate) error: Option<(i64, &'static str)>,
}

impl Signal {
    pub(crate) fn meaning(self) -> Meaning {
        let of_exchange = |status, code, msg| Meaning { status, error: Some((code, msg)) };
        let of_machine = |status| Meaning { status, error: None };
        match self {
            Signal::Unknown => {
                of_exchange(500, -1000, "An unknown error occurred while processing the request.")
            }
            Signal::Disconnected => {
                of_exchange(500, -1001, "Internal error; unable to process your request. Please try again.")
            }
            Signal::Unauthorized => {
                of_exchange(401, -1002, "You are not authorized to execute this request.")
            }
            Signal::TooManyRequests => of_exchange(
                429,
                -1003,
                "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.",
            ),
            Signal::Banned => of_exchange(
                418,
                -1003,
                "Way too much request weight used; IP banned. Please use WebSocket Streams for live updates to avoid bans.",
            ),
            Signal::UnexpectedResponse => of_exchange(
                500,
                -1006,
                "An unexpected response was received from the message bus. Execution status unknown.",
            ),
            Signal::BackendTimeout => of_exchange(
                504,
                -1007,
                "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
            ),
            Signal::ServerBusy => of_exchange(
                503,
                -1008,
                "Server is currently overloaded with other requests. Please try again in a few minutes.",
            ),
            Signal::TooManyOrders => {
                of_exchange(429, -1015, "Too many new orders; current limit is 100 orders per 10 SECOND.")
            }
            Signal::ShuttingDown => of_exchange(503, -1016, "This service is no longer available."),
            Signal::BadTimestamp => {
                of_exchange(400, -1021, "Timestamp for this request is outside of the recvWindow.")
            }
            Signal::BadSignature => of_exchange(400, -1022, "Signature for this request is not valid."),
            Signal::RejectedKey => of_exchange(401, -2015, "Invalid API-key, IP, or permissions for action."),
            Signal::InsufficientBalance => {
                of_exchange(400, -2010, "Account has insufficient balance for requested action.")
            }
            Signal::DuplicateOrder => of_exchange(400, -2010, "Duplicate order sent."),
            Signal::MarketClosed => of_exchange(400, -2010, "Market is closed."),
            Signal::UnknownOrder => of_exchange(400, -2011, "Unknown order sent."),
            Signal::NoSuchOrder => of_exchange(400, -2013, "Order does not exist."),
            Signal::Firewall => of_machine(403),
            Signal::RequestTimeout => of_machine(408),
            Signal::InternalError => of_machine(500),
            Signal::BadGateway => of_machine(502),
            Signal::ServiceUnavailable => of_machine(503),
            Signal::GatewayTimeout => of_machine(504),
        }
    }
}
