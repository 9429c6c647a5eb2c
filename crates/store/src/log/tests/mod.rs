//! Tests of the log as a whole, on a disk in memory. The writer runs only when a test says so.

mod behaviour;
mod damage;
mod model;

use super::{Crash, Done, Entry, LogId, Vote, Wal, WalOptions, Writer};
use crate::error::Error;
use crate::faulty_disk::FaultyDisk;
use bytes::Bytes;
use parking_lot::Mutex;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

/// A log on a faulty disk, with its writer at hand.
struct Bench {
    disk: FaultyDisk,
    wal: Wal,
    writer: Writer,
    crashes: Arc<Mutex<Vec<String>>>,
    acknowledged: Arc<Mutex<Vec<(u64, bool)>>>,
}

fn options() -> WalOptions {
    WalOptions { segment_bytes: 16 << 10, ..WalOptions::default() }
}

fn id(term: u64, index: u64) -> LogId {
    LogId { term, index }
}

fn entry(term: u64, index: u64, bytes: usize) -> Entry {
    Entry { id: id(term, index), payload: Bytes::from(vec![index as u8 ^ term as u8; bytes]) }
}

impl Bench {
    fn new() -> Bench {
        Bench::on(FaultyDisk::new(1), options()).unwrap()
    }

    fn on(disk: FaultyDisk, options: WalOptions) -> Result<Bench, Error> {
        let crashes = Arc::new(Mutex::new(Vec::new()));
        let crash: Crash = {
            let crashes = crashes.clone();
            Arc::new(move |why| crashes.lock().push(why.to_owned()))
        };
        let (wal, writer) = Wal::open(disk.mount(), options, crash)?;
        Ok(Bench { disk, wal, writer, crashes, acknowledged: Arc::default() })
    }

    /// Loses power and starts again on what is left.
    fn crash(self) -> Bench {
        self.disk.crash();
        Bench::on(self.disk, options()).unwrap()
    }

    /// Queues entries; their callback notes the last index and whether it went well.
    fn queue(&self, entries: Vec<Entry>) -> Result<(), Error> {
        let acknowledged = self.acknowledged.clone();
        let last = entries.last().map_or(0, |entry| entry.id.index);
        let done: Done = Box::new(move |result| acknowledged.lock().push((last, result.is_ok())));
        once(pin!(self.wal.append(entries, done))).expect("the queue has room")
    }

    fn append(&mut self, entries: Vec<Entry>) {
        self.queue(entries).unwrap();
        self.settle();
    }

    /// Runs the writer until nothing is queued.
    fn settle(&mut self) {
        while self.writer.turn() {}
    }

    /// Runs the writer until the call returns.
    fn run<T>(&mut self, call: impl AsyncFnOnce(Wal) -> T) -> T {
        let mut future = pin!(call(self.wal.clone()));
        loop {
            if let Some(value) = once(future.as_mut()) {
                return value;
            }
            assert!(self.writer.turn(), "the call waits for something that nobody does");
        }
    }

    fn vote(&mut self, term: u64) -> io::Result<()> {
        self.run(async |wal| wal.save_vote(Vote { term, node: 1, committed: false }).await)
    }

    fn syncs(&self) -> u64 {
        self.wal.metrics().syncs.load(Ordering::Relaxed)
    }

    /// All entries that are there.
    fn entries(&self) -> Vec<Entry> {
        let Some(first) = self.wal.first() else { return Vec::new() };
        let end = self.wal.log_state().last.unwrap().index + 1;
        self.wal.read(first.index, end, usize::MAX).unwrap()
    }
}

/// Polls once.
fn once<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}
