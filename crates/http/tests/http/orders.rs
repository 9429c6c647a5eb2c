use domain::command::Audit;
use domain::orders::report::Weight;
use domain::orders::{OrderType, Tag};
use domain::trading::account::{Account, AccountMode};
use domain::trading::command::TradingAction;
use domain::trading::limits::Limits;
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::trading::{Draft, Subject};
use domain::{Action, Answer, LeaseName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Node, single};

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn audit() -> Box<Audit> {
    let [actor, action, reason] = ["ann", "test", "drill"].map(str::to_owned);
    Box::new(Audit { wall_ms: 0, actor, action, subject: String::new(), reason })
}

async fn trading(node: &Node, action: TradingAction) {
    let outcome = node.replica.propose(vec![Action::Trading(Box::new(action))]).await.pop().unwrap();
    assert!(matches!(outcome.unwrap().answer, Answer::Trading(_)));
}

/// Venue `sim` with BTCUSDT, account `bots` whose bots send for themselves, account `desk` that the cluster sends for, and
/// strategy `mm` on both.
fn draft() -> Draft {
    let instrument = Instrument {
        base: name("BTC"),
        quote: name("USDT"),
        tick: name("0.01"),
        step: name("0.001"),
        quantity_min: name("0.001"),
        quantity_max: name("1000"),
        notional_min: name("1"),
        order_types: OrderType::ALL.into_iter().collect(),
        reference_price: Some(name("100")),
        contract_size: name("1"),
    };
    let account = |id: &str, mode| Account {
        id: name(id),
        venue: name("sim"),
        mode,
        lease: None,
        window_ms: 2000,
        bot_reports: Weight::Hint,
        reconciliation: false,
        limits: Limits::default(),
        symbol_limits: Default::default(),
    };
    let symbols = [(name("BTCUSDT"), instrument)].into();
    let strategy = Strategy {
        id: name("mm"),
        accounts: [name("bots"), name("desk")].into(),
        lease: LeaseName::new("lead").unwrap(),
        symbols: Default::default(),
        limits: Limits::default(),
        symbol_limits: Default::default(),
    };
    Draft {
        venues: vec![Venue { id: name("sim"), kind: name("simulated"), symbols }],
        accounts: vec![account("bots", AccountMode::Direct), account("desk", AccountMode::Gateway)],
        strategies: vec![strategy],
        day_offset_minutes: 0,
    }
}

