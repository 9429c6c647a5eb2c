//! The log alone, written without end by chance: `bare_log DIRECTORY SEED`. `cargo xtask power` cuts the power under it.
//!
//! It says what it finds, before it writes, and what it does, to whoever reads its output on another disk:
//!
//! ```text
//! purged INDEX | vote TERM | run TERM FIRST LAST        the log as found; runs are entries of one term
//! opened CUT_SECTORS
//! sent N append TERM INDEX | sent N vote TERM | sent N truncate LAST | sent N purge INDEX
//! done N                                                operation N, and so each before it, is durable
//! refused WHY                                           what was found is damaged
//! failed WHY                                            the disk failed
//! ```
//!
//! An entry's payload follows from its id, and no id is used twice: whatever is read is checked here.

use std::fmt::Display;
use std::io::Write;
use std::process::exit;
use std::sync::Arc;

use bytes::Bytes;
use store::{Done, Entry, Error, LogId, RealDisk, Vote, Wal, WalOptions, Writer};
use tokio::sync::Semaphore;

/// Small: a new one is begun several times a second.
const SEGMENT_BYTES: u64 = 128 << 10;

const PAYLOAD_BYTES_MAX: u64 = 3000;

/// Entries of one call.
const BATCH_MAX: u64 = 8;

/// Calls that are not durable yet.
const UNDER_WAY_MAX: usize = 16;

/// A purge leaves so many entries; a truncation drops at most a few.
const KEPT: u64 = 200;
const TRUNCATED_MAX: u64 = 8;

/// Entries read back at once.
const READ_BYTES_MAX: usize = 1 << 20;

/// A sequence of draws (splitmix64).
struct Chance(u64);

struct Load {
    wal: Wal,
    chance: Chance,
    /// Of the last operation that was sent.
    number: u64,
    term: u64,
    under_way: Arc<Semaphore>,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(seed)) =
        (arguments.next(), arguments.next().and_then(|seed| seed.parse().ok()))
    else {
        eprintln!("usage: bare_log DIRECTORY SEED");
        exit(1);
    };
    let (wal, writer) = open(&directory).unwrap_or_else(|error| end(&error));
    let found = tell(&wal).unwrap_or_else(|error| end(&error));
    std::thread::spawn(move || writer.run());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be built");
    let under_way = Arc::new(Semaphore::new(UNDER_WAY_MAX));
    let load = Load { wal, chance: Chance(seed), number: 0, term: found + 1, under_way };
    runtime.block_on(load.run());
}

fn open(directory: &str) -> Result<(Wal, Writer), Error> {
    let options = WalOptions { segment_bytes: SEGMENT_BYTES, ..WalOptions::default() };
    let disk = Arc::new(RealDisk::open(directory)?);
    Wal::open(disk, options, Arc::new(|why| fail(&why)))
}

/// Says what the log holds, after reading all of it, and gives its highest term.
fn tell(wal: &Wal) -> Result<u64, Error> {
    let state = wal.log_state();
    let (purged, last) = (state.purged.unwrap_or_default(), state.last.unwrap_or_default());
    let vote = state.vote.unwrap_or_default().term;
    say(&format!("purged {}", purged.index));
    say(&format!("vote {vote}"));
    let mut next = purged.index + 1;
    let mut run: Option<(LogId, u64)> = None;
    while next <= last.index {
        for entry in wal.read(next, last.index + 1, READ_BYTES_MAX)? {
            assert!(entry.id.index == next && entry.payload == payload(entry.id), "entry {next} is another");
            run = match run {
                Some((first, _)) if first.term == entry.id.term => Some((first, next)),
                other => {
                    tell_run(other);
                    Some((entry.id, next))
                }
            };
            next += 1;
        }
    }
    tell_run(run);
    say(&format!("opened {}", wal.opened().cut_sectors));
    Ok(vote.max(last.term))
}

fn tell_run(run: Option<(LogId, u64)>) {
    if let Some((first, last)) = run {
        say(&format!("run {} {} {last}", first.term, first.index));
    }
}

/// A line in one piece, also when another thread ends the process meanwhile. Nobody may be listening any more.
fn say(line: &str) {
    let line = format!("{line}\n");
    if std::io::stdout().write_all(line.as_bytes()).is_err() {
        exit(1);
    }
}

fn end(error: &Error) -> ! {
    let is_damage = matches!(error, Error::Corrupt { .. } | Error::Foreign { .. });
    if is_damage {
        say(&format!("refused {error}"));
        exit(2);
    }
    fail(error)
}

fn fail(why: &dyn Display) -> ! {
    say(&format!("failed {why}"));
    exit(3);
}

impl Load {
    async fn run(mut self) {
        loop {
            let done = match self.chance.below(100) {
                0..=89 => self.append().await,
                90..=92 => self.vote().await,
                93..=95 => self.truncate().await,
                96 => self.purge().await,
                _ => {
                    self.wal.tick();
                    Ok(())
                }
            };
            if let Err(error) = done {
                fail(&error);
            }
        }
    }

    async fn append(&mut self) -> std::io::Result<()> {
        let under_way = self.under_way.clone().acquire_owned().await.expect("it is never closed");
        let first = self.wal.log_state().last.unwrap_or_default().index + 1;
        let mut entries = Vec::new();
        for index in first..=first + self.chance.below(BATCH_MAX) {
            let id = LogId { term: self.term, index };
            self.send(&format!("append {} {index}", self.term));
            entries.push(Entry { id, payload: payload(id) });
        }
        let number = self.number;
        let done: Done = Box::new(move |result| {
            if result.is_ok() {
                say(&format!("done {number}"));
            }
            drop(under_way);
        });
        Ok(self.wal.append(entries, done).await?)
    }

    async fn vote(&mut self) -> std::io::Result<()> {
        self.term += 1;
        self.send(&format!("vote {}", self.term));
        self.wal.save_vote(Vote { term: self.term, node: 1, committed: false }).await?;
        self.say_done();
        Ok(())
    }

    /// As a follower does whose leader has changed: what follows is of a later term.
    async fn truncate(&mut self) -> std::io::Result<()> {
        let Some(last) = self.wal.log_state().last else { return Ok(()) };
        let kept = last.index.saturating_sub(self.chance.below(TRUNCATED_MAX));
        let Some(id) = self.wal.first().filter(|first| first.index <= kept).and(self.wal.id_at(kept)) else {
            return Ok(());
        };
        self.term += 1;
        self.send(&format!("truncate {kept}"));
        self.wal.truncate_after(Some(id)).await?;
        self.say_done();
        Ok(())
    }

    async fn purge(&mut self) -> std::io::Result<()> {
        let last = self.wal.log_state().last.unwrap_or_default().index;
        let (Some(first), Some(id)) = (self.wal.first(), self.wal.id_at(last.saturating_sub(KEPT))) else {
            return Ok(());
        };
        if id.index < first.index {
            return Ok(());
        }
        self.send(&format!("purge {}", id.index));
        self.wal.purge(id).await?;
        self.say_done();
        Ok(())
    }

    /// Before the operation begins: whatever is found later has been told.
    fn send(&mut self, operation: &str) {
        self.number += 1;
        say(&format!("sent {} {operation}", self.number));
    }

    fn say_done(&self) {
        say(&format!("done {}", self.number));
    }
}

fn payload(id: LogId) -> Bytes {
    let mut chance = Chance(id.term << 40 ^ id.index);
    let length = chance.below(PAYLOAD_BYTES_MAX) as usize;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&chance.draw().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

impl Chance {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }
}
