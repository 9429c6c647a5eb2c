//! Futures behind their doors: what is refused, what faults do, the countdown by the exchange's own clock, the ledger.

use serde_json::{Value, json};
use venue_sim::engine::Product;
use venue_sim::identity::API_KEY;
use venue_sim::{Call, Quoting};

use crate::client::{Client, quiet, signed_call};

const ORDER: &str = "/fapi/v1/order";
const RESTS: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=59000";

fn quoted() -> Client {
    let mut options = quiet();
    options.quoting = Some(Quoting::default());
    let mut client = Client::new(options);
    client.wait(1000);
    client
}

fn code(client: &mut Client, method: &str, path: &str, query: &str) -> i64 {
    let (status, answer) = client.signed(method, path, query);
    assert_eq!(status, 400, "{query}: {answer}");
    answer["code"].as_i64().expect("a refusal has a code")
}

#[test]
fn what_an_order_must_not_be_has_the_codes_of_futures() {
    let mut client = quoted();
    client.signed("POST", ORDER, &format!("{RESTS}&newClientOrderId=a"));
    let limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC";
    let market = "symbol=BTCUSDT&side=SELL&type=MARKET";
    let close = "symbol=BTCUSDT&side=SELL&type=STOP_MARKET&stopPrice=50000&closePosition=true";
    for (query, expected) in [
        (format!("{RESTS}&newClientOrderId=a"), -4116),
        (format!("{limit}&quantity=0.1&price=59000.05"), -4014),
        (format!("{limit}&quantity=0.1&price=10"), -4024),
        (format!("{limit}&quantity=0.1&price=90000"), -4016),
        (format!("{limit}&quantity=0.0005&price=59000"), -4004),
        (format!("{limit}&quantity=0.0015&price=59000"), -1111),
        (format!("{limit}&quantity=5000&price=59000"), -4005),
        (format!("{limit}&quantity=0&price=59000"), -4003),
        (format!("{limit}&quantity=900&price=59000"), -2019),
        ("symbol=ETHUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=3000".into(), -4164),
        (format!("{market}&quantity=0.1&reduceOnly=true"), -2022),
        (format!("{market}&quantity=0.1&timeInForce=GTC"), -1106),
        (format!("{market}&quantity=0.1&positionSide=LONG"), -4061),
        (format!("{market}&quantity=0.1&closePosition=true"), -4136),
        (format!("{close}&quantity=0.1"), -4137),
        (format!("{RESTS}&priceMatch=QUEUE"), -1130),
        (format!("{RESTS}&goodTillDate=1693207680000"), -1106),
        ("symbol=BTCUSDT&side=SELL&type=STOP_MARKET&stopPrice=70000&quantity=0.1".into(), -2021),
        ("symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.1&price=61000".into(), -5022),
        ("symbol=BTCUSDT&side=BUY&type=TRAILING_STOP_MARKET&quantity=0.1".into(), -1116),
        ("symbol=NOUSDT&side=BUY&type=MARKET&quantity=0.1".into(), -1121),
    ] {
        assert_eq!(code(&mut client, "POST", ORDER, &query), expected, "{query}");
    }
    for (path, query, expected) in [
        ("/fapi/v1/leverage", "symbol=BTCUSDT&leverage=126", -4028),
        ("/fapi/v1/positionSide/dual", "dualSidePosition=true", -4084),
        ("/fapi/v1/positionSide/dual", "dualSidePosition=false", -4059),
        ("/fapi/v1/marginType", "symbol=BTCUSDT&marginType=CROSSED", -4046),
    ] {
        assert_eq!(code(&mut client, "POST", path, query), expected, "{query}");
    }
    assert_eq!(code(&mut client, "DELETE", ORDER, "symbol=BTCUSDT&orderId=999"), -2011);
    assert_eq!(code(&mut client, "GET", ORDER, "symbol=BTCUSDT&orderId=999"), -2013);
    assert_eq!(client.ask("POST", ORDER, RESTS).1["code"], -1102);
    assert_eq!(client.ask("GET", "/fapi/v1/nowhere", "").0, 404);
}

#[test]
fn an_order_is_answered_as_accepted_unless_its_result_is_wanted() {
    let mut client = quoted();
    let market = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.1";
    let (_, accepted) = client.signed("POST", ORDER, market);
    assert_eq!((&accepted["status"], &accepted["executedQty"]), (&json!("NEW"), &json!("0")));
    let (_, done) = client.signed("POST", ORDER, &format!("{market}&newOrderRespType=RESULT"));
    assert_eq!((&done["status"], &done["executedQty"]), (&json!("FILLED"), &json!("0.1")));
    let (_, risks) = client.signed("GET", "/fapi/v3/positionRisk", "");
    assert_eq!(risks[0]["positionAmt"], "0.2");
    assert_eq!(client.venue.ledger()["futures"]["positions"]["sim"]["BTCUSDT"]["quantity"], "0.20000000");
    let (_, spot) = client.signed("GET", "/api/v3/account", "");
    assert_eq!(spot["balances"][0]["free"], "100.00000000", "spot is another account");
}

