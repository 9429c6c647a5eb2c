//! Many clients on all nodes, each with a window of requests under way, each with its own account.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::ledger::{Ledger, Operation};
use crate::resp::{Connection, Value};
use crate::wait;

/// Replies closer together than this are no gap worth keeping.
const GAP_MIN: Duration = Duration::from_millis(5);

/// A client without any node for this long gives up, and the test with it.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// The load itself may be held up by a fault for so long.
const FLOWS_WITHIN: Duration = Duration::from_secs(30);

/// In every so many rounds a node comes back and catches up while the others are as busy as before. On a small machine
/// that takes ten times as long as without.
pub const RETURN_UNDER_LOAD: usize = 4;

/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(2);

/// No reply for this long is a hang. Longer than a node takes to call an outcome unknown.
const REPLY_WITHIN: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub struct Options {
    /// Unique in the cluster's life.
    pub name: String,
    pub clients: usize,
    /// Requests that each has under way.
    pub window: usize,
    /// Of the values that they set, at least: 1 where only their number counts.
    pub value_bytes: usize,
    /// What a client does when its connection ends: go to the next node, or nothing.
    pub goes_on: bool,
    pub ports: [u16; 3],
}

impl Options {
    /// As much as keeps a small machine busy: 32 clients that go on at another node, with 48 small requests each.
    pub fn full(name: impl Into<String>, ports: [u16; 3]) -> Self {
        Self { name: name.into(), clients: 32, window: 48, value_bytes: 1, goes_on: true, ports }
    }
}

/// Clients at work.
pub struct Load {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<Result<Account>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    in_flight: AtomicUsize,
    acknowledged: AtomicU64,
}

/// What one client has to say at the end.
pub struct Account {
    /// The node that it began at.
    pub home: u64,
    pub ledger: Ledger,
    /// Ends and lengths of times without a reply.
    pub gaps: Vec<(Instant, Duration)>,
    /// Requests without a reply when its connection ended; only of a client that does not go on.
    pub unanswered: Vec<Operation>,
    /// When that was.
    pub closed: Option<Instant>,
}

/// How long nothing was acknowledged, of any client. Known to about the time between two looks.
pub struct Gap {
    acknowledged: u64,
    since: Instant,
    pub longest: Duration,
}

struct Client {
    options: Options,
    shared: Arc<Shared>,
    /// Index of the node that it is connected to.
    at: usize,
    account: Account,
    window: VecDeque<Operation>,
}

impl Load {
    pub fn start(options: &Options) -> Self {
        let shared = Arc::new(Shared::default());
        let start = |index| {
            let client = Client::new(options.clone(), Arc::clone(&shared), index);
            tokio::spawn(client.run())
        };
        Self { tasks: (0..options.clients).map(start).collect(), shared: Arc::clone(&shared) }
    }

    /// Requests sent and not answered.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::Relaxed)
    }

    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Relaxed)
    }

    /// Until so many more have been acknowledged and so many are in flight.
    pub async fn run_until(&mut self, more: u64, in_flight: usize) -> Result<usize> {
        let goal = self.acknowledged() + more;
        let deadline = Instant::now() + FLOWS_WITHIN;
        loop {
            self.check_alive().await?;
            let flying = self.in_flight();
            if self.acknowledged() >= goal && flying >= in_flight {
                return Ok(flying);
            }
            ensure!(
                Instant::now() < deadline,
                "{} of {goal} acknowledged, {flying} in flight",
                self.acknowledged()
            );
            sleep(PAUSE).await;
        }
    }

    /// The same for a load whose clients may end: those of a node that stops.
    pub async fn run_on(&mut self, more: u64) -> Result<()> {
        let goal = self.acknowledged() + more;
        wait::until(FLOWS_WITHIN, "the load to go on", || async {
            Ok((self.acknowledged() >= goal).then_some(()))
        })
        .await
    }

    /// A client that has ended before it was told to has seen something that no test allows.
    pub async fn check_alive(&mut self) -> Result<()> {
        let Some(ended) = self.tasks.iter().position(JoinHandle::is_finished) else { return Ok(()) };
        let account = self.tasks.swap_remove(ended).await??;
        bail!("a client ended: {:?}", account.ledger)
    }

    /// Sends no more, takes the replies under way, and gives the accounts.
    pub async fn finish(mut self) -> Result<Vec<Account>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut accounts = Vec::new();
        for task in std::mem::take(&mut self.tasks) {
            accounts.push(task.await??);
        }
        Ok(accounts)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Gap {
    /// From now on.
    pub fn new(load: &Load) -> Self {
        Self { acknowledged: load.acknowledged(), since: Instant::now(), longest: Duration::ZERO }
    }

    pub fn look(&mut self, load: &Load) {
        if load.acknowledged() > self.acknowledged {
            self.acknowledged = load.acknowledged();
            self.longest = self.longest.max(self.since.elapsed());
            self.since = Instant::now();
        }
    }
}

