//! A desk to trade at, on a cluster of one: venue `sim` with BTCUSDT, account `bots` whose bots send for themselves, account
//! `desk` that the cluster sends for, strategy `mm` on both.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use api::Orders;
use consensus::environment::{BoxFuture, Clock, Connect, Random, Socket, Spawn};
use consensus::{Environment, Member, Options, Replica, Start, Timeouts};
use domain::command::Audit;
use domain::orders::report::Weight;
use domain::orders::{OrderType, Tag};
use domain::trading::Draft;
use domain::trading::account::{Account, AccountMode};
use domain::trading::command::{TradingAction, TradingAnswer};
use domain::trading::limits::Limits;
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::{Action, Answer, Key, LeaseName, NodeId};
use store::{FaultyDisk, HistoryIndex, MemoryIndex, WalOptions, Writer};
use tonic::{Request, Response, Status};
use wire::v1::{self, order_service_server::OrderService};

/// Most of what a state is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the wall clock of the node shows, for ever.
pub(crate) const WALL_MS: i64 = 1_790_000_000_000;

struct TestClock {
    since: Instant,
    /// What was passed over, in nanoseconds.
    ahead: Arc<AtomicU64>,
}

impl Clock for TestClock {
    fn monotonic_ns(&self) -> u64 {
        self.since.elapsed().as_nanos() as u64 + self.ahead.load(Relaxed)
    }

    fn wall_ns(&self) -> i64 {
        WALL_MS * 1_000_000
    }
}

struct Counting(AtomicU64);

impl Random for Counting {
    fn u64(&self) -> u64 {
        self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed)
    }
}

struct Tasks;

impl Spawn for Tasks {
    fn task(&self, _: &'static str, task: BoxFuture<'static, ()>) {
        tokio::spawn(task);
    }

    fn blocking(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        tokio::task::spawn_blocking(work);
    }

    fn log_writer(&self, writer: Writer) {
        std::thread::spawn(move || writer.run());
    }
}

struct Nobody;

impl Connect for Nobody {
    fn connect(&self, _: String) -> BoxFuture<'static, io::Result<Box<dyn Socket>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }
}

pub(crate) struct World {
    pub(crate) replica: Replica,
    pub(crate) orders: Orders,
    /// Of the lease `desk`, under which all is traded.
    pub(crate) token: u64,
    ahead: Arc<AtomicU64>,
}

impl World {
    /// With an active leader, a desk, and its lease held.
    pub(crate) async fn new() -> Self {
        Self::with_index(Box::<MemoryIndex>::default()).await
    }

    /// The same, with this index over its history.
    pub(crate) async fn with_index(index: Box<dyn HistoryIndex>) -> Self {
        let ahead = Arc::<AtomicU64>::default();
        let replica = start(ahead.clone(), index).await;
        replica.init(&[member()]).await.unwrap();
        wait_for_active(&replica).await;
        let orders = Orders::new(replica.clone(), Arc::new(|| WALL_MS));
        let mut world = Self { replica, orders, token: 0, ahead };
        world.configure(draft()).await;
        world.take_the_lease().await;
        world
    }

    pub(crate) async fn take_the_lease(&mut self) {
        let (key, holder) = (Key::new(0, *b"desk"), (*b"bot").into());
        let acquire = Action::Acquire { key, holder, ttl_ms: 600_000, take_over: false };
        match self.run(acquire).await {
            Answer::Lease { granted: true, lease: Some(lease) } => self.token = lease.token.as_u64(),
            other => panic!("{other:?}"),
        }
    }

    /// The log's clock goes on by so much at once.
    pub(crate) fn pass(&self, time: Duration) {
        self.ahead.fetch_add(time.as_nanos() as u64, Relaxed);
    }

    pub(crate) async fn run(&self, action: Action) -> Answer {
        self.replica.propose(vec![action]).await.pop().unwrap().unwrap().answer
    }

