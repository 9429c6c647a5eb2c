//! The WebSocket API: envelopes, sessions, and what is told of an account.

use serde_json::{Value, json};
use venue_sim::engine::Product;
use venue_sim::identity::{API_KEY, ED25519_API_KEY};

use crate::client::{Client, NOON_MS, quiet, signature};

pub(crate) fn with_signature(mut params: Value) -> Value {
    params["apiKey"] = json!(API_KEY);
    params["timestamp"] = json!(NOON_MS);
    let object = params.as_object().expect("an object");
    let payload: Vec<String> = object
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned)))
        .collect();
    params["signature"] = json!(signature(&payload.join("&")));
    params
}

fn order(client_order_id: &str) -> Value {
    json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
        "price": "59000", "newClientOrderId": client_order_id,
    })
}

#[test]
fn an_answer_is_in_an_envelope_with_the_limits() {
    let mut client = Client::new(quiet());
    let session = client.venue.connect(NOON_MS, "local", true);
    let weight = |count| json!({"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000, "count": count});
    assert_eq!(
        client.ws(session, "time", json!({})),
        json!({"id": "id", "status": 200, "result": {"serverTime": NOON_MS}, "rateLimits": [weight(3)]})
    );
    assert_eq!(
        client.ws(session, "v3/ping", json!({"returnRateLimits": false})),
        json!({"id": "id", "status": 200, "result": {}})
    );
    let placed = client.ws(session, "order.place", with_signature(order("a")));
    assert_eq!((&placed["status"], &placed["result"]["status"]), (&json!(200), &json!("NEW")));
    assert_eq!(placed["rateLimits"].as_array().map(Vec::len), Some(3));
    let refused = client.ws(session, "order.place", with_signature(order("a")));
    assert_eq!(refused["error"], json!({"code": -2010, "msg": "Duplicate order sent."}));
    assert_eq!(client.ws(session, "order.place", order("b"))["error"]["code"], json!(-1102));
    assert_eq!(client.ws(session, "order.vanish", json!({}))["error"]["code"], json!(-1020));
    let status = client.ws(session, "session.status", json!({}));
    assert_eq!(
        (&status["result"]["apiKey"], &status["result"]["userDataStream"]),
        (&Value::Null, &json!(false))
    );
}

#[test]
fn who_subscribes_is_told_everything_in_order() {
    let mut client = Client::new(quiet());
    let session = client.venue.connect(NOON_MS, "local", false);
    let subscribe = "userDataStream.subscribe.signature";
    assert_eq!(
        client.ws(session, subscribe, with_signature(json!({})))["result"],
        json!({"subscriptionId": 0})
    );
    assert_eq!(client.ws(session, subscribe, with_signature(json!({})))["error"]["code"], json!(-2035));
    client.ws(session, "order.place", with_signature(order("a")));
    let told = client.heard().unwrap();
    assert_eq!(told["subscriptionId"], json!(0));
    let expected = json!({
        "e": "executionReport", "E": NOON_MS, "s": "BTCUSDT", "c": "a", "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "0.01000000", "p": "59000.00000000", "P": "0.00000000", "F": "0.00000000", "g": -1, "C": "",
        "x": "NEW", "X": "NEW", "r": "NONE", "i": 1, "l": "0.00000000", "z": "0.00000000", "L": "0.00000000",
        "n": "0", "N": null, "T": NOON_MS, "t": -1, "I": 1, "w": true, "m": false, "M": false, "O": NOON_MS,
        "Z": "0.00000000", "Y": "0.00000000", "Q": "0.00000000", "V": "NONE", "W": NOON_MS,
    });
    assert_eq!(told["event"], expected);
    assert_eq!(client.all_heard(), ["outboundAccountPosition"]);
    client.venue.fill(r#"{"symbol": "BTCUSDT", "client_order_id": "a", "quantity": "0.004"}"#).unwrap();
    let fill = client.heard().unwrap()["event"].clone();
    assert_eq!(
        [
            &fill["x"], &fill["X"], &fill["l"], &fill["z"], &fill["L"], &fill["n"], &fill["N"], &fill["t"],
            &fill["m"]
        ],
        [
            &json!("TRADE"),
            &json!("PARTIALLY_FILLED"),
            &json!("0.00400000"),
            &json!("0.00400000"),
            &json!("59000.00000000"),
            &json!("0.00000400"),
            &json!("BTC"),
            &json!(1),
            &json!(true)
        ]
    );
    client.all_heard();
    client.ws(
        session,
        "order.cancel",
        with_signature(json!({"symbol": "BTCUSDT", "orderId": 1, "newClientOrderId": "x"})),
    );
    let cancel = client.heard().unwrap()["event"].clone();
    assert_eq!([&cancel["x"], &cancel["c"], &cancel["C"]], [&json!("CANCELED"), &json!("x"), &json!("a")]);
    client.all_heard();
    client.venue.deposit(r#"{"asset": "BTC", "amount": "-1.5"}"#).unwrap();
    let update = client.heard().unwrap()["event"].clone();
    assert_eq!(
        update,
        json!({"e": "balanceUpdate", "E": NOON_MS, "a": "BTC", "d": "-1.50000000", "T": NOON_MS})
    );
    client.all_heard();
    client.venue.maintain(r#"{"on": true, "close_connections": true}"#).unwrap();
    assert_eq!(client.all_heard(), ["serverShutdown", "\"closed\""]);
}

#[test]
fn an_hmac_key_cannot_log_on_and_nobody_subscribes_before() {
    let mut client = Client::new(quiet());
    let session = client.venue.connect(NOON_MS, "local", false);
    let logon = client.ws(session, "session.logon", with_signature(json!({})));
    assert_eq!(logon["error"]["msg"], json!("HMAC_SHA256 API key is not supported."));
    assert_eq!(client.ws(session, "userDataStream.subscribe", json!({}))["status"], json!(401));
}

/// The signature was made by `openssl pkeyutl -sign -rawin` with the private key of the test identity.
pub(crate) fn logon() -> Value {
    json!({"apiKey": ED25519_API_KEY, "timestamp": NOON_MS, "signature": "t/Wy7r1wd0ZhR5CxQzSMTtxw403/sZYb+GzKLZB+Kh7COpqJSEhsAeZCnE1CtrpCutWJuWel6Z1V9WEslER0DA=="})
}

#[test]
fn who_has_logged_on_need_not_sign() {
    let mut client = Client::new(quiet());
    let session = client.venue.connect(NOON_MS, "local", false);
    let status = client.ws(session, "session.logon", logon());
    assert_eq!(status["result"]["apiKey"], json!(ED25519_API_KEY), "{status}");
    assert_eq!(
        client.ws(session, "userDataStream.subscribe", json!({}))["result"],
        json!({"subscriptionId": 0})
    );
    let mut timed = order("a");
    timed["timestamp"] = json!(NOON_MS);
    assert_eq!(client.ws(session, "order.place", timed)["status"], json!(200));
    assert_eq!(client.all_heard().first().map(String::as_str), Some("executionReport NEW a"));
    client.ws(session, "session.logout", json!({}));
    assert_eq!(client.all_heard(), ["eventStreamTerminated"]);
    assert_eq!(
        client.ws(session, "account.status", json!({"timestamp": NOON_MS}))["error"]["code"],
        json!(-1102)
    );
}

#[test]
fn a_banned_address_loses_its_sessions() {
    let mut client = Client::new(quiet());
    let session = client.venue.connect(NOON_MS, "local", false);
    client.venue.connect(NOON_MS, "elsewhere", false);
    client.venue.set(r#"{"weight_per_minute": 3}"#).unwrap();
    assert_eq!(client.ws(session, "ping", json!({}))["status"], json!(200));
    let refused = client.ws(session, "ping", json!({}));
    assert_eq!(refused["status"], json!(429));
    assert_eq!(refused["error"]["data"], json!({"serverTime": NOON_MS, "retryAfter": NOON_MS + 40_000}));
    while client.ws(session, "ping", json!({}))["status"] == json!(429) {}
    assert_eq!(client.all_heard(), ["\"closed\""]);
}

#[test]
fn market_streams_tell_of_trades_quotes_and_levels() {
    let mut client = Client::new(quiet());
    let id = client.venue.listen(NOON_MS, Product::Spot, true, &["btcusdt@trade", "btcusdt@bookTicker"]);
    assert_eq!(
        client.venue.instruct(id, r#"{"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": 1}"#),
        json!({"result": null, "id": 1})
    );
    client.venue.order_by_hand(&order("a").to_string()).unwrap();
    client.venue.fill(r#"{"symbol": "BTCUSDT", "order_id": 1, "quantity": "0.004"}"#).unwrap();
    client.wait(1000);
    let mut streams = Vec::new();
    while let Some(message) = client.heard() {
        streams.push((message["stream"].as_str().unwrap_or_default().to_owned(), message["data"].clone()));
    }
    let names: Vec<&str> = streams.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["btcusdt@bookTicker", "btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth"]);
    assert_eq!(streams[0].1["B"], json!("0.01000000"));
    assert_eq!((&streams[1].1["q"], &streams[1].1["m"]), (&json!("0.00400000"), &json!(true)));
    assert_eq!(streams[3].1["b"], json!([["59000.00000000", "0.00600000"]]));
}
