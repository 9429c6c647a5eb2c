//! What version 3 has beyond version 2: orders, and who may trade.

use std::sync::Arc;

use domain::once::Remembered;
use domain::orders::command::{Authority, Cancel, OrderAction, OrderAnswer, Replace, Signing, Submit};
use domain::orders::id::ClientOrderId;
use domain::orders::order::{Denial, Origin, Sender};
use domain::orders::reason::{Fault, Field, Limit, LimitScope, Mode, Reason, Scope};
use domain::orders::report::{
    CancelOutcome, Fact, OrderName, Report, Text, UnknownCause, VenueStatus, Witness,
};
use domain::orders::{Evidence, Order, OrderId};
use domain::trading::command::{TradingAction, TradingAnswer};
use domain::trading::configuration::{Day, Draft, Problem, Revision};
use domain::trading::scope::Subject;
use domain::trading::switch::Switched;
use domain::{
    Action, Alteration, Answer, Command, Decimal, Digest, Epoch, HistoryRecord, Image, Key, LogTime, Made,
    Recorded, RequestId, Serial, Token,
};
use prost::Message;
use wire::{Payload, log};

use crate::desk;
use crate::format::{batch, hex};

fn submit() -> Submit {
    Submit { intent: desk::intent(), sender: Sender::Bot, hold_ms: 5, wall_ms: Some(-6) }
}

fn report(fact: Fact) -> Report {
    Report {
        account: desk::name("acc"),
        symbol: desk::name("BTC"),
        order: OrderName::Id(OrderId(Serial(3))),
        by: Witness::Venue,
        venue_ms: None,
        venue_order_id: None,
        terms: None,
        fact,
    }
}

fn signing() -> Signing {
    let client =
        ClientOrderId { tag: desk::tag(), epoch: Epoch::new(1).expect("small"), order: OrderId(Serial(3)) };
    Signing { client_order_id: Some(client), wall_ms: -5, window_ms: 2000 }
}

fn order_actions() -> Vec<(&'static str, OrderAction)> {
    let token = Token::from_u64(9).expect("small");
    let cancel = |by| Cancel { order: OrderId(Serial(3)), sender: Sender::Cluster, by, wall_ms: Some(-6) };
    let by_lease = cancel(Authority::Lease { lease: desk::lease(), token });
    let described = Report {
        order: OrderName::Client(signing().client_order_id.expect("it is ours")),
        by: Witness::Bot,
        venue_ms: Some(7),
        venue_order_id: Some(desk::name("v1")),
        terms: Some(desk::terms()),
        ..report(Fact::Acknowledged)
    };
    let by_venue_name = Report { order: OrderName::Venue(desk::name("v1")), ..report(Fact::NotSent) };
    let mut actions = vec![
        ("submit", OrderAction::Submit(submit())),
        ("cancel-by-lease", OrderAction::Cancel(by_lease)),
        ("cancel-by-operator", OrderAction::Cancel(cancel(Authority::Operator(desk::audit())))),
        ("replace", OrderAction::Replace(Replace { cancel: OrderId(Serial(2)), submit: submit() })),
        ("acknowledged", OrderAction::Report(described)),
        ("not-sent", OrderAction::Report(by_venue_name)),
    ];
    let status = |status| Fact::Status { status, cumulative: desk::number("0.50") };
    let cancel = |outcome| Fact::Cancel { cancel: Serial(5), outcome };
    let facts = [
        ("open", status(VenueStatus::Open)),
        ("filled", status(VenueStatus::Filled)),
        ("canceled", status(VenueStatus::Canceled)),
        ("expired", status(VenueStatus::Expired(Text::new("GTD")))),
        ("rejected", status(VenueStatus::Rejected(desk::rejection()))),
        ("trades", Fact::Trades(vec![desk::trade()])),
        ("refused", Fact::Refused(desk::rejection())),
        ("unknown", Fact::Unknown(UnknownCause::NotUnderstood)),
        ("absent", Fact::Absent),
        ("cancel-unknown", cancel(CancelOutcome::Unknown)),
        ("cancel-refused", cancel(CancelOutcome::Refused(desk::rejection()))),
        ("cancel-done", cancel(CancelOutcome::Done)),
    ];
    actions.extend(facts.map(|(name, fact)| (name, OrderAction::Report(report(fact)))));
    actions
}

