//! `tenure venue-sim`: the simulated exchange as a program.

use std::future::pending;
use std::io;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use futures_util::{Stream, StreamExt};
use tokio::net::TcpListener;
use venue_sim::identity::{ACCOUNT, API_KEY, SECRET};
use venue_sim::{Connection, Options, Quoting};

use crate::world;

/// A simulated exchange that speaks the wire format of Binance, Spot and USD-M futures.
#[derive(Args, Debug)]
pub struct VenueSim {
    /// For clients: REST, the WebSocket API at /ws-api/v3, streams at /ws and /stream, of futures below /fstream.
    #[arg(long, default_value = "127.0.0.1:7900")]
    listen: String,
    /// For the operator: the ledger, faults, fills. Whoever reaches it may do everything.
    #[arg(long, default_value = "127.0.0.1:7901")]
    control: String,
    /// Decides prices, names and faults that are left to chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Nobody quotes.
    #[arg(long)]
    no_quotes: bool,
    /// End when this process ends.
    #[arg(long, hide = true)]
    end_with: Option<u32>,
}

pub fn run(args: &VenueSim) -> Result<()> {
    if let Some(parent) = args.end_with {
        world::end_with_parent(parent)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(args))
}

async fn serve(args: &VenueSim) -> Result<()> {
    let bind = async |address: &str| {
        TcpListener::bind(address).await.with_context(|| format!("{address} cannot be listened on"))
    };
    let (exchange, control) = (bind(&args.listen).await?, bind(&args.control).await?);
    let quoting = (!args.no_quotes).then(Quoting::default);
    let options = Options { seed: args.seed, quoting, ..Options::default() };
    for line in announcement(&exchange.local_addr()?.to_string(), &control.local_addr()?.to_string()) {
        world::say(&line);
    }
    world::say("ready");
    let stop = async {
        if let Err(error) = world::wait_for_signal().await {
            tracing::warn!(%error, "signals are not heard");
            pending::<()>().await;
        }
    };
    venue_sim::serve(options, Arc::new(world::wall_ms), accept(exchange), accept(control), stop).await?;
    Ok(())
}

/// Where it is and who trades there.
pub fn announcement(listen: &str, control: &str) -> [String; 2] {
    let symbols: Vec<String> =
        Options::default().spot.symbols.into_iter().map(|symbol| symbol.name).collect();
    [
        format!("exchange: http://{listen}  ws://{listen}/ws-api/v3  control http://{control}"),
        format!(
            "  account {ACCOUNT}, symbols {}, API key {API_KEY}, secret {SECRET}; an Ed25519 key: http://{control}/identity",
            symbols.join(" and ")
        ),
    ]
}

/// Connections with the address that they come from, without its port.
fn accept(listener: TcpListener) -> impl Stream<Item = io::Result<Connection>> + Send + Unpin {
    world::accept(listener).map(|socket| {
        let socket = socket?;
        let address = socket.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
        Ok(Connection { address, socket: Box::new(socket) })
    })
}
