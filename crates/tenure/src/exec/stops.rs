//! The signals that a supervisor or a terminal sends.

use std::io;

use futures_util::FutureExt;
use rustix::process::Signal;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// SIGTERM, SIGINT and SIGHUP, one after the other. From [`Stops::listen`] on none of them ends this process by itself.
pub struct Stops {
    terminate: Stream,
    interrupt: Stream,
    hangup: Stream,
}

impl Stops {
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::TERM,
            _ = self.interrupt.recv() => Signal::INT,
            _ = self.hangup.recv() => Signal::HUP,
        }
    }

    /// One that has arrived already.
    pub async fn arrived(&mut self) -> Option<Signal> {
        // The runtime looks for signals while nothing else is to be done.
        tokio::task::yield_now().await;
        self.next().now_or_never()
    }
}
