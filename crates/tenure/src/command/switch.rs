//! `tenure kill-switch`, `mode` and `breaker`: stop trading, and let it go on.
//!
//! What stops is only asked about; what lets trading go on needs a reason, which the nodes insist on.

use std::collections::BTreeSet;

use anyhow::Result;
use api::Reason;
use clap::Subcommand;
use http::switch::{self, Breaker, KillSwitch, Note, Scope, TradingMode};
use http::switch::{SwitchedBreaker, SwitchedKillSwitch, SwitchedMode};
use serde::Serialize;
use wire::v1;

use super::lease::request_id;
use super::{config, confirmed, reason, said};
use crate::args::Why;
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Table, or_dash};

#[derive(Subcommand, Debug)]
pub enum KillSwitchCommand {
    /// No more orders, until it is released. Cancels stay possible, unless the mode is halted.
    Engage {
        #[command(flatten)]
        scope: Covered,
        #[command(flatten)]
        why: Why,
    },
    /// Allow orders again, as far as no other switch or mode forbids them.
    Release {
        #[command(flatten)]
        scope: Covered,
        /// Kept in the audit history.
        #[arg(long)]
        reason: String,
    },
    /// Those that are engaged, or how one stands.
    Show {
        #[command(flatten)]
        scope: Asked,
    },
}

#[derive(Subcommand, Debug)]
pub enum ModeCommand {
    /// Those that are not normal, or the one of a scope.
    Show {
        #[command(flatten)]
        scope: Asked,
    },
    /// How much trading is allowed. More than what stands needs a reason.
    Set {
        /// normal, reduce-only (cancels, and orders that make a position smaller), cancel-only, or halted (not even cancels).
        mode: switch::Mode,
        #[command(flatten)]
        scope: Covered,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Subcommand, Debug)]
pub enum BreakerCommand {
    /// Those of all venues.
    List,
    /// Force it open: no orders at the venue until it is reset. Cancels stay possible, unless the mode is halted.
    Trip {
        venue: String,
        #[command(flatten)]
        why: Why,
    },
    /// Let it be.
    Reset {
        venue: String,
        /// Kept in the audit history.
        #[arg(long)]
        reason: String,
    },
}

/// What is switched.
#[derive(clap::Args, Debug)]
pub struct Covered {
    /// all, venue:NAME, account:NAME, strategy:NAME, trader:NAME or symbol:NAME.
    #[arg(long, default_value = "all")]
    scope: Scope,
}

/// What is asked about.
#[derive(clap::Args, Debug)]
pub struct Asked {
    /// all, venue:NAME, account:NAME, strategy:NAME, trader:NAME or symbol:NAME. Default: whatever is switched.
    #[arg(long)]
    scope: Option<Scope>,
}

pub async fn kill_switch(client: &Client, command: KillSwitchCommand, format: Format) -> Result<()> {
    let (Covered { scope }, engaged, reason) = match command {
        KillSwitchCommand::Show { scope } => return show_kill_switches(client, scope, format).await,
        KillSwitchCommand::Engage { scope, why } => {
            let question =
                format!("Stop orders ({})? Cancels stay possible, unless the mode is halted.", scope.scope);
            (scope, true, confirmed(why, &question)?)
        }
        KillSwitchCommand::Release { scope, reason } => (scope, false, said(reason)),
    };
    let (subject, reason) = (Some(scope.0.clone()), Some(reason));
    let request = v1::SetKillSwitchRequest { subject, engaged, reason, request_id: request_id() };
    let call = async |channel| Client::config(channel).set_kill_switch(request.clone()).await;
    let response = if engaged { client.call_any(call).await? } else { client.call(call).await? };
    let switched = SwitchedKillSwitch { scope: scope.to_string(), engaged, changed: response.changed };
    let state = if engaged { "engaged" } else { "released" };
    print(format, &switched, &switched.scope, state, switched.changed)
}

