//! The log without a node around it: what is found after a cut is what was done up to some moment, and that moment is
//! not before the last acknowledgement.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tests::chance::Chance;
use tests::power::{Disk, Place, Switch};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

/// `crates/store/examples/bare_log.rs`, built by `cargo xtask power`.
const PROGRAM: &str = "TENURE_BARE_LOG";

const DISK_BYTES: u64 = 64 << 20;

/// After its start the log is read back and written for at most so long.
const LIFE_MAX_MS: u64 = 250;

/// One in so many cuts comes while the log is read back.
const IN_RECOVERY_ONE_IN: u64 = 4;
const RECOVERY_MAX_MS: u64 = 15;

/// Without a disk the program ends at its next write.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Of the acknowledged operations, in the message of a failure.
const TOLD: usize = 20;

/// The log as its records add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Log {
    purged: u64,
    vote: u64,
    /// Runs of entries of one term: term, first and last index.
    runs: Vec<[u64; 3]>,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Append { term: u64, index: u64 },
    Vote { term: u64 },
    Truncate { last: u64 },
    Purge { index: u64 },
}

/// What the lives of the log since it was last found have left open.
#[derive(Default)]
struct Account {
    /// As it was found, which is durable.
    found: Log,
    /// Sent since then, in order.
    sent: Vec<Operation>,
    /// How many of them were acknowledged.
    acknowledged: usize,
}

#[derive(Default)]
struct Totals {
    records: usize,
    found_beyond: usize,
    in_recovery: u64,
    cut_sectors: u64,
}

/// Cuts the power of a log so many times, and says what was seen.
pub(super) async fn cut(cuts: u64, chance: &mut Chance) -> Result<Value> {
    let program = std::env::var(PROGRAM).with_context(|| format!("{PROGRAM} is not set"))?;
    let place = Place::claim()?;
    let mut switch = Switch::new()?;
    let disk = Disk::make(&place, "bare", DISK_BYTES).await?;
    let mut account = Account::default();
    let mut totals = Totals::default();
    for number in 0..cuts {
        let life = live(&program, &disk, &mut switch, chance, &mut account, &mut totals).await;
        life.with_context(|| format!("cut {number}"))?;
        disk.restore().await?;
    }
    let Totals { records, found_beyond, in_recovery, cut_sectors } = totals;
    Ok(json!({
        "cuts": cuts, "cuts_during_recovery": in_recovery, "acknowledged_records": records, "lost": 0,
        "found_beyond_the_acknowledged": found_beyond, "sectors_of_interrupted_writes": cut_sectors,
    }))
}

