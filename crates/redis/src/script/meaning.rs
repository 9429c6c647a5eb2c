//! From what a script does in every case to the action that does the same.

use std::sync::Arc;

use bytes::Bytes;
use domain::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use domain::{Action, Answer, ExpireCondition, Expiry, Key, SetCondition};

use super::evaluate;
use super::world::{Case, Change, End, Stop, World};
use super::{Inputs, Meaning, Unsupported};
use crate::plan::{Plan, VIRTUAL_PREFIX, View};
use crate::{Error, Failure, Reply};

/// Where a script runs.
#[derive(Clone, Copy)]
pub(crate) struct Site {
    /// `eval` or its relatives, as errors name it.
    pub(crate) command: &'static str,
    pub(crate) database: u8,
    pub(crate) read_only: bool,
}

/// The plan that is this script with these inputs.
pub(crate) fn plan(script: &Arc<Meaning>, inputs: Inputs, site: Site) -> Result<Plan, Error> {
    let told = |stop| error(script, stop);
    let cases = Cases::try_all(script, &inputs).map_err(told)?;
    if cases.write_nothing() {
        return Ok(reading(script.clone(), inputs, site, cases));
    }
    if site.read_only {
        return Err(Error::WriteInReadOnlyScript(script.sha.clone()));
    }
    let key = cases.key(site.database)?;
    let plan = cases
        .action(&key, site.command)
        .ok_or_else(|| Unsupported::new("what it does to its key is none of the supported changes"));
    match plan.map_err(|reason| told(reason.into()))? {
        Plan::Write { actions, reply } => {
            let script = script.clone();
            Ok(Plan::Write { actions, reply: Box::new(move |results| in_script(&script, reply(results))) })
        }
        plan => Ok(plan),
    }
}

/// The error that asking for the value of a key that is no string raises in a script.
fn in_script(script: &Meaning, reply: Reply) -> Reply {
    match reply {
        Reply::Error(error @ Error::WrongKind) => {
            Error::InScript { message: error.to_string(), sha: script.sha.clone() }.into()
        }
        reply => reply,
    }
}

/// What a script does in one case.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    change: Change,
    /// `None`: it depends on what is not known in the case.
    reply: Option<Reply>,
}

/// What a script does in all of them.
struct Cases {
    name: Option<Bytes>,
    /// The text that the script compares the value with; without one, `ours` and `other` are the same.
    holder: Option<Bytes>,
    /// It asks for the value of a key that is there.
    asks: bool,
    absent: Seen,
    ours: Seen,
    ours_ending: Seen,
    other: Seen,
    other_ending: Seen,
}

impl Cases {
    fn try_all(script: &Meaning, inputs: &Inputs) -> Result<Self, Stop> {
        let mut names = Vec::new();
        let mut holders = Vec::new();
        let mut asks = false;
        let mut seen = |case| {
            let mut world = World::new(case);
            let value = evaluate::run(&script.body, inputs, &mut world)?;
            names.extend(world.key.clone());
            holders.extend(world.compared.clone());
            asks |= world.asked;
            Ok::<_, Stop>(Seen { change: world.change(), reply: value.reply() })
        };
        let absent = seen(Case::Absent)?;
        let other = seen(Case::Holding { value: None, ending: false })?;
        let other_ending = seen(Case::Holding { value: None, ending: true })?;
        let holder = one(&holders, "it compares the value with more than one text")?;
        let (ours, ours_ending) = match &holder {
            None => (other.clone(), other_ending.clone()),
            Some(_) => {
                let mut seen = |ending| {
                    let mut world = World::new(Case::Holding { value: holder.clone(), ending });
                    let value = evaluate::run(&script.body, inputs, &mut world)?;
                    names.extend(world.key.clone());
                    Ok::<_, Stop>(Seen { change: world.change(), reply: value.reply() })
                };
                (seen(false)?, seen(true)?)
            }
        };
        let name = one(&names, "it uses more than one key")?;
        Ok(Self { name, holder, asks, absent, ours, ours_ending, other, other_ending })
    }

