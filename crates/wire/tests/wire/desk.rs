//! One of each thing that orders and trading are made of, small enough to be read.

use std::collections::BTreeMap;

use domain::command::Audit;
use domain::image::{Configured, TradingRecords};
use domain::orders::evidence::{CancelEvidence, Ends, Evidence};
use domain::orders::fill::{Commission, Fill, FillKey, Fills};
use domain::orders::order::{Authorization, Order, Origin, Sender};
use domain::orders::report::Weight;
use domain::orders::report::{Rejection, Terms, Text, UnknownCause};
use domain::orders::tombstone::{StrategyKey, Tombstone};
use domain::orders::{Intent, OrderId, OrderType, Side, Tag, TimeInForce};
use domain::trading::account::{Account, AccountMode};
use domain::trading::configuration::{Configuration, Day, Draft};
use domain::trading::counters::{Counters, LastTrade, NotionalKey, PositionKey};
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::reconciled::Reconciled;
use domain::trading::scope::{LimitKey, Owner, Subject};
use domain::trading::strategy::Strategy;
use domain::trading::switch::{Note, Switches};
use domain::trading::venue::{Instrument, Valuation, Venue};
use domain::{Decimal, Digest, Epoch, LeaseName, LogTime, Serial, Token};

/// A name.
pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect(text)
}

pub(crate) fn number(text: &str) -> Decimal {
    text.parse().expect(text)
}

pub(crate) fn lease() -> LeaseName {
    LeaseName::new("l").expect("short")
}

pub(crate) fn tag() -> Tag {
    Tag::parse("ab01").expect("four characters")
}

pub(crate) fn audit() -> Box<Audit> {
    let text = |text: &str| text.to_owned();
    Box::new(Audit {
        wall_ms: -1,
        actor: text("a"),
        action: text("b"),
        subject: text("c"),
        reason: text("d"),
    })
}

pub(crate) fn intent() -> Intent {
    Intent {
        key: name("k"),
        account: name("acc"),
        strategy: name("str"),
        algorithm: name("alg"),
        trader: name("tra"),
        symbol: name("BTC"),
        side: Side::Sell,
        order_type: OrderType::StopLossLimit,
        time_in_force: Some(TimeInForce::Ioc),
        quantity: number("1.50"),
        price: Some(number("20")),
        stop_price: Some(number("21")),
        reduce_only: true,
        lease: lease(),
        token: Token::from_u64(9).expect("small"),
    }
}

pub(crate) fn rejection() -> Rejection {
    Rejection { code: Text::new("-2010"), message: Text::new("no") }
}

pub(crate) fn terms() -> Terms {
    Terms {
        side: Side::Buy,
        order_type: Some(OrderType::Limit),
        time_in_force: Some(TimeInForce::Fok),
        quantity: Some(number("2")),
        price: Some(number("3.0")),
    }
}

pub(crate) fn trade() -> (FillKey, Fill) {
    let key = FillKey { trade: name("t1"), venue_order_id: name("v1") };
    let fill = Fill {
        quantity: number("0.5"),
        price: number("20"),
        is_bust: true,
        commission: Some(Commission { amount: number("-0.01"), asset: name("BNB") }),
        maker: Some(false),
        venue_ms: Some(7),
    };
    (key, fill)
}

/// In which everything was said that may be.
pub(crate) fn evidence() -> Evidence {
    let cancel = CancelEvidence { unknown: true, refused: Some(rejection()), done: true };
    Evidence {
        acknowledged: true,
        venue_order_ids: [name("v1"), name("v2")].into(),
        refused: Some(rejection()),
        unknown: [UnknownCause::Timeout, UnknownCause::SenderLost].into(),
        absent: true,
        not_sent: true,
        ends: Ends {
            filled: true,
            canceled: true,
            expired: Some(Text::new("GTD")),
            rejected: Some(rejection()),
        },
        cumulative: Some(number("0.5")),
        final_quantity: Some(number("0.50")),
        terms: Some((Some(6), terms())),
        venue_ms: Some(8),
        fills: Fills { by_key: [trade()].into(), conflict: true },
        cancels: [(Serial(5), cancel)].into(),
    }
}

