//! A desk at which one program at a time may sit: bots under `tenure lease exec`, the diary that they write, and the
//! judge who reads it.
//!
//! A bot knows nothing of leases. It locks a file for as long as it or anything that it started lives, notes if another
//! has it, and then writes a line every 20 ms. So two that run at once are seen twice: by the lock, and in the lines.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::{process, suite, wait};

/// Until a bot that may start does, on a machine that does other things too.
const STARTS_WITHIN: Duration = Duration::from_secs(30);

/// `$1` is the desk.
const TAKE_THE_LOCK: &str = r#"
exec 9>>"$1/running"
flock -n 9 || echo "overlap $$ 0 0" >>"$1/diary""#;

/// The clock is that of this machine's start, to 10 ms, and is read without another process.
const WRITE: &str = r#"
while :; do
  read -r now rest </proc/uptime
  echo "beat $$ ${TENURE_FENCING_TOKEN:-0} $now" >>"$1/diary"
  [ "$asked" ] && asked=$((asked + 1)) && [ "$asked" -gt 300 ] && exit 3
  sleep 0.02
done"#;

/// What a bot does before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// It ignores SIGTERM and SIGHUP.
    Stubborn,
    /// It starts two more, one of which leaves its group and session; their lock is the same.
    Parent,
    /// At SIGTERM it goes on for six seconds, then ends with code 3.
    Slow,
}

/// One bot, from its first line to its last.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub pid: u32,
    pub token: u64,
    /// Seconds since the start of this machine.
    pub first: f64,
    pub last: f64,
}

pub struct Desk {
    directory: Option<TempDir>,
}

/// A running `tenure lease exec`.
pub struct Wrapper {
    child: Child,
    log: PathBuf,
}

impl Desk {
    pub fn open() -> Result<Self> {
        Ok(Self { directory: Some(tempfile::Builder::new().prefix("tenure-desk-").tempdir()?) })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.as_ref().expect("it is taken only at the end").path().join(name)
    }

    /// The words of a bot's command.
    pub fn bot(&self, kind: Kind) -> Vec<String> {
        let begin = match kind {
            Kind::Plain => "",
            Kind::Stubborn => "trap '' TERM HUP",
            Kind::Parent => {
                r#"sleep 1000 & echo $! >>"$1/pids"
                setsid sleep 1000 & echo $! >>"$1/pids""#
            }
            Kind::Slow => "trap 'asked=1' TERM",
        };
        let script = format!("{TAKE_THE_LOCK}\n{begin}\n{WRITE}");
        vec!["sh".into(), "-c".into(), script, "bot".into(), self.path("").display().to_string()]
    }

    /// Starts `tenure lease exec desk` with these options at these endpoints.
    pub fn wrap(&self, endpoints: &[String], options: &[&str], command: &[String]) -> Result<Wrapper> {
        let log = self.path(&format!("wrapper-{}.log", uuid::Uuid::now_v7()));
        let mut wrapper = Command::new(suite::binary());
        wrapper.args(["-o", "json", "lease", "exec", "desk"]).args(options).arg("--").args(command);
        wrapper.env("TENURE_ENDPOINTS", endpoints.join(",")).stdin(Stdio::null()).stdout(Stdio::null());
        wrapper.stderr(std::fs::File::create(&log)?).kill_on_drop(true);
        Ok(Wrapper { child: wrapper.spawn().context("`tenure lease exec` cannot be started")?, log })
    }

    /// Those that ever ran, in the order of their first lines. An error: two ran at once.
    pub fn runs(&self) -> Result<Vec<Run>> {
        judge(&std::fs::read_to_string(self.path("diary")).unwrap_or_default())
    }

    /// The latest of them, once there are `count`.
    pub async fn nth_run(&self, count: usize) -> Result<Run> {
        wait::until(STARTS_WITHIN, "the start of a bot", || async {
            let runs = self.runs()?;
            Ok((runs.len() >= count).then(|| runs.last().cloned()).flatten())
        })
        .await
    }