/// From a start to the cut.
async fn live(
    program: &str,
    disk: &Disk,
    switch: &mut Switch,
    chance: &mut Chance,
    account: &mut Account,
    totals: &mut Totals,
) -> Result<()> {
    let mut command = Command::new(program);
    command.arg(disk.path()).arg(chance.draw().to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child =
        command.kill_on_drop(true).spawn().with_context(|| format!("{program} cannot be started"))?;
    let mut lines = BufReader::new(child.stdout.take().context("standard output was asked for")?).lines();
    let in_recovery = chance.one_in(IN_RECOVERY_ONE_IN);
    let until = chance.millis(0, if in_recovery { RECOVERY_MAX_MS } else { LIFE_MAX_MS });
    let mut moment = std::pin::pin!(sleep(until));
    let (mut is_on, mut found) = (true, Some(Log::default()));
    loop {
        tokio::select! {
            () = &mut moment, if is_on && (in_recovery || found.is_none()) => {
                switch.cut(&[disk]).await?;
                is_on = false;
            }
            line = timeout(ENDS_WITHIN, lines.next_line()) => {
                let line = line.with_context(|| format!("it says nothing; power: {is_on}"))??;
                let Some(line) = line else { break };
                let was_open = found.is_none();
                account.read(&line, &mut found, totals).with_context(|| format!("it says {line:?}"))?;
                if !was_open && found.is_none() && !in_recovery {
                    moment.as_mut().reset(Instant::now() + until);
                }
            }
        }
    }
    let ended = timeout(ENDS_WITHIN, child.wait()).await.context("it does not end")??;
    // Its own end, by an error that it told: anything else is a bug.
    ensure!(!is_on && ended.code() == Some(3), "it ended with {ended}; power: {is_on}");
    totals.in_recovery += u64::from(found.is_some());
    Ok(())
}

impl Account {
    fn read(&mut self, line: &str, found: &mut Option<Log>, totals: &mut Totals) -> Result<()> {
        let (what, rest) = line.split_once(' ').context("no such line")?;
        if matches!(what, "failed") {
            return Ok(());
        }
        ensure!(what != "refused", "the log is refused");
        match (what, found.as_mut()) {
            ("purged", Some(found)) => found.purged = rest.parse()?,
            ("vote", Some(found)) => found.vote = rest.parse()?,
            ("run", Some(found)) => found.runs.push(numbers(rest)?),
            ("opened", Some(_)) => {
                self.opened(found.take().expect("it was just there"), totals)?;
                totals.cut_sectors += rest.parse::<u64>()?;
            }
            ("done", None) => {
                let [number] = numbers(rest)?;
                self.acknowledged = self.acknowledged.max(usize::try_from(number)?);
            }
            ("sent", None) => self.sent.push(operation(rest)?),
            _ => bail!("it has no place here"),
        }
        Ok(())
    }

    /// Compares what was found with everything that it may be.
    fn opened(&mut self, found: Log, totals: &mut Totals) -> Result<()> {
        let mut log = self.found.clone();
        let mut is_found = None;
        for done in 0..=self.sent.len() {
            if done >= self.acknowledged && log == found {
                is_found = Some(done);
            }
            if let Some(operation) = self.sent.get(done) {
                log.apply(*operation);
            }
        }
        let Some(done) = is_found else {
            let (before, acknowledged) = (&self.found, self.acknowledged);
            let last = &self.sent[acknowledged.saturating_sub(TOLD)..];
            bail!(
                "{found:?} is not {before:?} after {acknowledged} operations or more; the last and the rest: {last:?}"
            );
        };
        totals.records += self.acknowledged;
        totals.found_beyond += done - self.acknowledged;
        *self = Self { found, ..Self::default() };
        Ok(())
    }
}

impl Log {
    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::Vote { term } => self.vote = term,
            Operation::Append { term, index } => match self.runs.last_mut() {
                Some(run) if run[0] == term => run[2] = index,
                _ => self.runs.push([term, index, index]),
            },
            Operation::Truncate { last } => self.keep(0, last),
            Operation::Purge { index } => {
                self.keep(index + 1, u64::MAX);
                self.purged = index;
            }
        }
    }

    fn keep(&mut self, first: u64, last: u64) {
        for run in &mut self.runs {
            *run = [run[0], run[1].max(first), run[2].min(last)];
        }
        self.runs.retain(|run| run[1] <= run[2]);
    }
}

/// Of `12 append 3 4711`.
fn operation(text: &str) -> Result<Operation> {
    let (_, operation) = text.split_once(' ').context("no number")?;
    let (kind, rest) = operation.split_once(' ').context("no operation")?;
    Ok(match kind {
        "append" => numbers(rest).map(|[term, index]| Operation::Append { term, index })?,
        "vote" => numbers(rest).map(|[term]| Operation::Vote { term })?,
        "truncate" => numbers(rest).map(|[last]| Operation::Truncate { last })?,
        "purge" => numbers(rest).map(|[index]| Operation::Purge { index })?,
        _ => bail!("no such operation"),
    })
}

fn numbers<const N: usize>(text: &str) -> Result<[u64; N]> {
    let numbers: Vec<u64> = text.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    numbers.try_into().map_err(|numbers| anyhow::anyhow!("{numbers:?} are not {N} numbers"))
}
