//! Every door: its name by REST and by WebSocket, who may come in, what it weighs and which parameters it reads.

use crate::params::Params;

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
        )
    }

    /// Its answer tells how many orders there were.
    pub(crate) fn counts_orders(self) -> bool {
        matches!(self, Operation::PlaceOrder | Operation::CancelReplace)
    }

    /// It answers while the exchange is in maintenance.
    pub(crate) fn is_of_status(self) -> bool {
        matches!(self, Operation::Ping | Operation::Time | Operation::SystemStatus)
    }
}

/// Who may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Anybody,
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

const ORDER: &[&str] = &[
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "stopPrice",
    "trailingDelta",
    "icebergQty",
    "newOrderRespType",
    "selfTradePreventionMode",
    "pegPriceType",
    "pegOffsetValue",
    "pegOffsetType",
];
const REPLACE: &[&str] = &[
    "cancelReplaceMode",
    "cancelNewClientOrderId",
    "cancelOrigClientOrderId",
    "cancelOrderId",
    "cancelRestrictions",
    "orderRateLimitExceededMode",
];
const TICKER: &[&str] = &["symbol", "symbols", "symbolStatus", "type"];
const TRADES: &[&str] = &["symbol", "fromId", "startTime", "endTime", "limit"];
const CANDLES: &[&str] = &["symbol", "interval", "startTime", "endTime", "timeZone", "limit"];
const ROWS: &[&str] = &["symbol", "orderId", "startTime", "endTime", "fromId", "limit"];
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

use Security::{Anybody, Session, Signed};