/// A node with a desk, and the token under which it may trade.
async fn desk() -> (Node, u64) {
    let node = single().await;
    let (draft, expected) = (draft(), None);
    trading(&node, TradingAction::Configure { draft, expected, tag: Tag::of(1), audit: audit() }).await;
    let acquired = node.post("/api/v1/leases/lead/acquire", r#"{"holder": "bot", "ttl_ms": 600000}"#).await;
    let token = acquired.json()["token"].as_u64().unwrap();
    (node, token)
}

fn order(key: &str, account: &str, token: u64) -> Value {
    json!({
        "key": key, "account": account, "strategy": "mm", "algorithm": "maker", "trader": "ann",
        "symbol": "BTCUSDT", "side": "BUY", "type": "limit", "quantity": "1", "price": "100.50",
        "lease": "lead", "token": token,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_as_scripts_read_it() {
    let (node, token) = desk().await;
    let answer = node.post("/api/v1/orders/authorize", &order("k1", "bots", token).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut json = answer.json();
    let serial = answer.header("tenure-serial").unwrap().parse::<u64>().unwrap();
    let client = json["client_order_id"].take();
    assert!(client.as_str().unwrap().starts_with('q'));
    let at = json["updated_at"].take();
    assert!(at.as_str().is_some_and(|at| at.starts_with("2026-09-21T") && at.ends_with('Z')), "{at}");
    let expected = json!({
        "order_id": serial, "key": "k1", "client_order_id": null, "venue": "sim", "account": "bots",
        "strategy": "mm", "algorithm": "maker", "trader": "ann", "symbol": "BTCUSDT", "side": "BUY",
        "type": "LIMIT", "time_in_force": "GTC", "quantity": "1", "price": "100.50", "stop_price": null,
        "reduce_only": false, "status": "SUBMITTING", "flags": [], "reason": null, "filled_quantity": "0",
        "venue_order_id": null, "lease": "lead", "token": token, "authorized_serial": serial,
        "serial": serial, "updated_at": null, "submitted_at": "2026-09-21T14:13:20.000Z",
        "timestamp_ms": 1_790_000_000_000_u64, "window_ms": 2000,
        "fills": [], "existing": false, "waits_for": [],
    });
    assert_eq!(json, expected);

    for path in [format!("/api/v1/orders/{serial}"), format!("/api/v1/orders/{}", client.as_str().unwrap())] {
        let shown = node.get(&path).await;
        assert_eq!((shown.status, &shown.json()["order_id"]), (200, &json!(serial)), "{path}");
    }
    node.get("/api/v1/orders/999999").await.assert_refused(404, "UNKNOWN_ORDER", "no such order");
    node.get("/api/v1/orders/nonsense").await.assert_refused(400, "INVALID", "client_order_id");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_submitted_reported_replaced_and_canceled() {
    let (node, token) = desk().await;
    let mut body = order("k1", "desk", token);
    body["request_id"] = json!("01990000000070008000000000000001");
    let first = node.post("/api/v1/orders", &body.to_string()).await;
    let again = node.post("/api/v1/orders", &body.to_string()).await;
    assert_eq!((first.status, first.header("tenure-repeated")), (200, None), "{first:?}");
    assert_eq!((again.status, again.header("tenure-repeated")), (200, Some("true")));
    assert_eq!(first.json()["order_id"], again.json()["order_id"]);

    let orders = json!([order("k2", "desk", token), order("k3", "bots", token)]);
    let batch = node.post("/api/v1/orders/batch", &json!({ "orders": orders }).to_string()).await.json();
    assert_eq!((&batch[0]["order"]["status"], &batch[0]["denials"]), (&json!("SUBMITTING"), &json!([])));
    assert_eq!(
        (&batch[1]["order"], &batch[1]["denials"][0]["reason"]),
        (&Value::Null, &json!("ACCOUNT_MODE"))
    );

    let authorized = node.post("/api/v1/orders/authorize", &order("k4", "bots", token).to_string()).await;
    let client = authorized.json()["client_order_id"].clone();
    let fill = json!({"trade_id": "t1", "quantity": "0.25", "price": "100", "time_ms": 0});
    let report = json!({
        "client_order_id": client, "acknowledged": true, "venue_order_id": "v1", "fills": [fill],
    });
    let reported =
        node.post("/api/v1/orders/report", &json!({ "reports": [report] }).to_string()).await.json();
    let reported = &reported[0]["order"];
    assert_eq!(
        (&reported["status"], &reported["filled_quantity"]),
        (&json!("PARTIALLY_FILLED"), &json!("0.25"))
    );
    assert_eq!(reported["fills"][0]["at"], "1970-01-01T00:00:00.000Z");

    let path = format!("/api/v1/orders/{}", client.as_str().unwrap());
    let mut new = order("k5", "bots", token);
    new["quantity"] = json!("0.5");
    let replaced = node.post(&format!("{path}/replace"), &new.to_string()).await.json();
    assert_eq!(
        (&replaced["canceled"]["status"], &replaced["order"]["quantity"]),
        (&json!("PENDING_CANCEL"), &json!("0.5"))
    );
    let by = json!({"lease": "lead", "token": token}).to_string();
    let id = &replaced["order"]["order_id"];
    let canceled = node.post(&format!("/api/v1/orders/{id}/cancel"), &by).await.json();
    assert_eq!(
        (&canceled["order"]["status"], &canceled["window_ms"]),
        (&json!("PENDING_CANCEL"), &json!(2000))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_venue_calls_things_is_passed_on_as_it_came() {
    let (node, token) = desk().await;
    let report = async |key: &str, mut report: Value| {
        let authorized = node.post("/api/v1/orders/authorize", &order(key, "bots", token).to_string()).await;
        report["order_id"] = authorized.json()["order_id"].clone();
        node.post("/api/v1/orders/report", &json!({ "reports": [report] }).to_string()).await
    };
    let fill = json!({"trade_id": 17, "quantity": "1", "price": "100"});
    let filled = report("k1", json!({"venue_order_id": 4711, "fills": [fill]})).await.json();
    let filled = &filled[0]["order"];
    assert_eq!((&filled["status"], &filled["venue_order_id"]), (&json!("FILLED"), &json!("4711")));
    assert_eq!(
        (&filled["fills"][0]["trade_id"], &filled["fills"][0]["venue_order_id"]),
        (&json!("17"), &json!("4711"))
    );
    let refused = json!({"ended": "REJECTED", "code": -1021, "reason": "too late"});
    let refused = report("k2", refused).await.json();
    assert_eq!(refused[0]["order"]["reason"], "-1021: too late");
    for wrong in [json!(1.5), json!(true), json!([1])] {
        let answer = report("k3", json!({"acknowledged": true, "venue_order_id": wrong})).await;
        answer.assert_refused(400, "INVALID", "a string or a whole number");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_lists_all_reasons() {
    let (node, token) = desk().await;
    let empty = node.post("/api/v1/orders", "{}").await;
    empty.assert_refused(400, "INVALID_ORDER", "quantity: missing");
    assert_eq!(empty.json()["reasons"].as_array().unwrap().len(), 11, "{empty:?}");
    let mut unknown = order("k1", "desk", token);
    unknown["side"] = json!("both");
    node.post("/api/v1/orders", &unknown.to_string()).await.assert_refused(
        400,
        "INVALID",
        "side: there is no",
    );
    unknown["sides"] = json!("BUY");
    node.post("/api/v1/orders", &unknown.to_string()).await.assert_refused(400, "INVALID", "sides");
    let mut named = order("k1", "desk", token);
    named["request_id"] = json!("01990000000070008000000000000001");
    let batch = json!({ "orders": [named] }).to_string();
    node.post("/api/v1/orders/batch", &batch).await.assert_refused(400, "INVALID", "one for all");

    let (subject, venue) = (Subject::All, name("sim"));
    trading(&node, TradingAction::SetKillSwitch { subject, engaged: true, audit: audit() }).await;
    trading(&node, TradingAction::SetBreaker { venue, forced_open: true, audit: audit() }).await;
    let refused = node.post("/api/v1/orders", &order("k1", "desk", token).to_string()).await;
    refused.assert_refused(409, "KILLED", "the kill switch of all is engaged");
    let reasons: Vec<_> =
        refused.json()["reasons"].as_array().unwrap().iter().map(|it| it["reason"].clone()).collect();
    assert_eq!(reasons, ["KILLED", "BREAKER_OPEN"]);
    let mut held = order("k1", "desk", token);
    held["hold_ms"] = json!(60_000);
    let held = node.post("/api/v1/orders", &held.to_string()).await.json();
    assert_eq!(
        (&held["status"], &held["waits_for"][1]["reason"]),
        (&json!("INTENT"), &json!("BREAKER_OPEN"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_listed_in_pages() {
    let (node, token) = desk().await;
    for key in ["k1", "k2", "k3"] {
        let path = "/api/v1/orders/authorize";
        assert_eq!(node.post(path, &order(key, "bots", token).to_string()).await.status, 200, "{key}");
    }
    let keys = |json: Value| -> Vec<String> {
        json.as_array().unwrap().iter().map(|order| order["key"].as_str().unwrap().into()).collect()
    };
    let first = node.get("/api/v1/orders?account=bots&status=OPEN,submitting&limit=2").await;
    assert_eq!(keys(first.json()), ["k3", "k2"]);
    let link = first.header("link").unwrap();
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).unwrap().0;
    assert!(next.starts_with("/api/v1/orders?account=bots&status=OPEN%2Csubmitting&before="), "{next}");
    let second = node.get(next).await;
    assert_eq!((keys(second.json()), second.header("link")), (vec!["k1".into()], None));
    node.get("/api/v1/orders?status=GONE").await.assert_refused(400, "INVALID", "there is no");
    node.get("/api/v1/orders?acount=bots").await.assert_refused(400, "INVALID", "acount");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_as_events() {
    let (node, token) = desk().await;
    let path = "/api/v1/orders/authorize";
    let first = node.post(path, &order("k1", "bots", token).to_string()).await.json();
    let mut socket = node.open();
    let after = first["serial"].as_u64().unwrap() - 1;
    let request = format!("GET /api/v1/orders/watch?after={after} HTTP/1.1\r\nhost: node\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut told = String::new();
    let mut read_until = async |text: &str| {
        while !told.contains(text) {
            let mut bytes = [0; 4096];
            let count = tokio::time::timeout(std::time::Duration::from_secs(20), socket.read(&mut bytes));
            let count = count.await.unwrap().unwrap();
            assert!(count > 0, "the stream ended with {told:?}");
            told += std::str::from_utf8(&bytes[..count]).unwrap();
        }
    };
    read_until(&format!("id: {}\n", after + 1)).await;
    let second = node.post(path, &order("k2", "bots", token).to_string()).await.json();
    read_until(&format!("id: {}\n", second["serial"])).await;
    node.replica.drain().await;
    read_until("event: error").await;
    read_until("DRAINING").await;
    assert!(told.contains("text/event-stream") && told.contains("\"key\":\"k2\""), "{told:?}");

    let bad =
        "GET /api/v1/orders/watch HTTP/1.1\r\nhost: node\r\nconnection: close\r\nlast-event-id: x\r\n\r\n";
    node.send(bad).await.assert_refused(400, "INVALID", "last-event-id");
}
