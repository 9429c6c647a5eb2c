//! Serve HTTP/1.1 on the connections that are handed in.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use consensus::Replica;
use consensus::environment::Socket;
use futures_util::{Stream, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use wire::v1::config_service_server::ConfigService;
use wire::v1::lease_service_server::LeaseService;
use wire::v1::order_service_server::OrderService;

use crate::limits::{
    CONNECTION_AGE_MAX, CONNECTIONS_MAX, HEAD_TIMEOUT, HEADER_BYTES_MAX, HEADERS_MAX, REQUEST_DEADLINE,
};
use crate::metrics::Metrics;
use crate::router::router;

/// What the process hands in.
#[derive(Clone)]
pub struct Options {
    /// Makes the text of `/metrics`, in the Prometheus text format.
    pub metrics_text: Arc<dyn Fn() -> String + Send + Sync>,
    /// Where this crate counts, so that the text above can tell it.
    pub metrics: Arc<Metrics>,
}

/// Answers until `stop` is done or `incoming` ends; requests under way are answered before it returns. An error of
/// `incoming` ends it: what concerns one connection only is to be passed over by whoever accepts.
pub async fn serve<L: LeaseService, O: OrderService<WatchStream: Unpin>, C: ConfigService>(
    replica: Replica,
    leases: L,
    orders: O,
    config: C,
    options: Options,
    mut incoming: impl Stream<Item = io::Result<Box<dyn Socket>>> + Send + Unpin,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let metrics = options.metrics.clone();
    let router = router(replica, Arc::new(leases), Arc::new(orders), Arc::new(config), options);
    let (stopping, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let result = loop {
        let socket = tokio::select! {
            () = &mut stop => break Ok(()),
            Some(_) = connections.join_next() => {
                metrics.connections_open.store(connections.len() as u64, Relaxed);
                continue;
            }
            next = incoming.next() => match next {
                Some(Ok(socket)) => socket,
                Some(Err(error)) => break Err(error),
                None => break Ok(()),
            },
        };
        if connections.len() >= CONNECTIONS_MAX {
            metrics.connections_refused.fetch_add(1, Relaxed);
            tracing::warn!(connections = CONNECTIONS_MAX, "too many connections; a new one was closed");
            continue;
        }
        connections.spawn(converse(socket, router.clone(), stopped.clone()));
        metrics.connections_open.store(connections.len() as u64, Relaxed);
    };
    drop(stopping);
    while connections.join_next().await.is_some() {}
    metrics.connections_open.store(0, Relaxed);
    result
}

/// One connection: answers its requests until it is closed, too old, or `stopped` says so.
async fn converse(socket: Box<dyn Socket>, router: Router, mut stopped: watch::Receiver<()>) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX);
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router)));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = sleep(CONNECTION_AGE_MAX) => None,
        // Ends when the sender is dropped.
        _ = stopped.changed() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(REQUEST_DEADLINE, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    fn connect() -> (DuplexStream, watch::Sender<()>) {
        let (here, there) = duplex(1024);
        let (stopping, stopped) = watch::channel(());
        tokio::spawn(converse(Box::new(there), Router::new(), stopped));
        (here, stopping)
    }

    /// How long until the server closes the connection.
    async fn closed_after(mut socket: DuplexStream) -> Duration {
        let begun = Instant::now();
        socket.read_to_end(&mut Vec::new()).await.unwrap();
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_to_its_end_is_not_waited_for() {
        let (mut socket, _stopping) = connect();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
        assert_eq!(closed_after(socket).await.as_secs(), HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed() {
        let (mut socket, _stopping) = connect();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: n\r\n\r\n").await.unwrap();
        assert_eq!(closed_after(socket).await.as_secs(), HEAD_TIMEOUT.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_gives_its_place_back() {
        let (here, there) = duplex(64);
        let (_stopping, stopped) = watch::channel(());
        let long = || async { "x".repeat(1 << 20) };
        let router = Router::new().route("/", axum::routing::get(long));
        let begun = Instant::now();
        let converse = tokio::spawn(converse(Box::new(there), router, stopped));
        let (_reader, mut writer) = tokio::io::split(here);
        writer.write_all(b"GET / HTTP/1.1\r\nhost: n\r\n\r\n").await.unwrap();
        converse.await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), (CONNECTION_AGE_MAX + REQUEST_DEADLINE).as_secs());
    }
}
