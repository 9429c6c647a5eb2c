//! `tenure.v1.ConfigService`.

use consensus::Replica;
use domain::command::Audit;
use domain::limits::TEXT_BYTES_MAX;
use domain::orders::id::Tag;
use domain::orders::reason::Mode;
use domain::trading::command::{TradingAction, TradingAnswer};
use domain::trading::{Configuration, Problem, Revision, Switched};
use domain::{Action, Answer, State};
use tonic::{Request, Response, Status};
use wire::v1::{self, config_service_server::ConfigService};

use crate::call::{header, look, other_request, propose};
use crate::cluster::WallClock;
use crate::faults::Faults;
use crate::refusal::{Reason, from_read};

mod draft;
mod switch;

#[derive(Clone)]
pub struct Config {
    replica: Replica,
    wall_ms: WallClock,
}

impl Config {
    /// `wall_ms` is for audit records.
    pub fn new(replica: Replica, wall_ms: WallClock) -> Self {
        Self { replica, wall_ms }
    }

    async fn read<T>(&self, show: impl FnOnce(&State) -> T) -> Result<(v1::ReplyHeader, T), Status> {
        let reading = self.replica.read().await.map_err(from_read)?;
        Ok(look(&self.replica, &reading, |state, _| show(state)))
    }

    async fn execute(
        &self,
        request_id: &[u8],
        action: TradingAction,
    ) -> Result<(v1::ReplyHeader, TradingAnswer), Status> {
        let outcome = propose(&self.replica, request_id, Action::Trading(Box::new(action))).await?;
        let header = header(&self.replica, &outcome);
        match outcome.answer {
            Answer::Trading(answer) => Ok((header, *answer)),
            _ => Err(other_request()),
        }
    }

    /// Whether it stood otherwise before.
    async fn switch(
        &self,
        request_id: &[u8],
        action: TradingAction,
    ) -> Result<(v1::ReplyHeader, bool), Status> {
        match self.execute(request_id, action).await? {
            (header, TradingAnswer::Switched(Switched::Changed)) => Ok((header, true)),
            (header, TradingAnswer::Switched(Switched::Unchanged)) => Ok((header, false)),
            (_, TradingAnswer::Switched(Switched::Full)) => Err(Reason::Full
                .status("as many switches are set as may be; that of all can be set all the same")),
            (_, TradingAnswer::Unknown) => {
                Err(Reason::UnknownName.status("there is nothing of this name that could be switched"))
            }
            (_, TradingAnswer::Unexplained) => Err(unexplained()),
            _ => Err(other_request()),
        }
    }

    fn audit(&self, action: &str, subject: String, reason: Option<v1::Reason>) -> Box<Audit> {
        let v1::Reason { actor, text } = reason.unwrap_or_default();
        let wall_ms = (self.wall_ms)();
        Box::new(Audit { wall_ms, actor, action: action.into(), subject, reason: text })
    }

    /// What tells the orders of this cluster from those of any other.
    fn tag(&self) -> Result<Tag, Status> {
        let cluster = self.replica.cluster_id().map(u128::from_be_bytes);
        cluster.map(Tag::of).ok_or_else(|| Reason::NoQuorum.status("this node belongs to no cluster yet"))
    }
}

