//! Anything that may be set, switched and counted of who may trade.

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::image::{Configured, TradingRecords};
use domain::orders::reason::Mode;
use domain::orders::report::Weight;
use domain::trading::account::{Account, AccountMode};
use domain::trading::command::{TradingAction, TradingAnswer};
use domain::trading::configuration::{Configuration, Day, Draft, Problem, Revision};
use domain::trading::counters::{Counters, LastTrade, NotionalKey, PositionKey};
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::reconciled::Reconciled;
use domain::trading::scope::{LimitKey, Owner, Subject};
use domain::trading::strategy::Strategy as Trader;
use domain::trading::switch::{Note, Switched, Switches};
use domain::trading::total::Total;
use domain::trading::venue::{Instrument, Venue};
use domain::{AccountId, StrategyId, Symbol, VenueId};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::orders::{decimal, lease_name, name, order_type, serial, tag};
use super::{audit, time};

fn instrument() -> BoxedStrategy<Instrument> {
    let numbers = (decimal(), decimal(), decimal(), decimal(), decimal(), decimal());
    let kinds = (btree_set(order_type(), 0..3), option::of(decimal()));
    (name(), name(), numbers, kinds)
        .prop_map(|(base, quote, numbers, kinds)| {
            let (tick, step, quantity_min, quantity_max, notional_min, contract_size) = numbers;
            let (order_types, reference_price) = kinds;
            Instrument {
                base,
                quote,
                tick,
                step,
                quantity_min,
                quantity_max,
                notional_min,
                order_types,
                reference_price,
                contract_size,
            }
        })
        .boxed()
}

fn limits() -> BoxedStrategy<Limits> {
    let rate = any::<(u32, u64)>().prop_map(|(count, per_ms)| MessageRate { count, per_ms });
    let numbers = || (option::of(decimal()), option::of(decimal()));
    let plain = any::<(Option<u32>, Option<u32>, Option<u64>)>();
    (plain, numbers(), numbers(), option::of(rate))
        .prop_map(|(plain, orders, sums, message_rate)| {
            let (price_collar_bps, open_orders_max, duplicate_window_ms) = plain;
            let ((quantity_max, notional_max), (position_max, daily_notional_max)) = (orders, sums);
            Limits {
                price_collar_bps,
                quantity_max,
                notional_max,
                position_max,
                open_orders_max,
                message_rate,
                daily_notional_max,
                duplicate_window_ms,
            }
        })
        .boxed()
}

fn venue() -> impl Strategy<Value = Venue> {
    (name(), name(), btree_map(name(), instrument(), 0..3)).prop_map(|(id, kind, symbols)| Venue {
        id,
        kind,
        symbols,
    })
}

fn account() -> BoxedStrategy<Account> {
    let kind = (select(AccountMode::ALL.to_vec()), select(Weight::ALL.to_vec()), any::<bool>());
    let all_limits = (limits(), btree_map(name(), limits(), 0..2));
    (name(), name(), option::of(lease_name()), any::<u64>(), kind, all_limits)
        .prop_map(|(id, venue, lease, window_ms, kind, (limits, symbol_limits))| {
            let (mode, bot_reports, reconciliation) = kind;
            Account { id, venue, mode, lease, window_ms, bot_reports, reconciliation, limits, symbol_limits }
        })
        .boxed()
}

fn trader() -> BoxedStrategy<Trader> {
    let on = (btree_set(name(), 0..3), btree_set(name(), 0..3));
    let all_limits = (limits(), btree_map(name(), limits(), 0..2));
    (name(), lease_name(), on, all_limits)
        .prop_map(|(id, lease, (accounts, symbols), (limits, symbol_limits))| Trader {
            id,
            accounts,
            lease,
            symbols,
            limits,
            symbol_limits,
        })
        .boxed()
}

/// With whatever is wrong with it.
pub(crate) fn draft() -> BoxedStrategy<Draft> {
    (vec(venue(), 0..3), vec(account(), 0..3), vec(trader(), 0..3), any::<i32>())
        .prop_map(|(venues, accounts, strategies, day_offset_minutes)| Draft {
            venues,
            accounts,
            strategies,
            day_offset_minutes,
        })
        .boxed()
}

