//! Anything that may be asked, said and kept of orders.

use std::str::FromStr;

use domain::orders::command::{Authority, Cancel, OrderAction, OrderAnswer, Replace, Signing, Submit};
use domain::orders::evidence::{CancelEvidence, Ends, Evidence};
use domain::orders::fill::{Commission, Fill, FillKey, Fills};
use domain::orders::id::{ClientOrderId, OrderId, Tag};
use domain::orders::intent::{Intent, OrderType, Side, TimeInForce};
use domain::orders::order::{Authorization, Denial, Order, Origin, Sender};
use domain::orders::reason::{Fault, Field, Limit, LimitScope, Mode, Reason, Scope};
use domain::orders::report::{
    CancelOutcome, Fact, OrderName, Rejection, Report, Terms, Text, UnknownCause, VenueStatus, Witness,
};
use domain::orders::tombstone::{StrategyKey, Tombstone};
use domain::trading::venue::Valuation;
use domain::{Decimal, Digest, Epoch, LeaseName, Serial};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{audit, time, token};

pub(super) fn name<T: FromStr<Err: std::fmt::Debug> + std::fmt::Debug>() -> impl Strategy<Value = T> {
    let text = prop_oneof![9 => "[a-zA-Z0-9._:/-]{1,6}", 1 => "[a-z]{64}"];
    text.prop_map(|text| text.parse().expect("it is a name"))
}

