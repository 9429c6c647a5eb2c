//! What each call promises.

use super::*;
use crate::faulty_disk::Operation;
use crate::limits::ZERO_STEP_BYTES;
use crate::real_disk::RealDisk;
use tokio::sync::oneshot;

#[test]
fn everything_queued_goes_out_in_one_sync_and_is_acknowledged_in_order() {
    let mut bench = Bench::new();
    for index in 1..=5 {
        bench.queue(vec![entry(1, index, 100)]).unwrap();
    }
    let mut vote = pin!(bench.wal.save_vote(Vote { term: 2, node: 3, committed: true }));
    assert!(once(vote.as_mut()).is_none(), "not durable yet");
    assert_eq!(bench.wal.read(1, 6, usize::MAX).unwrap().len(), 5, "readable before they are durable");
    let before = bench.syncs();
    assert!(bench.writer.turn());
    assert_eq!(bench.syncs(), before + 1);
    assert!(once(vote).unwrap().is_ok());
    assert_eq!(*bench.acknowledged.lock(), [(1, true), (2, true), (3, true), (4, true), (5, true)]);
    assert!(!bench.writer.turn());
}

#[test]
fn a_callback_comes_only_after_the_sync_that_covers_it() {
    let mut bench = Bench::new();
    let seen_at_sync = Arc::new(Mutex::new(Vec::new()));
    let (seen, acknowledged) = (seen_at_sync.clone(), bench.acknowledged.clone());
    bench.disk.on_operation(move |operation| {
        if operation == Operation::WriteDurable {
            seen.lock().push(acknowledged.lock().len());
        }
    });
    bench.append(vec![entry(1, 1, 10)]);
    assert_eq!(seen_at_sync.lock().first(), Some(&0));
    let bench = bench.crash();
    assert_eq!(bench.entries(), [entry(1, 1, 10)]);
}

#[test]
fn a_vote_is_durable_before_it_returns_and_never_goes_back() {
    let mut bench = Bench::new();
    bench.vote(5).unwrap();
    assert_eq!(bench.vote(4).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let unfinished = bench.wal.clone();
    assert!(once(pin!(unfinished.save_vote(Vote { term: 6, node: 1, committed: false }))).is_none());
    assert_eq!(bench.wal.synced_term(), 5);
    let bench = bench.crash();
    assert_eq!(bench.wal.synced_term(), 5);
    assert_eq!(bench.wal.log_state().vote, Some(Vote { term: 5, node: 1, committed: false }));
}

#[test]
fn the_commit_hint_rides_with_the_next_sync_and_costs_none() {
    let mut bench = Bench::new();
    bench.append(vec![entry(1, 1, 10), entry(1, 2, 10)]);
    let before = bench.syncs();
    bench.wal.save_committed(id(1, 2));
    bench.settle();
    assert_eq!((bench.syncs(), bench.wal.log_state().committed), (before, Some(id(1, 2))));
    bench.append(vec![entry(1, 3, 10)]);
    assert_eq!(bench.syncs(), before + 1);
    assert_eq!(bench.crash().wal.log_state().committed, Some(id(1, 2)));
}

#[test]
fn what_is_synced_is_told_apart_from_what_is_there() {
    let mut bench = Bench::new();
    assert_eq!(bench.wal.synced(), None);
    bench.append(vec![entry(1, 1, 10), entry(1, 2, 10)]);
    bench.queue(vec![entry(1, 3, 10)]).unwrap();
    assert_eq!((bench.wal.synced(), bench.wal.log_state().last), (Some(id(1, 2)), Some(id(1, 3))));
    bench.settle();
    assert_eq!(bench.wal.synced(), Some(id(1, 3)));
    // An entry that replaces a synced one is not synced yet.
    bench.run(async |wal| wal.truncate_after(Some(id(1, 2))).await).unwrap();
    bench.queue(vec![entry(2, 3, 10)]).unwrap();
    assert_eq!(bench.wal.synced(), Some(id(1, 2)));
    let mut bench = bench.crash();
    assert_eq!(bench.wal.synced(), Some(id(1, 2)));
    bench.run(async |wal| wal.purge(id(3, 9)).await).unwrap();
    assert_eq!(bench.wal.synced(), Some(id(3, 9)));
}

#[test]
fn truncation_is_durable_and_exclusive() {
    let mut bench = Bench::new();
    bench.append((1..=5).map(|index| entry(1, index, 10)).collect());
    bench.run(async |wal| wal.truncate_after(Some(id(1, 3))).await).unwrap();
    bench.append(vec![entry(2, 4, 20)]);
    let refused = bench.run(async |wal| wal.truncate_after(Some(id(1, 4))).await);
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput, "that entry is not in the log");
    let mut bench = bench.crash();
    let expected = [entry(1, 1, 10), entry(1, 2, 10), entry(1, 3, 10), entry(2, 4, 20)];
    assert_eq!(bench.entries(), expected);
    bench.run(async |wal| wal.truncate_after(None).await).unwrap();
    let bench = bench.crash();
    assert_eq!((bench.entries(), bench.wal.log_state().last), (vec![], None));
}