pub async fn mode(client: &Client, command: ModeCommand, format: Format) -> Result<()> {
    let (mode, Covered { scope }, why) = match command {
        ModeCommand::Show { scope } => return show_modes(client, scope, format).await,
        ModeCommand::Set { mode, scope, why } => (mode, scope, why),
    };
    let reason = match mode.0 {
        // Nothing is interrupted.
        v1::TradingMode::Normal => reason(why),
        v1::TradingMode::Halted => {
            confirmed(why, &format!("Set the mode of {scope} to halted? Bots cannot even cancel then."))?
        }
        _ => confirmed(why, &format!("Set the mode of {scope} to {mode}?"))?,
    };
    let (subject, reason) = (Some(scope.0.clone()), Some(reason));
    let request = v1::SetModeRequest { subject, mode: mode.0.into(), reason, request_id: request_id() };
    let call = async |channel| Client::config(channel).set_mode(request.clone()).await;
    // Any other may allow more than before.
    let is_halted = mode.0 == v1::TradingMode::Halted;
    let response = if is_halted { client.call_any(call).await? } else { client.call(call).await? };
    let (scope, mode) = (scope.to_string(), mode.to_string());
    let switched = SwitchedMode { scope, mode, changed: response.changed };
    print(format, &switched, &switched.scope, &switched.mode, switched.changed)
}

pub async fn breaker(client: &Client, command: BreakerCommand, format: Format) -> Result<()> {
    let (venue, forced_open, reason) = match command {
        BreakerCommand::List => return list_breakers(client, format).await,
        BreakerCommand::Trip { venue, why } => {
            let question =
                format!("Force the breaker of {venue} open? No order is sent there until it is reset.");
            (venue, true, confirmed(why, &question)?)
        }
        BreakerCommand::Reset { venue, reason } => (venue, false, said(reason)),
    };
    let reason = Some(reason);
    let request = v1::SetBreakerRequest { venue, forced_open, reason, request_id: request_id() };
    let call = async |channel| Client::config(channel).set_breaker(request.clone()).await;
    let response = if forced_open { client.call_any(call).await? } else { client.call(call).await? };
    let state = switch::breaker_state(forced_open);
    let switched = SwitchedBreaker { venue: request.venue, state, changed: response.changed };
    print(format, &switched, &switched.venue, switched.state, switched.changed)
}

/// How it stands now, and whether it did before.
fn print<T: Serialize>(format: Format, switched: &T, scope: &str, state: &str, changed: bool) -> Result<()> {
    Ok(format.one(switched, |_| {
        let before = if changed { "" } else { ", as before" };
        format!("{scope}: {state}{before}")
    })?)
}

async fn show_kill_switches(client: &Client, Asked { scope }: Asked, format: Format) -> Result<()> {
    let engaged = KillSwitch::engaged(switches(client).await?);
    let table = |all: &[&KillSwitch]| {
        let row = |it: &&KillSwitch| {
            let state = if it.engaged { "engaged" } else { "released" };
            (it.scope.clone(), state.to_owned(), it.note.clone())
        };
        table(["scope", "kill_switch"], all.iter().map(row))
    };
    match scope {
        None => Ok(format.many(&engaged, |all| table(&Vec::from_iter(all)))?),
        Some(scope) => {
            let standing = standing(client, &scope, engaged, KillSwitch::released, |it| &it.scope).await?;
            Ok(format.one(&standing, |standing| table(&standing.all()))?)
        }
    }
}

async fn show_modes(client: &Client, Asked { scope }: Asked, format: Format) -> Result<()> {
    let set = TradingMode::set(switches(client).await?);
    let table = |all: &[&TradingMode]| {
        let row = |it: &&TradingMode| (it.scope.clone(), it.mode.clone(), it.note.clone());
        table(["scope", "mode"], all.iter().map(row))
    };
    match scope {
        None => Ok(format.many(&set, |all| table(&Vec::from_iter(all)))?),
        Some(scope) => {
            let standing = standing(client, &scope, set, TradingMode::normal, |it| &it.scope).await?;
            Ok(format.one(&standing, |standing| table(&standing.all()))?)
        }
    }
}

/// How the switch of a scope stands, and which others hold for it besides.
#[derive(Serialize)]
struct Standing<T> {
    #[serde(flatten)]
    own: T,
    /// That of all, and of what it is part of; of a strategy with several accounts those may cover only a part.
    covered_by: Vec<T>,
}

impl<T> Standing<T> {
    fn all(&self) -> Vec<&T> {
        std::iter::once(&self.own).chain(&self.covered_by).collect()
    }
}

/// It may stand as it does by default, but not if there is nothing of its name.
async fn standing<T>(
    client: &Client,
    scope: &Scope,
    switched: Vec<T>,
    default: impl FnOnce(String) -> T,
    scope_of: impl Fn(&T) -> &String,
) -> Result<Standing<T>> {
    let desk = config::shown(client).await?.configuration.unwrap_or_default();
    let text = scope.to_string();
    let (own, others): (Vec<T>, Vec<T>) = switched.into_iter().partition(|it| *scope_of(it) == text);
    let own = match own.into_iter().next() {
        Some(own) => own,
        None if is_there(&desk, &scope.0) => default(text),
        None => {
            let message = format!("there is no {text}");
            let failure =
                Failure::new(Exit::NotFound, Reason::UnknownName.name(), message, "tenure config show");
            return Err(failure.into());
        }
    };
    let wider = wider(&desk, &scope.0);
    let covered_by = others.into_iter().filter(|it| wider.contains(scope_of(it))).collect();
    Ok(Standing { own, covered_by })
}

