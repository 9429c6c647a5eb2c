//! What a user types.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::command::config::Config;
use crate::command::switch::{BreakerCommand, KillSwitchCommand, ModeCommand};
use crate::dev::Dev;
use crate::doctor::Doctor;
use crate::exec::{Exec, Guard};
use crate::output::Format;
use crate::venue_sim::VenueSim;

pub mod order;

/// Decides which trading process may act, and keeps that decision through failure.
#[derive(Parser, Debug)]
#[command(name = "tenure", version, max_term_width = 100)]
pub struct Args {
    /// gRPC addresses of any nodes. Default: the three of `tenure dev`.
    #[arg(
        long,
        global = true,
        env = "TENURE_ENDPOINTS",
        value_delimiter = ',',
        default_values = ["127.0.0.1:7101", "127.0.0.1:7201", "127.0.0.1:7301"]
    )]
    pub endpoints: Vec<String>,
    /// How to print.
    #[arg(short, long, global = true, env = "TENURE_OUTPUT", default_value = "table")]
    pub output: Format,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// A whole cluster on this machine, to try things with.
    Dev(Dev),
    /// One node, in the foreground.
    Node {
        #[arg(long, env = "TENURE_CONFIG")]
        config: PathBuf,
        /// End when this process ends.
        #[arg(long, hide = true)]
        end_with: Option<u32>,
    },
    /// Found the cluster, once, from the nodes at the endpoints.
    Init,
    /// The members of the group.
    #[command(subcommand)]
    Member(Member),
    /// The cluster now, from whatever lives.
    Status,
    /// Every change of leadership, with its phases.
    History {
        /// How far back.
        #[arg(long, value_parser = humantime::parse_duration, default_value = "365d")]
        since: Duration,
    },
    /// Who leads, and handing that over.
    #[command(subcommand)]
    Leader(Leader),
    /// Empty a node for maintenance: it hands leadership over and takes none.
    Drain {
        node: u64,
        /// End the draining.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        why: Why,
    },
    /// Leases: at most one holder at a time, with a fencing token that only grows.
    #[command(subcommand)]
    Lease(Lease),
    /// Orders: recorded before they reach an exchange, and known until the world agrees on what became of them.
    #[command(subcommand)]
    Order(order::Order),
    /// The inner half of `lease exec`.
    #[command(hide = true)]
    LeaseGuard(Guard),
    /// One question, one answer, for monitors. Exit code: 0 ok, 1 warning, 2 critical, 3 unknown.
    #[command(subcommand)]
    Check(Check),
    /// Who may trade: venues, accounts, strategies and limits of the desk. And a node's own file.
    #[command(subcommand)]
    Config(Config),
    /// Stop all orders, or those of something, and let them go on.
    #[command(subcommand)]
    KillSwitch(KillSwitchCommand),
    /// How much trading is allowed.
    #[command(subcommand)]
    Mode(ModeCommand),
    /// Whether orders go to a venue.
    #[command(subcommand)]
    Breaker(BreakerCommand),
    /// Moving from a Redis.
    #[command(subcommand)]
    Redis(Redis),
    /// A simulated exchange that speaks the wire format of Binance Spot.
    VenueSim(VenueSim),
    /// Load with honest latency.
    #[command(subcommand)]
    Bench(Bench),
    /// Completions for a shell.
    Completion { shell: clap_complete::Shell },
}

/// Kept in the audit history.
#[derive(clap::Args, Debug, Clone)]
pub struct Why {
    #[arg(long, default_value = "")]
    pub reason: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

#[derive(Subcommand, Debug)]
pub enum Member {
    List,
    /// Reserve an id for a new node, to be put in its file before it is started.
    Add {
        #[arg(long)]
        peer: String,
        #[arg(long)]
        api: String,
        #[arg(long, default_value = "")]
        redis: String,
        #[arg(long, default_value = "")]
        sentinel: String,
        #[arg(long, default_value = "")]
        http: String,
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Let a member that has caught up vote.
    Promote {
        id: u64,
        #[command(flatten)]
        why: Why,
    },
    Remove {
        id: u64,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
pub enum Leader {
    Show,
    /// Hand leadership over.
    Transfer {
        #[arg(long)]
        to: Option<u64>,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
pub enum Lease {
    /// Take a lease that is free.
    Acquire {
        name: String,
        #[arg(long)]
        holder: String,
        #[arg(long, value_parser = humantime::parse_duration)]
        ttl: Duration,
        /// Wait this long for it to become free.
        #[arg(long, value_parser = humantime::parse_duration)]
        wait: Option<Duration>,
        /// Take it again from the same holder, fencing the old token.
        #[arg(long)]
        take_over: bool,
    },
    /// Lengthen a lease.
    Renew {
        name: String,
        #[arg(long)]
        holder: String,
        #[arg(long)]
        token: u64,
        /// Default: the length it had.
        #[arg(long, value_parser = humantime::parse_duration)]
        ttl: Option<Duration>,
    },
    /// End a lease.
    Release {
        name: String,
        #[arg(long)]
        holder: String,
        #[arg(long)]
        token: u64,
    },
    Get {
        name: String,
    },
    List,
    /// The lease now, then each change.
    Watch {
        name: String,
    },
    /// Run a program only while the lease is held. Exit code: the program's, 75 never acquired, 76 lost.
    Exec(Exec),
}

#[derive(Subcommand, Debug)]
pub enum Check {
    /// Every node answers, applies and agrees.
    Health,
    /// A majority answers, and how many nodes may still fail.
    Quorum,
    /// A lease is held, and by whom.
    Lease {
        name: String,
        /// Critical unless held by this holder.
        #[arg(long)]
        holder: Option<String>,
    },
}

#[derive(Subcommand, Debug)]
pub enum Redis {
    /// Say which clients and lock libraries work with a server. Exit code: 0 all, 1 not all, 4 password, 5 unreachable.
    Doctor(Doctor),
}

#[derive(Subcommand, Debug)]
pub enum Bench {
    /// Durable writes: leases taken and released.
    Writes(Load),
    /// Linearizable reads.
    Reads(Load),
    /// Renewals of held leases.
    Leases(Load),
    /// Authorisations of orders, beside renewals of leases. Nothing is sent to a venue.
    Orders(BenchOrders),
}

#[derive(clap::Args, Debug, Clone)]
pub struct Load {
    /// Requests under way at a time.
    #[arg(long, default_value_t = 16)]
    pub clients: usize,
    /// Connections that they share.
    #[arg(long, default_value_t = 4)]
    pub connections: usize,
    #[arg(long, value_parser = humantime::parse_duration, default_value = "5s")]
    pub duration: Duration,
    /// Requests a second in all, sent on time whether or not earlier ones are answered. Default: as many as go.
    #[arg(long)]
    pub rate: Option<u64>,
}

/// Without an account the orders stand on a desk of the bench's own, which is set up where there is no desk at all.
#[derive(clap::Args, Debug, Clone)]
pub struct BenchOrders {
    #[command(flatten)]
    pub load: Load,
    /// A direct account that trusts the reports of bots: what was authorised is then reported as not sent.
    #[arg(long, requires_all = ["strategy", "symbol", "quantity", "price"])]
    pub account: Option<String>,
    #[arg(long, requires = "account")]
    pub strategy: Option<String>,
    #[arg(long, requires = "account")]
    pub symbol: Option<String>,
    /// Of each order.
    #[arg(long, requires = "account")]
    pub quantity: Option<String>,
    #[arg(long, requires = "account")]
    pub price: Option<String>,
}