#[test]
fn an_entry_that_was_replaced_while_it_was_queued_is_read_as_the_new_one() {
    let mut bench = Bench::on(FaultyDisk::new(1), WalOptions { window_bytes: 0, ..options() }).unwrap();
    bench.queue(vec![entry(1, 1, 10), entry(1, 2, 10)]).unwrap();
    let wal = bench.wal.clone();
    let mut truncated = pin!(wal.truncate_after(Some(id(1, 1))));
    assert!(once(truncated.as_mut()).is_none());
    bench.queue(vec![entry(2, 2, 30)]).unwrap();
    bench.settle();
    assert!(once(truncated).unwrap().is_ok());
    assert_eq!(bench.entries(), [entry(1, 1, 10), entry(2, 2, 30)]);
}

#[test]
fn what_is_queued_during_a_sync_waits_for_the_next_one() {
    let options = WalOptions { window_bytes: 0, ..options() };
    let mut bench = Bench::on(FaultyDisk::new(1), options.clone()).unwrap();
    for index in 1..=40 {
        bench.append(vec![entry(1, index, 900)]);
    }
    assert!(bench.wal.metrics().segments.load(Ordering::Relaxed) >= 3);
    bench.queue(vec![entry(1, 41, 10), entry(1, 42, 10)]).unwrap();
    // While that is written: entry 42 is replaced, and everything before 40 is purged.
    let (wal, queued) = (bench.wal.clone(), Arc::new(Mutex::new(false)));
    bench.disk.on_operation(move |operation| {
        if operation == Operation::WriteDurable && !std::mem::replace(&mut *queued.lock(), true) {
            assert!(once(pin!(wal.truncate_after(Some(id(1, 41))))).is_none());
            once(pin!(wal.append(vec![entry(2, 42, 30)], Box::new(|_| ())))).unwrap().unwrap();
            assert!(once(pin!(wal.purge(id(1, 39)))).is_none());
            wal.save_committed(id(2, 42));
        }
    });
    assert!(bench.writer.turn());
    assert_eq!(bench.entries(), [entry(1, 40, 900), entry(1, 41, 10), entry(2, 42, 30)]);
    // Power goes before the next sync: none of it has happened, and nothing that it needs is gone.
    let before = bench.disk.fork(3);
    before.crash();
    let found = Bench::on(before, options.clone()).unwrap();
    assert_eq!((found.entries().len(), found.wal.log_state().committed), (42, None));
    assert_eq!(found.wal.id_at(42), Some(id(1, 42)));
    bench.settle();
    bench.disk.crash();
    let found = Bench::on(bench.disk, options).unwrap();
    assert_eq!(found.entries(), [entry(1, 40, 900), entry(1, 41, 10), entry(2, 42, 30)]);
    assert_eq!(found.wal.log_state().committed, Some(id(2, 42)));
}