fn trading_actions() -> Vec<(&'static str, TradingAction)> {
    let audit = desk::audit;
    let subject = || Subject::Venue(desk::name("sim"));
    vec![
        (
            "configure",
            TradingAction::Configure {
                draft: desk::draft(),
                expected: None,
                tag: desk::tag(),
                audit: audit(),
            },
        ),
        (
            "configure-expecting",
            TradingAction::Configure {
                draft: Draft::default(),
                expected: Some(Revision(7)),
                tag: desk::tag(),
                audit: audit(),
            },
        ),
        ("kill", TradingAction::SetKillSwitch { subject: subject(), engaged: true, audit: audit() }),
        ("mode", TradingAction::SetMode { subject: Subject::All, mode: Mode::Halted, audit: audit() }),
        (
            "breaker",
            TradingAction::SetBreaker { venue: desk::name("sim"), forced_open: true, audit: audit() },
        ),
        ("reconciled", TradingAction::RecordReconciled { account: desk::name("acc"), term: 2 }),
        ("roll-day", TradingAction::RollDay(Day(-2))),
    ]
}

fn reasons() -> Vec<Reason> {
    let number = desk::number;
    let scope = LimitScope::StrategySymbol;
    let faults = [
        Fault::Missing,
        Fault::NotOfThisType,
        Fault::NotPositive,
        Fault::Negative,
        Fault::Precision { step: number("0.1") },
        Fault::BelowMinimum { minimum: number("0.2") },
        Fault::AboveMaximum { maximum: number("0.3") },
        Fault::InTheFuture,
        Fault::NotOfThisVenue,
        Fault::WouldNotReduce,
        Fault::NotAsReplaced,
    ];
    let mut reasons: Vec<Reason> = Field::ALL.map(Reason::Unknown).into();
    reasons.extend(faults.map(|fault| Reason::Invalid(Field::Price, fault)));
    reasons.extend(Scope::ALL.map(Reason::Killed));
    reasons.extend(Mode::ALL.map(|mode| Reason::Mode(Scope::All, mode)));
    reasons.extend(Limit::ALL.map(|limit| {
        // What is found may have more digits than come in.
        let found = Decimal::exact("9999999999999999999999999.50").expect("96 bits hold it");
        Reason::Limit { limit, scope, allowed: number("1"), found }
    }));
    let rate = |scope| Reason::MessageRate { scope, count: 1, per_ms: 2, retry_ms: 3 };
    reasons.extend(LimitScope::ALL.map(rate));
    reasons.extend([
        Reason::NotPermitted(Field::Symbol),
        Reason::AccountMode,
        Reason::WrongLease { expected: desk::lease() },
        Reason::LeaseFree,
        Reason::Fenced { current: Token::from_u64(9).expect("small") },
        Reason::BreakerOpen,
        Reason::Unreconciled,
        Reason::Duplicate { scope, window_ms: 1, age_ms: 2 },
        Reason::NoReferencePrice,
        Reason::DuplicateKey(OrderId(Serial(3))),
        Reason::KeyExpired,
        Reason::NotInState,
        Reason::Full,
    ]);
    reasons
}

fn answers() -> Vec<(&'static str, Answer)> {
    let order = OrderId(Serial(3));
    let orders = [
        ("authorized", OrderAnswer::Authorized { order, signing: signing() }),
        ("held", OrderAnswer::Held { order, reasons: vec![Reason::BreakerOpen] }),
        ("existing", OrderAnswer::Existing { order }),
        ("canceling", OrderAnswer::Canceling { order, attempt: Serial(5), signing: signing() }),
        (
            "canceling-external",
            OrderAnswer::Canceling {
                order,
                attempt: Serial(5),
                signing: Signing { client_order_id: None, ..signing() },
            },
        ),
        ("withdrawn", OrderAnswer::Withdrawn { order }),
        ("replacing", OrderAnswer::Replacing { canceled: OrderId(Serial(2)), order, signing: signing() }),
        ("denied", OrderAnswer::Denied { order, reasons: vec![Reason::LeaseFree] }),
        ("refused", OrderAnswer::Refused { reasons: reasons() }),
        ("reported", OrderAnswer::Reported { order }),
    ];
    let problem = Problem { at: "accounts".to_owned(), what: "w".to_owned() };
    let trading = [
        ("configured", TradingAnswer::Configured { changes: 4, revision: Revision(7) }),
        ("misconfigured", TradingAnswer::Misconfigured { problems: vec![problem] }),
        ("changed", TradingAnswer::Switched(Switched::Changed)),
        ("unchanged", TradingAnswer::Switched(Switched::Unchanged)),
        ("full", TradingAnswer::Switched(Switched::Full)),
        ("unknown-subject", TradingAnswer::Unknown),
        ("stale", TradingAnswer::Stale),
        ("unexplained", TradingAnswer::Unexplained),
    ];
    let orders = orders.map(|(name, answer)| (name, Answer::Order(Box::new(answer))));
    let trading = trading.map(|(name, answer)| (name, Answer::Trading(Box::new(answer))));
    orders.into_iter().chain(trading).collect()
}

