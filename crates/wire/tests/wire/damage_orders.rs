//! What is damaged in orders is an error that names it.

use bytes::Bytes;
use domain::Image;
use domain::orders::Evidence;
use domain::orders::command::OrderAnswer;
use domain::orders::order::Denial;
use domain::orders::reason::Reason;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message;
use wire::log::command::Action;
use wire::log::row::Row;
use wire::{DecodeError, log};

use crate::damage::{rows, what, wrong};
use crate::{any, desk};

proptest! {
    #[test]
    fn a_damaged_order_is_an_error_or_another_order(
        record in any::history_record(), cut in any::<Index>(), at in any::<Index>(), flip in 1_u8..=255,
    ) {
        let bytes = wire::encode_history_record(&record);
        let mut flipped = bytes.to_vec();
        flipped[at.index(bytes.len())] ^= flip;
        for damaged in [&bytes[..cut.index(bytes.len())], &flipped] {
            if let Ok(other) = wire::decode_history_record(damaged) {
                let again = wire::encode_history_record(&other);
                prop_assert_eq!(wire::decode_history_record(&again).unwrap(), other);
            }
        }
    }

    #[test]
    fn a_damaged_outcome_is_an_error_or_another_outcome(
        outcome in any::outcome(), cut in any::<Index>(), at in any::<Index>(), flip in 1_u8..=255,
    ) {
        let bytes = log::Outcome::from(&outcome).encode_to_vec();
        let decode = |bytes: &[u8]| log::Outcome::decode(bytes).ok().map(domain::Outcome::try_from);
        let mut flipped = bytes.clone();
        if !bytes.is_empty() {
            flipped[at.index(bytes.len())] ^= flip;
        }
        for damaged in [&bytes[..cut.index(bytes.len() + 1)], &flipped] {
            if let Some(Ok(other)) = decode(damaged) {
                let again = log::Outcome::from(&other).encode_to_vec();
                prop_assert_eq!(decode(&again), Some(Ok(other)));
            }
        }
    }
}

pub(crate) const NO_NAME: &str = "a b";
pub(crate) const NO_NUMBER: &str = "1e3";
pub(crate) const NO_KIND: i32 = 99;

/// What the error names when a thing of the log is decoded that was changed.
pub(crate) fn changed<L: Clone, D: TryFrom<L, Error = DecodeError> + std::fmt::Debug>(
    whole: &L,
    change: impl FnOnce(&mut L),
) -> &'static str {
    let mut changed = whole.clone();
    change(&mut changed);
    what(D::try_from(changed))
}

#[test]
fn what_is_wrong_in_an_intent_is_named() {
    use domain::orders::Intent;
    let whole = log::Intent::from(&desk::intent());
    let said = |change: fn(&mut log::Intent)| changed::<_, Intent>(&whole, change);
    assert_eq!(said(|it| it.key = NO_NAME.into()), "Intent.key");
    assert_eq!(said(|it| it.account.clear()), "Intent.account");
    assert_eq!(said(|it| it.strategy = "x".repeat(65)), "Intent.strategy");
    assert_eq!(said(|it| it.algorithm = NO_NAME.into()), "Intent.algorithm");
    assert_eq!(said(|it| it.trader = NO_NAME.into()), "Intent.trader");
    assert_eq!(said(|it| it.symbol = NO_NAME.into()), "Intent.symbol");
    assert_eq!(said(|it| it.side = NO_KIND), "Intent.side");
    assert_eq!(said(|it| it.side = 0), "OrderSide");
    assert_eq!(said(|it| it.order_type = NO_KIND), "Intent.order_type");
    assert_eq!(said(|it| it.order_type = 0), "OrderType");
    assert_eq!(said(|it| it.time_in_force = NO_KIND), "Intent.time_in_force");
    assert_eq!(said(|it| it.quantity = NO_NUMBER.into()), "Intent.quantity");
    assert_eq!(said(|it| it.quantity.clear()), "Intent.quantity");
    assert_eq!(said(|it| it.quantity = "9".repeat(30)), "Intent.quantity");
    assert_eq!(said(|it| it.price = Some(NO_NUMBER.into())), "Intent.price");
    assert_eq!(said(|it| it.stop_price = Some(NO_NUMBER.into())), "Intent.stop_price");
    assert_eq!(said(|it| it.lease.clear()), "Intent.lease");
    assert_eq!(said(|it| it.token = 1 << 53), "Intent.token");
}

