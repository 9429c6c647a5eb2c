//! The handle of the log that everyone but the writer holds.

use super::options::{Crash, DiskSpace, Done, Opened, WalOptions};
use super::record::Record;
use super::segment::{Directory, Segments};
use super::window::{Found, Window, above};
use super::writer::{self, Writer};
use super::{Entry, LogId, LogState, Vote, recovery};
use crate::disk::{Disk, DiskFile, Space};
use crate::error::{During, Error, check_size};
use crate::limits;
use crate::metrics::WalMetrics;
use parking_lot::Mutex;
use planted::Bug;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// A handle of the log. Clones share it; when the last is dropped, the writer stops.
#[derive(Clone)]
pub struct Wal {
    shared: Arc<Shared>,
    queue: mpsc::UnboundedSender<Queued>,
}

/// What the handles and the writer share.
pub(super) struct Shared {
    pub(super) directory: Directory,
    pub(super) options: WalOptions,
    pub(super) entry_bytes_max: usize,
    pub(super) opened: Opened,
    pub(super) metrics: Arc<WalMetrics>,
    pub(super) queue_bytes: Arc<Semaphore>,
    pub(super) queue_appends: Arc<Semaphore>,
    pub(super) log: Mutex<Log>,
}

/// The log in memory, ahead of the disk by what is queued. Calls change it and queue their record under one lock, so
/// both see the same order.
pub(super) struct Log {
    pub(super) window: Window,
    pub(super) vote: Option<Vote>,
    pub(super) synced_term: u64,
    pub(super) committed: Option<LogId>,
    pub(super) next_ticket: u64,
    /// Open files by segment, for reading.
    pub(super) segments: BTreeMap<u64, Arc<dyn DiskFile>>,
    /// Something was queued since the last tick.
    pub(super) busy: bool,
    /// The writer could use a tick: to cover its last sync, or to prepare a segment.
    pub(super) wants_tick: bool,
}

