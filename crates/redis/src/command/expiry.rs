//! Ends: giving, lengthening, removing and telling them.
//!
//! An end given as a wall-clock instant is turned into a length by the leader, and told as an instant by the leader's wall
//! clock, too: it is what it was, but for what passes between two looks at a clock, unless another leads or that clock was
//! set or drifted meanwhile.

use bytes::Bytes;
use domain::limits::TTL_MS_MAX;
use domain::{Action, Answer, ExpireCondition, Expiry, Key};

use super::Call;
use crate::codec::decode;
use crate::plan::{Plan, View};
use crate::{Error, Reply};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// An end as it was given as an option. What it says is looked at when all options are known to be some, as in Redis.
pub(super) struct End {
    unit: Unit,
    absolute: bool,
    number: Bytes,
}

/// Takes an end given as an option (`EX`, `PX`, `EXAT`, `PXAT`); `None` if none follows.
pub(super) fn option(call: &mut Call<'_>) -> Result<Option<End>, Error> {
    let arguments = &mut call.arguments;
    let (unit, absolute) = if arguments.word("ex") {
        (Unit::Seconds, false)
    } else if arguments.word("px") {
        (Unit::Milliseconds, false)
    } else if arguments.word("exat") {
        (Unit::Seconds, true)
    } else if arguments.word("pxat") {
        (Unit::Milliseconds, true)
    } else {
        return Ok(None);
    };
    Ok(Some(End { unit, absolute, number: arguments.take()? }))
}

impl End {
    /// Given by the same word.
    pub(super) fn is_of_the_kind_of(&self, other: &Self) -> bool {
        (self.unit, self.absolute) == (other.unit, other.absolute)
    }

    /// Above 0, and not above [`TTL_MS_MAX`] from now.
    pub(super) fn expiry(&self, call: &Call<'_>) -> Result<Expiry, Error> {
        let ms = milliseconds(call, self.unit, &self.number)?;
        if ms <= 0 || (!self.absolute && ms > TTL_MS_MAX) {
            return Err(Error::InvalidExpire(call.name));
        }
        Ok(if self.absolute { Expiry::AtWallMs(ms) } else { Expiry::InMs(ms) })
    }
}

/// The next argument: a length above 0 and not above [`TTL_MS_MAX`].
pub(super) fn positive(call: &mut Call<'_>, unit: Unit) -> Result<i64, Error> {
    let number = call.arguments.take()?;
    let ms = milliseconds(call, unit, &number)?;
    if ms <= 0 || ms > TTL_MS_MAX { Err(Error::InvalidExpire(call.name)) } else { Ok(ms) }
}

fn milliseconds(call: &Call<'_>, unit: Unit, number: &[u8]) -> Result<i64, Error> {
    let number = decode::integer(number).ok_or(Error::NotAnInteger)?;
    match unit {
        Unit::Milliseconds => Ok(number),
        Unit::Seconds => number.checked_mul(1000).ok_or(Error::InvalidExpire(call.name)),
    }
}

pub(super) fn expire(call: &mut Call<'_>) -> Result<Plan, Error> {
    change(call, Unit::Seconds, false)
}

pub(super) fn pexpire(call: &mut Call<'_>) -> Result<Plan, Error> {
    change(call, Unit::Milliseconds, false)
}

pub(super) fn expireat(call: &mut Call<'_>) -> Result<Plan, Error> {
    change(call, Unit::Seconds, true)
}

pub(super) fn pexpireat(call: &mut Call<'_>) -> Result<Plan, Error> {
    change(call, Unit::Milliseconds, true)
}

/// A length at or below 0 ends the key at once, as in Redis.
fn change(call: &mut Call<'_>, unit: Unit, absolute: bool) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let number = call.arguments.take()?;
    let condition = condition(call)?;
    let ms = milliseconds(call, unit, &number)?;
    if !absolute && ms > TTL_MS_MAX {
        return Err(Error::InvalidExpire(call.name));
    }
    let expiry = if absolute { Expiry::AtWallMs(ms) } else { Expiry::InMs(ms) };
    Ok(Plan::write(call.name, Action::Expire { key, expiry, condition, holder: None }, changed))
}

fn condition(call: &mut Call<'_>) -> Result<ExpireCondition, Error> {
    let [mut nx, mut xx, mut gt, mut lt] = [false; 4];
    while !call.arguments.is_empty() {
        let arguments = &mut call.arguments;
        if arguments.word("nx") {
            nx = true;
        } else if arguments.word("xx") {
            xx = true;
        } else if arguments.word("gt") {
            gt = true;
        } else if arguments.word("lt") {
            lt = true;
        } else {
            return Err(call.repeat_next(Error::UnsupportedOption));
        }
    }
    if nx && (xx || gt || lt) {
        return Err(Error::ExpireNxWithOthers);
    }
    if gt && lt {
        return Err(Error::ExpireGtWithLt);
    }
    Ok(match (nx, xx, gt, lt) {
        (true, ..) => ExpireCondition::HasNoEnd,
        (_, true, true, _) => ExpireCondition::HasEndAndLater,
        (_, true, _, true) => ExpireCondition::HasEndAndEarlier,
        (_, true, ..) => ExpireCondition::HasEnd,
        (_, _, true, _) => ExpireCondition::Later,
        (_, _, _, true) => ExpireCondition::Earlier,
        _ => ExpireCondition::Always,
    })
}

pub(super) fn persist(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let condition = ExpireCondition::HasEnd;
    let action = Action::Expire { key, expiry: Expiry::Never, condition, holder: None };
    Ok(Plan::write(call.name, action, changed))
}

fn changed(answer: &Answer) -> Option<Reply> {
    match answer {
        Answer::Changed(changed) => Some(Reply::flag(*changed)),
        _ => None,
    }
}

pub(super) fn ttl(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, left_ms, seconds)
}

pub(super) fn pttl(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, left_ms, |ms| ms)
}

pub(super) fn expiretime(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, |view, key| view.end_ms(key), seconds)
}

pub(super) fn pexpiretime(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, |view, key| view.end_ms(key), |ms| ms)
}

fn left_ms(view: &View<'_>, key: &Key) -> Option<Option<i64>> {
    view.remaining_ms(key).map(|left| left.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX)))
}

/// -2 for an absent key, -1 for one without an end, else these milliseconds in their unit.
fn tell(
    call: &mut Call<'_>,
    ms: fn(&View<'_>, &Key) -> Option<Option<i64>>,
    unit: fn(i64) -> i64,
) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| {
        Reply::Integer(match ms(view, &key) {
            None => -2,
            Some(None) => -1,
            Some(Some(ms)) => unit(ms),
        })
    }))
}

/// Rounded to the nearest, as Redis does.
pub(crate) fn seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}
