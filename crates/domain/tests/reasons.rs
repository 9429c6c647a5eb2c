//! Every reason to refuse an order is one that some order meets: none is left without its cause.

use std::collections::BTreeSet;

use domain::Decimal;
use domain::orders::intent::{Intent, OrderType, Side, TimeInForce};
use domain::orders::reason::{Fault, Field, Limit, LimitScope, Mode, Reason, Scope};
use domain::trading::account::AccountMode;
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::{Subject, Switches};

use crate::desk::{TestDesk, decimal, intent, name, note, token};

/// What a reason says, without its numbers: the whole list of what the check may say is made of these.
fn kind(reason: &Reason) -> String {
    match reason {
        Reason::Invalid(_, fault) => format!("invalid {}", fault_kind(fault)),
        Reason::Unknown(field) => format!("unknown {field}"),
        Reason::NotPermitted(field) => format!("not permitted {field}"),
        Reason::AccountMode => "account mode".into(),
        Reason::WrongLease { .. } => "wrong lease".into(),
        Reason::LeaseFree => "lease free".into(),
        Reason::Fenced { .. } => "fenced".into(),
        Reason::Killed(scope) => format!("killed {scope}"),
        Reason::Mode(scope, mode) => format!("mode {scope} {mode}"),
        Reason::BreakerOpen => "breaker open".into(),
        Reason::Unreconciled => "unreconciled".into(),
        Reason::Limit { limit, scope, .. } => format!("limit {limit} {scope}"),
        Reason::MessageRate { scope, .. } => format!("limit message_rate {scope}"),
        Reason::Duplicate { scope, .. } => format!("limit duplicate_window_ms {scope}"),
        Reason::NoReferencePrice => "no reference price".into(),
        Reason::KeyExpired => "key expired".into(),
        // Whoever keeps the orders says these: the check does not know what there is.
        Reason::DuplicateKey(_) | Reason::NotInState | Reason::NodesDiffer | Reason::Full => {
            "of the orders".into()
        }
    }
}

fn fault_kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Missing => "missing",
        Fault::NotOfThisType => "not of this type",
        Fault::NotPositive => "not positive",
        // Of reports alone.
        Fault::Negative => "negative",
        Fault::Precision { .. } => "precision",
        Fault::BelowMinimum { .. } => "below minimum",
        Fault::AboveMaximum { .. } => "above maximum",
        Fault::InTheFuture => "in the future",
        Fault::NotOfThisVenue => "not of this venue",
        Fault::WouldNotReduce => "would not reduce",
        Fault::NotAsReplaced => "not as replaced",
    }
}

/// All that there are.
fn kinds() -> BTreeSet<String> {
    let plain = [
        "account mode",
        "wrong lease",
        "lease free",
        "fenced",
        "breaker open",
        "unreconciled",
        "no reference price",
        "key expired",
        "not permitted account",
        "not permitted symbol",
        "unknown account",
        "unknown strategy",
        "unknown symbol",
        "invalid missing",
        "invalid not of this type",
        "invalid not positive",
        "invalid precision",
        "invalid below minimum",
        "invalid above maximum",
        "invalid in the future",
        "invalid not of this venue",
        "invalid would not reduce",
        "invalid not as replaced",
    ];
    let mut kinds: BTreeSet<String> = plain.into_iter().map(str::to_owned).collect();
    for scope in Scope::ALL {
        kinds.insert(format!("killed {scope}"));
        let modes = Mode::ALL.into_iter().filter(|mode| *mode != Mode::Normal);
        kinds.extend(modes.map(|mode| format!("mode {scope} {mode}")));
    }
    for scope in LimitScope::ALL {
        kinds.extend(Limit::ALL.map(|limit| format!("limit {limit} {scope}")));
        kinds.insert(format!("limit message_rate {scope}"));
        kinds.insert(format!("limit duplicate_window_ms {scope}"));
    }
    kinds
}

/// Every limit, so tight that the third order of one a time meets it.
fn tight() -> Limits {
    Limits {
        price_collar_bps: Some(1),
        quantity_max: Some(decimal("1")),
        notional_max: Some(decimal("100")),
        position_max: Some(decimal("1")),
        open_orders_max: Some(1),
        message_rate: Some(MessageRate { count: 2, per_ms: 1000 }),
        daily_notional_max: Some(decimal("100")),
        duplicate_window_ms: Some(1000),
    }
}

fn refusals(desk: &mut TestDesk, intent: &Intent) -> Vec<Reason> {
    desk.submit(intent, AccountMode::Gateway).err().unwrap_or_default()
}

/// What a change of an order that is well makes of it.
fn of_orders(met: &mut Vec<Reason>) {
    let changes: [fn(&mut Intent); 16] = [
        |it| it.quantity = Decimal::ZERO,
        |it| it.price = None,
        |it| it.stop_price = Some(Decimal::ONE),
        |it| it.quantity = decimal("1.0005"),
        |it| it.quantity = decimal("0.001"),
        |it| it.quantity = decimal("1001"),
        |it| it.key = name("9999999999999-1"),
        |it| it.key = name("1000000000000-1"),
        |it| it.reduce_only = true,
        |it| it.account = name("nobody"),
        |it| it.strategy = name("nobody"),
        |it| it.symbol = name("DOGE"),
        |it| it.token = token(6),
        |it| it.lease = crate::desk::lease_name("other"),
        |it| (it.order_type, it.price) = (OrderType::Market, None),
        |it| it.time_in_force = None::<TimeInForce>,
    ];
    for change in changes {
        let mut changed = intent();
        change(&mut changed);
        let refused = refusals(&mut TestDesk::standard(), &changed);
        assert!(!refused.is_empty(), "{changed:?}");
        met.extend(refused);
    }
}

