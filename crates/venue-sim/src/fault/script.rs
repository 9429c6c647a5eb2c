//! The words of a fault script: what a fault waits for, and what it does.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::signal::Signal;
use crate::amount;

/// One fault, of requests or of the user data stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case")]
pub enum Fault {
    Request(Rule<RequestMatch, RequestAct>),
    Event(Rule<EventMatch, EventAct>),
}

/// What a fault waits for, and what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule<M, A> {
    /// For people, and for the ledger.
    #[serde(default)]
    pub name: String,
    #[serde(rename = "match", default)]
    pub matched: M,
    /// The first that is met of those that match, counted from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many are met; null for all.
    #[serde(default = "only_one")]
    pub count: Option<u64>,
    /// Between `"0"` and `"1"`: how likely one is met, as the seed decides.
    #[serde(default)]
    pub chance: Option<String>,
    #[serde(rename = "do")]
    pub act: A,
}

/// What a request must be; what is left out may be anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestMatch {
    /// Of HTTP, in upper case.
    pub method: Option<String>,
    pub path: Option<String>,
    /// A method of the WebSocket API.
    pub ws_method: Option<String>,
    pub symbol: Option<String>,
    /// `newClientOrderId` of a new order, `origClientOrderId` of a cancel or a query.
    pub client_order_id: Option<String>,
    /// Where it comes from.
    pub address: Option<String>,
}

/// What an event must be; what is left out may be anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EventMatch {
    /// `executionReport`, `outboundAccountPosition` or `balanceUpdate`; of futures `ORDER_TRADE_UPDATE`, `ACCOUNT_UPDATE`
    /// or `ACCOUNT_CONFIG_UPDATE`.
    pub event: Option<String>,
    /// Of an execution report: `NEW`, `TRADE`, `CANCELED` …
    pub execution: Option<String>,
    pub symbol: Option<String>,
    pub client_order_id: Option<String>,
}

/// What happens to a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestAct {
    /// It is never carried out; the connection is closed without an answer.
    DropRequest,
    /// It is carried out; the connection is closed without an answer.
    DropResponse,
    /// No answer for so long; then the connection is closed.
    Hang(Hang),
    /// It is carried out; the head of the answer promises more bytes than come, then the connection is closed.
    /// Over WebSocket as `drop_response`.
    CutBody(CutBody),
    /// It is carried out and answered late.
    Delay(Delay),
    /// Another answer than the true one.
    Answer(Answer),
    /// It is carried out and answered; then the connection is closed.
    Close,
    /// It is never carried out; the caller is sent elsewhere. Over WebSocket as `drop_request`.
    Redirect(Redirect),
}

/// See [`RequestAct::Hang`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hang {
    pub ms: u64,
    /// Whether it is carried out all the same.
    pub executed: bool,
}

/// See [`RequestAct::CutBody`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutBody {
    /// How many bytes of the body come.
    pub after_bytes: usize,
}

/// See [`RequestAct::Delay`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Delay {
    /// Between its arrival and the engine: its timestamp is looked at on both sides of this.
    pub before_ms: u64,
    /// Between the engine and the answer.
    pub after_ms: u64,
}

/// See [`RequestAct::Answer`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Whether it is carried out all the same.
    pub executed: bool,
    /// An answer by name; or else `status`.
    #[serde(default)]
    pub signal: Option<Signal>,
    #[serde(default)]
    pub status: Option<u16>,
    /// Without a code, some machine answers in HTML.
    #[serde(default)]
    pub code: Option<i64>,
    #[serde(default)]
    pub msg: Option<String>,
    #[serde(default)]
    pub retry_after_s: Option<i64>,
}

/// See [`RequestAct::Redirect`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    pub location: String,
}

/// What happens to an event of the user data stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventAct {
    /// It is not told; the stream goes on.
    Lose,
    /// It is told twice.
    Duplicate,
    /// It is told after the next one.
    Reorder,
    /// It is told later; those after it are not.
    Delay(EventDelay),
    /// It is not told, and the connections that listen are closed.
    CloseStream,
}

/// See [`EventAct::Delay`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventDelay {
    pub ms: u64,
}

fn one() -> u64 {
    1
}

fn only_one() -> Option<u64> {
    Some(1)
}

impl Fault {
    /// Reads a fault; the error says what is wrong with it.
    pub fn parse(value: &Value) -> Result<Fault, String> {
        let fault: Fault = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        match &fault {
            Fault::Request(rule) => {
                rule.check()?;
                rule.matched.check()?;
                rule.act.check()?;
            }
            Fault::Event(rule) => rule.check()?,
        }
        Ok(fault)
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Fault::Request(rule) => &rule.name,
            Fault::Event(rule) => &rule.name,
        }
    }
}

impl<M, A> Rule<M, A> {
    fn check(&self) -> Result<(), String> {
        if self.nth == 0 {
            return Err("nth counts from 1".into());
        }
        let likely = |chance: &String| amount::parse(chance).is_some_and(|chance| chance <= Decimal::ONE);
        match &self.chance {
            Some(chance) if !likely(chance) => {
                Err(format!("chance {chance:?} is no decimal between \"0\" and \"1\""))
            }
            _ => Ok(()),
        }
    }
}

impl RequestMatch {
    fn check(&self) -> Result<(), String> {
        if self.ws_method.is_some() && (self.path.is_some() || self.method.is_some()) {
            return Err("a request has either a ws_method, or a method and a path".into());
        }
        Ok(())
    }
}

impl RequestAct {
    fn check(&self) -> Result<(), String> {
        match self {
            RequestAct::Answer(answer) => match (answer.signal, answer.status) {
                (Some(_), None) | (None, Some(200..=599)) => Ok(()),
                (None, Some(status)) => Err(format!("status {status} is not between 200 and 599")),
                _ => Err("an answer has either a signal or a status".into()),
            },
            RequestAct::Redirect(Redirect { status: 301 | 302 | 303 | 307 | 308, .. }) => Ok(()),
            RequestAct::Redirect(redirect) => Err(format!("status {} does not redirect", redirect.status)),
            _ => Ok(()),
        }
    }
}
