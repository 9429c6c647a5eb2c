//! Orders and counters through changes of leader, restarts and snapshots, and the desk's day.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use consensus::limits::COMMIT_NEWS_DELAY;
use domain::orders::command::{Authority, Cancel, OrderAction, OrderAnswer, Submit};
use domain::orders::order::Sender;
use domain::orders::report::Weight;
use domain::orders::report::{Fact, OrderName, Report, VenueStatus, Witness};
use domain::orders::{Intent, OrderId, OrderType, Present, Reason, Side, Status, Tag, TimeInForce};
use domain::trading::account::{Account, AccountMode};
use domain::trading::command::{TradingAction, TradingAnswer};
use domain::trading::limits::Limits;
use domain::trading::strategy::Strategy;
use domain::trading::venue::{Instrument, Venue};
use domain::trading::{Day, Draft};
use domain::{Action, Answer, Decimal, LeaseName, Token};
use tokio::time::{Instant, sleep, timeout};

use crate::world::{World, audit, key};

const MINUTES_OF_A_DAY: i32 = 24 * 60;

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name or a number")
}

fn account(id: &str, mode: AccountMode) -> Account {
    Account {
        id: name(id),
        venue: name("sim"),
        mode,
        lease: None,
        window_ms: 2_000,
        bot_reports: Weight::Evidence,
        reconciliation: mode.reconciliation_default(),
        limits: Limits { open_orders_max: Some(3), ..Limits::default() },
        symbol_limits: BTreeMap::new(),
    }
}

/// A direct account and one of the gateway, traded by one strategy under the lease `desk`.
fn draft(day_offset_minutes: i32) -> Draft {
    let instrument = Instrument {
        base: name("BTC"),
        quote: name("USDT"),
        tick: name("0.01"),
        step: name("0.001"),
        quantity_min: name("0.001"),
        quantity_max: name("100"),
        notional_min: Decimal::ZERO,
        order_types: BTreeSet::from([OrderType::Limit]),
        reference_price: None,
        contract_size: Decimal::ONE,
    };
    let symbols = BTreeMap::from([(name("BTCUSDT"), instrument)]);
    Draft {
        venues: vec![Venue { id: name("sim"), kind: name("binance-spot"), symbols }],
        accounts: vec![account("direct", AccountMode::Direct), account("gateway", AccountMode::Gateway)],
        strategies: vec![Strategy {
            id: name("maker"),
            accounts: BTreeSet::from([name("direct"), name("gateway")]),
            lease: LeaseName::new("desk").expect("a name"),
            symbols: BTreeSet::new(),
            limits: Limits::default(),
            symbol_limits: BTreeMap::new(),
        }],
        day_offset_minutes,
    }
}

async fn configure(world: &World, at: u64, draft: Draft) {
    let action =
        TradingAction::Configure { draft, expected: None, tag: Tag::of(7), audit: Box::new(audit()) };
    let outcome = world.propose(at, Action::Trading(Box::new(action))).await;
    let Answer::Trading(answer) = outcome.answer else { panic!("{outcome:?}") };
    assert!(matches!(*answer, TradingAnswer::Configured { .. }), "{answer:?}");
}

async fn acquire(world: &World, at: u64) -> Token {
    let holder = (*b"bot").into();
    let outcome = world
        .propose(at, Action::Acquire { key: key("desk"), holder, ttl_ms: 60_000, take_over: true })
        .await;
    match outcome.answer {
        Answer::Lease { granted: true, lease: Some(lease) } => lease.token,
        answer => panic!("{answer:?}"),
    }
}

async fn submit(world: &World, at: u64, account: &str, number: u32, token: Token) -> OrderAnswer {
    order(world, at, submission(account, number, token)).await
}

fn submission(account: &str, number: u32, token: Token) -> OrderAction {
    let intent = Intent {
        key: name(&format!("1700000000000-{number}")),
        account: name(account),
        strategy: name("maker"),
        algorithm: name("quoter"),
        trader: name("ann"),
        symbol: name("BTCUSDT"),
        side: Side::Buy,
        order_type: OrderType::Limit,
        time_in_force: Some(TimeInForce::Gtc),
        quantity: name("2"),
        price: Some(name("100")),
        stop_price: None,
        reduce_only: false,
        lease: LeaseName::new("desk").expect("a name"),
        token,
    };
    let sender = if account == "direct" { Sender::Bot } else { Sender::Cluster };
    OrderAction::Submit(Submit { intent, sender, hold_ms: 0, wall_ms: None })
}

