//! Parts of values: bytes, bits, and numbers with a fraction.

use domain::limits::VALUE_BYTES_MAX;

use super::Call;
use crate::edit::{Edit, Edited};
use crate::long_double::LongDouble;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn append(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let more = call.arguments.take()?;
    Ok(Plan::Edit(Edit::string(call.name, key, move |present| {
        let value = [present.unwrap_or_default(), &more[..]].concat();
        fits(value.len())?;
        let reply = Reply::count(value.len() as u64);
        Ok(Edited { write: Some(value), reply })
    })))
}

pub(super) fn setrange(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let offset = call.arguments.integer()?;
    let offset = usize::try_from(offset).map_err(|_| Error::OffsetRange)?;
    let part = call.arguments.take()?;
    Ok(Plan::Edit(Edit::string(call.name, key, move |present| {
        let mut value = present.unwrap_or_default().to_vec();
        if part.is_empty() {
            return Ok(Edited { write: None, reply: Reply::count(value.len() as u64) });
        }
        let end = offset.saturating_add(part.len());
        fits(end)?;
        value.resize(value.len().max(end), 0);
        value[offset..end].copy_from_slice(&part);
        let reply = Reply::count(value.len() as u64);
        Ok(Edited { write: Some(value), reply })
    })))
}

/// `GETRANGE key start end`, both ends included and counted from the end when negative.
pub(super) fn getrange(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let (start, end) = (call.arguments.integer()?, call.arguments.integer()?);
    Ok(Plan::read(move |view| {
        let value = view.string(&key)?.unwrap_or_default();
        Ok(Reply::bulk(range(&value, start, end)))
    }))
}

fn range(value: &[u8], start: i64, end: i64) -> &[u8] {
    let length = value.len() as i64;
    let from_left = |place: i64| if place < 0 { length.saturating_add(place) } else { place };
    // Both on the wrong side of each other count as they stand, before they are moved into the value.
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let (start, end) = (from_left(start).max(0), from_left(end).max(0).min(length - 1));
    if start > end || length == 0 { &[] } else { &value[start as usize..=end as usize] }
}

/// Above this a value of the greatest length has no bit.
const BITS_MAX: i64 = VALUE_BYTES_MAX as i64 * 8;

fn bit(call: &mut Call<'_>) -> Result<(usize, u8), Error> {
    let offset = call.arguments.integer().map_err(|_| Error::BitOffsetRange)?;
    if !(0..BITS_MAX).contains(&offset) {
        return Err(Error::BitOffsetRange);
    }
    Ok(((offset / 8) as usize, 7 - (offset % 8) as u8))
}

pub(super) fn getbit(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let (byte, shift) = bit(call)?;
    Ok(Plan::read(move |view| {
        let value = view.string(&key)?.unwrap_or_default();
        Ok(Reply::Integer((value.get(byte).copied().unwrap_or_default() >> shift & 1).into()))
    }))
}

pub(super) fn setbit(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let (byte, shift) = bit(call)?;
    let is_set = match call.arguments.integer() {
        Ok(0) => false,
        Ok(1) => true,
        _ => return Err(Error::BitRange),
    };
    Ok(Plan::Edit(Edit::string(call.name, key, move |present| {
        let present = present.unwrap_or_default();
        let mut value = present.to_vec();
        value.resize(value.len().max(byte + 1), 0);
        let before = value[byte] >> shift & 1;
        value[byte] = value[byte] & !(1 << shift) | u8::from(is_set) << shift;
        let write = (value != present).then_some(value);
        Ok(Edited { write, reply: Reply::Integer(before.into()) })
    })))
}

/// Both numbers are read when the key has been looked at, as in Redis.
pub(super) fn incrbyfloat(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let by = call.arguments.take()?;
    Ok(Plan::Edit(Edit::string(call.name, key, move |present| {
        let read = |text: &[u8]| LongDouble::read(text).ok_or(Error::NotAFloat);
        let present = present.map_or(Ok(LongDouble::ZERO), read)?;
        let sum = present.plus(read(&by)?).ok_or(Error::FloatOverflow)?.text();
        let reply = Reply::bulk(sum.as_bytes());
        Ok(Edited { write: Some(sum.into_bytes()), reply })
    })))
}

fn fits(bytes: usize) -> Result<(), Error> {
    if bytes > VALUE_BYTES_MAX { Err(Error::StringTooLong) } else { Ok(()) }
}
