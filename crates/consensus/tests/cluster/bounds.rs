//! What a group refuses, so that nothing in it grows without end.

use std::time::Duration;

use consensus::ProposeError;
use domain::limits::{OUTCOME_BYTES, OUTCOMES_BYTES_MAX, VALUE_BYTES_MAX};
use domain::{Action, Answer, Expiry, SetCondition};
use tokio::time::sleep;

use crate::world::{World, key};

const FULL: ProposeError = ProposeError::Overloaded("outcomes that are remembered");

fn set(value: &[u8], condition: SetCondition, previous: bool) -> Action {
    Action::Set { key: key("k"), value: value.into(), condition, expiry: Expiry::Never, previous }
}

#[tokio::test(start_paused = true)]
async fn with_as_many_outcomes_as_may_be_remembered_nothing_more_is_proposed() {
    let mut world = World::new();
    // It would hold every answer in full.
    world.keeps_state = false;
    world.found(3).await;
    let leader = world.leader().await;
    let other = 1 + leader % 3;
    world.propose(leader, set(&[7; VALUE_BYTES_MAX], SetCondition::Always, false)).await;
    let increment = || Action::Increment { key: key("n"), by: 1 };
    let first = world.replica(other).propose_as([1; 16], increment()).await.expect("there is room");

    // Each remembers the value that it found.
    let ask = || (0..1024).map(|_| set(b"", SetCondition::IfAbsent, true)).collect::<Vec<_>>();
    let mut results = Vec::new();
    while results.len() < OUTCOMES_BYTES_MAX / VALUE_BYTES_MAX {
        results.extend(world.replica(leader).propose(ask()).await);
    }
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
    assert!(metrics.commands_proposed.get() - proposed < 10, "nothing but ticks");
    let again = world.replica(other).propose_as([1; 16], increment()).await.expect("it takes no room");
    assert!(again.repeated && again.made == first.made, "{again:?}");

    // Ticks go on, and with time there is room again.
    sleep(Duration::from_secs(11)).await;
    let outcome = world.propose(other, increment()).await;
    assert_eq!(outcome.answer, Answer::Integer(2), "what was refused did not run");
    world.agree().await;
}