#[test]
fn a_purge_beyond_the_end_empties_the_log_which_goes_on_behind_it() {
    let mut bench = Bench::new();
    bench.append((1..=3).map(|index| entry(1, index, 10)).collect());
    bench.run(async |wal| wal.purge(id(4, 100)).await).unwrap();
    let empty = bench.wal.log_state();
    assert_eq!((empty.purged, empty.last, bench.wal.first()), (Some(id(4, 100)), Some(id(4, 100)), None));
    assert!(matches!(bench.queue(vec![entry(4, 100, 1)]), Err(Error::OutOfOrder { .. })));
    bench.append(vec![entry(4, 101, 10)]);
    let bench = bench.crash();
    assert_eq!(bench.entries(), [entry(4, 101, 10)]);
    assert_eq!(bench.wal.id_at(100), Some(id(4, 100)));
    assert!(matches!(bench.wal.read(100, 102, 10), Err(Error::Missing { index: 100 })));
}

#[test]
fn gaps_overlaps_falling_terms_and_large_entries_are_refused_and_change_nothing() {
    let mut bench = Bench::new();
    bench.append(vec![entry(2, 7, 10)]);
    let large = bench.wal.entry_bytes_max() + 1;
    for wrong in [entry(2, 9, 1), entry(2, 7, 1), entry(1, 8, 1)] {
        assert!(matches!(bench.queue(vec![wrong]), Err(Error::OutOfOrder { .. })));
    }
    assert!(matches!(bench.queue(vec![entry(2, 8, large)]), Err(Error::TooLarge { .. })));
    bench.append(vec![entry(2, 8, large - 1)]);
    assert_eq!(bench.crash().entries(), [entry(2, 7, 10), entry(2, 8, large - 1)]);
}

#[test]
fn old_entries_are_read_from_disk_within_the_limit_of_bytes() {
    let options = WalOptions { window_bytes: 2_000, ..options() };
    let mut bench = Bench::on(FaultyDisk::new(1), options.clone()).unwrap();
    let all: Vec<Entry> = (1..=60).map(|index| entry(1, index, 900)).collect();
    for one in &all {
        bench.append(vec![one.clone()]);
    }
    let check = |bench: &Bench| {
        assert_eq!(bench.entries(), all);
        assert_eq!(bench.wal.read(3, 60, 2_000).unwrap(), all[2..4]);
        assert_eq!(bench.wal.read(3, 60, 1).unwrap(), all[2..3], "at least one");
        assert_eq!(bench.wal.read(5, 5, 1).unwrap(), []);
        assert!(matches!(bench.wal.read(60, 62, usize::MAX), Err(Error::Missing { index: 61 })));
    };
    check(&bench);
    bench.disk.crash();
    check(&Bench::on(bench.disk, options).unwrap());
}

#[test]
fn an_append_waits_while_the_queue_is_full() {
    let options = WalOptions { queue_appends_max: 2, ..options() };
    let mut bench = Bench::on(FaultyDisk::new(1), options).unwrap();
    bench.queue(vec![entry(1, 1, 10)]).unwrap();
    bench.queue(vec![entry(1, 2, 10)]).unwrap();
    let wal = bench.wal.clone();
    let mut third = pin!(wal.append(vec![entry(1, 3, 10)], Box::new(|_| ())));
    assert!(once(third.as_mut()).is_none());
    bench.settle();
    once(third).unwrap().unwrap();
}

#[test]
fn purged_segments_are_recycled_and_the_disk_does_not_grow() {
    let mut bench = Bench::new();
    for index in 1..=400 {
        bench.append(vec![entry(1, index, 500)]);
        if index % 10 == 0 {
            bench.run(async |wal| wal.purge(id(1, index - 5)).await).unwrap();
        }
    }
    let metrics = bench.wal.metrics();
    assert!(metrics.segments.load(Ordering::Relaxed) <= 2);
    assert!(metrics.disk_bytes.load(Ordering::Relaxed) <= 4 * options().segment_bytes);
    assert!(bench.disk.names().len() <= 4, "{:?}", bench.disk.names());
    assert_eq!(metrics.stalls.load(Ordering::Relaxed), 0);
    let expected: Vec<Entry> = (396..=400).map(|index| entry(1, index, 500)).collect();
    assert_eq!(bench.crash().entries(), expected);
}