impl Client {
    fn new(options: Options, shared: Arc<Shared>, index: usize) -> Self {
        let at = index % options.ports.len();
        let account = Account {
            home: at as u64 + 1,
            ledger: Ledger::new(&options.name, index, options.value_bytes),
            gaps: Vec::new(),
            unanswered: Vec::new(),
            closed: None,
        };
        Self { options, shared, at, account, window: VecDeque::new() }
    }

    async fn run(mut self) -> Result<Account> {
        let mut connection = self.connect().await?;
        self.account.ledger.open(&mut connection).await?;
        loop {
            let Err(error) = self.talk(&mut connection).await else { return Ok(self.account) };
            let error = error.downcast::<io::Error>()?;
            trace(&self.account.ledger.client, self.at, &error);
            self.shared.in_flight.fetch_sub(self.window.len(), Ordering::Relaxed);
            if !self.options.goes_on {
                self.account.unanswered = self.window.drain(..).collect();
                self.account.closed = Some(Instant::now());
                return Ok(self.account);
            }
            while let Some(operation) = self.window.pop_front() {
                self.account.ledger.lose(operation);
            }
            self.at += 1;
            connection = self.connect().await?;
        }
    }

    /// Keeps the window full until the connection ends or the load does.
    async fn talk(&mut self, connection: &mut Connection) -> Result<()> {
        loop {
            if !self.shared.stop.load(Ordering::Relaxed) {
                let room = self.options.window - self.window.len();
                for _ in 0..room {
                    let operation = self.account.ledger.push(connection);
                    self.window.push_back(operation);
                }
                self.shared.in_flight.fetch_add(room, Ordering::Relaxed);
                connection.flush().await?;
            } else if self.window.is_empty() {
                return Ok(());
            }
            let reply = timeout(REPLY_WITHIN, connection.next()).await.context("a hang")??;
            self.book(&reply)?;
            while let Some(reply) = connection.buffered()? {
                self.book(&reply)?;
            }
        }
    }

    fn book(&mut self, reply: &Value) -> Result<()> {
        let operation = self.window.pop_front().with_context(|| format!("a reply to nothing: {reply:?}"))?;
        let (before, acknowledged) = (self.account.ledger.last_reply, self.account.ledger.acknowledged);
        self.account.ledger.book(operation, reply)?;
        let now = Instant::now();
        if let Some(gap) = before.map(|before| now - before).filter(|gap| *gap >= GAP_MIN) {
            self.account.gaps.push((now, gap));
        }
        self.shared.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.shared
            .acknowledged
            .fetch_add(self.account.ledger.acknowledged - acknowledged, Ordering::Relaxed);
        Ok(())
    }

    /// To its node, or the next one that takes it.
    async fn connect(&mut self) -> Result<Connection> {
        let deadline = Instant::now() + CONNECT_WITHIN;
        loop {
            match Connection::open(self.options.ports[self.at % self.options.ports.len()]).await {
                Ok(connection) => return Ok(connection),
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("no node takes a client");
                }
                Err(_) => {
                    self.at += 1;
                    // A node that is being started refuses at once; asking without a pause would keep it from it.
                    sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
}

fn trace(client: &str, at: usize, error: &io::Error) {
    if std::env::var_os("TENURE_TRACE").is_some() {
        eprintln!("client {client} at {at}: {error}");
    }
}

/// The longest time without a reply that ended in `from..to`, or that had not ended then.
pub fn longest_gap(account: &Account, from: Instant, to: Instant) -> Duration {
    let within = account.gaps.iter().filter(|(end, _)| (from..=to).contains(end)).map(|(_, gap)| *gap);
    within.max().unwrap_or_default()
}
