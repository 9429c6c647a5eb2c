//! `/api/v1/kill-switches`, `/api/v1/modes` and `/api/v1/breakers`: what stops trading, and who stopped it. Bodies are as
//! `tenure kill-switch`, `mode` and `breaker … -o json` print them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tonic::Request;
use wire::v1::{self, config_service_server::ConfigService};

use crate::input::{Body, BodyOrNothing, Name, bad, parse_request_id};
use crate::order::rfc3339;
use crate::refusal::Refusal;
use crate::reply::headers;

/// What a switch covers: `all`, or a kind and a name, as in `venue:sim`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope(pub v1::Subject);

const SCOPES: &str =
    "must be all, venue:NAME, account:NAME, strategy:NAME, trader:NAME or symbol:NAME (at every venue)";

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let is_word = kind.bytes().all(|byte| byte.is_ascii_lowercase());
        let scope = v1::Scope::from_str_name(&format!("SCOPE_{}", kind.to_ascii_uppercase()));
        let scope = scope.filter(|scope| is_word && *scope != v1::Scope::Unspecified);
        match scope {
            Some(scope) if (scope == v1::Scope::All) == (text == kind) => {
                Ok(Self(v1::Subject { scope: scope.into(), name: name.to_owned() }))
            }
            _ => Err(format!("{text:?} is no scope; it {SCOPES}")),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.0.scope().as_str_name().trim_start_matches("SCOPE_").to_ascii_lowercase();
        if self.0.name.is_empty() { f.write_str(&kind) } else { write!(f, "{kind}:{}", self.0.name) }
    }
}

/// How much trading is allowed: `normal`, `reduce-only`, `cancel-only` or `halted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub v1::TradingMode);

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        use v1::TradingMode::{CancelOnly, Halted, Normal, ReduceOnly};
        let mode =
            [Normal, ReduceOnly, CancelOnly, Halted].map(Self).into_iter().find(|it| it.to_string() == text);
        mode.ok_or_else(|| {
            format!("{text:?} is no mode; it must be normal, reduce-only, cancel-only or halted")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            // Of what is not switched nothing is said.
            v1::TradingMode::Unspecified | v1::TradingMode::Normal => "normal",
            v1::TradingMode::ReduceOnly => "reduce-only",
            v1::TradingMode::CancelOnly => "cancel-only",
            v1::TradingMode::Halted => "halted",
        })
    }
}

/// Who switched; null of what is as it is by default.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Note {
    pub actor: Option<String>,
    pub reason: Option<String>,
    pub serial: Option<u64>,
    pub at: Option<String>,
}

impl From<v1::Switch> for Note {
    fn from(switch: v1::Switch) -> Self {
        let v1::Switch { subject: _, mode: _, actor, reason, serial, at_ms } = switch;
        Self { actor: Some(actor), reason: Some(reason), serial: Some(serial), at: rfc3339(at_ms) }
    }
}

#[derive(Debug, Serialize)]
pub struct KillSwitch {
    pub scope: String,
    pub engaged: bool,
    #[serde(flatten)]
    pub note: Note,
}

impl KillSwitch {
    /// All that are engaged.
    pub fn engaged(switches: v1::SwitchesResponse) -> Vec<Self> {
        let engaged =
            |switch: v1::Switch| Self { scope: scope_of(&switch), engaged: true, note: switch.into() };
        switches.kill_switches.into_iter().map(engaged).collect()
    }

    pub fn released(scope: String) -> Self {
        Self { scope, engaged: false, note: Note::default() }
    }
}

#[derive(Debug, Serialize)]
pub struct TradingMode {
    pub scope: String,
    pub mode: String,
    #[serde(flatten)]
    pub note: Note,
}

impl TradingMode {
    /// All that are not normal.
    pub fn set(switches: v1::SwitchesResponse) -> Vec<Self> {
        let set = |switch: v1::Switch| Self {
            scope: scope_of(&switch),
            mode: Mode(switch.mode()).to_string(),
            note: switch.into(),
        };
        switches.modes.into_iter().map(set).collect()
    }