#[test]
fn the_next_segment_is_zeroed_in_small_steps_ahead_of_need() {
    let segment_bytes = 4 * ZERO_STEP_BYTES;
    let mut bench = Bench::on(FaultyDisk::new(1), WalOptions { segment_bytes, ..options() }).unwrap();
    for index in 1..=100 {
        let before = bench.disk.operations().durable_writes;
        bench.append(vec![entry(1, index, 20_000)]);
        // The write itself, at most one step of zeroing, and a second write where it crosses into the next segment.
        assert!(bench.disk.operations().durable_writes - before <= 3);
    }
    assert_eq!(bench.wal.metrics().stalls.load(Ordering::Relaxed), 0);
    // With time at hand the rest is done one step a tick.
    for _ in 0..10 {
        bench.wal.tick();
        bench.settle();
    }
    let before = bench.disk.operations();
    bench.wal.tick();
    bench.settle();
    assert_eq!(bench.disk.operations(), before, "an idle log does nothing");
}

#[test]
fn a_tick_marks_the_log_once_when_it_is_idle() {
    let mut bench = Bench::new();
    bench.append(vec![entry(1, 1, 10)]);
    bench.wal.tick();
    assert!(!bench.writer.turn(), "something was queued since the last tick");
    let before = bench.syncs();
    for _ in 0..3 {
        bench.wal.tick();
        bench.settle();
    }
    assert_eq!(bench.syncs(), before + 1);
}

#[test]
fn closing_writes_what_is_queued_and_a_clean_mark() {
    let mut bench = Bench::new();
    assert!(bench.wal.opened().created);
    bench.queue(vec![entry(1, 1, 10)]).unwrap();
    bench.wal.save_committed(id(1, 1));
    bench.run(async |wal| wal.close().await).unwrap();
    assert_eq!(*bench.acknowledged.lock(), [(1, true)]);
    drop(bench.writer);
    let late = bench.wal.append(vec![entry(1, 2, 10)], Box::new(|_| ()));
    assert!(matches!(once(pin!(late)).unwrap(), Err(Error::Stopped)));
    bench.disk.crash();
    let bench = Bench::on(bench.disk, options()).unwrap();
    let opened = bench.wal.opened();
    assert_eq!((opened.created, opened.closed_cleanly, opened.cut_sectors), (false, true, 0));
    assert_eq!(bench.wal.log_state().committed, Some(id(1, 1)));
    assert!(!bench.crash().wal.opened().created);
}

