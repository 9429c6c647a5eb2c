//! The judges of orders, each on the smallest record that breaks its rule, and on one that is right.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use simulation::judge::orders::record::{
    Asked, CancelAsked, Entered, Got, Listing, Order, Said, Shown, Subject, Switch, Told, Wanted, What,
};
use simulation::judge::orders::{Desk, Limits, Record, Rule, examine};
use simulation::judge::{Call, History, Lease, Operation, Outcome, Reply};

/// Tokens of epoch 0 are the serials of their grants.
const FIRST: u64 = 10;
const SECOND: u64 = 20;

fn desk() -> Desk {
    let limits = Some(Limits { open_orders: 2, position: Decimal::from(5) });
    Desk { account: "sim".into(), venue: "sim".into(), limits }
}

fn grant(token: u64) -> Operation {
    let lease = Lease { holder: "t".into(), token, ttl_ms: Some(1000), remaining_ms: Some(1000) };
    Operation {
        client: 1,
        node: 1,
        key: "desk-1".into(),
        call: Call::Acquire { holder: "t".into(), ttl_ms: 1000, take_over: false },
        invoked_ns: 0,
        outcome: Outcome::Returned {
            at_ns: 1,
            reply: Reply::Acquired(lease),
            serial: Some(token),
            index: None,
            repeated: false,
        },
    }
}

fn history() -> History {
    History { operations: vec![grant(FIRST), grant(SECOND)] }
}

fn wanted(key: &str) -> Wanted {
    Wanted {
        strategy: "s1".into(),
        key: key.into(),
        account: "sim".into(),
        trader: "t".into(),
        symbol: "BTCUSDT".into(),
        is_buy: true,
        order_type: "LIMIT".into(),
        time_in_force: "GTC".into(),
        quantity: Decimal::ONE,
        price: Some(Decimal::from(100)),
        lease: "desk-1".into(),
        token: FIRST,
    }
}

/// Authorised at the serial that is its id.
fn shown(id: u64, key: &str) -> Shown {
    let wanted = wanted(key);
    Shown {
        id,
        client_order_id: format!("q{id}"),
        strategy: wanted.strategy,
        key: wanted.key,
        account: wanted.account,
        trader: wanted.trader,
        symbol: wanted.symbol,
        is_buy: wanted.is_buy,
        order_type: wanted.order_type,
        time_in_force: wanted.time_in_force,
        quantity: wanted.quantity,
        price: wanted.price,
        lease: wanted.lease,
        token: wanted.token,
        authorized_serial: Some(id),
        timestamp_ms: 1000,
        window_ms: 100,
        status: "SUBMITTING".into(),
        flags: Vec::new(),
        filled: Decimal::ZERO,
        fills: Default::default(),
        serial: id,
    }
}

fn asked(shown: Shown, existing: bool) -> Asked {
    let wanted = Wanted { token: shown.token, ..wanted(&shown.key) };
    let got = Got::Answer { at_ns: 5, value: Order { shown, existing } };
    Asked { node: 1, invoked_ns: 4, wanted, replaces: false, got }
}

fn refused(wanted: Wanted, reason: &str) -> Asked {
    let got = Got::Refused { at_ns: 5, reasons: vec![reason.into()] };
    Asked { node: 1, invoked_ns: 4, wanted, replaces: false, got }
}

fn entered(shown: &Shown) -> Entered {
    Entered {
        client_order_id: shown.client_order_id.clone(),
        venue_order_id: format!("v{}", shown.id),
        symbol: shown.symbol.clone(),
        is_buy: shown.is_buy,
        order_type: shown.order_type.clone(),
        quantity: shown.quantity,
        price: shown.price,
        executed: Decimal::ZERO,
        status: "NEW".into(),
        created_ms: 1050,
    }
}

fn told(client_order_id: &str, said: Said) -> Told {
    Told {
        client_order_id: client_order_id.into(),
        invoked_ns: 6,
        got: Got::Answer { at_ns: 7, value: 30 },
        said,
    }
}

/// An order that was authorised, entered the exchange, was told of and is shown by two nodes.
fn right() -> Record {
    let alive = Shown { status: "OPEN".into(), serial: 30, ..shown(12, "k1") };
    let listing: Listing = [(12, alive)].into();
    let mut record = Record::default();
    record.asked.push(asked(shown(12, "k1"), false));
    record.asked.push(asked(shown(12, "k1"), true));
    record.told.push(told("q12", Said { alive: true, ..Said::default() }));
    record.ledger.orders.push(entered(&shown(12, "k1")));
    record.kept = listing.clone();
    record.ends = vec![(1, listing.clone()), (2, listing)];
    record.switched = Some(BTreeSet::new());
    record
}

