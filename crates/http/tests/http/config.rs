use serde_json::{Value, json};

use crate::world::{Node, pair, single};

const PATH: &str = "/api/v1/config";

fn desk() -> Value {
    json!({
        "day_offset_minutes": -300,
        "venues": {"sim": {"kind": "binance-spot", "symbols": {"BTCUSDT": {
            "base": "BTC", "quote": "USDT", "tick": "0.01", "step": "0.001", "quantity_min": "0.001",
            "quantity_max": "100", "notional_min": "0", "order_types": ["LIMIT", "MARKET"], "contract_size": "1",
        }}}},
        "accounts": {"bots": {
            "venue": "sim", "mode": "direct", "window_ms": 3000, "trust_bot_reports": true, "reconciliation": false,
            "limits": {"message_rate": {"count": 10, "per_ms": 1000}},
            "symbol_limits": {"BTCUSDT": {"quantity_max": "5"}},
        }},
        "strategies": {"mm": {"accounts": ["bots"], "lease": "desk", "symbols": ["BTCUSDT"]}},
    })
}

async fn set(node: &Node, body: Value) -> Value {
    let answer = node.put(PATH, &body.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_desk_is_set_and_shown_and_set_again() {
    let node = single().await;
    let nothing = node.get(PATH).await;
    assert_eq!(nothing.status, 200);
    let empty = json!({"day_offset_minutes": 0, "venues": {}, "accounts": {}, "strategies": {}});
    assert_eq!(nothing.json()["configuration"], empty);

    let tried = set(&node, json!({"configuration": desk(), "dry_run": true})).await;
    assert_eq!((&tried["dry_run"], tried["changes"].as_array().unwrap().len()), (&json!(true), 7), "{tried}");
    assert_eq!(node.get(PATH).await.json(), nothing.json());

    let body = json!({"configuration": desk(), "actor": "ann", "reason": "open"});
    let done = set(&node, body.clone()).await;
    assert_eq!((&done["dry_run"], &done["changes"]), (&json!(false), &tried["changes"]));
    assert_eq!(done["revision"], tried["revision"]);
    let shown = node.get(PATH).await;
    assert_eq!(shown.json(), json!({"revision": done["revision"], "configuration": desk()}));
    assert!(shown.header("tenure-log-index").is_some());

    let again = set(&node, body).await;
    assert_eq!((&again["changes"], &again["repeated"]), (&json!([]), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looked_at_another_desk_overwrites_nothing() {
    let node = single().await;
    let before = node.get(PATH).await.json()["revision"].clone();
    let mut body = json!({
        "configuration": desk(), "expected": before, "reason": "open",
        "request_id": "01900000-0000-7000-8000-0000000000ff",
    });
    let first = set(&node, body.clone()).await;
    // The same request once more: it has run, whatever stands by now.
    let repeated = node.put(PATH, &body.to_string()).await;
    assert_eq!(repeated.header("tenure-repeated"), Some("true"));
    let repeated = repeated.json();
    assert_eq!((&repeated["repeated"], &repeated["changes"]), (&json!(true), &json!([])));
    assert_eq!(repeated["revision"], first["revision"]);

    body["request_id"] = Value::Null;
    for dry_run in [true, false] {
        body["dry_run"] = dry_run.into();
        node.put(PATH, &body.to_string()).await.assert_refused(409, "STALE_REVISION", "does not stand");
    }
    body["expected"] = first["revision"].clone();
    assert_eq!(set(&node, body.clone()).await["changes"], json!([]));
    body["expected"] = "7".into();
    node.put(PATH, &body.to_string()).await.assert_refused(400, "INVALID", "expected: not a revision");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_desk_is_told_by_the_name_of_the_field() {
    let node = single().await;
    let but = |pointer: &str, value: Value| {
        let mut body = json!({"configuration": desk(), "reason": "open"});
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[key] = value;
        body.to_string()
    };
    let symbol = "/configuration/venues/sim/symbols/BTCUSDT";
    let cases = [
        (but(&format!("{symbol}/tick"), json!(0.01)), "expected a decimal in quotes, such as \"0.015\""),
        (but(&format!("{symbol}/tik"), json!("0.01")), "unknown field `tik`"),
        (but(&format!("{symbol}/tick"), json!("0,01")), "venues.sim.symbols.BTCUSDT.tick: not a decimal"),
        (but(&format!("{symbol}/tick"), json!("-1")), "venues.sim.symbols.BTCUSDT.tick: must be above zero"),
        (but(&format!("{symbol}/order_types"), json!(["ICEBERG"])), "unknown variant `ICEBERG`"),
        (but("/configuration/accounts/bots/mode", json!("both")), "unknown variant `both`"),
        (but("/configuration/accounts/bots/mode", Value::Null), "accounts.bots.mode: must be gateway or direct"),
        (but("/configuration/accounts/bots/venue", json!("other")), "accounts.bots.venue: there is no venue other"),
        (but("/configuration/strategies/mm/limits", json!({"quantity_max": "0"})), "strategies.mm.limits.quantity_max: must be above"),
        (but("/configuration/strategies", json!([])), "expected records by their names"),
        (but("/reason", json!(" ")), "reason: missing"),
        (json!({"configuration": {}, "reason": "open"}).to_string(), "missing field `day_offset_minutes`"),
        (json!({"reason": "open"}).to_string(), "missing field `configuration`"),
        (
            r#"{"configuration": {"day_offset_minutes": 0, "venues": {"a": {"kind": "x"}, "a": {"kind": "y"}}, "accounts": {}, "strategies": {}}}"#.into(),
            "there are two of the name \"a\"",
        ),
    ];
    for (body, about) in cases {
        node.put(PATH, &body).await.assert_refused(400, "INVALID", about);
    }
    let all = but("/configuration/accounts/bots/venue", json!("other"));
    let answer = node.put(PATH, &all).await.json();
    assert_eq!(answer["reasons"][0]["message"], "accounts.bots.venue: there is no venue other");
    assert_eq!(node.get(PATH).await.json()["configuration"]["venues"], json!({}));
    node.post(PATH, "{}").await.assert_refused(405, "INVALID", "POST is not possible");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_set_or_shown() {
    let (leader, follower) = pair().await;
    follower.kill().await;
    leader.get(PATH).await.assert_refused(503, "NO_QUORUM", "");
    let body = json!({"configuration": desk(), "reason": "open"}).to_string();
    leader.put(PATH, &body).await.assert_refused(503, "NO_QUORUM", "");
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_are_set_shown_and_taken_back() {
    let node = single().await;
    set(&node, json!({"configuration": desk(), "reason": "open"})).await;
    for path in ["/api/v1/kill-switches", "/api/v1/modes"] {
        assert_eq!(node.get(path).await.json(), json!([]), "{path}");
    }
    let closed = json!([{"venue": "sim", "state": "closed", "actor": null, "reason": null, "serial": null, "at": null}]);
    assert_eq!(node.get("/api/v1/breakers").await.json(), closed);

    let why = r#"{"actor": "ann", "reason": "drill"}"#;
    let cases = [
        (
            "/api/v1/kill-switches",
            "account:bots/engage",
            why,
            "account:bots/release",
            json!({"scope": "account:bots", "engaged": true}),
        ),
        (
            "/api/v1/kill-switches",
            "all/engage",
            "{}",
            "all/release",
            json!({"scope": "all", "engaged": true}),
        ),
        (
            "/api/v1/modes",
            "symbol:BTCUSDT/set",
            r#"{"mode": "reduce-only", "actor": "ann", "reason": "drill"}"#,
            "symbol:BTCUSDT/set",
            json!({"scope": "symbol:BTCUSDT", "mode": "reduce-only"}),
        ),
        ("/api/v1/breakers", "sim/trip", why, "sim/reset", json!({"venue": "sim", "state": "forced_open"})),
    ];
    for (path, stop, body, go_on, expected) in cases {
        let is_expected = |told: &Value| {
            let expected = expected.as_object().unwrap();
            expected.iter().all(|(key, value)| told[key] == *value)
        };
        for changed in [true, false] {
            let answer = node.post(&format!("{path}/{stop}"), body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let told = answer.json();
            assert!(is_expected(&told) && told["changed"] == changed, "{told}");
        }
        let listed = node.get(path).await.json();
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        assert!(is_expected(&listed[0]) && listed[0]["at"] == "2026-09-21T14:13:20.000Z", "{listed}");
        assert!(listed[0]["serial"].as_u64().unwrap() > 0);
        if body != "{}" {
            assert_eq!((&listed[0]["actor"], &listed[0]["reason"]), (&json!("ann"), &json!("drill")));
        }

        let is_mode = path.ends_with("modes");
        let silent = if is_mode { r#"{"mode": "normal"}"# } else { "{}" };
        node.post(&format!("{path}/{go_on}"), silent).await.assert_refused(400, "INVALID", "reason: missing");
        let over = if is_mode { r#"{"mode": "normal", "reason": "over"}"# } else { r#"{"reason": "over"}"# };
        let answer = node.post(&format!("{path}/{go_on}"), over).await;
        assert_eq!((answer.status, &answer.json()["changed"]), (200, &json!(true)));
    }
    assert_eq!(node.get("/api/v1/breakers").await.json(), closed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_switch_is_told() {
    let node = single().await;
    set(&node, json!({"configuration": desk(), "reason": "open"})).await;
    let cases = [
        ("kill-switches/desk:x/engage", "{}", 400, "INVALID", "scope: \"desk:x\" is no scope"),
        ("kill-switches/all:x/engage", "{}", 400, "INVALID", "symbol:NAME"),
        ("kill-switches/venue:nowhere/engage", "{}", 404, "UNKNOWN_NAME", "nothing of this name"),
        ("kill-switches/venue:a%20b/engage", "{}", 400, "INVALID", "not a name"),
        ("kill-switches/all/engage", r#"{"why": "x"}"#, 400, "INVALID", "unknown field `why`"),
        ("kill-switches/all/engage", r#"{"request_id": "x"}"#, 400, "INVALID", "request_id"),
        ("modes/all/set", "{}", 400, "INVALID", "missing field `mode`"),
        ("modes/all/set", r#"{"mode": "HALTED"}"#, 400, "INVALID", "reduce-only"),
        ("breakers/nowhere/trip", "{}", 404, "UNKNOWN_NAME", "nothing of this name"),
        ("breakers/sim/break", "{}", 404, "NOT_FOUND", "there is nothing at"),
    ];
    for (path, body, status, reason, about) in cases {
        node.post(&format!("/api/v1/{path}"), body).await.assert_refused(status, reason, about);
    }
    assert_eq!(node.get("/api/v1/kill-switches").await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_stops_trading_needs_no_body() {
    let node = single().await;
    set(&node, json!({"configuration": desk(), "reason": "open"})).await;
    for path in ["/api/v1/kill-switches/all", "/api/v1/breakers/sim"] {
        let [stop, go_on] = if path.contains("kill") { ["engage", "release"] } else { ["trip", "reset"] };
        let stop = format!("{path}/{stop}");
        // A page of any origin could let a browser send these.
        let of_a_page = "origin: http://evil.example\r\n";
        node.post_as(of_a_page, &stop, "").await.assert_refused(415, "INVALID", "declared so");
        let plain = "content-type: text/plain\r\n";
        node.post_as(plain, &stop, "{}").await.assert_refused(415, "INVALID", "declared so");
        for headers in ["", "content-type: application/json\r\n"] {
            let answer = node.post_as(headers, &stop, "").await;
            assert_eq!((answer.status, &answer.json()["changed"]), (200, &json!(headers.is_empty())));
        }
        node.post(&stop, "[]").await.assert_refused(400, "INVALID", "must be a JSON object");
        let go_on = format!("{path}/{go_on}");
        node.post_as("", &go_on, "").await.assert_refused(415, "INVALID", "declared so");
    }
}
