//! How long the machine itself held everybody up: a thread that wakes and writes one sector durably, again and again.
//!
//! Three nodes and their clients share one machine here, its processors and its disk. What a client waited is a node's
//! doing only as far as this thread, which waits for nobody, did not have to wait as well.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two beats: often enough to be in any stall that matters, seldom enough to be none.
const PAUSE: Duration = Duration::from_millis(10);

/// A beat that takes no longer than this is not worth keeping.
const STALL_MIN: Duration = Duration::from_millis(5);

/// What a beat writes.
const SECTOR: [u8; 512] = [0; 512];

pub struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    beats: Mutex<Beats>,
}

#[derive(Default)]
struct Beats {
    /// Ends and lengths of the slow ones.
    slow: Vec<(Instant, Duration)>,
    /// The beat under way was due then.
    due: Option<Instant>,
}

impl Pulse {
    /// Beats on the disk that holds the clusters' data, from now on until it is dropped.
    pub fn start() -> Result<Self> {
        let file = tempfile::tempfile().context("the pulse has no file")?;
        let shared = Arc::new(Shared::default());
        let beating = Arc::clone(&shared);
        let thread = thread::Builder::new().name("pulse".into()).spawn(move || beat(&beating, &file))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The longest stall that was under way at any time in `from..=to`.
    pub fn longest_stall(&self, from: Instant, to: Instant) -> Duration {
        let beats = self.shared.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let present = beats.due.map(|due| (Instant::now(), due.elapsed()));
        let stalls = beats.slow.iter().copied().chain(present);
        let within = stalls.filter(|(end, length)| *end >= from && *end - *length <= to);
        within.map(|(_, length)| length).max().unwrap_or_default()
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ends by a panic only when the disk fails, which the nodes say better.
            let _ = thread.join();
        }
    }
}

fn beat(shared: &Shared, file: &File) {
    let beats = || shared.beats.lock().unwrap_or_else(PoisonError::into_inner);
    while !shared.stop.load(Ordering::Relaxed) {
        let due = Instant::now() + PAUSE;
        beats().due = Some(due);
        thread::sleep(PAUSE);
        file.write_all_at(&SECTOR, 0).and_then(|()| file.sync_data()).expect("the disk takes a sector");
        let stalled = due.elapsed();
        let mut beats = beats();
        beats.due = None;
        if stalled >= STALL_MIN {
            beats.slow.push((Instant::now(), stalled));
        }
    }
}
