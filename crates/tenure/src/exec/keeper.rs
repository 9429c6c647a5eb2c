//! The keeper: takes the lease, has the program started, renews for as long as it runs, and gives the lease back.
//!
//! Every wait here also waits for a signal, and the last look for one is the last thing before the program is started.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustix::process::Signal;
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::line::{Ended, Line, Order};
use super::moment::{Alarm, Moment};
use super::nodes::{Answer, Claim, Grant, Meaning, Nodes, meaning};
use super::stops::Stops;
use super::terms::{Next, Renewals, Terms};
use super::{Exec, family, guard};
use crate::command::history::rfc3339;
use crate::failure::{Exit, Failure};
use crate::output::Format;

/// Between two attempts to take a lease that is held, if no node says before that it is free: its end may have been
/// shortened, and the node that was to tell may be gone.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// A lease that ends in a moment is not asked for more often than this.
const PAUSE_MIN: Duration = Duration::from_millis(20);

/// Between two attempts when no node could answer.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(500);

/// After a request to stop, an answer that is under way is awaited so long: a grant would be given back.
const LAST_ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Giving the lease back: it ends by itself, too.
const RELEASE_WITHIN: Duration = Duration::from_secs(2);

/// A guard that is told to kill and does not say that it did is killed, too.
const KILLS_WITHIN: Duration = Duration::from_secs(1);

/// What a guard said before it ended has arrived; one that is stopped says nothing.
const LAST_WORD_WITHIN: Duration = Duration::from_millis(100);

/// What a shell says of a program that SIGKILL ended.
const KILLED: u8 = 137;

/// How it ended. In each case nothing of the program is left.
enum End {
    /// By itself, or by a signal that was passed on.
    Program(u8),
    Lost(String),
    /// The guard was killed.
    Unguarded,
}

pub fn run(exec: &Exec, endpoints: &[String], format: Format) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(keep(exec, endpoints, format))
}

async fn keep(exec: &Exec, endpoints: &[String], format: Format) -> Result<ExitCode> {
    let mut stops = Stops::listen()?;
    let nodes = Nodes::new(endpoints)?;
    let claim = Claim {
        name: exec.name.clone(),
        holder: exec.holder.clone().unwrap_or_else(some_holder),
        terms: Terms::of(exec.ttl),
    };
    let grant = acquire(&nodes, &claim, exec.wait, &mut stops).await?;
    tracing::info!(lease = claim.name, holder = claim.holder, token = grant.token, "acquired");
    let held = hold(exec, &nodes, &claim, grant, &mut stops, format).await;
    give_back(&nodes, &claim, grant.token).await;
    let program = exec.command[0].to_string_lossy();
    let next = format!("tenure lease get {}", claim.name);
    match held? {
        End::Program(code) => Ok(ExitCode::from(code)),
        End::Lost(why) => {
            let message = format!("{} was lost and {program} ended: {why}", claim.name);
            Err(Failure::new(Exit::Lost, "LOST", message, &next).into())
        }
        End::Unguarded => {
            let message = format!("the guard of {program} was killed, and {program} with it");
            Err(Failure::new(Exit::Error, "UNGUARDED", message, "start it again; nothing of it is left")
                .into())
        }
    }
}

/// Nobody else's name, in this run or another.
fn some_holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "host" } else { host.trim() };
    format!("{host}:{}:{:08x}", std::process::id(), rand::random::<u32>())
}

