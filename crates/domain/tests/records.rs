//! What the records of trading promise whatever is in them: limits to their number, a digest of every field, sums in any order.

use std::collections::BTreeMap;

use domain::limits::{
    ACCOUNTS_MAX, INSTRUMENTS_MAX, PERMISSIONS_MAX, PROBLEMS_MAX, STRATEGIES_MAX, SYMBOL_LIMITS_MAX,
    VENUES_MAX,
};
use domain::orders::intent::{OrderType, Side};
use domain::orders::reason::Mode;
use domain::orders::report::Weight;
use domain::trading::account::AccountMode;
use domain::trading::counters::LastTrade;
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::venue::Venue;
use domain::trading::{Configuration, Counters, Day, Draft, Execution, Subject, Trading};
use domain::{Decimal, Digest, LogTime, Serial};
use proptest::prelude::*;

use crate::desk::{account, decimal, instrument, lease_name, name, note, standard_draft, strategy};

fn venue(id: &str, symbols: usize) -> Venue {
    let symbols = (0..symbols).map(|n| (name(&format!("S{n}")), instrument())).collect();
    Venue { id: name(id), kind: name("sim"), symbols }
}

fn limits_of(symbols: usize) -> BTreeMap<domain::Symbol, Limits> {
    (0..symbols).map(|n| (name(&format!("S{n}")), Limits::default())).collect()
}

/// With so many of something.
type DraftOf = fn(usize) -> Draft;

#[test]
fn there_is_a_limit_to_every_number_of_records() {
    // Each as large as it may be, and one more of it.
    let cases: [(DraftOf, usize, &str); 6] = [
        (
            |n| Draft { venues: (0..n).map(|n| venue(&format!("v{n}"), 0)).collect(), ..Draft::default() },
            VENUES_MAX,
            "venues",
        ),
        (
            |n| Draft {
                accounts: (0..n).map(|n| account(&format!("a{n}"), "sim")).collect(),
                ..standard_draft()
            },
            ACCOUNTS_MAX,
            "accounts",
        ),
        (
            |n| Draft {
                strategies: (0..n).map(|n| strategy(&format!("s{n}"), "main", "desk")).collect(),
                ..standard_draft()
            },
            STRATEGIES_MAX,
            "strategies",
        ),
        (
            |n| Draft { venues: vec![venue("v", n)], ..Draft::default() },
            INSTRUMENTS_MAX,
            "symbols of all venues",
        ),
        (
            |n| {
                let mut draft = Draft { venues: vec![venue("sim", INSTRUMENTS_MAX)], ..standard_draft() };
                draft.accounts[0].symbol_limits = limits_of(n / 2);
                draft.strategies[0].symbol_limits = limits_of(n - n / 2);
                draft
            },
            SYMBOL_LIMITS_MAX,
            "limits of single symbols",
        ),
        (
            |n| {
                let mut draft = Draft { venues: vec![venue("sim", INSTRUMENTS_MAX)], ..standard_draft() };
                let each = n.div_ceil(8);
                draft.strategies = (0..8)
                    .map(|number| {
                        let symbols = (n - number * each).min(each) - 1;
                        let symbols = limits_of(symbols).into_keys().collect();
                        let strategy = strategy(&format!("s{number}"), "main", "desk");
                        domain::trading::strategy::Strategy { symbols, ..strategy }
                    })
                    .collect();
                draft
            },
            PERMISSIONS_MAX,
            "accounts and symbols that strategies name",
        ),
    ];
    for (draft, most, what) in cases {
        assert!(!draft(most).check().iter().any(|it| it.what.contains("at most")), "{most} {what}");
        let said = format!("{} {what}, and at most {most} may be", most + 1);
        assert!(draft(most + 1).check().iter().any(|it| it.what == said), "{said}");
    }
}

#[test]
fn more_problems_than_fit_are_counted() {
    let mut draft = standard_draft();
    let accounts = (0..PROBLEMS_MAX + 7).map(|n| account(&format!("a{n}"), "nowhere"));
    draft.accounts.extend(accounts);
    let problems = draft.check();
    assert_eq!(problems.len(), PROBLEMS_MAX + 1);
    assert_eq!(problems[PROBLEMS_MAX].to_string(), "and 7 more");
}

#[test]
fn the_day_begins_when_the_desk_says() {
    let midnight_ms = 20_422 * 24 * 60 * 60 * 1000;
    let day = |offset, wall_ms| {
        let draft = Draft { day_offset_minutes: offset, ..Draft::default() };
        Configuration::try_from(draft).unwrap().day_at(wall_ms)
    };
    assert_eq!(day(0, midnight_ms), Day(20_422));
    assert_eq!(day(0, midnight_ms - 1), Day(20_421));
    // Behind UTC the day begins later.
    assert_eq!(day(-300, midnight_ms + 5 * 60 * 60 * 1000 - 1), Day(20_421));
    assert_eq!(day(-300, midnight_ms + 5 * 60 * 60 * 1000), Day(20_422));
    assert_eq!(day(60, midnight_ms - 60 * 60 * 1000), Day(20_422));
    assert!(day(60, i64::MAX) > day(-60, i64::MIN), "and no clock is too wrong");
}

