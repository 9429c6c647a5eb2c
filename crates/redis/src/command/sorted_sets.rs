//! Sorted sets.

use std::ops::Range;

use bytes::Bytes;
use domain::keyspace::span::span;
use domain::{Alteration, Answer, Score, ScoreCondition, Scored, SortedSet, SortedSetChange};

use super::keys::count;
use super::{Call, scores};
use crate::codec::decode;
use crate::plan::Plan;
use crate::{Error, Reply};

pub(super) fn zadd(call: &mut Call<'_>) -> Result<Plan, Error> {
    add(call, false)
}

pub(super) fn zincrby(call: &mut Call<'_>) -> Result<Plan, Error> {
    add(call, true)
}

/// `[NX | XX] [GT | LT] [CH] [INCR] score member …`.
fn add(call: &mut Call<'_>, mut increments: bool) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let [mut nx, mut xx, mut gt, mut lt, mut counts_changed] = [false; 5];
    loop {
        let flag = if call.arguments.word("nx") {
            &mut nx
        } else if call.arguments.word("xx") {
            &mut xx
        } else if call.arguments.word("gt") {
            &mut gt
        } else if call.arguments.word("lt") {
            &mut lt
        } else if call.arguments.word("ch") {
            &mut counts_changed
        } else if call.arguments.word("incr") {
            &mut increments
        } else {
            break;
        };
        *flag = true;
    }
    if call.arguments.is_empty() || !call.arguments.len().is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    let condition = condition(nx, xx, gt, lt)?;
    if increments && call.arguments.len() > 2 {
        return Err(Error::OneIncrementOnly);
    }
    let mut members = Vec::new();
    while !call.arguments.is_empty() {
        members.push((scores::score(&call.arguments.take()?)?, call.arguments.value()?));
    }
    let change = match members.pop() {
        Some((by, member)) if increments => SortedSetChange::Increment { member, by, condition },
        last => {
            members.extend(last);
            SortedSetChange::Add { members, condition, counts_changed }
        }
    };
    Ok(Plan::alter(call.name, key, Alteration::SortedSet(change), |answer| match answer {
        Answer::Score(score) => Some(double(*score)),
        answer => count(answer),
    }))
}

fn condition(nx: bool, xx: bool, gt: bool, lt: bool) -> Result<ScoreCondition, Error> {
    match (nx, xx, gt, lt) {
        (true, true, ..) => Err(Error::ZaddNxWithXx),
        (true, _, true, _) | (true, _, _, true) | (_, _, true, true) => Err(Error::ZaddGtLtNx),
        (true, ..) => Ok(ScoreCondition::IfAbsent),
        (_, true, true, _) => Ok(ScoreCondition::IfPresentAndGreater),
        (_, true, _, true) => Ok(ScoreCondition::IfPresentAndLess),
        (_, true, ..) => Ok(ScoreCondition::IfPresent),
        (_, _, true, _) => Ok(ScoreCondition::IfGreater),
        (_, _, _, true) => Ok(ScoreCondition::IfLess),
        _ => Ok(ScoreCondition::Always),
    }
}

pub(super) fn zrem(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let change = SortedSetChange::Remove { members: call.arguments.values()? };
    Ok(Plan::alter(call.name, key, Alteration::SortedSet(change), count))
}

pub(super) fn zremrangebyscore(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let range = scores::range(&call.arguments.take()?, &call.arguments.take()?)?;
    Ok(Plan::alter(call.name, key, Alteration::SortedSet(SortedSetChange::RemoveByScore { range }), count))
}

pub(super) fn zremrangebyrank(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let (start, stop) = (call.arguments.integer()?, call.arguments.integer()?);
    let change = SortedSetChange::RemoveByRank { start, stop };
    Ok(Plan::alter(call.name, key, Alteration::SortedSet(change), count))
}

pub(super) fn zpopmin(call: &mut Call<'_>) -> Result<Plan, Error> {
    pop(call, false)
}

pub(super) fn zpopmax(call: &mut Call<'_>) -> Result<Plan, Error> {
    pop(call, true)
}

/// One pair, or so many as are asked for.
fn pop(call: &mut Call<'_>, greatest: bool) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    let is_one = call.arguments.is_empty();
    let many = if is_one { Some(1) } else { decode::integer(&call.arguments.take()?) };
    call.arguments.finish()?;
    let count = many.and_then(|count| u64::try_from(count).ok()).ok_or(Error::NotPositive)?;
    let change = SortedSetChange::Pop { greatest, count };
    Ok(Plan::alter(call.name, key, Alteration::SortedSet(change), move |answer| match answer {
        Answer::Scored(popped) if is_one => {
            Some(Reply::Array(popped.iter().flat_map(|scored| <[Reply; 2]>::from(pair(scored))).collect()))
        }
        Answer::Scored(popped) => Some(Reply::Pairs(popped.iter().map(pair).collect())),
        _ => None,
    }))
}

pub(super) fn zcard(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_all(call, |set| Reply::count(set.ranked().len() as u64))
}

pub(super) fn zcount(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let range = scores::range(&call.arguments.take()?, &call.arguments.take()?)?;
    let count = move |set: &SortedSet| Reply::count(set.within(range).len() as u64);
    Ok(Plan::read(move |view| view.sorted_set(&key).map(|set| count(&set))))
}

fn of_all(call: &mut Call<'_>, tell: fn(&SortedSet) -> Reply) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    Ok(Plan::read(move |view| view.sorted_set(&key).map(|set| tell(&set))))
}

