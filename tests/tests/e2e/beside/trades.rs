//! The judge of what was traded finds what must not be: each case is a good run with one thing changed.

use serde_json::{Value, json};
use tests::trades::{Ledger, Reigns, judge};
use wire::v1::{self, OrderStatus};

/// Tokens, and so serials of grants: the lease was free again by 20, and the second is held.
const FIRST: u64 = 10;
const FREE: u64 = 20;
const SECOND: u64 = 30;

fn reigns() -> Reigns {
    let mut reigns = Reigns::default();
    reigns.heard(None, 5, None);
    reigns.heard(None, 11, Some(FIRST));
    reigns.heard(Some(FIRST), FREE, None);
    reigns.heard(None, 32, Some(SECOND));
    reigns
}

fn order(name: &str, token: u64, serial: u64, status: OrderStatus) -> v1::Order {
    v1::Order {
        client_order_id: name.into(),
        symbol: "BTCUSDT".into(),
        side: v1::Side::Buy.into(),
        quantity: "0.001".into(),
        status: status.into(),
        filled_quantity: if status == OrderStatus::Filled { "0.001" } else { "0" }.into(),
        token,
        authorized_serial: Some(serial),
        timestamp_ms: Some(1000),
        window_ms: Some(2000),
        ..v1::Order::default()
    }
}

fn request(name: &str, arrived_ms: i64, status: u16, code: Option<i64>) -> Value {
    json!({
        "arrived_ms": arrived_ms, "door": "POST /api/v3/order", "client_order_id": name, "symbol": "BTCUSDT",
        "side": "BUY", "quantity": "0.001", "timestamp": "1000", "receive_window": "2000", "fault": null,
        "executed_ms": arrived_ms, "status": status, "code": code,
    })
}

/// One is filled, one was refused as late, one was never sent, of one the answer was lost.
fn good() -> (Vec<v1::Order>, Value) {
    let orders = vec![
        order("a", FIRST, 12, OrderStatus::Filled),
        order("b", FIRST, 14, OrderStatus::Rejected),
        order("c", SECOND, 31, OrderStatus::SubmitUnknown),
        order("d", SECOND, 33, OrderStatus::SubmitUnknown),
    ];
    let placed = |name| json!({"clientOrderId": name, "status": "FILLED", "executedQty": "0.00100000"});
    let ledger = json!({
        "requests": [
            request("a", 1500, 200, None), request("b", 3001, 400, Some(-1021)), request("d", 3000, 200, None),
            {"arrived_ms": 9, "door": "DELETE /api/v3/order", "client_order_id": "a"},
        ],
        "requests_forgotten": 0,
        "orders": [placed("a"), placed("d")],
    });
    (orders, ledger)
}

/// What the judge says of a good run that was changed.
fn found(change: impl FnOnce(&mut Vec<v1::Order>, &mut Value)) -> String {
    let (mut orders, mut ledger) = good();
    change(&mut orders, &mut ledger);
    let ledger: Ledger = serde_json::from_value(ledger).expect("it is a ledger");
    match judge(&orders, &ledger, &reigns()) {
        Ok(verdict) => serde_json::to_string(&verdict).expect("it is JSON"),
        Err(why) => format!("{why:#}"),
    }
}

#[test]
fn the_judge_of_trades_finds_what_must_not_be() {
    assert_eq!(
        found(|_, _| {}),
        r#"{"authorized":4,"placed":2,"sent_late":1,"held_up":0,"unknown":2,"traders":2}"#
    );
    let cases: [(&str, String); 14] = [
        ("not 10", found(|orders, _| orders[0].authorized_serial = Some(31))),
        ("it was free", found(|orders, _| orders[0].authorized_serial = Some(FREE + 1))),
        ("nobody had held it yet", found(|orders, _| orders[0].authorized_serial = Some(FIRST))),
        ("sent twice", found(|_, ledger| ledger["requests"][1] = request("a", 1600, 400, Some(-2010)))),
        ("never authorised", found(|_, ledger| ledger["requests"][0]["client_order_id"] = json!("x"))),
        ("other than authorised", found(|_, ledger| ledger["requests"][0]["quantity"] = json!("0.002"))),
        ("other than authorised", found(|_, ledger| ledger["requests"][0]["timestamp"] = json!("1001"))),
        ("was not refused for it", found(|_, ledger| ledger["requests"][2]["arrived_ms"] = json!(3001))),
        ("it was taken after 3000", found(|_, ledger| ledger["requests"][2]["executed_ms"] = json!(3001))),
        ("nobody sent one", found(|_, ledger| ledger["orders"][0]["clientOrderId"] = json!("c"))),
        ("they differ", found(|_, ledger| ledger["orders"][0]["status"] = json!("EXPIRED"))),
        ("more or less", found(|_, ledger| ledger["orders"][0]["executedQty"] = json!("0.00200000"))),
        ("a contradiction", found(|orders, _| orders[2].flags.push("quarantined".into()))),
        ("it is not there", found(|orders, _| orders[2] = order("c", SECOND, 31, OrderStatus::Filled))),
    ];
    for (what, said) in cases {
        assert!(said.contains(what), "{what:?} is not found: {said}");
    }
}
