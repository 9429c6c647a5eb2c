//! The doors of futures.

use super::Security::{Anybody, Keyed, Signed};
use super::{Act, Door, Operation, Security, door};

const ORDER: &[&str] = &[
    "symbol",
    "side",
    "positionSide",
    "type",
    "timeInForce",
    "quantity",
    "reduceOnly",
    "price",
    "newClientOrderId",
    "stopPrice",
    "closePosition",
    "activationPrice",
    "callbackRate",
    "workingType",
    "priceProtect",
    "newOrderRespType",
    "priceMatch",
    "selfTradePreventionMode",
    "goodTillDate",
];
const WHICH: &[&str] = &["symbol", "orderId", "origClientOrderId"];
const WHICH_OF_SEVERAL: &[&str] = &["symbol", "orderIdList", "origClientOrderIdList"];
const SYMBOL: &[&str] = &["symbol"];
const LISTED: &[&str] = &["symbol", "limit"];
const TRADES: &[&str] = &["symbol", "fromId", "startTime", "endTime", "limit"];
const CANDLES: &[&str] = &["symbol", "interval", "startTime", "endTime", "limit"];
const ROWS: &[&str] = &["symbol", "orderId", "startTime", "endTime", "fromId", "limit"];

const fn rest(
    act: Act,
    method: &'static str,
    path: &'static str,
    security: Security,
    weight: u32,
    parameters: &'static [&'static str],
) -> Door {
    door(Operation::Futures(act), Some((method, path)), None, security, weight, parameters)
}

pub(super) const DOORS: &[Door] = &[
    rest(Act::Ping, "GET", "/fapi/v1/ping", Anybody, 1, &[]),
    rest(Act::Time, "GET", "/fapi/v1/time", Anybody, 1, &[]),
    rest(Act::ExchangeInfo, "GET", "/fapi/v1/exchangeInfo", Anybody, 1, &[]),
    rest(Act::Depth, "GET", "/fapi/v1/depth", Anybody, 5, LISTED),
    rest(Act::Trades, "GET", "/fapi/v1/trades", Anybody, 5, LISTED),
    rest(Act::OldTrades, "GET", "/fapi/v1/historicalTrades", Keyed, 20, TRADES),
    rest(Act::AggregateTrades, "GET", "/fapi/v1/aggTrades", Anybody, 20, TRADES),
    rest(Act::Candles, "GET", "/fapi/v1/klines", Anybody, 5, CANDLES),
    rest(Act::TickerPrice, "GET", "/fapi/v1/ticker/price", Anybody, 1, SYMBOL),
    rest(Act::TickerPrice, "GET", "/fapi/v2/ticker/price", Anybody, 1, SYMBOL),
    rest(Act::TickerBook, "GET", "/fapi/v1/ticker/bookTicker", Anybody, 2, SYMBOL),
    rest(Act::TickerDay, "GET", "/fapi/v1/ticker/24hr", Anybody, 1, SYMBOL),
    rest(Act::MarkPrice, "GET", "/fapi/v1/premiumIndex", Anybody, 1, SYMBOL),
    rest(Act::PlaceOrder, "POST", "/fapi/v1/order", Signed, 1, ORDER),
    rest(Act::TestOrder, "POST", "/fapi/v1/order/test", Signed, 1, ORDER),
    rest(Act::PlaceBatch, "POST", "/fapi/v1/batchOrders", Signed, 5, &["batchOrders"]),
    rest(Act::CancelOrder, "DELETE", "/fapi/v1/order", Signed, 1, WHICH),
    rest(Act::CancelBatch, "DELETE", "/fapi/v1/batchOrders", Signed, 1, WHICH_OF_SEVERAL),
    rest(Act::CancelOpenOrders, "DELETE", "/fapi/v1/allOpenOrders", Signed, 1, SYMBOL),
    rest(Act::Countdown, "POST", "/fapi/v1/countdownCancelAll", Signed, 10, &["symbol", "countdownTime"]),
    rest(Act::QueryOrder, "GET", "/fapi/v1/order", Signed, 1, WHICH),
    rest(Act::QueryOpenOrder, "GET", "/fapi/v1/openOrder", Signed, 1, WHICH),
    rest(Act::OpenOrders, "GET", "/fapi/v1/openOrders", Signed, 1, SYMBOL),
    rest(Act::AllOrders, "GET", "/fapi/v1/allOrders", Signed, 5, ROWS),
    rest(Act::UserTrades, "GET", "/fapi/v1/userTrades", Signed, 5, ROWS),
    rest(Act::AccountV2, "GET", "/fapi/v2/account", Signed, 5, &[]),
    rest(Act::AccountV3, "GET", "/fapi/v3/account", Signed, 5, &[]),
    rest(Act::BalanceV2, "GET", "/fapi/v2/balance", Signed, 5, &[]),
    rest(Act::BalanceV3, "GET", "/fapi/v3/balance", Signed, 5, &[]),
    rest(Act::PositionRiskV2, "GET", "/fapi/v2/positionRisk", Signed, 5, SYMBOL),
    rest(Act::PositionRiskV3, "GET", "/fapi/v3/positionRisk", Signed, 5, SYMBOL),
    rest(Act::SetLeverage, "POST", "/fapi/v1/leverage", Signed, 1, &["symbol", "leverage"]),
    rest(Act::SetMarginType, "POST", "/fapi/v1/marginType", Signed, 1, &["symbol", "marginType"]),
    rest(Act::PositionMode, "GET", "/fapi/v1/positionSide/dual", Signed, 30, &[]),
    rest(Act::SetPositionMode, "POST", "/fapi/v1/positionSide/dual", Signed, 1, &["dualSidePosition"]),
    rest(Act::AssetsMode, "GET", "/fapi/v1/multiAssetsMargin", Signed, 30, &[]),
    rest(Act::AccountConfig, "GET", "/fapi/v1/accountConfig", Signed, 5, &[]),
    rest(Act::SymbolConfig, "GET", "/fapi/v1/symbolConfig", Signed, 5, SYMBOL),
    rest(Act::Brackets, "GET", "/fapi/v1/leverageBracket", Signed, 1, SYMBOL),
    rest(Act::Commission, "GET", "/fapi/v1/commissionRate", Signed, 20, SYMBOL),
    rest(Act::OrderCount, "GET", "/fapi/v1/rateLimit/order", Signed, 1, &[]),
    rest(Act::StartStream, "POST", "/fapi/v1/listenKey", Keyed, 1, &[]),
    rest(Act::KeepStream, "PUT", "/fapi/v1/listenKey", Keyed, 1, &["listenKey"]),
    rest(Act::EndStream, "DELETE", "/fapi/v1/listenKey", Keyed, 1, &["listenKey"]),
];