fn external(denial: Denial) -> Order {
    let origin = Origin::External { account: desk::name("acc"), symbol: desk::name("BTC") };
    Order {
        id: OrderId(Serial(8)),
        origin,
        authorization: None,
        denial: Some(denial),
        cancels: [].into(),
        venue: Evidence::default(),
        hints: desk::evidence(),
        settled_at: None,
        held_until: None,
        valuation: None,
        ..desk::order()
    }
}

fn image() -> Image {
    let made = Made { serial: Serial(9), index: 5, term: 2 };
    let reported = OrderAnswer::Reported { order: OrderId(Serial(3)) };
    let remembered =
        Remembered { made, answer: Answer::Order(Box::new(reported)), until: LogTime::from_ms(41) };
    Image {
        outcomes: vec![(RequestId::Node { incarnation: 5, sequence: 1 }, remembered)],
        configured: Some(desk::configured()),
        trading: desk::trading(),
        orders: vec![Arc::new(desk::order()), Arc::new(external(Denial::Refused(vec![Reason::Full])))],
        tombstones: vec![desk::tombstone()],
        ..Image::default()
    }
}

#[test]
fn the_encoding_of_version_3_is_the_one_on_disks() {
    let orders = order_actions().into_iter().map(|(name, it)| (name, Action::Order(Box::new(it))));
    let trading = trading_actions().into_iter().map(|(name, it)| (name, Action::Trading(Box::new(it))));
    let mut now = String::new();
    for (name, action) in orders.chain(trading) {
        let payload = batch(vec![Command::harmless(action)]);
        now.push_str(&format!("{name} {}\n", hex(&wire::encode_payload(&payload))));
    }
    for (name, answer) in answers() {
        now.push_str(&format!("{name} {}\n", hex(&log::Answer::from(&answer).encode_to_vec())));
    }
    for block in wire::encode_state(&image(), Digest(0xab)) {
        now.push_str(&format!("state {}\n", hex(&block)));
    }
    for denial in [Denial::Withdrawn, Denial::Expired] {
        let what = Recorded::Order(Arc::new(external(denial)));
        let record = HistoryRecord { serial: Serial(9), term: 2, time: LogTime::from_ms(1), what };
        now.push_str(&format!("order-record {}\n", hex(&wire::encode_history_record(&record))));
    }
    assert_eq!(now, include_str!("format_3.txt"), "the encoding has changed:\n{now}");
}

#[test]
fn an_entry_is_of_the_oldest_version_that_has_all_that_is_in_it() {
    let take = || Action::Take { key: Key::new(1, *b"k") };
    let trim = Alteration::List(domain::ListChange::Trim { start: 0, stop: 1 });
    let alter = || Action::Alter { key: Key::new(1, *b"k"), alteration: trim.clone() };
    let order = || Action::Order(Box::new(OrderAction::Report(report(Fact::Absent))));
    let roll = || Action::Trading(Box::new(TradingAction::RollDay(Day(1))));
    let transaction = |actions| Action::Transaction { guards: vec![], actions };
    let version = |payload: Payload| log::Entry::decode(wire::encode_payload(&payload)).unwrap().version;
    assert_eq!(version(Payload::Blank), 1);
    assert_eq!(version(Payload::Membership(log::Membership::default())), 1);
    for (actions, expected) in [
        (vec![], 1),
        (vec![take()], 1),
        (vec![take(), alter()], 2),
        (vec![transaction(vec![])], 2),
        (vec![transaction(vec![take(), alter()])], 2),
        (vec![order()], 3),
        (vec![roll()], 3),
        (vec![take(), roll(), alter()], 3),
        (vec![transaction(vec![take(), order()])], 3),
    ] {
        let commands = actions.into_iter().map(Command::harmless).collect();
        assert_eq!(version(batch(commands)), expected);
    }
}
