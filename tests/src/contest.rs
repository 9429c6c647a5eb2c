//! A contest for locks: programs of foreign clients, a library's contender at each node, and the judge of what they say.
//!
//! The programs lie in `tests/clients`, whose `README.md` says what they are told and what their lines mean. They know
//! nothing of each other but the lock; all their times are of CLOCK_MONOTONIC. The judge takes no library's word for
//! anything but when it believed to hold.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cluster::Cluster;
use crate::{suite, wait};

/// Imports, connections and everything once, for all libraries of a program on few processors.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// Until a library has the lock at one node, or at each of them, against two others.
const TAKEN_WITHIN: Duration = Duration::from_secs(40);

/// Until the holders of a node that was killed are connected again: its start and the patience of their libraries. It is
/// shorter than a lock lasts.
const KEPT_WITHIN: Duration = Duration::from_secs(18);

const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// What is kept of each contender's errors.
const ERRORS_KEPT: usize = 3;

/// A program, how it is started, and the libraries in it.
pub struct Program {
    pub file: &'static str,
    pub interpreter: Interpreter,
    pub libraries: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpreter {
    Python,
    Node,
    Php,
    Ruby,
    /// Compiled by `cargo xtask`, which says where it is in this variable.
    None(&'static str),
}

pub const PROGRAMS: [Program; 6] = [
    Program {
        file: "python/locks.py",
        interpreter: Interpreter::Python,
        libraries: &[
            "redis-py",
            "redis-py RESP2",
            "redis-py asyncio",
            "redis-py asyncio RESP2",
            "redlock-py",
            "aioredlock",
            "pottery",
            "celery-redbeat",
            "huey",
            "python-redis-lock",
            "sherlock",
            "rq",
            "redis-cli",
        ],
    },
    Program {
        file: "node/locks.js",
        interpreter: Interpreter::Node,
        libraries: &[
            "ioredis",
            "node-redis",
            "node-redis RESP2",
            "redlock 4",
            "redlock 5",
            "@microfleet/ioredis-lock",
            "redis-semaphore",
        ],
    },
    Program {
        file: "php/locks.php",
        interpreter: Interpreter::Php,
        libraries: &["phpredis", "predis", "symfony/lock"],
    },
    Program { file: "ruby/locks.rb", interpreter: Interpreter::Ruby, libraries: &["redis-rb"] },
    Program { file: "c/locks.c", interpreter: Interpreter::None("TENURE_HIREDIS"), libraries: &["hiredis"] },
    Program {
        file: "rust",
        interpreter: Interpreter::None("TENURE_RUST_CLIENTS"),
        libraries: &["redis-rs", "fred", "rslock"],
    },
];

/// They give a lock up when they cannot renew it, and say so.
pub const GIVE_UP: [&str; 2] = ["aioredlock", "rslock"];

impl Interpreter {
    /// The variable by which `cargo xtask` says that it is there.
    pub fn variable(self) -> &'static str {
        match self {
            Self::Python => "TENURE_PYTHON",
            Self::Node => "TENURE_NODE_MODULES",
            Self::Php => "TENURE_PHP",
            Self::Ruby => "TENURE_RUBY",
            Self::None(variable) => variable,
        }
    }

    /// Whether one process has contenders of several libraries.
    fn does_several_things(self) -> bool {
        !matches!(self, Self::Php | Self::Ruby)
    }

    fn command(self, file: &str) -> Result<Command> {
        let value =
            std::env::var_os(self.variable()).with_context(|| format!("{} is not set", self.variable()))?;
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(file);
        let mut command = match self {
            Self::Node => {
                let mut node = Command::new("node");
                node.env("NODE_PATH", value);
                node
            }
            _ => Command::new(value),
        };
        if !matches!(self, Self::None(_)) {
            command.arg(file);
        }
        Ok(command)
    }
}

/// One line of a program. What it means is in `tests/clients/README.md`.
#[derive(Deserialize)]
struct Line {
    library: String,
    version: Option<String>,
    #[serde(default)]
    did: Vec<String>,
    took: Option<f64>,
    kept: Option<f64>,
    held: Option<(f64, f64)>,
    error: Option<String>,
    wrong: Option<String>,
}

/// What one contender has said.
#[derive(Default)]
struct Account {
    version: Option<String>,
    did: Vec<String>,
    took: Option<f64>,
    kept: Option<f64>,
    is_holding: bool,
    held: Vec<(f64, f64)>,
    errors: usize,
    some_errors: Vec<String>,
    wrong: Vec<String>,
}

type Accounts = BTreeMap<(&'static str, u64), Account>;

pub struct Contest {
    entrants: Vec<Entrant>,
    accounts: Arc<Mutex<Accounts>>,
    kills: usize,
    /// By library.
    kept_through: BTreeMap<&'static str, usize>,
}

struct Entrant {
    name: String,
    node: u64,
    child: Child,
    told: ChildStdin,
    reader: JoinHandle<()>,
}

/// What is known of one library in the end.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub library: &'static str,
    pub version: String,
    /// Once at each node.
    pub did: Vec<String>,
    /// How often the lock was held, over all nodes.
    pub held: usize,
    /// How often the next holder was at another node.
    pub hand_overs: usize,
    pub kills: usize,
    /// Kills of the leader during which a holder kept its lock and renewed it afterwards.
    pub kept_through: usize,
    /// What the library told its user meanwhile, and the user tried again.
    pub errors: usize,
}

/// CLOCK_MONOTONIC in seconds, as the programs have it.
pub fn now() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

impl Contest {
    /// A contender of each library at each node. Each has done everything once, and has held the lock that all want. One
    /// program begins after the other: what they do first takes much of a processor, and some libraries do not wait
    /// half a second for an answer.
    pub async fn start(cluster: &Cluster, programs: &[&Program]) -> Result<Self> {
        let mut contest =
            Self { entrants: Vec::new(), accounts: Arc::default(), kills: 0, kept_through: BTreeMap::new() };
        for program in programs {
            for node in 1..=3 {
                let contenders = program.libraries.iter().map(|name| ((*name, node), Account::default()));
                contest.accounts.lock().await.extend(contenders);
                let together = program.interpreter.does_several_things();
                let size = if together { program.libraries.len() } else { 1 };
                for libraries in program.libraries.chunks(size) {
                    let entrant = Entrant::start(cluster, program, node, libraries, &contest.accounts)?;
                    contest.entrants.push(entrant);
                }
            }
            contest
                .until(READY_WITHIN, "that it held the lock", |_, _, account| {
                    account.version.is_some() && !account.held.is_empty()
                })
                .await?;
        }
        Ok(contest)
    }