#[test]
fn what_is_wrong_in_what_is_asked_of_orders_is_named() {
    let intent = || Some(log::Intent::from(&desk::intent()));
    let submit = |intent, sender| log::SubmitOrder { intent, sender, ..Default::default() };
    assert_eq!(wrong(Some(Action::SubmitOrder(submit(None, 1)))), "SubmitOrder.intent");
    assert_eq!(wrong(Some(Action::SubmitOrder(submit(intent(), NO_KIND)))), "SubmitOrder.sender");
    assert_eq!(wrong(Some(Action::SubmitOrder(submit(intent(), 0)))), "Sender");
    assert_eq!(wrong(Some(Action::ReplaceOrder(log::ReplaceOrder::default()))), "ReplaceOrder.submit");
    use log::cancel_order::By;
    let cancel =
        |by, sender| Some(Action::CancelOrder(log::CancelOrder { by, sender, ..Default::default() }));
    let lease = |lease: &str, token| Some(By::Lease(log::LeaseAuthority { lease: lease.into(), token }));
    assert_eq!(wrong(cancel(None, 1)), "CancelOrder.by");
    assert_eq!(wrong(cancel(lease("l", 1), NO_KIND)), "CancelOrder.sender");
    assert_eq!(wrong(cancel(lease("", 1), 1)), "LeaseAuthority.lease");
    assert_eq!(wrong(cancel(lease("l", 1 << 53), 1)), "LeaseAuthority.token");
}

#[test]
fn what_is_wrong_in_a_report_is_named() {
    use log::report::{Fact, Order};
    let whole = log::Report {
        account: "acc".into(),
        symbol: "BTC".into(),
        order: Some(Order::Id(1)),
        by: 1,
        fact: Some(Fact::Absent(log::Absent {})),
        ..Default::default()
    };
    let said = |change: &dyn Fn(&mut log::Report)| {
        let mut report = whole.clone();
        change(&mut report);
        wrong(Some(Action::ReportOrder(report)))
    };
    assert_eq!(said(&|it| it.account.clear()), "Report.account");
    assert_eq!(said(&|it| it.symbol = NO_NAME.into()), "Report.symbol");
    assert_eq!(said(&|it| it.order = None), "Report.order");
    let foreign = || "xab01001000000003".to_owned();
    assert_eq!(said(&|it| it.order = Some(Order::ClientOrderId(foreign()))), "Report.client_order_id");
    assert_eq!(said(&|it| it.order = Some(Order::VenueName(NO_NAME.into()))), "Report.venue_name");
    assert_eq!(said(&|it| it.by = NO_KIND), "Report.by");
    assert_eq!(said(&|it| it.by = 0), "Witness");
    assert_eq!(said(&|it| it.venue_order_id = Some(NO_NAME.into())), "Report.venue_order_id");
    assert_eq!(said(&|it| it.fact = None), "Report.fact");
    assert_eq!(said(&|it| it.fact = Some(Fact::Unknown(NO_KIND))), "Report.unknown");
    assert_eq!(said(&|it| it.fact = Some(Fact::Unknown(0))), "UnknownCause");
    let status =
        |status, cumulative: &str| Fact::Status(log::Status { status, cumulative: cumulative.into() });
    let open = || Some(log::status::Status::Open(log::Open {}));
    assert_eq!(said(&|it| it.fact = Some(status(None, "1"))), "Status.status");
    assert_eq!(said(&|it| it.fact = Some(status(open(), ""))), "Status.cumulative");
    let cancel = || Fact::Cancel(log::CancelFact { cancel: 1, outcome: None });
    assert_eq!(said(&|it| it.fact = Some(cancel())), "CancelFact.outcome");

    let terms = log::Terms::from(&desk::terms());
    let of_terms = |change: fn(&mut log::Terms)| said(&|it| change(it.terms.insert(terms.clone())));
    assert_eq!(of_terms(|it| it.side = NO_KIND), "Terms.side");
    assert_eq!(of_terms(|it| it.order_type = NO_KIND), "Terms.order_type");
    assert_eq!(of_terms(|it| it.time_in_force = NO_KIND), "Terms.time_in_force");
    assert_eq!(of_terms(|it| it.quantity = Some(NO_NUMBER.into())), "Terms.quantity");
    assert_eq!(of_terms(|it| it.price = Some(NO_NUMBER.into())), "Terms.price");

    let trade = log::Evidence::from(&desk::evidence()).fills.remove(0);
    let of_trade = |change: fn(&mut log::Trade)| {
        let mut trade = trade.clone();
        change(&mut trade);
        said(&|it| it.fact = Some(Fact::Trades(log::Trades { trades: vec![trade.clone()] })))
    };
    fn commission(trade: &mut log::Trade) -> &mut log::Commission {
        trade.commission.as_mut().expect("it is there")
    }
    assert_eq!(of_trade(|it| it.trade.clear()), "Trade.trade");
    assert_eq!(of_trade(|it| it.venue_order_id.clear()), "Trade.venue_order_id");
    assert_eq!(of_trade(|it| it.quantity.clear()), "Trade.quantity");
    assert_eq!(of_trade(|it| it.price = NO_NUMBER.into()), "Trade.price");
    assert_eq!(of_trade(|it| commission(it).amount.clear()), "Commission.amount");
    assert_eq!(of_trade(|it| commission(it).asset.clear()), "Commission.asset");
}