const DOORS: &[Door] = &[
    door(Operation::Ping, get("/api/v3/ping"), Some("ping"), Anybody, 1, &[]),
    door(Operation::Time, get("/api/v3/time"), Some("time"), Anybody, 1, &[]),
    door(
        Operation::ExchangeInfo,
        get("/api/v3/exchangeInfo"),
        Some("exchangeInfo"),
        Anybody,
        20,
        &["symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"],
    ),
    door(
        Operation::Depth,
        get("/api/v3/depth"),
        Some("depth"),
        Anybody,
        5,
        &["symbol", "limit", "symbolStatus"],
    ),
    door(
        Operation::Trades,
        get("/api/v3/trades"),
        Some("trades.recent"),
        Anybody,
        25,
        &["symbol", "limit", "symbolStatus"],
    ),
    door(
        Operation::OldTrades,
        get("/api/v3/historicalTrades"),
        Some("trades.historical"),
        Anybody,
        25,
        TRADES,
    ),
    door(Operation::AggregateTrades, get("/api/v3/aggTrades"), Some("trades.aggregate"), Anybody, 4, TRADES),
    door(Operation::Candles, get("/api/v3/klines"), Some("klines"), Anybody, 2, CANDLES),
    door(Operation::Candles, get("/api/v3/uiKlines"), Some("uiKlines"), Anybody, 2, CANDLES),
    door(Operation::AveragePrice, get("/api/v3/avgPrice"), Some("avgPrice"), Anybody, 2, &["symbol"]),
    door(Operation::TickerPrice, get("/api/v3/ticker/price"), Some("ticker.price"), Anybody, 2, TICKER),
    door(Operation::TickerBook, get("/api/v3/ticker/bookTicker"), Some("ticker.book"), Anybody, 2, TICKER),
    door(Operation::TickerDay, get("/api/v3/ticker/24hr"), Some("ticker.24hr"), Anybody, 2, TICKER),
    door(Operation::PlaceOrder, Some(("POST", "/api/v3/order")), Some("order.place"), Signed, 1, ORDER),
    door(Operation::TestOrder, Some(("POST", "/api/v3/order/test")), Some("order.test"), Signed, 1, ORDER),
    door(
        Operation::CancelOrder,
        Some(("DELETE", "/api/v3/order")),
        Some("order.cancel"),
        Signed,
        1,
        &["symbol", "orderId", "origClientOrderId", "newClientOrderId", "cancelRestrictions"],
    ),
    door(
        Operation::CancelReplace,
        Some(("POST", "/api/v3/order/cancelReplace")),
        Some("order.cancelReplace"),
        Signed,
        1,
        ORDER,
    ),
    door(
        Operation::CancelOpenOrders,
        Some(("DELETE", "/api/v3/openOrders")),
        Some("openOrders.cancelAll"),
        Signed,
        1,
        &["symbol"],
    ),
    door(
        Operation::QueryOrder,
        get("/api/v3/order"),
        Some("order.status"),
        Signed,
        4,
        &["symbol", "orderId", "origClientOrderId"],
    ),
    door(Operation::OpenOrders, get("/api/v3/openOrders"), Some("openOrders.status"), Signed, 6, &["symbol"]),
    door(Operation::AllOrders, get("/api/v3/allOrders"), Some("allOrders"), Signed, 20, ROWS),
    door(Operation::MyTrades, get("/api/v3/myTrades"), Some("myTrades"), Signed, 20, ROWS),
    door(
        Operation::Account,
        get("/api/v3/account"),
        Some("account.status"),
        Signed,
        20,
        &["omitZeroBalances"],
    ),
    door(
        Operation::OrderCount,
        get("/api/v3/rateLimit/order"),
        Some("account.rateLimits.orders"),
        Signed,
        40,
        &[],
    ),
    door(
        Operation::Commission,
        get("/api/v3/account/commission"),
        Some("account.commission"),
        Signed,
        20,
        &["symbol"],
    ),
    door(Operation::SystemStatus, get("/sapi/v1/system/status"), None, Anybody, 1, &[]),
    door(Operation::Coins, get("/sapi/v1/capital/config/getall"), None, Signed, 10, &[]),
    door(Operation::TradeFees, get("/sapi/v1/asset/tradeFee"), None, Signed, 1, &["symbol"]),
    door(
        Operation::NoOrderLists,
        get("/api/v3/openOrderList"),
        Some("openOrderLists.status"),
        Signed,
        6,
        &[],
    ),
    door(Operation::NoOrderLists, get("/api/v3/allOrderList"), Some("allOrderLists"), Signed, 20, ROWS),
    door(Operation::NoMarginPairs, get("/sapi/v1/margin/allPairs"), None, Anybody, 1, &["symbol"]),
    door(Operation::NoMarginPairs, get("/sapi/v1/margin/isolated/allPairs"), None, Anybody, 10, &["symbol"]),
    door(Operation::Logon, None, Some("session.logon"), Signed, 2, &[]),
    door(Operation::Logout, None, Some("session.logout"), Session, 2, &[]),
    door(Operation::SessionStatus, None, Some("session.status"), Session, 2, &[]),
    door(Operation::Subscriptions, None, Some("session.subscriptions"), Session, 2, &[]),
    door(Operation::Subscribe, None, Some("userDataStream.subscribe"), Session, 2, &[]),
    door(Operation::SubscribeBySignature, None, Some("userDataStream.subscribe.signature"), Signed, 2, &[]),
    door(Operation::Unsubscribe, None, Some("userDataStream.unsubscribe"), Session, 2, &["subscriptionId"]),
];

/// The door of a method and a path of REST.
pub(crate) fn by_path(method: &str, path: &str) -> Option<&'static Door> {
    DOORS.iter().find(|door| door.rest == Some((method, path)))
}

/// Whether a path is there for some other method.
pub(crate) fn is_path(path: &str) -> bool {
    DOORS.iter().any(|door| door.rest.is_some_and(|(_, of_door)| of_door == path))
}

/// The door of a method of the WebSocket API, with or without its version.
pub(crate) fn by_method(method: &str) -> Option<&'static Door> {
    let method = method.strip_prefix("v3/").unwrap_or(method);
    DOORS.iter().find(|door| door.ws == Some(method))
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