    /// From now on the contenders at a node keep what they take; waits until each has it.
    pub async fn keep(&mut self, node: u64) -> Result<()> {
        self.tell(node, "keep").await?;
        self.until(TAKEN_WITHIN, "that it holds", |_, at, account| at != node || account.is_holding).await
    }

    /// The leader was killed at this instant: waits until each holder of the node has renewed since, but for those that may
    /// give up.
    pub async fn kept_since(&mut self, node: u64, killed: f64) -> Result<()> {
        self.kills += 1;
        let since = |at: Option<f64>| at.is_some_and(|at| at > killed);
        self.until(KEPT_WITHIN, "a renewal after the kill", |library, at, account| {
            at != node || GIVE_UP.contains(&library) || (since(account.kept) && account.is_holding)
        })
        .await?;
        for ((library, at), account) in &*self.accounts.lock().await {
            if *at != node {
                continue;
            }
            let kept = since(account.kept) && !since(account.took);
            ensure!(kept || GIVE_UP.contains(library), "{library} at node {node} lost its lock");
            *self.kept_through.entry(library).or_default() += usize::from(kept);
        }
        Ok(())
    }

    /// They leave again after a moment; waits until each, at every node, has taken the lock since.
    pub async fn pass(&mut self, node: u64) -> Result<()> {
        self.tell(node, "pass").await?;
        let told = now();
        self.until(TAKEN_WITHIN, "that it went on", |_, _, account| {
            account.took.is_some_and(|took| took > told)
        })
        .await
    }

    /// The end, and the verdict on each library.
    pub async fn finish(self) -> Result<Vec<Verdict>> {
        for entrant in self.entrants {
            entrant.finish().await?;
        }
        let accounts = self.accounts.lock().await;
        let mut of: BTreeMap<&str, Vec<(u64, &Account)>> = BTreeMap::new();
        for ((library, node), account) in &*accounts {
            of.entry(library).or_default().push((*node, account));
        }
        of.into_iter()
            .map(|(library, accounts)| {
                let kept_through = self.kept_through.get(library).copied().unwrap_or_default();
                judge(library, &accounts, self.kills, kept_through)
            })
            .collect()
    }

    async fn tell(&mut self, node: u64, what: &str) -> Result<()> {
        for entrant in self.entrants.iter_mut().filter(|entrant| entrant.node == node) {
            let told = entrant.told.write_all(format!("{what}\n").as_bytes()).await;
            told.with_context(|| format!("{} has ended", entrant.name))?;
        }
        Ok(())
    }

