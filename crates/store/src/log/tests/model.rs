//! The log against a model: random calls, and power that goes at random points.
//!
//! Every change is one step of a history. After a crash the log must be exactly as it was after some step, and no
//! earlier than the last one that was acknowledged.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::pin::Pin;

#[derive(Clone, Debug)]
enum Call {
    Append {
        sizes: Vec<usize>,
    },
    Vote,
    /// Truncate after the committed entry and so many more.
    Truncate {
        keep: u64,
    },
    /// Purge up to so many entries above the purged one; may lie beyond the last.
    Purge {
        ahead: u64,
    },
    Commit {
        ahead: u64,
    },
    Tick,
    Write,
    /// Power goes at once, or the process dies during a later change of the disk, alone or with the machine.
    Crash,
    DieIn {
        operations: u64,
        alone: bool,
    },
    Kill,
    Close,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        8 => proptest::collection::vec(0usize..2_500, 1..6).prop_map(|sizes| Call::Append { sizes }),
        2 => Just(Call::Vote),
        2 => (0u64..6).prop_map(|keep| Call::Truncate { keep }),
        3 => (1u64..30).prop_map(|ahead| Call::Purge { ahead }),
        3 => (0u64..10).prop_map(|ahead| Call::Commit { ahead }),
        2 => Just(Call::Tick),
        8 => Just(Call::Write),
        1 => Just(Call::Crash),
        4 => (0u64..12, any::<bool>()).prop_map(|(operations, alone)| Call::DieIn { operations, alone }),
        1 => Just(Call::Kill),
        1 => Just(Call::Close),
    ]
}

/// The log after one step.
#[derive(Clone, Debug, Default, PartialEq)]
struct Step {
    purged: Option<LogId>,
    vote: Option<Vote>,
    entries: BTreeMap<u64, Entry>,
}

impl Step {
    fn last(&self) -> Option<LogId> {
        self.entries.last_key_value().map(|(_, entry)| entry.id).or(self.purged)
    }

    fn of(bench: &Bench) -> Step {
        let state = bench.wal.log_state();
        let entries: BTreeMap<u64, Entry> =
            bench.entries().into_iter().map(|entry| (entry.id.index, entry)).collect();
        let step = Step { purged: state.purged, vote: state.vote, entries };
        assert_eq!(step.last(), state.last);
        step
    }
}

type Waiting = Pin<Box<dyn Future<Output = io::Result<()>>>>;

struct Model {
    bench: Option<Bench>,
    disk: FaultyDisk,
    /// The first step is the log as it was opened; the last one is what readers see.
    steps: Vec<Step>,
    /// Steps up to this one are acknowledged.
    acknowledged: Arc<Mutex<usize>>,
    waiting: Vec<(usize, Waiting)>,
    committed: Option<LogId>,
    term: u64,
    fill: u8,
    dies_alone: bool,
}

impl Model {
    fn new(seed: u64) -> Model {
        let disk = FaultyDisk::new(seed);
        Model {
            bench: Some(Bench::on(disk.clone(), model_options()).unwrap()),
            disk,
            steps: vec![Step::default()],
            acknowledged: Arc::default(),
            waiting: Vec::new(),
            committed: None,
            term: 1,
            fill: 0,
            dies_alone: false,
        }
    }

    fn now(&self) -> Step {
        self.steps.last().unwrap().clone()
    }

    fn bench(&mut self) -> &mut Bench {
        self.bench.as_mut().unwrap()
    }

    fn wait(&mut self, future: Waiting) {
        self.waiting.push((self.steps.len() - 1, future));
        self.collect();
    }

    /// Notes which calls have returned.
    fn collect(&mut self) {
        let acknowledged = self.acknowledged.clone();
        self.waiting.retain_mut(|(step, future)| match once(future.as_mut()) {
            None => true,
            Some(result) => {
                if result.is_ok() {
                    let mut acknowledged = acknowledged.lock();
                    *acknowledged = (*acknowledged).max(*step);
                }
                false
            }
        });
    }