#[test]
fn evidence_out_of_order_or_repeated_is_named() {
    let whole = log::Evidence::from(&desk::evidence());
    let said = |change: fn(&mut log::Evidence)| changed::<_, Evidence>(&whole, change);
    assert_eq!(said(|it| it.venue_order_ids.reverse()), "Evidence.venue_order_ids");
    assert_eq!(said(|it| it.venue_order_ids[1] = "v1".into()), "Evidence.venue_order_ids");
    assert_eq!(said(|it| it.venue_order_ids[0].clear()), "Evidence.venue_order_ids");
    assert_eq!(said(|it| it.unknown.reverse()), "Evidence.unknown");
    assert_eq!(said(|it| it.unknown = vec![1, 1]), "Evidence.unknown");
    assert_eq!(said(|it| it.unknown = vec![NO_KIND]), "Evidence.unknown");
    assert_eq!(said(|it| it.fills.push(it.fills[0].clone())), "Evidence.fills");
    assert_eq!(said(|it| it.cancels.push(it.cancels[0].clone())), "Evidence.cancels");
    assert_eq!(said(|it| it.cumulative = Some(String::new())), "Evidence.cumulative");
    assert_eq!(said(|it| it.final_quantity = Some(NO_NUMBER.into())), "Evidence.final_quantity");
    let of_nothing = |it: &mut log::Evidence| it.terms = None;
    assert_eq!(said(of_nothing), "Evidence.terms_venue_ms");
}

#[test]
fn what_is_wrong_in_an_order_is_named() {
    use domain::orders::Order;
    let whole = log::OrderRow::from(&desk::order());
    let said = |change: fn(&mut log::OrderRow)| changed::<_, Order>(&whole, change);
    assert_eq!(said(|it| it.origin = None), "OrderRow.origin");
    fn external(account: &str, symbol: &str) -> Option<log::order_row::Origin> {
        let external = log::ExternalOrder { account: account.into(), symbol: symbol.into() };
        Some(log::order_row::Origin::External(external))
    }
    assert_eq!(said(|it| it.origin = external("", "BTC")), "ExternalOrder.account");
    assert_eq!(said(|it| it.origin = external("acc", "")), "ExternalOrder.symbol");
    assert_eq!(said(|it| it.authorization.as_mut().unwrap().sender = NO_KIND), "Authorization.sender");
    assert_eq!(said(|it| it.denial = Some(log::Denial { denial: None })), "Denial.denial");
    assert_eq!(said(|it| it.cancels = vec![6, 5]), "OrderRow.cancels");
    assert_eq!(said(|it| it.cancels = vec![5, 5]), "OrderRow.cancels");
    assert_eq!(said(|it| it.epoch = 512), "OrderRow.epoch");
    assert_eq!(said(|it| it.epoch = 1 << 16), "OrderRow.epoch");
    fn valuation(row: &mut log::OrderRow) -> &mut log::Valuation {
        row.valuation.as_mut().unwrap()
    }
    assert_eq!(said(|it| valuation(it).price.clear()), "Valuation.price");
    assert_eq!(said(|it| valuation(it).contract_size.clear()), "Valuation.contract_size");
    assert_eq!(said(|it| valuation(it).quote.clear()), "Valuation.quote");
    let nested =
        |it: &mut log::OrderRow| it.hints = Some(log::Evidence { unknown: vec![2, 1], ..Default::default() });
    assert_eq!(said(nested), "Evidence.unknown");
}