async fn order(world: &World, at: u64, action: OrderAction) -> OrderAnswer {
    match world.propose(at, Action::Order(Box::new(action))).await.answer {
        Answer::Order(answer) => *answer,
        answer => panic!("{answer:?}"),
    }
}

async fn filled(world: &World, at: u64, id: OrderId) {
    let report = Report {
        account: name("direct"),
        symbol: name("BTCUSDT"),
        order: OrderName::Id(id),
        by: Witness::Bot,
        venue_ms: Some(1),
        venue_order_id: Some(name("v1")),
        terms: None,
        fact: Fact::Status { status: VenueStatus::Filled, cumulative: name("2") },
    };
    let answer = order(world, at, OrderAction::Report(report)).await;
    assert_eq!(answer, OrderAnswer::Reported { order: id });
}

fn status(world: &World, at: u64, id: OrderId) -> Status {
    let state = world.replica(at).local();
    let present = Present { term: 0, now: state.now() };
    state.orders().get(id).expect("it is in memory").status(present)
}

fn authorized(answer: &OrderAnswer) -> OrderId {
    match answer {
        OrderAnswer::Authorized { order, .. } => *order,
        answer => panic!("{answer:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn orders_and_limits_are_the_same_under_every_leader_and_after_every_restart() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    configure(&world, leader, draft(0)).await;
    let token = acquire(&world, leader).await;
    let first = submit(&world, leader, "direct", 1, token).await;
    let id = authorized(&first);
    authorized(&submit(&world, leader, "direct", 2, token).await);
    filled(&world, leader, id).await;

    // The next leader knows the key, the fill, and how many orders are open.
    world.kill(leader).await;
    let next = world.leader().await;
    assert_eq!(status(&world, next, id), Status::Filled);
    assert_eq!(submit(&world, next, "direct", 1, token).await, OrderAnswer::Existing { order: id });
    authorized(&submit(&world, next, "direct", 3, token).await);
    authorized(&submit(&world, next, "direct", 4, token).await);
    let OrderAnswer::Denied { reasons, .. } = submit(&world, next, "direct", 5, token).await else {
        panic!("three are open, and no more may be")
    };
    assert!(matches!(reasons[..], [Reason::Limit { .. }]), "{reasons:?}");

    // All nodes at once, from what their disks have.
    world.start(leader).await;
    world.agree().await;
    for node in 1..=3 {
        world.kill(node).await;
    }
    for node in 1..=3 {
        world.start(node).await;
    }
    let last = world.leader().await;
    world.agree().await;
    assert_eq!(
        submit(&world, last, "direct", 4, token).await,
        OrderAnswer::Existing { order: OrderId(id_of(&world, last, 4)) }
    );
    // Under a token of before nothing goes.
    let newer = acquire(&world, last).await;
    let OrderAnswer::Refused { reasons } = submit(&world, last, "direct", 6, token).await else {
        panic!("the token is an old one")
    };
    assert!(reasons.contains(&Reason::Fenced { current: newer }), "{reasons:?}");
}

fn id_of(world: &World, at: u64, number: u32) -> domain::Serial {
    let state = world.replica(at).local();
    let key = (name("maker"), name(&format!("1700000000000-{number}")));
    state.orders().by_key(&key).expect("it is known").id.0
}

/// A cancel's order, and the orders of a batch, are shown by the node that was asked.
#[tokio::test(start_paused = true)]
async fn what_an_order_became_is_known_where_it_was_asked_without_delay() {
    let world = World::founded(3).await;
    let leader = world.leader().await;
    let follower = 1 + leader % 3;
    configure(&world, leader, draft(0)).await;
    let token = acquire(&world, leader).await;
    let order = authorized(&submit(&world, leader, "direct", 1, token).await);
    world.agree().await;
    let lease = LeaseName::new("desk").expect("a name");
    let cancel = Cancel { order, sender: Sender::Bot, by: Authority::Lease { lease, token }, wall_ms: None };
    let batch = Action::Order(Box::new(submission("direct", 2, token)));
    for action in [
        Action::Order(Box::new(OrderAction::Cancel(cancel))),
        Action::Transaction { guards: Vec::new(), actions: vec![batch] },
    ] {
        let outcome = world.propose(follower, action).await;
        let answered = Instant::now();
        let mut watch = world.replica(follower).watch();
        while world.replica(follower).local().serial() < outcome.made.serial {
            watch.changed().await;
        }
        assert!(answered.elapsed() < COMMIT_NEWS_DELAY, "{:?}: {:?}", answered.elapsed(), outcome.answer);
        world.agree().await;
    }
    assert_eq!(status(&world, follower, order), Status::PendingCancel);
}

#[tokio::test(start_paused = true)]
async fn every_change_of_leadership_closes_the_accounts_that_the_cluster_sends_on() {
    let mut world = World::founded(3).await;
    let leader = world.leader().await;
    configure(&world, leader, draft(0)).await;
    let token = acquire(&world, leader).await;
    let unreconciled = |answer: OrderAnswer| match answer {
        OrderAnswer::Denied { reasons, .. } => assert_eq!(reasons, [Reason::Unreconciled]),
        answer => panic!("{answer:?}"),
    };
    unreconciled(submit(&world, leader, "gateway", 1, token).await);
    let term = world.replica(leader).status().term;
    let reconciled = TradingAction::RecordReconciled { account: name("gateway"), term };
    world.propose(leader, Action::Trading(Box::new(reconciled))).await;
    authorized(&submit(&world, leader, "gateway", 1, token).await);
    world.kill(leader).await;
    let next = world.leader().await;
    unreconciled(submit(&world, next, "gateway", 2, token).await);
}

#[tokio::test(start_paused = true)]
async fn orders_come_with_a_snapshot() {
    let mut world = World::new();
    world.snapshot_entries = 100;
    world.retain_bytes = 1;
    world.found(3).await;
    let leader = world.leader().await;
    let behind = 1 + leader % 3;
    world.kill(behind).await;
    configure(&world, leader, draft(0)).await;
    let token = acquire(&world, leader).await;
    let id = authorized(&submit(&world, leader, "direct", 1, token).await);
    filled(&world, leader, id).await;
    for _ in 0..400 {
        world.increment(leader, "n").await;
    }
    // Purging is a matter of seconds.
    let purged = async {
        while world.replica(leader).status().purged == 0 {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(30), purged).await.expect("the log is purged");
    world.start(behind).await;
    world.agree().await;
    assert_eq!(status(&world, behind, id), Status::Filled);
    assert!(
        world.replica(behind).metrics().snapshots_installed.get() >= 1,
        "the log alone would not show it"
    );
}

/// The wall clocks of this world stand at 2023-11-14 22:13:20 UTC when it begins.
#[tokio::test(start_paused = true)]
async fn the_desks_day_begins_by_the_leaders_clock_and_once() {
    let world = World::founded(3).await;
    let leader = world.leader().await;
    // Behind UTC so far that its midnight is less than a minute ahead.
    let minutes_since_midnight = 22 * 60 + 13;
    configure(&world, leader, draft(MINUTES_OF_A_DAY - 1 - minutes_since_midnight)).await;
    let day = |at| world.replica(at).local().trading().counters.day;
    let until = async |expected: Day| {
        while day(leader) != expected {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let first = Day(19_675);
    timeout(Duration::from_secs(2), until(first)).await.expect("a day begins at once");
    let serial = world.replica(leader).local().serial();
    timeout(Duration::from_secs(60), until(Day(first.0 + 1))).await.expect("and another at midnight");
    world.agree().await;
    assert!((1..=3).all(|at| day(at) == Day(first.0 + 1)));
    sleep(Duration::from_secs(30)).await;
    let commands = world.replica(leader).local().serial().0 - serial.0;
    assert!(commands < 150, "it is begun once, and not with every look: {commands}");
}
