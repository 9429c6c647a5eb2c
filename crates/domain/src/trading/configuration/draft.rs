//! What may be wrong with a configuration: every problem at once, so that nobody mends one only to hear of the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::{Draft, Problem};
use crate::limits::{
    ACCOUNTS_MAX, DAY_OFFSET_MINUTES_MAX, DUPLICATE_WINDOW_MS_MAX, INSTRUMENTS_MAX, MESSAGE_RATE_COUNT_MAX,
    MESSAGE_RATE_COUNT_MIN, MESSAGE_RATE_MS_MAX, PERMISSIONS_MAX, PRICE_COLLAR_BPS_MAX, PROBLEMS_MAX,
    STRATEGIES_MAX, SYMBOL_LIMITS_MAX, VENUES_MAX, WINDOW_MS_MAX,
};
use crate::trading::account::Account;
use crate::trading::limits::{Limits, MessageRate};
use crate::trading::strategy::Strategy;
use crate::trading::venue::{Instrument, Venue};
use crate::{AccountId, Decimal, Symbol, VenueId};

impl Draft {
    /// All problems, in the order of the draft; beyond [`PROBLEMS_MAX`] of them, how many more.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Problems::default();
        self.numbers(&mut problems);
        unique("venues", self.venues.iter().map(|it| &it.id), &mut problems);
        unique("accounts", self.accounts.iter().map(|it| &it.id), &mut problems);
        unique("strategies", self.strategies.iter().map(|it| &it.id), &mut problems);
        let records = Records {
            venues: self.venues.iter().map(|it| (&it.id, it)).collect(),
            accounts: self.accounts.iter().map(|it| (&it.id, it)).collect(),
        };
        for venue in &self.venues {
            for (symbol, instrument) in &venue.symbols {
                instrument.check(&format!("venues.{}.symbols.{symbol}", venue.id), &mut problems);
            }
        }
        for account in &self.accounts {
            records.account(account, &mut problems);
        }
        for strategy in &self.strategies {
            records.strategy(strategy, &mut problems);
        }
        problems.told()
    }

    fn numbers(&self, problems: &mut Problems) {
        let Self { venues, accounts, strategies, day_offset_minutes } = self;
        let instruments = venues.iter().map(|it| it.symbols.len()).sum();
        let of_accounts = accounts.iter().map(|it| it.symbol_limits.len());
        let symbol_limits = of_accounts.chain(strategies.iter().map(|it| it.symbol_limits.len())).sum();
        let permissions = strategies.iter().map(|it| it.accounts.len() + it.symbols.len()).sum();
        for (what, number, most) in [
            ("venues", venues.len(), VENUES_MAX),
            ("accounts", accounts.len(), ACCOUNTS_MAX),
            ("strategies", strategies.len(), STRATEGIES_MAX),
            ("symbols of all venues", instruments, INSTRUMENTS_MAX),
            ("limits of single symbols", symbol_limits, SYMBOL_LIMITS_MAX),
            ("accounts and symbols that strategies name", permissions, PERMISSIONS_MAX),
        ] {
            problems.unless(number <= most, "", format_args!("{number} {what}, and at most {most} may be"));
        }
        problems.unless(
            (-DAY_OFFSET_MINUTES_MAX..=DAY_OFFSET_MINUTES_MAX).contains(day_offset_minutes),
            "day_offset_minutes",
            format_args!("must be from -{DAY_OFFSET_MINUTES_MAX} to {DAY_OFFSET_MINUTES_MAX}"),
        );
    }
}

/// The records of a draft by their names.
struct Records<'a> {
    venues: BTreeMap<&'a VenueId, &'a Venue>,
    accounts: BTreeMap<&'a AccountId, &'a Account>,
}