/// What a change of the desk makes of an order that is well.
fn of_the_desk(met: &mut Vec<Reason>) {
    let changes: [fn(&mut TestDesk); 7] = [
        |desk| drop(desk.leases.remove("desk")),
        |desk| desk.term = 2,
        |desk| desk.draft.accounts[0].mode = AccountMode::Direct,
        |desk| desk.draft.strategies[0].symbols = [name("ETHUSDT")].into(),
        |desk| {
            desk.draft.accounts.push(crate::desk::account("alt", "sim"));
            desk.draft.strategies[0].accounts = [name("alt")].into();
        },
        |desk| {
            let symbols = &mut desk.draft.venues[0].symbols;
            symbols.values_mut().for_each(|it| it.order_types = [OrderType::Market].into());
        },
        |desk| {
            let symbols = &mut desk.draft.venues[0].symbols;
            symbols.values_mut().for_each(|it| it.reference_price = None);
            desk.draft.accounts[0].limits.price_collar_bps = Some(1);
        },
    ];
    for change in changes {
        let mut desk = TestDesk::standard();
        let eth = crate::desk::instrument();
        desk.draft.venues[0].symbols.insert(name("ETHUSDT"), eth);
        change(&mut desk);
        desk.configure();
        let refused = refusals(&mut desk, &intent());
        assert_eq!(refused.len(), 1, "{refused:?}");
        met.extend(refused);
    }
}

fn of_switches(met: &mut Vec<Reason>) {
    let subjects = [
        Subject::All,
        Subject::Venue(name("sim")),
        Subject::Account(name("main")),
        Subject::Strategy(name("mm")),
        Subject::Trader(name("ann")),
        Subject::Symbol(name("BTCUSDT")),
    ];
    let mut desk = TestDesk::standard();
    for subject in subjects {
        assert!(desk.trading.configuration.knows(&subject));
        desk.trading.switches.engage(subject.clone(), note());
        met.extend(refusals(&mut desk, &intent()));
        for mode in Mode::ALL {
            desk.trading.switches = Switches::default();
            desk.trading.switches.set_mode(subject.clone(), mode, note());
            let refused = refusals(&mut desk, &intent());
            assert_eq!(refused.is_empty(), mode == Mode::Normal, "{subject}: {mode}");
            met.extend(refused);
        }
        desk.trading.switches = Switches::default();
    }
    desk.trading.switches.force_open(name("sim"), note());
    met.extend(refusals(&mut desk, &intent()));
}

fn of_limits(met: &mut Vec<Reason>) {
    let places: [fn(&mut TestDesk) -> &mut Limits; 4] = [
        |desk| &mut desk.draft.accounts[0].limits,
        |desk| desk.draft.accounts[0].symbol_limits.entry(name("BTCUSDT")).or_default(),
        |desk| &mut desk.draft.strategies[0].limits,
        |desk| desk.draft.strategies[0].symbol_limits.entry(name("BTCUSDT")).or_default(),
    ];
    for place in places {
        let mut desk = TestDesk::standard();
        *place(&mut desk) = tight();
        desk.configure();
        assert_eq!(refusals(&mut desk, &intent()), [], "each limit is exactly met");
        desk.count(&intent(), 1);
        met.extend(refusals(&mut desk, &intent()));
        let large = Intent { quantity: decimal("2"), price: Some(decimal("101")), ..intent() };
        met.extend(refusals(&mut desk, &large));
    }
}

#[test]
fn every_reason_is_met() {
    let mut met = Vec::new();
    of_orders(&mut met);
    of_the_desk(&mut met);
    of_switches(&mut met);
    of_limits(&mut met);
    let mut desk = TestDesk::standard();
    let number = desk.submit(&intent(), AccountMode::Gateway).unwrap();
    let elsewhere = Intent { symbol: name("ETHUSDT"), side: Side::Sell, ..intent() };
    met.extend(desk.replace(number, &elsewhere, AccountMode::Gateway).unwrap_err());

    let found: BTreeSet<String> = met.iter().map(kind).collect();
    assert_eq!(found, kinds());
    let codes: BTreeSet<&str> = met.iter().map(Reason::code).collect();
    assert_eq!(codes.len(), 13, "one for each way to go on: {codes:?}");
    assert!(met.iter().all(|reason| !reason.to_string().is_empty()));
}

#[test]
fn only_what_people_or_a_new_leader_lift_passes_by_itself() {
    let mut met = Vec::new();
    of_orders(&mut met);
    of_limits(&mut met);
    assert!(met.iter().all(|reason| !reason.passes()));
    met.clear();
    of_switches(&mut met);
    assert!(met.iter().all(Reason::passes));
}

#[test]
fn an_unknown_order_has_a_code_of_its_own() {
    assert_ne!(Reason::Unknown(Field::Order).code(), Reason::Unknown(Field::Account).code());
}