fn kill(on: bool, serial: u64) -> Switch {
    let subject = Subject::Strategy("s1".into());
    Switch { what: What::Kill, subject, on, invoked_ns: 1, got: Got::Answer { at_ns: 2, value: serial } }
}

fn broken(record: &Record) -> Vec<Rule> {
    examine(record, &history(), &desk()).iter().map(|wrong| wrong.rule).collect()
}

/// What is broken when a record that is right is changed like this.
fn changed(change: impl FnOnce(&mut Record)) -> Vec<Rule> {
    let mut record = right();
    change(&mut record);
    broken(&record)
}

/// An order that only the log has.
fn with(record: &mut Record, shown: Shown) {
    let listings = record.ends.iter_mut().map(|(_, listing)| listing);
    for listing in listings.chain([&mut record.kept]) {
        listing.insert(shown.id, shown.clone());
    }
}

#[test]
fn what_is_right_is_not_blamed() {
    assert_eq!(changed(|_| {}), []);
    assert_eq!(changed(|record| record.asked.push(refused(wanted("k2"), "LIMIT"))), []);
    assert_eq!(changed(|record| record.switches = vec![kill(true, 13), kill(false, 40)]), []);
}

#[test]
fn a_key_is_one_order_and_one_order_a_key() {
    let again = |id, key| changed(move |record| record.asked.push(asked(shown(id, key), true)));
    assert!(again(13, "k1").contains(&Rule::KeyTwice));
    assert!(again(12, "k2").contains(&Rule::KeyTwice));
    assert_eq!(changed(|record| record.asked.push(asked(shown(12, "k1"), false))), [Rule::AuthorizedTwice]);
    let other = |record: &mut Record| record.asked[1].wanted.quantity = Decimal::TWO;
    assert_eq!(changed(other), [Rule::OtherOrder]);
}

#[test]
fn a_key_under_another_token_is_no_duplicate() {
    let again = refused(Wanted { token: SECOND, ..wanted("k1") }, "DUPLICATE_KEY");
    assert_eq!(changed(|record| record.asked.push(again)), [Rule::NotDuplicate]);
    let other = refused(Wanted { quantity: Decimal::TWO, ..wanted("k1") }, "DUPLICATE_KEY");
    assert_eq!(changed(|record| record.asked.push(other)), []);
}

#[test]
fn who_is_fenced_is_not_served() {
    let late = |token, id| changed(move |record| with(record, Shown { token, ..shown(id, "k2") }));
    assert_eq!(late(FIRST, 19), []);
    assert_eq!(late(FIRST, 21), [Rule::FencedServed]);
    assert_eq!(late(SECOND, 21), []);
    assert_eq!(late(SECOND, 19), [Rule::FencedServed], "before it was granted");
    assert_eq!(late(15, 21), [Rule::FencedServed], "never granted");
    let cancel = CancelAsked {
        node: 1,
        invoked_ns: 1,
        client_order_id: "q12".into(),
        lease: "desk-1".into(),
        token: FIRST,
        got: Got::Answer { at_ns: 2, value: 22 },
    };
    assert_eq!(
        changed(|record| {
            record.cancels.push(cancel);
            record.told[0].said.cancel_refused = true;
        }),
        [Rule::FencedServed]
    );
    let fenced = |token| refused(Wanted { token, ..wanted("k2") }, "FENCED");
    assert_eq!(changed(|record| record.asked.push(fenced(FIRST))), []);
    assert_eq!(changed(|record| record.asked.push(fenced(SECOND))), [Rule::FencedWithoutReason]);
}

#[test]
fn what_a_switch_forbids_is_not_authorised() {
    let around =
        |from, until| changed(move |record| record.switches = vec![kill(true, from), kill(false, until)]);
    assert_eq!(around(11, 13), [Rule::SwitchIgnored]);
    assert_eq!(around(8, 11), []);
    let another = Subject::Strategy("s2".into());
    let of_another = changed(|record| {
        record.switches = vec![kill(true, 11), kill(false, 13)];
        record.switches.iter_mut().for_each(|switch| switch.subject = another.clone());
    });
    assert_eq!(of_another, []);
    let unknown = changed(|record| {
        record.switches = vec![kill(true, 11), kill(false, 13)];
        record.switches[1].got = Got::Unknown;
    });
    assert_eq!(unknown, [], "it may have been taken back at once");
    let killed = refused(wanted("k2"), "KILLED");
    assert_eq!(changed(|record| record.asked.push(killed)), [Rule::SwitchedWithoutReason]);
}