#[test]
fn what_is_wrong_in_a_reason_is_named() {
    use log::invalid_field::Fault;
    use log::reason::Reason as Kind;
    let said = |reason| what(Reason::try_from(log::Reason { reason }));
    assert_eq!(said(None), "Reason.reason");
    let invalid = |field, fault| Some(Kind::Invalid(log::InvalidField { field, fault }));
    assert_eq!(said(invalid(NO_KIND, Some(Fault::Missing(log::Plain {})))), "Reason.field");
    assert_eq!(said(invalid(0, Some(Fault::Missing(log::Plain {})))), "OrderField");
    assert_eq!(said(invalid(1, None)), "InvalidField.fault");
    assert_eq!(said(invalid(1, Some(Fault::Precision(String::new())))), "Fault.precision");
    assert_eq!(said(invalid(1, Some(Fault::BelowMinimum(String::new())))), "Fault.below_minimum");
    assert_eq!(said(invalid(1, Some(Fault::AboveMaximum(String::new())))), "Fault.above_maximum");
    assert_eq!(said(Some(Kind::Unknown(NO_KIND))), "Reason.field");
    assert_eq!(said(Some(Kind::WrongLease(String::new()))), "Reason.wrong_lease");
    assert_eq!(said(Some(Kind::Fenced(1 << 53))), "Reason.fenced");
    assert_eq!(said(Some(Kind::Killed(NO_KIND))), "Reason.scope");
    assert_eq!(said(Some(Kind::Killed(0))), "SwitchScope");
    assert_eq!(said(Some(Kind::Mode(log::ModeReason { scope: 1, mode: NO_KIND }))), "ModeReason.mode");
    assert_eq!(said(Some(Kind::Mode(log::ModeReason { scope: 1, mode: 0 }))), "TradingMode");
    let limit = |limit, scope, allowed: &str, found: &str| {
        let (allowed, found) = (allowed.into(), found.into());
        Some(Kind::Limit(log::LimitReason { limit, scope, allowed, found }))
    };
    assert_eq!(said(limit(NO_KIND, 1, "1", "2")), "LimitReason.limit");
    assert_eq!(said(limit(0, 1, "1", "2")), "LimitName");
    assert_eq!(said(limit(1, NO_KIND, "1", "2")), "Reason.scope");
    assert_eq!(said(limit(1, 0, "1", "2")), "LimitScope");
    assert_eq!(said(limit(1, 1, "", "2")), "LimitReason.allowed");
    assert_eq!(said(limit(1, 1, "1", "")), "LimitReason.found");
    let denial = log::denial::Denial::Refused(log::Reasons { reasons: vec![log::Reason::default()] });
    assert_eq!(what(Denial::try_from(log::Denial { denial: Some(denial) })), "Reason.reason");
}

#[test]
fn what_is_wrong_in_an_answer_is_named() {
    use log::order_answer::Answer;
    let said = |answer| what(OrderAnswer::try_from(log::OrderAnswer { answer }));
    assert_eq!(said(None), "OrderAnswer.answer");
    assert_eq!(said(Some(Answer::Authorized(log::Authorized::default()))), "OrderAnswer.signing");
    assert_eq!(said(Some(Answer::Canceling(log::Canceling::default()))), "OrderAnswer.signing");
    assert_eq!(said(Some(Answer::Replacing(log::Replacing::default()))), "OrderAnswer.signing");
    let signing = Some(log::Signing { client_order_id: "web_1".into(), ..Default::default() });
    assert_eq!(
        said(Some(Answer::Authorized(log::Authorized { order: 1, signing }))),
        "Signing.client_order_id"
    );
    let reasons = || vec![log::Reason::default()];
    assert_eq!(said(Some(Answer::Held(log::Held { order: 1, reasons: reasons() }))), "Reason.reason");
    assert_eq!(said(Some(Answer::Refused(log::Reasons { reasons: reasons() }))), "Reason.reason");
}

pub(crate) fn head(orders: u64, tombstones: u64) -> Row {
    let zero = Bytes::from_static(&[0; 16]);
    let counts = log::RowCounts { orders, tombstones, ..Default::default() };
    let (digest, history_chain) = (zero.clone(), zero);
    Row::Head(log::Head { digest, history_chain, counts: Some(counts), ..Default::default() })
}

