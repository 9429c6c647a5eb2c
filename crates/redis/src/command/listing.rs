//! Listings of keys. Virtual keys are in none of them.

use std::sync::Arc;

use domain::Key;

use super::{Call, glob};
use crate::limits::{LISTING_BYTES_MAX, PATTERN_BYTES_MAX, SCAN_COUNT_MAX, SCAN_COUNT_MIN};
use crate::plan::{Plan, View};
use crate::{Error, Reply};

pub(super) fn dbsize(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    Ok(Plan::read(move |view| Reply::count(names(view, database).count() as u64)))
}

pub(super) fn keys(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    let pattern = pattern(call)?;
    Ok(Plan::read(move |view| {
        let mut bytes = 0;
        let mut found = Vec::new();
        for name in names(view, database).filter(|name| glob::matches(&pattern, name)) {
            bytes += name.len();
            if bytes > LISTING_BYTES_MAX {
                return Error::ListingTooLong.into();
            }
            found.push(Reply::Bulk(name.clone()));
        }
        Reply::Array(found)
    }))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
///
/// Keys are visited in the order of a hash of their names, and the cursor is the last hash visited: so it means the
/// same on every node, needs no memory, and a key that is there from first to last step is returned, once.
pub(super) fn scan(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    let cursor = call.arguments.take()?;
    let cursor: u64 =
        std::str::from_utf8(&cursor).ok().and_then(|c| c.parse().ok()).ok_or(Error::InvalidCursor)?;
    let mut matching = None;
    let mut count = 10;
    let mut strings = true;
    while !call.arguments.is_empty() {
        if call.arguments.word("match") {
            matching = Some(pattern(call)?);
        } else if call.arguments.word("count") {
            count =
                usize::try_from(call.arguments.integer()?).ok().filter(|n| *n > 0).ok_or(Error::Syntax)?;
        } else if call.arguments.word("type") {
            strings = call.arguments.take()?.eq_ignore_ascii_case(b"string");
        } else {
            return Err(Error::Syntax);
        }
    }
    let count = count.clamp(SCAN_COUNT_MIN, SCAN_COUNT_MAX);
    Ok(Plan::read(move |view| {
        let (next, step) = step(view, database, cursor, count);
        let wanted = |name: &Arc<[u8]>| strings && matching.as_ref().is_none_or(|p| glob::matches(p, name));
        let found = step.into_iter().filter(wanted).map(Reply::Bulk).collect();
        Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(found)])
    }))
}

/// The next `count` keys after the cursor, with all that share the last one's hash, and the cursor after them.
fn step(view: &View<'_>, database: u8, cursor: u64, count: usize) -> (u64, Vec<Arc<[u8]>>) {
    let mut ahead: Vec<(u64, &Arc<[u8]>)> =
        names(view, database).map(|name| (place(name), name)).filter(|(place, _)| *place > cursor).collect();
    let next = if ahead.len() > count {
        let (_, (last, _), _) = ahead.select_nth_unstable(count - 1);
        let last = *last;
        let more = ahead.iter().any(|(place, _)| *place > last);
        ahead.retain(|(place, _)| *place <= last);
        if more { last } else { 0 }
    } else {
        0
    };
    (next, ahead.into_iter().map(|(_, name)| name.clone()).collect())
}

/// FNV-1a, mixed and cut to 1 … 2^53, so that every client can hold a cursor exactly and none is the 0 that begins
/// and ends a scan.
fn place(name: &[u8]) -> u64 {
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 11) + 1
}

fn names<'a>(view: &'a View<'_>, database: u8) -> impl Iterator<Item = &'a Arc<[u8]>> {
    let here = move |key: &&Key| key.database == database;
    view.state.keys().map(|(key, _)| key).filter(here).map(|key| &key.name)
}

fn pattern(call: &mut Call<'_>) -> Result<Vec<u8>, Error> {
    let pattern = call.arguments.take()?;
    if pattern.len() > PATTERN_BYTES_MAX { Err(Error::PatternTooLong) } else { Ok(pattern.to_vec()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::options::Options;
    use crate::testing::Bench;

    /// The cursor and the keys of one step.
    fn step(bench: &mut Bench, cursor: &str) -> (String, Vec<String>) {
        let said = bench.say(&format!("SCAN {cursor} COUNT 300"));
        let mut parts: Vec<&str> = said.split(r"\r\n").collect();
        parts.retain(|part| !part.is_empty() && !part.starts_with(['*', '$']));
        (parts[0].to_owned(), parts[1..].iter().map(|part| (*part).to_owned()).collect())
    }

    #[test]
    fn a_scan_returns_what_stays_once_whatever_comes_and_goes() {
        let mut bench = Bench::new(Options::default());
        for n in 0..1000 {
            bench.say(&format!("SET stays{n} v"));
            bench.say(&format!("SET goes{n} v"));
        }
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut cursor = "0".to_owned();
        for turn in 0.. {
            let (next, keys) = step(&mut bench, &cursor);
            for key in keys {
                *seen.entry(key).or_default() += 1;
            }
            if next == "0" {
                assert!(turn >= 3, "in several steps");
                break;
            }
            for n in 0..100 {
                bench.say(&format!("DEL goes{}", turn * 100 + n));
                bench.say(&format!("SET stays{n} changed{turn}"));
                bench.say(&format!("SET comes{turn}_{n} v"));
            }
            cursor = next;
        }
        let stays = seen.iter().filter(|(key, _)| key.starts_with("stays"));
        assert_eq!(stays.clone().count(), 1000);
        assert!(stays.clone().all(|(_, count)| *count == 1));
    }
}