    fn write_nothing(&self) -> bool {
        let all = [&self.absent, &self.ours, &self.ours_ending, &self.other, &self.other_ending];
        all.iter().all(|seen| seen.change == Change::Same)
    }

    fn key(&self, database: u8) -> Result<Key, Error> {
        let name = self.name.clone().unwrap_or_default();
        if name.len() > KEY_BYTES_MAX {
            return Err(Error::KeyTooLong);
        }
        if name.starts_with(VIRTUAL_PREFIX) {
            return Err(Error::VirtualKey);
        }
        let written = [&self.absent, &self.ours, &self.ours_ending, &self.other, &self.other_ending]
            .into_iter()
            .any(|seen| matches!(&seen.change, Change::Becomes { value: Some(v), .. } if v.len() > VALUE_BYTES_MAX));
        if written { Err(Error::ValueTooLong) } else { Ok(Key::new(database, &*name)) }
    }

    /// The action that does the same in every case, if there is one.
    fn action(&self, key: &Key, command: &'static str) -> Option<Plan> {
        let strangers_are_left_alone =
            self.holder.is_none() || (same(&self.other) && same(&self.other_ending));
        if !strangers_are_left_alone {
            return None;
        }
        // An action that is done to keys of any kind is no script that is refused for all but strings.
        let minds_the_kind = self.asks && self.holder.is_none();
        let absent_is_left_alone = same(&self.absent);
        let ours_is_left_alone = same(&self.ours) && same(&self.ours_ending);
        match (absent_is_left_alone, ours_is_left_alone) {
            (true, true) => None,
            (true, false) if minds_the_kind => None,
            (true, false) => self.remove(key, command).or_else(|| self.expire(key, command)).or_else(|| {
                let condition = match self.holder() {
                    Some(holder) => SetCondition::IfEqual(holder),
                    None => SetCondition::IfPresent,
                };
                self.set(key, command, condition, &self.ours, &self.ours_ending)
            }),
            (false, true) => self.set(key, command, SetCondition::IfAbsent, &self.absent, &self.absent),
            (false, false) if self.holder.is_none() => self.always(key, command),
            (false, false) => self.acquire_or_extend(key),
        }
    }

    fn holder(&self) -> Option<Arc<[u8]>> {
        self.holder.as_deref().map(Arc::from)
    }
}

// The kinds of action.
impl Cases {
    fn remove(&self, key: &Key, command: &'static str) -> Option<Plan> {
        if self.ours.change != Change::Gone || self.ours_ending.change != Change::Gone {
            return None;
        }
        let done = agreed(&[&self.ours, &self.ours_ending])?;
        let Some(not_done) = self.agreed_otherwise() else {
            // Who was in the way makes a difference. A conditional write whose end has already come removes the
            // key, too, and tells what was there.
            return self.telling(key, command, Arc::from([]), Expiry::InMs(0));
        };
        let action = Action::Remove { keys: vec![key.clone()], holder: self.holder() };
        Some(Plan::write(command, action, |answer| match answer {
            Answer::Count(0) => Some(not_done),
            Answer::Count(_) => Some(done),
            _ => None,
        }))
    }

    fn expire(&self, key: &Key, command: &'static str) -> Option<Plan> {
        let end_of = |seen: &Seen| match seen.change {
            Change::Becomes { value: None, end } => Some(end),
            _ => None,
        };
        let (condition, expiry) = match (end_of(&self.ours), end_of(&self.ours_ending)?) {
            (Some(End::InMs(a)), End::InMs(b)) if a == b => (ExpireCondition::Always, Expiry::InMs(a)),
            (None, end) if same(&self.ours) => {
                let expiry = match end {
                    End::InMs(ms) => Expiry::InMs(ms),
                    End::LaterByMs(ms) => Expiry::LaterByMs(ms),
                    End::Never => Expiry::Never,
                    End::Had | End::Left(_) => return None,
                };
                (ExpireCondition::HasEnd, expiry)
            }
            _ => return None,
        };
        let done = self.ours_ending.reply.clone()?;
        let everyone = condition == ExpireCondition::Always;
        if everyone && self.ours.reply.as_ref() != Some(&done) {
            return None;
        }
        let Some(not_done) = self.agreed_otherwise() else {
            return if everyone { self.telling(key, command, self.holder()?, expiry) } else { None };
        };
        if !everyone && self.ours.reply.as_ref() != Some(&not_done) {
            return None;
        }
        let action = Action::Expire { key: key.clone(), expiry, condition, holder: self.holder() };
        Some(Plan::write(command, action, |answer| match answer {
            Answer::Changed(true) => Some(done),
            Answer::Changed(false) => Some(not_done),
            _ => None,
        }))
    }

