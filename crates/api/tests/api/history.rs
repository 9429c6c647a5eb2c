//! Orders that have gone to the history are found like any other, by every way there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use domain::orders::report::Weight;
use domain::trading::limits::Limits;
use domain::{Action, Expiry, Key, SetCondition};
use store::{Error, HistoryIndex, IndexHit, IndexPage, IndexQuery, MemoryIndex, Placed, SealedFile};
use tokio_stream::StreamExt;
use tonic::Request;
use wire::v1::get_order_request::Which;
use wire::v1::{self, order_service_server::OrderService};

use crate::world::{WALL_MS, World, draft, name};

const DAY: Duration = Duration::from_secs(25 * 60 * 60);

const PATIENCE: Duration = Duration::from_secs(30);

/// Orders of so many fills are sealed in a file of their own.
const FILLS_OF_A_LONG_ORDER: usize = 160;

const FILLS_OF_A_REPORT: usize = 80;

/// A desk that believes its bots, at which 10 is the greatest quantity.
async fn desk(index: Box<dyn HistoryIndex>) -> World {
    let world = World::with_index(index).await;
    let mut draft = draft();
    for account in &mut draft.accounts {
        account.bot_reports = Weight::Evidence;
        account.limits = Limits { quantity_max: Some(name("10")), ..Limits::default() };
    }
    world.configure(draft).await;
    world
}

fn of(order_id: u64) -> Option<v1::order_report::Which> {
    Some(v1::order_report::Which::OrderId(order_id))
}

impl World {
    /// An order that was filled by so many trades.
    async fn filled(&self, key: &str, trades: usize) -> u64 {
        let quantity = trades.to_string();
        let order = v1::NewOrder { quantity: "10".into(), ..self.order(key) };
        let order = if trades > 10 { order } else { v1::NewOrder { quantity, ..order } };
        let id = self.authorize(order.clone()).await.unwrap().order.unwrap().order_id;
        let each = if trades > 10 { "0.0625" } else { "1" };
        let fills = (0..trades).map(|number| v1::Fill {
            trade_id: format!("{id}-{number}"),
            venue_order_id: format!("v{id}"),
            quantity: each.into(),
            price: "100".into(),
            ..Default::default()
        });
        let fills: Vec<_> = fills.collect();
        let venue_order_id = Some(format!("v{id}"));
        let told = |fills: &[v1::Fill]| v1::OrderReport {
            which: of(id),
            venue_order_id: venue_order_id.clone(),
            fills: fills.to_vec(),
            ..Default::default()
        };
        let mut reports: Vec<_> = fills.chunks(FILLS_OF_A_REPORT).map(told).collect();
        let last = reports.last_mut().unwrap();
        last.ended = v1::OrderStatus::Filled.into();
        last.cumulative_quantity = Some(order.quantity);
        let reply = self.report(reports).await.unwrap();
        let last = reply.results.last().unwrap();
        assert_eq!(last.order.as_ref().unwrap().status(), v1::OrderStatus::Filled, "{reply:?}");
        id
    }

    async fn canceled(&self, key: &str) -> u64 {
        let id = self.opened(key).await.order_id;
        let report = v1::OrderReport {
            which: of(id),
            ended: v1::OrderStatus::Canceled.into(),
            cumulative_quantity: Some("0".into()),
            ..Default::default()
        };
        self.report(vec![report]).await.unwrap();
        id
    }

    /// The id of an order that a limit turned down.
    async fn denied(&self, key: &str) -> u64 {
        let refused = self.authorize(v1::NewOrder { quantity: "11".into(), ..self.order(key) }).await;
        let refused = refused.unwrap_err();
        use tonic_types::StatusExt;
        refused.get_details_error_info().unwrap().metadata["order_id"].parse().unwrap()
    }

    /// Something is applied, and with it what is due goes to the history.
    async fn tick(&self) {
        let key = Key::new(0, b"tick".as_slice());
        let (condition, expiry) = (SetCondition::Always, Expiry::Never);
        let set = Action::Set { key, value: (*b"").into(), condition, expiry, previous: false };
        // What was proposed before time passed is too late afterwards.
        let _ = self.replica.propose(vec![set]).await;
    }

    /// Lets a day pass, and waits until only so many orders are in memory.
    async fn archive(&self, left: usize) {
        self.pass(DAY);
        let deadline = Instant::now() + PATIENCE;
        while self.replica.local().orders().len() > left {
            assert!(Instant::now() < deadline, "{} orders in memory", self.replica.local().orders().len());
            self.tick().await;
        }
    }

