//! The group changes while it works.

use std::time::Duration;

use consensus::{AdminError, Change};
use domain::NodeId;
use tokio::time::timeout;

use crate::world::{World, audit, member};

#[tokio::test(start_paused = true)]
async fn a_node_is_added_promoted_and_another_removed() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let via = 1 + leader % 3;
    let contact = |id| member(id).contact();
    // The id is not known before; the address is.
    let id = world.replica(via).change(Change::AddLearner(contact(9)), audit()).await.expect("added").0;
    assert!(id > 3, "a later id is a serial: {id}");
    let early = world.replica(via).change(Change::Promote(NodeId(id)), audit()).await;
    assert!(matches!(early, Err(AdminError::Refused(_))), "nothing was replicated to it yet: {early:?}");
    world.start_at(id, 9).await;
    let promoted = async {
        while world.replica(via).change(Change::Promote(NodeId(id)), audit()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(30), promoted).await.expect("it catches up");
    let removed = 1 + via % 3;
    world.replica(via).change(Change::Remove(NodeId(removed)), audit()).await.expect("removed");
    world.kill(removed).await;
    let leader = world.leader().await;
    world.increment(id, "n").await;
    let ids: Vec<u64> = world.replica(leader).members().iter().map(|member| member.id.0).collect();
    assert!(ids.contains(&id) && !ids.contains(&removed), "{ids:?}");
    world.agree().await;
}

#[tokio::test(start_paused = true)]
async fn a_member_that_comes_back_empty_is_not_taken_in_again() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let wiped = 1 + leader % 3;
    world.kill(wiped).await;
    world.wipe(wiped);
    world.start(wiped).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.increment(leader, "n").await;
    assert_eq!(world.replica(wiped).status().cluster_id, None);
    assert_eq!(world.replica(wiped).status().applied, 0, "nothing was replicated to it");
    assert!(world.replica(wiped).metrics().peer_requests_refused.get() > 0);
}

#[tokio::test(start_paused = true)]
async fn founding_is_done_once_and_names_what_is_missing() {
    let mut world = World::new();
    world.start(1).await;
    let members: Vec<_> = (1..=2).map(member).collect();
    let alone = world.replica(1).init(&members).await;
    let Err(AdminError::Refused(why)) = alone else { panic!("{alone:?}") };
    assert!(why.contains("node 2"), "{why}");
    world.start(2).await;
    world.replica(1).init(&members).await.expect("the same founding goes on");
    let again = world.replica(1).init(&members).await;
    assert!(matches!(again, Err(AdminError::Refused(_))), "{again:?}");
    world.leader().await;
}