    /// Waits until something holds of every contender. What is wrong with one ends it at once.
    async fn until(
        &self,
        limit: Duration,
        what: &str,
        holds: impl Fn(&str, u64, &Account) -> bool,
    ) -> Result<()> {
        wait::until(limit, what, || async {
            let mut missing = Vec::new();
            for ((library, node), account) in &*self.accounts.lock().await {
                if !account.wrong.is_empty() {
                    // Not the last word of a look that is repeated: it will not become better.
                    return Ok(Some(Err(format!("{library} at node {node}: {:?}", account.wrong))));
                }
                if !holds(library, *node, account) {
                    missing.push(format!("{library} at node {node} ({:?})", account.some_errors.last()));
                }
            }
            ensure!(missing.is_empty(), "not of {}", missing.join(", "));
            Ok(Some(Ok(())))
        })
        .await?
        .map_err(anyhow::Error::msg)
    }
}

impl Entrant {
    fn start(
        cluster: &Cluster,
        program: &Program,
        node: u64,
        libraries: &'static [&'static str],
        accounts: &Arc<Mutex<Accounts>>,
    ) -> Result<Self> {
        let name = format!("{} at node {node}", libraries.join(", "));
        let log = format!("{}-{node}.log", libraries[0].replace(['/', ' '], "-"));
        let log = std::fs::File::create(cluster.data().join(log))?;
        let mut command = program.interpreter.command(program.file)?;
        command.arg(cluster.redis(node).to_string()).args(libraries);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("{command:?} cannot be run"))?;
        let told = child.stdin.take().context("standard input was asked for")?;
        let said = child.stdout.take().context("standard output was asked for")?;
        let reader = tokio::spawn(read(said, node, libraries, accounts.clone()));
        Ok(Self { name, node, child, told, reader })
    }

    async fn finish(mut self) -> Result<()> {
        drop(self.told);
        let ended = timeout(ENDS_WITHIN, self.child.wait()).await;
        let status = ended.with_context(|| format!("{} does not end", self.name))??;
        self.reader.await?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }
}

async fn read(
    said: ChildStdout,
    node: u64,
    libraries: &'static [&'static str],
    accounts: Arc<Mutex<Accounts>>,
) {
    let mut lines = BufReader::new(said).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let mut accounts = accounts.lock().await;
        let line = serde_json::from_str::<Line>(&text).ok();
        let library = line.as_ref().and_then(|line| libraries.iter().find(|name| **name == line.library));
        // What cannot be read is the fault of whoever wrote the program: of all that are in it.
        let account = accounts.entry((library.unwrap_or(&libraries[0]), node)).or_default();
        match (library, line) {
            (Some(_), Some(line)) => account.hear(line),
            _ => account.wrong.push(format!("not a line of a contender: {text}")),
        }
    }
}

impl Account {
    fn hear(&mut self, line: Line) {
        if let Some(version) = line.version {
            (self.version, self.did) = (Some(version), line.did);
        }
        if let Some(took) = line.took {
            (self.took, self.is_holding) = (Some(took), true);
        }
        if let Some(kept) = line.kept {
            self.kept = Some(kept);
        }
        if let Some(held) = line.held {
            self.held.push(held);
            self.is_holding = false;
        }
        if let Some(error) = line.error {
            self.errors += 1;
            if self.some_errors.len() == ERRORS_KEPT {
                self.some_errors.remove(0);
            }
            self.some_errors.push(error);
        }
        self.wrong.extend(line.wrong);
    }
}

/// No two believed to hold at the same time, and all of them have.
fn judge(
    library: &'static str,
    accounts: &[(u64, &Account)],
    kills: usize,
    kept_through: usize,
) -> Result<Verdict> {
    let mut reigns = Vec::new();
    for (node, account) in accounts {
        ensure!(account.wrong.is_empty(), "{library} at node {node}: {:?}", account.wrong);
        reigns.extend(account.held.iter().map(|(begun, until)| (*begun, *until, *node)));
    }
    reigns.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut hand_overs = 0;
    for pair in reigns.windows(2) {
        let ((_, until, one), (begun, _, other)) = (pair[0], pair[1]);
        if begun < until {
            let overlap = (until - begun) * 1000.0;
            bail!("{library}: nodes {one} and {other} had two holders for {overlap:.3} ms: {pair:?}");
        }
        hand_overs += usize::from(one != other);
    }
    ensure!(hand_overs > 0, "{library}: inconclusive, the lock was never handed over");
    let first = accounts.first().context("a library has contenders")?.1;
    Ok(Verdict {
        library,
        version: first.version.clone().context("it has done everything once")?,
        did: first.did.clone(),
        held: reigns.len(),
        hand_overs,
        kills,
        kept_through,
        errors: accounts.iter().map(|(_, account)| account.errors).sum(),
    })
}

/// The programs whose interpreters are there. In CI all of `wanted` must be.
pub fn programs(test: &str, wanted: impl Fn(&Program) -> bool) -> Vec<&'static Program> {
    let wanted = PROGRAMS.iter().filter(|program| wanted(program));
    wanted.filter(|program| suite::tool(test, program.interpreter.variable()).is_some()).collect()
}