/// The rows of an image after its head.
pub(crate) fn rows_of(image: &Image) -> Vec<Row> {
    let blocks: Vec<Bytes> = wire::encode_state(image, domain::Digest(0)).collect();
    let bytes = blocks.concat();
    let mut rest = &bytes[..];
    let mut rows = Vec::new();
    while !rest.is_empty() {
        rows.extend(log::Row::decode_length_delimited(&mut rest).expect("whole rows").row);
    }
    rows.split_off(1)
}

#[test]
fn parts_out_of_place_are_errors() {
    use log::LongRowKind::{Configuration, Order, Trading, Unspecified};
    let bytes = |id| {
        let origin = log::ExternalOrder { account: "acc".into(), symbol: "BTC".into() };
        let origin = Some(log::order_row::Origin::External(origin));
        Bytes::from(log::OrderRow { id, origin, ..Default::default() }.encode_to_vec())
    };
    let part = |kind: log::LongRowKind, id, (part, parts), bytes| {
        Row::Long(log::LongRow { kind: kind.into(), id, part, parts, bytes })
    };
    let order = |id| part(Order, id, (0, 1), bytes(id));
    let half = |id, number| {
        let whole = bytes(id);
        let half = if number == 0 { whole.slice(..5) } else { whole.slice(5..) };
        part(Order, id, (number, 2), half)
    };
    let trading = || part(Trading, 0, (0, 1), Bytes::new());
    let named = |of_orders, long: Vec<Row>| rows(std::iter::once(head(of_orders, 0)).chain(long).collect());
    assert!(named(2, vec![trading(), order(1), half(2, 0), half(2, 1)]).is_ok());

    let out_of_place = [
        (vec![half(1, 1)], "the first part is missing"),
        (vec![half(1, 0), half(1, 0)], "a part twice"),
        (vec![half(1, 0), half(2, 1)], "the parts of two orders"),
        (vec![half(1, 0), part(Order, 1, (1, 3), Bytes::new())], "another number of parts"),
        (vec![half(1, 0), part(Trading, 1, (1, 2), Bytes::new())], "a part of another kind"),
        (vec![half(1, 0), order(1)], "a whole row inside another"),
        (vec![part(Order, 1, (0, 0), Bytes::new())], "no part at all"),
        (vec![part(Order, 1, (2, 2), Bytes::new())], "a part too many"),
        (vec![order(1), trading()], "counters after an order"),
        (vec![trading(), part(Configuration, 0, (0, 1), Bytes::new())], "a configuration after counters"),
        (vec![trading(), trading()], "counters twice"),
    ];
    for (long, why) in out_of_place {
        assert_eq!(what(named(1, long)), "LongRow", "{why}");
    }
    assert_eq!(what(named(1, vec![half(1, 0)])), "LongRow", "the last part is missing");
    assert_eq!(what(named(1, vec![part(Unspecified, 0, (0, 1), Bytes::new())])), "LongRow.kind");
    let unknown = log::LongRow { kind: NO_KIND, parts: 1, ..Default::default() };
    assert_eq!(what(named(1, vec![Row::Long(unknown)])), "LongRow.kind");
    assert_eq!(what(named(1, vec![part(Order, 2, (0, 1), bytes(1))])), "OrderRow.id");
    assert_eq!(what(named(2, vec![order(2), order(1)])), "OrderRow.id", "out of order");
    assert_eq!(what(named(2, vec![order(1), order(1)])), "OrderRow.id", "an order twice");
    assert_eq!(what(named(2, vec![order(1)])), "Head.counts", "an order too few");
    let key = Row::Key(log::KeyRow::default());
    assert_eq!(what(named(1, vec![order(1), key])), "Row", "a key after an order");
    let unreadable = named(1, vec![part(Order, 1, (0, 1), Bytes::from_static(&[0xff]))]);
    assert!(matches!(unreadable, Err(DecodeError::Unreadable { what: "OrderRow", .. })), "{unreadable:?}");
}

#[test]
fn a_key_that_stands_for_two_orders_is_an_error() {
    let other = domain::orders::Order { id: domain::orders::OrderId(domain::Serial(9)), ..desk::order() };
    let orders = vec![desk::order().into(), other.into()];
    let image = Image { orders, ..Image::default() };
    assert_eq!(what(rows(std::iter::once(head(2, 0)).chain(rows_of(&image)).collect())), "OrderRow.intent");
}
