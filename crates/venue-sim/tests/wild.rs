//! Whatever is asked, the exchange answers: no input ends it, money is kept, and when time has passed all views agree.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::client::{Client, NOON_MS, quiet, signed_call};

const DOORS: [(&str, &str); 14] = [
    ("POST", "/api/v3/order"),
    ("POST", "/api/v3/order/test"),
    ("POST", "/api/v3/order/cancelReplace"),
    ("DELETE", "/api/v3/order"),
    ("DELETE", "/api/v3/openOrders"),
    ("GET", "/api/v3/order"),
    ("GET", "/api/v3/openOrders"),
    ("GET", "/api/v3/allOrders"),
    ("GET", "/api/v3/myTrades"),
    ("GET", "/api/v3/klines"),
    ("GET", "/api/v3/depth"),
    ("GET", "/api/v3/aggTrades"),
    ("GET", "/api/v3/exchangeInfo"),
    ("GET", "/api/v3/ticker/24hr"),
];
const NAMES: [&str; 22] = [
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "stopPrice",
    "newClientOrderId",
    "orderId",
    "origClientOrderId",
    "cancelOrderId",
    "cancelReplaceMode",
    "selfTradePreventionMode",
    "newOrderRespType",
    "startTime",
    "endTime",
    "fromId",
    "limit",
    "interval",
    "recvWindow",
    "strategyType",
];
/// What may stand behind any name; the right value stands there most of the time.
const VALUES: [&str; 20] = [
    "",
    "0",
    "1",
    "2",
    "-1",
    "0.001",
    "0.00000001",
    "1000000000000",
    "9223372036854775807",
    "99999999999999999999",
    "60000",
    "59999.99",
    "1e9",
    "NaN",
    "BTCUSDT",
    "a",
    "%00",
    "%FF",
    "true",
    "1700000000000",
];

fn right(name: &str, choice: usize) -> &'static str {
    let of = |values: &[&'static str]| values[choice % values.len()];
    match name {
        "symbol" => of(&["BTCUSDT", "BTCUSDT", "BTCUSDT", "ETHUSDT"]),
        "side" => of(&["BUY", "SELL"]),
        "type" => {
            of(&["LIMIT", "LIMIT", "MARKET", "LIMIT_MAKER", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT"])
        }
        "timeInForce" => of(&["GTC", "GTC", "IOC", "FOK"]),
        "quantity" => of(&["0.01", "0.02", "1"]),
        "quoteOrderQty" => of(&["100", "1000.5"]),
        "price" => of(&["59990", "60000", "60010"]),
        "stopPrice" => of(&["59000", "59995", "60005", "61000"]),
        "newClientOrderId" | "origClientOrderId" => of(&["a", "b", "c"]),
        "orderId" | "cancelOrderId" | "fromId" => of(&["1", "2", "3", "4"]),
        "cancelReplaceMode" => of(&["STOP_ON_FAILURE", "ALLOW_FAILURE"]),
        "selfTradePreventionMode" => of(&["NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"]),
        "newOrderRespType" => of(&["ACK", "RESULT", "FULL"]),
        "interval" => of(&["1m", "1h", "1w"]),
        "limit" => of(&["1", "5", "1000"]),
        "recvWindow" => of(&["5000", "60000"]),
        "strategyType" => "1000000",
        _ => of(&["1700000000000", "1699999999000"]),
    }
}

/// Names as a door needs them, some left out, some beside them, some with nonsense.
fn query(method: &str, path: &str, draws: &[(usize, usize, usize)]) -> String {
    let mut names: Vec<&str> = match (method, path) {
        ("POST", "/api/v3/order/cancelReplace") => {
            vec![
                "symbol",
                "side",
                "type",
                "timeInForce",
                "quantity",
                "price",
                "cancelReplaceMode",
                "origClientOrderId",
            ]
        }
        ("POST", _) => vec!["symbol", "side", "type", "timeInForce", "quantity", "price", "newClientOrderId"],
        ("DELETE", "/api/v3/order") | ("GET", "/api/v3/order") => vec!["symbol", "orderId"],
        (_, "/api/v3/klines") => vec!["symbol", "interval", "limit"],
        _ => vec!["symbol"],
    };
    let mut nonsense = Vec::new();
    for (what, which, value) in draws {
        match what % 6 {
            0 => names.retain(|name| *name != NAMES[which % NAMES.len()]),
            1 => names.push(NAMES[which % NAMES.len()]),
            2 => nonsense.push((NAMES[which % NAMES.len()], VALUES[value % VALUES.len()])),
            _ => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    let choice = |place: usize| draws.get(place % draws.len().max(1)).map_or(place, |draw| draw.2);
    let mut pairs: Vec<(&str, &str)> =
        names.iter().enumerate().map(|(place, name)| (*name, right(name, choice(place)))).collect();
    for (name, value) in nonsense {
        pairs.retain(|(other, _)| *other != name);
        pairs.push((name, value));
    }
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn settle(client: &mut Client) {
    // Nobody trades any longer, so that the views catch up.
    client.venue.set(r#"{"quoting": false}"#).expect("a right setting");
    client.wait(60_000);
    let ledger = client.venue.ledger();
    for symbol in ["BTCUSDT", "ETHUSDT"] {
        let of_symbol = |rows: &Value| -> Vec<Value> {
            rows.as_array().into_iter().flatten().filter(|row| row["symbol"] == symbol).cloned().collect()
        };
        let truth: Vec<Value> = of_symbol(&ledger["orders"])
            .into_iter()
            .map(|mut order| {
                order.as_object_mut().map(|order| order.remove("account"));
                order
            })
            .collect();
        let query = format!("symbol={symbol}&limit=1000");
        assert_eq!(client.signed("GET", "/api/v3/allOrders", &query).1, json!(truth));
        assert_eq!(client.signed("GET", "/api/v3/myTrades", &query).1, json!(of_symbol(&ledger["trades"])));
        let open: Vec<&Value> = truth
            .iter()
            .filter(|order| order["status"] == "NEW" || order["status"] == "PARTIALLY_FILLED")
            .collect();
        let query = format!("symbol={symbol}");
        assert_eq!(client.signed("GET", "/api/v3/openOrders", &query).1, json!(open));
    }
    let (_, account) = client.signed("GET", "/api/v3/account", "");
    for row in account["balances"].as_array().into_iter().flatten() {
        let asset = row["asset"].as_str().unwrap_or_default();
        let truth = &ledger["balances"]["sim"][asset];
        assert_eq!((&row["free"], &row["locked"]), (&truth["free"], &truth["locked"]), "{asset}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn anything_is_answered_and_in_the_end_all_agree(
        quotes in any::<bool>(),
        calls in prop::collection::vec(
            (0..DOORS.len(), prop::collection::vec((0..100_usize, 0..100_usize, 0..100_usize), 0..4), 0..400_i64),
            1..60,
        ),
    ) {
        let mut options = quiet();
        options.database_lag_ms = 3000;
        options.memory_lag_ms = 500;
        if quotes {
            options.quoting = Some(venue_sim::Quoting::default());
        }
        let mut client = Client::new(options);
        let mut placed = 0;
        for (door, draws, pause_ms) in calls {
            let (method, path) = DOORS[door];
            let reply = client.reply(&signed_call(method, path, &query(method, path, &draws), client.now_ms));
            prop_assert!(matches!(reply.status, 200 | 400 | 409 | 429), "{reply:?}");
            placed += u32::from(method == "POST" && reply.status == 200);
            client.wait(pause_ms);
        }
        prop_assert!(client.now_ms >= NOON_MS && placed < 60);
        settle(&mut client);
    }
}
