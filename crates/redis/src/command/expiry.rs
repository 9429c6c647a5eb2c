//! Ends: giving, lengthening, removing and telling them.
//!
//! An end given as a wall-clock instant is turned into a length by the leader; one that is told as an instant is
//! reckoned from the remaining time and this node's wall clock, so it is for people.

use domain::limits::TTL_MS_MAX;
use domain::{Action, Answer, ExpireCondition, Expiry};

use super::Call;
use crate::plan::Plan;
use crate::{Error, Reply};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Seconds,
    Milliseconds,
}

/// Takes an end given as an option (`EX`, `PX`, `EXAT`, `PXAT` and a number above 0); `None` if none follows.
pub(super) fn option(call: &mut Call<'_>) -> Result<Option<Expiry>, Error> {
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
    if !absolute {
        return Ok(Some(Expiry::InMs(positive(call, unit)?)));
    }
    let at_ms = milliseconds(call, unit)?;
    if at_ms <= 0 { Err(Error::InvalidExpire(call.name)) } else { Ok(Some(Expiry::AtWallMs(at_ms))) }
}

/// A length above 0 and not above [`TTL_MS_MAX`], in milliseconds.
pub(super) fn positive(call: &mut Call<'_>, unit: Unit) -> Result<i64, Error> {
    let ms = milliseconds(call, unit)?;
    if ms <= 0 || ms > TTL_MS_MAX { Err(Error::InvalidExpire(call.name)) } else { Ok(ms) }
}

fn milliseconds(call: &mut Call<'_>, unit: Unit) -> Result<i64, Error> {
    let number = call.arguments.integer()?;
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
    let ms = milliseconds(call, unit)?;
    let condition = condition(call)?;
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
    tell(call, |remaining_ms, _| seconds(remaining_ms))
}

pub(super) fn pttl(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, |remaining_ms, _| remaining_ms)
}

pub(super) fn expiretime(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, |remaining_ms, wall_ms| seconds(wall_ms.saturating_add(remaining_ms)))
}

pub(super) fn pexpiretime(call: &mut Call<'_>) -> Result<Plan, Error> {
    tell(call, |remaining_ms, wall_ms| wall_ms.saturating_add(remaining_ms))
}

/// -2 for an absent key, -1 for one without an end, else what `how` makes of the remaining milliseconds.
fn tell(call: &mut Call<'_>, how: fn(i64, i64) -> i64) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let wall_ms = call.node.now_ms();
    Ok(Plan::read(move |view| {
        Reply::Integer(match view.remaining_ms(&key) {
            None => -2,
            Some(None) => -1,
            Some(Some(remaining_ms)) => how(i64::try_from(remaining_ms).unwrap_or(i64::MAX), wall_ms),
        })
    }))
}

/// Rounded to the nearest, as Redis does.
pub(crate) fn seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}
