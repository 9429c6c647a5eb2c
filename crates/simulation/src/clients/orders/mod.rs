//! Orders: traders who authorise them in the log, send them to the exchange and report what it said, an operator who switches, and
//! the last look at all of it.

mod caller;
mod closing;
mod exchange;
mod operator;
mod trader;
mod words;

use std::sync::Arc;

use futures_util::future::join_all;
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use wire::v1;

use self::caller::Caller;
use self::operator::Operator;
use self::trader::Trader;
use super::{Client, Phase, READERS, Shared};
use crate::judge;
use crate::judge::orders::Record;
use crate::plan::Trading;

/// What traders, the operator and the last look share.
pub(super) struct Desk {
    plan: Trading,
    shared: Arc<Shared>,
    record: Mutex<Record>,
    /// Reports that somebody has not told yet, or tells again.
    outbox: Mutex<Vec<v1::OrderReport>>,
    /// Orders that entered the exchange and may be alive.
    alive: Mutex<Vec<Alive>>,
    configured: watch::Sender<bool>,
}

/// An order at the exchange.
#[derive(Clone, Debug)]
struct Alive {
    strategy: String,
    symbol: String,
    client_order_id: String,
}

impl Desk {
    pub(super) fn new(plan: Trading, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            plan,
            shared,
            record: Mutex::default(),
            outbox: Mutex::default(),
            alive: Mutex::default(),
            configured: watch::channel(false).0,
        })
    }

    pub(super) fn record(&self) -> Record {
        self.record.lock().clone()
    }

    /// What it is held to.
    pub(super) fn terms(&self) -> judge::orders::Desk {
        let Trading { trusts_traders, open_orders_max, position_max, .. } = self.plan;
        let position = words::number(position_max);
        let limits = trusts_traders
            .then_some(judge::orders::Limits { open_orders: open_orders_max as usize, position });
        judge::orders::Desk { account: words::ACCOUNT.into(), venue: words::VENUE.into(), limits }
    }

    /// All of them until the load is over, and then the last look.
    pub(super) async fn work(self: Arc<Self>, phases: watch::Receiver<Phase>, mut random: StdRng) {
        let mut draw = || StdRng::seed_from_u64(random.random());
        let first = self.shared.plan.clients + READERS + 1;
        let traders: Vec<Trader> =
            (0..self.plan.traders).map(|at| Trader::new(self.clone(), first + at, at, draw())).collect();
        let operator = Operator::new(self.clone(), draw());
        let closing = draw();
        let work = traders.into_iter().map(|trader| trader.work(phases.clone()));
        tokio::join!(join_all(work), operator.work(phases.clone()));
        closing::look(&self, closing).await;
    }

    /// Its work is done.
    pub(super) fn leave(&self) {
        self.shared.working.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn caller(&self, random: StdRng) -> Caller {
        Caller::new(self.shared.clone(), random)
    }

    /// One that leases are taken by.
    fn client(&self, id: u32, random: StdRng) -> Client {
        let (shared, at, tokens) = (self.shared.clone(), id as usize, Default::default());
        Client { shared, id, random, at, count: 0, tokens }
    }
}

/// Whether the load is still on, once it has begun.
async fn is_on(phases: &mut watch::Receiver<Phase>) -> bool {
    phases.wait_for(|phase| *phase != Phase::Wait).await.is_ok_and(|phase| *phase == Phase::Load)
}
