//! When a follower hears that entries it has are committed.
//!
//! The next entries say so along with themselves, so a message that says nothing else waits for them a little, and gives
//! way: two messages less for each write of a client that writes one after the other. It does not wait while somebody at a
//! follower does: a read, or whoever is shown what a command left behind.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use wire::peer::AppendRequest;

use crate::limits::COMMIT_NEWS_DELAY;

struct Outgoing<S> {
    requests: Pin<Box<S>>,
    /// The highest index that somebody at a follower was told to wait for.
    awaited: watch::Receiver<u64>,
    /// The commit that was sent last.
    sent: u64,
}

/// The requests, without those that only bring news of a commit which the next one brings as well. What openraft is
/// answered to the next one holds for those before it: it counts by log id.
pub(crate) fn give_way(
    requests: impl Stream<Item = AppendRequest> + Send + 'static,
    awaited: watch::Receiver<u64>,
) -> impl Stream<Item = AppendRequest> + Send + 'static {
    let outgoing = Outgoing { requests: Box::pin(requests.fuse()), awaited, sent: 0 };
    stream::unfold(outgoing, |mut outgoing| async move {
        let request = outgoing.take().await?;
        outgoing.sent = commit(&request);
        Some((request, outgoing))
    })
}

impl<S: Stream<Item = AppendRequest>> Outgoing<S> {
    async fn take(&mut self) -> Option<AppendRequest> {
        let mut request = self.requests.next().await?;
        let deadline = Instant::now() + COMMIT_NEWS_DELAY;
        while request.entries.is_empty() {
            let sent = self.sent;
            tokio::select! {
                biased;
                next = self.requests.next() => match next {
                    Some(next) => request = next,
                    None => break,
                },
                Ok(_) = self.awaited.wait_for(|index| *index > sent) => break,
                () = sleep_until(deadline) => break,
            }
        }
        Some(request)
    }
}

fn commit(request: &AppendRequest) -> u64 {
    request.committed.as_ref().map_or(0, |id| id.index)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::sync::mpsc;
    use tokio_stream::wrappers::UnboundedReceiverStream;
    use wire::peer::{LogEntry, LogId};

    use super::*;

    /// What openraft sends, where a read tells what it waits for, and what goes out.
    struct Bench {
        requests: mpsc::UnboundedSender<AppendRequest>,
        awaited: watch::Sender<u64>,
        out: Pin<Box<dyn Stream<Item = AppendRequest>>>,
    }

    impl Bench {
        fn new() -> Self {
            let (requests, received) = mpsc::unbounded_channel();
            let awaited = watch::Sender::default();
            let out = Box::pin(give_way(UnboundedReceiverStream::new(received), awaited.subscribe()));
            Self { requests, awaited, out }
        }

        fn send(&self, committed: u64, entries: usize) {
            let request = AppendRequest {
                committed: Some(LogId { index: committed, ..LogId::default() }),
                entries: vec![LogEntry::default(); entries],
                ..AppendRequest::default()
            };
            self.requests.send(request).unwrap();
        }

        /// Commit and number of entries of what goes out now, without any time passing.
        fn now(&mut self) -> Option<(u64, usize)> {
            let request = self.out.next().now_or_never()?.expect("it has not ended");
            Some((commit(&request), request.entries.len()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn news_gives_way_to_the_next_entry() {
        let mut bench = Bench::new();
        bench.send(1, 1);
        assert_eq!(bench.now(), Some((1, 1)));
        bench.send(2, 0);
        assert_eq!(bench.now(), None);
        bench.send(3, 0);
        bench.send(3, 1);
        assert_eq!(bench.now(), Some((3, 1)));
        assert_eq!(bench.now(), None, "what gave way does not come later");
    }

    #[tokio::test(start_paused = true)]
    async fn news_waits_no_longer_than_its_delay() {
        let mut bench = Bench::new();
        bench.send(2, 0);
        let begun = Instant::now();
        let request = bench.out.next().await.unwrap();
        assert_eq!((commit(&request), begun.elapsed()), (2, COMMIT_NEWS_DELAY));
    }

    #[tokio::test(start_paused = true)]
    async fn news_does_not_wait_while_a_read_does() {
        let mut bench = Bench::new();
        bench.send(5, 0);
        assert_eq!(bench.now(), None);
        bench.awaited.send_replace(5);
        assert_eq!(bench.now(), Some((5, 0)));
        bench.send(6, 0);
        assert_eq!(bench.now(), None, "nobody waits for more");
        bench.awaited.send_replace(7);
        assert_eq!(bench.now(), Some((6, 0)), "a step on the way of a read");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_news_goes_out_when_the_requests_end() {
        let mut bench = Bench::new();
        bench.send(2, 0);
        drop(std::mem::replace(&mut bench.requests, mpsc::unbounded_channel().0));
        assert_eq!(bench.now(), Some((2, 0)));
        let end = tokio::time::timeout(Duration::ZERO, bench.out.next()).await;
        assert_eq!(end, Ok(None));
    }
}
