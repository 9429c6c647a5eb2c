//! Which rows changed, for whoever keeps a copy of the state beside it.
//!
//! Not part of what the log decided: no digest covers it, an image does not carry it, and a state that nobody copies
//! keeps no track. A row that changed is looked up when it is taken, so that a key written a thousand times is one
//! row.

use std::collections::BTreeSet;
use std::mem::{replace, take};

use crate::history::HistoryRecord;
use crate::image::{Configured, TradingRecords};
use crate::limits::TOUCHED_ROWS_MAX;
use crate::once::Remembered;
use crate::orders::OrderId;
use crate::orders::table::Row;
use crate::orders::tombstone::{StrategyKey, Tombstone};
use crate::{Entry, Frozen, Image, Key, RequestId, Script, SealedHistory, Serial, Sha1, Tenure};

/// Rows by their names, `None` for one that is gone, and what has no rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// These are all rows that there are: whatever was copied before does not count any more.
    pub everything: bool,
    pub keys: Vec<(Key, Option<Entry>)>,
    pub outcomes: Vec<(RequestId, Option<Remembered>)>,
    /// By term.
    pub tenures: Vec<(u64, Option<Tenure>)>,
    /// By number; none of them ever goes.
    pub sealed: Vec<SealedHistory>,
    pub audits: Vec<(Serial, Option<HistoryRecord>)>,
    pub scripts: Vec<(Sha1, Option<Script>)>,
    /// `None`: not changed. It never goes.
    pub configured: Option<Configured>,
    /// `None`: not changed.
    pub trading: Option<TradingRecords>,
    pub orders: Vec<(OrderId, Option<Row>)>,
    pub tombstones: Vec<(StrategyKey, Option<Tombstone>)>,
    /// An image without rows.
    pub single: Image,
    /// How many rows the state has.
    pub counts: RowCounts,
}

/// What [`State::take_changes`](crate::State::take_changes) gives.
#[derive(Clone, Debug)]
pub enum TakenChanges {
    Rows(Box<Changes>),
    /// To be laid out elsewhere: there may be a million rows.
    Everything(Box<Frozen>),
}

impl From<TakenChanges> for Changes {
    fn from(taken: TakenChanges) -> Self {
        match taken {
            TakenChanges::Rows(changes) => *changes,
            TakenChanges::Everything(frozen) => frozen.image().into(),
        }
    }
}

/// How many rows of each kind a state has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    pub keys: usize,
    pub outcomes: usize,
    pub tenures: usize,
    pub sealed: usize,
    pub audits: usize,
    pub scripts: usize,
    pub orders: usize,
    pub tombstones: usize,
}

/// How much changed, told without taking it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Changes of rows noted since tracking began, repeated ones too: what grows by it in a second is the load.
    pub noted: u64,
    /// Rows that [`State::take_changes`](crate::State::take_changes) would give.
    pub rows: usize,
    /// It would give all rows, because more changed than is kept track of.
    pub everything: bool,
}

impl Changes {
    pub fn rows(&self) -> usize {
        let Self { keys, outcomes, tenures, sealed, audits, scripts, orders, tombstones, .. } = self;
        let trading = usize::from(self.configured.is_some()) + usize::from(self.trading.is_some());
        let of_trading = orders.len() + tombstones.len() + trading;
        keys.len() + outcomes.len() + tenures.len() + sealed.len() + audits.len() + scripts.len() + of_trading
    }
}

impl From<&Image> for RowCounts {
    fn from(image: &Image) -> Self {
        Self {
            keys: image.keys.len(),
            outcomes: image.outcomes.len(),
            tenures: image.tenures.len(),
            sealed: image.sealed.len(),
            audits: image.tail.len(),
            scripts: image.scripts.len(),
            orders: image.orders.len(),
            tombstones: image.tombstones.len(),
        }
    }
}

impl From<Image> for Changes {
    fn from(mut image: Image) -> Self {
        let counts = RowCounts::from(&image);
        let (keys, outcomes) = (take(&mut image.keys), take(&mut image.outcomes));
        let (tenures, sealed, tail) =
            (take(&mut image.tenures), take(&mut image.sealed), take(&mut image.tail));
        let scripts = take(&mut image.scripts);
        let (orders, tombstones) = (take(&mut image.orders), take(&mut image.tombstones));
        let (configured, trading) = (image.configured.take(), take(&mut image.trading));
        Self {
            everything: true,
            keys: keys.into_iter().map(|(key, row)| (key, Some(row))).collect(),
            outcomes: outcomes.into_iter().map(|(id, row)| (id, Some(row))).collect(),
            tenures: tenures.into_iter().map(|row| (row.term, Some(row))).collect(),
            sealed,
            audits: tail.into_iter().map(|row| (row.serial, Some(row))).collect(),
            scripts: scripts.into_iter().map(|row| (row.sha(), Some(row))).collect(),
            configured,
            trading: Some(trading),
            orders: orders.into_iter().map(|row| (row.id, Some(row))).collect(),
            tombstones: tombstones.into_iter().map(|(key, row)| (key, Some(row))).collect(),
            single: image,
            counts,
        }
    }
}

