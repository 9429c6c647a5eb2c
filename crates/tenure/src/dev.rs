//! A whole cluster on this machine, and a simulated exchange beside it: a newcomer's first minute, and every test's.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use wire::v1;

use crate::client::Client;
use crate::config::Door;
use crate::venue_sim;
use crate::world::say;

/// A process that died is started again after this long, as systemd would with `RestartSec=2`.
const RESTART_AFTER: Duration = Duration::from_secs(2);

/// How long the group may take to have an active leader.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// How long a node may take to drain, and the exchange to end.
const STOP_WITHIN: Duration = Duration::from_secs(20);

#[derive(Args, Debug)]
pub struct Dev {
    /// How many nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=7))]
    nodes: u16,
    /// Node 1 listens on BASE_PORT+101 and following, node 2 on BASE_PORT+201 …, the exchange on BASE_PORT+900 and +901.
    #[arg(long, default_value_t = 7000, value_parser = clap::value_parser!(u16).range(1024..=64000))]
    base_port: u16,
    /// Keep the data here. Default: a temporary directory, removed at the end.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Keep the temporary directory.
    #[arg(long)]
    keep: bool,
    /// Leave what dies dead.
    #[arg(long)]
    no_restart: bool,
    /// Settings for every node's file, as TOML (`raft.snapshot_entries = 100`).
    #[arg(long, hide = true)]
    set: Vec<String>,
}

/// A node, or the exchange.
struct Process {
    name: String,
    arguments: Vec<OsString>,
    log: PathBuf,
    child: Option<Child>,
    died: Option<Instant>,
}

pub fn run(args: &Dev) -> Result<()> {
    let temporary = match &args.data {
        Some(data) => {
            std::fs::create_dir_all(data).with_context(|| format!("--data {data:?} cannot be made"))?;
            None
        }
        None => Some(tempfile::Builder::new().prefix("tenure-dev-").tempdir()?),
    };
    let data = match (&args.data, &temporary) {
        (Some(data), _) => data.clone(),
        (None, Some(temporary)) => temporary.path().to_owned(),
        (None, None) => unreachable!("one of them was just made"),
    };
    check_ports(args)?;
    // One thread: a child ends with the thread that started it, and this one lives as long as the process.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(supervise(args, &data));
    if let Some(temporary) = temporary {
        if args.keep {
            eprintln!("data kept in {}", temporary.keep().display());
        } else if result.is_err() {
            eprintln!("data kept in {}, with the logs of the nodes", temporary.keep().display());
        }
    }
    result
}

fn port(base: u16, id: u16, door: Door) -> u16 {
    let offset = match door {
        Door::Api => 1,
        Door::Peer => 2,
        Door::Sentinel => 69,
        Door::Redis => 79,
        Door::Http => 80,
    };
    base + 100 * id + offset
}

/// Where the exchange listens: for its clients, and for its operator.
fn exchange_addresses(base: u16) -> [String; 2] {
    [900, 901].map(|offset| format!("127.0.0.1:{}", base + offset))
}

/// A taken port is told at once and by its number, rather than by a process that will not start.
fn check_ports(args: &Dev) -> Result<()> {
    let of_nodes = (1..=args.nodes).flat_map(|id| Door::ALL.map(|door| (id, door))).map(|(id, door)| {
        let port = port(args.base_port, id, door);
        (format!("127.0.0.1:{port}"), format!("node {id}, {}", door.name()))
    });
    let of_exchange = exchange_addresses(args.base_port).map(|address| (address, "the exchange".into()));
    for (address, whose) in of_nodes.chain(of_exchange) {
        if TcpListener::bind(&address).is_err() {
            bail!(
                "{address} ({whose}) is taken; is another `tenure dev` running? Try --base-port {}",
                if args.base_port < 50_000 { args.base_port + 1000 } else { 7000 }
            );
        }
    }
    Ok(())
}

async fn supervise(args: &Dev, data: &Path) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let nodes = (1..=args.nodes).map(|id| prepare(args, data, id));
    let mut processes = nodes.chain([Ok(exchange(args, data))]).collect::<Result<Vec<_>>>()?;
    for process in &mut processes {
        process.start()?;
    }
    announce(args, data);
    let client = Client::new(endpoints(args))?;
    let mut ready = std::pin::pin!(get_ready(&client, args.base_port));
    let mut is_ready = false;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            leader = &mut ready, if !is_ready => {
                is_ready = true;
                say(&format!("ready: node {} leads and is active", leader?));
            }
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                for process in &mut processes {
                    process.watch(args.no_restart)?;
                }
            }
        }
    }
    stop(&mut processes).await
}

/// The gRPC addresses of the nodes.
fn endpoints(args: &Dev) -> Vec<String> {
    (1..=args.nodes).map(|id| format!("127.0.0.1:{}", port(args.base_port, id, Door::Api))).collect()
}

