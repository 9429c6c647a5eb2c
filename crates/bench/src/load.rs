//! A closed loop: each client has one request under way, and sends the next when it is answered.
//!
//! All clients run on one thread: they leave the other cores to the nodes, and wait for no one but them.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tonic::transport::Channel;

use crate::cpu::{Cpu, Processes};
use crate::latency::Latencies;

/// No answer for so long is a hang, not a latency.
const HANG: Duration = Duration::from_secs(20);

/// One client of one kind of request.
pub(crate) trait Client: 'static {
    /// Sends a request and takes its answer. A refusal, or an answer without what was asked for, is an error.
    fn call(&mut self) -> impl Future<Output = Result<()>>;
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What one run of the clients showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// For one operation, in microseconds.
    pub(crate) cpu_us: Cpu,
}

/// Lets the clients work and measures them after the warm-up. The first error ends it.
pub(crate) async fn measure<C: Client>(
    clients: Vec<C>,
    timing: Timing,
    processes: &Processes,
) -> Result<Figures> {
    let from = Instant::now() + timing.warm_up;
    let to = from + timing.measured;
    let latencies = Rc::new(RefCell::new(Latencies::default()));
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn_local(work(client, from, to, Rc::clone(&latencies)));
    }
    sleep_until(from.into()).await;
    let before = processes.used()?;
    sleep_until(to.into()).await;
    let after = processes.used()?;
    while let Some(ended) = timeout(HANG, tasks.join_next()).await.context("a request hangs")? {
        ended??;
    }
    let latencies = latencies.borrow();
    ensure!(latencies.count() > 0, "nothing was answered in {:?}", timing.measured);
    Ok(Figures {
        per_second: latencies.count() as f64 / timing.measured.as_secs_f64(),
        p50_us: latencies.micros_at(0.5),
        p99_us: latencies.micros_at(0.99),
        cpu_us: after.since(before, latencies.count()),
    })
}

/// What is answered within the time counts.
async fn work<C: Client>(
    mut client: C,
    from: Instant,
    to: Instant,
    latencies: Rc<RefCell<Latencies>>,
) -> Result<()> {
    loop {
        let sent = Instant::now();
        client.call().await?;
        let answered = Instant::now();
        if answered >= to {
            return Ok(());
        }
        if answered >= from {
            latencies.borrow_mut().record(answered - sent);
        }
    }
}

/// Connections to these ports in turn.
pub(crate) fn connect(ports: &[u16], connections: usize) -> Result<Vec<Channel>> {
    ports.iter().cycle().take(connections).map(|port| tests::grpc::channel(*port)).collect()
}
