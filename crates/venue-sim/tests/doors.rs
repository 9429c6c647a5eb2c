//! The doors by REST: what is answered to what, in the words of Binance.

use serde_json::{Value, json};
use venue_sim::Call;
use venue_sim::identity::API_KEY;

use crate::client::{Client, NOON_MS, quiet, signature, signed_call};

const ORDER: &str = "/api/v3/order";

fn error(answer: (u16, Value)) -> (u16, i64, String) {
    let (status, body) = answer;
    (status, body["code"].as_i64().unwrap_or_default(), body["msg"].as_str().unwrap_or_default().into())
}

fn limit(client_order_id: &str) -> String {
    format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000&newClientOrderId={client_order_id}"
    )
}

#[test]
fn an_order_is_placed_seen_and_canceled() {
    let mut client = Client::new(quiet());
    let (status, placed) = client.signed("POST", ORDER, &limit("a"));
    assert_eq!(status, 200, "{placed}");
    let expected = json!({
        "symbol": "BTCUSDT", "orderId": 1, "orderListId": -1, "clientOrderId": "a", "transactTime": NOON_MS,
        "price": "59000.00000000", "origQty": "0.01000000", "executedQty": "0.00000000",
        "origQuoteOrderQty": "0.00000000", "cummulativeQuoteQty": "0.00000000", "status": "NEW",
        "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "workingTime": NOON_MS, "fills": [],
        "selfTradePreventionMode": "NONE",
    });
    assert_eq!(placed, expected);
    let (_, seen) = client.signed("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=a");
    assert_eq!((&seen["orderId"], &seen["isWorking"]), (&json!(1), &json!(true)));
    let (_, open) = client.signed("GET", "/api/v3/openOrders", "");
    assert_eq!(open, json!([seen]));
    let (_, account) = client.signed("GET", "/api/v3/account", "omitZeroBalances=true");
    let usdt = json!({"asset": "USDT", "free": "9999410.00000000", "locked": "590.00000000"});
    assert!(account["balances"].as_array().unwrap().contains(&usdt), "{account}");
    let (_, gone) = client.signed("DELETE", ORDER, "symbol=BTCUSDT&orderId=1&newClientOrderId=x");
    assert_eq!(
        (&gone["status"], &gone["origClientOrderId"], &gone["clientOrderId"]),
        (&json!("CANCELED"), &json!("a"), &json!("x"))
    );
    assert_eq!(client.signed("GET", "/api/v3/openOrders", "symbol=BTCUSDT").1, json!([]));
    assert_eq!(client.signed("GET", "/api/v3/allOrders", "symbol=BTCUSDT").1[0]["status"], json!("CANCELED"));
}

