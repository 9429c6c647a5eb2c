//! What is switched, and how it stands, in the words of clients.

use domain::orders::reason::{Mode, Scope};
use domain::trading::{Note, Subject, Switches};
use tonic::Status;
use wire::v1;

use crate::faults::Faults;
use crate::refusal::Reason;

pub(super) fn subject(subject: Option<v1::Subject>) -> Result<Subject, Status> {
    let subject = subject.unwrap_or_default();
    let (mut faults, name) = (Faults::default(), subject.name.as_str());
    let found = match subject.scope() {
        v1::Scope::All if name.is_empty() => Some(Subject::All),
        v1::Scope::All => {
            faults.say("subject.name", "all have no name");
            None
        }
        v1::Scope::Venue => faults.parse("subject.name", name).map(Subject::Venue),
        v1::Scope::Account => faults.parse("subject.name", name).map(Subject::Account),
        v1::Scope::Strategy => faults.parse("subject.name", name).map(Subject::Strategy),
        v1::Scope::Trader => faults.parse("subject.name", name).map(Subject::Trader),
        v1::Scope::Symbol => faults.parse("subject.name", name).map(Subject::Symbol),
        v1::Scope::Unspecified => {
            let all: Vec<&str> = Scope::ALL.into_iter().map(Scope::as_str).collect();
            faults.say("subject.scope", format!("must be one of {}", all.join(", ")));
            None
        }
    };
    faults.none(Reason::Invalid)?;
    Ok(found.expect("nothing is wrong with it"))
}

pub(super) fn mode(mode: i32) -> Result<Mode, Status> {
    Ok(match v1::TradingMode::try_from(mode) {
        Ok(v1::TradingMode::Normal) => Mode::Normal,
        Ok(v1::TradingMode::ReduceOnly) => Mode::ReduceOnly,
        Ok(v1::TradingMode::CancelOnly) => Mode::CancelOnly,
        Ok(v1::TradingMode::Halted) => Mode::Halted,
        Ok(v1::TradingMode::Unspecified) | Err(_) => {
            let all: Vec<&str> = Mode::ALL.into_iter().map(Mode::as_str).collect();
            return Err(Reason::Invalid.status(format!("mode: must be one of {}", all.join(", "))));
        }
    })
}

pub(super) fn to_wire(switches: Switches) -> v1::SwitchesResponse {
    let Switches { kills, modes, breakers } = switches;
    let normal = Mode::Normal;
    let breakers = breakers.into_iter().map(|(venue, note)| switch(Subject::Venue(venue), normal, note));
    v1::SwitchesResponse {
        header: None,
        kill_switches: kills.into_iter().map(|(subject, note)| switch(subject, normal, note)).collect(),
        modes: modes.into_iter().map(|(subject, (mode, note))| switch(subject, mode, note)).collect(),
        breakers: breakers.collect(),
    }
}

fn switch(subject: Subject, mode: Mode, note: Note) -> v1::Switch {
    let Note { actor, reason, serial, wall_ms } = note;
    let mode = match mode {
        Mode::Normal => v1::TradingMode::Unspecified,
        Mode::ReduceOnly => v1::TradingMode::ReduceOnly,
        Mode::CancelOnly => v1::TradingMode::CancelOnly,
        Mode::Halted => v1::TradingMode::Halted,
    };
    let subject = Some(subject_to_wire(subject));
    v1::Switch { subject, mode: mode.into(), actor, reason, serial: serial.0, at_ms: wall_ms }
}

fn subject_to_wire(subject: Subject) -> v1::Subject {
    let (scope, name) = match subject {
        Subject::All => (v1::Scope::All, String::new()),
        Subject::Venue(id) => (v1::Scope::Venue, id.to_string()),
        Subject::Account(id) => (v1::Scope::Account, id.to_string()),
        Subject::Strategy(id) => (v1::Scope::Strategy, id.to_string()),
        Subject::Trader(id) => (v1::Scope::Trader, id.to_string()),
        Subject::Symbol(id) => (v1::Scope::Symbol, id.to_string()),
    };
    v1::Subject { scope: scope.into(), name }
}
