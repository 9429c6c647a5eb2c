//! WebSockets over connections: requests, the user data stream, market streams, and what faults do to them.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};
use venue_sim::identity::API_KEY;

use crate::client::signature;
use crate::serving::{Running, run};

struct Socket(WebSocketStream<DuplexStream>);

impl Socket {
    async fn open(running: &Running, path: &str) -> Socket {
        let (socket, _) = client_async(format!("ws://sim{path}"), running.connect())
            .await
            .expect("the exchange takes a WebSocket");
        Socket(socket)
    }

    async fn send(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.expect("the exchange reads");
    }

    /// The next message, but for pings; nothing if the exchange has closed the connection.
    async fn next(&mut self) -> Option<Value> {
        loop {
            match self.0.next().await?.ok()? {
                Message::Text(text) => return Some(serde_json::from_str(&text).expect("messages are JSON")),
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    async fn ask(&mut self, running: &Running, method: &str, params: Value) -> Option<Value> {
        self.send(request(running, method, params)).await;
        self.next().await
    }
}

fn request(running: &Running, method: &str, mut params: Value) -> Value {
    params["apiKey"] = json!(API_KEY);
    params["timestamp"] = json!(running.now_ms());
    let payload: Vec<String> = params
        .as_object()
        .expect("parameters are an object")
        .iter()
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned)))
        .collect();
    params["signature"] = json!(signature(&payload.join("&")));
    json!({"id": method, "method": method, "params": params})
}

fn order(client_order_id: &str) -> Value {
    json!({
        "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01",
        "price": "59000", "newClientOrderId": client_order_id,
    })
}

#[tokio::test(start_paused = true)]
async fn requests_and_events_share_a_connection() {
    let running = run();
    let mut socket = Socket::open(&running, "/ws-api/v3?returnRateLimits=false").await;
    let subscribed = socket.ask(&running, "userDataStream.subscribe.signature", json!({})).await.unwrap();
    assert_eq!(subscribed["result"], json!({"subscriptionId": 0}));
    socket.send(request(&running, "order.place", order("a"))).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let message = socket.next().await.unwrap();
        seen.push(message["event"]["e"].as_str().or(message["id"].as_str()).unwrap_or_default().to_owned());
    }
    seen.sort();
    assert_eq!(seen, ["executionReport", "order.place", "outboundAccountPosition"]);
    socket.send(json!("no request")).await;
    assert_eq!(socket.next().await.unwrap()["error"]["code"], json!(-1102));
    running.operate("POST", "/maintenance", r#"{"on": true, "close_connections": true}"#).await;
    assert_eq!(socket.next().await.unwrap()["event"]["e"], json!("serverShutdown"));
    assert_eq!(socket.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_fault_meets_a_request_on_a_socket() {
    for (act, is_there, answered, goes_on) in [
        (r#""drop_request""#, false, None, false),
        (r#""drop_response""#, true, None, false),
        (r#"{"hang": {"ms": 11000, "executed": true}}"#, true, None, false),
        (r#"{"answer": {"signal": "backend_timeout", "executed": true}}"#, true, Some(504), true),
        (r#"{"answer": {"signal": "bad_gateway", "executed": false}}"#, false, Some(502), true),
        (r#"{"delay": {"before_ms": 100, "after_ms": 100}}"#, true, Some(200), true),
        (r#""close""#, true, Some(200), false),
    ] {
        let running = run();
        let fault = format!(
            r#"{{"faults": [{{"on": "request", "match": {{"ws_method": "order.place"}}, "do": {act}}}]}}"#
        );
        running.operate("POST", "/faults", &fault).await;
        let mut socket = Socket::open(&running, "/ws-api/v3").await;
        let answer = socket.ask(&running, "order.place", order("a")).await;
        assert_eq!(
            answer.map(|answer| answer["status"].clone()),
            answered.map(|status| json!(status)),
            "{act}"
        );
        assert_eq!(running.is_there("a").await, is_there, "{act}");
        if goes_on {
            assert_eq!(socket.ask(&running, "order.place", order("b")).await.unwrap()["status"], json!(200));
        } else {
            assert_eq!(socket.next().await, None, "{act}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn market_streams_are_listened_to_by_path() {
    let running = run();
    let mut raw = Socket::open(&running, "/ws/btcusdt@trade").await;
    let mut combined = Socket::open(&running, "/stream?streams=btcusdt@trade/btcusdt@bookTicker").await;
    running.operate("POST", "/orders", &order("a").to_string()).await;
    running.operate("POST", "/fill", r#"{"symbol": "BTCUSDT", "client_order_id": "a"}"#).await;
    assert_eq!(raw.next().await.unwrap()["e"], json!("trade"));
    assert_eq!(combined.next().await.unwrap()["stream"], json!("btcusdt@bookTicker"));
    assert_eq!(combined.next().await.unwrap()["stream"], json!("btcusdt@trade"));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_ends_says_so() {
    let running = run();
    let mut api = Socket::open(&running, "/ws-api/v3").await;
    let mut market = Socket::open(&running, "/ws/btcusdt@trade").await;
    // Both are known to it.
    api.send(json!({"id": 1, "method": "ping"})).await;
    market.send(json!({"id": 1, "method": "LIST_SUBSCRIPTIONS"})).await;
    assert_eq!(api.next().await.unwrap()["status"], json!(200));
    assert_eq!(market.next().await.unwrap()["result"], json!(["btcusdt@trade"]));
    drop(running);
    assert_eq!(api.next().await.unwrap()["event"]["e"], json!("serverShutdown"));
    assert_eq!(market.next().await.unwrap()["e"], json!("serverShutdown"));
    assert_eq!((api.next().await, market.next().await), (None, None));
}
