//! What is damaged in who may trade is an error that names it.

use bytes::Bytes;
use domain::Image;
use domain::trading::command::TradingAnswer;
use prost::Message;
use wire::log;
use wire::log::command::Action;
use wire::log::row::Row;

use crate::damage::{rows, what, wrong};
use crate::damage_orders::{NO_KIND, NO_NAME, NO_NUMBER, changed, head, rows_of};
use crate::desk;

#[test]
fn what_is_wrong_in_a_configuration_is_named() {
    use domain::trading::configuration::Draft;
    let whole = log::Configuration::from(&desk::draft());
    let said = |change: fn(&mut log::Configuration)| changed::<_, Draft>(&whole, change);
    assert_eq!(said(|it| it.venues[0].id.clear()), "Venue.id");
    assert_eq!(said(|it| it.venues[0].kind.clear()), "Venue.kind");
    fn instrument(all: &mut log::Configuration) -> &mut log::Instrument {
        &mut all.venues[0].instruments[0]
    }
    assert_eq!(said(|it| instrument(it).symbol.clear()), "Instrument.symbol");
    assert_eq!(said(|it| instrument(it).base.clear()), "Instrument.base");
    assert_eq!(said(|it| instrument(it).quote.clear()), "Instrument.quote");
    assert_eq!(said(|it| instrument(it).tick.clear()), "Instrument.tick");
    assert_eq!(said(|it| instrument(it).step.clear()), "Instrument.step");
    assert_eq!(said(|it| instrument(it).quantity_min.clear()), "Instrument.quantity_min");
    assert_eq!(said(|it| instrument(it).quantity_max.clear()), "Instrument.quantity_max");
    assert_eq!(said(|it| instrument(it).notional_min.clear()), "Instrument.notional_min");
    assert_eq!(said(|it| instrument(it).contract_size.clear()), "Instrument.contract_size");
    assert_eq!(said(|it| instrument(it).reference_price = Some(String::new())), "Instrument.reference_price");
    assert_eq!(said(|it| instrument(it).order_types = vec![NO_KIND]), "Instrument.order_types");
    assert_eq!(said(|it| instrument(it).order_types = vec![1, 1]), "Instrument.order_types");
    let twice = |it: &mut log::Configuration| {
        let again = instrument(it).clone();
        it.venues[0].instruments.push(again);
    };
    assert_eq!(said(twice), "Venue.instruments");
    assert_eq!(said(|it| it.accounts[0].id.clear()), "Account.id");
    assert_eq!(said(|it| it.accounts[0].venue.clear()), "Account.venue");
    assert_eq!(said(|it| it.accounts[0].mode = NO_KIND), "Account.mode");
    assert_eq!(said(|it| it.accounts[0].mode = 0), "AccountMode");
    assert_eq!(said(|it| it.accounts[0].lease = Some(String::new())), "Account.lease");
    assert_eq!(said(|it| it.accounts[0].bot_reports = NO_KIND), "Account.bot_reports");
    assert_eq!(said(|it| it.accounts[0].limits = None), "Account.limits");
    assert_eq!(said(|it| it.accounts[0].symbol_limits[0].limits = None), "SymbolLimits.limits");
    assert_eq!(said(|it| it.accounts[0].symbol_limits[0].symbol.clear()), "SymbolLimits.symbol");
    let twice = |it: &mut log::Configuration| {
        let again = it.strategies[0].symbol_limits[0].clone();
        it.strategies[0].symbol_limits.push(again);
    };
    assert_eq!(said(twice), "SymbolLimits");
    assert_eq!(said(|it| it.strategies[0].id.clear()), "Strategy.id");
    assert_eq!(said(|it| it.strategies[0].lease.clear()), "Strategy.lease");
    assert_eq!(said(|it| it.strategies[0].accounts[0].clear()), "Strategy.accounts");
    assert_eq!(said(|it| it.strategies[0].accounts.push("acc".into())), "Strategy.accounts");
    assert_eq!(said(|it| it.strategies[0].symbols[0].clear()), "Strategy.symbols");
    assert_eq!(said(|it| it.strategies[0].symbols.push("BTC".into())), "Strategy.symbols");
    assert_eq!(said(|it| it.strategies[0].limits = None), "Strategy.limits");
    fn limits(all: &mut log::Configuration) -> &mut log::Limits {
        all.accounts[0].limits.as_mut().unwrap()
    }
    assert_eq!(said(|it| limits(it).quantity_max = Some(String::new())), "Limits.quantity_max");
    assert_eq!(said(|it| limits(it).notional_max = Some(String::new())), "Limits.notional_max");
    assert_eq!(said(|it| limits(it).position_max = Some(String::new())), "Limits.position_max");
    assert_eq!(said(|it| limits(it).daily_notional_max = Some(String::new())), "Limits.daily_notional_max");
}

