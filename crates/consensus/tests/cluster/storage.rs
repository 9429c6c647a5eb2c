//! What a node has besides the log: its state store, which may be behind, ahead, damaged or wrong, and the sealed
//! history, which is the same bytes on every node.

use std::sync::Arc;
use std::time::Duration;

use consensus::Metrics;
use domain::command::Audit;
use domain::limits::TOUCHED_ROWS_MAX;
use domain::{Action, Changes, Digest, Expiry, HistoryRecord, SetCondition, State};
use store::{History, SealedFile, Stored};
use tokio::time::{sleep, timeout};
use wire::StateDecoder;

use crate::world::{World, audit, key};

/// Sets as many keys and returns the index of the last entry.
async fn fill(world: &World, at: u64, count: u64) -> u64 {
    let set = |number: u64| Action::Set {
        key: key(&format!("k{number}")),
        value: number.to_string().as_bytes().into(),
        condition: SetCondition::Always,
        expiry: if number.is_multiple_of(3) { Expiry::InMs(3_600_000) } else { Expiry::Never },
        previous: false,
    };
    propose(world, at, (0..count).map(set).collect()).await
}

async fn propose(world: &World, at: u64, actions: Vec<Action>) -> u64 {
    let results = world.replica(at).propose(actions).await;
    results.into_iter().map(|result| result.expect("an outcome").made.index).max().expect("some actions")
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let held = async {
        while !holds() {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(300), held).await.unwrap_or_else(|_| panic!("{what} within 300 s"));
}

/// Waits until the state store of a node has come to an entry.
async fn kept(world: &mut World, id: u64, index: u64) {
    let store = world.store(id);
    until("the state store is up to date", || store.index() >= index).await;
}

fn metric(world: &World, id: u64, read: impl Fn(&Metrics) -> u64) -> u64 {
    read(&world.replica(id).metrics())
}

fn applied(world: &World, id: u64) -> u64 {
    metric(world, id, |metrics| metrics.commands_applied.get())
}

fn discarded(world: &World, id: u64) -> u64 {
    metric(world, id, |metrics| metrics.state_discarded.get())
}

async fn restart(world: &mut World, id: u64) {
    world.kill(id).await;
    world.start(id).await;
    world.agree().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_reads_the_state_back_and_applies_only_the_rest() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let node = 1 + leader % 3;
    let index = fill(&world, leader, 500).await;
    kept(&mut world, node, index).await;
    world.kill(node).await;
    fill(&world, leader, 20).await;
    world.start(node).await;
    world.agree().await;
    assert_eq!(discarded(&world, node), 0);
    assert!((20..200).contains(&applied(&world, node)), "{}", applied(&world, node));
    assert_eq!(
        metric(&world, node, |metrics| metrics.state_rebuilds.get()),
        0,
        "it goes on with what is there"
    );

    // Without its store it applies everything again: the number above can tell.
    world.forget(node);
    restart(&mut world, node).await;
    assert!(applied(&world, node) > 500, "{}", applied(&world, node));

    // All at once, and each from its own store.
    let index = fill(&world, leader, 30).await;
    for id in 1..=3 {
        kept(&mut world, id, index).await;
    }
    for id in 1..=3 {
        world.kill(id).await;
    }
    for id in 1..=3 {
        world.start(id).await;
    }
    world.leader().await;
    world.agree().await;
    assert!((1..=3).all(|id| applied(&world, id) < 200 && discarded(&world, id) == 0));
    assert_eq!(world.increment(1, "n").await, 1);
}

#[tokio::test(start_paused = true)]
async fn an_orderly_stop_leaves_nothing_to_apply_again() {
    let mut world = World::founded(1).await;
    fill(&world, 1, 500).await;
    let replica = world.replica(1).clone();
    replica.shutdown().await;
    let stood = world.store(1).index();
    world.kill(1).await;
    world.start(1).await;
    world.leader().await;
    // The entries of the new term, and nothing before.
    assert!(applied(&world, 1) < 10, "{} from {stood}", applied(&world, 1));
    assert_eq!(world.replica(1).local().key_count(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_state_store_that_does_not_come_to_an_end() {
    for work in ["write state store", "flush state store"] {
        let mut world = World::founded(3).await;
        world.hold_up(Some(work));
        fill(&world, 1, 10).await;
        let stopped = timeout(Duration::from_secs(10), world.stop(2)).await;
        stopped.unwrap_or_else(|_| panic!("it waits for {work:?}"));
        world.hold_up(None);
        world.start(2).await;
        let index = fill(&world, 1, 10).await;
        until("it follows", || applied(&world, 2) >= index).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_store_ahead_of_the_log_is_thrown_away() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let node = 1 + leader % 3;
    fill(&world, leader, 10).await;
    world.agree().await;
    world.kill(node).await;
    let before = world.disks[&node].fork(node);
    world.start(node).await;
    let index = fill(&world, leader, 100).await;
    kept(&mut world, node, index).await;
    // As a power cut may have it, after which the log has lost what was not synced. All nodes, because a leader that
    // lives does not believe that a follower's log is shorter than it was.
    for id in 1..=3 {
        world.kill(id).await;
    }
    world.disks.insert(node, before);
    for id in 1..=3 {
        world.start(id).await;
    }
    assert_eq!(discarded(&world, node), 1);
    let leader = world.leader().await;
    world.agree().await;
    let index = fill(&world, leader, 10).await;
    kept(&mut world, node, index).await;
    restart(&mut world, node).await;
    assert_eq!(discarded(&world, node), 0, "what was written since is good");
}

#[tokio::test(start_paused = true)]
async fn a_damaged_state_store_is_thrown_away() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let node = 1 + leader % 3;
    let same = |stored: Stored| stored;
    let other_digest = |stored: Stored| Stored { digest: stored.digest ^ 1, ..stored };
    let mut lost_row = store::Changes::default();
    lost_row.delete("keys", b"\0k7".as_slice());
    let mut garbage = store::Changes::default();
    garbage.put("keys", b"\0k7".as_slice(), b"garbage".as_slice());
    let mut lost_head = store::Changes::default();
    lost_head.delete("head", b"".as_slice());
    let mut lost_place = store::Changes::default();
    lost_place.delete("place", b"meta".as_slice());
    type Damage = (&'static str, store::Changes, fn(Stored) -> Stored);
    let damages: [Damage; 5] = [
        ("another digest", store::Changes::default(), other_digest),
        ("a lost row", lost_row, same),
        ("a row of garbage", garbage, same),
        ("no head", lost_head, same),
        ("no place", lost_place, same),
    ];
    for (what, changes, stored) in damages {
        let index = fill(&world, leader, 10).await;
        kept(&mut world, node, index).await;
        world.kill(node).await;
        let store = world.store(node);
        let now = store.stored().expect("it was written");
        store.tamper(&changes, stored(now));
        world.start(node).await;
        assert_eq!(discarded(&world, node), 1, "{what}");
        world.agree().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_store_behind_the_purged_log_gives_way_to_the_snapshot() {
    let mut world = World::new();
    world.snapshot_entries = 100;
    world.retain_bytes = 1;
    world.found(3).await;
    let leader = world.leader().await;
    let node = 1 + leader % 3;
    let index = fill(&world, leader, 10).await;
    kept(&mut world, node, index).await;
    let old = world.store(node).copy();
    for _ in 0..300 {
        world.increment(leader, "n").await;
    }
    let replica = world.replica(node).clone();
    until("the log is purged beyond the old store", || replica.status().purged > old.index()).await;
    let index = fill(&world, leader, 10).await;
    kept(&mut world, node, index).await;

    // The new one is used, and what is behind the snapshot is not needed.
    restart(&mut world, node).await;
    assert_eq!(discarded(&world, node), 0);
    assert!(applied(&world, node) < 100, "{}", applied(&world, node));

    world.kill(node).await;
    world.replace_store(node, old);
    world.start(node).await;
    assert_eq!(discarded(&world, node), 1);
    assert!(metric(&world, node, |metrics| metrics.snapshots_installed.get()) > 0);
    world.agree().await;
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_taken_after_so_many_bytes_of_log_and_not_before_it_is_outgrown() {
    let mut world = World::new();
    world.snapshot_bytes = 1 << 20;
    world.found(3).await;
    let leader = world.leader().await;
    let replica = world.replica(leader).clone();
    let write = async |keys: u64| {
        let value: Arc<[u8]> = vec![b'x'; domain::limits::VALUE_BYTES_MAX].into();
        for n in 0..keys {
            let pairs = vec![(key(&n.to_string()), value.clone())];
            propose(&world, leader, vec![Action::SetMany { pairs, if_none_exist: false }]).await;
        }
        sleep(Duration::from_secs(10)).await;
        replica.metrics().snapshots_built.get()
    };
    assert_eq!(write(24).await, 1);
    // More than the limit and less than what the snapshot holds.
    assert_eq!(write(20).await, 1);
    assert_eq!(write(20).await, 2);
}

#[tokio::test(start_paused = true)]
async fn after_a_snapshot_from_the_leader_the_state_store_is_written_anew() {
    let mut world = World::new();
    world.snapshot_entries = 100;
    world.retain_bytes = 1;
    world.found(3).await;
    let leader = world.leader().await;
    let node = 1 + leader % 3;
    fill(&world, leader, 50).await;
    world.kill(node).await;
    propose(&world, leader, vec![Action::Flush { database: None, audit: Box::new(audit()) }]).await;
    for _ in 0..300 {
        world.increment(leader, "n").await;
    }
    let replica = world.replica(leader).clone();
    until("the log is purged", || replica.status().purged > 100).await;
    world.start(node).await;
    world.agree().await;
    assert!(metric(&world, node, |metrics| metrics.snapshots_installed.get()) > 0);
    let index = fill(&world, leader, 3).await;
    kept(&mut world, node, index).await;
    restart(&mut world, node).await;
    assert_eq!(discarded(&world, node), 0, "no row of the state before the snapshot is left");
    assert!(applied(&world, node) < 100, "{}", applied(&world, node));
}

#[tokio::test(start_paused = true)]
async fn under_load_the_state_store_lags_and_then_catches_up() {
    let mut world = World::founded(1).await;
    kept(&mut world, 1, 1).await;
    let many = |from: u64| {
        let pair = |number: u64| (key(&number.to_string()), b"v".as_slice().into());
        Action::SetMany { pairs: (from..from + 1000).map(pair).collect(), if_none_exist: false }
    };
    // More than are written in a second, and then more than are kept track of.
    for (count, rebuilds) in [(10, 0), (TOUCHED_ROWS_MAX as u64 / 1000 + 2, 1)] {
        let before = world.replica(1).metrics();
        let (put_off, rebuilt) = (before.state_writes_put_off.get(), before.state_rebuilds.get());
        let mut index = 0;
        for number in 0..count {
            index = propose(&world, 1, vec![many(1000 * number)]).await;
        }
        kept(&mut world, 1, index).await;
        assert!(before.state_writes_put_off.get() > put_off, "{count} thousand keys");
        assert_eq!(before.state_rebuilds.get() - rebuilt, rebuilds, "{count} thousand keys");
    }
    let keys = world.replica(1).local().key_count();
    world.kill(1).await;
    world.start(1).await;
    assert_eq!((discarded(&world, 1), world.replica(1).local().key_count()), (0, keys));
}

/// The state of a store with one value changed, as rows and digest that fit each other.
fn falsified(world: &mut World, id: u64) -> (store::Changes, Stored) {
    let store = world.store(id);
    let mut decoder = StateDecoder::new();
    for value in wire::TABLES.iter().flat_map(|table| store.values(table)) {
        decoder.push(&value).expect("a row");
    }
    let (mut image, _) = decoder.finish().expect("all rows");
    image.keys[0].1.value = (*b"false").into();
    let digest = State::from_image(image.clone(), Digest(0)).expect_err("it has another digest").computed;
    let mut changes = store::Changes::default();
    for row in wire::encode_changes(&Changes::from(image), digest) {
        changes.put(row.table, row.key, row.value.expect("all rows are there"));
    }
    let stored = store.stored().expect("it was written");
    (changes, Stored { digest: digest.0, ..stored })
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_state_is_wrong_does_not_begin_with_it_again() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    let node = 1 + leader % 3;
    let index = fill(&world, leader, 10).await;
    kept(&mut world, node, index).await;
    world.kill(node).await;
    let (changes, stored) = falsified(&mut world, node);
    world.store(node).tamper(&changes, stored);
    world.start(node).await;
    assert_eq!(discarded(&world, node), 0, "nothing in it shows that it is wrong");
    world.increment(leader, "n").await;
    let replica = world.replica(node).clone();
    until("a checkpoint shows it", || replica.status().out_of_service).await;
    let store = world.store(node);
    until("the state store is empty", || store.stored().is_none()).await;
    restart(&mut world, node).await;
}

/// Audit records of some size, and the index of the last.
async fn act(world: &World, at: u64, count: usize) -> u64 {
    let text = |name: &str| format!("{name} {}", "x".repeat(100));
    let one = Audit { actor: text("ops"), subject: text("bot 7"), ..audit() };
    let mut index = 0;
    for part in vec![Action::Audit(Box::new(one)); count].chunks(500) {
        index = propose(world, at, part.to_vec()).await;
    }
    index
}

fn file(number: u64) -> String {
    format!("history/{number:012}.hist")
}

/// The files that the state of a node names are on its disk, whole, and their records give the chain.
fn check_history(world: &World, id: u64) {
    let history = History::open(world.disks[&id].mount()).expect("a directory");
    let mut chain = 0;
    for sealed in world.replica(id).local().sealed_history() {
        let file = SealedFile { number: sealed.number, records: sealed.records, chain: sealed.chain };
        let records = history.read(&file).expect("it is here and whole");
        let records: Vec<HistoryRecord> =
            records.iter().map(|record| wire::decode_history_record(record).expect("a record")).collect();
        chain = domain::history::chain(chain, &records);
        assert_eq!(chain, sealed.chain, "file {} of node {id}", sealed.number);
        assert_eq!((records[0].serial, records[records.len() - 1].serial), (sealed.first, sealed.last));
    }
}

fn written(world: &World, id: u64) -> u64 {
    metric(world, id, |metrics| metrics.history_files_written.get())
}

fn fetched(world: &World, id: u64) -> u64 {
    metric(world, id, |metrics| metrics.history_files_fetched.get())
}

#[tokio::test(start_paused = true)]
async fn sealed_history_is_the_same_bytes_on_every_node() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    act(&world, leader, 5_000).await;
    world.agree().await;
    let bytes = world.disks[&leader].bytes(&file(1)).expect("it was sealed");
    for id in 1..=3 {
        assert_eq!(world.disks[&id].bytes(&file(1)).as_ref(), Some(&bytes));
        assert_eq!(written(&world, id), 1);
        check_history(&world, id);
    }

    // A node that lost power after it applied the entry and before the file was there finds it by applying again …
    let node = 1 + leader % 3;
    let remove = |world: &World| world.disks[&node].mount().remove(&file(1)).expect("it was there");
    world.kill(node).await;
    remove(&world);
    world.forget(node);
    world.start(node).await;
    world.agree().await;
    assert_eq!((written(&world, node), fetched(&world, node)), (1, 0));
    assert_eq!(world.disks[&node].bytes(&file(1)).as_ref(), Some(&bytes));

    // … and one that begins behind the entry, from a peer.
    let index = act(&world, leader, 10).await;
    kept(&mut world, node, index).await;
    world.kill(node).await;
    remove(&world);
    world.start(node).await;
    let metrics = world.replica(node).metrics();
    until("it is fetched", || metrics.history_files_fetched.get() == 1).await;
    assert_eq!(world.disks[&node].bytes(&file(1)).as_ref(), Some(&bytes));
    until("nothing is missing", || metrics.history_files_missing.get() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_by_snapshot_fetches_the_history_and_verifies_it() {
    let mut world = World::new();
    world.snapshot_entries = 20;
    world.retain_bytes = 1;
    world.found(3).await;
    let leader = world.leader().await;
    let behind = 1 + leader % 3;
    let third = 6 - leader - behind;
    world.kill(behind).await;
    act(&world, leader, 13_000).await;
    let replica = world.replica(leader).clone();
    assert_eq!(replica.local().sealed_history().len(), 3);
    for _ in 0..100 {
        world.increment(leader, "n").await;
    }
    until("the log is purged", || replica.status().purged > 50).await;
    // The leader's second file is another one under the same name, whole and with the chain that is looked for; the
    // other's third is lost.
    let sealed = replica.local().sealed_history()[1];
    let wrong = vec![b"nothing of the kind".as_slice().into(); sealed.records as usize];
    let wrong = History::encode(2, sealed.chain, &wrong).expect("it is small");
    world.disks[&leader].overwrite(&file(2), &wrong);
    world.disks[&third].mount().remove(&file(3)).expect("it was there");

    world.isolate(third);
    world.start(behind).await;
    let metrics = world.replica(behind).metrics();
    until("it has what the leader has", || metrics.history_files_fetched.get() == 2).await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!((metrics.history_files_fetched.get(), metrics.history_files_missing.get()), (2, 1));
    assert!(
        world.disks[&behind].bytes(&file(2)).is_none(),
        "records that do not give the chain are not believed"
    );

    world.heal();
    until("it has them all", || metrics.history_files_fetched.get() == 3).await;
    world.agree().await;
    assert!(metrics.snapshots_installed.get() > 0);
    assert_eq!(metrics.history_files_written.get(), 0);
    check_history(&world, behind);
    for number in 1..=3 {
        let whole = if number == 2 { third } else { leader };
        let bytes = world.disks[&whole].bytes(&file(number));
        assert_eq!(world.disks[&behind].bytes(&file(number)), bytes, "file {number}");
    }
    // It goes on where the fetched ones end.
    act(&world, leader, 4_000).await;
    world.agree().await;
    assert_eq!(metrics.history_files_written.get(), 1);
    check_history(&world, behind);
}
