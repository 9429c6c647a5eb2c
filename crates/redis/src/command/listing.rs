//! Listings of keys. Virtual keys are in none of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::Kind;

use super::keys::kind;
use super::{Call, glob};
use crate::chance::Chance;
use crate::limits::{LISTING_BYTES_MAX, PATTERN_BYTES_MAX, SCAN_COUNT_MAX, SCAN_COUNT_MIN};
use crate::plan::{Plan, Visitor, Walk};
use crate::{Error, Reply};

pub(super) fn dbsize(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    let count = move |counts: &BTreeMap<_, domain::KeyCounts>| counts.get(&database).map_or(0, |c| c.keys);
    Ok(Plan::read(move |view| Reply::count(count(view.state.counts()) as u64)))
}

/// `KEYS pattern`. Other than in Redis it is no snapshot, see [`Walk`].
pub(super) fn keys(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    let visitor = Matching { pattern: pattern(call)?, found: Vec::new(), bytes: 0 };
    Ok(Plan::Walk(Walk::new(database, visitor)))
}

#[derive(Clone)]
struct Matching {
    pattern: Vec<u8>,
    found: Vec<Reply>,
    bytes: usize,
}

impl Visitor for Matching {
    fn meet(&mut self, name: Arc<[u8]>, _: Kind) -> bool {
        if glob::matches(&self.pattern, &name) {
            self.bytes += name.len();
            self.found.push(Reply::Bulk(name));
        }
        self.bytes <= LISTING_BYTES_MAX
    }

    fn reply(self: Box<Self>) -> Reply {
        if self.bytes > LISTING_BYTES_MAX { Error::ListingTooLong.into() } else { Reply::Array(self.found) }
    }

    fn boxed(&self) -> Box<dyn Visitor> {
        Box::new(self.clone())
    }
}

/// `RANDOMKEY`
pub(super) fn randomkey(call: &mut Call<'_>) -> Result<Plan, Error> {
    let drawn = Drawn { chance: Chance::new(call.node.seed()), met: 0, name: None };
    Ok(Plan::Walk(Walk::new(call.session.database, drawn)))
}

/// One of all names so far, each as likely as any other.
#[derive(Clone)]
struct Drawn {
    chance: Chance,
    met: usize,
    name: Option<Arc<[u8]>>,
}

impl Visitor for Drawn {
    fn meet(&mut self, name: Arc<[u8]>, _: Kind) -> bool {
        self.met += 1;
        if self.chance.below(self.met) == 0 {
            self.name = Some(name);
        }
        true
    }

    fn reply(self: Box<Self>) -> Reply {
        Reply::value(self.name)
    }

