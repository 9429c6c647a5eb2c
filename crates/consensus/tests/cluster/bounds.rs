//! What a group refuses, so that nothing in it grows without end.

use std::time::Duration;

use consensus::ProposeError;
use domain::command::Audit;
use domain::limits::{OUTCOME_BYTES, OUTCOMES_BYTES_MAX, VALID_MS, VALUE_BYTES_MAX};
use domain::trading::command::TradingAction;
use domain::trading::scope::Subject;
use domain::{Action, Answer, Expiry, Outcome, SetCondition};
use tokio::time::{Instant, sleep, sleep_until};

use crate::world::{World, key};

const FULL: ProposeError = ProposeError::Overloaded("outcomes that are remembered");

fn set(value: &[u8], condition: SetCondition, previous: bool) -> Action {
    Action::Set { key: key("k"), value: value.into(), condition, expiry: Expiry::Never, previous }
}

fn increment() -> Action {
    Action::Increment { key: key("n"), by: 1 }
}

fn kill() -> Action {
    let audit = Box::new(Audit {
        wall_ms: 0,
        actor: "ann".into(),
        action: "kill-switch engage".into(),
        subject: "all".into(),
        reason: "odd fills".into(),
    });
    Action::Trading(Box::new(TradingAction::SetKillSwitch { subject: Subject::All, engaged: true, audit }))
}

/// Of three nodes, with a long value at `k`.
async fn world() -> World {
    let mut world = World::new();
    // It would hold every answer in full.
    world.keeps_state = false;
    world.found(3).await;
    let leader = world.leader().await;
    world.propose(leader, set(&[7; VALUE_BYTES_MAX], SetCondition::Always, false)).await;
    world
}

/// Proposes more than can be remembered: each remembers the value that it found.
async fn fill(world: &World, leader: u64) -> Vec<Result<Outcome, ProposeError>> {
    let ask = || (0..1024).map(|_| set(b"", SetCondition::IfAbsent, true)).collect::<Vec<_>>();
    let mut results = Vec::new();
    while results.len() < OUTCOMES_BYTES_MAX / VALUE_BYTES_MAX {
        results.extend(world.replica(leader).propose(ask()).await);
    }
    results
}

#[tokio::test(start_paused = true)]
async fn what_can_be_remembered_soon_waits_and_runs_in_order() {
    let world = world().await;
    let leader = world.leader().await;
    let other = 1 + leader % 3;
    let from = Instant::now();
    let results = fill(&world, leader).await;
    assert!(results.contains(&Err(FULL)), "nothing more can be remembered");
    let oldest_goes = from + Duration::from_millis(VALID_MS);
    sleep_until(oldest_goes - Duration::from_millis(900)).await;

    let here = world.replica(leader).propose((0..500).map(|_| increment()).collect());
    let there = world.replica(other).propose((0..500).map(|_| increment()).collect());
    let (here, there) = tokio::join!(here, there);
    assert!(Instant::now() >= oldest_goes, "nothing is forgotten early");
    for results in [&here, &there] {
        let counted: Vec<i64> = results
            .iter()
            .map(|result| match result.as_ref().expect("it waited for room").answer {
                Answer::Integer(count) => count,
                ref other => panic!("{other:?}"),
            })
            .collect();
        assert!(counted.is_sorted(), "{counted:?}");
    }
    world.agree().await;
}

#[tokio::test(start_paused = true)]
async fn with_as_many_outcomes_as_may_be_remembered_nothing_more_is_proposed() {
    let world = world().await;
    let leader = world.leader().await;
    let other = 1 + leader % 3;
    let first = world.replica(other).propose_as([1; 16], increment()).await.expect("there is room");

    let results = fill(&world, leader).await;
    // The last entry was proposed with room for answers without a value: apply itself refused what was too much.
    let taken = results.iter().filter(|result| result.is_ok()).count();
    assert!(taken.abs_diff(OUTCOMES_BYTES_MAX / (VALUE_BYTES_MAX + OUTCOME_BYTES)) <= 1, "{taken}");
    assert!(results[taken..].iter().all(|result| *result == Err(FULL)));

    let metrics = world.replica(leader).metrics();
    let proposed = metrics.commands_proposed.get();
    for at in [leader, other] {
        for result in world.replica(at).propose((0..500).map(|_| increment()).collect()).await {
            assert_eq!(result, Err(FULL));
        }
    }
    // While it waits for room, the leader tells the log the time.
    assert!(metrics.commands_proposed.get() - proposed < 500, "nothing but ticks");
    // Meanwhile others are not held up: who asks again, and who stops trading.
    let asks = Instant::now();
    let late = world.replica(leader).propose(vec![increment()]);
    let others = async {
        let again = world.replica(other).propose_as([1; 16], increment()).await.expect("it takes no room");
        assert!(again.repeated && again.made == first.made, "{again:?}");
        let stopped = world.replica(other).propose_as([2; 16], kill()).await.expect("room is kept for it");
        assert!(matches!(stopped.answer, Answer::Trading(_)), "{stopped:?}");
        asks.elapsed()
    };
    let (late, others) = tokio::join!(late, others);
    assert_eq!(late, [Err(FULL)]);
    assert!(others < asks.elapsed() / 2, "they waited {others:?}");

    // Ticks go on, and with time there is room again.
    sleep(Duration::from_secs(11)).await;
    let outcome = world.propose(other, increment()).await;
    assert_eq!(outcome.answer, Answer::Integer(2), "what was refused did not run");
    world.agree().await;
}
