//! The leader's own commands: ticks, so that what is due ends by the log, checkpoints, and the trading day.

use std::sync::Arc;
use std::time::Duration;

use domain::trading::Day;
use domain::trading::command::TradingAction;
use domain::{Action, Command, LogTime};
use tokio::time::{Instant, sleep};

use crate::limits::{
    CHECKPOINT_ENTRIES, CHECKPOINT_INTERVAL, DAY_LOOK_INTERVAL, RETRY_PAUSE, TICK_IDLE, TICK_LEASES,
};
use crate::router::Router;
use crate::sequencer::{Sequencer, Verdict};
use crate::shared::Shared;

/// Commits a tick every second, every 200 ms while keys with an end live, and when the next of them is due.
pub(crate) async fn tick(shared: Arc<Shared>, sequencer: Sequencer) {
    let mut leadership = shared.leadership.subscribe();
    let mut next_end = shared.next_end.subscribe();
    loop {
        if leadership.wait_for(|seen| seen.stamping).await.is_err() {
            return;
        }
        let wait = match until_due(&shared) {
            // Waited for, so that a slow log gets one tick at a time.
            Some(Duration::ZERO) => match sequencer.submit(vec![Command::harmless(Action::Tick)]).await {
                Ok(Verdict::Outcomes(_)) => continue,
                _ => RETRY_PAUSE,
            },
            Some(wait) => wait,
            // Just deposed; soon the leadership says so too.
            None => RETRY_PAUSE,
        };
        tokio::select! {
            () = sleep(wait) => {}
            _ = next_end.changed() => {}
            _ = leadership.changed() => {}
        }
    }
}

/// How long until the log must be told the time again; `None` if this node does not lead.
fn until_due(shared: &Shared) -> Option<Duration> {
    let clock = shared.clock.stamp()?.time;
    let (now, next_end) = {
        let state = shared.state.read();
        (state.now(), state.next_end())
    };
    let pace = if next_end.is_some() { TICK_LEASES } else { TICK_IDLE };
    let paced = LogTime::from_ns(now.as_ns() + pace.as_nanos() as u64);
    let due = next_end.map_or(paced, |end| end.min(paced));
    Some(Duration::from_nanos(due.as_ns().saturating_sub(clock.as_ns())))
}

/// Commits a checkpoint every 10,000 entries or 10 s of activity.
pub(crate) async fn checkpoint(shared: Arc<Shared>, sequencer: Sequencer) {
    let mut leadership = shared.leadership.subscribe();
    let mut last = (shared.metrics.entries_active.get(), Instant::now());
    loop {
        if leadership.wait_for(|seen| seen.stamping).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(250)).await;
        let active = shared.metrics.entries_active.get() - last.0;
        if active >= CHECKPOINT_ENTRIES || (active > 0 && last.1.elapsed() >= CHECKPOINT_INTERVAL) {
            sequencer.submit_own(Command::harmless(Action::Checkpoint));
            last = (last.0 + active, Instant::now());
        }
    }
}

/// Begins the desk's day when it has come by this leader's wall clock. A day that has begun does not come again.
pub(crate) async fn roll_day(shared: Arc<Shared>, sequencer: Sequencer) {
    let mut leadership = shared.leadership.subscribe();
    loop {
        if leadership.wait_for(|seen| seen.stamping).await.is_err() {
            return;
        }
        if let Some(day) = new_day(&shared) {
            // Waited for, so that one day is begun once.
            let roll = Action::Trading(Box::new(TradingAction::RollDay(day)));
            let _ = sequencer.submit(vec![Command::harmless(roll)]).await;
        }
        sleep(DAY_LOOK_INTERVAL).await;
    }
}

/// `None`: it is the one that has begun, or nobody trades here.
fn new_day(shared: &Shared) -> Option<Day> {
    let wall_ms = shared.environment.clock.wall_ms();
    let state = shared.state.read();
    let configuration = &state.trading().configuration;
    let has_accounts = configuration.accounts().next().is_some();
    let day = configuration.day_at(wall_ms);
    (has_accounts && day > state.trading().counters.day).then_some(day)
}

/// Reports this node's digest at each checkpoint, whoever leads.
pub(crate) async fn report_digest(shared: Arc<Shared>, router: Router) {
    let mut checkpoints = shared.checkpoint.subscribe();
    while checkpoints.changed().await.is_ok() {
        let seen = *checkpoints.borrow_and_update();
        let Some((index, digest)) = seen else { continue };
        let report = Action::ReportDigest { node: shared.node, checkpoint: index, digest: digest.0 };
        // Not reported is not lost: the next checkpoint comes.
        let _ = router.send(vec![Command::harmless(report)]).await;
    }
}
