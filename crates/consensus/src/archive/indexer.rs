//! What keeps the index over the history up: all files that the state names, one after the other, whenever there is one more.
//!
//! It begins when the state has caught up with the group: an index that holds a file which the state does not name is emptied,
//! and it must not be emptied for being ahead of a state that is still being read back. While it works, the orders of the files
//! that were sealed here last are kept at hand.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use domain::orders::table::Row;
use domain::{HistoryRecord, SealedHistory};
use store::{History, HistoryIndex, Placed, SealedFile};
use tokio::time::{sleep, timeout};

use super::{Archive, ArchiveError, file, orders, terms};
use crate::limits::{ARCHIVE_FILES_AT_HAND_MAX, INDEX_FINISH_TIMEOUT, INDEX_PAUSE};
use crate::reads::Reads;

/// How far the index is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// It holds the files from 1 to this one.
    pub(super) indexed: u64,
    /// Another one whenever the index may have been emptied.
    pub(super) generation: u64,
    /// Files that follow on each other, the last that were sealed here.
    at_hand: VecDeque<AtHand>,
    /// Something in it was not as it was written: it is to be made anew.
    is_doubted: bool,
}

#[derive(Debug)]
struct AtHand {
    number: u64,
    orders: Vec<Row>,
}

/// What tells all up to a file.
#[derive(Debug)]
pub(super) struct Reached {
    pub(super) generation: u64,
    /// There is something in the index.
    pub(super) is_indexed: bool,
    /// The orders that it may not have.
    pub(super) at_hand: Vec<Row>,
}

/// What became of one more file.
enum Step {
    Added,
    /// It is not here yet, or cannot be read.
    Waiting(store::Error),
    Unfit(store::Error),
}

impl Progress {
    /// What tells all of the files up to `sealed`.
    pub(super) fn reaching(&self, sealed: u64) -> Result<Reached, ArchiveError> {
        let wanted = self.indexed + 1..=sealed;
        let at_hand = self.at_hand.iter().filter(|file| wanted.contains(&file.number));
        if at_hand.clone().count() as u64 != sealed.saturating_sub(self.indexed) {
            return Err(ArchiveError::Indexing { indexed: self.indexed, sealed });
        }
        Ok(Reached {
            generation: self.generation,
            is_indexed: self.indexed > 0,
            at_hand: at_hand.flat_map(|file| file.orders.iter().cloned()).collect(),
        })
    }

    pub(super) fn at_hand(&self, number: u64) -> Option<&[Row]> {
        self.at_hand.iter().find(|file| file.number == number).map(|file| &*file.orders)
    }

    fn seal(&mut self, number: u64, orders: Vec<Row>) {
        if self.at_hand.back().is_some_and(|last| last.number + 1 != number) {
            self.at_hand.clear();
        }
        if number > self.indexed {
            self.at_hand.push_back(AtHand { number, orders });
        }
        if self.at_hand.len() > ARCHIVE_FILES_AT_HAND_MAX {
            self.at_hand.pop_front();
        }
    }

    fn indexed_to(&mut self, number: u64) {
        self.indexed = number;
        self.at_hand.retain(|file| file.number > number);
    }

    /// What is asked from now on, or is being asked, is not answered by what the index holds.
    fn begin_anew(&mut self) {
        self.indexed = 0;
        self.generation += 1;
        self.is_doubted = false;
    }
}

impl Archive {
    /// To be called in the same look at the state that sealed them: from then on they are history that must be found.
    pub(crate) fn note(&self, sealed: &[(SealedHistory, Vec<HistoryRecord>)]) {
        if sealed.is_empty() || self.index.is_none() {
            return;
        }
        let mut progress = self.progress.lock();
        for (sealed, records) in sealed {
            progress.seal(sealed.number, orders(records).collect());
        }
    }

    /// To be called when a file has come here.
    pub(crate) fn look_again(&self) {
        self.look.notify_one();
    }

    /// Of how many files, from the first on, the index tells the orders.
    pub fn indexed(&self) -> u64 {
        self.progress.lock().indexed
    }

    /// Something in the index was not as it was written.
    pub(super) fn doubt(&self, generation: u64, error: &store::Error) {
        let mut progress = self.progress.lock();
        if progress.generation == generation {
            tracing::warn!(%error, "the index over history is made anew");
            progress.begin_anew();
            progress.is_doubted = true;
            self.look.notify_one();
        }
    }

    /// Ends with the process.
    pub(crate) async fn keep_indexed(self: Arc<Self>, reads: Reads) {
        let Some(index) = self.index.clone() else { return };
        self.caught_up(&reads).await;
        let mut is_sound = true;
        loop {
            match self.begin(&index, is_sound).await {
                Ok(held) => self.follow(&index, held).await,
                Err(error) => {
                    tracing::error!(%error, "the index over history cannot be used; tried again later");
                    sleep(INDEX_PAUSE).await;
                }
            }
            is_sound = false;
        }
    }

    /// Waits until the state holds all that this node ever applied, as a read does.
    async fn caught_up(&self, reads: &Reads) {
        loop {
            let mut applied = self.shared.applied.subscribe();
            if let Ok(round) = reads.round(false).await {
                return self.shared.wait_applied(round.index).await;
            }
            // Where nothing is applied there is no leader yet, or this node is no member.
            let _ = timeout(INDEX_PAUSE, applied.changed()).await;
        }
    }