    fn boxed(&self) -> Box<dyn Visitor> {
        Box::new(self.clone())
    }
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`.
///
/// Keys are visited in the order of a hash of their names, and the cursor is the last hash visited: so it means the
/// same on every node, needs no memory, and a key that is there from first to last step is returned, once.
pub(super) fn scan(call: &mut Call<'_>) -> Result<Plan, Error> {
    let database = call.session.database;
    let cursor = cursor(&call.arguments.take()?)?;
    let mut matching = None;
    let mut count = 10;
    let mut kinds = None;
    while !call.arguments.is_empty() {
        if call.arguments.word("match") {
            matching = Some(pattern(call)?);
        } else if call.arguments.word("count") {
            count =
                usize::try_from(call.arguments.integer()?).ok().filter(|n| *n > 0).ok_or(Error::Syntax)?;
        } else if call.arguments.word("type") {
            kinds = Some(kind(&call.arguments.take()?));
        } else {
            return Err(Error::Syntax);
        }
    }
    let count = count.clamp(SCAN_COUNT_MIN, SCAN_COUNT_MAX);
    let step = Step { cursor, count, matching, kinds, ahead: BTreeMap::new(), names: 0, more: false };
    Ok(Plan::Walk(Walk::new(database, step)))
}

/// The next `count` keys after the cursor, with all that share the last one's hash.
#[derive(Clone)]
struct Step {
    cursor: u64,
    count: usize,
    matching: Option<Vec<u8>>,
    /// Only these; `Some(None)`: of a kind that there is not.
    kinds: Option<Option<Kind>>,
    /// By their place, which few share.
    ahead: BTreeMap<u64, Vec<Arc<[u8]>>>,
    names: usize,
    /// There are keys beyond these.
    more: bool,
}

impl Visitor for Step {
    fn meet(&mut self, name: Arc<[u8]>, kind: Kind) -> bool {
        let place = place(&name);
        if place > self.cursor && self.kinds.is_none_or(|wanted| wanted == Some(kind)) {
            self.ahead.entry(place).or_default().push(name);
            self.names += 1;
        }
        while let Some(last) = self.ahead.last_entry()
            && self.names - last.get().len() >= self.count
        {
            self.names -= last.remove().len();
            self.more = true;
        }
        true
    }

    fn reply(self: Box<Self>) -> Reply {
        let Self { matching, ahead, more, .. } = *self;
        let next = ahead.last_key_value().filter(|_| more).map_or(0, |(last, _)| *last);
        let wanted = |name: &Arc<[u8]>| matching.as_ref().is_none_or(|p| glob::matches(p, name));
        let found = ahead.into_values().flatten().filter(wanted).map(Reply::Bulk).collect();
        Reply::Array(vec![Reply::text(next.to_string()), Reply::Array(found)])
    }

    fn boxed(&self) -> Box<dyn Visitor> {
        Box::new(self.clone())
    }
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

/// As C reads one: nothing is 0, and below 0 it counts from the end.
pub(super) fn cursor(text: &[u8]) -> Result<u64, Error> {
    let text = std::str::from_utf8(text).map_err(|_| Error::InvalidCursor)?;
    let cursor = match text.strip_prefix('-') {
        _ if text.is_empty() => Ok(0),
        Some(digits) => digits.parse().map(u64::wrapping_neg),
        None => text.parse(),
    };
    cursor.map_err(|_| Error::InvalidCursor)
}

pub(super) fn pattern(call: &mut Call<'_>) -> Result<Vec<u8>, Error> {
    let pattern = call.arguments.take()?;
    if pattern.len() > PATTERN_BYTES_MAX { Err(Error::PatternTooLong) } else { Ok(pattern.to_vec()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::codec::inline;
    use crate::group::Look;
    use crate::limits::{WALK_STEP_BYTES, WALK_STEP_KEYS};
    use crate::options::Options;
    use crate::testing::Bench;

    /// The names that each look at the state takes, and the reply.
    fn walk(bench: &mut Bench, line: &str, mut between: impl FnMut(&mut Bench)) -> (Vec<usize>, Reply) {
        let planned = bench.plan(inline::split(line.as_bytes()).unwrap());
        let Plan::Walk(mut walk) = planned.plan else { panic!("{line} is no walk") };
        let mut looks = Vec::new();
        loop {
            let ahead = bench.model.look(|view| walk.ahead(view));
            looks.push(ahead.names.len());
            walk = match walk.go(ahead) {
                Ok(walk) => walk,
                Err(reply) => return (looks, reply),
            };
            between(bench);
        }
    }

    fn names(reply: &Reply) -> usize {
        let Reply::Array(names) = reply else { panic!("{reply:?}") };
        names.len()
    }

    #[test]
    fn a_walk_takes_few_names_at_a_look() {
        let mut bench = Bench::new(Options::default());
        for n in 0..2500 {
            bench.say(&format!("SET key{n} v"));
        }
        bench.say("SELECT 1");
        for n in 0..100 {
            bench.say(&format!("SET {n:01000} v"));
        }
        let long = WALK_STEP_BYTES / 1000 + 1;
        assert_eq!(walk(&mut bench, "KEYS *", |_| {}).0, [long, 100 - long]);
        bench.say("SELECT 0");
        let (looks, reply) = walk(&mut bench, "KEYS *9", |_| {});
        assert_eq!((looks, names(&reply)), (vec![WALK_STEP_KEYS, WALK_STEP_KEYS, 452], 250));
        assert_eq!(walk(&mut bench, "SCAN 0", |_| {}).0.len(), 3);
        bench.say("SELECT 2");
        assert_eq!(walk(&mut bench, "KEYS *", |_| {}), (vec![0], Reply::Array(vec![])));
    }

    #[test]
    fn a_walk_meets_what_stays_whatever_comes_and_goes() {
        let mut bench = Bench::new(Options::default());
        for n in 0..2500 {
            bench.say(&format!("SET {n:04}stays v"));
            bench.say(&format!("SET {n:04}goes v"));
        }
        let mut turn = 0;
        let (looks, reply) = walk(&mut bench, "KEYS *stays", |bench| {
            for n in 0..500 {
                bench.say(&format!("DEL {:04}goes", 500 * turn + n));
                bench.say(&format!("SET {:04}comes v", 5 * n + turn));
            }
            turn += 1;
        });
        // Each time there is one more at the end.
        assert!((5..10).contains(&looks.len()), "{looks:?}");
        assert_eq!(names(&reply), 2500);
    }

    #[test]
    fn a_listing_that_grows_too_long_ends_at_once() {
        let mut bench = Bench::new(Options::default());
        for n in 0..9000 {
            bench.say(&format!("SET {n:01000} v"));
        }
        let (looks, reply) = walk(&mut bench, "KEYS *", |_| {});
        assert!(matches!(reply, Reply::Error(_)), "{reply:?}");
        assert!(looks.iter().sum::<usize>() < LISTING_BYTES_MAX / 1000 + WALK_STEP_KEYS);
    }

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