#[test]
fn what_is_wrong_in_an_answer_of_trading_is_named() {
    use log::trading_answer::Answer;
    let said = |answer| what(TradingAnswer::try_from(log::TradingAnswer { answer }));
    assert_eq!(said(None), "TradingAnswer.answer");
    let configured = log::Configured { changes: 1, revision: Bytes::from_static(&[0; 15]) };
    assert_eq!(said(Some(Answer::Configured(configured))), "Configured.revision");
    assert_eq!(said(Some(Answer::Switched(0))), "TradingAnswer.switched");
    assert_eq!(said(Some(Answer::Switched(NO_KIND))), "TradingAnswer.switched");
}

#[test]
fn what_is_wrong_in_what_is_asked_of_trading_is_named() {
    let audit = || Some(log::Audit::default());
    let all = || Some(log::Subject { scope: 1, name: String::new() });
    let configure_if = |configuration, tag: &str, audit, expected| {
        let tag = tag.into();
        wrong(Some(Action::Configure(log::Configure { configuration, tag, audit, expected })))
    };
    let configure = |configuration, tag, audit| configure_if(configuration, tag, audit, None);
    let empty = || Some(log::Configuration::default());
    assert_eq!(configure(None, "ab01", audit()), "Configure.configuration");
    assert_eq!(configure(empty(), "AB01", audit()), "Configure.tag");
    assert_eq!(configure(empty(), "ab01", None), "Configure.audit");
    let short = Some(Bytes::from_static(&[0; 15]));
    assert_eq!(configure_if(empty(), "ab01", audit(), short), "Configure.expected");
    let kill = |subject, audit| {
        wrong(Some(Action::SetKillSwitch(log::SetKillSwitch { subject, engaged: true, audit })))
    };
    assert_eq!(kill(None, audit()), "SetKillSwitch.subject");
    assert_eq!(kill(all(), None), "SetKillSwitch.audit");
    let subject = |scope, name: &str| kill(Some(log::Subject { scope, name: name.into() }), audit());
    assert_eq!(subject(0, ""), "Subject.scope");
    assert_eq!(subject(NO_KIND, "a"), "Subject.scope");
    assert_eq!(subject(1, "a"), "Subject.name");
    for scope in 2..=6 {
        assert_eq!(subject(scope, NO_NAME), "Subject.name");
    }
    let mode = |subject, mode, audit| wrong(Some(Action::SetMode(log::SetMode { subject, mode, audit })));
    assert_eq!(mode(None, 1, audit()), "SetMode.subject");
    assert_eq!(mode(all(), NO_KIND, audit()), "TradingMode");
    assert_eq!(mode(all(), 0, audit()), "TradingMode");
    assert_eq!(mode(all(), 1, None), "SetMode.audit");
    let breaker = |venue: &str, audit| {
        wrong(Some(Action::SetBreaker(log::SetBreaker { venue: venue.into(), forced_open: true, audit })))
    };
    assert_eq!(breaker(NO_NAME, audit()), "SetBreaker.venue");
    assert_eq!(breaker("sim", None), "SetBreaker.audit");
    let reconciled = log::RecordReconciled::default();
    assert_eq!(wrong(Some(Action::RecordReconciled(reconciled))), "RecordReconciled.account");
}