/// Takes the lease when it is free, within `wait`.
async fn acquire(
    nodes: &Nodes,
    claim: &Claim,
    wait: Option<Duration>,
    stops: &mut Stops,
) -> Result<Grant, Failure> {
    let give_up_at = wait.map(|wait| Moment::now() + wait);
    let mut told = String::new();
    loop {
        let mut asking = pin!(nodes.acquire(claim));
        let answer = tokio::select! {
            biased;
            answer = &mut asking => answer,
            signal = stops.next() => {
                let last = tokio::select! {
                    last = timeout(LAST_ANSWER_WITHIN, &mut asking) => last,
                    _ = stops.next() => return Err(stopped(claim, signal)),
                };
                if let Ok(Ok(Answer::Granted(grant))) = last {
                    give_back(nodes, claim, grant.token).await;
                }
                return Err(stopped(claim, signal));
            }
        };
        let (why, pause, is_held) = match answer {
            Ok(Answer::Granted(grant)) => return Ok(grant),
            Ok(Answer::Held { holder, remaining }) => {
                let pause = remaining.unwrap_or(LOOK_AGAIN_AFTER).clamp(PAUSE_MIN, LOOK_AGAIN_AFTER);
                (never(claim, "HELD", &format!("it is held by {holder}")), pause, true)
            }
            Err(status) if meaning(&status) == Meaning::Wrong => return Err(Failure::from_status(status)),
            Err(status) => (unanswered(claim, status), PAUSE_AFTER_ERROR, false),
        };
        let now = Moment::now();
        let left = give_up_at.map_or(Duration::MAX, |at| now.until(at));
        if left.is_zero() {
            return Err(why);
        }
        if told != why.message {
            tracing::info!(lease = claim.name, why = why.message, "waiting");
            told.clone_from(&why.message);
        }
        tokio::select! {
            biased;
            signal = stops.next() => return Err(stopped(claim, signal)),
            () = sleep(pause.min(left)) => {}
            () = nodes.freed(&claim.name), if is_held => {}
        }
    }
}

fn never(claim: &Claim, reason: &str, why: &str) -> Failure {
    let message = format!("{} was not acquired: {why}", claim.name);
    Failure::new(Exit::NeverAcquired, reason, message, &format!("tenure lease get {}", claim.name))
}

fn unanswered(claim: &Claim, status: Status) -> Failure {
    let failure = Failure::from_status(status);
    let message = format!("{} was not acquired: {}", claim.name, failure.message);
    Failure::new(Exit::NeverAcquired, &failure.reason, message, "check --endpoints, then: tenure status")
}

fn stopped(claim: &Claim, signal: Signal) -> Failure {
    let name = match signal {
        Signal::TERM => "SIGTERM",
        Signal::INT => "SIGINT",
        _ => "SIGHUP",
    };
    never(claim, "STOPPED", &format!("{name} came first, and nothing was started"))
}

/// So that another need not wait for its end. That it may already be another's is no fault.
async fn give_back(nodes: &Nodes, claim: &Claim, token: u64) {
    match timeout(RELEASE_WITHIN, nodes.release(claim, token)).await {
        Ok(Ok(())) => tracing::info!(lease = claim.name, token, "given back"),
        Ok(Err(status)) if meaning(&status) == Meaning::Lost => {}
        _ => tracing::warn!(lease = claim.name, token, "could not be given back; it ends by itself"),
    }
}

/// Has the program started, and stays until nothing of it is left.
async fn hold(
    exec: &Exec,
    nodes: &Nodes,
    claim: &Claim,
    grant: Grant,
    stops: &mut Stops,
    format: Format,
) -> Result<End> {
    let expires = (grant.sent_wall + claim.terms.ttl()).duration_since(std::time::UNIX_EPOCH)?;
    let environment = [
        ("TENURE_LEASE", claim.name.clone()),
        ("TENURE_FENCING_TOKEN", grant.token.to_string()),
        ("TENURE_EXPIRES_AT", rfc3339(i64::try_from(expires.as_millis())?)),
    ];
    // Should the guard be killed, what it guarded is ours.
    family::adopt_orphans()?;
    let alarm = Alarm::new()?;
    let line = guard::start(&exec.command, format, &environment).context("the guard cannot be started")?;
    if let Some(signal) = stops.arrived().await {
        return Err(stopped(claim, signal).into());
    }
    let mut keeper = Keeper {
        nodes,
        claim,
        token: grant.token,
        renewals: Renewals::new(claim.terms, grant.sent),
        line,
        cover_at: None,
        lost: None,
        kills: false,
    };
    let held = keeper.run(&alarm, stops).await;
    // Where the guard did its work this finds the guard alone.
    family::end_all(None)?;
    held
}

struct Keeper<'a> {
    nodes: &'a Nodes,
    claim: &'a Claim,
    token: u64,
    renewals: Renewals,
    line: Line,
    /// Unless the guard has said by then that nothing is left, the keeper does its work.
    cover_at: Option<Moment>,
    /// Why.
    lost: Option<String>,
    /// A second request to stop has come.
    kills: bool,
}