    fn call(&mut self, call: &Call) {
        let mut step = self.now();
        let last = step.last().map_or(0, |id| id.index);
        let wal = self.bench().wal.clone();
        match call {
            Call::Append { sizes } => {
                let mut entries = Vec::new();
                for (size, index) in sizes.iter().zip(last + 1..) {
                    self.fill = self.fill.wrapping_add(1);
                    let payload = vec![self.fill; *size].into();
                    let entry = Entry { id: id(self.term, index), payload };
                    step.entries.insert(index, entry.clone());
                    self.steps.push(step.clone());
                    entries.push(entry);
                }
                let (acknowledged, at) = (self.acknowledged.clone(), self.steps.len() - 1);
                let done: Done = Box::new(move |result| {
                    if result.is_ok() {
                        let mut acknowledged = acknowledged.lock();
                        assert!(*acknowledged <= at, "acknowledged out of order");
                        *acknowledged = at;
                    }
                });
                let _ = once(pin!(wal.append(entries, done))).expect("the queue has room");
            }
            Call::Vote => {
                self.term += 1;
                let vote = Vote { term: self.term, node: 1, committed: self.term.is_multiple_of(2) };
                step.vote = Some(vote);
                self.steps.push(step);
                self.wait(Box::pin(async move { wal.save_vote(vote).await }));
            }
            Call::Truncate { keep } => {
                let floor = self.committed.max(step.purged).map_or(0, |id| id.index);
                let after = (floor + keep).min(last);
                step.entries.retain(|index, _| *index <= after);
                let to = step.last();
                self.steps.push(step);
                self.wait(Box::pin(async move { wal.truncate_after(to).await }));
            }
            Call::Purge { ahead } => {
                let index = step.purged.map_or(0, |id| id.index) + ahead;
                let to = step.entries.get(&index).map_or(id(self.term, index), |entry| entry.id);
                if step.last().is_some_and(|last| last.index < index && last.term > to.term) {
                    return;
                }
                step.entries.retain(|index, _| *index > to.index);
                step.purged = Some(to);
                self.committed = self.committed.max(Some(to));
                self.steps.push(step);
                self.wait(Box::pin(async move { wal.purge(to).await }));
            }
            Call::Commit { ahead } => {
                let index = self.committed.map_or(0, |id| id.index) + ahead;
                if let Some(entry) = step.entries.get(&index) {
                    self.committed = self.committed.max(Some(entry.id));
                    wal.save_committed(entry.id);
                }
            }
            Call::Tick => wal.tick(),
            Call::Write => {
                self.bench().settle();
                self.collect();
            }
            Call::Crash => self.restart(FaultyDisk::crash),
            Call::DieIn { operations, alone } => {
                self.dies_alone = *alone;
                self.disk.lose_power_in(*operations);
            }
            Call::Kill => self.restart(FaultyDisk::kill),
            Call::Close => {
                let wal = wal.clone();
                self.wait(Box::pin(async move { wal.close().await }));
                self.bench().settle();
                self.collect();
                self.restart(FaultyDisk::crash);
            }
        }
        if self.disk.has_lost_power() || !self.bench().crashes.lock().is_empty() {
            self.restart(if self.dies_alone { FaultyDisk::kill } else { FaultyDisk::crash });
        }
        // What readers see is always the newest.
        assert_eq!(Step::of(self.bench()), self.now());
    }

    /// Ends the process one way or another, starts it again, and compares.
    fn restart(&mut self, end: impl FnOnce(&FaultyDisk)) {
        self.collect();
        self.waiting.clear();
        end(&self.disk);
        drop(self.bench.take());
        let bench = Bench::on(self.disk.clone(), model_options()).expect("power loss is not damage");
        let found = Step::of(&bench);
        let acknowledged = *self.acknowledged.lock();
        let at = (acknowledged..self.steps.len())
            .find(|at| self.steps[*at] == found)
            .unwrap_or_else(|| panic!("found {found:?}, acknowledged {:?}", self.steps[acknowledged]));
        let committed = bench.wal.log_state().committed;
        assert!(
            committed <= self.committed && committed.map(|id| id.index) <= found.last().map(|id| id.index)
        );
        if let Some(committed) = committed.filter(|id| found.entries.contains_key(&id.index)) {
            assert_eq!(
                bench.wal.id_at(committed.index),
                Some(committed),
                "the hint names an entry that is there"
            );
        }
        self.steps = vec![self.steps[at].clone()];
        *self.acknowledged.lock() = 0;
        self.committed = committed;
        self.bench = Some(bench);
    }
}

fn model_options() -> WalOptions {
    // Most reads go to disk.
    WalOptions { window_bytes: 3_000, ..options() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn what_was_acknowledged_is_found_and_nothing_else(
        seed in any::<u64>(),
        calls in proptest::collection::vec(call(), 1..120),
    ) {
        let mut model = Model::new(seed);
        for call in &calls {
            model.call(call);
        }
        model.restart(FaultyDisk::crash);
    }
}
