//! The real world, handed to the crates below: clocks, chance, sockets, threads, and the way to die.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consensus::Environment;
use consensus::environment::{BoxFuture, Clock, Connect, Random, Socket, Spawn};
use futures_util::{Stream, StreamExt};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};

/// A test that needs days of log time names a file here, from which the nodes read by how many milliseconds their stopwatches are
/// ahead. Off loopback a node refuses to start with it: every lease would end early.
pub const TEST_STOPWATCH: &str = "TENURE_TEST_STOPWATCH";

const TEST_STOPWATCH_LOOK: Duration = Duration::from_millis(50);

/// What [`TEST_STOPWATCH`] said, in nanoseconds. It only grows.
static TEST_AHEAD_NS: AtomicU64 = AtomicU64::new(0);

/// Both clocks of this machine.
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic_ns(&self) -> u64 {
        let now = clock_gettime(ClockId::MonotonicRaw);
        let part = |part: i64| u64::try_from(part).expect("the monotonic clock counts from boot");
        part(now.tv_sec) * 1_000_000_000 + part(now.tv_nsec) + TEST_AHEAD_NS.load(Ordering::Relaxed)
    }

    fn wall_ns(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}

/// Reads, from now on, by how much the stopwatch is to be ahead.
pub fn follow_test_stopwatch(file: PathBuf) -> io::Result<()> {
    tracing::error!(?file, "a test drives the clock of the log: leases end before their time");
    let follow = move || {
        loop {
            let ms = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse::<u64>().ok());
            TEST_AHEAD_NS.fetch_max(ms.unwrap_or(0).saturating_mul(1_000_000), Ordering::Relaxed);
            std::thread::sleep(TEST_STOPWATCH_LOOK);
        }
    };
    std::thread::Builder::new().name("test stopwatch".into()).spawn(follow).map(drop)
}

/// Returns when this process is asked to end.
pub async fn wait_for_signal() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Prints a line now, also into a pipe.
pub fn say(line: &str) {
    let mut out = io::stdout().lock();
    // Nobody may be reading any more; whoever says it goes on.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Milliseconds since 1970 by the wall clock.
pub fn wall_ms() -> i64 {
    SystemClock.wall_ms()
}

/// What this thread has had of a processor. A script is held to it: on a machine that does other things it loses nothing.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

struct SystemRandom;

impl Random for SystemRandom {
    fn u64(&self) -> u64 {
        rand::random()
    }
}

/// TCP with TCP_NODELAY: a vote must not wait for a full segment.
struct Tcp;

impl Connect for Tcp {
    fn connect(&self, address: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>> {
        Box::pin(async move {
            let socket = TcpStream::connect(address).await?;
            socket.set_nodelay(true)?;
            Ok(Box::new(socket) as Box<dyn Socket>)
        })
    }
}

/// Tasks on one runtime, and threads of their own for what blocks.
struct Threads(Handle);

impl Spawn for Threads {
    fn task(&self, _name: &'static str, task: BoxFuture<'static, ()>) {
        self.0.spawn(task);
    }

    fn blocking(&self, _name: &'static str, work: Box<dyn FnOnce() + Send>) {
        self.0.spawn_blocking(work);
    }

    fn log_writer(&self, writer: store::Writer) {
        let thread = std::thread::Builder::new().name("log writer".into());
        thread.spawn(move || writer.run()).expect("a thread can be made at start");
    }
}

/// The environment of a node that runs on `runtime`.
pub fn environment(runtime: Handle) -> Environment {
    Environment {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        connect: Arc::new(Tcp),
        spawn: Arc::new(Threads(runtime)),
        crash: Arc::new(crash),
    }
}

/// Ends the process at once. A supervisor starts it again, and it recovers from its disk.
pub fn crash(reason: &str) {
    tracing::error!(reason, "this node cannot go on");
    eprintln!("tenure: this node cannot go on: {reason}");
    std::process::abort();
}

/// From now on this process ends when its parent does, however that ends; `parent` is who started it.
pub fn end_with_parent(parent: u32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // It may have ended before the call above.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if now == Some(parent) {
        Ok(())
    } else {
        Err(io::Error::other("the process that started this one is gone"))
    }
}

/// A panic in any task ends the process, also in builds that unwind: a node that lost a task is worse than none.
pub fn abort_on_panic() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        std::process::abort();
    }));
}

/// Connections as they are accepted. An error of one connection, or of too many open files, is passed over after
/// a pause: it must not end the listener.
pub fn accept(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> + Send + Unpin {
    let accepted = futures_util::stream::unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    if socket.set_nodelay(true).is_ok() {
                        return Some((Ok(socket), listener));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    });
    Box::pin(accepted)
}

/// As [`accept`], without the type of the socket.
pub fn accept_any(listener: TcpListener) -> impl Stream<Item = io::Result<Box<dyn Socket>>> + Send + Unpin {
    accept(listener).map(|socket| socket.map(|socket| Box::new(socket) as Box<dyn Socket>))
}
