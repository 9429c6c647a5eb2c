//! The part of `tests/digest.rs` that is about trading: something of everything, and a change of each field.

use std::sync::Arc;

use domain::image::{Configured, TradingRecords};
use domain::orders::command::{OrderAnswer, Signing};
use domain::orders::id::{ClientOrderId, Tag};
use domain::orders::order::{Authorization, Denial, Sender};
use domain::orders::reason::{Mode, Reason, Scope};
use domain::orders::report::{Fact, OrderName, Weight, Witness};
use domain::orders::tombstone::Tombstone;
use domain::orders::{Intent, Order, OrderId, Report};
use domain::trading::command::TradingAnswer;
use domain::trading::counters::{LastTrade, NotionalKey};
use domain::trading::reconciled::Reconciled;
use domain::trading::{
    Configuration, Counters, Day, Draft, LimitKey, Note, Owner, PositionKey, Problem, Revision, Subject,
    Switched, Switches, Valuation,
};
use domain::{Answer, Decimal, Digest, Epoch, HistoryRecord, Image, LogTime, Recorded, Serial};

use crate::desk::{account, decimal, intent, lease_name, name, standard_draft, strategy, token};

pub(crate) type Change = (&'static str, fn(&mut Image));

/// Puts something of everything into an image that has none of it.
pub(crate) fn fill(image: &mut Image) {
    image.configured = Some(Configured {
        tag: Tag::parse("desk").expect("four characters"),
        configuration: configuration(|_| ()),
    });
    image.trading = TradingRecords { switches: switches(), reconciled: reconciled(), counters: counters() };
    image.orders = [authorized(), held(), settled()].map(Arc::new).into();
    let tombstone = |order, until| Tombstone {
        payload: 141,
        order: OrderId(Serial(order)),
        filled: decimal("1.5"),
        fills: Digest(142),
        until,
    };
    image.tombstones = vec![
        ((name("mm"), name("0-gone")), tombstone(143, None)),
        ((name("mm"), name("1764500000000-gone")), tombstone(144, Some(LogTime::from_ms(145)))),
    ];
    let mut denied = recorded(73, "denied");
    denied.denial = Some(Denial::Refused(vec![Reason::Killed(Scope::All)]));
    image.tail.push(HistoryRecord {
        serial: Serial(73),
        term: 2,
        time: LogTime::from_ms(1),
        what: Recorded::Order(Arc::new(denied)),
    });
}

fn configuration(change: impl FnOnce(&mut Draft)) -> Arc<Configuration> {
    let mut draft = standard_draft();
    change(&mut draft);
    Arc::new(Configuration::try_from(draft).expect("nothing is wrong with it"))
}

fn note(serial: u64) -> Note {
    Note { actor: "ann".into(), reason: "drill".into(), serial: Serial(serial), wall_ms: 102 }
}

fn switches() -> Switches {
    Switches {
        kills: [(Subject::All, note(103))].into(),
        modes: [(Subject::Account(name("main")), (Mode::ReduceOnly, note(104)))].into(),
        breakers: [(name("sim"), note(105))].into(),
    }
}

fn reconciled() -> Reconciled {
    Reconciled { terms: [(name("main"), 106)].into() }
}

fn limit_key() -> LimitKey {
    LimitKey { owner: Owner::Account(name("main")), symbol: Some(name("BTCUSDT")) }
}

fn position_key() -> PositionKey {
    PositionKey { account: name("main"), symbol: name("BTCUSDT"), strategy: Some(name("mm")) }
}

fn last_trade() -> LastTrade {
    LastTrade { venue_ms: 109, trade: name("t1"), price: decimal("110") }
}

fn counters() -> Counters {
    Counters {
        positions: [(position_key(), decimal("107").into())].into(),
        clocks: [(limit_key(), LogTime::from_ms(108))].into(),
        day: Day(111),
        notionals: [(NotionalKey { limit: limit_key(), quote: name("USDT") }, decimal("112").into())].into(),
        last_trades: [((name("sim"), name("BTCUSDT")), last_trade())].into(),
    }
}

fn recorded(id: u64, key: &str) -> Order {
    let intent = Intent { key: name(key), ..intent() };
    Order::recorded(OrderId(Serial(id)), intent, LogTime::from_ms(121))
}

fn authorized() -> Order {
    let mut order = recorded(31, "sent");
    let (at, sender) = (LogTime::from_ms(122), Sender::Cluster);
    let authorization =
        Authorization { serial: Serial(31), term: 2, at, sender, wall_ms: 123, window_ms: 124 };
    order.authorize(authorization).expect("it was recorded");
    order.cancels = [Serial(32)].into();
    order.valuation =
        Some(Valuation { price: decimal("100"), contract_size: Decimal::ONE, quote: name("USDT") });
    order.report(&report(Fact::Acknowledged), Weight::Hint, Serial(33), LogTime::from_ms(125));
    order
}

fn held() -> Order {
    Order { held_until: Some(LogTime::from_ms(126)), ..recorded(34, "held") }
}

fn settled() -> Order {
    let mut order = recorded(35, "withdrawn");
    order.deny(Denial::Withdrawn, Serial(36), LogTime::from_ms(127));
    assert!(order.settled_at.is_some());
    order
}

fn report(fact: Fact) -> Report {
    Report {
        account: name("main"),
        symbol: name("BTCUSDT"),
        order: OrderName::Id(OrderId(Serial(31))),
        by: Witness::Venue,
        venue_ms: None,
        venue_order_id: Some(name("v1")),
        terms: None,
        fact,
    }
}

fn order(image: &mut Image, number: usize) -> &mut Order {
    Arc::make_mut(&mut image.orders[number])
}

fn authorization(image: &mut Image) -> &mut Authorization {
    order(image, 0).authorization.as_mut().expect("it is authorised")
}

fn valuation(image: &mut Image) -> &mut Valuation {
    order(image, 0).valuation.as_mut().expect("it has one")
}

fn asked(image: &mut Image, change: impl FnOnce(&mut Intent)) {
    let mut intent = order(image, 0).intent().expect("it was asked for").clone();
    change(&mut intent);
    order(image, 0).renew(intent);
}

fn configured(image: &mut Image, change: impl FnOnce(&mut Draft)) {
    image.configured.as_mut().expect("it is").configuration = configuration(change);
}

fn denied(image: &mut Image) -> &mut Order {
    match &mut image.tail[2].what {
        Recorded::Order(order) => Arc::make_mut(order),
        Recorded::Audit(_) => panic!("it is an order"),
    }
}

fn killed(image: &mut Image) -> &mut Note {
    image.trading.switches.kills.get_mut(&Subject::All).expect("it is killed")
}

pub(crate) const CHANGES: &[Change] = &[
    ("tag", |image| image.configured.as_mut().expect("it is").tag = Tag::parse("desl").expect("four")),
    ("configuration, an account more", |image| {
        configured(image, |draft| draft.accounts.push(account("second", "sim")));
    }),
    ("configuration, a strategy more", |image| {
        configured(image, |draft| draft.strategies.push(strategy("second", "main", "desk")));
    }),
    ("configuration, the day", |image| configured(image, |draft| draft.day_offset_minutes = 1)),
    ("kills", |image| image.trading.switches.kills.clear()),
    ("kills, of another", |image| {
        image.trading.switches.kills = [(Subject::Trader(name("ann")), note(103))].into();
    }),
    ("kills, of another of this name", |image| {
        image.trading.switches.kills = [(Subject::Strategy(name("ann")), note(103))].into();
    }),
    ("note.actor", |image| killed(image).actor.push('.')),
    ("note.reason", |image| killed(image).reason.push('.')),
    ("note.serial", |image| killed(image).serial = Serial(101)),
    ("note.wall", |image| killed(image).wall_ms += 1),
    ("modes", |image| image.trading.switches.modes.clear()),
    ("modes, another", |image| {
        let subject = Subject::Account(name("main"));
        image.trading.switches.modes = [(subject, (Mode::Halted, note(104)))].into();
    }),
    ("breakers", |image| image.trading.switches.breakers.clear()),
    ("breakers, another", |image| image.trading.switches.breakers = [(name("sin"), note(105))].into()),
    ("reconciled", |image| image.trading.reconciled.terms.clear()),
    ("reconciled, another", |image| image.trading.reconciled.terms = [(name("man"), 106)].into()),
    ("reconciled, the term", |image| image.trading.reconciled.terms = [(name("main"), 105)].into()),
    ("position", |image| image.trading.counters.positions.clear()),
    ("position, another", |image| {
        image.trading.counters.positions = [(position_key(), decimal("-107").into())].into();
    }),
    ("position, nobody's", |image| {
        let key = PositionKey { strategy: None, ..position_key() };
        image.trading.counters.positions = [(key, decimal("107").into())].into();
    }),
    ("clock", |image| image.trading.counters.clocks.clear()),
    ("clock, another", |image| image.trading.counters.clocks = [(limit_key(), LogTime::MAX)].into()),
    ("clock, of all symbols", |image| {
        let key = LimitKey { symbol: None, ..limit_key() };
        image.trading.counters.clocks = [(key, LogTime::from_ms(108))].into();
    }),
    ("clock, of a strategy", |image| {
        let key = LimitKey { owner: Owner::Strategy(name("main")), ..limit_key() };
        image.trading.counters.clocks = [(key, LogTime::from_ms(108))].into();
    }),
    ("day", |image| image.trading.counters.day = Day(110)),
    ("notional", |image| image.trading.counters.notionals.clear()),
    ("notional, in another asset", |image| {
        let key = NotionalKey { limit: limit_key(), quote: name("USDC") };
        image.trading.counters.notionals = [(key, decimal("112").into())].into();
    }),
    ("notional, another", |image| {
        let key = NotionalKey { limit: limit_key(), quote: name("USDT") };
        image.trading.counters.notionals = [(key, decimal("113").into())].into();
    }),
    ("last trade", |image| image.trading.counters.last_trades.clear()),
    ("last trade, elsewhere", |image| {
        image.trading.counters.last_trades = [((name("sin"), name("BTCUSDT")), last_trade())].into();
    }),
    ("last trade, its time", |image| last(image, |it| it.venue_ms += 1)),
    ("last trade, its name", |image| last(image, |it| it.trade = name("t2"))),
    ("last trade, its price", |image| last(image, |it| it.price = decimal("111"))),
    ("order removed", |image| drop(image.orders.pop())),
    ("order.id", |image| order(image, 1).id = OrderId(Serial(30))),
    ("order.revision", |image| order(image, 0).revision = Serial(30)),
    ("order.updated", |image| order(image, 0).updated_at = LogTime::MAX),
    ("order.settled", |image| order(image, 2).settled_at = Some(LogTime::from_ms(128))),
    ("order.settled, not", |image| order(image, 2).settled_at = None),
    ("order.held", |image| order(image, 1).held_until = Some(LogTime::from_ms(127))),
    ("order.held, not", |image| order(image, 1).held_until = None),
    ("order.denial", |image| order(image, 2).denial = Some(Denial::Expired)),
    ("order.cancels", |image| order(image, 0).cancels = [Serial(33)].into()),
    ("order.epoch", |image| order(image, 0).epoch = Epoch::new(2).expect("small")),
    ("order.recorded", |image| order(image, 0).recorded_ms = Some(128)),
    ("order.valuation, none", |image| order(image, 0).valuation = None),
    ("order.valuation.price", |image| valuation(image).price = decimal("101")),
    ("order.valuation.contract", |image| valuation(image).contract_size = decimal("2")),
    ("order.valuation.quote", |image| valuation(image).quote = name("USDC")),
    ("order.authorization, none", |image| order(image, 0).authorization = None),
    ("order.authorization.serial", |image| authorization(image).serial = Serial(30)),
    ("order.authorization.term", |image| authorization(image).term = 3),
    ("order.authorization.at", |image| authorization(image).at = LogTime::MAX),
    ("order.authorization.sender", |image| authorization(image).sender = Sender::Bot),
    ("order.authorization.wall", |image| authorization(image).wall_ms = 122),
    ("order.authorization.window", |image| authorization(image).window_ms = 123),
    ("order.key", |image| asked(image, |it| it.key = name("sen"))),
    ("order.account", |image| asked(image, |it| it.account = name("man"))),
    ("order.strategy", |image| asked(image, |it| it.strategy = name("m"))),
    ("order.algorithm", |image| asked(image, |it| it.algorithm = name("q"))),
    ("order.trader", |image| asked(image, |it| it.trader = name("an"))),
    ("order.symbol", |image| asked(image, |it| it.symbol = name("ETHUSDT"))),
    ("order.quantity", |image| asked(image, |it| it.quantity = decimal("2"))),
    ("order.lease", |image| asked(image, |it| it.lease = lease_name("des"))),
    ("order.token", |image| asked(image, |it| it.token = token(8))),
    ("order, what the venue said", |image| order(image, 0).venue.absent = true),
    ("order, what bots said", |image| order(image, 0).hints.absent = true),
    ("tombstone removed", |image| drop(image.tombstones.pop())),
    ("tombstone.strategy", |image| image.tombstones[0].0.0 = name("m")),
    ("tombstone.key", |image| image.tombstones[0].0.1 = name("gon")),
    ("tombstone.payload", |image| image.tombstones[0].1.payload = 140),
    ("tombstone.order", |image| image.tombstones[0].1.order = OrderId(Serial(142))),
    ("tombstone.filled", |image| image.tombstones[0].1.filled = decimal("1.6")),
    ("tombstone.fills", |image| image.tombstones[0].1.fills = Digest(141)),
    ("tombstone.until", |image| image.tombstones[1].1.until = Some(LogTime::from_ms(146))),
    ("tombstone.until, none", |image| image.tombstones[1].1.until = None),
    ("tail, another order", |image| denied(image).id = OrderId(Serial(74))),
    ("tail, denied for another reason", |image| {
        denied(image).denial = Some(Denial::Refused(vec![Reason::Killed(Scope::Venue)]));
    }),
];

fn last(image: &mut Image, change: impl FnOnce(&mut LastTrade)) {
    change(image.trading.counters.last_trades.first_entry().expect("there is one").get_mut());
}

/// Every answer that differs in one field from another.
pub(crate) fn answers() -> Vec<Answer> {
    let id = |serial| OrderId(Serial(serial));
    let (order, other) = (id(1), id(2));
    let client = |tag: &str, serial| {
        let tag = Tag::parse(tag).expect("four characters");
        Some(ClientOrderId { tag, epoch: Epoch::default(), order: id(serial) })
    };
    let signing = Signing { client_order_id: client("desk", 1), wall_ms: 3, window_ms: 4 };
    let signings = [
        signing,
        Signing { client_order_id: None, ..signing },
        Signing { client_order_id: client("desl", 1), ..signing },
        Signing { client_order_id: client("desk", 2), ..signing },
        Signing { wall_ms: 4, ..signing },
        Signing { window_ms: 5, ..signing },
    ];
    let attempt = Serial(3);
    let mut answers: Vec<OrderAnswer> = signings
        .into_iter()
        .flat_map(|signing| {
            [
                OrderAnswer::Authorized { order, signing },
                OrderAnswer::Canceling { order, attempt, signing },
                OrderAnswer::Replacing { canceled: other, order, signing },
            ]
        })
        .collect();
    answers.extend([
        OrderAnswer::Authorized { order: other, signing },
        OrderAnswer::Canceling { order: other, attempt, signing },
        OrderAnswer::Canceling { order, attempt: Serial(4), signing },
        OrderAnswer::Replacing { canceled: order, order, signing },
        OrderAnswer::Replacing { canceled: other, order: other, signing },
    ]);
    let reasons = [
        vec![],
        vec![Reason::Full],
        vec![Reason::Full, Reason::Full],
        vec![Reason::DuplicateKey(order)],
        vec![Reason::DuplicateKey(other)],
        vec![Reason::Killed(Scope::All)],
        vec![Reason::Killed(Scope::Venue)],
    ];
    for reasons in reasons {
        answers.push(OrderAnswer::Held { order, reasons: reasons.clone() });
        answers.push(OrderAnswer::Denied { order, reasons: reasons.clone() });
        answers.push(OrderAnswer::Refused { reasons });
    }
    for order in [order, other] {
        answers.push(OrderAnswer::Existing { order });
        answers.push(OrderAnswer::Withdrawn { order });
        answers.push(OrderAnswer::Reported { order });
    }
    answers.push(OrderAnswer::Held { order: other, reasons: vec![] });
    answers.push(OrderAnswer::Denied { order: other, reasons: vec![] });
    let problem = |at: &str, what: &str| Problem { at: at.to_owned(), what: what.to_owned() };
    let problems = [
        vec![],
        vec![problem("a", "b")],
        vec![problem("ab", "")],
        vec![problem("a", "c")],
        vec![problem("a", "b"), problem("a", "b")],
    ];
    let misconfigured = problems.map(|problems| TradingAnswer::Misconfigured { problems });
    let switched = [Switched::Changed, Switched::Unchanged, Switched::Full].map(TradingAnswer::Switched);
    let configured = [(0, 0), (1, 0), (0, 1)]
        .map(|(changes, revision)| TradingAnswer::Configured { changes, revision: Revision(revision) });
    let others = [TradingAnswer::Unknown, TradingAnswer::Stale, TradingAnswer::Unexplained];
    let trading = configured.into_iter().chain(misconfigured).chain(switched).chain(others);
    let orders = answers.into_iter().map(|answer| Answer::Order(Box::new(answer)));
    orders.chain(trading.map(|answer| Answer::Trading(Box::new(answer)))).collect()
}

/// Does nothing; it stops compiling when a field is added, which [`CHANGES`] must then change.
pub(crate) fn no_field_is_forgotten(image: Image) {
    let Image { configured, trading, orders, tombstones, .. } = image;
    if let Some(Configured { tag: _, configuration: _ }) = configured {}
    let TradingRecords { switches, reconciled, counters } = trading;
    let Switches { kills, modes: _, breakers: _ } = switches;
    for (_, Note { actor: _, reason: _, serial: _, wall_ms: _ }) in kills {}
    let Reconciled { terms: _ } = reconciled;
    let Counters { positions, clocks, day: Day(_), notionals, last_trades } = counters;
    for (PositionKey { account: _, symbol: _, strategy: _ }, _) in positions {}
    for (LimitKey { owner: _, symbol: _ }, _) in clocks {}
    for (NotionalKey { limit: _, quote: _ }, _) in notionals {}
    for (_, LastTrade { venue_ms: _, trade: _, price: _ }) in last_trades {}
    for row in orders {
        let Order {
            id: _,
            origin: _,
            authorization: _,
            denial: _,
            cancels: _,
            venue: _,
            hints: _,
            revision: _,
            updated_at: _,
            settled_at: _,
            held_until: _,
            valuation: _,
            epoch: _,
            recorded_ms: _,
        } = Arc::unwrap_or_clone(row);
    }
    for (_, Tombstone { payload: _, order: _, filled: _, fills: _, until: _ }) in tombstones {}
}