/// Founds the group if it is new, then waits for an active leader, and for the exchange.
async fn get_ready(client: &Client, base_port: u16) -> Result<u64> {
    let deadline = Instant::now() + READY_WITHIN;
    let [exchange, _] = exchange_addresses(base_port);
    loop {
        let answers = client.statuses(Duration::from_millis(500)).await;
        let statuses: Vec<&v1::StatusResponse> =
            answers.iter().filter_map(|(_, status)| status.as_ref().ok()).collect();
        let leader = statuses.iter().find_map(|status| status.proven_active);
        if let Some(leader) = leader
            && TcpStream::connect(&exchange).await.is_ok()
        {
            return Ok(leader);
        }
        let fresh = |status: &&v1::StatusResponse| {
            status.header.as_ref().is_some_and(|header| header.cluster_id.is_empty())
        };
        if statuses.len() == answers.len() && statuses.iter().all(fresh) {
            client.init(&statuses).await?;
        }
        if Instant::now() > deadline {
            let missing = if leader.is_some() { "exchange" } else { "active leader" };
            bail!("no {missing} within {READY_WITHIN:?}; see the logs");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn prepare(args: &Dev, data: &Path, id: u16) -> Result<Process> {
    let directory = data.join(format!("node{id}"));
    std::fs::create_dir_all(&directory)?;
    let address =
        |door: Door| format!("{} = \"127.0.0.1:{}\"\n", door.name(), port(args.base_port, id, door));
    let mut settings: toml::Table = toml::from_str(&format!(
        "[node]\nid = {id}\ndata = {directory:?}\n[listen]\n{}[redis]\nallow_flush = true\n[log]\n\
         segment = \"16MiB\"\nreserve = \"64MiB\"\n",
        Door::ALL.map(address).concat(),
    ))?;
    for set in &args.set {
        let more: toml::Table = toml::from_str(set).with_context(|| format!("--set {set:?} is not TOML"))?;
        merge(&mut settings, more);
    }
    let file = data.join(format!("node{id}.toml"));
    std::fs::write(&file, toml::to_string(&settings)?)?;
    let arguments = vec!["node".into(), "--config".into(), file.into_os_string()];
    Ok(Process::new(format!("node {id}"), arguments, data.join(format!("node{id}.log"))))
}

fn exchange(args: &Dev, data: &Path) -> Process {
    let [listen, control] = exchange_addresses(args.base_port);
    let arguments = ["venue-sim", "--listen", &listen, "--control", &control].map(OsString::from);
    Process::new("the exchange".into(), arguments.to_vec(), data.join("exchange.log"))
}

fn merge(into: &mut toml::Table, more: toml::Table) {
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(more)) => merge(into, more),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn announce(args: &Dev, data: &Path) {
    say(&format!("data and logs in {}", data.display()));
    for id in 1..=args.nodes {
        let at = |door| port(args.base_port, id, door);
        say(&format!(
            "node {id}: redis 127.0.0.1:{}  sentinel 127.0.0.1:{}  grpc 127.0.0.1:{}  http http://127.0.0.1:{}",
            at(Door::Redis),
            at(Door::Sentinel),
            at(Door::Api),
            at(Door::Http)
        ));
    }
    let [listen, control] = exchange_addresses(args.base_port);
    for line in venue_sim::announcement(&listen, &control) {
        say(&line);
    }
    let flags = match args.base_port {
        7000 => String::new(),
        _ => format!(" --endpoints {}", endpoints(args).join(",")),
    };
    say("try:");
    say(&format!("  redis-cli -p {} SET leader bot-1 NX PX 10000", port(args.base_port, 1, Door::Redis)));
    say(&format!("  tenure lease acquire desk --holder bot-1 --ttl 10s{flags}"));
    say(&format!("  tenure config schema | tenure config apply - --reason \"first desk\"{flags}"));
    say(&format!("  tenure status{flags}"));
}

async fn stop(processes: &mut [Process]) -> Result<()> {
    // The leader last, so that leadership moves at most once, would need to ask who leads; each drains by itself.
    for process in processes.iter().rev() {
        process.signal(rustix::process::Signal::TERM);
    }
    let deadline = Instant::now() + STOP_WITHIN;
    while processes.iter_mut().any(|process| process.is_running()) {
        if Instant::now() > deadline {
            for process in processes.iter() {
                process.signal(rustix::process::Signal::KILL);
            }
            bail!("a process did not stop within {STOP_WITHIN:?} and was killed");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

impl Process {
    fn new(name: String, arguments: Vec<OsString>, log: PathBuf) -> Process {
        Process { name, arguments, log, child: None, died: None }
    }

    fn start(&mut self) -> Result<()> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log)?;
        let child = Command::new(std::env::current_exe()?)
            .args(&self.arguments)
            .arg("--end-with")
            .arg(std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} cannot be started", self.name))?;
        self.child = Some(child);
        self.died = None;
        Ok(())
    }

    fn watch(&mut self, no_restart: bool) -> Result<()> {
        if let Some(child) = &mut self.child
            && let Some(status) = child.try_wait()?
        {
            let how = match status.signal() {
                Some(signal) => format!("signal {signal}"),
                None => format!("exit code {}", status.code().unwrap_or_default()),
            };
            eprintln!("{} ended ({how}); its log: {}", self.name, self.log.display());
            self.child = None;
            self.died = Some(Instant::now());
        }
        let due = self.died.is_some_and(|died| died.elapsed() >= RESTART_AFTER);
        if due && !no_restart {
            eprintln!("{} is started again", self.name);
            self.start()?;
        }
        Ok(())
    }

    fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = self
            .child
            .as_ref()
            .and_then(|child| rustix::process::Pid::from_raw(i32::try_from(child.id()).ok()?));
        if let Some(pid) = pid {
            // It may have just ended.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}