    /// A conditional write that answers what was there before.
    fn telling(&self, key: &Key, command: &'static str, value: Arc<[u8]>, expiry: Expiry) -> Option<Plan> {
        self.tell(key, command, value, SetCondition::IfEqual(self.holder()?), expiry)
    }

    fn set(
        &self,
        key: &Key,
        command: &'static str,
        condition: SetCondition,
        plain: &Seen,
        ending: &Seen,
    ) -> Option<Plan> {
        let (value, expiry) = written(self.holder.as_ref(), plain, ending)?;
        self.tell(key, command, value, condition, expiry)
    }

    /// Without a comparison, in every case the same.
    fn always(&self, key: &Key, command: &'static str) -> Option<Plan> {
        let (value, expiry) = written(None, &self.ours, &self.ours_ending)?;
        if written(None, &self.absent, &self.absent)? != (value.clone(), expiry) {
            return None;
        }
        self.tell(key, command, value, SetCondition::Always, expiry)
    }

    fn tell(
        &self,
        key: &Key,
        command: &'static str,
        value: Arc<[u8]>,
        condition: SetCondition,
        expiry: Expiry,
    ) -> Option<Plan> {
        let absent = self.absent.reply.clone()?;
        let ours = agreed(&[&self.ours, &self.ours_ending])?;
        let other = agreed(&[&self.other, &self.other_ending])?;
        let holder = self.holder();
        // Of a key that is no string, only whether it is there.
        let previous = self.asks || holder.is_some();
        let told_by_writing = match condition {
            _ if previous => None,
            SetCondition::IfAbsent => Some((absent.clone(), other.clone())),
            SetCondition::IfPresent => Some((other.clone(), absent.clone())),
            _ if absent == other => Some((absent.clone(), absent.clone())),
            _ => return None,
        };
        let action = Action::Set { key: key.clone(), value, condition, expiry, previous };
        Some(Plan::write(command, action, move |answer| match answer {
            Answer::Set { written, previous: None } => told_by_writing
                .map(|(written_reply, not_written)| if *written { written_reply } else { not_written }),
            Answer::Set { previous: Some(None), .. } => Some(absent),
            Answer::Set { previous: Some(previous), .. } if *previous == holder => Some(ours),
            Answer::Set { previous: Some(_), .. } => Some(other),
            _ => None,
        }))
    }

    /// Taken if it is free, lengthened if it is ours: no single action does both without a new token, so that two
    /// are proposed one after the other. The second does nothing but repeat the first if that has taken it. Between
    /// them our lease can end or be released; then the caller is told to try again.
    fn acquire_or_extend(&self, key: &Key) -> Option<Plan> {
        let holder = self.holder.as_ref();
        let (value, taken) = written(None, &self.absent, &self.absent)?;
        let (kept, lengthened) = written(holder, &self.ours, &self.ours_ending)?;
        let ours = self.holder()?;
        // The second action follows the first in any case, so that both must give the same end.
        let same_end = taken == lengthened && matches!(taken, Expiry::InMs(_));
        if value != ours || kept != ours || !same_end {
            return None;
        }
        let if_free = self.absent.reply.clone()?;
        let if_ours = agreed(&[&self.ours, &self.ours_ending])?;
        let if_other = agreed(&[&self.other, &self.other_ending])?;
        let actions = vec![
            Action::Set {
                key: key.clone(),
                value,
                condition: SetCondition::IfAbsent,
                expiry: taken,
                previous: true,
            },
            Action::Expire {
                key: key.clone(),
                expiry: lengthened,
                condition: ExpireCondition::Always,
                holder: Some(ours.clone()),
            },
        ];
        let reply = move |results: Vec<Result<Answer, Failure>>| {
            let mut results = results.into_iter();
            let (first, second) = (results.next(), results.next());
            match (first, second) {
                (Some(Ok(Answer::Set { written: true, .. })), _) => if_free,
                // Nobody knows whether the first has taken it.
                (Some(Err(Failure::Unknown)) | None, _) => Error::OutcomeUnknown.into(),
                (_, Some(Ok(Answer::Changed(true)))) => if_ours,
                (_, Some(Err(failure))) | (Some(Err(failure)), _) => Error::from(failure).into(),
                (_, Some(Ok(Answer::Refused(refusal)))) | (Some(Ok(Answer::Refused(refusal))), _) => {
                    Error::refused("eval", refusal).into()
                }
                (Some(Ok(Answer::Set { previous: Some(previous), .. })), _) if previous != Some(ours) => {
                    if_other
                }
                _ => Error::ScriptConflict.into(),
            }
        };
        Some(Plan::Write { actions, reply: Box::new(reply) })
    }

