//! What is refused, with the status, the code and the text that Binance documents (errors.md, errors of REST).

use serde_json::{Value, json};

use crate::engine::Rejection;

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// As of HTTP; the same stands in `status` of the WebSocket API.
    pub(crate) status: u16,
    pub(crate) code: i64,
    pub(crate) msg: String,
    /// What stands beside code and text.
    pub(crate) data: Option<Value>,
    /// When the caller may come again, in milliseconds since 1970.
    pub(crate) retry_at_ms: Option<i64>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: i64, msg: impl Into<String>) -> Refusal {
        Refusal { status, code, msg: msg.into(), data: None, retry_at_ms: None }
    }

    fn bad(code: i64, msg: impl Into<String>) -> Refusal {
        Refusal::new(400, code, msg)
    }

    /// `{"code", "msg"}`, and `data` if there is any.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({"code": self.code, "msg": self.msg});
        if let Some(data) = &self.data {
            body["data"] = data.clone();
        }
        body
    }

    pub(crate) fn too_much_weight(limit: u32, retry_at_ms: i64) -> Refusal {
        let msg = format!(
            "Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use \
             WebSocket Streams for live updates to avoid polling the API."
        );
        Refusal { retry_at_ms: Some(retry_at_ms), ..Refusal::new(429, -1003, msg) }
    }

    pub(crate) fn banned(until_ms: i64) -> Refusal {
        let msg = format!(
            "Way too much request weight used; IP banned until {until_ms}. Please use WebSocket Streams for live \
             updates to avoid bans."
        );
        Refusal { retry_at_ms: Some(until_ms), ..Refusal::new(418, -1003, msg) }
    }

    pub(crate) fn too_many_orders(limit: u32, interval: &str, retry_at_ms: i64) -> Refusal {
        let msg = format!("Too many new orders; current limit is {limit} orders per {interval}.");
        Refusal { retry_at_ms: Some(retry_at_ms), ..Refusal::new(429, -1015, msg) }
    }

    pub(crate) fn shutting_down() -> Refusal {
        Refusal::new(503, -1016, "This service is no longer available.")
    }

    pub(crate) fn outside_window() -> Refusal {
        Refusal::bad(-1021, "Timestamp for this request is outside of the recvWindow.")
    }

    pub(crate) fn ahead_of_time() -> Refusal {
        Refusal::bad(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    }

    pub(crate) fn bad_signature() -> Refusal {
        Refusal::bad(-1022, "Signature for this request is not valid.")
    }

    pub(crate) fn bad_api_key() -> Refusal {
        Refusal::new(401, -2014, "API-key format invalid.")
    }

    pub(crate) fn unknown_api_key() -> Refusal {
        Refusal::new(401, -2015, "Invalid API-key, IP, or permissions for action.")
    }

    pub(crate) fn illegal(parameter: &str, legal: &str) -> Refusal {
        let msg = format!("Illegal characters found in parameter '{parameter}'; legal range is '{legal}'.");
        Refusal::bad(-1100, msg)
    }

    pub(crate) fn duplicate_parameter() -> Refusal {
        Refusal::bad(-1101, "Duplicate values for a parameter detected.")
    }

    pub(crate) fn missing(parameter: &str) -> Refusal {
        let msg = format!("Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.");
        Refusal::bad(-1102, msg)
    }

    pub(crate) fn missing_either(one: &str, other: &str) -> Refusal {
        Refusal::bad(-1102, format!("Param '{one}' or '{other}' must be sent, but both were empty/null!"))
    }

    pub(crate) fn too_great(parameter: &str, most: u64) -> Refusal {
        Refusal::bad(
            -1102,
            format!("'{parameter}' contains unexpected value. Cannot be greater than {most}."),
        )
    }

    pub(crate) fn unread(read: usize, sent: usize) -> Refusal {
        let msg =
            format!("Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.");
        Refusal::bad(-1104, msg)
    }

    pub(crate) fn empty(parameter: &str) -> Refusal {
        Refusal::bad(-1105, format!("Parameter '{parameter}' was empty."))
    }

    pub(crate) fn not_required(parameter: &str) -> Refusal {
        Refusal::bad(-1106, format!("Parameter '{parameter}' sent when not required."))
    }

    pub(crate) fn overflowed(parameter: &str) -> Refusal {
        Refusal::bad(-1108, format!("Parameter '{parameter}' overflowed."))
    }

    pub(crate) fn too_precise(parameter: &str) -> Refusal {
        Refusal::bad(-1111, format!("Parameter '{parameter}' has too much precision."))
    }

    pub(crate) fn bad_time_in_force() -> Refusal {
        Refusal::bad(-1115, "Invalid timeInForce.")
    }

    pub(crate) fn bad_order_type() -> Refusal {
        Refusal::bad(-1116, "Invalid orderType.")
    }

    pub(crate) fn bad_side() -> Refusal {
        Refusal::bad(-1117, "Invalid side.")
    }

    pub(crate) fn bad_symbol() -> Refusal {
        Refusal::bad(-1121, "Invalid symbol.")
    }

    pub(crate) fn bad_interval() -> Refusal {
        Refusal::bad(-1120, "Invalid interval.")
    }

    pub(crate) fn interval_too_long() -> Refusal {
        Refusal::bad(-1127, "More than 24 hours between startTime and endTime.")
    }

    pub(crate) fn bad_combination() -> Refusal {
        Refusal::bad(-1128, "Combination of optional parameters invalid.")
    }

    pub(crate) fn invalid(parameter: &str) -> Refusal {
        Refusal::bad(-1130, format!("Data sent for parameter '{parameter}' is not valid."))
    }

    pub(crate) fn bad_json() -> Refusal {
        Refusal::bad(-1135, "Invalid JSON Request")
    }

    pub(crate) fn bad_cancel_restrictions() -> Refusal {
        Refusal::bad(-1145, "Invalid cancelRestrictions")
    }

    pub(crate) fn message(msg: impl Into<String>) -> Refusal {
        Refusal::bad(-1013, msg)
    }

    pub(crate) fn no_such_order() -> Refusal {
        Refusal::bad(-2013, "Order does not exist.")
    }

    /// A new order that the engine, or a filter before it, does not take.
    pub(crate) fn of_order(rejection: Rejection) -> Refusal {
        match rejection {
            Rejection::NoSuchSymbol => Refusal::bad_symbol(),
            Rejection::Filter(..) => Refusal::message(rejection.to_string()),
            _ => Refusal::bad(-2010, rejection.to_string()),
        }
    }

    /// A cancel that the engine does not take.
    pub(crate) fn of_cancel(rejection: Rejection) -> Refusal {
        match rejection {
            Rejection::NoSuchSymbol => Refusal::bad_symbol(),
            _ => Refusal::bad(-2011, rejection.to_string()),
        }
    }
}
