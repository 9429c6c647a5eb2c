//! The exchange over connections, in memory and under paused time: what a fault does to them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use venue_sim::{Connection, Options, serve};

use crate::client::{NOON_MS, quiet, signature};

/// An exchange that runs, and how to connect to it.
pub(crate) struct Running {
    exchange: mpsc::UnboundedSender<Connection>,
    control: mpsc::UnboundedSender<Connection>,
    begun: Instant,
    /// Ends the exchange when it is dropped.
    _stop: oneshot::Sender<()>,
}

pub(crate) fn run() -> Running {
    run_with(quiet())
}

fn run_with(options: Options) -> Running {
    let (exchange, exchange_connections) = mpsc::unbounded_channel();
    let (control, control_connections) = mpsc::unbounded_channel();
    let begun = Instant::now();
    let clock = Arc::new(move || NOON_MS + i64::try_from(begun.elapsed().as_millis()).expect("not so long"));
    let listen = |receiver: mpsc::UnboundedReceiver<Connection>| {
        Box::pin(stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|connection| (Ok(connection), receiver))
        }))
    };
    let doors = (listen(exchange_connections), listen(control_connections));
    let (_stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(serve(options, clock, doors.0, doors.1, async { drop(stopped.await) }));
    Running { exchange, control, begun, _stop }
}

fn connect(to: &mpsc::UnboundedSender<Connection>) -> DuplexStream {
    let (here, there) = duplex(64 * 1024);
    to.send(Connection { address: "local".into(), socket: Box::new(there) }).expect("the exchange runs");
    here
}

impl Running {
    pub(crate) fn connect(&self) -> DuplexStream {
        connect(&self.exchange)
    }

    pub(crate) fn now_ms(&self) -> i64 {
        NOON_MS + i64::try_from(self.begun.elapsed().as_millis()).expect("not so long")
    }

    /// One request on a connection of its own; everything that comes until the connection is closed, and how long that
    /// took.
    async fn request(&self, request: String) -> (String, Duration) {
        exchange_with(connect(&self.exchange), request).await
    }

    pub(crate) async fn operate(&self, method: &str, path: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        exchange_with(connect(&self.control), request).await.0
    }