/// A record in which every field says something.
fn full() -> Draft {
    let mut draft = standard_draft();
    let all = Limits {
        price_collar_bps: Some(1),
        quantity_max: Some(decimal("2")),
        notional_max: Some(decimal("3")),
        position_max: Some(decimal("4")),
        open_orders_max: Some(5),
        message_rate: Some(MessageRate { count: 6, per_ms: 7 }),
        daily_notional_max: Some(decimal("8")),
        duplicate_window_ms: Some(9),
    };
    draft.accounts.push(account("alt", "sim"));
    draft.accounts[0].limits = all.clone();
    draft.accounts[0].symbol_limits.insert(name("BTCUSDT"), all.clone());
    draft.strategies[0].limits = all.clone();
    draft.strategies[0].symbol_limits.insert(name("BTCUSDT"), all);
    draft
}

#[test]
fn every_field_of_a_configuration_is_in_its_digest_and_in_the_difference() {
    let changes: [fn(&mut Draft); 34] = [
        |it| it.day_offset_minutes = 1,
        |it| it.venues[0].kind = name("other"),
        |it| it.venues.push(venue("other", 1)),
        |it| symbol(it).base = name("X"),
        |it| symbol(it).quote = name("X"),
        |it| symbol(it).tick = decimal("7"),
        |it| symbol(it).step = decimal("7"),
        |it| symbol(it).quantity_min = decimal("7"),
        |it| symbol(it).quantity_max = decimal("7"),
        |it| symbol(it).notional_min = decimal("7"),
        |it| symbol(it).order_types = [OrderType::Limit].into(),
        |it| symbol(it).reference_price = None,
        |it| symbol(it).contract_size = decimal("7"),
        |it| it.accounts[0].mode = AccountMode::Direct,
        |it| it.accounts[0].lease = Some(lease_name("desk")),
        |it| it.accounts[0].window_ms = 7,
        |it| it.accounts[0].bot_reports = Weight::Evidence,
        |it| it.accounts[0].reconciliation = false,
        |it| it.accounts[0].symbol_limits = BTreeMap::new(),
        |it| it.strategies[0].accounts = [name("alt")].into(),
        |it| it.strategies[0].lease = lease_name("other"),
        |it| it.strategies[0].symbols = [name("BTCUSDT")].into(),
        |it| it.strategies[0].limits = Limits::default(),
        |it| drop(it.strategies.pop()),
        |it| it.accounts[0].limits.price_collar_bps = None,
        |it| it.accounts[0].limits.quantity_max = None,
        |it| it.accounts[0].limits.notional_max = None,
        |it| it.accounts[0].limits.position_max = None,
        |it| it.accounts[0].limits.open_orders_max = None,
        |it| it.accounts[0].limits.message_rate = None,
        |it| it.accounts[0].limits.message_rate = Some(MessageRate { count: 7, per_ms: 7 }),
        |it| it.accounts[0].limits.message_rate = Some(MessageRate { count: 6, per_ms: 8 }),
        |it| it.accounts[0].limits.daily_notional_max = None,
        |it| it.accounts[0].limits.duplicate_window_ms = None,
    ];
    let digest = |draft: Draft| {
        let mut trading = Trading::default();
        trading.configure(draft).unwrap();
        trading.digest()
    };
    let own = digest(full());
    let old = Configuration::try_from(full()).unwrap();
    assert_eq!(digest(old.draft()), own, "what comes back from it is the same");
    assert_eq!(old.diff(&old), []);
    for (number, change) in changes.into_iter().enumerate() {
        let mut draft = full();
        change(&mut draft);
        assert_ne!(digest(draft.clone()), own, "change {number}");
        let new = Configuration::try_from(draft).unwrap();
        let lines = old.diff(&new);
        assert!(!lines.is_empty(), "change {number}");
        let back = new.diff(&old).into_iter().map(|it| (it.at, it.to, it.from)).collect::<Vec<_>>();
        assert_eq!(lines.into_iter().map(|it| (it.at, it.from, it.to)).collect::<Vec<_>>(), back);
    }
}

#[test]
fn another_way_to_write_a_number_is_another_configuration_in_nothing() {
    let of = |step, limit| {
        let mut draft = full();
        symbol(&mut draft).step = decimal(step);
        draft.accounts[0].limits.quantity_max = Some(decimal(limit));
        Configuration::try_from(draft).unwrap()
    };
    let (one, other) = (of("0.1", "5"), of("0.100", "5.0"));
    assert_eq!((one.diff(&other), one.revision()), (vec![], other.revision()));
}