/// The rows of one table that were touched since they were last taken.
#[derive(Clone, Debug)]
pub(crate) struct Touched<K> {
    rows: Rows<K>,
    noted: u64,
}

#[derive(Clone, Debug)]
enum Rows<K> {
    /// Nobody wants to know.
    Untracked,
    Some(BTreeSet<K>),
    /// More than [`TOUCHED_ROWS_MAX`]; or nothing was copied yet.
    All,
}

impl<K> Default for Touched<K> {
    fn default() -> Self {
        Self { rows: Rows::Untracked, noted: 0 }
    }
}

impl<K: Ord + Clone> Touched<K> {
    pub(crate) fn note(&mut self, row: &K) {
        match &mut self.rows {
            Rows::Untracked => return,
            Rows::Some(rows) => {
                rows.insert(row.clone());
                if rows.len() > TOUCHED_ROWS_MAX {
                    self.rows = Rows::All;
                }
            }
            Rows::All => {}
        }
        self.noted += 1;
    }

    /// Begins to keep track; `everything`: as if all rows had just been touched.
    pub(crate) fn track(&mut self, everything: bool) {
        self.rows = if everything { Rows::All } else { Rows::Some(BTreeSet::new()) };
    }

    /// What was touched, to go on with nothing; empty if all was.
    pub(crate) fn take(&mut self) -> BTreeSet<K> {
        match replace(&mut self.rows, Rows::Some(BTreeSet::new())) {
            Rows::Some(rows) => rows,
            Rows::Untracked | Rows::All => BTreeSet::new(),
        }
    }

