//! `tenure kill-switch`, `mode` and `breaker`: stop trading, and let it go on.
//!
//! What stops is only asked about; what lets trading go on needs a reason, which the nodes insist on.

use anyhow::Result;
use clap::Subcommand;
use http::switch::{self, Breaker, KillSwitch, Note, Scope, TradingMode};
use http::switch::{SwitchedBreaker, SwitchedKillSwitch, SwitchedMode};
use serde::Serialize;
use wire::v1;

use super::lease::request_id;
use super::{confirmed, reason, said};
use crate::args::Why;
use crate::client::Client;
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
    let row = |it: &KillSwitch| {
        let state = if it.engaged { "engaged" } else { "released" };
        (it.scope.clone(), state.to_owned(), it.note.clone())
    };
    show(
        format,
        scope,
        engaged,
        KillSwitch::released,
        |it| &it.scope,
        |all| table(["scope", "kill_switch"], all.iter().map(row)),
    )
}

async fn show_modes(client: &Client, Asked { scope }: Asked, format: Format) -> Result<()> {
    let set = TradingMode::set(switches(client).await?);
    let row = |it: &TradingMode| (it.scope.clone(), it.mode.clone(), it.note.clone());
    show(
        format,
        scope,
        set,
        TradingMode::normal,
        |it| &it.scope,
        |all| table(["scope", "mode"], all.iter().map(row)),
    )
}

/// Whatever is switched, or the one of a scope, which may stand as it does by default.
fn show<T: Serialize>(
    format: Format,
    scope: Option<Scope>,
    switched: Vec<T>,
    default: impl FnOnce(String) -> T,
    scope_of: impl Fn(&T) -> &String,
    table: impl FnOnce(&[T]) -> Table,
) -> Result<()> {
    let Some(scope) = scope.map(|scope| scope.to_string()) else { return Ok(format.many(&switched, table)?) };
    let one = switched.into_iter().find(|it| *scope_of(it) == scope).unwrap_or_else(|| default(scope));
    Ok(format.one(&one, |one| table(std::slice::from_ref(one)))?)
}

async fn list_breakers(client: &Client, format: Format) -> Result<()> {
    let shown = client.call_any(|c| async { Client::config(c).show(v1::ShowRequest {}).await }).await?;
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