#[test]
fn a_failed_sync_acknowledges_nothing_ends_the_process_and_is_never_repeated() {
    for fail_write in [false, true] {
        let mut bench = Bench::new();
        bench.append(vec![entry(1, 1, 10)]);
        if fail_write {
            bench.disk.fail_write_in(0)
        } else {
            bench.disk.fail_sync_in(0)
        }
        bench.queue(vec![entry(1, 2, 10)]).unwrap();
        bench.queue(vec![entry(1, 3, 10)]).unwrap();
        bench.settle();
        assert_eq!(*bench.acknowledged.lock(), [(1, true), (2, false), (3, false)]);
        assert_eq!(bench.crashes.lock().len(), 1);
        let before = bench.disk.operations();
        assert_eq!(bench.vote(9).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert!(matches!(bench.queue(vec![entry(1, 4, 10)]), Err(Error::Stopped)));
        bench.wal.tick();
        bench.settle();
        assert_eq!(bench.disk.operations(), before);
        let entries = bench.crash().entries();
        assert!(entries == [entry(1, 1, 10)] || entries.len() == 3, "whole writes only: {entries:?}");
    }
}

#[test]
fn without_space_the_active_segment_is_still_filled() {
    let disk = FaultyDisk::new(1);
    let mut bench = Bench::on(disk.clone(), options()).unwrap();
    disk.set_capacity(options().segment_bytes + 1_000);
    assert!(bench.wal.disk_space().unwrap().is_low());
    let mut index = 0;
    while bench.crashes.lock().is_empty() {
        index += 1;
        bench.append(vec![entry(1, index, 700)]);
    }
    assert!(index > 15, "most of the segment was used: {index}");
    assert!(bench.wal.metrics().prepare_failures.load(Ordering::Relaxed) > 0);
    let (failed, acknowledged) =
        bench.acknowledged.lock().split_last().map(|(f, a)| (*f, a.to_vec())).unwrap();
    assert!(!failed.1 && acknowledged.iter().all(|(_, ok)| *ok));
    assert!(bench.crashes.lock()[0].contains("no space left"), "{:?}", bench.crashes.lock());
    disk.set_capacity(u64::MAX);
    assert_eq!(bench.crash().entries().len() as u64, index - 1);
}

#[test]
fn a_purge_leaves_the_bytes_that_are_to_be_retained() {
    let options = WalOptions { retain_bytes: 250, ..options() };
    let mut bench = Bench::on(FaultyDisk::new(1), options).unwrap();
    assert_eq!(bench.wal.purgeable(), None);
    bench.append((1..=5).map(|index| entry(1, index, 100)).collect());
    assert_eq!((bench.wal.retained_bytes(), bench.wal.purgeable()), (500, Some(id(1, 2))));
    bench.run(async |wal| wal.purge(id(1, 2)).await).unwrap();
    assert_eq!((bench.wal.retained_bytes(), bench.wal.purgeable()), (300, None));
    let after = |index| bench.wal.bytes_after(index);
    assert_eq!([after(0), after(2), after(3), after(5), after(9)], [300, 300, 200, 0, 0]);
}

#[test]
fn a_thread_and_a_real_disk() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let all: Vec<Entry> = (1..=200).map(|index| entry(1, index, 300)).collect();
    for round in 0..2 {
        let disk = Arc::new(RealDisk::open(directory.path()).unwrap());
        let started = std::time::Instant::now();
        let options = WalOptions { now: Some(Arc::new(move || started.elapsed())), ..options() };
        let (wal, writer) = Wal::open(disk, options, Arc::new(|why| panic!("{why}"))).unwrap();
        let thread = std::thread::spawn(|| writer.run());
        if round == 0 {
            runtime.block_on(async {
                let (tell, told) = oneshot::channel();
                let mut tell = Some(tell);
                for one in &all {
                    let tell = if one == &all[199] { tell.take() } else { None };
                    let done: Done = Box::new(move |result| {
                        result.unwrap();
                        tell.map(|tell| tell.send(()));
                    });
                    wal.append(vec![one.clone()], done).await.unwrap();
                }
                told.await.unwrap();
                wal.save_vote(Vote { term: 1, node: 2, committed: true }).await.unwrap();
            });
            let counted: u64 =
                wal.metrics().sync_time.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum();
            assert!((1..=202).contains(&counted));
        } else {
            assert_eq!(wal.read(1, 201, usize::MAX).unwrap(), all);
            assert_eq!(wal.log_state().vote, Some(Vote { term: 1, node: 2, committed: true }));
            assert!(wal.opened().closed_cleanly);
        }
        // The last handle goes, and the writer with it.
        drop(wal);
        thread.join().unwrap();
    }
}

#[test]
fn a_task_takes_the_same_steps_and_leaves_nobody_waiting() {
    let Bench { disk, wal, writer, .. } = Bench::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let task = tokio::spawn(writer.run_async(async || ()));
        let (tell, told) = oneshot::channel();
        let done: Done = Box::new(move |result| {
            let _ = tell.send(result.is_ok());
        });
        wal.append(vec![entry(1, 1, 10)], done).await.unwrap();
        wal.save_vote(Vote { term: 2, node: 1, committed: false }).await.unwrap();
        assert!(told.await.unwrap());
        let (closed, late) = (wal.close(), wal.purge(id(1, 1)));
        closed.await.unwrap();
        task.await.unwrap();
        assert_eq!(late.await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
    disk.crash();
    let bench = Bench::on(disk, options()).unwrap();
    assert!(bench.wal.opened().closed_cleanly);
    assert_eq!(bench.entries(), [entry(1, 1, 10)]);
}