    pub fn normal(scope: String) -> Self {
        Self { scope, mode: Mode(v1::TradingMode::Normal).to_string(), note: Note::default() }
    }
}

#[derive(Debug, Serialize)]
pub struct Breaker {
    pub venue: String,
    /// `closed`, or `forced_open`.
    pub state: &'static str,
    #[serde(flatten)]
    pub note: Note,
}

impl Breaker {
    /// Those of all venues, and of those that are gone and would be stopped if they came back.
    pub fn all(configuration: v1::Configuration, switches: v1::SwitchesResponse) -> Vec<Self> {
        let closed = |venue: String| Self { venue, state: breaker_state(false), note: Note::default() };
        let venues = configuration.venues.into_iter().map(|venue| (venue.id.clone(), closed(venue.id)));
        let mut all: BTreeMap<String, Self> = venues.collect();
        for switch in switches.breakers {
            let venue = switch.subject.clone().unwrap_or_default().name;
            let state = breaker_state(true);
            all.insert(venue.clone(), Self { venue, state, note: switch.into() });
        }
        all.into_values().collect()
    }
}

pub fn breaker_state(is_forced_open: bool) -> &'static str {
    if is_forced_open { "forced_open" } else { "closed" }
}

fn scope_of(switch: &v1::Switch) -> String {
    Scope(switch.subject.clone().unwrap_or_default()).to_string()
}

/// What was switched, and how it stands now.
#[derive(Debug, Serialize)]
pub struct SwitchedKillSwitch {
    pub scope: String,
    pub engaged: bool,
    /// Not: it stood so already, and whoever set it is still named.
    pub changed: bool,
}

#[derive(Debug, Serialize)]
pub struct SwitchedMode {
    pub scope: String,
    pub mode: String,
    pub changed: bool,
}

#[derive(Debug, Serialize)]
pub struct SwitchedBreaker {
    pub venue: String,
    pub state: &'static str,
    pub changed: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    #[serde(default)]
    actor: String,
    #[serde(default)]
    reason: String,
    request_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetMode {
    mode: String,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    reason: String,
    request_id: Option<String>,
}

async fn switches<C: ConfigService>(config: &C) -> Result<v1::SwitchesResponse, Refusal> {
    Ok(config.switches(Request::new(v1::SwitchesRequest {})).await?.into_inner())
}

fn parsed<T: FromStr<Err = String>>(field: &str, text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error| bad(format!("{field}: {error}")))
}

pub(crate) async fn kill_switches<C: ConfigService>(
    State(config): State<Arc<C>>,
) -> Result<Response, Refusal> {
    let switches = switches(&*config).await?;
    Ok((headers(switches.header.clone()), Json(KillSwitch::engaged(switches))).into_response())
}

pub(crate) async fn engage<C: ConfigService>(
    State(config): State<Arc<C>>,
    Name(scope): Name,
    BodyOrNothing(why): BodyOrNothing<Why>,
) -> Result<Response, Refusal> {
    set_kill_switch(&*config, &scope, true, why).await
}

/// Not without a reason.
pub(crate) async fn release<C: ConfigService>(
    State(config): State<Arc<C>>,
    Name(scope): Name,
    Body(why): Body<Why>,
) -> Result<Response, Refusal> {
    set_kill_switch(&*config, &scope, false, why).await
}

async fn set_kill_switch<C: ConfigService>(
    config: &C,
    scope: &str,
    engaged: bool,
    why: Why,
) -> Result<Response, Refusal> {
    let scope: Scope = parsed("scope", scope)?;
    let (reason, request_id) = why.into_wire()?;
    let subject = Some(scope.0.clone());
    let request = v1::SetKillSwitchRequest { subject, engaged, reason, request_id };
    let v1::SetKillSwitchResponse { header, changed } =
        config.set_kill_switch(Request::new(request)).await?.into_inner();
    let switched = SwitchedKillSwitch { scope: scope.to_string(), engaged, changed };
    Ok((headers(header), Json(switched)).into_response())
}