/// Mostly such as come in, and also what was reckoned from them.
pub(super) fn decimal() -> impl Strategy<Value = Decimal> {
    let short = (-1_000_000_i128..1_000_000, 0_usize..5);
    let long = (-(1_i128 << 96) + 1..1_i128 << 96, 0_usize..=28);
    prop_oneof![9 => short, 1 => long].prop_map(|(mantissa, scale)| {
        let digits = format!("{:0width$}", mantissa.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let sign = if mantissa < 0 { "-" } else { "" };
        let point = if scale == 0 { "" } else { "." };
        Decimal::exact(&format!("{sign}{whole}{point}{fraction}")).expect("96 bits hold it")
    })
}

pub(super) fn lease_name() -> impl Strategy<Value = LeaseName> {
    "\\PC{1,8}".prop_map(|text| LeaseName::new(&text).expect("it is neither empty nor long"))
}

pub(super) fn tag() -> impl Strategy<Value = Tag> {
    any::<u128>().prop_map(Tag::of)
}

pub(super) fn serial() -> impl Strategy<Value = Serial> {
    any::<u64>().prop_map(Serial)
}

fn order_id() -> impl Strategy<Value = OrderId> {
    serial().prop_map(OrderId)
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (0_u16..512).prop_map(|epoch| Epoch::new(epoch).expect("below 512"))
}

fn client_order_id() -> impl Strategy<Value = ClientOrderId> {
    (tag(), epoch(), 0..1_u64 << 44).prop_map(|(tag, epoch, serial)| ClientOrderId {
        tag,
        epoch,
        order: OrderId(Serial(serial)),
    })
}

fn text() -> impl Strategy<Value = Text> {
    prop_oneof![9 => "\\PC{0,8}", 1 => "[ -~]{300}"].prop_map(|text| Text::new(&text))
}

fn side() -> impl Strategy<Value = Side> {
    select(Side::ALL.to_vec())
}

pub(super) fn order_type() -> impl Strategy<Value = OrderType> {
    select(OrderType::ALL.to_vec())
}

fn time_in_force() -> impl Strategy<Value = Option<TimeInForce>> {
    option::of(select(TimeInForce::ALL.to_vec()))
}

fn sender() -> impl Strategy<Value = Sender> {
    select(vec![Sender::Cluster, Sender::Bot])
}

pub(crate) fn intent() -> BoxedStrategy<Intent> {
    let names = (name(), name(), name(), name(), name(), name());
    let kind = (side(), order_type(), time_in_force(), any::<bool>());
    let numbers = (decimal(), option::of(decimal()), option::of(decimal()));
    (names, kind, numbers, lease_name(), token())
        .prop_map(|(names, kind, numbers, lease, token)| {
            let (key, account, strategy, algorithm, trader, symbol) = names;
            let (side, order_type, time_in_force, reduce_only) = kind;
            let (quantity, price, stop_price) = numbers;
            Intent {
                key,
                account,
                strategy,
                algorithm,
                trader,
                symbol,
                side,
                order_type,
                time_in_force,
                quantity,
                price,
                stop_price,
                reduce_only,
                lease,
                token,
            }
        })
        .boxed()
}

pub(crate) fn order_action() -> BoxedStrategy<OrderAction> {
    let submit = || {
        (intent(), sender(), any::<u64>(), option::of(any::<i64>()))
            .prop_map(|(intent, sender, hold_ms, wall_ms)| Submit { intent, sender, hold_ms, wall_ms })
    };
    let authority = prop_oneof![
        (lease_name(), token()).prop_map(|(lease, token)| Authority::Lease { lease, token }),
        audit().prop_map(|audit| Authority::Operator(Box::new(audit))),
    ];
    let cancel = (order_id(), sender(), authority, option::of(any::<i64>()))
        .prop_map(|(order, sender, by, wall_ms)| Cancel { order, sender, by, wall_ms });
    prop_oneof![
        2 => submit().prop_map(OrderAction::Submit),
        1 => cancel.prop_map(OrderAction::Cancel),
        1 => (order_id(), submit())
            .prop_map(|(cancel, submit)| OrderAction::Replace(Replace { cancel, submit })),
        3 => report().prop_map(OrderAction::Report),
    ]
    .boxed()
}

fn report() -> BoxedStrategy<Report> {
    let order = prop_oneof![
        order_id().prop_map(OrderName::Id),
        client_order_id().prop_map(OrderName::Client),
        name().prop_map(OrderName::Venue),
    ];
    let by = select(vec![Witness::Venue, Witness::Bot]);
    let said = (option::of(any::<i64>()), option::of(name()), option::of(terms()), fact());
    (name(), name(), order, by, said)
        .prop_map(|(account, symbol, order, by, said)| {
            let (venue_ms, venue_order_id, terms, fact) = said;
            Report { account, symbol, order, by, venue_ms, venue_order_id, terms, fact }
        })
        .boxed()
}

fn terms() -> BoxedStrategy<Terms> {
    let numbers = (option::of(decimal()), option::of(decimal()));
    (side(), option::of(order_type()), time_in_force(), numbers)
        .prop_map(|(side, order_type, time_in_force, (quantity, price))| Terms {
            side,
            order_type,
            time_in_force,
            quantity,
            price,
        })
        .boxed()
}

fn rejection() -> impl Strategy<Value = Rejection> {
    (text(), text()).prop_map(|(code, message)| Rejection { code, message })
}

fn unknown_cause() -> impl Strategy<Value = UnknownCause> {
    select(UnknownCause::ALL.to_vec())
}

fn fact() -> BoxedStrategy<Fact> {
    let status = prop_oneof![
        Just(VenueStatus::Open),
        Just(VenueStatus::Filled),
        Just(VenueStatus::Canceled),
        text().prop_map(VenueStatus::Expired),
        rejection().prop_map(VenueStatus::Rejected),
    ];
    let outcome = prop_oneof![
        Just(CancelOutcome::Unknown),
        rejection().prop_map(CancelOutcome::Refused),
        Just(CancelOutcome::Done),
    ];
    prop_oneof![
        Just(Fact::Acknowledged),
        (status, decimal()).prop_map(|(status, cumulative)| Fact::Status { status, cumulative }),
        vec((fill_key(), fill()), 0..4).prop_map(Fact::Trades),
        rejection().prop_map(Fact::Refused),
        unknown_cause().prop_map(Fact::Unknown),
        Just(Fact::Absent),
        Just(Fact::NotSent),
        (serial(), outcome).prop_map(|(cancel, outcome)| Fact::Cancel { cancel, outcome }),
    ]
    .boxed()
}

fn fill_key() -> impl Strategy<Value = FillKey> {
    (name(), name()).prop_map(|(trade, venue_order_id)| FillKey { trade, venue_order_id })
}

fn fill() -> BoxedStrategy<Fill> {
    let commission = (decimal(), name()).prop_map(|(amount, asset)| Commission { amount, asset });
    let numbers = (decimal(), decimal(), any::<bool>());
    (numbers, option::of(commission), option::of(any::<bool>()), option::of(any::<i64>()))
        .prop_map(|((quantity, price, is_bust), commission, maker, venue_ms)| Fill {
            quantity,
            price,
            is_bust,
            commission,
            maker,
            venue_ms,
        })
        .boxed()
}

pub(crate) fn evidence() -> BoxedStrategy<Evidence> {
    let ends = (any::<bool>(), any::<bool>(), option::of(text()), option::of(rejection()))
        .prop_map(|(filled, canceled, expired, rejected)| Ends { filled, canceled, expired, rejected });
    let cancel = (any::<bool>(), option::of(rejection()), any::<bool>())
        .prop_map(|(unknown, refused, done)| CancelEvidence { unknown, refused, done });
    let fills = (btree_map(fill_key(), fill(), 0..8), any::<bool>())
        .prop_map(|(by_key, conflict)| Fills { by_key, conflict });
    let before = (any::<[bool; 3]>(), option::of(rejection()), btree_set(unknown_cause(), 0..3));
    let numbers = (option::of(decimal()), option::of(decimal()), option::of(any::<i64>()));
    let described = option::of((option::of(any::<i64>()), terms()));
    let rows = (btree_set(name(), 0..3), fills, btree_map(serial(), cancel, 0..3));
    (before, ends, numbers, described, rows)
        .prop_map(|(before, ends, numbers, terms, rows)| {
            let ([acknowledged, absent, not_sent], refused, unknown) = before;
            let (cumulative, final_quantity, venue_ms) = numbers;
            let (venue_order_ids, fills, cancels) = rows;
            Evidence {
                acknowledged,
                venue_order_ids,
                refused,
                unknown,
                absent,
                not_sent,
                ends,
                cumulative,
                final_quantity,
                terms,
                venue_ms,
                fills,
                cancels,
            }
        })
        .boxed()
}

pub(crate) fn order() -> BoxedStrategy<Order> {
    let origin = prop_oneof![
        3 => intent().prop_map(|intent| Origin::Intent(Box::new(intent))),
        1 => (name(), name()).prop_map(|(account, symbol)| Origin::External { account, symbol }),
    ];
    let authorization = (serial(), any::<u64>(), time(), sender(), any::<i64>(), any::<u64>()).prop_map(
        |(serial, term, at, sender, wall_ms, window_ms)| Authorization {
            serial,
            term,
            at,
            sender,
            wall_ms,
            window_ms,
        },
    );
    let denial = prop_oneof![
        Just(Denial::Withdrawn),
        Just(Denial::Expired),
        vec(reason(), 0..3).prop_map(Denial::Refused),
    ];
    let valuation = (decimal(), decimal(), name()).prop_map(|(price, contract_size, quote)| Valuation {
        price,
        contract_size,
        quote,
    });
    let asked = (order_id(), origin, option::of(authorization), option::of(denial), epoch());
    let said = prop_oneof![1 => Just(Evidence::default()), 3 => evidence()];
    let hints = prop_oneof![2 => Just(Evidence::default()), 1 => evidence()];
    let stands = (serial(), time(), option::of(time()), option::of(time()), option::of(valuation));
    let recorded_ms = option::of(any::<i64>());
    (asked, btree_set(serial(), 0..3), said, hints, stands, recorded_ms)
        .prop_map(|(asked, cancels, venue, hints, stands, recorded_ms)| {
            let (id, origin, authorization, denial, epoch) = asked;
            let (revision, updated_at, settled_at, held_until, valuation) = stands;
            Order {
                id,
                origin,
                authorization,
                denial,
                cancels,
                venue,
                hints,
                revision,
                updated_at,
                settled_at,
                held_until,
                valuation,
                epoch,
                recorded_ms,
            }
        })
        .boxed()
}

pub(super) fn tombstone() -> impl Strategy<Value = (StrategyKey, Tombstone)> {
    let row = (any::<u128>(), order_id(), decimal(), any::<u128>(), option::of(time())).prop_map(
        |(payload, order, filled, fills, until)| Tombstone {
            payload,
            order,
            filled,
            fills: Digest(fills),
            until,
        },
    );
    ((name(), name()), row)
}

fn fault() -> impl Strategy<Value = Fault> {
    let plain = [
        Fault::Missing,
        Fault::NotOfThisType,
        Fault::NotPositive,
        Fault::Negative,
        Fault::InTheFuture,
        Fault::NotOfThisVenue,
        Fault::WouldNotReduce,
        Fault::NotAsReplaced,
    ];
    prop_oneof![
        4 => select(plain.to_vec()),
        1 => decimal().prop_map(|step| Fault::Precision { step }),
        1 => decimal().prop_map(|minimum| Fault::BelowMinimum { minimum }),
        1 => decimal().prop_map(|maximum| Fault::AboveMaximum { maximum }),
    ]
}

pub(crate) fn reason() -> BoxedStrategy<Reason> {
    let field = || select(Field::ALL.to_vec());
    let scope = || select(Scope::ALL.to_vec());
    let limit_scope = || select(LimitScope::ALL.to_vec());
    let plain = [
        Reason::AccountMode,
        Reason::LeaseFree,
        Reason::BreakerOpen,
        Reason::Unreconciled,
        Reason::NoReferencePrice,
        Reason::KeyExpired,
        Reason::NotInState,
        Reason::Full,
        Reason::NodesDiffer,
    ];
    let limit = (select(Limit::ALL.to_vec()), limit_scope(), decimal(), decimal());
    let rate = (limit_scope(), any::<u32>(), any::<u64>(), any::<u64>());
    prop_oneof![
        4 => (field(), fault()).prop_map(|(field, fault)| Reason::Invalid(field, fault)),
        1 => field().prop_map(Reason::Unknown),
        1 => field().prop_map(Reason::NotPermitted),
        4 => select(plain.to_vec()),
        1 => lease_name().prop_map(|expected| Reason::WrongLease { expected }),
        1 => token().prop_map(|current| Reason::Fenced { current }),
        1 => scope().prop_map(Reason::Killed),
        1 => (scope(), select(Mode::ALL.to_vec())).prop_map(|(scope, mode)| Reason::Mode(scope, mode)),
        2 => limit.prop_map(|(limit, scope, allowed, found)| Reason::Limit { limit, scope, allowed, found }),
        1 => rate.prop_map(|(scope, count, per_ms, retry_ms)| Reason::MessageRate {
            scope,
            count,
            per_ms,
            retry_ms
        }),
        1 => (limit_scope(), any::<u64>(), any::<u64>())
            .prop_map(|(scope, window_ms, age_ms)| Reason::Duplicate { scope, window_ms, age_ms }),
        1 => order_id().prop_map(Reason::DuplicateKey),
    ]
    .boxed()
}

pub(super) fn order_answer() -> BoxedStrategy<OrderAnswer> {
    let signing = || {
        (option::of(client_order_id()), any::<i64>(), any::<u64>())
            .prop_map(|(client_order_id, wall_ms, window_ms)| Signing { client_order_id, wall_ms, window_ms })
    };
    let reasons = || vec(reason(), 0..4);
    prop_oneof![
        (order_id(), signing()).prop_map(|(order, signing)| OrderAnswer::Authorized { order, signing }),
        (order_id(), reasons()).prop_map(|(order, reasons)| OrderAnswer::Held { order, reasons }),
        order_id().prop_map(|order| OrderAnswer::Existing { order }),
        (order_id(), serial(), signing()).prop_map(|(order, attempt, signing)| OrderAnswer::Canceling {
            order,
            attempt,
            signing
        }),
        order_id().prop_map(|order| OrderAnswer::Withdrawn { order }),
        (order_id(), order_id(), signing()).prop_map(|(canceled, order, signing)| OrderAnswer::Replacing {
            canceled,
            order,
            signing
        }),
        (order_id(), reasons()).prop_map(|(order, reasons)| OrderAnswer::Denied { order, reasons }),
        reasons().prop_map(|reasons| OrderAnswer::Refused { reasons }),
        order_id().prop_map(|order| OrderAnswer::Reported { order }),
    ]
    .boxed()
}