pub(crate) fn order() -> Order {
    Order {
        id: OrderId(Serial(3)),
        origin: Origin::Intent(Box::new(intent())),
        authorization: Some(Authorization {
            serial: Serial(4),
            term: 2,
            at: LogTime::from_ms(1),
            sender: Sender::Bot,
            wall_ms: -5,
            window_ms: 2000,
        }),
        denial: None,
        cancels: [Serial(5), Serial(6)].into(),
        venue: evidence(),
        hints: Evidence::default(),
        revision: Serial(7),
        updated_at: LogTime::from_ms(2),
        settled_at: Some(LogTime::from_ms(3)),
        held_until: Some(LogTime::from_ms(4)),
        valuation: Some(Valuation { price: number("20.5"), contract_size: number("1"), quote: name("USDT") }),
        epoch: Epoch::new(1).expect("small"),
        recorded_ms: None,
    }
}

pub(crate) fn tombstone() -> (StrategyKey, Tombstone) {
    let tombstone = Tombstone {
        payload: 0xab,
        order: OrderId(Serial(2)),
        filled: number("1.5"),
        fills: Digest(0xcd),
        until: Some(LogTime::from_ms(9)),
    };
    ((name("str"), name("k0")), tombstone)
}

pub(crate) fn limits() -> Limits {
    Limits {
        price_collar_bps: Some(100),
        quantity_max: Some(number("1")),
        notional_max: Some(number("2")),
        position_max: Some(number("3")),
        open_orders_max: Some(4),
        message_rate: Some(MessageRate { count: 5, per_ms: 6 }),
        daily_notional_max: Some(number("7")),
        duplicate_window_ms: Some(8),
    }
}

pub(crate) fn draft() -> Draft {
    let instrument = Instrument {
        base: name("BTC"),
        quote: name("USDT"),
        tick: number("0.01"),
        step: number("0.001"),
        quantity_min: number("0.002"),
        quantity_max: number("9"),
        notional_min: number("10"),
        order_types: [OrderType::Limit, OrderType::Market].into(),
        reference_price: Some(number("20000")),
        contract_size: number("1"),
    };
    let symbol_limits = || BTreeMap::from([(name("BTC"), limits())]);
    Draft {
        venues: vec![Venue {
            id: name("sim"),
            kind: name("kind"),
            symbols: [(name("BTC"), instrument)].into(),
        }],
        accounts: vec![Account {
            id: name("acc"),
            venue: name("sim"),
            mode: AccountMode::Direct,
            lease: Some(lease()),
            window_ms: 2000,
            bot_reports: Weight::Evidence,
            reconciliation: true,
            limits: limits(),
            symbol_limits: symbol_limits(),
        }],
        strategies: vec![Strategy {
            id: name("str"),
            accounts: [name("acc")].into(),
            lease: lease(),
            symbols: [name("BTC")].into(),
            limits: limits(),
            symbol_limits: symbol_limits(),
        }],
        day_offset_minutes: -60,
    }
}

pub(crate) fn configured() -> Configured {
    Configured {
        tag: tag(),
        configuration: Configuration::try_from(draft()).expect("nothing is wrong with it").into(),
    }
}

pub(crate) fn trading() -> TradingRecords {
    use domain::orders::reason::Mode;
    let note = || Note { actor: "a".to_owned(), reason: "r".to_owned(), serial: Serial(1), wall_ms: -1 };
    let limit = LimitKey { owner: Owner::Account(name("acc")), symbol: Some(name("BTC")) };
    let of_strategy = LimitKey { owner: Owner::Strategy(name("str")), symbol: None };
    let position = PositionKey { account: name("acc"), symbol: name("BTC"), strategy: Some(name("str")) };
    let last = LastTrade { venue_ms: 7, trade: name("t1"), price: number("20") };
    TradingRecords {
        switches: Switches {
            kills: [(Subject::All, note()), (Subject::Trader(name("tra")), note())].into(),
            modes: [(Subject::Symbol(name("BTC")), (Mode::CancelOnly, note()))].into(),
            breakers: [(name("sim"), note())].into(),
        },
        reconciled: Reconciled { terms: [(name("acc"), 2)].into() },
        counters: Counters {
            positions: [(position, name("-1.5"))].into(),
            clocks: [(limit, LogTime::from_ms(5))].into(),
            day: Day(-2),
            notionals: [(NotionalKey { limit: of_strategy, quote: name("USDT") }, name("30"))].into(),
            last_trades: [((name("sim"), name("BTC")), last)].into(),
        },
    }
}
