//! WebSocket: the API, with the user data stream on the same connection, and the market streams.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::http::Uri;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at, sleep};

use super::Address;
use super::hub::Hub;
use crate::engine::Product;
use crate::fault::{Answer, RequestAct};
use crate::limits::{BODY_BYTES_MAX, CONNECTION_AGE_MAX, PING_INTERVAL, REQUESTS_IN_FLIGHT_MAX};
use crate::venue::{Body, Call, Frame, Reply};

/// The WebSocket API.
pub(super) async fn api(
    State(hub): State<Arc<Hub>>,
    Extension(Address(address)): Extension<Address>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let returns_rate_limits = !query.unwrap_or_default().contains("returnRateLimits=false");
    upgrade.max_message_size(BODY_BYTES_MAX).on_upgrade(move |socket| async move {
        let linked = hub.link(|venue, now_ms| venue.connect(now_ms, &address, returns_rate_limits));
        let Some((id, frames)) = linked else { return };
        let api = Api { hub: hub.clone(), address, id };
        talk(socket, frames, |text| tokio::spawn(api.clone().answer(text))).await;
        hub.unlink(id);
    })
}

/// What the paths of the streams of futures begin with, and all paths of streams. Clients of futures have one for each
/// kind of stream; every stream is on each.
const FUTURES: &str = "/fstream";
pub(super) const PREFIXES: [&str; 5] =
    ["", "/fstream", "/fstream/public", "/fstream/market", "/fstream/private"];

fn product(uri: &Uri) -> Product {
    if uri.path().starts_with(FUTURES) { Product::Futures } else { Product::Spot }
}

/// Market streams by name, `/ws/btcusdt@trade`, of futures those of accounts too, also as `/ws?listenKey=…`; more come by
/// request.
pub(super) async fn raw(
    State(hub): State<Arc<Hub>>,
    uri: Uri,
    streams: Option<Path<String>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let by_query = uri.query().and_then(|query| value(query, "listenKey=")).map(str::to_owned);
    let streams = streams.map(|Path(streams)| streams).or(by_query).unwrap_or_default();
    listen(hub, product(&uri), false, streams, upgrade)
}

/// Market streams, each in an envelope: `/stream?streams=btcusdt@trade/ethusdt@trade`.
pub(super) async fn combined(
    State(hub): State<Arc<Hub>>,
    uri: Uri,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    let query = query.unwrap_or_default();
    let streams = value(&query, "streams=");
    listen(hub, product(&uri), true, streams.unwrap_or_default().to_owned(), upgrade)
}

fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name))
}

fn listen(
    hub: Arc<Hub>,
    product: Product,
    is_combined: bool,
    streams: String,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.max_message_size(BODY_BYTES_MAX).on_upgrade(move |socket| async move {
        let names: Vec<&str> = streams.split('/').filter(|name| !name.is_empty()).collect();
        let linked = hub.link(|venue, now_ms| venue.listen(now_ms, product, is_combined, &names));
        let Some((id, frames)) = linked else { return };
        let instructed = hub.clone();
        let instruct = move |text: String| {
            let answer = instructed.with(|venue, _| venue.instruct(id, &text));
            tokio::spawn(async move { Answered::Text(answer.to_string()) })
        };
        talk(socket, frames, instruct).await;
        hub.unlink(id);
    })
}

/// An answer on its way.
type Answering = JoinHandle<Answered>;

enum Answered {
    Text(String),
    /// It goes out, or has gone out, as a frame.
    Elsewhere,
    /// The connection is closed without an answer.
    Never,
}

/// One connection, until either side closes it. Answers go out as they are ready.
async fn talk(
    mut socket: WebSocket,
    mut frames: mpsc::Receiver<Frame>,
    answer: impl Fn(String) -> Answering,
) {
    let mut answers = FuturesUnordered::new();
    let mut pings = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    let mut age = pin!(sleep(CONNECTION_AGE_MAX));
    loop {
        let room = answers.len() < REQUESTS_IN_FLIGHT_MAX;
        // In this order, and not by chance: the same seed gives the same conversation.
        let outgoing = tokio::select! {
            biased;
            frame = frames.recv() => match frame {
                Some(Frame::Text(text)) => Message::Text(text.into()),
                Some(Frame::Close) | None => Message::Close(None),
            },
            Some(answered) = answers.next() => match answered {
                Ok(Answered::Text(text)) => Message::Text(text.into()),
                Ok(Answered::Elsewhere) => continue,
                Ok(Answered::Never) | Err(_) => return,
            },
            message = socket.recv(), if room => match message {
                Some(Ok(Message::Text(text))) => {
                    answers.push(answer(text.as_str().to_owned()));
                    continue;
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
            _ = pings.tick() => Message::Ping(Vec::new().into()),
            () = &mut age => Message::Close(None),
        };
        let is_last = matches!(outgoing, Message::Close(_));
        if socket.send(outgoing).await.is_err() || is_last {
            return;
        }
    }
}

/// A connection to the WebSocket API.
#[derive(Clone)]
struct Api {
    hub: Arc<Hub>,
    address: String,
    id: u64,
}

impl Api {
    async fn answer(self, text: String) -> Answered {
        let request: Value = match serde_json::from_str(&text) {
            Ok(request) => request,
            Err(_) => return Answered::Text(refused(&Value::Null, 400, -1135, "Invalid JSON Request")),
        };
        let id = request["id"].clone();
        let Some(method) = request["method"].as_str() else {
            let msg = "Mandatory parameter 'method' was not sent, was empty/null, or malformed.";
            return Answered::Text(refused(&id, 400, -1102, msg));
        };
        let call = Call::ws(&self.address, self.id, method, request.get("params"));
        self.treat(&id, &call).await
    }

    async fn treat(&self, id: &Value, call: &Call) -> Answered {
        let arrival = self.hub.with(|venue, now_ms| venue.arrive(now_ms, call));
        let execute =
            || self.hub.with(|venue, now_ms| venue.execute_ws(now_ms, &arrival, call, id)).to_string();
        match &arrival.act {
            None => Answered::Text(execute()),
            Some(RequestAct::DropRequest | RequestAct::Redirect(_)) => Answered::Never,
            Some(RequestAct::DropResponse | RequestAct::CutBody(_)) => {
                execute();
                Answered::Never
            }
            Some(RequestAct::Hang(hang)) => {
                if hang.executed {
                    execute();
                }
                sleep(Duration::from_millis(hang.ms)).await;
                Answered::Never
            }
            Some(RequestAct::Delay(delay)) => {
                sleep(Duration::from_millis(delay.before_ms)).await;
                let answer = execute();
                sleep(Duration::from_millis(delay.after_ms)).await;
                Answered::Text(answer)
            }
            Some(RequestAct::Answer(answer)) => {
                if answer.executed {
                    execute();
                }
                Answered::Text(forged(id, answer))
            }
            Some(RequestAct::Close) => {
                let answer = execute();
                self.hub.with(|venue, _| venue.close(self.id, answer));
                Answered::Elsewhere
            }
        }
    }
}

fn forged(id: &Value, answer: &Answer) -> String {
    let reply = Reply::forged(answer);
    let error = match reply.body {
        Body::Json(error) => error,
        Body::Html(_) => {
            json!({"code": -1000, "msg": "An unknown error occurred while processing the request."})
        }
    };
    json!({"id": id, "status": reply.status, "error": error}).to_string()
}

fn refused(id: &Value, status: u16, code: i64, msg: &str) -> String {
    json!({"id": id, "status": status, "error": {"code": code, "msg": msg}}).to_string()
}
