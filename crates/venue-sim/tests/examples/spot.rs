//! Spot: each answer of REST, of the WebSocket API and of the streams that has an example.

use serde_json::{Value, json};
use venue_sim::Quoting;
use venue_sim::engine::Product;

use super::Examples;
use crate::client::{Client, quiet};
use crate::sessions::{logon, with_signature};

/// Icebergs, trailing stops, smart routing and pegs, which the exchange does not have.
const NO_SUCH_ORDERS: [&str; 8] = [
    "trailingDelta",
    "trailingTime",
    "usedSor",
    "workingFloor",
    "pegPriceType",
    "pegOffsetType",
    "pegOffsetValue",
    "peggedPrice",
];

fn examples() -> Examples {
    Examples::read(include_str!("spot.json"))
}

/// Everything that a case names, beside orders that there are not.
fn also(absent: &[&'static str]) -> Vec<&'static str> {
    NO_SUCH_ORDERS.iter().chain(absent).copied().collect()
}

fn quoted() -> Client {
    let mut options = quiet();
    options.quoting = Some(Quoting::default());
    let mut client = Client::new(options);
    client.wait(1000);
    client
}

fn placed(client: &mut Client, query: &str) -> Value {
    let (status, order) = client.signed("POST", "/api/v3/order", query);
    assert_eq!(status, 200, "{query}: {order}");
    order
}

const LABELS: &str = "strategyId=7&strategyType=1000000&newOrderRespType=FULL";

/// A stop with labels that waits, and one that was prevented from trading with its own account; the rest rests.
fn orders(client: &mut Client) {
    placed(
        client,
        &format!(
            "symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.1&price=50000&stopPrice=51000&newClientOrderId=stop&{LABELS}"
        ),
    );
    placed(
        client,
        "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.1&price=60000&newClientOrderId=own",
    );
    placed(
        client,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=60000&newClientOrderId=taker&selfTradePreventionMode=EXPIRE_TAKER",
    );
    placed(
        client,
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=0.1&price=59000&newClientOrderId=ioc",
    );
}

#[test]
fn public_answers() {
    let examples = examples();
    let mut client = quoted();
    client.wait(1000);
    for (name, path, query, absent) in [
        ("time", "/api/v3/time", "", &[] as &[&str]),
        ("agg_trades", "/api/v3/aggTrades", "symbol=BTCUSDT", &[]),
        ("avg_price", "/api/v3/avgPrice", "symbol=BTCUSDT", &[]),
        ("depth", "/api/v3/depth", "symbol=BTCUSDT", &[]),
        ("get_trades", "/api/v3/trades", "symbol=BTCUSDT", &[]),
        ("historical_trades", "/api/v3/historicalTrades", "symbol=BTCUSDT", &[]),
        ("ticker24hr", "/api/v3/ticker/24hr", "symbol=BTCUSDT", &[]),
        ("ticker_book_ticker", "/api/v3/ticker/bookTicker", "symbol=BTCUSDT", &[]),
        ("ticker_price", "/api/v3/ticker/price", "symbol=BTCUSDT", &[]),
    ] {
        let (_, answer) = client.ask("GET", path, query);
        examples.compare(name, &[&answer], absent);
    }
}

/// The example has one filter and one limit for all; each of ours is looked at alone. Its exponents are of SBE.
#[test]
fn rules_of_symbols() {
    let (_, mut info) = quoted().ask("GET", "/api/v3/exchangeInfo", "symbol=BTCUSDT");
    let filters = info["symbols"][0]["filters"].as_array_mut().expect("a symbol has filters");
    filters.retain(|filter| filter["filterType"] == "PRICE_FILTER");
    info["symbols"][0]["permissions"] = json!(["SPOT"]);
    // Nothing counts for the exchange as a whole.
    let absent = ["priceExponent", "count", "sors", "exchange_info.exchangeFilters"];
    examples().compare("exchange_info", &[&info], &absent);
}

#[test]
fn answers_about_orders() {
    let examples = examples();
    let mut client = Client::new(quiet());
    orders(&mut client);
    let mut rows = Vec::new();
    for id in ["stop", "own", "taker", "ioc"] {
        rows.push(client.signed("GET", "/api/v3/order", &format!("symbol=BTCUSDT&origClientOrderId={id}")).1);
    }
    examples.compare("get_order", &rows.iter().collect::<Vec<_>>(), &also(&[]));
    let (_, all) = client.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT");
    examples.compare("all_orders", &[&all], &also(&[]));
    let (_, open) = client.signed("GET", "/api/v3/openOrders", "");
    let never_open = also(&["preventedMatchId", "preventedQuantity", "expiryReason"]);
    examples.compare("get_open_orders", &[&open], &never_open);
    let (_, canceled) = client.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=stop");
    let canceled_never = [&never_open[..], &["icebergQty"]].concat();
    examples.compare("delete_order", &[&canceled], &canceled_never);
    let (_, canceled) = client.signed("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT");
    examples.compare("delete_open_orders", &[&canceled], &[]);
    let (_, tested) = client.signed(
        "POST",
        "/api/v3/order/test",
        "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1&computeCommissionRates=true",
    );
    examples.compare("order_test", &[&tested], &[]);
}

#[test]
fn a_replacement() {
    let mut client = Client::new(quiet());
    orders(&mut client);
    let (status, replaced) = client.signed(
        "POST",
        "/api/v3/order/cancelReplace",
        &format!("symbol=BTCUSDT&side=SELL&type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.1&price=50000&stopPrice=51000&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=stop&{LABELS}"),
    );
    assert_eq!(status, 200, "{replaced}");
    let absent = also(&["icebergQty", "preventedMatchId", "preventedQuantity", "expiryReason"]);
    examples().compare("order_cancel_replace", &[&replaced], &absent);
}

#[test]
fn fills_and_accounts() {
    let examples = examples();
    let mut client = quoted();
    let order = placed(&mut client, "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1");
    examples.compare("new_order", &[&order], &[]);
    for (name, path, query) in [
        ("my_trades", "/api/v3/myTrades", "symbol=BTCUSDT"),
        ("get_account", "/api/v3/account", ""),
        ("account_commission", "/api/v3/account/commission", "symbol=BTCUSDT"),
        ("rate_limit_order", "/api/v3/rateLimit/order", ""),
    ] {
        let (_, answer) = client.signed("GET", path, query);
        examples.compare(name, &[&answer], &[]);
    }
}

#[test]
fn answers_by_websocket() {
    let examples = examples();
    let mut client = Client::new(quiet());
    let session = client.venue.connect(client.now_ms, "local", true);
    let mut ask = |method: &str, params: Value| client.ws(session, method, params);
    let with_limits = |mut answer: Value| {
        answer.as_object_mut().map(|envelope| envelope.remove("rateLimits"));
        answer
    };
    let order = json!({
        "symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS_LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "50000",
        "stopPrice": "51000", "newClientOrderId": "a", "strategyId": 7, "strategyType": 1_000_000, "newOrderRespType": "RESULT",
    });
    let mut placed = vec![ask("order.place", with_signature(order))];
    for (side, kind, more) in [
        ("SELL", "LIMIT", json!({"price": "60000", "timeInForce": "GTC"})),
        (
            "BUY",
            "LIMIT",
            json!({"price": "60000", "timeInForce": "GTC", "selfTradePreventionMode": "EXPIRE_TAKER"}),
        ),
        ("BUY", "LIMIT", json!({"price": "59000", "timeInForce": "IOC"})),
        ("BUY", "MARKET", json!({})),
    ] {
        let mut order = json!({"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": "0.1"});
        order.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        placed.push(ask("order.place", with_signature(order)));
    }
    examples.compare("order_place_ws", &placed.iter().collect::<Vec<_>>(), &also(&["icebergQty"]));
    let named = || with_signature(json!({"symbol": "BTCUSDT", "origClientOrderId": "a"}));
    let never = also(&["preventedMatchId", "preventedQuantity", "expiryReason"]);
    examples.compare("order_status_ws", &[&ask("order.status", named())], &never);
    let of_lists = [
        "contingencyType",
        "listClientOrderId",
        "listOrderStatus",
        "listStatusType",
        "orderReports",
        "orders",
        "transactionTime",
    ];
    let never = [&never[..], &["icebergQty"], &of_lists].concat();
    examples.compare("order_cancel_ws", &[&ask("order.cancel", named())], &never);
    examples.compare("account_status_ws", &[&ask("account.status", with_signature(json!({})))], &[]);
    let counts = ask("account.rateLimits.orders", with_signature(json!({})));
    examples.compare("account_rate_limits_orders", &[&counts], &[]);
    examples.compare("session_logon", &[&with_limits(ask("session.logon", logon()))], &[]);
    let subscribed = ask("userDataStream.subscribe.signature", with_signature(json!({})));
    examples.compare("user_data_stream_subscribe_signature", &[&with_limits(subscribed)], &[]);
    for (name, method) in
        [("session_status", "session.status"), ("session_subscriptions", "session.subscriptions")]
    {
        examples.compare(name, &[&with_limits(ask(method, json!({})))], &[]);
    }
}

#[test]
fn messages_of_streams() {
    let examples = examples();
    let mut client = quoted();
    let streams = ["btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth"];
    client.venue.listen(client.now_ms, Product::Spot, true, &streams);
    client.wait(2000);
    let heard: Vec<Value> = std::iter::from_fn(|| client.heard()).collect();
    for (stream, name) in streams.iter().zip(["stream_trade", "stream_book_ticker", "stream_depth"]) {
        let messages: Vec<&Value> = heard
            .iter()
            .filter(|message| message["stream"] == *stream)
            .map(|message| &message["data"])
            .collect();
        assert!(!messages.is_empty(), "{stream} says nothing");
        examples.compare(name, &messages, &[]);
    }
}

#[test]
fn events_of_an_account() {
    let examples = examples();
    let mut client = Client::new(quiet());
    let session = client.venue.connect(client.now_ms, "local", false);
    client.ws(session, "userDataStream.subscribe.signature", with_signature(json!({})));
    orders(&mut client);
    client.venue.fill(r#"{"symbol": "BTCUSDT", "client_order_id": "own"}"#).expect("it rests");
    client.signed("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=stop");
    client.venue.deposit(r#"{"asset": "BTC", "amount": "1"}"#).expect("a right amount");
    let heard: Vec<Value> =
        std::iter::from_fn(|| client.heard()).map(|frame| frame["event"].clone()).collect();
    let of = |kind: &str| heard.iter().filter(|event| event["e"] == kind).collect::<Vec<_>>();
    // Trailing stops (d, D), allocations of smart routing (a, b, k, uS) and pegs (g…) are not there, nor what a prevented
    // order would have bought had its market been another (pl, pY).
    let absent = ["d", "D", "a", "b", "k", "uS", "gP", "gOT", "gOV", "gp", "pl", "pY"];
    examples.compare_event("executionReport", &of("executionReport"), &absent);
    let positions = of("outboundAccountPosition");
    examples.compare_event("outboundAccountPosition", &positions, &[]);
    let balances: Vec<&Value> =
        positions.iter().flat_map(|position| position["B"].as_array()).flatten().collect();
    examples.compare_event("outboundAccountPosition.B", &balances, &[]);
    examples.compare_event("balanceUpdate", &of("balanceUpdate"), &[]);
}