    pub(crate) fn add_to(&self, extent: &mut Extent) {
        extent.noted += self.noted;
        match &self.rows {
            Rows::Untracked => {}
            Rows::Some(rows) => extent.rows += rows.len(),
            Rows::All => extent.everything = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::command::Audit;
    use crate::limits::{HISTORY_RECORDS_PER_FILE, TENURES_MAX};
    use crate::{
        Action, Cause, Command, Expiry, LogTime, NodeId, Once, Position, SetCondition, Stamp, State,
    };

    /// What somebody has who applies every change that he is told of.
    #[derive(Default)]
    struct Copy {
        keys: BTreeMap<Key, Entry>,
        outcomes: BTreeMap<RequestId, Remembered>,
        tenures: BTreeMap<u64, Tenure>,
        sealed: BTreeMap<u64, SealedHistory>,
        audits: BTreeMap<Serial, HistoryRecord>,
        scripts: BTreeMap<Sha1, Script>,
    }

    fn put<K: Ord, V>(table: &mut BTreeMap<K, V>, rows: Vec<(K, Option<V>)>) {
        for (name, row) in rows {
            match row {
                Some(row) => drop(table.insert(name, row)),
                None => drop(table.remove(&name)),
            }
        }
    }

    impl Copy {
        fn follow(&mut self, state: &mut State) {
            let changes = Changes::from(state.take_changes());
            if changes.everything {
                *self = Self::default();
            }
            put(&mut self.keys, changes.keys);
            put(&mut self.outcomes, changes.outcomes);
            put(&mut self.tenures, changes.tenures);
            self.sealed.extend(changes.sealed.into_iter().map(|file| (file.number, file)));
            put(&mut self.audits, changes.audits);
            put(&mut self.scripts, changes.scripts);
            let image = Image {
                keys: self.keys.clone().into_iter().collect(),
                outcomes: self.outcomes.clone().into_iter().collect(),
                tenures: self.tenures.values().cloned().collect(),
                sealed: self.sealed.values().copied().collect(),
                tail: self.audits.values().cloned().collect(),
                scripts: self.scripts.values().cloned().collect(),
                ..changes.single
            };
            assert_eq!(RowCounts::from(&image), changes.counts);
            State::from_image(image, state.digest()).expect("the copy is the state");
        }
    }

    /// Applies commands, each an entry of its own, 10 ms after the one before.
    struct Log {
        state: State,
        index: u64,
    }

    impl Log {
        fn new(everything: bool) -> Self {
            let mut state = State::default();
            state.track_changes(everything);
            Self { state, index: 0 }
        }

        fn apply(&mut self, action: Action) {
            self.index += 1;
            let time = LogTime::from_ms(10 * self.index);
            let at = Position { index: self.index, offset: 0, term: 1, stamp: Some(Stamp { term: 1, time }) };
            let id = RequestId::Node { incarnation: 1, sequence: self.index };
            let once = Once { id, valid_until: time.plus_ms(500) };
            self.state.apply(at, Command { once: Some(once), action });
        }
    }

    fn key(number: u64) -> Key {
        Key::new((number % 3) as u8, number.to_string().into_bytes())
    }

    fn set(number: u64, expiry: Expiry) -> Action {
        let value: Arc<[u8]> = number.to_le_bytes().into();
        Action::Set { key: key(number), value, condition: SetCondition::Always, expiry, previous: false }
    }

    fn audit() -> Box<Audit> {
        let text = String::new;
        Box::new(Audit { wall_ms: 0, actor: text(), action: text(), subject: text(), reason: text() })
    }

    fn tenure(term: u64) -> Action {
        Action::RecordTenure(Box::new(Tenure {
            term,
            node: NodeId(1),
            from: None,
            cause: Cause::Start,
            detected_ms: 0,
            elected_ms: 0,
            applied_ms: 0,
            reconciled_ms: 0,
            active_ms: 0,
            wall_ms: 0,
        }))
    }

    #[test]
    fn a_copy_that_follows_the_changes_is_the_state() {
        for everything in [false, true] {
            let (mut log, mut copy) = (Log::new(everything), Copy::default());
            for step in 0..3_000_u64 {
                // Knuth's multiplier scatters the steps over keys and kinds.
                let random = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
                let number = random % 40;
                log.apply(match random % 10 {
                    0 => set(number, Expiry::Never),
                    1 => set(number, Expiry::InMs(random as i64 % 200)),
                    2 => Action::Take { key: key(number) },
                    3 => Action::Increment { key: key(1_000 + number), by: 1 },
                    4 => Action::Acquire {
                        key: key(2_000 + number),
                        holder: (*b"a").into(),
                        ttl_ms: 70,
                        take_over: true,
                    },
                    5 => Action::Flush { database: Some((random % 7) as u8), audit: audit() },
                    6 => tenure(step),
                    7 => Action::LoadScript(Script::new(number.to_le_bytes())),
                    8 if number % 8 == 0 => Action::FlushScripts,
                    _ => Action::Audit(audit()),
                });
                if random % 5 == 0 {
                    copy.follow(&mut log.state);
                }
            }
            copy.follow(&mut log.state);
        }
    }

    #[test]
    fn what_leaves_a_full_table_is_a_change() {
        let (mut log, mut copy) = (Log::new(false), Copy::default());
        for step in 1..=3 * HISTORY_RECORDS_PER_FILE as u64 / 2 {
            log.apply(Action::Audit(audit()));
            log.apply(tenure(step));
            if step % 500 == 0 {
                copy.follow(&mut log.state);
            }
        }
        copy.follow(&mut log.state);
        assert_eq!((copy.tenures.len(), copy.sealed.len()), (TENURES_MAX, 1));
        assert_eq!(copy.audits.len(), HISTORY_RECORDS_PER_FILE / 2);
    }

    #[test]
    fn beyond_the_limit_it_gives_up_and_says_so() {
        let (mut log, mut copy) = (Log::new(false), Copy::default());
        log.apply(set(1, Expiry::Never));
        copy.follow(&mut log.state);
        assert_eq!(log.state.extent().rows, 0);
        // One less: the outcome of the command above is forgotten meanwhile, which is a change as well.
        for number in 1..TOUCHED_ROWS_MAX as u64 {
            log.apply(set(number, Expiry::Never));
            assert!(!log.state.extent().everything);
        }
        let before = log.state.extent();
        log.apply(set(u64::MAX, Expiry::Never));
        let after = log.state.extent();
        assert!(after.everything && after.noted > before.noted, "{after:?}");
        copy.follow(&mut log.state);
        assert!(!log.state.extent().everything);
        log.apply(set(2, Expiry::Never));
        copy.follow(&mut log.state);
    }

    #[test]
    fn a_state_that_nobody_copies_keeps_no_track() {
        let mut log = Log { state: State::default(), index: 0 };
        log.apply(set(1, Expiry::Never));
        assert_eq!(log.state.extent(), Extent::default());
    }
}