#[test]
fn the_answer_tells_as_much_as_is_wanted() {
    let mut client = Client::new(quiet());
    let keys = |answer: (u16, Value)| answer.1.as_object().unwrap().len();
    for (wanted, fields) in [("ACK", 5), ("RESULT", 16), ("FULL", 17)] {
        let order = format!("{}&newOrderRespType={wanted}", limit(wanted));
        assert_eq!(keys(client.signed("POST", ORDER, &order)), fields, "{wanted}");
    }
    client.venue.order_by_hand(r#"{"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "60000", "newClientOrderId": "hand"}"#).unwrap();
    let (_, filled) = client.signed(
        "POST",
        ORDER,
        "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01&newOrderRespType=FULL",
    );
    let fill = json!({
        "price": "60000.00000000", "qty": "0.01000000", "commission": "0.00001000", "commissionAsset": "BTC",
        "tradeId": 1,
    });
    assert_eq!(filled["fills"], json!([fill]));
    // It traded with an order of its own account: two rows with one id.
    let (_, trades) = client.signed("GET", "/api/v3/myTrades", "symbol=BTCUSDT");
    let ids: Vec<(&Value, &Value)> =
        trades.as_array().unwrap().iter().map(|trade| (&trade["id"], &trade["isBuyer"])).collect();
    assert_eq!(ids, [(&json!(1), &json!(false)), (&json!(1), &json!(true))]);
}

#[test]
fn what_is_wrong_with_an_order_is_said_in_the_words_of_binance() {
    let mut client = Client::new(quiet());
    client.signed("POST", ORDER, &limit("twice"));
    let base = "symbol=BTCUSDT&side=BUY";
    for (query, code, msg) in [
        ("side=BUY", -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."),
        ("symbol=NONE&side=BUY", -1121, "Invalid symbol."),
        ("symbol=BTCUSDT&side=UP", -1117, "Invalid side."),
        (&format!("{base}&type=FREE"), -1116, "Invalid orderType."),
        (
            &format!("{base}&type=LIMIT&quantity=1&price=1"),
            -1102,
            "Mandatory parameter 'timeInForce' was not sent, was empty/null, or malformed.",
        ),
        (&format!("{base}&type=LIMIT&timeInForce=GTX&quantity=1&price=1"), -1115, "Invalid timeInForce."),
        (
            &format!("{base}&type=MARKET&quantity=1&price=1"),
            -1106,
            "Parameter 'price' sent when not required.",
        ),
        (
            &format!("{base}&type=MARKET"),
            -1102,
            "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!",
        ),
        (
            &format!("{base}&type=MARKET&quantity=1e3"),
            -1100,
            "Illegal characters found in parameter 'quantity'; legal range is '^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
        ),
        (
            &format!("{base}&type=MARKET&quantity=0.123456789"),
            -1111,
            "Parameter 'quantity' has too much precision.",
        ),
        (&format!("{base}&type=MARKET&quantity=0"), -1013, "Invalid quantity."),
        (&format!("{base}&type=MARKET&quantity=0.00001"), -1013, "Filter failure: NOTIONAL"),
        (
            &format!("{base}&type=LIMIT&timeInForce=GTC&quantity=1&price=59000.001"),
            -1013,
            "Filter failure: PRICE_FILTER",
        ),
        (&limit("twice"), -2010, "Duplicate order sent."),
        (
            &format!("{base}&type=LIMIT&timeInForce=GTC&quantity=150&price=59000&newOrderRespType=SOME"),
            -1130,
            "Data sent for parameter 'newOrderRespType' is not valid.",
        ),
        (
            "symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=101&price=61000",
            -2010,
            "Account has insufficient balance for requested action.",
        ),
        (
            &format!("{base}&type=MARKET&quantity=1&reduceOnly=true"),
            -1104,
            "Not all sent parameters were read; read '6' parameter(s) but was sent '7'.",
        ),
        (
            &format!("{base}&type=MARKET&quantity=1&icebergQty=1"),
            -2010,
            "Iceberg orders are not supported for this symbol.",
        ),
    ] {
        assert_eq!(error(client.signed("POST", ORDER, query)), (400, code, msg.into()), "{query}");
    }
    assert_eq!(
        error(client.signed("GET", ORDER, "symbol=BTCUSDT&orderId=99")),
        (400, -2013, "Order does not exist.".into())
    );
    assert_eq!(
        error(client.signed("DELETE", ORDER, "symbol=BTCUSDT&orderId=99")),
        (400, -2011, "Unknown order sent.".into())
    );
    assert_eq!(client.ask("GET", "/api/v3/nothing", "").0, 404);
    assert_eq!(client.ask("PUT", ORDER, "").0, 405);
}

#[test]
fn who_is_not_known_or_late_is_not_let_in() {
    let mut client = Client::new(quiet());
    let account =
        |query: &str, key: Option<&str>| Call::rest("local", "GET", "/api/v3/account", query, "", key);
    assert_eq!(error(client.send(&account("", None))).1, -2014);
    assert_eq!(error(client.send(&account("", Some("no-key")))).1, -2014);
    let answer = error(client.send(&account("", Some("nobodysKey"))));
    assert_eq!(answer, (401, -2015, "Invalid API-key, IP, or permissions for action.".into()));
    assert_eq!(error(client.send(&account("", Some(API_KEY)))).1, -1102);
    let now = format!("timestamp={NOON_MS}");
    let unsigned = error(client.send(&account(&now, Some(API_KEY))));
    assert_eq!(unsigned.2, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.");
    let forged = format!("{now}&signature={}", signature("timestamp=1"));
    assert_eq!(error(client.send(&account(&forged, Some(API_KEY)))).1, -1022);
    for (timestamp_ms, code) in [
        (NOON_MS + 999, None),
        (NOON_MS + 1000, Some(-1021)),
        (NOON_MS - 5000, None),
        (NOON_MS - 5001, Some(-1021)),
    ] {
        let (_, body) = client.send(&signed_call("GET", "/api/v3/account", "", timestamp_ms));
        assert_eq!(body["code"].as_i64(), code, "{timestamp_ms}");
    }
    let wide = client.signed("GET", "/api/v3/account", "recvWindow=60000.001");
    assert_eq!(error(wide).2, "'recvWindow' contains unexpected value. Cannot be greater than 60000.");
}

/// A form is signed right after the query, without anything between.
#[test]
fn a_form_is_as_good_as_a_query() {
    let mut client = Client::new(quiet());
    let body = format!("side=BUY&type=MARKET&quantity=0.01&timestamp={NOON_MS}");
    let body = format!("{body}&signature={}", signature(&format!("symbol=BTCUSDT{body}")));
    let call = Call::rest("local", "POST", ORDER, "symbol=BTCUSDT", &body, Some(API_KEY));
    assert_eq!(client.send(&call).0, 200);
}

#[test]
fn the_timestamp_is_looked_at_again_before_the_engine() {
    let mut client = Client::new(quiet());
    let call = signed_call("POST", ORDER, &format!("{}&recvWindow=2000", limit("late")), NOON_MS);
    let arrival = client.arrive(&call);
    client.wait(2001);
    let reply = client.venue.execute(client.now_ms, &arrival, &call);
    assert_eq!(reply.status, 400);
    let ledger = client.venue.ledger();
    assert_eq!(ledger["orders"], json!([]));
    assert_eq!(
        (&ledger["requests"][0]["arrived_ms"], &ledger["requests"][0]["code"]),
        (&json!(NOON_MS), &json!(-1021))
    );
}

#[test]
fn queries_lag_behind_the_engine() {
    let mut client = Client::new(quiet());
    client.venue.set(r#"{"memory_lag_ms": 1000, "database_lag_ms": 3000}"#).unwrap();
    client.signed("POST", ORDER, &limit("a"));
    let code =
        |client: &mut Client| error(client.signed("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=a")).1;
    let rows =
        |client: &mut Client, path| client.signed("GET", path, "symbol=BTCUSDT").1.as_array().map(Vec::len);
    client.wait(999);
    assert_eq!(code(&mut client), -2013);
    client.wait(1);
    assert_eq!(code(&mut client), 0);
    assert_eq!(rows(&mut client, "/api/v3/openOrders"), Some(1));
    assert_eq!(rows(&mut client, "/api/v3/allOrders"), Some(0));
    client.wait(2000);
    assert_eq!(rows(&mut client, "/api/v3/allOrders"), Some(1));
    // The engine knows at once that it is gone, memory a second later.
    assert_eq!(client.signed("DELETE", ORDER, "symbol=BTCUSDT&origClientOrderId=a").0, 200);
    assert_eq!(rows(&mut client, "/api/v3/openOrders"), Some(1));
    client.wait(1000);
    assert_eq!(rows(&mut client, "/api/v3/openOrders"), Some(0));
}

#[test]
fn weights_and_orders_are_counted_and_limited() {
    let mut client = Client::new(quiet());
    let reply = client.reply(&signed_call("POST", ORDER, &limit("a"), NOON_MS));
    let header = |name: &str| reply.headers.iter().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
    assert_eq!(header("x-mbx-used-weight-1m"), Some("1".into()));
    assert_eq!(header("x-mbx-order-count-10s"), Some("1".into()));
    client.venue.set(r#"{"orders_per_10_seconds": 1, "weight_per_minute": 45}"#).unwrap();
    let refused = error(client.signed("POST", ORDER, &limit("b")));
    assert_eq!(refused, (429, -1015, "Too many new orders; current limit is 1 orders per 10 SECOND.".into()));
    let (_, counts) = client.signed("GET", "/api/v3/rateLimit/order", "");
    assert_eq!(
        counts[0],
        json!({"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 1, "count": 1})
    );
    let reply = client.reply(&signed_call("GET", "/api/v3/account", "", NOON_MS));
    assert_eq!(reply.status, 429);
    // Noon is 20 s into its minute by this clock.
    assert!(reply.headers.contains(&("retry-after", "40".into())), "{:?}", reply.headers);
    while client.signed("GET", ORDER, "symbol=BTCUSDT&orderId=1").0 == 429 {}
    assert_eq!(client.ask("GET", "/api/v3/ping", "").0, 418);
    client.wait(120_000);
    assert_eq!(client.ask("GET", "/api/v3/ping", "").0, 200);
}

#[test]
fn an_order_is_replaced_by_another_in_one_request() {
    let mut client = Client::new(quiet());
    client.signed("POST", ORDER, &limit("a"));
    let replace = |mode: &str, old: &str, new: &str| {
        format!("{}&cancelReplaceMode={mode}&cancelOrigClientOrderId={old}", limit(new))
    };
    let mut send = |query: &str| client.signed("POST", "/api/v3/order/cancelReplace", query);
    let (status, both) = send(&replace("STOP_ON_FAILURE", "a", "b"));
    assert_eq!((status, &both["newOrderResponse"]["clientOrderId"]), (200, &json!("b")));
    let (status, none) = send(&replace("STOP_ON_FAILURE", "a", "c"));
    assert_eq!((status, &none["code"]), (400, &json!(-2022)));
    assert_eq!(none["data"]["newOrderResult"], json!("NOT_ATTEMPTED"));
    let (status, half) = send(&replace("ALLOW_FAILURE", "a", "c"));
    assert_eq!((status, &half["code"]), (409, &json!(-2021)));
    assert_eq!(half["data"]["cancelResponse"], json!({"code": -2011, "msg": "Unknown order sent."}));
    let (status, neither) = send(&replace("ALLOW_FAILURE", "a", "c"));
    assert_eq!((status, &neither["code"]), (400, &json!(-2022)));
}

#[test]
fn everybody_sees_the_market() {
    let mut client = Client::new(venue_sim::Options::default());
    let (_, info) = client.ask("GET", "/api/v3/exchangeInfo", "symbols=%5B%22BTCUSDT%22%5D");
    assert_eq!(info["symbols"][0]["filters"][0]["tickSize"], json!("0.01000000"));
    assert_eq!(error(client.ask("GET", "/api/v3/exchangeInfo", "symbol=NONE")).1, -1121);
    let (_, depth) = client.ask("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=3");
    assert_eq!(depth["bids"].as_array().map(Vec::len), Some(3));
    let (_, ticker) = client.ask("GET", "/api/v3/ticker/bookTicker", "symbol=BTCUSDT");
    assert_eq!(ticker["bidPrice"], depth["bids"][0][0]);
    assert_eq!(client.ask("GET", "/api/v3/ticker/price", "").1.as_array().map(Vec::len), Some(2));
    let before = depth["bids"][0].clone();
    client.wait(5_000);
    let (_, later) = client.ask("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=3");
    assert_ne!(later["bids"][0], before, "the house quotes anew");
}

#[test]
fn the_last_price_goes_along_with_the_quotes_and_candles_tell_of_it() {
    let mut client = Client::new(venue_sim::Options::default());
    for _ in 0..180 {
        client.wait(1000);
    }
    let (_, candles) = client.ask("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m");
    let rows = candles.as_array().unwrap();
    // It began 20 s into a minute, and then three more began.
    assert_eq!(rows.len(), 4, "{candles}");
    assert_eq!(rows[0][0], json!(NOON_MS - 20_000));
    assert_eq!(rows[1][8], json!(60), "one trade a second");
    let (_, trades) = client.ask("GET", "/api/v3/aggTrades", "symbol=BTCUSDT&limit=1");
    assert_eq!(rows[3][4], trades[0]["p"]);
    let (_, ticker) = client.ask("GET", "/api/v3/ticker/price", "symbol=BTCUSDT");
    assert_eq!(ticker["price"], trades[0]["p"]);
    let (_, first) = client.ask("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m&startTime=1&limit=2");
    assert_eq!(first, json!([rows[0], rows[1]]));
    let (_, last) = client.ask("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m&limit=1");
    assert_eq!(last, json!([rows[3]]));
    assert_eq!(error(client.ask("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=2m")).1, -1120);
    let (_, old) = client.ask("GET", "/api/v3/historicalTrades", "symbol=BTCUSDT&fromId=5&limit=2");
    assert_eq!((&old[0]["id"], &old[1]["id"]), (&json!(5), &json!(6)));
}

#[test]
fn the_clock_of_the_exchange_may_be_another() {
    let mut client = Client::new(quiet());
    for (skew_ms, code) in
        [(2_000, None), (5_001, Some(-1021)), (-999, None), (-1_000, Some(-1021)), (0, None)]
    {
        client.venue.set(&format!(r#"{{"clock_skew_ms": {skew_ms}}}"#)).unwrap();
        assert_eq!(client.ask("GET", "/api/v3/time", "").1, json!({"serverTime": NOON_MS + skew_ms}));
        let (_, body) = client.signed("GET", "/api/v3/account", "");
        assert_eq!(body["code"].as_i64(), code, "{skew_ms}");
    }
}

#[test]
fn a_halted_symbol_is_shown_so_and_takes_nothing() {
    let mut client = Client::new(quiet());
    client.signed("POST", ORDER, &limit("a"));
    client.venue.halt(r#"{"symbol": "BTCUSDT"}"#).unwrap();
    assert_eq!(error(client.signed("POST", ORDER, &limit("b"))), (400, -2010, "Market is closed.".into()));
    let cancel = "symbol=BTCUSDT&origClientOrderId=a";
    assert_eq!(error(client.signed("DELETE", ORDER, cancel)), (400, -2011, "Market is closed.".into()));
    let (_, info) = client.ask("GET", "/api/v3/exchangeInfo", "symbolStatus=HALT");
    assert_eq!(info["symbols"].as_array().map(Vec::len), Some(1));
    client.venue.halt(r#"{"status": "CANCEL_ONLY"}"#).unwrap();
    assert_eq!(error(client.signed("POST", ORDER, &limit("b"))).1, -2010);
    assert_eq!(client.signed("DELETE", ORDER, cancel).0, 200);
    client.venue.halt(r#"{"status": "TRADING"}"#).unwrap();
    assert_eq!(client.signed("POST", ORDER, &limit("b")).0, 200);
}

#[test]
fn what_clients_ask_on_their_way_is_answered() {
    let mut client = Client::new(quiet());
    let (_, fees) = client.signed("GET", "/sapi/v1/asset/tradeFee", "symbol=BTCUSDT");
    let expected =
        json!([{"symbol": "BTCUSDT", "makerCommission": "0.00100000", "takerCommission": "0.00100000"}]);
    assert_eq!(fees, expected);
    let (_, coins) = client.signed("GET", "/sapi/v1/capital/config/getall", "");
    assert_eq!((&coins[0]["coin"], &coins[0]["free"]), (&json!("BTC"), &json!("100.00000000")));
    for path in ["/api/v3/openOrderList", "/api/v3/allOrderList", "/sapi/v1/margin/allPairs"] {
        assert_eq!(client.signed("GET", path, ""), (200, json!([])), "{path}");
    }
}

#[test]
fn the_same_seed_gives_the_same_market() {
    let play = |seed| {
        let mut client = Client::new(venue_sim::Options { seed, ..Default::default() });
        client.wait(10_000);
        client.signed("POST", ORDER, "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=1");
        (client.ask("GET", "/api/v3/depth", "symbol=BTCUSDT").1, client.venue.ledger())
    };
    assert_eq!(play(1), play(1));
    assert_ne!(play(1).0, play(2).0);
}

#[test]
fn in_maintenance_only_the_status_is_told() {
    let mut client = Client::new(quiet());
    client.signed("POST", ORDER, &limit("a"));
    client.venue.maintain(r#"{"on": true, "expire_orders": true}"#).unwrap();
    assert_eq!(
        client.ask("GET", "/sapi/v1/system/status", "").1,
        json!({"status": 1, "msg": "system maintenance"})
    );
    let refused = error(client.signed("POST", ORDER, &limit("b")));
    assert_eq!(refused, (503, -1016, "This service is no longer available.".into()));
    client.venue.maintain(r#"{"on": false}"#).unwrap();
    let (_, order) = client.signed("GET", ORDER, "symbol=BTCUSDT&origClientOrderId=a");
    assert_eq!((&order["status"], &order["expiryReason"]), (&json!("EXPIRED"), &json!("EXCHANGE_CANCELED")));
}

#[test]
fn what_is_wrong_with_an_act_of_the_operator_is_said() {
    let mut client = Client::new(quiet());
    client.signed("POST", ORDER, &limit("a"));
    let venue = &mut client.venue;
    for (answer, words) in [
        (venue.fill(r#"{"symbol": "BTCUSDT"}"#), "order_id or client_order_id"),
        (venue.fill(r#"{"symbol": "BTCUSDT", "order_id": 9}"#), "no such open order"),
        (venue.fill(r#"{"symbol": "BTCUSDT", "order_id": 1, "quantity": "0.02"}"#), "between 0 and 0.01"),
        (venue.fill(r#"{"symbol": "BTCUSDT", "order": 1}"#), "unknown field `order`"),
        (venue.order_by_hand(r#"{"symbol": "BTCUSDT"}"#), "Mandatory parameter 'side'"),
        (venue.halt(r#"{"status": "SLEEP"}"#), "none of TRADING, HALT"),
        (venue.halt(r#"{"symbol": "NONE"}"#), "no symbol \"NONE\""),
        (venue.deposit(r#"{"asset": "DOGE", "amount": "1"}"#), "no symbol has the asset"),
        (venue.deposit(r#"{"asset": "BTC", "amount": "-101"}"#), "insufficient balance"),
        (venue.maintain("{}"), "missing field `on`"),
        (venue.set(r#"{"lag": 1}"#), "unknown field `lag`"),
        (venue.arm("[]"), "{\"faults\": […]}"),
    ] {
        let error = answer.unwrap_err();
        assert!(error.contains(words), "{error:?} does not contain {words:?}");
    }
}
