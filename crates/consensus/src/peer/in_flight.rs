//! Which answers of a stream of entries openraft may see.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use wire::peer::{AppendRequest, LogId};

/// The requests of one stream that were not answered yet, oldest first, by the log id where each ends.
///
/// openraft takes an acknowledgement for the answer to every request in flight that ends at its log id, and dates it
/// by the last of them. A request without entries, which carries a newer commit index, ends where the one before it
/// ended: an old answer that was held up in the network would then prove leadership at a moment when nobody was asked.
/// So of requests that end alike only the answer to the last is shown; it comes behind on the same stream. The cost: where
/// a round trip takes longer than a sync, an entry may wait for one more of them.
///
/// Whoever shows an answer lets openraft have it before another request is sent: both happen on Raft's one thread.
#[derive(Clone, Default)]
pub(super) struct InFlight(Arc<Mutex<VecDeque<Option<LogId>>>>);

impl InFlight {
    pub(super) fn sent(&self, request: &AppendRequest) {
        let last = request.entries.last().map_or(request.previous, |entry| entry.id);
        self.0.lock().push_back(last);
    }

    /// Takes the answered request off. Whether no other in flight ends alike: then its answer may be shown.
    pub(super) fn answered(&self) -> bool {
        let mut requests = self.0.lock();
        let answered = requests.pop_front();
        answered.is_some() && answered.as_ref() != requests.front()
    }
}

#[cfg(test)]
mod tests {
    use wire::peer::LogEntry;

    use super::*;

    fn id(index: u64) -> Option<LogId> {
        Some(LogId { term: 1, index })
    }

    fn request(previous: u64, last: u64) -> AppendRequest {
        let entry = |index| LogEntry { id: id(index), ..LogEntry::default() };
        let entries = (previous + 1..=last).map(entry).collect();
        AppendRequest { previous: id(previous), entries, ..AppendRequest::default() }
    }

    #[test]
    fn of_requests_that_end_alike_only_the_last_is_shown() {
        let in_flight = InFlight::default();
        for (previous, last) in [(1, 5), (5, 5), (5, 5), (5, 9), (9, 9)] {
            in_flight.sent(&request(previous, last));
        }
        let shown: Vec<bool> = (0..5).map(|_| in_flight.answered()).collect();
        assert_eq!(shown, [false, false, true, false, true]);
    }

    #[test]
    fn an_answer_that_came_before_the_next_request_left_is_shown() {
        let in_flight = InFlight::default();
        for _ in 0..2 {
            in_flight.sent(&request(5, 5));
            assert!(in_flight.answered());
        }
    }

    #[test]
    fn an_answer_to_nothing_is_not_shown() {
        let in_flight = InFlight::default();
        assert!(!in_flight.answered());
        in_flight.sent(&AppendRequest::default());
        assert!(in_flight.answered(), "a log that is still empty");
    }
}