/// The log says by it which configuration a command replaces: where this fails, nodes of two releases would disagree, and a new format of
/// the log is needed.
#[test]
fn the_revision_is_part_of_the_format() {
    let revision = |draft| Configuration::try_from(draft).unwrap().revision().to_string();
    assert_eq!(revision(Draft::default()), "fb3c8fbebe617fdc2911e1580b5f77a9");
    assert_eq!(revision(full()), "c03035929d09d8abb6765d6944f326c3");
}

fn symbol(draft: &mut Draft) -> &mut domain::trading::venue::Instrument {
    draft.venues[0].symbols.get_mut(&name::<domain::Symbol>("BTCUSDT")).expect("it is there")
}

fn execution(number: u64) -> Execution {
    Execution {
        account: name("main"),
        strategy: Some(name("mm")),
        symbol: name("BTCUSDT"),
        side: if number.is_multiple_of(3) { Side::Sell } else { Side::Buy },
        // Of the smallest and the largest that there are, so that a sum of floating scale would round.
        quantity: if number.is_multiple_of(2) {
            decimal("0.000000000000000001")
        } else {
            Decimal::from(number).times(decimal("1000000000000000")).expect("small enough")
        },
        price: Decimal::from(number + 1),
        venue_ms: i64::try_from(number / 3).expect("small enough"),
        trade: name(&format!("t{number}")),
    }
}

fn observe(counters: &mut Counters, configuration: &Configuration, execution: &Execution) {
    let Execution { account, symbol, price, venue_ms, trade, .. } = execution.clone();
    counters.observe(configuration, (&account, &symbol), LastTrade { venue_ms, trade, price });
}

#[test]
fn every_record_is_in_the_digest() {
    let changes: [fn(&mut Trading); 11] = [
        |it| {
            it.switches.engage(Subject::All, note());
        },
        |it| {
            it.switches.engage(Subject::Symbol(name("BTCUSDT")), note());
        },
        |it| {
            it.switches.engage(Subject::Trader(name("BTCUSDT")), note());
        },
        |it| {
            let later = domain::trading::Note { serial: Serial(2), ..note() };
            it.switches.engage(Subject::All, later);
        },
        |it| {
            it.switches.set_mode(Subject::All, Mode::ReduceOnly, note());
        },
        |it| {
            it.switches.set_mode(Subject::All, Mode::Halted, note());
        },
        |it| {
            it.switches.force_open(name("sim"), note());
        },
        |it| it.reconciled.record(name("main"), 1),
        |it| it.counters.roll(Day(1)),
        |it| it.counters.fill(&it.configuration, &execution(1)),
        |it| observe(&mut it.counters, &it.configuration, &execution(1)),
    ];
    let mut own = Trading::default();
    own.configure(full()).unwrap();
    let mut digests: Vec<Digest> = vec![own.digest()];
    for change in changes {
        let mut changed = own.clone();
        change(&mut changed);
        digests.push(changed.digest());
    }
    let (account, strategy, symbol) = (name("main"), name("mm"), name("BTCUSDT"));
    for ms in [1, 2] {
        let mut changed = own.clone();
        let whose = (&account, &strategy, &symbol);
        changed.counters.count_messages(&changed.configuration, whose, 1, LogTime::from_ms(ms));
        digests.push(changed.digest());
    }
    let number = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), number);
}

proptest! {
    #[test]
    fn reports_count_the_same_in_any_order(
        numbers in prop::collection::btree_set(0_u64..60, 1..30).prop_map(Vec::from_iter).prop_shuffle(),
        busts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let configuration = Configuration::try_from(standard_draft()).unwrap();
        let count = |numbers: &[u64]| {
            let mut counters = Counters::default();
            for number in numbers {
                counters.fill(&configuration, &execution(*number));
                observe(&mut counters, &configuration, &execution(*number));
                // What is reported again says nothing new of the price.
                observe(&mut counters, &configuration, &execution(*number));
            }
            counters
        };
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        let (mut counters, mut in_order) = (count(&numbers), count(&sorted));
        prop_assert_eq!(&counters, &in_order);
        for bust in &busts {
            counters.bust(&execution(*bust.get(&numbers)));
        }
        for bust in busts.iter().rev() {
            in_order.bust(&execution(*bust.get(&numbers)));
        }
        prop_assert_eq!(&counters, &in_order);
        let mut none = count(&numbers);
        numbers.iter().for_each(|number| none.unfill(&configuration, &execution(*number)));
        prop_assert!(none.positions.is_empty() && none.notionals.is_empty());
    }
}