/// Nothing is wrong with it: one venue, its accounts, and strategies on all of them.
fn configuration() -> BoxedStrategy<Configuration> {
    let accounts = btree_map(name::<AccountId>(), account(), 1..3);
    let traders = btree_map(name::<StrategyId>(), trader(), 0..3);
    (venue(), accounts, traders, any::<i32>())
        .prop_map(|(mut venue, accounts, traders, minutes)| {
            for instrument in venue.symbols.values_mut() {
                mend_instrument(instrument);
            }
            let symbols: BTreeSet<Symbol> = venue.symbols.keys().cloned().collect();
            let ids: BTreeSet<AccountId> = accounts.keys().cloned().collect();
            let accounts = accounts.into_iter().map(|(id, account)| Account {
                id,
                venue: venue.id.clone(),
                lease: None,
                window_ms: 1 + account.window_ms % 60_000,
                limits: mended(account.limits),
                symbol_limits: symbols
                    .iter()
                    .cloned()
                    .zip(account.symbol_limits.into_values().map(mended))
                    .collect(),
                ..account
            });
            let strategies = traders.into_iter().map(|(id, trader)| Trader {
                id,
                accounts: ids.clone(),
                symbols: if trader.symbols.is_empty() { BTreeSet::new() } else { symbols.clone() },
                limits: mended(trader.limits),
                symbol_limits: symbols
                    .iter()
                    .cloned()
                    .zip(trader.symbol_limits.into_values().map(mended))
                    .collect(),
                ..trader
            });
            let (accounts, strategies) = (accounts.collect(), strategies.collect());
            let draft =
                Draft { venues: vec![venue], accounts, strategies, day_offset_minutes: minutes % 1440 };
            Configuration::try_from(draft).expect("nothing is wrong with it")
        })
        .boxed()
}

fn mend_instrument(instrument: &mut Instrument) {
    let Instrument { tick, step, quantity_min, quantity_max, notional_min, contract_size, .. } = instrument;
    for number in [&mut *tick, step, &mut *quantity_min, quantity_max, notional_min, contract_size] {
        *number = positive(*number);
    }
    if quantity_max < quantity_min {
        std::mem::swap(quantity_min, quantity_max);
    }
    instrument.reference_price = instrument.reference_price.map(positive);
    instrument.order_types.insert(domain::orders::OrderType::Limit);
}

fn positive(number: domain::Decimal) -> domain::Decimal {
    if number.is_zero() { domain::Decimal::ONE } else { number.absolute() }
}

fn mended(limits: Limits) -> Limits {
    let rate = |MessageRate { count, per_ms }| MessageRate {
        count: 2 + count % 999_999,
        per_ms: 1 + per_ms % 86_400_000,
    };
    Limits {
        price_collar_bps: limits.price_collar_bps.map(|it| 1 + it % 100_000),
        quantity_max: limits.quantity_max.map(positive),
        notional_max: limits.notional_max.map(positive),
        position_max: limits.position_max.map(positive),
        open_orders_max: limits.open_orders_max.map(|it| it.max(1)),
        message_rate: limits.message_rate.map(rate),
        daily_notional_max: limits.daily_notional_max.map(positive),
        duplicate_window_ms: limits.duplicate_window_ms.map(|it| 1 + it % 3_600_000),
    }
}

pub(super) fn configured() -> impl Strategy<Value = Configured> {
    (tag(), configuration())
        .prop_map(|(tag, configuration)| Configured { tag, configuration: Arc::new(configuration) })
}

fn subject() -> impl Strategy<Value = Subject> {
    prop_oneof![
        Just(Subject::All),
        name().prop_map(Subject::Venue),
        name().prop_map(Subject::Account),
        name().prop_map(Subject::Strategy),
        name().prop_map(Subject::Trader),
        name().prop_map(Subject::Symbol),
    ]
}

fn mode() -> impl Strategy<Value = Mode> {
    select(Mode::ALL.to_vec())
}

