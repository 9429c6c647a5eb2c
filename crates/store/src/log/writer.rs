//! The one owner of the log's files: takes everything queued, writes it in one sync, then tells everyone.
//!
//! No timer: while one sync runs, the next batch gathers. After an error it never touches the files again, because
//! what they hold is then not known, and a later sync may claim what an earlier one lost.

use super::record::{Chain, Head, Record, WriteBuffer};
use super::sector::BODY_BYTES;
use super::segment::Segments;
use super::wal::{Queued, Shared, Work};
use super::window::Place;
use super::{Crash, LogId, LogState};
use crate::error::Error;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use tokio::sync::mpsc::UnboundedReceiver;

/// Where the log stands when the writer starts.
pub(super) struct Start {
    pub(super) state: LogState,
    pub(super) chain: Chain,
    pub(super) next_write: u64,
    pub(super) marked: bool,
}

/// Writes the log. Run it on a thread of its own with [`Writer::run`], or as a task of a simulation with
/// [`Writer::run_async`]; both take the same steps.
pub struct Writer {
    shared: Arc<Shared>,
    queue: UnboundedReceiver<Queued>,
    segments: Segments,
    /// The log as the records written so far make it: behind the memory by what is queued.
    state: LogState,
    chain: Chain,
    next_write: u64,
    /// The write that is being put together; empty between batches.
    pending: WriteBuffer,
    /// The last record is a mark.
    marked: bool,
    crash: Crash,
}

/// An entry that is durable once the batch is.
struct Placed {
    index: u64,
    ticket: u64,
    place: Place,
}

impl Writer {
    /// Covers what was found with a mark, so that from here on damage to it is told from an interrupted write.
    pub(super) fn start(
        shared: Arc<Shared>,
        queue: UnboundedReceiver<Queued>,
        segments: Segments,
        start: Start,
        crash: Crash,
    ) -> Result<Writer, Error> {
        let Start { state, chain, next_write, marked } = start;
        let pending = WriteBuffer::new(next_write, &chain);
        let mut writer = Writer { shared, queue, segments, state, chain, next_write, pending, marked, crash };
        for segment in writer.segments.all() {
            writer.shared.log.lock().segments.insert(segment.number, segment.file.clone());
        }
        if !writer.marked {
            writer.push(&Record::Mark { closed: false })?;
            writer.flush()?;
        }
        // Now, where nobody waits, rather than all at once after the first batch.
        writer.keep_ahead(false)?;
        writer.publish();
        Ok(writer)
    }

