//! What the machine itself takes: one sync, and one round trip over loopback.

use std::fs::{File, OpenOptions};
use std::io::{IoSlice, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::fs::OFlags;
use rustix::io::{ReadWriteFlags, pwritev2};
use serde::Serialize;

use crate::VALUE_BYTES;
use crate::latency::Latencies;

/// Enough for a p99 that twenty of them are beyond.
const TIMES: usize = 2000;

/// What the log writes for one small entry.
const SECTOR: usize = 512;

/// Microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Costs {
    pub(crate) sync: Cost,
    pub(crate) tcp_round_trip: Cost,
}

pub(crate) fn costs(directory: &Path) -> Result<Costs> {
    Ok(Costs { sync: sync(directory)?, tcp_round_trip: tcp_round_trip()? })
}

/// The log's kind of write: one sector after the other of a file that was zeroed before, each durable on return and past
/// the page cache.
fn sync(directory: &Path) -> Result<Cost> {
    let path = directory.join("raw");
    let zeroed = File::create(&path)?;
    zeroed.write_all_at(&vec![0; TIMES * SECTOR], 0)?;
    zeroed.sync_all()?;
    let flags = OFlags::DIRECT.bits().try_into()?;
    let file = OpenOptions::new().write(true).custom_flags(flags).open(&path).context("a direct file")?;
    let room = [1; 2 * SECTOR];
    let sector = &room[room.as_ptr().align_offset(SECTOR)..][..SECTOR];
    let mut latencies = Latencies::default();
    for time in 0..TIMES {
        let started = Instant::now();
        let written = pwritev2(&file, &[IoSlice::new(sector)], (time * SECTOR) as u64, ReadWriteFlags::DSYNC);
        ensure!(written.context("a durable write")? == SECTOR, "a sector was not written whole");
        latencies.record(started.elapsed());
    }
    Ok(cost(&latencies))
}

/// As many bytes there and back as a value has, between two threads.
fn tcp_round_trip() -> Result<Cost> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (mut server, _) = listener.accept()?;
    server.set_nodelay(true)?;
    // Ends when the client closes.
    std::thread::spawn(move || {
        let mut bytes = [0; VALUE_BYTES];
        while server.read_exact(&mut bytes).and_then(|()| server.write_all(&bytes)).is_ok() {}
    });
    let mut bytes = [0; VALUE_BYTES];
    let mut latencies = Latencies::default();
    for _ in 0..TIMES {
        let started = Instant::now();
        client.write_all(&bytes)?;
        client.read_exact(&mut bytes)?;
        latencies.record(started.elapsed());
    }
    Ok(cost(&latencies))
}

fn cost(latencies: &Latencies) -> Cost {
    Cost { p50_us: latencies.micros_at(0.5), p99_us: latencies.micros_at(0.99) }
}