#[test]
fn what_is_wrong_in_the_records_of_trading_is_named() {
    let image = Image { trading: desk::trading(), ..Image::default() };
    let [Row::Long(part)] = &rows_of(&image)[..] else { panic!("it is short") };
    let whole = log::TradingRow::decode(&part.bytes[..]).unwrap();
    let said = |change: fn(&mut log::TradingRow)| {
        let mut row = whole.clone();
        change(&mut row);
        let part = log::LongRow { bytes: row.encode_to_vec().into(), ..part.clone() };
        what(rows(vec![head(0, 0), Row::Long(part)]))
    };
    assert_eq!(said(|it| it.kills.reverse()), "TradingRow.kills");
    assert_eq!(said(|it| it.kills[0].subject = None), "KillRow.subject");
    assert_eq!(said(|it| it.kills[0].note = None), "Note");
    assert_eq!(said(|it| it.modes.push(it.modes[0].clone())), "TradingRow.modes");
    assert_eq!(said(|it| it.modes[0].subject = None), "ModeRow.subject");
    assert_eq!(said(|it| it.modes[0].mode = NO_KIND), "TradingMode");
    assert_eq!(said(|it| it.modes[0].note = None), "Note");
    assert_eq!(said(|it| it.breakers.push(it.breakers[0].clone())), "TradingRow.breakers");
    assert_eq!(said(|it| it.breakers[0].venue.clear()), "BreakerRow.venue");
    assert_eq!(said(|it| it.reconciled.push(it.reconciled[0].clone())), "TradingRow.reconciled");
    assert_eq!(said(|it| it.reconciled[0].account.clear()), "RecordReconciled.account");
    assert_eq!(said(|it| it.positions.push(it.positions[0].clone())), "TradingRow.positions");
    assert_eq!(said(|it| it.positions[0].account.clear()), "PositionRow.account");
    assert_eq!(said(|it| it.positions[0].symbol.clear()), "PositionRow.symbol");
    assert_eq!(said(|it| it.positions[0].strategy = Some(String::new())), "PositionRow.strategy");
    assert_eq!(said(|it| it.positions[0].position = NO_NUMBER.into()), "PositionRow.position");
    assert_eq!(said(|it| it.clocks.push(it.clocks[0].clone())), "TradingRow.clocks");
    assert_eq!(said(|it| it.clocks[0].limit = None), "LimitKey");
    assert_eq!(said(|it| it.clocks[0].limit.as_mut().unwrap().owner = None), "LimitKey.owner");
    assert_eq!(
        said(|it| it.clocks[0].limit.as_mut().unwrap().symbol = Some(String::new())),
        "LimitKey.symbol"
    );
    assert_eq!(said(|it| it.notionals.push(it.notionals[0].clone())), "TradingRow.notionals");
    assert_eq!(said(|it| it.notionals[0].quote.clear()), "NotionalRow.quote");
    assert_eq!(said(|it| it.notionals[0].notional.clear()), "NotionalRow.notional");
    assert_eq!(said(|it| it.last_trades.push(it.last_trades[0].clone())), "TradingRow.last_trades");
    assert_eq!(said(|it| it.last_trades[0].venue.clear()), "LastTradeRow.venue");
    assert_eq!(said(|it| it.last_trades[0].symbol.clear()), "LastTradeRow.symbol");
    assert_eq!(said(|it| it.last_trades[0].trade.clear()), "LastTradeRow.trade");
    assert_eq!(said(|it| it.last_trades[0].price.clear()), "LastTradeRow.price");
}

#[test]
fn what_is_wrong_in_a_row_of_a_configuration_or_a_tombstone_is_named() {
    let image = Image { configured: Some(desk::configured()), ..Image::default() };
    let [Row::Long(part)] = &rows_of(&image)[..] else { panic!("it is short") };
    let whole = log::ConfigurationRow::decode(&part.bytes[..]).unwrap();
    let said = |change: fn(&mut log::ConfigurationRow)| {
        let mut row = whole.clone();
        change(&mut row);
        let part = log::LongRow { bytes: row.encode_to_vec().into(), ..part.clone() };
        rows(vec![head(0, 0), Row::Long(part)])
    };
    assert_eq!(what(said(|it| it.tag.clear())), "ConfigurationRow.tag");
    assert_eq!(what(said(|it| it.configuration = None)), "ConfigurationRow.configuration");
    let without_accounts = said(|it| it.configuration.as_mut().unwrap().accounts.clear());
    assert_eq!(
        without_accounts.unwrap_err().to_string(),
        "ConfigurationRow.configuration: strategies.str.accounts: there is no account acc"
    );

    let image = Image { tombstones: vec![desk::tombstone()], ..Image::default() };
    let [Row::Tombstone(whole)] = &rows_of(&image)[..] else { panic!("it is one row") };
    let said = |change: fn(&mut log::TombstoneRow)| {
        let mut row = whole.clone();
        change(&mut row);
        what(rows(vec![head(0, 1), Row::Tombstone(row)]))
    };
    assert_eq!(said(|it| it.strategy.clear()), "TombstoneRow.strategy");
    assert_eq!(said(|it| it.key.clear()), "TombstoneRow.key");
    assert_eq!(said(|it| it.payload = Bytes::new()), "TombstoneRow.payload");
    assert_eq!(said(|it| it.filled = NO_NUMBER.into()), "TombstoneRow.filled");
    assert_eq!(said(|it| it.fills = Bytes::new()), "TombstoneRow.fills");
    let twice = vec![head(0, 2), Row::Tombstone(whole.clone()), Row::Tombstone(whole.clone())];
    assert_eq!(what(rows(twice)), "TombstoneRow.key");
}