    pub(crate) async fn trading(&self, action: TradingAction) -> TradingAnswer {
        match self.run(Action::Trading(Box::new(action))).await {
            Answer::Trading(answer) => *answer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn configure(&self, draft: Draft) {
        let configure = TradingAction::Configure { draft, expected: None, tag: Tag::of(1), audit: audit() };
        let answer = self.trading(configure).await;
        assert!(matches!(answer, TradingAnswer::Configured { .. }), "{answer:?}");
    }

    /// A limit order on the account of bots, for 1 BTCUSDT at 100.
    pub(crate) fn order(&self, key: &str) -> v1::NewOrder {
        v1::NewOrder {
            key: key.into(),
            account: "bots".into(),
            strategy: "mm".into(),
            algorithm: "maker".into(),
            trader: "ann".into(),
            symbol: "BTCUSDT".into(),
            side: v1::Side::Buy.into(),
            r#type: v1::OrderType::Limit.into(),
            time_in_force: v1::TimeInForce::Unspecified.into(),
            quantity: "1".into(),
            price: Some("100".into()),
            stop_price: None,
            reduce_only: false,
            lease: "desk".into(),
            token: self.token,
            hold_ms: 0,
        }
    }

    /// The same on the account that the cluster sends for.
    pub(crate) fn gateway_order(&self, key: &str) -> v1::NewOrder {
        v1::NewOrder { account: "desk".into(), ..self.order(key) }
    }

    pub(crate) async fn authorize(&self, order: v1::NewOrder) -> Result<v1::AuthorizeResponse, Status> {
        let request = v1::AuthorizeRequest { order: Some(order), ..Default::default() };
        self.orders.authorize(Request::new(request)).await.map(Response::into_inner)
    }

    pub(crate) async fn submit(&self, order: v1::NewOrder) -> Result<v1::SubmitResponse, Status> {
        let request = v1::SubmitRequest { order: Some(order), ..Default::default() };
        self.orders.submit(Request::new(request)).await.map(Response::into_inner)
    }

    /// An order of bots that was authorised.
    pub(crate) async fn authorized(&self, key: &str) -> v1::Order {
        self.authorize(self.order(key)).await.unwrap().order.unwrap()
    }

    /// The same, and the venue has it, says the bot.
    pub(crate) async fn opened(&self, key: &str) -> v1::Order {
        let which = Some(v1::order_report::Which::OrderId(self.authorized(key).await.order_id));
        let report = v1::OrderReport { which, acknowledged: true, ..Default::default() };
        self.report(vec![report]).await.unwrap().results[0].order.clone().unwrap()
    }

    pub(crate) async fn cancel(&self, order_id: u64) -> Result<v1::CancelResponse, Status> {
        let which = Some(v1::cancel_request::Which::OrderId(order_id));
        let (lease, token) = ("desk".into(), self.token);
        let request = v1::CancelRequest { which, lease, token, ..Default::default() };
        self.orders.cancel(Request::new(request)).await.map(Response::into_inner)
    }

    pub(crate) async fn get(&self, order_id: u64) -> Result<v1::Order, Status> {
        self.get_by(v1::get_order_request::Which::OrderId(order_id)).await
    }

    pub(crate) async fn get_by(&self, which: v1::get_order_request::Which) -> Result<v1::Order, Status> {
        let request = Request::new(v1::GetOrderRequest { which: Some(which) });
        self.orders.get(request).await.map(|response| response.into_inner().order.unwrap())
    }

    pub(crate) async fn list(&self, request: v1::ListOrdersRequest) -> v1::ListOrdersResponse {
        self.orders.list(Request::new(request)).await.unwrap().into_inner()
    }

    pub(crate) async fn report(&self, reports: Vec<v1::OrderReport>) -> Result<v1::ReportResponse, Status> {
        let request = v1::ReportRequest { reports, ..Default::default() };
        self.orders.report(Request::new(request)).await.map(Response::into_inner)
    }
}

pub(crate) fn audit() -> Box<Audit> {
    let text = |text: &str| text.to_owned();
    Box::new(Audit {
        wall_ms: WALL_MS,
        actor: text("ann"),
        action: text("test"),
        subject: String::new(),
        reason: text("drill"),
    })
}

pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn draft() -> Draft {
    let instrument = Instrument {
        base: name("BTC"),
        quote: name("USDT"),
        tick: name("0.01"),
        step: name("0.001"),
        quantity_min: name("0.001"),
        quantity_max: name("1000"),
        notional_min: name("1"),
        order_types: OrderType::ALL.into_iter().collect(),
        reference_price: Some(name("100")),
        contract_size: name("1"),
    };
    let symbols = [(name("BTCUSDT"), instrument)].into();
    let account = |id: &str, mode| Account {
        id: name(id),
        venue: name("sim"),
        mode,
        lease: None,
        window_ms: 2000,
        bot_reports: Weight::Hint,
        reconciliation: false,
        limits: Limits::default(),
        symbol_limits: Default::default(),
    };
    let strategy = Strategy {
        id: name("mm"),
        accounts: [name("bots"), name("desk")].into(),
        lease: LeaseName::new("desk").unwrap(),
        symbols: Default::default(),
        limits: Limits::default(),
        symbol_limits: Default::default(),
    };
    Draft {
        venues: vec![Venue { id: name("sim"), kind: name("simulated"), symbols }],
        accounts: vec![account("bots", AccountMode::Direct), account("desk", AccountMode::Gateway)],
        strategies: vec![strategy],
        day_offset_minutes: 0,
    }
}

fn member() -> Member {
    Member {
        id: NodeId(1),
        name: "node1".into(),
        peer: "peer1".into(),
        api: "api1".into(),
        redis: "redis1".into(),
        sentinel: "sentinel1".into(),
        http: "http1".into(),
        voter: true,
    }
}

async fn start(ahead: Arc<AtomicU64>, index: Box<dyn HistoryIndex>) -> Replica {
    let environment = Environment {
        clock: Arc::new(TestClock { since: Instant::now(), ahead }),
        random: Arc::new(Counting(AtomicU64::new(1 << 32))),
        connect: Arc::new(Nobody),
        spawn: Arc::new(Tasks),
        crash: Arc::new(|reason| eprintln!("a node cannot go on: {reason}")),
    };
    let options = Options {
        timeouts: Timeouts::LAN,
        snapshot_entries: 10_000,
        snapshot_bytes: 64 * 1024 * 1024,
        version: "0.0.0-test".into(),
        pid: 4711,
    };
    let wal = WalOptions {
        segment_bytes: 4 * 1024 * 1024,
        reserve_bytes: 8 * 1024 * 1024,
        ..WalOptions::default()
    };
    let contact = member().contact();
    let disk = FaultyDisk::new(1).mount();
    let history_index = Some(index);
    let start =
        Start { node: NodeId(1), contact, disk, wal, state_store: None, history_index, options, environment };
    Replica::start(start).await.unwrap()
}

async fn wait_for_active(replica: &Replica) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(reading) = replica.read().await
            && reading.active().is_some()
        {
            return;
        }
        assert!(Instant::now() < deadline, "no node became active: {:?}", replica.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
