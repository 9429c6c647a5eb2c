//! What holds for every log of a desk: random orders and reports over few names, two states side by side.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::command::Audit;
use domain::image::{Configured, Image, TradingRecords};
use domain::limits::{ORDERS_MAX, SETTLED_ORDERS_MAX};
use domain::orders::command::{Authority, Cancel, OrderAction, OrderAnswer, Replace, Submit};
use domain::orders::id::Tag;
use domain::orders::order::{Authorization, Denial, Sender};
use domain::orders::reason::{Mode, Reason};
use domain::orders::report::OrderName;
use domain::orders::report::Weight;
use domain::orders::table::Row;
use domain::orders::tombstone::{StrategyKey, Tombstone};
use domain::orders::{Filter, Intent, Order, OrderId, Report, Side, Status};
use domain::trading::account::AccountMode;
use domain::trading::command::TradingAction;
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::{Counters, Day, Draft, Subject};
use domain::{
    Action, Answer, Changes, Command, Digest, Guard, LogTime, Position, Serial, Stamp, State, Token,
    VenueOrderId,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::desk::{account, decimal, intent, lease_name, name, standard_draft, strategy};
use crate::order_properties::{ANYONE, report};

/// Each is a log of many commands.
const CASES: u32 = 128;

fn draft(limits: Limits) -> Draft {
    let mut draft = standard_draft();
    let mut direct = account("direct", "sim");
    (direct.mode, direct.reconciliation) = (AccountMode::Direct, false);
    direct.bot_reports = Weight::Evidence;
    draft.accounts.push(direct);
    draft.accounts[0].limits = limits;
    draft.strategies.push(strategy("mm2", "direct", "desk"));
    draft.strategies[0].accounts.insert(name("direct"));
    draft
}

fn audit() -> Box<Audit> {
    let [actor, action, subject, reason] = ["ann", "act", "it", "drill"].map(str::to_owned);
    Box::new(Audit { wall_ms: 0, actor, action, subject, reason })
}

fn trading(action: TradingAction) -> Action {
    Action::Trading(Box::new(action))
}

fn order(action: OrderAction) -> Action {
    let mut action = Action::Order(Box::new(action));
    action.resolve_wall_clock(1_764_500_000_000);
    action
}

/// What somebody has of trading who applies every change that he is told of.
#[derive(Default)]
struct Copy {
    configured: Option<Configured>,
    trading: TradingRecords,
    orders: BTreeMap<OrderId, Row>,
    tombstones: BTreeMap<StrategyKey, Tombstone>,
}

fn put<K: Ord, V>(table: &mut BTreeMap<K, V>, rows: Vec<(K, Option<V>)>) {
    for (name, row) in rows {
        match row {
            Some(row) => drop(table.insert(name, row)),
            None => drop(table.remove(&name)),
        }
    }
}

impl Copy {
    fn follow(&mut self, state: &mut State) {
        let Changes { configured, trading, orders, tombstones, .. } = state.take_changes().into();
        self.configured = configured.or(self.configured.take());
        self.trading = trading.unwrap_or_else(|| std::mem::take(&mut self.trading));
        put(&mut self.orders, orders);
        put(&mut self.tombstones, tombstones);
        let image = state.image();
        assert_eq!((&self.configured, &self.trading), (&image.configured, &image.trading));
        assert!(self.orders.values().eq(&image.orders));
        assert!(self.tombstones.iter().eq(image.tombstones.iter().map(|(key, row)| (key, row))));
    }
}

/// A state that applies one command after the other, each an entry of its own.
struct Log {
    state: State,
    twin: State,
    at: Position,
    orders: Vec<OrderId>,
    copy: Copy,
}

impl Log {
    /// With the lease taken for a minute, and `main` reconciled.
    fn new(limits: Limits) -> Self {
        let stamp = Some(Stamp { term: 1, time: LogTime::ZERO });
        let at = Position { index: 0, offset: 0, term: 1, stamp };
        let (orders, copy) = (Vec::new(), Copy::default());
        let mut log = Self { state: State::default(), twin: State::default(), at, orders, copy };
        log.twin.track_changes(false);
        let tag = Tag::parse("desk").expect("four characters");
        log.apply(trading(TradingAction::Configure {
            draft: draft(limits),
            expected: None,
            tag,
            audit: audit(),
        }));
        log.apply(acquire());
        log.apply(trading(TradingAction::RecordReconciled { account: name("main"), term: 1 }));
        log
    }

    fn apply(&mut self, action: Action) -> Answer {
        self.at.index += 1;
        let outcome = self.state.apply(self.at, Command::harmless(action.clone()));
        assert_eq!(outcome, self.twin.apply(self.at, Command::harmless(action)));
        assert_eq!(self.state.digest(), self.twin.digest());
        self.note(&outcome.answer);
        outcome.answer
    }

    fn note(&mut self, answer: &Answer) {
        match answer {
            Answer::All(answers) => answers.iter().for_each(|answer| self.note(answer)),
            Answer::Order(answer) => match **answer {
                OrderAnswer::Authorized { order, .. }
                | OrderAnswer::Held { order, .. }
                | OrderAnswer::Replacing { order, .. }
                | OrderAnswer::Reported { order } => self.orders.push(order),
                _ => {}
            },
            _ => {}
        }
    }

    /// A restart must not show.
    fn rebuild(&mut self) {
        let image = self.state.image();
        self.state = State::from_image(image.clone(), self.twin.digest()).expect("it is its own digest");
        assert_eq!(self.state.image(), image);
        assert_eq!(self.state.exposures(), self.twin.exposures());
        assert_eq!(self.state.next_end(), self.twin.next_end());
        self.copy.follow(&mut self.twin);
    }

    fn token(&self) -> Token {
        let lease = self.state.lease(&lease_name("desk").key(), self.state.now()).unwrap_or_default();
        lease.map_or(Token::from_u64(0).expect("small"), |lease| lease.token)
    }

    fn action(&self, step: &Step) -> Action {
        let Step { kind, words, report, parts, .. } = step;
        let of = |number: usize, choices: &[&'static str]| choices[words[number] as usize % choices.len()];
        let id = || {
            let place = words[0] as usize % (self.orders.len() + 1);
            self.orders.get(place).copied().unwrap_or(OrderId(Serial(999)))
        };
        let sender = if words[1].is_multiple_of(4) { Sender::Bot } else { Sender::Cluster };
        let submit = || Submit {
            intent: Intent {
                key: name(of(0, &["a", "b", "c", "d", "e", "f", "1764500000000-a", "1764000000000-b"])),
                account: name(of(2, &["main", "main", "main", "direct", "nobody"])),
                strategy: name(of(3, &["mm", "mm", "mm", "mm", "mm2", "no"])),
                symbol: name(of(4, &["BTCUSDT", "BTCUSDT", "BTCUSDT", "ETHUSDT"])),
                side: if words[5].is_multiple_of(2) { Side::Buy } else { Side::Sell },
                quantity: decimal(of(6, &["1", "1", "2", "1000", "0.0001", "79228162514264337593"])),
                token: if words[7].is_multiple_of(8) {
                    Token::from_u64(1).expect("small")
                } else {
                    self.token()
                },
                ..intent()
            },
            sender,
            hold_ms: [0, 0, 1000, 3_600_000, u64::MAX][words[1] as usize % 5],
            wall_ms: None,
        };
        let subject = match words[0] % 6 {
            0 => Subject::All,
            1 => Subject::Venue(name("sim")),
            2 => Subject::Account(name("main")),
            3 => Subject::Strategy(name("mm")),
            4 => Subject::Symbol(name("BTCUSDT")),
            _ => Subject::Strategy(name("no")),
        };
        match kind {
            0..=9 => order(OrderAction::Submit(submit())),
            10..=12 => {
                let by = match words[2] % 4 {
                    0 => Authority::Operator(audit()),
                    _ => Authority::Lease { lease: lease_name("desk"), token: self.token() },
                };
                order(OrderAction::Cancel(Cancel { order: id(), sender, by, wall_ms: None }))
            }
            13..=14 => order(OrderAction::Replace(Replace { cancel: id(), submit: submit() })),
            15..=26 => {
                let venue_order_id: Option<VenueOrderId> = report.venue_order_id.clone();
                let named = match (words[3] % 4, venue_order_id) {
                    (0, Some(id)) => OrderName::Venue(id),
                    _ => OrderName::Id(id()),
                };
                let account = name(of(4, &["main", "main", "main", "direct"]));
                order(OrderAction::Report(Report { order: named, account, ..report.clone() }))
            }
            27 => trading(TradingAction::SetKillSwitch {
                subject,
                engaged: words[1].is_multiple_of(3),
                audit: audit(),
            }),
            28 => {
                let mode = Mode::ALL[words[1] as usize % Mode::ALL.len()];
                trading(TradingAction::SetMode { subject, mode, audit: audit() })
            }
            29 => trading(TradingAction::SetBreaker {
                venue: name(of(2, &["sim", "sim", "no"])),
                forced_open: words[1].is_multiple_of(3),
                audit: audit(),
            }),
            30..=32 => {
                let account = name(of(2, &["main", "main", "main", "nobody"]));
                trading(TradingAction::RecordReconciled { account, term: self.at.term })
            }
            33 => trading(TradingAction::RollDay(Day(words[0].into()))),
            34 => {
                let tag = Tag::parse("else").expect("four characters");
                let mut draft = draft(limits());
                if words[0].is_multiple_of(3) {
                    draft.accounts.remove(1);
                }
                trading(TradingAction::Configure { draft, expected: None, tag, audit: audit() })
            }
            35..=37 => acquire(),
            38 => Action::Release {
                key: lease_name("desk").key(),
                holder: b"bot".as_slice().into(),
                token: None,
            },
            _ => {
                let actions = parts.iter().map(|part| self.action(part)).collect();
                let guard = Guard::Key { key: lease_name("desk").key(), as_of: self.state.serial() };
                Action::Transaction { guards: vec![guard], actions }
            }
        }
    }
}

fn acquire() -> Action {
    let holder = b"bot".as_slice().into();
    Action::Acquire { key: lease_name("desk").key(), holder, ttl_ms: 60_000, take_over: true }
}

fn limits() -> Limits {
    Limits {
        position_max: Some(decimal("5")),
        open_orders_max: Some(4),
        daily_notional_max: Some(decimal("1000")),
        duplicate_window_ms: Some(1),
        message_rate: Some(MessageRate { count: 20, per_ms: 1000 }),
        ..Limits::default()
    }
}

#[derive(Clone, Debug)]
struct Step {
    kind: u8,
    words: [u8; 8],
    report: Report,
    ms: u64,
    is_new_term: bool,
    parts: Vec<Step>,
}

fn step() -> impl Strategy<Value = Step> {
    let times = select(vec![0, 0, 0, 0, 0, 0, 1, 1, 1000, 3000, 60_000, 86_400_000]);
    let alone = (0..39_u8, any::<[u8; 8]>(), report(ANYONE), times, prop::bool::weighted(0.03));
    let alone = alone.prop_map(|(kind, words, report, ms, is_new_term)| Step {
        kind,
        words,
        report,
        ms,
        is_new_term,
        parts: Vec::new(),
    });
    let alone = alone.boxed();
    (alone.clone(), prop::bool::weighted(0.1), vec(alone, 0..5)).prop_map(|(alone, is_transaction, parts)| {
        if is_transaction { Step { kind: 39, parts, ..alone } } else { alone }
    })
}

/// Bought less sold, as it is written: a sum that is beyond all numbers is told too.
fn positions_of(state: &State) -> Vec<String> {
    let Counters { positions, .. } = &state.trading().counters;
    positions.iter().map(|(key, position)| format!("{key:?} {position}")).collect()
}

fn traded(state: &State) -> (Vec<String>, Counters, Vec<(Digest, Digest)>) {
    let evidence = state.orders().iter().map(|order| (order.venue.digest(), order.hints.digest())).collect();
    (positions_of(state), state.trading().counters.clone(), evidence)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn two_desks_that_apply_one_log_are_equal(steps in vec(step(), 1..60)) {
        let mut log = Log::new(limits());
        for (number, step) in steps.iter().enumerate() {
            log.at.term += u64::from(step.is_new_term);
            let time = log.state.now().plus_ms(step.ms);
            log.at.stamp = Some(Stamp { term: log.at.term, time });
            let action = log.action(step);
            log.apply(action);
            let waits = log.state.orders().iter().filter_map(|order| order.held_until);
            prop_assert!(waits.min().is_none_or(|until| until > log.state.now()), "it waits too long");
            for order in log.state.orders().iter() {
                let present = log.state.present(log.at);
                prop_assert!(order.settled_at.is_none() || order.status(present).is_terminal());
                prop_assert!(order.authorization.is_none() || order.denial.is_none());
                prop_assert!(order.settled_at.is_none() || !order.is_unresolved(present), "{order:?}");
            }
            for status in Status::ALL {
                let filter = Filter { statuses: [status].into(), ..Filter::default() };
                let meets = |row: &&Row| filter.meets(row, log.state.present(log.at));
                let all = log.state.orders().iter().rev().filter(meets);
                let newest = OrderId(Serial(u64::MAX));
                let found = log.state.orders().before(newest, |standing| filter.may_stand(standing));
                prop_assert!(found.filter(meets).eq(all), "some that are {status} are not found");
            }
            if number % 4 == 3 {
                log.rebuild();
            }
        }
        log.rebuild();
    }

    /// In whatever order reports come, and however often.
    #[test]
    fn reports_in_any_order_give_the_same_sums(
        reports in vec((report(ANYONE), any::<bool>()), 1..8),
        places in vec(any::<Index>(), 8..12),
    ) {
        let mut logs = [Log::new(Limits::default()), Log::new(Limits::default())];
        for log in &mut logs {
            for (key, side) in [("a", Side::Buy), ("b", Side::Sell)] {
                let intent = Intent { key: name(key), side, token: log.token(), ..intent() };
                let submit = Submit { intent, sender: Sender::Cluster, hold_ms: 0, wall_ms: None };
                log.apply(order(OrderAction::Submit(submit)));
            }
        }
        let [first, second] = &mut logs;
        let ids = first.orders.clone();
        let reports: Vec<Action> = reports
            .into_iter()
            .map(|(report, is_second)| {
                let named = OrderName::Id(ids[usize::from(is_second)]);
                order(OrderAction::Report(Report { order: named, ..report }))
            })
            .collect();
        let mut repeated: Vec<Action> = Vec::new();
        for (number, place) in places.iter().enumerate() {
            let report = reports.get(number).unwrap_or_else(|| place.get(&reports));
            repeated.insert(place.index(repeated.len() + 1), report.clone());
        }
        reports.into_iter().for_each(|report| _ = first.apply(report));
        repeated.into_iter().for_each(|report| _ = second.apply(report));
        prop_assert_eq!(traded(&first.state), traded(&second.state));
        prop_assert_eq!(first.state.exposures(), second.state.exposures());
    }
}

/// The state of an image, whatever its digest.
fn state_of(image: Image) -> State {
    match State::from_image(image.clone(), Digest(0)) {
        Ok(state) => state,
        Err(wrong) => State::from_image(image, wrong.computed).expect("this is its digest"),
    }
}

/// So many orders, settled or authorised, from order 1000 on.
fn many(log: &Log, count: usize, is_settled: bool) -> Image {
    let mut image = log.state.image();
    let (at, sender) = (LogTime::ZERO, Sender::Cluster);
    image.orders = (1000..)
        .take(count)
        .map(|number| {
            let serial = Serial(number);
            let intent = Intent { key: name(&format!("many{number}")), ..intent() };
            let mut order = Order::recorded(OrderId(serial), intent, at);
            if is_settled {
                order.deny(Denial::Withdrawn, serial, at);
            } else {
                let authorization = Authorization { serial, term: 1, at, sender, wall_ms: 0, window_ms: 1 };
                order.authorize(authorization).expect("it was recorded");
            }
            Arc::new(order)
        })
        .collect();
    image.serial = Serial(1_000_000);
    image
}

fn submit(log: &Log, key: &str) -> Action {
    let intent = Intent { key: name(key), token: log.token(), ..intent() };
    order(OrderAction::Submit(Submit { intent, sender: Sender::Cluster, hold_ms: 0, wall_ms: None }))
}

fn is_full(answer: &Answer) -> bool {
    let full = OrderAnswer::Refused { reasons: vec![Reason::Full] };
    *answer == Answer::Order(Box::new(full))
}

#[test]
fn one_order_more_than_there_may_be_is_refused() {
    let log = Log::new(Limits::default());
    let mut state = state_of(many(&log, ORDERS_MAX - 1, false));
    let mut ask = |action| state.apply(log.at, Command::harmless(action)).answer;
    assert!(!is_full(&ask(submit(&log, "last"))));
    assert!(is_full(&ask(submit(&log, "more"))));
    assert!(!is_full(&ask(submit(&log, "last"))), "it is known");
    assert_eq!(state.orders().len(), ORDERS_MAX);
}

#[test]
fn more_settled_orders_than_there_may_be_go_before_their_day_is_over() {
    let log = Log::new(Limits::default());
    let mut state = state_of(many(&log, SETTLED_ORDERS_MAX + 72, true));
    // Some with each entry, however many commands it has.
    for (offset, left) in [(0, 8), (1, 8), (0, 0), (0, 0)] {
        state.apply(Position { offset, ..log.at }, Command::harmless(Action::Tick));
        assert_eq!(state.orders().settled_count(), SETTLED_ORDERS_MAX + left);
    }
    assert_eq!((state.orders().len(), state.orders().tombstone_count()), (SETTLED_ORDERS_MAX, 72));
    assert!(state.orders().get(OrderId(Serial(1071))).is_none(), "the oldest went");
    assert!(state.orders().get(OrderId(Serial(1072))).is_some());
}
