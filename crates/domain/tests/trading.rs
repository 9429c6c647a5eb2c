//! Golden scripts of who may trade, for people who trade.
//!
//! A script is commands, `---`, and what came of them; `UPDATE_GOLDENFILES=1 cargo test -p domain` writes that again. Every
//! script begins with the desk of `tests/desk.rs`: venue `sim` with BTCUSDT (tick 0.01, step 0.001, reference price 100),
//! account `main`, strategy `mm` under the lease `desk` with token 7, reconciled, and no limits.
//!
//! | command | what it is |
//! |---|---|
//! | `buy Q SYMBOL [at P] [reduce] [FIELD=V…]`, `sell …` | submits an order; without a price it is a market order. Fields: `type`, `tif`, `stop`, `account`, `strategy`, `trader`, `key`, `lease`, `token`, `mode`; `refusal=recorded` counts it though it is refused |
//! | `cancel N [lease=L] [token=N] [mode=M]`, `replace N buy …` | asks for a cancel, for an order in the place of another |
//! | `fill N Q at P [ms=TIME] [trade=ID]`, `bust N`, `unfill N`, `close N`, `forget N` | what became of an order |
//! | `kill SCOPE [NAME]`, `release …`, `mode SCOPE [NAME] MODE`, `breaker VENUE open\|closed` | switches |
//! | `lease NAME TOKEN`, `free NAME`, `term N`, `reconcile ACCOUNT`, `at TIME`, `wall MS`, `roll DAY` | what happens meanwhile |
//! | `limit OWNER NAME [SYMBOL] [LIMIT=V…]` | sets the limits there and configures |
//! | `venue NAME`, `symbol VENUE SYMBOL [FIELD=V…]`, `account NAME [FIELD=V…]`, `strategy NAME [FIELD=V…]`, `twice`, `drop NAME`, `offset MINUTES` | changes the draft |
//! | `configure` | makes the draft the configuration |
//! | `show` | the counters |

use std::fmt::Write as _;

use domain::orders::intent::{Intent, OrderType, Side, TimeInForce};
use domain::orders::reason::{Mode, Reason};
use domain::orders::report::Weight;
use domain::trading::account::AccountMode;
use domain::trading::limits::{Limits, MessageRate};
use domain::trading::venue::Venue;
use domain::trading::{Day, Owner, Subject};
use domain::{Decimal, StrategyId, Symbol};
use goldenscript::{ArgumentConsumer, Runner};

use crate::desk::{TestDesk, account, decimal, instrument, intent, lease_name, name, note, strategy, token};
use crate::words::{Result, number, time};

/// One test for each script, and one that none is forgotten.
macro_rules! scripts {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            goldenscript::run(&mut Script(TestDesk::standard()), concat!("tests/trading/", stringify!($name))).unwrap();
        })*

        #[test]
        fn every_script_is_run() {
            let known = [$(stringify!($name)),*];
            let entries = std::fs::read_dir("tests/trading").unwrap();
            let mut files: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            files.sort();
            assert_eq!(files, known);
        }
    };
}

scripts! {
    breaker
    cancel
    configuration_diff
    configuration_limits
    configuration_problems
    counters
    every_reason_at_once
    intent_faults
    keys
    kill_switches
    leases
    limit_daily_notional
    limit_duplicates
    limit_message_rate
    limit_notional
    limit_open_orders
    limit_position
    limit_price_collar
    limit_quantity
    modes
    names
    reconciliation
    reduce_only
    replace
    symbols
}

pub(crate) struct Script(pub(crate) TestDesk);

impl Runner for Script {
    type Command = goldenscript::Command;

    fn run(&mut self, command: &goldenscript::Command, _: &goldenscript::Context) -> Result<String> {
        let mut args = command.consume_args();
        let output = self.act(&command.name, &mut args)?;
        args.reject_next()?;
        Ok(match output {
            Ok(said) if said.is_empty() => String::new(),
            Ok(lines) if lines.starts_with('\n') => format!("{command} →{lines}\n"),
            Ok(said) => format!("{command} → {said}\n"),
            Err(reasons) => refused(command, &reasons),
        })
    }
}