#[test]
fn the_countdown_fires_by_the_clock_of_the_exchange_and_is_in_the_ledger() {
    let mut client = Client::new(quiet());
    client.signed("POST", ORDER, RESTS);
    let beat = "symbol=BTCUSDT&countdownTime=5000";
    client.signed("POST", "/fapi/v1/countdownCancelAll", beat);
    client.wait(4999);
    client.signed("POST", "/fapi/v1/countdownCancelAll", beat);
    client.wait(4999);
    assert_eq!(client.signed("GET", "/fapi/v1/openOrders", "").1.as_array().map(Vec::len), Some(1));
    client.wait(1);
    assert_eq!(client.signed("GET", "/fapi/v1/openOrders", "").1, json!([]));
    let ledger = client.venue.ledger();
    assert_eq!(ledger["futures"]["orders"][0]["status"], "CANCELED");
    assert_eq!(ledger["requests"][1]["door"], "POST /fapi/v1/countdownCancelAll");
    assert_eq!(ledger["orders"], json!([]), "spot has nothing of it");
}

#[test]
fn faults_meet_requests_and_events_of_futures() {
    let mut client = Client::new(quiet());
    let faults = json!({"faults": [
        {"on": "request", "match": {"method": "POST", "path": ORDER}, "do": "drop_response"},
        {"on": "event", "match": {"event": "ORDER_TRADE_UPDATE", "execution": "TRADE"}, "do": "lose"},
    ]});
    client.venue.arm(&faults.to_string()).unwrap();
    let call = signed_call("POST", ORDER, &format!("{RESTS}&newClientOrderId=a"), client.now_ms);
    assert!(client.arrive(&call).act.is_some());
    let (_, started) = client.ask("POST", "/fapi/v1/listenKey", "");
    let key = started["listenKey"].as_str().unwrap().to_owned();
    client.venue.listen(client.now_ms, Product::Futures, false, &[key.as_str()]);
    client.signed("POST", ORDER, &format!("{RESTS}&newClientOrderId=b"));
    client.venue.fill(r#"{"product": "futures", "symbol": "BTCUSDT", "client_order_id": "b"}"#).unwrap();
    let kinds: Vec<Value> = std::iter::from_fn(|| client.heard()).map(|event| event["e"].clone()).collect();
    assert_eq!(kinds, ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"], "the trade is not told");
    client.venue.deposit(r#"{"product": "futures", "asset": "USDT", "amount": "-1"}"#).unwrap();
    assert_eq!(client.heard().unwrap()["a"]["m"], "WITHDRAW");
    assert!(client.venue.deposit(r#"{"product": "futures", "asset": "BTC", "amount": "1"}"#).is_err());
    assert!(client.venue.fill(r#"{"product": "options", "symbol": "BTCUSDT", "order_id": 1}"#).is_err());
}

#[test]
fn a_key_is_listened_to_until_it_ends() {
    let mut client = Client::new(quiet());
    let key = |client: &mut Client| client.ask("POST", "/fapi/v1/listenKey", "").1["listenKey"].clone();
    let first = key(&mut client);
    assert_eq!(key(&mut client), first, "an account has one key");
    client.ask("DELETE", "/fapi/v1/listenKey", "");
    assert_eq!(client.ask("PUT", "/fapi/v1/listenKey", "").1["code"], -1125);
    assert_ne!(key(&mut client), first);
    let nobody = Call::rest("local", "POST", "/fapi/v1/listenKey", "", "", None);
    assert_eq!(client.send(&nobody).0, 401);
    let somebody = Call::rest("local", "POST", "/fapi/v1/listenKey", "", "", Some(API_KEY));
    assert_eq!(client.send(&somebody).0, 200);
}

#[test]
fn futures_have_limits_of_their_own() {
    let mut client = Client::new(quiet());
    client.venue.set(r#"{"futures_orders_per_10_seconds": 1}"#).unwrap();
    client.signed("POST", ORDER, RESTS);
    let (status, refused) = client.signed("POST", ORDER, RESTS);
    assert_eq!((status, refused["code"].as_i64()), (429, Some(-1015)));
    client.venue.set(r#"{"futures_orders_per_10_seconds": 300}"#).unwrap();
    let reply = client.reply(&signed_call("POST", ORDER, RESTS, client.now_ms));
    let header = |name| reply.headers.iter().find(|(of, _)| *of == name).map(|(_, value)| value.as_str());
    assert_eq!(header("x-mbx-order-count-1m"), Some("2"));
    client.venue.set(r#"{"futures_weight_per_minute": 1}"#).unwrap();
    assert_eq!(client.ask("GET", "/fapi/v1/ping", "").0, 429);
    assert_eq!(client.ask("GET", "/api/v3/ping", "").0, 200);
}

#[test]
fn a_closed_market_and_maintenance_are_of_both() {
    let mut client = Client::new(quiet());
    client.venue.halt("{}").unwrap();
    assert_eq!(code(&mut client, "POST", ORDER, RESTS), -4141);
    client.venue.halt(r#"{"status": "TRADING"}"#).unwrap();
    client.signed("POST", ORDER, RESTS);
    client.venue.maintain(r#"{"on": true, "expire_orders": true}"#).unwrap();
    assert_eq!(client.signed("GET", "/fapi/v1/openOrders", "").0, 503);
    assert_eq!(client.ask("GET", "/fapi/v1/time", "").0, 200);
    client.venue.maintain(r#"{"on": false}"#).unwrap();
    assert_eq!(client.signed("GET", "/fapi/v1/openOrders", "").1, json!([]));
}