impl Records<'_> {
    fn account(&self, account: &Account, problems: &mut Problems) {
        let at = format!("accounts.{}", account.id);
        problems.unless(
            (1..=WINDOW_MS_MAX).contains(&account.window_ms),
            &format!("{at}.window_ms"),
            format_args!("must be from 1 to {WINDOW_MS_MAX}"),
        );
        let venue = self.venues.get(&account.venue);
        problems.unless(
            venue.is_some(),
            &format!("{at}.venue"),
            format_args!("there is no venue {}", account.venue),
        );
        account.limits.check(&format!("{at}.limits"), problems);
        for (symbol, limits) in &account.symbol_limits {
            let at = format!("{at}.symbol_limits.{symbol}");
            problems.unless(
                venue.is_none_or(|venue| venue.symbols.contains_key(symbol)),
                &at,
                format_args!("{} has no such symbol", account.venue),
            );
            limits.check(&at, problems);
        }
    }

    fn strategy(&self, strategy: &Strategy, problems: &mut Problems) {
        let at = format!("strategies.{}", strategy.id);
        let on = format!("{at}.accounts");
        problems.unless(!strategy.accounts.is_empty(), &on, "it may trade on no account");
        for id in &strategy.accounts {
            let account = self.accounts.get(id);
            problems.unless(account.is_some(), &on, format_args!("there is no account {id}"));
            if let Some(lease) = account.and_then(|account| account.lease.as_ref()) {
                problems.unless(
                    *lease == strategy.lease,
                    &format!("{at}.lease"),
                    format_args!("it is {}, and that of account {id} is {lease}", strategy.lease),
                );
            }
        }
        for symbol in &strategy.symbols {
            problems.unless(
                self.instruments(strategy, symbol).next().is_some(),
                &format!("{at}.symbols"),
                format_args!("no venue of its accounts has {symbol}"),
            );
        }
        strategy.limits.check(&format!("{at}.limits"), problems);
        for (symbol, limits) in &strategy.symbol_limits {
            let at = format!("{at}.symbol_limits.{symbol}");
            let is_traded = strategy.may_trade(symbol) && self.instruments(strategy, symbol).next().is_some();
            problems.unless(is_traded, &at, "it may not trade this symbol");
            limits.check(&at, problems);
        }
        self.same_at_every_venue(strategy, problems);
    }

    /// Positions in one symbol are summed over the accounts of a strategy, so it must be one thing.
    fn same_at_every_venue(&self, strategy: &Strategy, problems: &mut Problems) {
        let venues: BTreeMap<&VenueId, &Venue> = self.venues_of(strategy).map(|it| (&it.id, it)).collect();
        if venues.len() < 2 {
            return;
        }
        let mut known: BTreeMap<&Symbol, &Instrument> = BTreeMap::new();
        for venue in venues.values() {
            let traded = venue.symbols.iter().filter(|(symbol, _)| strategy.may_trade(symbol));
            for (symbol, instrument) in traded {
                let first = known.entry(symbol).or_insert(instrument);
                problems.unless(
                    (&first.base, &first.quote, first.contract_size)
                        == (&instrument.base, &instrument.quote, instrument.contract_size),
                    &format!("strategies.{}.symbols", strategy.id),
                    format_args!(
                        "{symbol} is another thing at {} (base, quote, contract_size): use one strategy for each",
                        venue.id
                    ),
                );
            }
        }
    }

    fn venues_of(&self, strategy: &Strategy) -> impl Iterator<Item = &Venue> {
        let accounts = strategy.accounts.iter().filter_map(|id| self.accounts.get(id));
        accounts.filter_map(|account| self.venues.get(&account.venue).copied())
    }

    fn instruments(&self, strategy: &Strategy, symbol: &Symbol) -> impl Iterator<Item = &Instrument> {
        self.venues_of(strategy).filter_map(|venue| venue.symbols.get(symbol))
    }
}

impl Instrument {
    fn check(&self, at: &str, problems: &mut Problems) {
        let Self { tick, step, quantity_min, quantity_max, notional_min, contract_size, .. } = self;
        for (name, number) in [
            ("tick", Some(*tick)),
            ("step", Some(*step)),
            ("quantity_min", Some(*quantity_min)),
            ("contract_size", Some(*contract_size)),
            ("reference_price", self.reference_price),
        ] {
            problems.positive(at, name, number);
        }
        problems.unless(
            *notional_min >= Decimal::ZERO,
            &format!("{at}.notional_min"),
            "must not be below zero",
        );
        problems.unless(
            quantity_max >= quantity_min,
            &format!("{at}.quantity_max"),
            "must not be below quantity_min",
        );
        problems.unless(!self.order_types.is_empty(), &format!("{at}.order_types"), "there is none");
    }
}

impl Limits {
    fn check(&self, at: &str, problems: &mut Problems) {
        for (name, number) in [
            ("quantity_max", self.quantity_max),
            ("notional_max", self.notional_max),
            ("position_max", self.position_max),
            ("daily_notional_max", self.daily_notional_max),
            ("open_orders_max", self.open_orders_max.map(|it| u64::from(it).into())),
        ] {
            problems.positive(at, name, number);
        }
        let mut within = |name, number: Option<u64>, least: u64, most: u64| {
            problems.unless(
                number.is_none_or(|number| (least..=most).contains(&number)),
                &format!("{at}.{name}"),
                format_args!("must be from {least} to {most}"),
            );
        };
        within("price_collar_bps", self.price_collar_bps.map(u64::from), 1, PRICE_COLLAR_BPS_MAX.into());
        within("duplicate_window_ms", self.duplicate_window_ms, 1, DUPLICATE_WINDOW_MS_MAX);
        if let Some(MessageRate { count, per_ms }) = self.message_rate {
            let (least, most) = (MESSAGE_RATE_COUNT_MIN.into(), MESSAGE_RATE_COUNT_MAX.into());
            within("message_rate.count", Some(count.into()), least, most);
            within("message_rate.per_ms", Some(per_ms), 1, MESSAGE_RATE_MS_MAX);
        }
    }
}

fn unique<'a, T: Ord + Display + 'a>(
    what: &str,
    names: impl Iterator<Item = &'a T>,
    problems: &mut Problems,
) {
    let mut known = BTreeSet::new();
    for name in names {
        problems.unless(known.insert(name), &format!("{what}.{name}"), "there is another one of this name");
    }
}

#[derive(Default)]
struct Problems {
    first: Vec<Problem>,
    more: usize,
}

impl Problems {
    fn unless(&mut self, is_well: bool, at: &str, what: impl Display) {
        match is_well {
            true => {}
            false if self.first.len() < PROBLEMS_MAX => {
                self.first.push(Problem { at: at.to_owned(), what: what.to_string() });
            }
            false => self.more += 1,
        }
    }

    fn positive(&mut self, at: &str, name: &str, number: Option<Decimal>) {
        let is_positive = number.is_none_or(Decimal::is_positive);
        self.unless(is_positive, &format!("{at}.{name}"), "must be above zero");
    }

    fn told(mut self) -> Vec<Problem> {
        if self.more > 0 {
            self.first.push(Problem { at: String::new(), what: format!("and {} more", self.more) });
        }
        self.first
    }
}