    /// Writes until the log is closed or all handles are gone. Blocks; for a thread outside any async runtime.
    pub fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            if self.step(first).is_break() {
                return;
            }
        }
        self.stop();
    }

    /// The same as a task. The disk is still called directly: for a disk that does not block. What a write takes in
    /// the caller's time, `pace` waits before each.
    pub async fn run_async<F: Future<Output = ()>>(mut self, mut pace: impl FnMut() -> F) {
        while let Some(first) = self.queue.recv().await {
            pace().await;
            if self.step(first).is_break() {
                return;
            }
        }
        self.stop();
    }

    /// One step if anything is queued, for tests that decide when the writer runs. False if nothing was.
    #[cfg(test)]
    pub(super) fn turn(&mut self) -> bool {
        self.queue.try_recv().is_ok_and(|first| {
            let _ = self.step(first);
            true
        })
    }

    /// All handles are gone: leave the mark of an orderly end.
    fn stop(&mut self) {
        let committed = self.shared.log.lock().committed;
        if let Err(error) = self.write(&[], committed, true) {
            // Nobody is left to be told but the process.
            let _ = self.fail(Vec::new(), &error);
        }
    }

    /// One batch: take, write, tell, tidy.
    fn step(&mut self, first: Queued) -> ControlFlow<()> {
        let mut batch = vec![first];
        let committed = {
            // Requests are queued under this lock: the hint is not older than any request it is written after, nor
            // newer than one that it is written before.
            let log = self.shared.log.lock();
            while let Ok(more) = self.queue.try_recv() {
                batch.push(more);
            }
            log.committed
        };
        let closing = batch.iter().any(|request| matches!(request.work, Work::Close));
        if let Err(error) = self.write(&batch, committed, closing) {
            return self.fail(batch, &error);
        }
        let purged = batch.iter().any(|request| matches!(request.work, Work::Write(Record::PurgeUpto(_))));
        let idle = batch.iter().all(|request| matches!(request.work, Work::Tick));
        let metrics = &self.shared.metrics;
        metrics
            .queued
            .fetch_sub(batch.iter().filter(|request| request.done.is_some()).count() as u64, Relaxed);
        for request in &mut batch {
            if let Some(done) = request.done.take() {
                done(Ok(()));
            }
        }
        if closing {
            return ControlFlow::Break(());
        }
        match self.tidy(purged, idle) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => self.fail(Vec::new(), &error),
        }
    }

    /// Makes a batch durable, in one write unless it crosses into the next segment, and tells the readers where its
    /// entries are.
    fn write(&mut self, batch: &[Queued], committed: Option<LogId>, closing: bool) -> Result<(), Error> {
        let mut placed = Vec::new();
        let mut has_records = false;
        for request in batch {
            match &request.work {
                Work::Append { entries, first_ticket } => {
                    for (entry, ticket) in entries.iter().zip(*first_ticket..) {
                        let place = self.push(&Record::Append(entry.clone()))?;
                        placed.push(Placed { index: entry.id.index, ticket, place });
                        has_records = true;
                    }
                }
                Work::Write(record) => {
                    self.push(record)?;
                    has_records = true;
                }
                Work::Tick | Work::Close => {}
            }
        }
        // The hint alone is not worth a sync.
        if (has_records || closing)
            && committed != self.state.committed
            && let Some(committed) = committed
        {
            self.push(&Record::Committed(committed))?;
        }
        let ticked = batch.iter().any(|request| matches!(request.work, Work::Tick));
        if closing || ticked && !has_records && !self.marked {
            self.push(&Record::Mark { closed: closing })?;
        }
        self.flush()?;
        self.place(placed);
        Ok(())
    }

    /// Adds a record to the present write, after making room and beginning the segment where need be.
    fn push(&mut self, record: &Record) -> Result<Place, Error> {
        if self.pending.sectors_with(record.encoded_len()) > self.segments.room() {
            self.flush()?;
            self.roll()?;
        }
        if self.segments.used() == 0 && self.pending.is_empty() {
            let head = Head {
                segment: self.segments.active().number,
                sectors: self.segments.active().sectors,
                write: self.next_write,
                chain: self.chain,
                state: self.state,
            };
            self.pending.push(&Record::SegmentHead(head), &mut self.chain);
        }
        let mut span = self.pending.push(record, &mut self.chain);
        span.start += self.segments.used() * BODY_BYTES as u64;
        self.state.apply(record);
        self.marked = matches!(record, Record::Mark { .. });
        let segment = self.segments.active_mut();
        if let Record::Append(entry) = record {
            segment.index_max = segment.index_max.max(Some(entry.id.index));
        }
        self.shared.metrics.records.fetch_add(1, Relaxed);
        Ok(Place { segment: segment.number, span })
    }

    /// The one place where the log reaches the disk.
    fn flush(&mut self) -> Result<(), Error> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let bytes = self.pending.finish();
        let now = self.shared.options.now.clone();
        let before = now.as_ref().map(|now| now());
        self.segments.write(bytes)?;
        if let (Some(now), Some(before)) = (now, before) {
            self.shared.metrics.sync_time.record(now().saturating_sub(before));
        }
        self.shared.metrics.syncs.fetch_add(1, Relaxed);
        self.shared.metrics.bytes.fetch_add(bytes.len() as u64, Relaxed);
        self.next_write += 1;
        self.pending = WriteBuffer::new(self.next_write, &self.chain);
        Ok(())
    }

    fn roll(&mut self) -> Result<(), Error> {
        if self.segments.roll()? {
            self.shared.metrics.stalls.fetch_add(1, Relaxed);
        }
        let active = self.segments.active();
        self.shared.log.lock().segments.insert(active.number, active.file.clone());
        Ok(())
    }

    fn place(&self, placed: Vec<Placed>) {
        let mut log = self.shared.log.lock();
        for Placed { index, ticket, place } in placed {
            log.window.place(index, ticket, place);
        }
        log.window.evict();
    }

    /// What need not keep a caller waiting: removes purged segments and keeps the next one ahead.
    fn tidy(&mut self, purged: bool, idle: bool) -> Result<(), Error> {
        if purged && let Some(purged) = self.state.purged {
            for number in self.segments.retire(purged.index)? {
                self.shared.log.lock().segments.remove(&number);
            }
        }
        self.keep_ahead(idle)?;
        self.publish();
        Ok(())
    }

    /// Zeroes the next segment as far as the active one is full, counted double; one step more when there is time.
    fn keep_ahead(&mut self, has_time: bool) -> Result<(), Error> {
        let mut step = has_time && !self.segments.is_ready();
        while step || self.segments.is_behind() {
            step = false;
            match self.segments.prepare_step() {
                Ok(()) => {}
                // Not yet fatal: the active segment still has room, and the layer above is told that space is low.
                Err(error @ Error::NoSpace { .. }) => {
                    self.shared.metrics.prepare_failures.fetch_add(1, Relaxed);
                    tracing::error!(%error, "the next segment of the log cannot be prepared");
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the handles what they can see of the files.
    fn publish(&self) {
        let metrics = &self.shared.metrics;
        metrics.segments.store(self.segments.count(), Relaxed);
        metrics.disk_bytes.store(self.segments.bytes(), Relaxed);
        let mut log = self.shared.log.lock();
        metrics.retained_bytes.store(log.window.bytes(), Relaxed);
        log.wants_tick = !self.marked || !self.segments.is_ready();
    }

    /// The disk has failed. Nothing more is written; everyone who waits is told, then the process ends.
    fn fail(&mut self, batch: Vec<Queued>, error: &Error) -> ControlFlow<()> {
        let cause = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
        let reason = format!("the write-ahead log cannot go on: {error}{cause}");
        let kind = match error {
            Error::NoSpace { .. } => io::ErrorKind::StorageFull,
            Error::Io { source, .. } => source.kind(),
            _ => io::ErrorKind::Other,
        };
        self.stop_taking();
        for done in batch.into_iter().filter_map(|request| request.done) {
            done(Err(io::Error::new(kind, reason.clone())));
        }
        self.refuse_the_rest();
        (self.crash)(&reason);
        ControlFlow::Break(())
    }

    fn stop_taking(&mut self) {
        self.queue.close();
        self.shared.queue_bytes.close();
        self.shared.queue_appends.close();
    }

    /// Answers what is still queued.
    fn refuse_the_rest(&mut self) {
        self.stop_taking();
        while let Ok(request) = self.queue.try_recv() {
            if let Some(done) = request.done {
                done(Err(Error::Stopped.into()));
            }
        }
    }
}

impl Drop for Writer {
    /// However the writer ends, nobody is left waiting.
    fn drop(&mut self) {
        self.refuse_the_rest();
    }
}