fn is_there(desk: &v1::Configuration, subject: &v1::Subject) -> bool {
    let name = &subject.name;
    match subject.scope() {
        // Anybody may be a trader.
        v1::Scope::All | v1::Scope::Trader => true,
        v1::Scope::Venue => desk.venues.iter().any(|it| it.id == *name),
        v1::Scope::Account => desk.accounts.iter().any(|it| it.id == *name),
        v1::Scope::Strategy => desk.strategies.iter().any(|it| it.id == *name),
        v1::Scope::Symbol => desk.venues.iter().flat_map(|it| &it.symbols).any(|it| it.symbol == *name),
        v1::Scope::Unspecified => false,
    }
}

/// What else covers a scope, or a part of it.
fn wider(desk: &v1::Configuration, subject: &v1::Subject) -> BTreeSet<String> {
    let account_of = |id: &String| desk.accounts.iter().find(|it| it.id == *id);
    let venue_of = |id: &String| account_of(id).map(|it| format!("venue:{}", it.venue));
    let strategy = || desk.strategies.iter().find(|it| it.id == subject.name);
    let mut wider: BTreeSet<String> = match subject.scope() {
        v1::Scope::All => return BTreeSet::new(),
        v1::Scope::Account => venue_of(&subject.name).into_iter().collect(),
        v1::Scope::Strategy => {
            let accounts = strategy().into_iter().flat_map(|it| &it.accounts);
            accounts.flat_map(|id| [Some(format!("account:{id}")), venue_of(id)]).flatten().collect()
        }
        v1::Scope::Venue | v1::Scope::Trader | v1::Scope::Symbol | v1::Scope::Unspecified => BTreeSet::new(),
    };
    wider.insert("all".to_owned());
    wider
}

async fn list_breakers(client: &Client, format: Format) -> Result<()> {
    let shown = config::shown(client).await?;
    let breakers = Breaker::all(shown.configuration.unwrap_or_default(), switches(client).await?);
    let row = |it: &Breaker| (it.venue.clone(), it.state.to_owned(), it.note.clone());
    Ok(format.many(&breakers, |all| table(["venue", "breaker"], all.iter().map(row)))?)
}

async fn switches(client: &Client) -> Result<v1::SwitchesResponse> {
    Ok(client.call_any(|c| async { Client::config(c).switches(v1::SwitchesRequest {}).await }).await?)
}

fn table(head: [&str; 2], rows: impl Iterator<Item = (String, String, Note)>) -> Table {
    let [scope, state] = head;
    let mut table = Table::with_head(&[scope, state, "actor", "reason", "at"]);
    for (scope, state, Note { actor, reason, serial: _, at }) in rows {
        let reason = reason.filter(|reason| !reason.is_empty());
        table.row([scope, state, or_dash(actor), or_dash(reason), or_dash(at)]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_a_scope_is_told() {
        let account =
            |id: &str, venue: &str| v1::Account { id: id.into(), venue: venue.into(), ..Default::default() };
        let accounts = vec!["a".to_owned(), "b".to_owned()];
        let desk = v1::Configuration {
            venues: vec![v1::Venue { id: "v".into(), ..Default::default() }],
            accounts: vec![account("a", "v"), account("b", "w")],
            strategies: vec![v1::Strategy { id: "mm".into(), accounts, ..Default::default() }],
            day_offset_minutes: 0,
        };
        for (scope, known, covering) in [
            ("all", true, &[][..]),
            ("trader:ann", true, &["all"]),
            ("venue:v", true, &["all"]),
            ("account:a", true, &["all", "venue:v"]),
            ("strategy:mm", true, &["account:a", "account:b", "all", "venue:v", "venue:w"]),
            ("venue:x", false, &["all"]),
            ("account:x", false, &["all"]),
            ("strategy:x", false, &["all"]),
            ("symbol:x", false, &["all"]),
        ] {
            let Scope(subject) = scope.parse().unwrap();
            assert_eq!(is_there(&desk, &subject), known, "{scope}");
            assert_eq!(Vec::from_iter(wider(&desk, &subject)), covering, "{scope}");
        }
    }
}
