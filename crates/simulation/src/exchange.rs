//! The exchange: the simulated one, over its real doors, on a host of turmoil that no fault of the cluster concerns. It fails by
//! itself, as an operator has it.

use std::io;
use std::sync::Arc;

use futures_util::StreamExt;
use turmoil::Sim;
use turmoil::net::TcpStream;
use venue_sim::{Connection, Options, Quoting};

use crate::clock::true_ms;
use crate::world::{accept, listen};

pub(crate) const HOST: &str = "exchange";
pub(crate) const PORT: u16 = 7900;
pub(crate) const CONTROL_PORT: u16 = 7901;

/// How far the price moves at most in a second, in parts of 10 000: far enough that orders are reached which rest near it.
const PRICE_STEP: u32 = 5;

/// Gives it a host of its own, and starts it.
pub(crate) fn install(sim: &mut Sim<'_>, seed: u64) {
    sim.host(HOST, move || live(seed));
}

async fn live(seed: u64) -> turmoil::Result {
    let quoting = Some(Quoting { levels: 3, step: PRICE_STEP, ..Quoting::default() });
    let mut options = Options { seed, quoting, ..Options::default() };
    // Whoever is banned trades no more, and has nothing to tell.
    options.spot.allowance.weight_per_minute = u32::MAX;
    options.spot.allowance.orders_per_10_seconds = 1000;
    let exchange = accept(listen(PORT).await?).map(connection);
    let control = accept(listen(CONTROL_PORT).await?).map(connection);
    venue_sim::serve(options, Arc::new(true_ms), exchange, control, std::future::pending()).await?;
    Ok(())
}

fn connection(socket: io::Result<TcpStream>) -> io::Result<Connection> {
    Ok(Connection { address: "trader".into(), socket: Box::new(socket?) })
}