    fn order(&self, client_order_id: &str) -> String {
        let now_ms = self.now_ms();
        let query = format!(
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=59000&newClientOrderId={client_order_id}&timestamp={now_ms}"
        );
        let signature = signature(&query);
        let api_key = venue_sim::identity::API_KEY;
        format!(
            "POST /api/v3/order?{query}&signature={signature} HTTP/1.1\r\nhost: sim\r\nx-mbx-apikey: {api_key}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
    }

    /// Whether an order of this client id is there, by the ledger.
    pub(crate) async fn is_there(&self, client_order_id: &str) -> bool {
        let ledger = self.operate("GET", "/ledger", "").await;
        ledger.contains(&format!("\"clientOrderId\":\"{client_order_id}\""))
    }
}

async fn exchange_with(mut socket: DuplexStream, request: String) -> (String, Duration) {
    let begun = Instant::now();
    socket.write_all(request.as_bytes()).await.expect("the exchange reads");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("the answer is text");
    (answer, begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn an_order_goes_through_a_connection() {
    let running = run();
    let (answer, _) = running.request(running.order("a")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("x-mbx-order-count-10s: 1\r\n"), "{answer}");
    assert!(running.is_there("a").await);
    let wrong = running.operate("POST", "/halt", "{").await;
    assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("EOF while parsing"), "{wrong}");
    assert!(running.operate("GET", "/nothing", "").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test(start_paused = true)]
async fn a_fault_does_what_it_says_to_the_connection_and_to_the_order() {
    for (act, is_there, answer_has, least_ms) in [
        (r#""drop_request""#, false, "", 0),
        (r#""drop_response""#, true, "", 0),
        (r#"{"hang": {"ms": 11000, "executed": true}}"#, true, "", 11_000),
        (r#"{"hang": {"ms": 700, "executed": false}}"#, false, "", 700),
        (r#"{"cut_body": {"after_bytes": 10}}"#, true, "HTTP/1.1 200 OK", 0),
        (r#"{"delay": {"before_ms": 100, "after_ms": 200}}"#, true, "\"status\":\"NEW\"", 300),
        (r#"{"delay": {"before_ms": 6000}}"#, false, "-1021", 6_000),
        (r#"{"answer": {"signal": "backend_timeout", "executed": true}}"#, true, "{\"code\":-1007,", 0),
        (r#"{"answer": {"signal": "unexpected_response", "executed": false}}"#, false, "{\"code\":-1006,", 0),
        (
            r#"{"answer": {"signal": "too_many_requests", "executed": false, "retry_after_s": 7}}"#,
            false,
            "retry-after: 7",
            0,
        ),
        (r#"{"answer": {"signal": "bad_gateway", "executed": true}}"#, true, "HTTP/1.1 502 Bad Gateway", 0),
        (
            r#"{"answer": {"status": 451, "code": -9, "msg": "no", "executed": false}}"#,
            false,
            "{\"code\":-9,\"msg\":\"no\"}",
            0,
        ),
        (r#""close""#, true, "connection: close", 0),
        (
            r#"{"redirect": {"status": 307, "location": "http://elsewhere/"}}"#,
            false,
            "location: http://elsewhere/",
            0,
        ),
    ] {
        let running = run();
        let fault = format!(
            r#"{{"faults": [{{"on": "request", "match": {{"method": "POST", "path": "/api/v3/order", "client_order_id": "a"}}, "do": {act}}}]}}"#
        );
        let armed = running.operate("POST", "/faults", &fault).await;
        assert!(armed.contains("{\"ids\":[1]}"), "{armed}");
        let (answer, took) = running.request(running.order("a")).await;
        assert!(answer.contains(answer_has), "{act}: {answer}");
        assert_eq!(answer.is_empty(), answer_has.is_empty(), "{act}: {answer}");
        assert!(took >= Duration::from_millis(least_ms), "{act}: {took:?}");
        assert!(took < Duration::from_millis(least_ms + 50), "{act}: {took:?}");
        assert_eq!(running.is_there("a").await, is_there, "{act}");
        // It meets one request only.
        let (answer, _) = running.request(running.order("b")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{act}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_bytes() {
    let play = async |seed| {
        let running = run_with(Options { seed, ..Options::default() });
        let fault = r#"{"faults": [{"on": "request", "match": {"method": "POST"}, "count": null, "chance": "0.5", "do": "drop_response"}]}"#;
        let mut said = running.operate("POST", "/faults", fault).await;
        for id in ["a", "b", "c", "d"] {
            said += &running.request(running.order(id)).await.0;
            tokio::time::advance(Duration::from_millis(1500)).await;
        }
        said + &running.operate("GET", "/ledger", "").await
    };
    assert_eq!(play(1).await, play(1).await);
    assert_ne!(play(1).await, play(2).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_cut_is_shorter_than_promised() {
    let running = run();
    let fault = r#"{"faults": [{"on": "request", "do": {"cut_body": {"after_bytes": 10}}}]}"#;
    running.operate("POST", "/faults", fault).await;
    let (answer, _) = running.request(running.order("a")).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let promised = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()).unwrap();
    assert!(promised.parse::<usize>().unwrap() > 300, "{head}");
    assert_eq!(body.len(), 10, "{body}");
}

/// What has arrived is carried out, whoever still waits for it.
#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_take_its_order_along() {
    let running = run();
    let fault = r#"{"faults": [{"on": "request", "do": {"delay": {"before_ms": 2000}}}]}"#;
    running.operate("POST", "/faults", fault).await;
    let mut socket = connect(&running.exchange);
    socket.write_all(running.order("a").as_bytes()).await.unwrap();
    let arrived = || async { running.operate("GET", "/ledger", "").await.contains("\"number\":1") };
    while !arrived().await {}
    drop(socket);
    assert!(!running.is_there("a").await);
    let deadline = Instant::now() + Duration::from_secs(3);
    while !running.is_there("a").await {
        assert!(Instant::now() < deadline, "the order was never placed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