pub(crate) async fn modes<C: ConfigService>(State(config): State<Arc<C>>) -> Result<Response, Refusal> {
    let switches = switches(&*config).await?;
    Ok((headers(switches.header.clone()), Json(TradingMode::set(switches))).into_response())
}

/// `normal` not without a reason.
pub(crate) async fn set_mode<C: ConfigService>(
    State(config): State<Arc<C>>,
    Name(scope): Name,
    Body(body): Body<SetMode>,
) -> Result<Response, Refusal> {
    let SetMode { mode, actor, reason, request_id } = body;
    let (scope, mode): (Scope, Mode) = (parsed("scope", &scope)?, parsed("mode", &mode)?);
    let (reason, request_id) = Why { actor, reason, request_id }.into_wire()?;
    let subject = Some(scope.0.clone());
    let request = v1::SetModeRequest { subject, mode: mode.0.into(), reason, request_id };
    let v1::SetModeResponse { header, changed } = config.set_mode(Request::new(request)).await?.into_inner();
    let switched = SwitchedMode { scope: scope.to_string(), mode: mode.to_string(), changed };
    Ok((headers(header), Json(switched)).into_response())
}

pub(crate) async fn breakers<C: ConfigService>(State(config): State<Arc<C>>) -> Result<Response, Refusal> {
    let shown = config.show(Request::new(v1::ShowRequest {})).await?.into_inner();
    let switches = switches(&*config).await?;
    let header = switches.header.clone();
    let breakers = Breaker::all(shown.configuration.unwrap_or_default(), switches);
    Ok((headers(header), Json(breakers)).into_response())
}

pub(crate) async fn trip<C: ConfigService>(
    State(config): State<Arc<C>>,
    Name(venue): Name,
    BodyOrNothing(why): BodyOrNothing<Why>,
) -> Result<Response, Refusal> {
    set_breaker(&*config, venue, true, why).await
}

/// Not without a reason.
pub(crate) async fn reset<C: ConfigService>(
    State(config): State<Arc<C>>,
    Name(venue): Name,
    Body(why): Body<Why>,
) -> Result<Response, Refusal> {
    set_breaker(&*config, venue, false, why).await
}

async fn set_breaker<C: ConfigService>(
    config: &C,
    venue: String,
    forced_open: bool,
    why: Why,
) -> Result<Response, Refusal> {
    let (reason, request_id) = why.into_wire()?;
    let request = v1::SetBreakerRequest { venue: venue.clone(), forced_open, reason, request_id };
    let v1::SetBreakerResponse { header, changed } =
        config.set_breaker(Request::new(request)).await?.into_inner();
    let switched = SwitchedBreaker { venue, state: breaker_state(forced_open), changed };
    Ok((headers(header), Json(switched)).into_response())
}

impl Why {
    fn into_wire(self) -> Result<(Option<v1::Reason>, Bytes), Refusal> {
        let Self { actor, reason, request_id } = self;
        Ok((Some(v1::Reason { actor, text: reason }), parse_request_id(request_id.as_deref())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        for text in ["all", "venue:sim", "account:a.b", "strategy:mm", "trader:ann", "symbol:BTC:USDT"] {
            assert_eq!(text.parse::<Scope>().map(|scope| scope.to_string()).as_deref(), Ok(text));
        }
        for wrong in
            ["", "all:", "all:x", "venue", "Venue:sim", "unspecified", "unspecified:x", "desk:x", ":x"]
        {
            let told = wrong.parse::<Scope>().unwrap_err();
            assert!(told.contains("venue:NAME"), "{wrong}: {told}");
        }
    }

    #[test]
    fn a_mode_is_read_as_it_is_written() {
        for text in ["normal", "reduce-only", "cancel-only", "halted"] {
            assert_eq!(text.parse::<Mode>().map(|mode| mode.to_string()).as_deref(), Ok(text));
        }
        assert!("HALTED".parse::<Mode>().is_err() && "".parse::<Mode>().is_err());
    }
}