pub(super) fn trading_action() -> BoxedStrategy<TradingAction> {
    let audit = || audit().prop_map(Box::new);
    prop_oneof![
        (draft(), option::of(any::<u128>().prop_map(Revision)), tag(), audit()).prop_map(
            |(draft, expected, tag, audit)| TradingAction::Configure { draft, expected, tag, audit }
        ),
        (subject(), any::<bool>(), audit()).prop_map(|(subject, engaged, audit)| {
            TradingAction::SetKillSwitch { subject, engaged, audit }
        }),
        (subject(), mode(), audit()).prop_map(|(subject, mode, audit)| TradingAction::SetMode {
            subject,
            mode,
            audit
        }),
        (name(), any::<bool>(), audit()).prop_map(|(venue, forced_open, audit)| {
            TradingAction::SetBreaker { venue, forced_open, audit }
        }),
        (name(), any::<u64>()).prop_map(|(account, term)| TradingAction::RecordReconciled { account, term }),
        any::<i64>().prop_map(|day| TradingAction::RollDay(Day(day))),
    ]
    .boxed()
}

pub(super) fn trading_answer() -> BoxedStrategy<TradingAnswer> {
    let problem = ("\\PC{0,8}", "\\PC{0,8}").prop_map(|(at, what)| Problem { at, what });
    let switched = vec![Switched::Changed, Switched::Unchanged, Switched::Full];
    prop_oneof![
        any::<(u64, u128)>().prop_map(|(changes, revision)| TradingAnswer::Configured {
            changes,
            revision: Revision(revision)
        }),
        vec(problem, 0..3).prop_map(|problems| TradingAnswer::Misconfigured { problems }),
        select(switched).prop_map(TradingAnswer::Switched),
        Just(TradingAnswer::Unknown),
        Just(TradingAnswer::Stale),
        Just(TradingAnswer::Unexplained),
    ]
    .boxed()
}

fn note() -> impl Strategy<Value = Note> {
    ("\\PC{0,8}", "\\PC{0,8}", serial(), any::<i64>()).prop_map(|(actor, reason, serial, wall_ms)| Note {
        actor,
        reason,
        serial,
        wall_ms,
    })
}

fn limit_key() -> impl Strategy<Value = LimitKey> {
    let owner = prop_oneof![name().prop_map(Owner::Account), name().prop_map(Owner::Strategy)];
    (owner, option::of(name())).prop_map(|(owner, symbol)| LimitKey { owner, symbol })
}

/// With up to 19 digits before the point, and 18 behind it.
fn total() -> impl Strategy<Value = Total> {
    (any::<i64>(), 0_u64..10_u64.pow(18))
        .prop_map(|(whole, fraction)| format!("{whole}.{fraction:018}").parse().expect("it is a sum"))
}

pub(super) fn trading() -> BoxedStrategy<TradingRecords> {
    let switches = (
        btree_map(subject(), note(), 0..3),
        btree_map(subject(), (mode(), note()), 0..3),
        btree_map(name::<VenueId>(), note(), 0..2),
    )
        .prop_map(|(kills, modes, breakers)| Switches { kills, modes, breakers });
    let reconciled = btree_map(name(), any::<u64>(), 0..3).prop_map(|terms| Reconciled { terms });
    let position = (name(), name(), option::of(name())).prop_map(|(account, symbol, strategy)| PositionKey {
        account,
        symbol,
        strategy,
    });
    let notional = (limit_key(), name()).prop_map(|(limit, quote)| NotionalKey { limit, quote });
    let last_trade = (any::<i64>(), name(), decimal()).prop_map(|(venue_ms, trade, price)| LastTrade {
        venue_ms,
        trade,
        price,
    });
    let counters = (
        btree_map(position, total(), 0..4),
        btree_map(limit_key(), time(), 0..3),
        any::<i64>(),
        btree_map(notional, total(), 0..4),
        btree_map((name(), name()), last_trade, 0..3),
    )
        .prop_map(|(positions, clocks, day, notionals, last_trades)| Counters {
            positions,
            clocks,
            day: Day(day),
            notionals,
            last_trades,
        });
    let any = (switches, reconciled, counters).prop_map(|(switches, reconciled, counters)| TradingRecords {
        switches,
        reconciled,
        counters,
    });
    prop_oneof![1 => Just(TradingRecords::default()), 2 => any].boxed()
}
