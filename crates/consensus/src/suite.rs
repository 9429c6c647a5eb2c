//! openraft's own suite of what a log store and a state machine must do, on ours.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::NodeId;
use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use store::{FaultyDisk, Snapshots, Wal, WalOptions};

use crate::environment::{BoxFuture, Clock, Connect, Environment, Random, Socket, Spawn};
use crate::log_store::LogStore;
use crate::machine::Machine;
use crate::options::{Options, Timeouts};
use crate::sealed::Sealed;
use crate::shared::Shared;
use crate::types::{Contact, TypeConfig};

struct World(AtomicU64);

impl Clock for World {
    fn monotonic_ns(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn wall_ns(&self) -> i64 {
        0
    }
}

impl Random for World {
    fn u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Connect for World {
    fn connect(&self, _address: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}

impl Spawn for World {
    fn task(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn blocking(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }

    fn log_writer(&self, writer: store::Writer) {
        tokio::spawn(writer.run_async(async || ()));
    }
}

struct Builder;

impl StoreBuilder<TypeConfig, LogStore, Machine> for Builder {
    async fn build(&self) -> Result<((), LogStore, Machine), StorageError<TypeConfig>> {
        let world = Arc::new(World(AtomicU64::new(1)));
        let environment = Environment {
            clock: world.clone(),
            random: world.clone(),
            connect: world.clone(),
            spawn: world,
            crash: Arc::new(|why| panic!("{why}")),
        };
        let disk = FaultyDisk::new(1).mount();
        let options = WalOptions { segment_bytes: 64 * 1024, ..WalOptions::default() };
        let (wal, writer) = Wal::open(disk.clone(), options, environment.crash.clone()).expect("a log");
        environment.spawn.log_writer(writer);
        let snapshots = Arc::new(Snapshots::open(disk.clone()).expect("a place for snapshots"));
        let options = Options {
            timeouts: Timeouts::from_ms(50, 200, 400),
            snapshot_entries: 1000,
            snapshot_bytes: 64 * 1024 * 1024,
            version: String::new(),
            pid: 0,
        };
        let shared = Shared::new(NodeId(0), Contact::default(), None, options, environment);
        let sealed = Sealed::open(shared.clone(), disk, None).expect("a place for history");
        Ok(((), LogStore::new(wal), Machine::new(shared, snapshots, sealed)))
    }
}

#[tokio::test]
async fn the_storage_suite_of_openraft_passes() {
    let all = Suite::<TypeConfig, LogStore, Machine, Builder, ()>::test_all(Builder);
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("in time").expect("the suite passes");
}