    /// The reply in all the cases in which the value is not ours, if it is one.
    fn agreed_otherwise(&self) -> Option<Reply> {
        match self.holder {
            Some(_) => agreed(&[&self.absent, &self.other, &self.other_ending]),
            None => self.absent.reply.clone(),
        }
    }
}

/// A script that writes nothing is evaluated against the key as it is.
fn reading(script: Arc<Meaning>, inputs: Inputs, site: Site, cases: Cases) -> Plan {
    let Some(name) = cases.name else {
        return Plan::Local(cases.absent.reply.unwrap_or(Reply::Null));
    };
    let key = Key::new(site.database, &*name);
    Plan::read(move |view: &View<'_>| {
        let case = match view.value(&key) {
            None => Case::Absent,
            Some(value) => Case::Actual {
                value: value.string().ok().map(|value| Bytes::copy_from_slice(value)),
                remaining_ms: view.remaining_ms(&key).flatten(),
            },
        };
        match evaluate::run(&script.body, &inputs, &mut World::new(case)) {
            Ok(value) => value.reply().unwrap_or(Reply::Null),
            Err(stop) => error(&script, stop).into(),
        }
    })
}

/// The value and the end that both cases get, for a key that had an end and one that had none.
fn written(holder: Option<&Bytes>, plain: &Seen, ending: &Seen) -> Option<(Arc<[u8]>, Expiry)> {
    let (Change::Becomes { value: a, end: plain }, Change::Becomes { value: b, end: ending }) =
        (&plain.change, &ending.change)
    else {
        return None;
    };
    if a != b {
        return None;
    }
    let value = a.as_ref().or(holder)?;
    let expiry = match (plain, ending) {
        (End::InMs(a), End::InMs(b)) if a == b => Expiry::InMs(*a),
        (End::Never, End::Never) => Expiry::Never,
        (End::Never, End::Had) => Expiry::Keep,
        _ => return None,
    };
    Some((Arc::from(&value[..]), expiry))
}

fn same(seen: &Seen) -> bool {
    seen.change == Change::Same
}

/// The reply that all of these give.
fn agreed(seen: &[&Seen]) -> Option<Reply> {
    let first = seen.first()?.reply.as_ref()?;
    seen.iter().all(|one| one.reply.as_ref() == Some(first)).then(|| first.clone())
}

/// The one text among these, if there is any.
fn one(texts: &[Bytes], otherwise: &str) -> Result<Option<Bytes>, Unsupported> {
    let first = texts.first();
    if texts.iter().all(|text| Some(text) == first) {
        Ok(first.cloned())
    } else {
        Err(Unsupported::new(otherwise))
    }
}

fn error(script: &Meaning, stop: Stop) -> Error {
    match stop {
        Stop::Unsupported(Unsupported(reason)) => Error::UnsupportedScript { reason },
        Stop::Error(Error::InScript { message, .. }) => Error::InScript { message, sha: script.sha.clone() },
        Stop::Error(error) => error,
    }
}