    /// Processes that bots of [`Kind::Parent`] started.
    pub async fn started_by_bots(&self) -> Result<Vec<u32>> {
        wait::until(STARTS_WITHIN, "the bot's own processes", || async {
            let pids = std::fs::read_to_string(self.path("pids"))?;
            let pids = pids.lines().map(str::parse).collect::<Result<Vec<u32>, _>>()?;
            Ok((pids.len() >= 2).then_some(pids))
        })
        .await
    }

    /// Whether something that came of a bot lives: it has the lock.
    pub fn is_taken(&self) -> Result<bool> {
        let running = std::fs::OpenOptions::new().append(true).create(true).open(self.path("running"))?;
        match running.try_lock() {
            Ok(()) => Ok(false),
            Err(std::fs::TryLockError::WouldBlock) => Ok(true),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(directory) = self.directory.take() {
            suite::used(directory);
        }
    }
}

impl Wrapper {
    pub fn pid(&self) -> Result<u32> {
        self.child.id().context("the wrapper has ended")
    }

    /// The process between the wrapper and the bot.
    pub fn guard(&self) -> Result<u32> {
        let pid = self.pid()?;
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let only: Vec<&str> = children.split_ascii_whitespace().collect();
        ensure!(only.len() == 1, "the wrapper has one child: {children:?}");
        Ok(only[0].parse()?)
    }

    pub fn signal(&self, signal: Signal) -> Result<()> {
        process::signal(self.pid()?, signal)
    }

    /// Waits until it can be asked to stop: before, a signal ends it as it ends any program.
    pub async fn listens(&self) -> Result<()> {
        let pid = self.pid()?;
        wait::until(STARTS_WITHIN, "the wrapper's handlers of signals", || async {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.context("no SigCgt")?.trim(), 16)?;
            let all = [Signal::TERM, Signal::INT, Signal::HUP];
            Ok(all.iter().all(|signal| caught & (1 << (signal.as_raw() - 1)) != 0).then_some(()))
        })
        .await
    }

    /// Waits until it has said this.
    pub async fn says(&self, what: &str) -> Result<()> {
        wait::until(STARTS_WITHIN, what, || async { Ok(self.said()?.contains(what).then_some(())) }).await
    }

    pub fn said(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Its exit code and how long it took to end from now.
    pub async fn ends_within(&mut self, limit: Duration) -> Result<(i32, Duration)> {
        let started = Instant::now();
        let Ok(status) = timeout(limit, self.child.wait()).await else {
            bail!("the wrapper runs on after {limit:?}: {}", self.said()?)
        };
        let code = status?.code().context("the wrapper ended by a signal")?;
        Ok((code, started.elapsed()))
    }

    /// That it ends within `limit` with this code.
    pub async fn ends_with(&mut self, code: i32, limit: Duration) -> Result<Duration> {
        let (ended, took) = self.ends_within(limit).await?;
        ensure!(ended == code, "exit code {ended} instead of {code}: {}", self.said()?);
        Ok(took)
    }
}

/// Reads a diary. What was written last may be cut off.
fn judge(diary: &str) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let whole = diary.rfind('\n').map_or("", |end| &diary[..end]);
    for line in whole.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [what, pid, token, now] = words[..] else { bail!("not a line of a bot: {line:?}") };
        let (pid, token, now) = (pid.parse()?, token.parse()?, now.parse()?);
        ensure!(what == "beat", "two ran at once: {pid} found the lock taken, after {runs:?}");
        match runs.iter().position(|run| run.pid == pid) {
            None => runs.push(Run { pid, token, first: now, last: now }),
            Some(of) => {
                ensure!(of + 1 == runs.len(), "two ran at once: {pid} writes after another began: {runs:?}");
                runs[of].last = now;
            }
        }
    }
    let grow = runs.windows(2).all(|pair| pair[0].token == 0 || pair[0].token < pair[1].token);
    ensure!(grow, "a later bot has no greater token: {runs:?}");
    Ok(runs)
}
