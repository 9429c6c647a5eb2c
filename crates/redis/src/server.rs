//! Accepting connections, and letting go of them in an orderly way.

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use crate::clients::Entered;
use crate::connection::Connection;
use crate::error::Error;
use crate::group::Group;
use crate::lane::Aside;
use crate::metrics::{Count, Metrics};
use crate::node::{Node, Seams, WallClock};
use crate::options::{Options, Purpose};
use crate::pubsub::hub::Listen;
use crate::pubsub::source::Source;
use crate::sentinel::vigil;

/// What this edge does not make by itself.
#[derive(Clone)]
pub struct Environment {
    /// Milliseconds since 1970: for people, `TIME` and audit.
    pub wall_ms: WallClock,
    /// Runs a task beside the caller.
    pub spawn: Spawn,
    /// Runs scripts.
    pub aside: Aside,
    /// Since any fixed instant: how long a script runs.
    pub clock: lua::Clock,
    /// The same, whatever this process does meanwhile: how old a proof is.
    pub monotonic: lua::Clock,
    /// Ends after so long.
    pub sleep: Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

pub(crate) type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;
pub(crate) type Sleep = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// A connection that a listener has accepted. TCP_NODELAY is the listener's duty.
pub struct Accepted<S> {
    pub stream: S,
    pub peer: SocketAddr,
    pub local: SocketAddr,
}

/// The Redis protocol on one node. Cheap to clone; all clones drain together.
#[derive(Clone)]
pub struct Server<G> {
    group: G,
    node: Arc<Node>,
    environment: Environment,
    draining: watch::Sender<bool>,
    /// Connections that may still owe a reply.
    answering: watch::Sender<usize>,
}

impl<G: Group> Server<G> {
    pub fn new(group: G, environment: Environment, options: Options) -> Self {
        let standing = group.clone();
        let listening = group.clone();
        let listen: Listen = match options.purpose {
            Purpose::Keys => Box::new(move |interest| listening.listen(interest)),
            Purpose::Sentinel { .. } => Box::new(|_| 0),
        };
        let flushing = group.clone();
        let seams = Seams {
            standing: Box::new(move || standing.standing()),
            listen,
            scripts_flushed: Box::new(move || flushing.scripts_flushed()),
        };
        let node = Node::new(options, &environment, seams);
        Self {
            group,
            node: Arc::new(node),
            environment,
            draining: watch::Sender::new(false),
            answering: watch::Sender::new(0),
        }
    }

    pub fn metrics(&self) -> Arc<Metrics> {
        self.node.metrics.clone()
    }

    /// Serves what `incoming` yields until it ends or [`drain`](Self::drain) is called, and hands out what is published
    /// meanwhile: to be called once. An error of one accept is logged; pausing after it is the listener's duty.
    pub async fn serve<S>(&self, mut incoming: impl Stream<Item = io::Result<Accepted<S>>> + Unpin)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let mut draining = self.draining.subscribe();
        let mut source = Source::new(&self.group, &self.node.options.purpose);
        let mut vigil = pin!(self.keep_vigil());
        loop {
            let accepted = tokio::select! {
                _ = draining.wait_for(|draining| *draining) => return,
                () = &mut vigil => unreachable!("it never ends"),
                heard = source.next(&self.group) => {
                    self.node.hub.hand_out(heard);
                    continue;
                }
                accepted = incoming.next() => accepted,
            };
            match accepted {
                Some(Ok(accepted)) => self.accept(accepted),
                Some(Err(error)) => tracing::warn!(%error, "a connection could not be accepted"),
                None => return,
            }
        }
    }

    async fn keep_vigil(&self) {
        match self.node.options.purpose {
            Purpose::Keys => std::future::pending().await,
            Purpose::Sentinel { .. } => vigil::keep(&self.group, &self.node).await,
        }
    }

    /// Stops accepting and reading, and waits until every request that was read is answered and every reply is with
    /// the client. A client that does not take its replies delays this: the caller sets the limit.
    pub async fn drain(&self) {
        self.draining.send_replace(true);
        let mut answering = self.answering.subscribe();
        // The sender is in `self`, so that the wait can only end by the condition.
        let _ = answering.wait_for(|answering| *answering == 0).await;
    }

    fn accept<S>(&self, accepted: Accepted<S>)
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let Accepted { stream, peer, local } = accepted;
        let metrics = &self.node.metrics;
        metrics.connections_accepted.add(1);
        let max = self.node.options.connections_max;
        let Some(entered) = self.node.clients.enter(peer, local, self.node.now_ms(), max) else {
            metrics.connections_rejected.add(1);
            (self.environment.spawn)(Box::pin(refuse(stream)));
            return;
        };
        let answering = Answering::new(self.answering.clone());
        let connection =
            Connection::new(self.group.clone(), self.node.clone(), entered.client.clone(), stream);
        let task = attend(connection, entered, answering, self.node.clone(), self.draining.subscribe());
        (self.environment.spawn)(Box::pin(task));
    }
}

async fn attend<G, S>(
    mut connection: Connection<G, S>,
    entered: Entered,
    answering: Answering,
    node: Arc<Node>,
    mut draining: watch::Receiver<bool>,
) where
    G: Group,
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let _open = Open::new(node.metrics.clone());
    let result = connection.serve(&mut draining).await;
    node.hub.lock().leave(entered.client.id);
    drop(answering);
    match result {
        // It still counts as a client, so that those who never hang up find a limit.
        Ok(()) => connection.linger().await,
        Err(error) => tracing::debug!(client = %entered.client.address, %error, "a connection broke"),
    }
}

async fn refuse(stream: impl AsyncWrite + Send) {
    let mut stream = Box::pin(stream);
    let _ = stream.write_all(format!("-{}\r\n", Error::TooManyClients).as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Counts a connection as one that may still owe a reply, until it is dropped.
struct Answering(watch::Sender<usize>);

impl Answering {
    fn new(count: watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Self(count)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// Counts a connection as open, until it is dropped.
struct Open(Arc<Metrics>);

impl Open {
    fn new(metrics: Arc<Metrics>) -> Self {
        metrics.connections_open.add(1);
        Self(metrics)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections_open.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}