fn misconfigured(problems: &[Problem]) -> Status {
    Reason::Invalid.status_of_all(&problems.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn stale(expected: Revision) -> Status {
    Reason::StaleRevision.status(format!(
        "expected: revision {expected} does not stand; somebody has set another since it was looked at, and nothing was set now"
    ))
}

/// What lets trading go on is not done without saying why. Of a mode that allows something the state knows whether it does.
fn reasoned(reason: Option<v1::Reason>) -> Result<Option<v1::Reason>, Status> {
    let is_given = reason.as_ref().is_some_and(|reason| !reason.text.trim().is_empty());
    if is_given { Ok(reason) } else { Err(unexplained()) }
}

/// What stops trading is not refused for the length of its words.
fn cut(reason: Option<v1::Reason>) -> Option<v1::Reason> {
    let cut = |text: String| text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned();
    reason.map(|v1::Reason { actor, text }| v1::Reason { actor: cut(actor), text: cut(text) })
}

fn unexplained() -> Status {
    Reason::Invalid.status("reason: missing; say why, for it lets more through")
}

#[tonic::async_trait]
impl ConfigService for Config {
    async fn apply(&self, request: Request<v1::ApplyRequest>) -> Result<Response<v1::ApplyResponse>, Status> {
        let v1::ApplyRequest { configuration, dry_run, reason, request_id, expected } = request.into_inner();
        let configuration = configuration.ok_or_else(|| Reason::Invalid.status("configuration: missing"))?;
        let mut faults = Faults::default();
        let expected = faults.optional("expected", expected.as_ref());
        let draft = draft::from_wire(&configuration, &mut faults);
        faults.none(Reason::Invalid)?;
        let reason = if dry_run { reason } else { reasoned(reason)? };
        let (header, now) = self.read(|state| state.trading().configuration.clone()).await?;
        // Outside of the look: of thousands of records it takes long.
        let new = Configuration::try_from(draft.clone()).map_err(|problems| misconfigured(&problems))?;
        let changes = now.diff(&new).iter().map(ToString::to_string).collect();
        let response = v1::ApplyResponse { header: None, changes, revision: new.revision().to_string() };
        if dry_run {
            return match expected {
                Some(expected) if expected != now.revision() => Err(stale(expected)),
                _ => Ok(Response::new(v1::ApplyResponse { header: Some(header), ..response })),
            };
        }
        let audit = self.audit("config apply", String::new(), reason);
        let configure = TradingAction::Configure { draft, expected, tag: self.tag()?, audit };
        match self.execute(&request_id, configure).await? {
            // What ran under this id was another file.
            (_, TradingAnswer::Configured { revision, .. }) if revision != new.revision() => {
                Err(other_request())
            }
            (header, TradingAnswer::Configured { .. }) => {
                // Against what stands now, the difference would be none or another.
                let changes = if header.repeated { Vec::new() } else { response.changes };
                Ok(Response::new(v1::ApplyResponse { header: Some(header), changes, ..response }))
            }
            (_, TradingAnswer::Stale) => Err(expected.map_or_else(other_request, stale)),
            (_, TradingAnswer::Misconfigured { problems }) => Err(misconfigured(&problems)),
            _ => Err(other_request()),
        }
    }

    async fn show(&self, _: Request<v1::ShowRequest>) -> Result<Response<v1::ShowResponse>, Status> {
        let (header, now) = self.read(|state| state.trading().configuration.clone()).await?;
        let configuration = Some(draft::to_wire(&now.draft()));
        let revision = now.revision().to_string();
        Ok(Response::new(v1::ShowResponse { header: Some(header), configuration, revision }))
    }

    async fn set_kill_switch(
        &self,
        request: Request<v1::SetKillSwitchRequest>,
    ) -> Result<Response<v1::SetKillSwitchResponse>, Status> {
        let v1::SetKillSwitchRequest { subject, engaged, reason, request_id } = request.into_inner();
        let subject = switch::subject(subject)?;
        let reason = if engaged { cut(reason) } else { reasoned(reason)? };
        let action = if engaged { "kill-switch engage" } else { "kill-switch release" };
        let audit = self.audit(action, subject.to_string(), reason);
        let set = TradingAction::SetKillSwitch { subject, engaged, audit };
        let (header, changed) = self.switch(&request_id, set).await?;
        Ok(Response::new(v1::SetKillSwitchResponse { header: Some(header), changed }))
    }

    async fn set_mode(
        &self,
        request: Request<v1::SetModeRequest>,
    ) -> Result<Response<v1::SetModeResponse>, Status> {
        let v1::SetModeRequest { subject, mode, reason, request_id } = request.into_inner();
        let (subject, mode) = (switch::subject(subject)?, switch::mode(mode)?);
        let reason = match mode {
            Mode::Normal => reasoned(reason)?,
            Mode::Halted => cut(reason),
            Mode::ReduceOnly | Mode::CancelOnly => reason,
        };
        let audit = self.audit("mode set", format!("{subject} {mode}"), reason);
        let set = TradingAction::SetMode { subject, mode, audit };
        let (header, changed) = self.switch(&request_id, set).await?;
        Ok(Response::new(v1::SetModeResponse { header: Some(header), changed }))
    }

    async fn set_breaker(
        &self,
        request: Request<v1::SetBreakerRequest>,
    ) -> Result<Response<v1::SetBreakerResponse>, Status> {
        let v1::SetBreakerRequest { venue, forced_open, reason, request_id } = request.into_inner();
        let mut faults = Faults::default();
        let venue = faults.parse("venue", &venue);
        faults.none(Reason::Invalid)?;
        let venue: domain::VenueId = venue.expect("nothing is wrong with it");
        let reason = if forced_open { cut(reason) } else { reasoned(reason)? };
        let action = if forced_open { "breaker trip" } else { "breaker reset" };
        let audit = self.audit(action, venue.to_string(), reason);
        let set = TradingAction::SetBreaker { venue, forced_open, audit };
        let (header, changed) = self.switch(&request_id, set).await?;
        Ok(Response::new(v1::SetBreakerResponse { header: Some(header), changed }))
    }

    async fn switches(
        &self,
        _: Request<v1::SwitchesRequest>,
    ) -> Result<Response<v1::SwitchesResponse>, Status> {
        let (header, switches) = self.read(|state| state.trading().switches.clone()).await?;
        let response = switch::to_wire(switches);
        Ok(Response::new(v1::SwitchesResponse { header: Some(header), ..response }))
    }
}