enum Due {
    Wait {
        until: Moment,
    },
    Renew,
    /// The guard does not do its work.
    Cover,
}

impl Keeper<'_> {
    async fn run(&mut self, alarm: &Alarm, stops: &mut Stops) -> Result<End> {
        let (nodes, claim, token) = (self.nodes, self.claim, self.token);
        let mut attempts = FuturesUnordered::new();
        let mut turn = 0;
        let mut is_asked_to_stop = false;
        let mut told = self.line.tell(&Order::Hold(self.renewals.leash()));
        loop {
            let now = Moment::now();
            let due = match told.and_then(|()| self.due(now)) {
                Ok(due) => due,
                Err(_) => return Ok(self.last_word().await),
            };
            match due {
                Due::Cover => return Ok(self.end(None)),
                Due::Wait { until } => alarm.set(until)?,
                Due::Renew => {
                    self.renewals.has_sent(now);
                    let this_turn = turn;
                    attempts.push(async move { (now, nodes.renew(claim, token, this_turn).await) });
                    turn += 1;
                    told = Ok(());
                    continue;
                }
            }
            told = tokio::select! {
                biased;
                ended = self.line.next() => return Ok(self.end(ended)),
                signal = stops.next() => {
                    // SIGHUP may be meant to have a configuration read again, however often.
                    self.kills |= is_asked_to_stop && signal != Signal::HUP;
                    is_asked_to_stop |= signal != Signal::HUP;
                    self.pass_on(signal)
                }
                Some((sent, answer)) = attempts.next(), if self.lost.is_none() => match answer {
                    Ok(()) if self.renewals.has_succeeded(sent) => {
                        attempts.clear();
                        turn = 0;
                        self.line.tell(&Order::Hold(self.renewals.leash()))
                    }
                    Ok(()) => Ok(()),
                    Err(status) => self.refused(&status),
                },
                rang = alarm.rings() => Ok(rang?),
            };
        }
    }

    fn due(&mut self, now: Moment) -> io::Result<Due> {
        if self.lost.is_none() {
            match self.renewals.next(now) {
                Next::Lost => self.lose(now, "no renewal succeeded in time")?,
                Next::Renew => return Ok(Due::Renew),
                Next::Wait { until } if self.cover_at.is_none() => return Ok(Due::Wait { until }),
                Next::Wait { .. } => {}
            }
        }
        let until =
            self.cover_at.expect("it is set when the lease is lost, and with a second request to stop");
        Ok(if now >= until { Due::Cover } else { Due::Wait { until } })
    }

    fn refused(&mut self, status: &Status) -> io::Result<()> {
        if meaning(status) == Meaning::Lost {
            return self.lose(Moment::now(), status.message());
        }
        tracing::warn!(lease = self.claim.name, why = status.message(), "a renewal without a certain answer");
        Ok(())
    }

    fn lose(&mut self, now: Moment, why: &str) -> io::Result<()> {
        tracing::error!(lease = self.claim.name, token = self.token, why, "lost; the program is stopped");
        let leash = self.renewals.leash();
        self.lost = Some(why.to_owned());
        self.cover_at = Some(leash.killed_if_stopped(now) + leash.slack / 2);
        self.line.tell(&Order::Stop)
    }

    fn pass_on(&mut self, signal: Signal) -> io::Result<()> {
        if !self.kills {
            return self.line.tell(&Order::Signal(signal.as_raw()));
        }
        self.cover_at.get_or_insert(Moment::now() + KILLS_WITHIN);
        self.line.tell(&Order::Kill)
    }

    /// The guard does not listen. It may have said before why.
    async fn last_word(&mut self) -> End {
        let last = timeout(LAST_WORD_WITHIN, self.line.next()).await;
        self.end(last.ok().flatten())
    }

    fn end(&mut self, told: Option<Ended>) -> End {
        match (self.lost.take(), told) {
            (Some(why), _) => End::Lost(why),
            (None, Some(Ended { overdue: true, .. })) => {
                End::Lost("no renewal succeeded in time, or this process was stopped".into())
            }
            (None, Some(Ended { code, .. })) => End::Program(code),
            (None, None) if self.kills => End::Program(KILLED),
            (None, None) => End::Unguarded,
        }
    }
}
