//! What happened in the log, until whoever hands it out on this node has taken it.
//!
//! The watch of the state ([`crate::Watch`]) says that something was applied, and forgets what; it costs nothing to come late.
//! A message that was published leaves nothing behind that could be looked at, so that it waits here, in the order of the
//! log, from the same place in the machine. What was lost is said, never passed over.

use domain::Event;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::limits::JOURNAL_BYTES_MAX;

/// What [`Replica::hear`](crate::Replica::hear) gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Something is missing before these: a snapshot took the place of entries, nobody listened for too long, or this
    /// node's state is wrong.
    pub lost: bool,
    /// The indices of entries and what happened in them, in the order of the log.
    pub entries: Vec<(u64, Vec<Event>)>,
}

#[derive(Default)]
pub(crate) struct Journal {
    kept: Mutex<Kept>,
    arrived: Notify,
}

#[derive(Default)]
struct Kept {
    heard: Heard,
    bytes: usize,
}

impl Journal {
    pub(crate) fn put(&self, index: u64, events: Vec<Event>) {
        if events.is_empty() {
            return;
        }
        let mut kept = self.kept.lock();
        kept.bytes += events.iter().map(Event::bytes).sum::<usize>();
        if kept.bytes > JOURNAL_BYTES_MAX {
            *kept = Kept { heard: Heard { lost: true, entries: Vec::new() }, bytes: 0 };
        } else {
            kept.heard.entries.push((index, events));
        }
        drop(kept);
        self.arrived.notify_one();
    }

    /// From here on something is missing.
    pub(crate) fn lose(&self) {
        *self.kept.lock() = Kept { heard: Heard { lost: true, entries: Vec::new() }, bytes: 0 };
        self.arrived.notify_one();
    }

    /// Waits until there is something, and takes it. Whoever gives up waiting has taken nothing.
    pub(crate) async fn take(&self) -> Heard {
        loop {
            let heard = std::mem::take(&mut *self.kept.lock()).heard;
            if heard != Heard::default() {
                return heard;
            }
            self.arrived.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::Published;
    use futures_util::FutureExt;

    use super::*;

    fn message(length: usize) -> Vec<Event> {
        let message = vec![0; length].into();
        vec![Event::Published(Published { channel: (*b"c").into(), message, sharded: false })]
    }

    fn taken(journal: &Journal) -> Option<(bool, Vec<u64>)> {
        let heard = journal.take().now_or_never()?;
        Some((heard.lost, heard.entries.into_iter().map(|(index, _)| index).collect()))
    }

    #[test]
    fn it_gives_everything_once_and_in_order() {
        let journal = Journal::default();
        assert_eq!(taken(&journal), None);
        journal.put(3, message(1));
        journal.put(4, Vec::new());
        journal.put(5, message(1));
        assert_eq!(taken(&journal), Some((false, vec![3, 5])));
        assert_eq!(taken(&journal), None);
        journal.put(6, message(1));
        assert_eq!(taken(&journal), Some((false, vec![6])));
    }

    #[test]
    fn what_is_too_much_is_lost_and_said_so_and_what_comes_after_is_told() {
        let journal = Journal::default();
        let each = 64 * 1024;
        let fit = JOURNAL_BYTES_MAX / (each + 128);
        for index in 0..=2 * fit as u64 {
            journal.put(index, message(each));
        }
        let (lost, entries) = taken(&journal).unwrap();
        assert!(lost && entries.len() <= fit, "{lost}, {}", entries.len());
        assert_eq!(entries.last(), Some(&(2 * fit as u64)));
        journal.put(1, message(1));
        journal.lose();
        journal.put(2, message(1));
        assert_eq!(taken(&journal), Some((true, vec![2])));
        journal.put(3, message(1));
        assert_eq!(taken(&journal), Some((false, vec![3])));
    }
}
