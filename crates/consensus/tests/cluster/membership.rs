//! The group changes while it works.

use std::time::Duration;

use consensus::{AdminError, Change};
use domain::NodeId;
use tokio::time::{sleep, timeout};

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
            sleep(Duration::from_millis(100)).await;
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
    sleep(Duration::from_secs(5)).await;
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

#[tokio::test(start_paused = true)]
async fn founding_goes_on_when_a_disk_failed_in_between() {
    for failing in 1..=2 {
        let mut world = World::new();
        for id in 1..=3 {
            world.start(id).await;
        }
        let members: Vec<_> = (1..=3).map(member).collect();
        // Time moves when nothing can run any more: what nodes do at their start is done.
        sleep(Duration::from_secs(1)).await;
        // After a spare segment and the identity itself, the directory: the file has its name already.
        world.disks[&failing].fail_sync_in(2);
        let failed = world.replica(1).init(&members).await;
        let Err(AdminError::Refused(why)) = failed else { panic!("{failed:?}") };
        assert!(why.contains("syncing the directory of memory:/IDENTITY"), "node {failing}: {why}");
        world.replica(1).init(&members).await.expect("the same founding goes on");
        world.leader().await;
        world.agree().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_promotion_that_its_leader_left_half_done_is_finished_by_the_next() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let added = world.replica(leader).change(Change::AddLearner(member(9).contact()), audit()).await;
    let newcomer = added.expect("added").0;
    world.start_at(newcomer, 9).await;
    world.agree().await;
    let others: Vec<u64> = world.nodes.keys().copied().filter(|id| *id != leader).collect();
    let first_step = world.replica(leader).status().last_log + 2;
    let replica = world.replica(leader).clone();
    let promotion =
        tokio::spawn(async move { replica.change(Change::Promote(NodeId(newcomer)), audit()).await });
    // Behind the audit record comes the first step. It reaches everybody, and its leader dies before it hears so.
    let has_first_step = |at: u64| world.replica(at).status().last_log >= first_step;
    for turn in 0.. {
        if has_first_step(leader) {
            break;
        }
        assert!(turn < 100_000, "the change does not begin");
        tokio::task::yield_now().await;
    }
    others.iter().for_each(|other| world.hold(*other, leader));
    let arrived = async {
        while !others.iter().all(|other| has_first_step(*other)) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(1), arrived).await.expect("the first step is everywhere");
    assert!(world.replica(leader).status().committed < first_step);
    world.kill(leader).await;
    promotion.abort();
    let is_voter = |at: u64| {
        let members = world.replica(at).members();
        members.iter().any(|member| member.id.0 == newcomer && member.voter)
    };
    let successor = world.leader_among(&others).await;
    assert!(!is_voter(successor), "between the two steps the old voters decide, too");
    let finished = async {
        while !others.iter().all(|other| is_voter(*other)) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), finished).await.expect("the next leader takes the second step");
}

#[tokio::test(start_paused = true)]
async fn a_leader_purges_what_a_newcomer_has_not_got_and_goes_on() {
    let mut world = World::new();
    world.snapshot_entries = 50;
    world.retain_bytes = 1;
    world.found(3).await;
    let leader = world.leader().await;
    let added = world.replica(leader).change(Change::AddLearner(member(9).contact()), audit()).await;
    let newcomer = added.expect("added").0;
    // It is tried again and again, and the log goes from under what it was to be sent.
    let mut purges = Vec::new();
    let purged = async {
        while purges.len() < 3 {
            world.increment(leader, "n").await;
            sleep(Duration::from_millis(5)).await;
            purges.push(world.replica(leader).status().purged);
            purges.dedup();
        }
    };
    timeout(Duration::from_secs(30), purged).await.expect("the log is purged");
    world.start_at(newcomer, 9).await;
    world.agree().await;
    assert!(world.replica(newcomer).metrics().snapshots_installed.get() > 0);
    assert_eq!(world.leader().await, leader);
}
