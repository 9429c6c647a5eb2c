//! The exchange on the connections that are handed in: HTTP/1.1 and WebSocket on one listener, the operator on the
//! other.

mod control;
mod hub;
mod rest;
mod socket;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::get;
use futures_util::{Stream, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tower::{ServiceExt, service_fn};

use crate::limits::{CONNECTIONS_MAX, HEAD_TIMEOUT, HEADER_BYTES_MAX, TICK};
use crate::venue::{Options, Venue};
use hub::Hub;

/// A connection from a client.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for T {}

/// A connection, and where it comes from: limits on requests are by address, without a port.
pub struct Connection {
    pub address: String,
    pub socket: Box<dyn Socket>,
}

/// The wall clock: milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Where a request comes from.
#[derive(Clone)]
struct Address(String);

/// Put on an answer that the caller must not get: the connection is closed instead.
#[derive(Clone)]
struct Abandoned;

/// Runs an exchange until `stop` is done or either listener ends: on `exchange` for its clients, on `control` for its
/// operator. Requests under way are cut off then, as when an exchange dies; WebSockets are told that it shuts down.
pub async fn serve(
    options: Options,
    clock: Clock,
    exchange: impl Stream<Item = io::Result<Connection>> + Send + Unpin,
    control: impl Stream<Item = io::Result<Connection>> + Send + Unpin,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let venue = Venue::new(options, clock());
    let hub = Arc::new(Hub::new(venue, clock));
    let mut doors = Router::new().route("/ws-api/v3", get(socket::api));
    for prefix in socket::PREFIXES {
        doors = doors
            .route(&format!("{prefix}/ws"), get(socket::raw))
            .route(&format!("{prefix}/ws/{{*streams}}"), get(socket::raw))
            .route(&format!("{prefix}/stream"), get(socket::combined));
    }
    let doors = doors.fallback(rest::answer).with_state(hub.clone());
    let operator = control::router(hub.clone());
    let result = tokio::select! {
        biased;
        () = stop => Ok(()),
        result = accept(exchange, doors) => result,
        result = accept(control, operator) => result,
        () = keep_time(hub.clone()) => Ok(()),
    };
    hub.with(|venue, _| venue.shut_down());
    result
}

/// Lets the exchange do what nobody asks for.
async fn keep_time(hub: Arc<Hub>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        hub.with(|venue, now_ms| venue.advance(now_ms));
    }
}

async fn accept(
    mut incoming: impl Stream<Item = io::Result<Connection>> + Send + Unpin,
    router: Router,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        let connection = tokio::select! {
            biased;
            Some(_) = connections.join_next() => continue,
            next = incoming.next() => match next {
                Some(connection) => connection?,
                None => return Ok(()),
            },
        };
        if connections.len() >= CONNECTIONS_MAX {
            tracing::warn!(connections = CONNECTIONS_MAX, "too many connections; a new one was closed");
            continue;
        }
        connections.spawn(converse(connection, router.clone()));
    }
}

/// One connection: answers its requests until it is closed, or becomes a WebSocket.
async fn converse(connection: Connection, router: Router) {
    let Connection { address, socket } = connection;
    let service = service_fn(move |mut request: Request<_>| {
        request.extensions_mut().insert(Address(address.clone()));
        let router = router.clone();
        async move { deliver(router.oneshot(request.map(Body::new)).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    // The date would be the machine's, and not by the clock that is handed in.
    builder
        .http1()
        .auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX);
    let service = TowerToHyperService::new(service);
    let ended = builder.serve_connection_with_upgrades(TokioIo::new(socket), service).await;
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

/// The answer, unless it is one that must not arrive.
fn deliver(answered: Result<Response, Infallible>) -> io::Result<Response> {
    let Ok(response) = answered;
    match response.extensions().get::<Abandoned>() {
        Some(Abandoned) => Err(io::Error::other("a fault closes the connection")),
        None => Ok(response),
    }
}