#[test]
fn limits_are_never_passed() {
    let more = |count: u64, quantity: i64| {
        changed(move |record| {
            for at in 0..count {
                let quantity = Decimal::from(quantity);
                let key = format!("k{}", at + 2);
                with(record, Shown { quantity, ..shown(13 + at, &key) });
            }
        })
    };
    assert_eq!(more(1, 4), []);
    assert_eq!(more(2, 1), [Rule::LimitPassed], "three are open");
    assert_eq!(more(1, 5), [Rule::LimitPassed], "a position of six");
    let ended = changed(|record| {
        for id in [13, 40] {
            with(record, shown(id, &format!("k{id}")));
        }
        record.kept.get_mut(&40).unwrap().token = SECOND;
        for at in 0..2 {
            record.ends[at].1.get_mut(&40).unwrap().token = SECOND;
        }
        let canceled = Said { cancel_done: true, ..Said::default() };
        record.told.push(Told { got: Got::Unknown, ..told("q13", canceled) });
    });
    assert_eq!(ended, [], "one of the three may have ended");
}

#[test]
fn nothing_that_was_acknowledged_is_lost() {
    let gone = changed(|record| {
        record.kept.clear();
        record.ledger.orders.clear();
        record.ends.clear();
    });
    // Two answers showed it.
    assert_eq!(gone, [Rule::Lost, Rule::Lost]);
    let said = |said: Said| changed(move |record| record.told.push(told("q12", said)));
    assert_eq!(said(Said { ended: Some("CANCELED".into()), ..Said::default() }), [Rule::Lost]);
    assert_eq!(said(Said { filled: Decimal::ONE, ..Said::default() }), [Rule::Lost]);
    let fills = [(("1".to_owned(), "v12".to_owned()), (Decimal::ONE, Decimal::ONE))].into();
    assert_eq!(said(Said { fills, ..Said::default() }), [Rule::Lost]);
    let older = changed(|record| record.kept.get_mut(&12).unwrap().serial = 11);
    assert_eq!(older, [Rule::Lost, Rule::Lost]);
    assert_eq!(changed(|record| record.switches = vec![kill(true, 40)]), [Rule::Lost]);
    assert_eq!(changed(|record| record.configured_otherwise.push("it".into())), [Rule::Lost]);
    let unknown = changed(|record| {
        let got = Got::Refused { at_ns: 8, reasons: Vec::new() };
        record.told.push(Told { got, ..told("q12", Said::default()) });
    });
    assert_eq!(unknown, [Rule::Lost], "an order that a report did not find");
}

#[test]
fn what_enters_the_exchange_was_authorised() {
    assert_eq!(changed(|record| record.ledger.orders[0].created_ms = 1101), [Rule::Unauthorized]);
    assert_eq!(changed(|record| record.ledger.orders[0].price = None), [Rule::Unauthorized]);
    let foreign = entered(&shown(99, "k9"));
    assert_eq!(changed(|record| record.ledger.orders.push(foreign)), [Rule::Unauthorized]);
}

#[test]
fn in_the_end_every_node_shows_the_truth() {
    let both = [Rule::NotTheTruth, Rule::NotTheTruth];
    assert_eq!(changed(|record| record.ledger.orders[0].executed = Decimal::ONE), both);
    assert_eq!(changed(|record| record.ledger.orders[0].status = "CANCELED".into()), both);
    let fills = [(("1".to_owned(), "v12".to_owned()), (Decimal::ONE, Decimal::ONE))].into();
    assert_eq!(changed(|record| drop(record.ledger.fills.insert("q12".into(), fills))), both);
    let never_there = Shown { status: "OPEN".into(), ..shown(13, "k2") };
    assert_eq!(changed(|record| with(record, never_there)), both);
    let apart = changed(|record| record.ends[0].1.get_mut(&12).unwrap().serial = 31);
    assert_eq!(apart, [Rule::NodesDiffer]);
}
