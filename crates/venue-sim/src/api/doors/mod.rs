//! Every door: its name by REST and by WebSocket, who may come in, what it weighs and which parameters it reads.

mod futures;
mod spot;

use super::futures::Act;
use crate::params::Params;

/// What the paths of futures begin with.
pub(crate) const FUTURES_PATH: &str = "/fapi/";

/// What is done behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Ping,
    Time,
    ExchangeInfo,
    Depth,
    Trades,
    OldTrades,
    AggregateTrades,
    Candles,
    AveragePrice,
    TickerPrice,
    TickerBook,
    TickerDay,
    PlaceOrder,
    TestOrder,
    CancelOrder,
    CancelReplace,
    CancelOpenOrders,
    QueryOrder,
    OpenOrders,
    AllOrders,
    MyTrades,
    Account,
    OrderCount,
    Commission,
    SystemStatus,
    Coins,
    TradeFees,
    NoMarginPairs,
    NoOrderLists,
    Logon,
    Logout,
    SessionStatus,
    Subscriptions,
    Subscribe,
    SubscribeBySignature,
    Unsubscribe,
    Futures(Act),
}

impl Operation {
    /// It changes orders: the ledger has every one.
    pub(crate) fn is_of_orders(self) -> bool {
        matches!(
            self,
            Operation::PlaceOrder
                | Operation::CancelOrder
                | Operation::CancelReplace
                | Operation::CancelOpenOrders
        ) || matches!(self, Operation::Futures(act) if act.is_of_orders())
    }

    /// Its answer tells how many orders there were.
    pub(crate) fn counts_orders(self) -> bool {
        matches!(
            self,
            Operation::PlaceOrder
                | Operation::CancelReplace
                | Operation::Futures(Act::PlaceOrder | Act::PlaceBatch)
        )
    }

    /// It answers while the exchange is in maintenance.
    pub(crate) fn is_of_status(self) -> bool {
        matches!(
            self,
            Operation::Ping
                | Operation::Time
                | Operation::SystemStatus
                | Operation::Futures(Act::Ping | Act::Time)
        )
    }
}

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Anybody,
    /// With an API key.
    Keyed,
    /// With an API key, a timestamp and a signature; in a session that has logged on, the timestamp alone.
    Signed,
    /// Within a WebSocket session; the operation looks at what it needs.
    Session,
}

/// One row of the table.
pub(crate) struct Door {
    pub(crate) operation: Operation,
    /// Method and path of REST.
    pub(crate) rest: Option<(&'static str, &'static str)>,
    /// Method of the WebSocket API.
    pub(crate) ws: Option<&'static str>,
    pub(crate) security: Security,
    weight: u32,
    parameters: &'static [&'static str],
}

const REPLACE: &[&str] = &[
    "cancelReplaceMode",
    "cancelNewClientOrderId",
    "cancelOrigClientOrderId",
    "cancelOrderId",
    "cancelRestrictions",
    "orderRateLimitExceededMode",
];
/// What every request may have.
const COMMON: &[&str] = &["timestamp", "recvWindow", "signature", "apiKey", "returnRateLimits"];

const fn door(
    operation: Operation,
    rest: Option<(&'static str, &'static str)>,
    ws: Option<&'static str>,
    security: Security,
    weight: u32,
    parameters: &'static [&'static str],
) -> Door {
    Door { operation, rest, ws, security, weight, parameters }
}

const fn get(path: &'static str) -> Option<(&'static str, &'static str)> {
    Some(("GET", path))
}

/// Every door.
fn doors() -> impl Iterator<Item = &'static Door> {
    spot::DOORS.iter().chain(futures::DOORS)
}

/// The door of a method and a path of REST.
pub(crate) fn by_path(method: &str, path: &str) -> Option<&'static Door> {
    doors().find(|door| door.rest == Some((method, path)))
}

/// Whether a path is there for some other method.
pub(crate) fn is_path(path: &str) -> bool {
    doors().any(|door| door.rest.is_some_and(|(_, of_door)| of_door == path))
}

/// The door of a method of the WebSocket API, with or without its version.
pub(crate) fn by_method(method: &str) -> Option<&'static Door> {
    let method = method.strip_prefix("v3/").unwrap_or(method);
    doors().find(|door| door.ws == Some(method))
}

impl Door {
    /// What a request weighs.
    pub(crate) fn weight(&self, params: &Params) -> u32 {
        let has = |name| params.raw(name).is_some();
        match self.operation {
            Operation::OpenOrders if !has("symbol") => 80,
            Operation::MyTrades if has("orderId") => 5,
            Operation::TickerPrice | Operation::TickerBook if !has("symbol") => 4,
            Operation::TickerDay if !has("symbol") => 80,
            Operation::Futures(act) => act.weight(params).unwrap_or(self.weight),
            Operation::Depth => match params.raw("limit").and_then(|limit| limit.parse().ok()) {
                None | Some(0..=100_u64) => 5,
                Some(101..=500) => 25,
                Some(501..=1000) => 50,
                Some(_) => 250,
            },
            _ => self.weight,
        }
    }

    /// Whether the door reads a parameter of this name.
    pub(crate) fn reads(&self, name: &str) -> bool {
        let is_replace = self.operation == Operation::CancelReplace;
        self.parameters.contains(&name)
            || COMMON.contains(&name)
            || (is_replace && REPLACE.contains(&name))
            || (self.operation == Operation::TestOrder && name == "computeCommissionRates")
    }
}
