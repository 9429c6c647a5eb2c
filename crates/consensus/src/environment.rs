//! What the world hands in: time, chance, sockets, tasks, and the way to die.
//!
//! No crate below `tenure` makes any of these by itself, so that a simulation can hand in its own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Two clocks, for two purposes that must never be mixed up.
pub trait Clock: Send + Sync + 'static {
    /// Nanoseconds of CLOCK_MONOTONIC_RAW: no time daemon steers it, so leases are measured with it.
    fn monotonic_ns(&self) -> u64;
    /// Nanoseconds since 1970. For people, audit, and turning a client's wall-clock end into a length and back.
    fn wall_ns(&self) -> i64;
    /// The same in milliseconds, rounded down.
    fn wall_ms(&self) -> i64 {
        self.wall_ns().div_euclid(1_000_000)
    }
}

pub trait Random: Send + Sync + 'static {
    fn u64(&self) -> u64;
}

/// A connection to a peer, or from a client.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Socket for T {}

/// Opens connections to peers. TCP_NODELAY is its duty.
pub trait Connect: Send + Sync + 'static {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>>;
}

/// Runs what must go on beside the caller.
pub trait Spawn: Send + Sync + 'static {
    /// A task on the runtime that Raft runs on.
    fn task(&self, name: &'static str, task: BoxFuture<'static, ()>);
    /// Work that takes a processor or a disk for long: reading and writing snapshots.
    fn blocking(&self, name: &'static str, work: Box<dyn FnOnce() + Send>);
    /// The one owner of the log's files: a thread of its own, so that a sync holds up nothing else.
    fn log_writer(&self, writer: store::Writer);
}

/// Everything that is handed in. `crash` ends the process: what calls it must not go on.
#[derive(Clone)]
pub struct Environment {
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub connect: Arc<dyn Connect>,
    pub spawn: Arc<dyn Spawn>,
    pub crash: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Environment {
    pub(crate) fn task(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn.task(name, Box::pin(task));
    }

    /// Runs `work` aside and waits for what it returns; `None` if it was dropped, which only a dying process does.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (tx, rx) = tokio::sync::oneshot::channel();
        self.spawn.blocking(name, Box::new(move || drop(tx.send(work()))));
        rx.await.ok()
    }
}