pub(super) fn zscore(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_member(call, |set, member| double(set.score(member)))
}

pub(super) fn zrank(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_member(call, |set, member| place(set.rank(member)))
}

pub(super) fn zrevrank(call: &mut Call<'_>) -> Result<Plan, Error> {
    of_member(call, |set, member| place(set.rank(member).map(|rank| set.ranked().len() - 1 - rank)))
}

fn of_member(call: &mut Call<'_>, tell: fn(&SortedSet, &[u8]) -> Reply) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let member = call.arguments.take()?;
    Ok(Plan::read(move |view| view.sorted_set(&key).map(|set| tell(&set, &member))))
}

pub(super) fn zmscore(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let members: Vec<Bytes> = std::iter::from_fn(|| call.arguments.take().ok()).collect();
    let scores = move |set: &SortedSet| members.iter().map(|member| double(set.score(member))).collect();
    Ok(Plan::read(move |view| view.sorted_set(&key).map(|set| Reply::Array(scores(&set)))))
}

/// What a range is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    /// Of members that all have one score.
    Name,
}

pub(super) fn zrange(call: &mut Call<'_>) -> Result<Plan, Error> {
    list(call, None, None)
}

pub(super) fn zrevrange(call: &mut Call<'_>) -> Result<Plan, Error> {
    list(call, Some(By::Rank), Some(true))
}

pub(super) fn zrangebyscore(call: &mut Call<'_>) -> Result<Plan, Error> {
    list(call, Some(By::Score), Some(false))
}

pub(super) fn zrevrangebyscore(call: &mut Call<'_>) -> Result<Plan, Error> {
    list(call, Some(By::Score), Some(true))
}

/// `key first last [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`; what the command's name says already is no option.
fn list(call: &mut Call<'_>, named_by: Option<By>, named_reverse: Option<bool>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let (first, last) = (call.arguments.take()?, call.arguments.take()?);
    let (mut by, mut reverse) = (named_by, named_reverse);
    let (mut offset, mut limit, mut with_scores) = (0, -1, false);
    while !call.arguments.is_empty() {
        if call.arguments.word("withscores") {
            with_scores = true;
        } else if call.arguments.len() > 2 && call.arguments.word("limit") {
            (offset, limit) = (call.arguments.integer()?, call.arguments.integer()?);
        } else if reverse.is_none() && call.arguments.word("rev") {
            reverse = Some(true);
        } else if by.is_none() && call.arguments.word("byscore") {
            by = Some(By::Score);
        } else if by.is_none() && call.arguments.word("bylex") {
            by = Some(By::Name);
        } else {
            return Err(Error::Syntax);
        }
    }
    let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or_default());
    if by == By::Rank && limit != -1 {
        return Err(Error::LimitByRank);
    }
    if by == By::Name && with_scores {
        return Err(Error::ScoresByName);
    }
    let places = places(by, reverse, &first, &last)?;
    Ok(Plan::read(move |view| {
        let set = view.sorted_set(&key)?;
        let members = &set.ranked()[places(&set)];
        let (skip, take) = match (by, usize::try_from(offset)) {
            (By::Rank, _) => (0, usize::MAX),
            (By::Score | By::Name, Ok(skip)) => (skip, usize::try_from(limit).unwrap_or(usize::MAX)),
            // As in Redis, nothing comes before the first.
            (By::Score | By::Name, Err(_)) => (0, 0),
        };
        let told: Vec<&Scored> = match reverse {
            true => members.iter().rev().skip(skip).take(take).collect(),
            false => members.iter().skip(skip).take(take).collect(),
        };
        Ok(if with_scores {
            Reply::Pairs(told.into_iter().map(pair).collect())
        } else {
            Reply::Array(told.into_iter().map(|(_, member)| Reply::Bulk(member.clone())).collect())
        })
    }))
}

type Places = Box<dyn Fn(&SortedSet) -> Range<usize> + Send + Sync>;

/// Where the members of a range stand, from the first to the last or, in reverse, from the last to the first.
fn places(by: By, reverse: bool, first: &[u8], last: &[u8]) -> Result<Places, Error> {
    let (min, max) = if reverse { (last, first) } else { (first, last) };
    match by {
        By::Score => {
            let range = scores::range(min, max)?;
            Ok(Box::new(move |set| set.within(range)))
        }
        By::Name => {
            let range = scores::names(min, max)?;
            Ok(Box::new(move |set| range.within(set.ranked())))
        }
        By::Rank => ranks(reverse, first, last),
    }
}

fn ranks(reverse: bool, first: &[u8], last: &[u8]) -> Result<Places, Error> {
    let start = decode::integer(first).ok_or(Error::NotAnInteger)?;
    let stop = decode::integer(last).ok_or(Error::NotAnInteger)?;
    Ok(Box::new(move |set| {
        let len = set.ranked().len();
        let span = span(len, start, stop);
        if reverse { len - span.end..len - span.start } else { span }
    }))
}

fn double(score: Option<Score>) -> Reply {
    score.map_or(Reply::Null, |score| Reply::Double(score.get()))
}

fn place(rank: Option<usize>) -> Reply {
    rank.map_or(Reply::Null, |rank| Reply::count(rank as u64))
}

fn pair((score, member): &Scored) -> (Reply, Reply) {
    (Reply::Bulk(member.clone()), Reply::Double(score.get()))
}
