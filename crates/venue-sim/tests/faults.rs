//! Faults of the user data stream, and that the ledger has the truth under each.

use serde_json::{Value, json};
use venue_sim::fault::RequestAct;

use crate::client::{Client, NOON_MS, quiet, signed_call};

fn listening(script: Value) -> Client {
    let mut client = Client::new(quiet());
    let session = client.venue.connect(NOON_MS, "local", false);
    let timestamp = json!(NOON_MS);
    let api_key = json!(venue_sim::identity::API_KEY);
    let payload = format!("apiKey={}&timestamp={NOON_MS}", venue_sim::identity::API_KEY);
    let signature = crate::client::signature(&payload);
    let params = json!({"apiKey": api_key, "timestamp": timestamp, "signature": signature});
    let answer = client.ws(session, "userDataStream.subscribe.signature", params);
    assert_eq!(answer["status"], json!(200));
    client.venue.arm(&json!({"faults": [script]}).to_string()).expect("the script is right");
    client
}

fn place(client: &mut Client, client_order_id: &str) {
    let order = format!(
        "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000&newClientOrderId={client_order_id}"
    );
    assert_eq!(client.signed("POST", "/api/v3/order", &order).0, 200);
}

fn reports(client: &mut Client) -> Vec<String> {
    let heard = client.all_heard();
    heard
        .into_iter()
        .filter(|event| event.starts_with("executionReport") || event.contains("closed"))
        .collect()
}

#[test]
fn one_fill_is_lost_while_the_stream_is_healthy() {
    let script =
        json!({"on": "event", "match": {"execution": "TRADE", "client_order_id": "a"}, "do": "lose"});
    let mut client = listening(script);
    place(&mut client, "a");
    client.venue.fill(r#"{"symbol": "BTCUSDT", "client_order_id": "a", "quantity": "0.004"}"#).unwrap();
    client.venue.fill(r#"{"symbol": "BTCUSDT", "client_order_id": "a"}"#).unwrap();
    assert_eq!(reports(&mut client), ["executionReport NEW a", "executionReport TRADE a"]);
    let ledger = client.venue.ledger();
    assert_eq!(ledger["trades"].as_array().map(Vec::len), Some(2));
    assert_eq!(ledger["orders"][0]["status"], json!("FILLED"));
    assert_eq!((&ledger["faults"][0]["seen"], &ledger["faults"][0]["met"]), (&json!(2), &json!(1)));
}

#[test]
fn events_are_told_twice_out_of_order_late_or_not_at_all() {
    let on = |act: Value| json!({"on": "event", "match": {"event": "executionReport", "client_order_id": "a"}, "do": act});
    let mut client = listening(on(json!("duplicate")));
    place(&mut client, "a");
    assert_eq!(reports(&mut client), ["executionReport NEW a", "executionReport NEW a"]);

    let mut client = listening(on(json!("reorder")));
    place(&mut client, "a");
    assert_eq!(client.all_heard(), ["outboundAccountPosition", "executionReport NEW a"]);

    let mut client = listening(on(json!({"delay": {"ms": 100}})));
    place(&mut client, "a");
    place(&mut client, "b");
    assert_eq!(reports(&mut client), ["executionReport NEW b"]);
    client.wait(99);
    assert_eq!(reports(&mut client), [""; 0]);
    client.wait(1);
    assert_eq!(reports(&mut client), ["executionReport NEW a"]);

    let mut client = listening(on(json!("close_stream")));
    place(&mut client, "a");
    place(&mut client, "b");
    assert_eq!(reports(&mut client), ["\"closed\""]);
}

#[test]
fn the_ledger_has_what_a_fault_kept_from_the_caller() {
    let mut client = Client::new(quiet());
    let faults = json!({"faults": [
        {"name": "lost", "on": "request", "match": {"client_order_id": "a"}, "do": "drop_request"},
        {"name": "mute", "on": "request", "match": {"client_order_id": "b"}, "do": "drop_response"},
    ]});
    assert_eq!(client.venue.arm(&faults.to_string()), Ok(json!({"ids": [1, 2]})));
    for (id, act) in [("a", RequestAct::DropRequest), ("b", RequestAct::DropResponse)] {
        let order = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000&newClientOrderId={id}"
        );
        let call = signed_call("POST", "/api/v3/order", &order, NOON_MS);
        let arrival = client.arrive(&call);
        assert_eq!(arrival.act, Some(act.clone()));
        if act == RequestAct::DropResponse {
            client.venue.execute(client.now_ms, &arrival, &call);
        }
    }
    let ledger = client.venue.ledger();
    let row = |place: usize, name: &str| ledger["requests"][place][name].clone();
    assert_eq!((row(0, "fault"), row(0, "executed_ms")), (json!("lost"), Value::Null));
    assert_eq!((row(1, "fault"), row(1, "status")), (json!("mute"), json!(200)));
    assert_eq!(ledger["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(client.venue.disarm(Some("lost")), json!({"forgotten": 1}));
    assert_eq!(client.venue.armed()["faults"].as_array().map(Vec::len), Some(1));
}