    /// Reads the index through, or empties it, and gives the files that it holds and the state names.
    async fn begin(
        &self,
        index: &Arc<dyn HistoryIndex>,
        is_sound: bool,
    ) -> Result<HashSet<SealedFile>, store::Error> {
        self.progress.lock().begin_anew();
        let sealed: Vec<SealedFile> = self.shared.state.read().sealed_history().iter().map(file).collect();
        let index = index.clone();
        let begin = move || {
            if !is_sound {
                index.rebuild()?;
            }
            let lacking: HashSet<SealedFile> = index.begin(&sealed)?.into_iter().collect();
            Ok(sealed.into_iter().filter(|file| !lacking.contains(file)).collect())
        };
        // Nobody is left to ask for anything in a dying process.
        self.shared.environment.blocking("begin index", begin).await.unwrap_or_else(|| Ok(HashSet::new()))
    }

    /// Adds one file after the other until something in the index is not as it was written.
    async fn follow(&self, index: &Arc<dyn HistoryIndex>, mut held: HashSet<SealedFile>) {
        loop {
            let (indexed, is_doubted) = {
                let progress = self.progress.lock();
                (progress.indexed, progress.is_doubted)
            };
            if is_doubted {
                return;
            }
            self.shared.metrics.history_files_unindexed.set(self.sealed_count().saturating_sub(indexed));
            let Some(next) = self.sealed(indexed + 1) else {
                self.look.notified().await;
                continue;
            };
            if !held.remove(&next) {
                match self.add(index, next).await {
                    Step::Added => {}
                    Step::Waiting(error) => {
                        tracing::debug!(number = next.number, %error, "a history file cannot be indexed yet");
                        let _ = timeout(INDEX_PAUSE, self.look.notified()).await;
                        continue;
                    }
                    Step::Unfit(error) => {
                        tracing::warn!(number = next.number, %error, "the index over history is made anew");
                        return;
                    }
                }
            }
            let mut progress = self.progress.lock();
            if !progress.is_doubted {
                progress.indexed_to(next.number);
            }
        }
    }

    fn sealed_count(&self) -> u64 {
        self.shared.state.read().sealed_history().len() as u64
    }

    async fn add(&self, index: &Arc<dyn HistoryIndex>, next: SealedFile) -> Step {
        let (index, files) = (index.clone(), self.files.clone());
        let add = move || match files.read(&next) {
            Err(error) => Step::Waiting(error),
            Ok(records) => match placed(next.number, &records) {
                Err(error) => Step::Waiting(error),
                Ok(placed) => index.add(&next, &placed).map_or_else(Step::Unfit, |()| Step::Added),
            },
        };
        let stopping = || Step::Waiting(store::Error::Stopped);
        self.shared.environment.blocking("index history", add).await.unwrap_or_else(stopping)
    }

    /// For an orderly stop: what is not made durable is indexed anew.
    pub(crate) async fn finish(&self) {
        let Some(index) = self.index.clone() else { return };
        let flush = self.shared.environment.blocking("flush index", move || index.flush());
        match timeout(INDEX_FINISH_TIMEOUT, flush).await {
            Ok(Some(Err(error))) => tracing::warn!(%error, "the index over history was not flushed"),
            Ok(_) => {}
            Err(_) => tracing::warn!(limit = ?INDEX_FINISH_TIMEOUT, "the index over history was too slow"),
        }
    }
}

/// The orders in a file, and where they are.
fn placed(number: u64, records: &[Bytes]) -> Result<Vec<Placed>, store::Error> {
    let orders = terms::orders(number, records)?;
    let placed = History::places(number, records).zip(&orders);
    Ok(placed
        .filter_map(|(place, order)| Some(Placed { indexed: terms::describe(order.as_ref()?), place }))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(progress: &Progress) -> Vec<u64> {
        progress.at_hand.iter().map(|file| file.number).collect()
    }

    #[test]
    fn what_is_not_indexed_must_be_at_hand() {
        let mut progress = Progress::default();
        assert!(progress.reaching(0).is_ok());
        assert_eq!(progress.reaching(1).unwrap_err(), ArchiveError::Indexing { indexed: 0, sealed: 1 });
        for number in 1..=3 {
            progress.seal(number, Vec::new());
        }
        assert!(progress.reaching(3).is_ok() && progress.reaching(1).is_ok());
        assert!(progress.reaching(4).is_err());
        progress.indexed_to(2);
        assert_eq!(numbers(&progress), [3]);
        assert!(progress.reaching(3).is_ok() && progress.reaching(1).is_ok());
        // After a restart the log seals again what is long in a file.
        progress.seal(4, Vec::new());
        progress.indexed_to(9);
        progress.seal(5, Vec::new());
        assert_eq!(numbers(&progress), [] as [u64; 0]);
        // A snapshot went past what was sealed here.
        progress.seal(10, Vec::new());
        progress.seal(20, Vec::new());
        assert_eq!(numbers(&progress), [20]);
        assert!(progress.reaching(20).is_err());
    }

    #[test]
    fn only_so_many_files_are_at_hand() {
        let mut progress = Progress::default();
        let most = ARCHIVE_FILES_AT_HAND_MAX as u64;
        (1..=most).for_each(|number| progress.seal(number, Vec::new()));
        assert!(progress.reaching(most).is_ok());
        progress.seal(most + 1, Vec::new());
        assert!(progress.reaching(most + 1).is_err());
        progress.indexed_to(1);
        assert!(progress.reaching(most + 1).is_ok());
    }

    #[test]
    fn what_was_asked_before_the_index_was_emptied_is_told_from_what_comes_after() {
        let mut progress = Progress::default();
        progress.indexed_to(7);
        let before = progress.reaching(7).unwrap().generation;
        progress.begin_anew();
        assert!(progress.reaching(7).is_err());
        progress.indexed_to(7);
        assert_ne!(progress.reaching(7).unwrap().generation, before);
    }
}
