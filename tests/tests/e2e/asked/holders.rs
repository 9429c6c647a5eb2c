//! Holders of leases who renew in time, each at every node in turn, and who must never lose them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::resp::{Connection, Value};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How many leases of which length: a usual one, and one that an election and two stalls nearly use up.
const KINDS: [(usize, Duration); 2] = [(30, Duration::from_secs(10)), (10, Duration::from_secs(2))];

/// A lease is renewed after this part of it, as docs of lock services advise: two attempts may fail.
const RENEWALS_PER_LEASE: u32 = 3;

/// Before a renewal without a certain answer is sent to the next node.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

const HOLDER: &str = "holder";

/// What became of the leases.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) leases: usize,
    /// Which, and why.
    pub(super) lost: Vec<String>,
    /// How long each renewal took, further attempts included.
    pub(super) renewals: Vec<Duration>,
    /// Attempts without a certain answer.
    pub(super) retries: u64,
}

struct Holder {
    lease: String,
    length: Duration,
    ports: [u16; 3],
    connections: [Option<Connection>; 3],
    /// Index of the node that was asked last.
    at: usize,
    token: i64,
    /// When the last renewal that succeeded was sent: the lease runs at least `length` from then.
    renewed: Instant,
    renewals: Vec<Duration>,
    retries: u64,
}

/// Takes the leases and keeps them until `end`.
pub(super) async fn keep(ports: [u16; 3], end: Instant) -> Result<Kept> {
    let mut holders = JoinSet::new();
    for (count, length) in KINDS {
        for number in 0..count {
            let lease = format!("held:{}:{number}", length.as_secs());
            holders.spawn(Holder::new(lease, length, ports, number).hold(end));
        }
    }
    let mut kept = Kept::default();
    while let Some(holder) = holders.join_next().await {
        let (holder, lost) = holder??;
        kept.leases += 1;
        kept.lost.extend(lost);
        kept.renewals.extend(holder.renewals);
        kept.retries += holder.retries;
    }
    Ok(kept)
}

impl Holder {
    fn new(lease: String, length: Duration, ports: [u16; 3], at: usize) -> Self {
        Self {
            lease,
            length,
            ports,
            connections: [None, None, None],
            at,
            token: 0,
            renewed: Instant::now(),
            renewals: Vec::new(),
            retries: 0,
        }
    }

    /// Holds the lease, and says why it was lost if it was.
    async fn hold(mut self, end: Instant) -> Result<(Self, Option<String>)> {
        self.renewed = Instant::now();
        let grant = self.ask("LEASE.ACQUIRE").await?;
        self.token = grant.array()?[1].integer().with_context(|| format!("{}: {grant:?}", self.lease))?;
        while Instant::now() < end {
            sleep(self.length / RENEWALS_PER_LEASE).await;
            if let Err(why) = self.renew().await {
                let lost = format!("{}: {why:#}", self.lease);
                eprintln!("LOST {lost}");
                return Ok((self, Some(lost)));
            }
        }
        Ok((self, None))
    }

    /// Renews at the next node, and at the one after it while there is no certain answer and the lease still runs.
    async fn renew(&mut self) -> Result<()> {
        let due = Instant::now();
        loop {
            self.at += 1;
            let sent = Instant::now();
            let answer = timeout(self.length, self.ask("LEASE.RENEW")).await.context("no answer");
            match answer.and_then(|answer| answer) {
                Ok(reply) if !is_uncertain(&reply) => {
                    ensure!(reply.error().is_none(), "refused: {reply:?}");
                    let grant = reply.array()?;
                    ensure!(grant[0].integer()? == 1, "it is not held: {reply:?}");
                    ensure!(grant[1].integer()? == self.token, "token {} before: {reply:?}", self.token);
                    self.renewed = sent;
                    self.renewals.push(due.elapsed());
                    return Ok(());
                }
                answer => {
                    let since = self.renewed.elapsed();
                    ensure!(since < self.length, "not renewed for {since:?}: {answer:?}");
                    self.retries += 1;
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
    }

    async fn ask(&mut self, verb: &str) -> Result<Value> {
        let node = self.at % self.ports.len();
        // Taken out: one that failed, or whose answer was not awaited, is not used again.
        let mut connection = match self.connections[node].take() {
            Some(connection) => connection,
            None => Connection::open(self.ports[node]).await?,
        };
        let length = self.length.as_millis().to_string();
        let reply = connection.call(&[verb, &self.lease, HOLDER, "PX", &length]).await?;
        self.connections[node] = Some(connection);
        Ok(reply)
    }
}

/// Not executed, or perhaps; to renew once more is right either way.
fn is_uncertain(reply: &Value) -> bool {
    reply.error().is_some_and(|error| error.starts_with("TIMEOUT ") || error.starts_with("LOADING "))
}