/// One request on its way to the writer.
pub(super) struct Queued {
    pub(super) work: Work,
    pub(super) done: Option<Done>,
    /// Given back when the request is done.
    pub(super) _room: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

pub(super) enum Work {
    /// Entries with tickets that count up from this one.
    Append {
        entries: Vec<Entry>,
        first_ticket: u64,
    },
    Write(Record),
    Tick,
    Close,
}

impl Wal {
    /// Reads the log back, or makes an empty one, and returns a handle and the writer, which the caller runs.
    ///
    /// Refuses with [`Error::Corrupt`] what an interrupted write does not explain. `crash` is called when the disk
    /// fails later.
    pub fn open(disk: Arc<dyn Disk>, options: WalOptions, crash: Crash) -> Result<(Wal, Writer), Error> {
        options.check()?;
        let directory = Directory { disk, name: options.directory.clone() };
        directory
            .disk
            .open_dir(&directory.name)
            .during(|| format!("opening the directory {}", directory.name))?;
        let mut numbers = directory.numbers()?;
        let created = numbers.is_empty();
        if created {
            numbers.push(Segments::create_first(&directory, options.segment_bytes)?.number);
        }
        let found = recovery::recover(&directory, &numbers, options.window_bytes)?;
        let opened = Opened {
            created: created || found.used == 0,
            closed_cleanly: found.closed,
            cut_sectors: found.cut_sectors,
        };
        if found.cut_sectors > 0 {
            tracing::warn!(sectors = found.cut_sectors, "cut an unacknowledged write off the end of the log");
        }
        // The hint is never believed beyond the entries. It is older than whatever was written after it.
        let last = found.state.last;
        let committed =
            found.state.committed.map(|committed| last.map_or(committed, |last| committed.min(last)));
        let (queue, requests) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            // A write of one entry must fit into a segment beside its head.
            entry_bytes_max: limits::ENTRY_BYTES_MAX.min(options.segment_bytes as usize / 2),
            opened,
            metrics: Arc::new(WalMetrics::default()),
            queue_bytes: Arc::new(Semaphore::new(options.queue_bytes_max)),
            queue_appends: Arc::new(Semaphore::new(options.queue_appends_max)),
            log: Mutex::new(Log {
                window: found.window,
                vote: found.state.vote,
                synced_term: found.state.vote.map_or(0, |vote| vote.term),
                committed,
                next_ticket: 1,
                segments: BTreeMap::new(),
                busy: false,
                wants_tick: true,
            }),
            directory: directory.clone(),
            options,
        });
        let segments = Segments::new(
            directory,
            shared.options.segment_bytes,
            found.sealed,
            found.active,
            found.used,
            found.next,
        )?;
        let start = writer::Start {
            state: found.state,
            chain: found.chain,
            next_write: found.next_write,
            marked: found.marked,
        };
        let writer = Writer::start(shared.clone(), requests, segments, start, crash)?;
        Ok((Wal { shared, queue }, writer))
    }

    /// How the log was found.
    pub fn opened(&self) -> Opened {
        self.shared.opened
    }

    /// The log as its readers see it, durable or not.
    pub fn log_state(&self) -> LogState {
        let log = self.shared.log.lock();
        LogState {
            purged: log.window.purged(),
            last: log.window.last(),
            vote: log.vote,
            committed: log.committed,
        }
    }

    /// The last entry that is durable; what was purged, if none is there.
    pub fn synced(&self) -> Option<LogId> {
        self.shared.log.lock().window.synced()
    }

    /// The term of the newest durable vote; 0 if there is none.
    pub fn synced_term(&self) -> u64 {
        self.shared.log.lock().synced_term
    }

    /// The first entry that is there.
    pub fn first(&self) -> Option<LogId> {
        self.shared.log.lock().window.first()
    }

    /// The id at an index: of an entry, or of the last one purged.
    pub fn id_at(&self, index: u64) -> Option<LogId> {
        self.shared.log.lock().window.id_at(index)
    }

    /// Entries `from..to_exclusive`, at least one, and no more than `bytes_max` of payload allows.
    ///
    /// Recent ones come from memory; older ones are read, and checked, from disk. [`Error::Missing`] if one of them
    /// is not there.
    pub fn read(&self, from: u64, to_exclusive: u64, bytes_max: usize) -> Result<Vec<Entry>, Error> {
        let found = self.shared.log.lock().window.find(from, to_exclusive, bytes_max)?;
        let mut entries = Vec::with_capacity(found.len());
        let mut on_disk = Vec::new();
        for item in found {
            match item {
                Found::OnDisk { id, place } => on_disk.push((id, place)),
                Found::Here(entry) => entries.push(entry),
            }
        }
        if on_disk.is_empty() {
            return Ok(entries);
        }
        // What is on disk is older than everything in memory.
        let mut all = self.shared.read_from_disk(&on_disk)?;
        all.append(&mut entries);
        Ok(all)
    }

    /// Adds entries that follow the last one. They are readable on return and durable when `done` says so; waits only
    /// while the queue is full. On an error nothing was added, and `done` is dropped without being called.
    pub async fn append(&self, entries: Vec<Entry>, done: Done) -> Result<(), Error> {
        let mut bytes = 0;
        for entry in &entries {
            let bytes_max = self.shared.entry_bytes_max as u64;
            check_size("an entry of the log", entry.payload.len() as u64, bytes_max)?;
            bytes += entry.payload.len();
        }
        let room = self.room_for(bytes).await?;
        let mut log = self.shared.log.lock();
        log.window.check_append(&entries)?;
        self.check_running()?;
        let first_ticket = log.next_ticket;
        for entry in &entries {
            let ticket = log.next_ticket;
            log.next_ticket += 1;
            log.window.append(entry.clone(), ticket, None);
        }
        let done = if planted::is(Bug::AckBeforeSync) { early(done) } else { done };
        self.send(&mut log, Work::Append { entries, first_ticket }, Some(done), Some(room))
    }

    /// Saves a vote, durable on return. A vote of a lower term than the present one is refused.
    pub async fn save_vote(&self, vote: Vote) -> io::Result<()> {
        let durable = {
            let mut log = self.shared.log.lock();
            if let Some(present) = log.vote.filter(|present| vote.term < present.term) {
                let why = format!("a vote in term {} after one in term {}", vote.term, present.term);
                return Err(Error::OutOfOrder { why }.into());
            }
            self.check_running()?;
            log.vote = Some(vote);
            self.request(&mut log, Work::Write(Record::Vote(vote)))?
        };
        if !planted::is(Bug::VoteNotSynced) {
            durable.await?;
        }
        let mut log = self.shared.log.lock();
        log.synced_term = log.synced_term.max(vote.term);
        Ok(())
    }

    /// Notes how far the log is committed. Not durable by itself: the note goes out with the next write.
    pub fn save_committed(&self, id: LogId) {
        let mut log = self.shared.log.lock();
        log.committed = log.committed.max(Some(id));
    }

    /// Drops the entries after `id`, all for `None`; durable on return.
    pub async fn truncate_after(&self, id: Option<LogId>) -> io::Result<()> {
        let durable = {
            let mut log = self.shared.log.lock();
            if id.is_some_and(|id| log.window.id_at(id.index) != Some(id)) {
                let why = format!("truncating after {}, which is not in the log", id.unwrap_or_default());
                return Err(Error::OutOfOrder { why }.into());
            }
            self.check_running()?;
            log.window.truncate_after(id);
            self.request(&mut log, Work::Write(Record::TruncateAfter(id)))?
        };
        durable.await
    }

    /// Drops the entries up to `id`, which may lie beyond the last one: then the log is empty and goes on behind it.
    /// The purge is durable on return; segments that hold nothing else are removed soon after.
    pub async fn purge(&self, id: LogId) -> io::Result<()> {
        let durable = {
            let mut log = self.shared.log.lock();
            if !above(id.index, log.window.purged()) {
                return Ok(());
            }
            self.check_running()?;
            log.window.purge(id);
            self.request(&mut log, Work::Write(Record::PurgeUpto(id)))?
        };
        durable.await
    }

    /// To be called every 100 ms or so. When nothing was queued since the last call, the writer uses the time: it
    /// covers its last sync with a mark, after which damage before it cannot be taken for an interrupted write, and
    /// prepares the next segment.
    pub fn tick(&self) {
        let mut log = self.shared.log.lock();
        let idle = !std::mem::take(&mut log.busy);
        if idle && std::mem::take(&mut log.wants_tick) {
            // A writer that has stopped needs no ticks.
            let _ = self.queue.send(Queued { work: Work::Tick, done: None, _room: None });
        }
    }

    /// Writes everything queued and a mark that says so, then stops the writer. Later calls answer
    /// [`Error::Stopped`].
    pub async fn close(&self) -> io::Result<()> {
        let closed = self.request(&mut self.shared.log.lock(), Work::Close)?;
        closed.await
    }

    /// Payload bytes of the entries that are there.
    pub fn retained_bytes(&self) -> u64 {
        self.shared.log.lock().window.bytes()
    }

    /// Payload bytes of the entries after `index`: what a start from a state at that index reads again.
    pub fn bytes_after(&self, index: u64) -> u64 {
        self.shared.log.lock().window.bytes_after(index)
    }

    /// Up to where one may purge so that [`WalOptions::retain_bytes`] of log stay; `None` if nothing may go.
    pub fn purgeable(&self) -> Option<LogId> {
        self.shared.log.lock().window.purgeable(self.shared.options.retain_bytes)
    }

    /// Asks the disk for its room.
    pub fn disk_space(&self) -> Result<DiskSpace, Error> {
        let Space { available, total } =
            self.shared.directory.disk.space().during(|| "asking for free space".to_owned())?;
        let reserve_bytes = self.shared.options.reserve_bytes;
        Ok(DiskSpace { available_bytes: available, total_bytes: total, reserve_bytes })
    }

    /// The counters of the log.
    pub fn metrics(&self) -> Arc<WalMetrics> {
        self.shared.metrics.clone()
    }

    /// Largest payload that `append` takes.
    pub fn entry_bytes_max(&self) -> usize {
        self.shared.entry_bytes_max
    }

    async fn room_for(&self, bytes: usize) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Error> {
        let shared = &self.shared;
        // More than the whole queue at once waits for an empty one.
        let bytes = bytes.min(shared.options.queue_bytes_max) as u32;
        let one = shared.queue_appends.clone().acquire_owned().await.map_err(|_| Error::Stopped)?;
        let bytes = shared.queue_bytes.clone().acquire_many_owned(bytes).await.map_err(|_| Error::Stopped)?;
        Ok((one, bytes))
    }

    fn check_running(&self) -> Result<(), Error> {
        if self.queue.is_closed() { Err(Error::Stopped) } else { Ok(()) }
    }

    /// Queues work; what it resolves to says that it is durable.
    fn request(
        &self,
        log: &mut Log,
        work: Work,
    ) -> Result<impl Future<Output = io::Result<()>> + use<>, Error> {
        let (tell, told) = oneshot::channel();
        let done: Done = Box::new(move |result| drop(tell.send(result)));
        self.send(log, work, Some(done), None)?;
        Ok(async move { told.await.unwrap_or_else(|_| Err(Error::Stopped.into())) })
    }

    fn send(
        &self,
        log: &mut Log,
        work: Work,
        done: Option<Done>,
        room: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
    ) -> Result<(), Error> {
        log.busy = true;
        let metrics = &self.shared.metrics;
        metrics.queued.fetch_add(1, Ordering::Relaxed);
        self.queue.send(Queued { work, done, _room: room }).map_err(|_| Error::Stopped)
    }
}

/// Of [`Bug::AckBeforeSync`].
fn early(done: Done) -> Done {
    done(Ok(()));
    Box::new(drop)
}