type Outcome = std::result::Result<String, Vec<Reason>>;

fn refused(command: &goldenscript::Command, reasons: &[Reason]) -> String {
    let mut output = format!("{command} → refused\n");
    for reason in reasons {
        let passes = if reason.passes() { " (passes by itself)" } else { "" };
        writeln!(output, "    {}: {reason}{passes}", reason.code()).expect("a string takes all");
    }
    output
}

impl Script {
    fn act(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<Outcome> {
        Ok(match command {
            "buy" | "sell" | "replace" => return self.order(command, args),
            "cancel" => {
                let order = number(args.next_pos().ok_or("which order?")?)?;
                let lease = lease_name(args.take_key("lease").unwrap_or("desk"));
                let token = token(args.take_key("token").map(number).transpose()?.unwrap_or(7));
                self.0
                    .cancel(order, &lease, token, account_mode(args)?)
                    .map(|()| "may be cancelled".to_owned())
            }
            "kill" | "release" | "mode" => Ok(self.switch(command, args)?),
            "breaker" => Ok(self.breaker(args)?),
            "configure" => Ok(self.configure()),
            "show" => Ok(self.show()?),
            "limit" => Ok(self.limit(args)?),
            "venue" | "symbol" | "account" | "strategy" | "twice" | "drop" | "offset" => {
                self.draft(command, args)?;
                Ok(String::new())
            }
            _ => {
                self.happens(command, args)?;
                Ok(String::new())
            }
        })
    }

    fn order(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<Outcome> {
        let replaced = match command {
            "replace" => Some(number(args.next_pos().ok_or("which order?")?)?),
            _ => None,
        };
        let side = if replaced.is_some() { args.next_pos().ok_or("buy or sell?")? } else { command };
        let intent = self.intent(side, args)?;
        let mode = account_mode(args)?;
        let is_recorded = args.take_key("refusal") == Some("recorded");
        let outcome = match replaced {
            Some(replaced) => self.0.replace(replaced, &intent, mode),
            None => self.0.submit(&intent, mode),
        };
        if outcome.is_err() && is_recorded {
            self.0.count(&intent, if replaced.is_some() { 2 } else { 1 });
        }
        Ok(outcome.map(|number| format!("order {number}")))
    }

    pub(crate) fn intent(&self, side: &str, args: &mut ArgumentConsumer<'_>) -> Result<Intent> {
        let mut order = intent();
        order.side = if side == "buy" { Side::Buy } else { Side::Sell };
        order.quantity = args.next_pos().ok_or("how many?")?.parse()?;
        order.symbol = name(args.next_pos().ok_or("of what?")?);
        (order.price, order.order_type, order.time_in_force) = (None, OrderType::Market, None);
        while let Some(word) = args.next_pos() {
            match word {
                "at" => {
                    order.price = Some(args.next_pos().ok_or("at which price?")?.parse()?);
                    order.order_type = OrderType::Limit;
                    order.time_in_force = Some(TimeInForce::Gtc);
                }
                "reduce" => order.reduce_only = true,
                _ => return Err(format!("what is {word}?").into()),
            }
        }
        if let Some(word) = args.take_key("type") {
            order.order_type = order_type(word)?;
            order.time_in_force = order.time_in_force.filter(|_| order.order_type.has_time_in_force());
        }
        if let Some(word) = args.take_key("tif") {
            order.time_in_force = TimeInForce::ALL.into_iter().find(|it| it.as_str() == word);
        }
        order.stop_price = args.take_key("stop").map(str::parse).transpose()?;
        args.take_key("account").into_iter().for_each(|it| order.account = name(it));
        args.take_key("strategy").into_iter().for_each(|it| order.strategy = name(it));
        args.take_key("trader").into_iter().for_each(|it| order.trader = name(it));
        args.take_key("key").into_iter().for_each(|it| order.key = name(it));
        args.take_key("lease").into_iter().for_each(|it| order.lease = lease_name(it));
        order.token = args.take_key("token").map(number).transpose()?.map_or(order.token, token);
        Ok(order)
    }

    fn switch(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let subject = subject(args)?;
        let switches = &mut self.0.trading.switches;
        let switched = match command {
            "kill" => switches.engage(subject, note()),
            "release" => switches.release(&subject),
            _ => {
                let word = args.next_pos().ok_or("which mode?")?;
                let mode = Mode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or("no mode")?;
                switches.set_mode(subject, mode, note())
            }
        };
        Ok(format!("{switched:?}").to_lowercase())
    }

    fn breaker(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let venue = name(args.next_pos().ok_or("of which venue?")?);
        let switches = &mut self.0.trading.switches;
        let switched = match args.next_pos() {
            Some("open") => switches.force_open(venue, note()),
            Some("closed") => switches.close(&venue),
            _ => return Err("open or closed?".into()),
        };
        Ok(format!("{switched:?}").to_lowercase())
    }

    fn happens(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<()> {
        let word = args.next_pos().ok_or("what?")?;
        let desk = &mut self.0;
        match command {
            "at" => desk.now = time(word)?,
            "term" => desk.term = number(word)?,
            "wall" => desk.wall_ms = word.parse()?,
            "roll" => desk.trading.counters.roll(Day(word.parse()?)),
            "reconcile" => desk.trading.reconciled.record(name(word), desk.term),
            "lease" => desk.grant(word, number(args.next_pos().ok_or("under which token?")?)?),
            "free" => drop(desk.leases.remove(word)),
            "close" => desk.close(number(word)?),
            "forget" => desk.forget(number(word)?),
            "fill" => {
                let quantity: Decimal = args.next_pos().ok_or("how many?")?.parse()?;
                let price = args.next_pos().filter(|at| *at == "at").and_then(|_| args.next_pos());
                let order = number(word)?;
                let mut execution = desk.execution(order, quantity, price.ok_or("at which price?")?.parse()?);
                if let Some(ms) = args.take_key("ms") {
                    execution.venue_ms = ms.parse()?;
                }
                args.take_key("trade").into_iter().for_each(|trade| execution.trade = name(trade));
                desk.fill(order, execution);
            }
            "bust" | "unfill" => {
                let executions = &desk.orders[&number(word)?].executions;
                let execution = executions.last().ok_or("nothing was filled")?.clone();
                match command {
                    "bust" => desk.trading.counters.bust(&execution),
                    _ => desk.trading.counters.unfill(&desk.trading.configuration, &execution),
                }
            }
            _ => return Err(format!("what is {command}?").into()),
        }
        Ok(())
    }

    pub(crate) fn limit(&mut self, args: &mut ArgumentConsumer<'_>) -> Result<String> {
        let owner = args.next_pos().ok_or("whose limits?")?;
        let id = args.next_pos().ok_or("whose limits?")?;
        let symbol = args.next_pos().map(name::<Symbol>);
        let set = limits(args)?;
        let (all, by_symbol) = match owner {
            "account" => {
                let account =
                    self.0.draft.accounts.iter_mut().find(|it| it.id.as_str() == id).ok_or("which?")?;
                (&mut account.limits, &mut account.symbol_limits)
            }
            _ => {
                let strategies = &mut self.0.draft.strategies;
                let strategy = strategies.iter_mut().find(|it| it.id.as_str() == id).ok_or("which?")?;
                (&mut strategy.limits, &mut strategy.symbol_limits)
            }
        };
        match symbol {
            Some(symbol) => drop(by_symbol.insert(symbol, set)),
            None => *all = set,
        }
        Ok(self.configure())
    }

    pub(crate) fn draft(&mut self, command: &str, args: &mut ArgumentConsumer<'_>) -> Result<()> {
        let draft = &mut self.0.draft;
        if command == "twice" {
            draft.venues.push(draft.venues[0].clone());
            draft.accounts.push(draft.accounts[0].clone());
            draft.strategies.push(draft.strategies[0].clone());
            return Ok(());
        }
        let word = args.next_pos().ok_or("which one?")?;
        match command {
            "offset" => draft.day_offset_minutes = word.parse()?,
            "drop" => {
                draft.venues.retain(|it| it.id.as_str() != word);
                draft.accounts.retain(|it| it.id.as_str() != word);
                draft.strategies.retain(|it| it.id.as_str() != word);
            }
            "venue" => draft.venues.push(Venue { id: name(word), kind: name("sim"), symbols: [].into() }),
            "symbol" => return self.symbol(word, args),
            "account" => return self.account(word, args),
            _ => return self.strategy(word, args),
        }
        Ok(())
    }

    fn symbol(&mut self, venue: &str, args: &mut ArgumentConsumer<'_>) -> Result<()> {
        let venue =
            self.0.draft.venues.iter_mut().find(|it| it.id.as_str() == venue).ok_or("no such venue")?;
        let it = venue.symbols.entry(name(args.next_pos().ok_or("which?")?)).or_insert_with(instrument);
        for (key, field) in [
            ("tick", &mut it.tick),
            ("step", &mut it.step),
            ("quantity_min", &mut it.quantity_min),
            ("quantity_max", &mut it.quantity_max),
            ("notional_min", &mut it.notional_min),
            ("contract_size", &mut it.contract_size),
        ] {
            args.take_key(key).into_iter().for_each(|text| *field = decimal(text));
        }
        if let Some(text) = args.take_key("reference_price") {
            it.reference_price = text.parse().ok();
        }
        args.take_key("quote").into_iter().for_each(|text| it.quote = name(text));
        if let Some(types) = args.take_key("types") {
            it.order_types = types.split('/').filter_map(|word| order_type(word).ok()).collect();
        }
        Ok(())
    }

    fn account(&mut self, id: &str, args: &mut ArgumentConsumer<'_>) -> Result<()> {
        let accounts = &mut self.0.draft.accounts;
        let at = accounts.iter().position(|it| it.id.as_str() == id).unwrap_or(accounts.len());
        if at == accounts.len() {
            accounts.push(account(id, "sim"));
        }
        let it = &mut accounts[at];
        args.take_key("venue").into_iter().for_each(|venue| it.venue = name(venue));
        if let Some(mode) = args.take_key("mode") {
            it.mode = AccountMode::ALL.into_iter().find(|it| it.as_str() == mode).ok_or("no mode")?;
            it.reconciliation = it.mode.reconciliation_default();
        }
        if let Some(reports) = args.take_key("bot_reports") {
            it.bot_reports = Weight::ALL.into_iter().find(|it| it.as_str() == reports).ok_or("no word")?;
        }
        it.lease = args.take_key("lease").map(lease_name).or(it.lease.take());
        it.window_ms = args.take_key("window_ms").map(number).transpose()?.unwrap_or(it.window_ms);
        Ok(())
    }

    fn strategy(&mut self, id: &str, args: &mut ArgumentConsumer<'_>) -> Result<()> {
        let strategies = &mut self.0.draft.strategies;
        let at = strategies.iter().position(|it| it.id.as_str() == id).unwrap_or(strategies.len());
        if at == strategies.len() {
            strategies.push(strategy(id, "main", "desk"));
        }
        let it = &mut strategies[at];
        let list = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        if let Some(accounts) = args.take_key("accounts") {
            it.accounts = list(accounts).iter().filter(|id| *id != "none").map(|id| name(id)).collect();
        }
        if let Some(symbols) = args.take_key("symbols") {
            it.symbols = list(symbols).iter().map(|id| name(id)).collect();
        }
        args.take_key("lease").into_iter().for_each(|lease| it.lease = lease_name(lease));
        Ok(())
    }

    fn configure(&mut self) -> String {
        let lines: Vec<String> = match self.0.trading.configure(self.0.draft.clone()) {
            Ok(changes) => changes.iter().map(ToString::to_string).collect(),
            Err(problems) => problems.iter().map(|problem| format!("! {problem}")).collect(),
        };
        let lines = if lines.is_empty() { vec!["nothing is different".to_owned()] } else { lines };
        lines.iter().fold(String::new(), |all, line| format!("{all}\n    {line}"))
    }

    pub(crate) fn show(&self) -> Result<String> {
        let counters = &self.0.trading.counters;
        let mut output = format!("day {}", counters.day.0);
        for (key, position) in &counters.positions {
            let strategy = key.strategy.as_ref().map_or("nobody here", StrategyId::as_str);
            write!(output, "\n    position of {strategy} on {} in {}: {position}", key.account, key.symbol)?;
        }
        for (key, notional) in &counters.notionals {
            let owner = match &key.limit.owner {
                Owner::Account(id) => format!("account {id}"),
                Owner::Strategy(id) => format!("strategy {id}"),
            };
            let symbol = key.limit.symbol.as_ref().map_or("all", Symbol::as_str);
            write!(output, "\n    traded by {owner} in {symbol}: {notional} {}", key.quote)?;
        }
        for ((venue, symbol), last) in &counters.last_trades {
            let (price, ms, trade) = (last.price, last.venue_ms, &last.trade);
            write!(output, "\n    last trade of {symbol} at {venue}: {price} at {ms} ms, {trade}")?;
        }
        Ok(output)
    }
}

fn order_type(word: &str) -> Result<OrderType> {
    OrderType::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| "no such type".into())
}

pub(crate) fn account_mode(args: &mut ArgumentConsumer<'_>) -> Result<AccountMode> {
    let word = args.take_key("mode").unwrap_or("gateway");
    AccountMode::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or_else(|| "no such mode".into())
}

pub(crate) fn subject(args: &mut ArgumentConsumer<'_>) -> Result<Subject> {
    let scope = args.next_pos().ok_or("of what?")?;
    let mut id = || args.next_pos().ok_or("of which one?");
    Ok(match scope {
        "all" => Subject::All,
        "venue" => Subject::Venue(name(id()?)),
        "account" => Subject::Account(name(id()?)),
        "strategy" => Subject::Strategy(name(id()?)),
        "trader" => Subject::Trader(name(id()?)),
        "symbol" => Subject::Symbol(name(id()?)),
        _ => return Err(format!("what is {scope}?").into()),
    })
}

fn limits(args: &mut ArgumentConsumer<'_>) -> Result<Limits> {
    let mut decimal = |name| args.take_key(name).map(str::parse).transpose();
    let mut limits = Limits {
        quantity_max: decimal("quantity_max")?,
        notional_max: decimal("notional_max")?,
        position_max: decimal("position_max")?,
        daily_notional_max: decimal("daily_notional_max")?,
        ..Limits::default()
    };
    limits.price_collar_bps = args.take_key("price_collar_bps").map(str::parse).transpose()?;
    limits.open_orders_max = args.take_key("open_orders_max").map(str::parse).transpose()?;
    limits.duplicate_window_ms = args.take_key("duplicate_window_ms").map(str::parse).transpose()?;
    if let Some(rate) = args.take_key("message_rate") {
        let (count, per_ms) = rate.split_once('/').ok_or("a rate is COUNT/MILLISECONDS")?;
        limits.message_rate = Some(MessageRate { count: count.parse()?, per_ms: per_ms.parse()? });
    }
    Ok(limits)
}