    async fn indexed(&self) {
        let deadline = Instant::now() + PATIENCE;
        while self.replica.local().sealed_history().len() as u64 != self.replica.archive().indexed() {
            assert!(Instant::now() < deadline, "{} files", self.replica.archive().indexed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// All pages together.
    async fn listed(&self, request: v1::ListOrdersRequest) -> Vec<v1::Order> {
        self.try_listed(request).await.unwrap()
    }

    async fn try_listed(&self, mut request: v1::ListOrdersRequest) -> Result<Vec<v1::Order>, tonic::Status> {
        let mut orders = Vec::new();
        loop {
            let page = self.orders.list(Request::new(request.clone())).await?.into_inner();
            orders.extend(page.orders);
            if page.next_before == 0 {
                return Ok(orders);
            }
            request.before = page.next_before;
        }
    }

    async fn ids(&self, request: v1::ListOrdersRequest) -> Vec<u64> {
        self.listed(request).await.iter().map(|order| order.order_id).collect()
    }
}

fn archived(order: &v1::Order) -> bool {
    order.flags.iter().any(|flag| flag == "archived")
}

/// What is the same of an order before and after it went.
fn unmoved(mut order: v1::Order) -> v1::Order {
    order.flags.retain(|flag| flag != "archived");
    order.updated_at_ms = 0;
    order
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_listed_before_it_went_to_the_history_is_listed_afterwards() {
    let world = desk(Box::<MemoryIndex>::default()).await;
    let mut ids = Vec::new();
    for number in 0..4 {
        ids.push(world.filled(&format!("short-{number}"), 2).await);
        ids.push(world.canceled(&format!("canceled-{number}")).await);
        ids.push(world.denied(&format!("denied-{number}")).await);
        ids.push(world.filled(&format!("long-{number}"), FILLS_OF_A_LONG_ORDER).await);
    }
    let open = world.opened("open").await.order_id;
    ids.push(open);
    ids.reverse();
    let page = |limit| v1::ListOrdersRequest { limit, ..Default::default() };
    let before = world.listed(page(3)).await;
    assert_eq!(before.iter().map(|order| order.order_id).collect::<Vec<_>>(), ids);
    assert!(before.iter().all(|order| archived(order) == (order.status() == v1::OrderStatus::Denied)));

    world.archive(1).await;
    assert!(world.replica.local().sealed_history().len() >= 4);
    for limit in [1, 3, 1000] {
        let after = world.listed(page(limit)).await;
        assert!(after.iter().all(|order| archived(order) == (order.order_id != open)));
        let stripped = |orders: &[v1::Order]| orders.iter().cloned().map(unmoved).collect::<Vec<_>>();
        assert_eq!(stripped(&after), stripped(&before), "pages of {limit}");
        // Whether they are still at hand or in the index.
        world.indexed().await;
    }

    for order in &before {
        let key = v1::StrategyKey { strategy: order.strategy.clone(), key: order.key.clone() };
        let client = Which::ClientOrderId(order.client_order_id.clone());
        for which in [Which::OrderId(order.order_id), client, Which::Key(key)] {
            let found = world.get_by(which.clone()).await.unwrap();
            assert_eq!(unmoved(found), unmoved(order.clone()), "{which:?}");
        }
    }
    assert!(world.get(1).await.is_err(), "that is no order");
    // What one cluster gave is not another's.
    let other = format!("q{}", "z".repeat(15));
    assert!(world.get_by(Which::ClientOrderId(other)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_alike_in_memory_and_in_the_history() {
    let world = desk(Box::<MemoryIndex>::default()).await;
    let mut by_status: [Vec<u64>; 3] = Default::default();
    for number in 0..3 {
        by_status[0].push(world.filled(&format!("f{number}"), FILLS_OF_A_LONG_ORDER).await);
        by_status[1].push(world.canceled(&format!("c{number}")).await);
        by_status[2].push(world.denied(&format!("d{number}")).await);
    }
    by_status.iter_mut().for_each(|ids| ids.reverse());
    let [filled, canceled, denied] = by_status;
    let all = |lists: &[&Vec<u64>]| {
        let mut ids: Vec<u64> = lists.iter().flat_map(|ids| ids.iter().copied()).collect();
        ids.sort_unstable_by(|one, other| other.cmp(one));
        ids
    };
    let every = all(&[&filled, &canceled, &denied]);
    let by = |change: fn(&mut v1::ListOrdersRequest)| {
        let mut request = v1::ListOrdersRequest { limit: 2, ..Default::default() };
        change(&mut request);
        request
    };
    use v1::OrderStatus::{Canceled, Denied, Filled, Open, Rejected};
    let cases = [
        (by(|_| ()), every.clone()),
        (by(|it| it.account = "bots".into()), every.clone()),
        (by(|it| it.account = "desk".into()), vec![]),
        (by(|it| it.strategy = "mm".into()), every.clone()),
        (by(|it| it.strategy = "other".into()), vec![]),
        (by(|it| it.symbol = "BTCUSDT".into()), every.clone()),
        (by(|it| it.symbol = "ETHUSDT".into()), vec![]),
        (by(|it| it.statuses = vec![Filled.into()]), filled.clone()),
        (by(|it| it.statuses = vec![Denied.into(), Canceled.into()]), all(&[&canceled, &denied])),
        (by(|it| it.statuses = vec![Open.into(), Filled.into()]), filled.clone()),
        (by(|it| it.statuses = vec![Rejected.into(), Open.into()]), vec![]),
        (by(|it| it.unresolved = true), vec![]),
        (by(|it| it.from_ms = Some(WALL_MS)), every.clone()),
        (by(|it| it.from_ms = Some(WALL_MS + 1)), vec![]),
        (by(|it| it.to_ms = Some(WALL_MS)), vec![]),
        (by(|it| (it.from_ms, it.to_ms) = (Some(WALL_MS), Some(WALL_MS + 1))), every.clone()),
        (by(|it| (it.account, it.statuses) = ("bots".into(), vec![Canceled.into()])), canceled.clone()),
    ];
    for (request, expected) in &cases {
        assert_eq!(world.ids(request.clone()).await, *expected, "in memory: {request:?}");
    }
    world.archive(0).await;
    for (request, expected) in &cases {
        assert_eq!(world.ids(request.clone()).await, *expected, "at hand: {request:?}");
    }
    world.indexed().await;
    for (request, expected) in &cases {
        assert_eq!(world.ids(request.clone()).await, *expected, "in the index: {request:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_order_is_missed_or_told_twice_on_its_way_to_the_history() {
    let world = desk(Box::<MemoryIndex>::default()).await;
    let mut ids = Vec::new();
    for number in 0..200 {
        let trades = if number % 16 == 0 { FILLS_OF_A_LONG_ORDER } else { 1 };
        ids.push(world.filled(&format!("k{number}"), trades).await);
    }
    ids.reverse();
    world.pass(DAY);
    let is_over = AtomicBool::new(false);
    let go = async {
        while !world.replica.local().orders().is_empty() {
            world.tick().await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        world.indexed().await;
        is_over.store(true, Relaxed);
    };
    let look = async {
        let mut seen_archived = BTreeSet::new();
        for limit in (1..).map(|number| 1 + number % 37) {
            let was_over = is_over.load(Relaxed);
            let orders = world.listed(v1::ListOrdersRequest { limit, ..Default::default() }).await;
            assert_eq!(orders.iter().map(|order| order.order_id).collect::<Vec<_>>(), ids, "{limit}");
            seen_archived.insert(orders.iter().filter(|order| archived(order)).count());
            if was_over {
                return seen_archived;
            }
        }
        unreachable!("it goes on without an end")
    };
    let ((), seen_archived) = tokio::join!(go, look);
    assert!(seen_archived.contains(&200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_finds_the_order_that_it_stands_for_and_else_the_last_that_was_denied() {
    let world = desk(Box::<MemoryIndex>::default()).await;
    let by_key = |key: &str| Which::Key(v1::StrategyKey { strategy: "mm".into(), key: key.into() });
    let first = world.denied("k").await;
    assert_eq!(world.get_by(by_key("k")).await.unwrap().order_id, first);
    let second = world.denied("k").await;
    assert_eq!(world.get_by(by_key("k")).await.unwrap().order_id, second);
    let filled = world.filled("k", 1).await;
    assert_eq!(world.get_by(by_key("k")).await.unwrap().order_id, filled);
    world.archive(0).await;
    let found = world.get_by(by_key("k")).await.unwrap();
    assert_eq!((found.order_id, found.status()), (filled, v1::OrderStatus::Filled));
    assert!(archived(&found) && found.fills.len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_goes_on_from_a_serial_whose_changes_have_gone_to_the_history() {
    let mut world = desk(Box::<MemoryIndex>::default()).await;
    let before = world.filled("before", 1).await;
    let after_serial = world.get(before).await.unwrap().serial;
    let mut expected = Vec::new();
    for number in 0..3 {
        expected.push(world.filled(&format!("long-{number}"), FILLS_OF_A_LONG_ORDER).await);
        expected.push(world.denied(&format!("denied-{number}")).await);
        expected.push(world.canceled(&format!("canceled-{number}")).await);
    }
    let mut stream = world.watched(after_serial).await;
    let told = told(&mut stream, expected.len()).await;
    assert_eq!(told.iter().map(|(order, _)| order.order_id).collect::<Vec<_>>(), expected);
    world.archive(0).await;

    let again = self::told(&mut world.watched(after_serial).await, expected.len()).await;
    let stripped = |told: &[(v1::Order, u64)]| {
        told.iter().map(|(order, resume)| (unmoved(order.clone()), *resume)).collect::<Vec<_>>()
    };
    assert_eq!(stripped(&again), stripped(&told));
    let rest = self::told(&mut world.watched(again[4].1).await, 4).await;
    assert_eq!(stripped(&rest), stripped(&told[5..]));
    // What goes to the history has not changed, and whoever watched before is told what comes.
    world.take_the_lease().await;
    let refused = world.denied("another").await;
    assert_eq!(self::told(&mut stream, 1).await[0].0.order_id, refused);
}

type Stream = <api::Orders as OrderService>::WatchStream;

impl World {
    async fn watched(&self, after_serial: u64) -> Stream {
        let request = v1::WatchOrdersRequest { after_serial, ..Default::default() };
        self.orders.watch(Request::new(request)).await.unwrap().into_inner()
    }
}

/// So many orders, and after which serial a watch goes on after each.
async fn told(stream: &mut Stream, count: usize) -> Vec<(v1::Order, u64)> {
    let mut told = Vec::new();
    while told.len() < count {
        let next = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap().unwrap();
        told.push((next.order.unwrap(), next.resume_after));
    }
    told
}

/// An index in memory that can be made to say that it and the files do not fit each other, and to hold nothing up to then.
#[derive(Clone, Default)]
struct Flawed(Arc<Flaws>);

#[derive(Default)]
struct Flaws {
    index: MemoryIndex,
    is_unfit: AtomicBool,
    is_held_up: AtomicBool,
}

impl HistoryIndex for Flawed {
    fn begin(&self, sealed: &[SealedFile]) -> Result<Vec<SealedFile>, Error> {
        self.0.index.begin(sealed)
    }

    fn lacking(&self, sealed: &[SealedFile]) -> Result<Vec<SealedFile>, Error> {
        self.0.index.lacking(sealed)
    }

    fn add(&self, file: &SealedFile, records: &[Placed]) -> Result<(), Error> {
        while self.0.is_held_up.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.index.add(file, records)
    }

    fn find(&self, id: u64) -> Result<Option<IndexHit>, Error> {
        self.0.index.find(id)
    }

    fn query(&self, query: &IndexQuery) -> Result<IndexPage, Error> {
        if self.0.is_unfit.swap(false, Relaxed) {
            return Err(Error::Unfit { why: "a row of it cannot be read".into() });
        }
        self.0.index.query(query)
    }

    fn rebuild(&self) -> Result<(), Error> {
        self.0.index.rebuild()
    }

    fn flush(&self) -> Result<(), Error> {
        self.0.index.flush()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_index_is_made_anew_nothing_is_answered_by_halves() {
    let flawed = Flawed::default();
    let world = desk(Box::new(flawed.clone())).await;
    for number in 0..4 {
        world.filled(&format!("k{number}"), FILLS_OF_A_LONG_ORDER).await;
    }
    let open = world.opened("open").await.order_id;
    world.archive(1).await;
    world.indexed().await;
    let all = v1::ListOrdersRequest::default();
    let before = world.listed(all.clone()).await;
    assert_eq!(before.len(), 5);

    flawed.0.is_held_up.store(true, Relaxed);
    flawed.0.is_unfit.store(true, Relaxed);
    for _ in 0..3 {
        let refused = world.try_listed(all.clone()).await.unwrap_err();
        assert_eq!(api::reason_of(&refused), Some(api::Reason::HistoryIncomplete), "{refused:?}");
        assert_eq!(refused.code(), tonic::Code::Unavailable);
        assert!(refused.message().contains("still being indexed"), "{refused:?}");
    }
    // What cannot be history is told.
    let living = v1::ListOrdersRequest { statuses: vec![v1::OrderStatus::Open.into()], ..all.clone() };
    assert_eq!(world.ids(living).await, [open]);
    assert_eq!(world.get(open).await.unwrap().order_id, open);
    assert!(world.get(before[1].order_id).await.is_err());

    flawed.0.is_held_up.store(false, Relaxed);
    world.indexed().await;
    let ids = |orders: &[v1::Order]| orders.iter().map(|order| order.order_id).collect::<Vec<_>>();
    assert_eq!(ids(&world.listed(all).await), ids(&before));
}
