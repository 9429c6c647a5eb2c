//! Some of a key's elements, where the order is no matter: those that chance draws, and a scan.
//!
//! What is drawn is drawn here, from a seed of the node's: of what `SPOP` takes the log is only told which they are.

use std::sync::Arc;

use domain::limits::ELEMENT_BYTES;
use domain::{Action, Alteration, Hash, Score, Set, SetChange, SortedSet, Value};

use super::listing::{cursor, pattern};
use super::sets::in_order;
use super::{Call, glob};
use crate::chance::Chance;
use crate::codec::decode;
use crate::edit::{Edit, Edited};
use crate::limits::DRAWN_BYTES_MAX;
use crate::plan::Plan;
use crate::{Error, Reply};

type Text = Arc<[u8]>;

/// How many are to be drawn.
#[derive(Clone, Copy)]
enum Many {
    /// One, by itself.
    One,
    /// So many, each at most once.
    Different(usize),
    /// So many, whatever comes again.
    Any(usize),
}

/// `HRANDFIELD key [count [WITHVALUES]]`
pub(super) fn hrandfield(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    let (many, count) = many(call)?;
    let with_values = call.arguments.word("withvalues");
    call.arguments.finish()?;
    if with_values && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 {
        return Err(Error::OutOfRange);
    }
    let seed = call.node.seed();
    Ok(Plan::read(move |view| {
        let hash = view.hash(&key)?;
        let fields: Vec<(&Text, &Text)> = hash.iter().collect();
        let drawn = draw(&fields, many, seed, |(field, value)| field.len() + value.len())?;
        let field = |(field, _): &(&Text, &Text)| Reply::Bulk(Text::clone(field));
        let pair = |of: &(&Text, &Text)| (field(of), Reply::Bulk(Text::clone(of.1)));
        Ok::<_, Error>(match many {
            Many::One => drawn.first().map_or(Reply::Null, field),
            _ if with_values && !drawn.is_empty() => Reply::Pairs(drawn.iter().map(pair).collect()),
            _ => Reply::Array(drawn.iter().map(field).collect()),
        })
    }))
}

/// `SRANDMEMBER key [count]`
pub(super) fn srandmember(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    one_at_most(call)?;
    let (many, _) = many(call)?;
    let seed = call.node.seed();
    Ok(Plan::read(move |view| {
        let set = view.set(&key)?;
        let drawn = draw(&in_order(&set), many, seed, |member| member.len())?;
        let mut replies = drawn.into_iter().cloned().map(Reply::Bulk);
        Ok::<_, Error>(match many {
            Many::One => replies.next().unwrap_or(Reply::Null),
            _ => Reply::Array(replies.collect()),
        })
    }))
}

/// `SPOP key [count]`
pub(super) fn spop(call: &mut Call<'_>) -> Result<Plan, Error> {
    let key = call.arguments.own_key(call.session.database)?;
    one_at_most(call)?;
    let many = match call.arguments.take() {
        Err(_) => Many::One,
        Ok(count) => {
            let count = decode::integer(&count).and_then(|count| usize::try_from(count).ok());
            Many::Different(count.ok_or(Error::NotPositive)?)
        }
    };
    let (seed, popped) = (call.node.seed(), key.clone());
    Ok(Plan::Edit(Edit::new(call.name, key, move |present| {
        let set = match present {
            None => Arc::default(),
            Some(Value::Set(set)) => set,
            Some(_) => return Err(Error::WrongKind),
        };
        let members: Vec<Text> =
            draw(&in_order(&set), many, seed, |member| member.len())?.into_iter().cloned().collect();
        let mut replies = members.iter().cloned().map(Reply::Bulk);
        let reply = match many {
            Many::One => replies.next().unwrap_or(Reply::Null),
            _ => Reply::Set(replies.collect()),
        };
        let alteration = Alteration::Set(SetChange::Remove { members: members.clone() });
        let remove = Action::Alter { key: popped.clone(), alteration };
        Ok(Edited { write: (!members.is_empty()).then_some(remove), reply })
    })))
}

/// Before the count is judged.
fn one_at_most(call: &Call<'_>) -> Result<(), Error> {
    if call.arguments.len() > 1 { Err(Error::Syntax) } else { Ok(()) }
}

/// The count, if there is one, and what it means.
fn many(call: &mut Call<'_>) -> Result<(Many, i64), Error> {
    if call.arguments.is_empty() {
        return Ok((Many::One, 1));
    }
    let count = call.arguments.integer()?;
    if count == i64::MIN {
        return Err(Error::CountRange);
    }
    let size = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    Ok((if count < 0 { Many::Any(size) } else { Many::Different(size) }, count))
}

/// `bytes`: how long an element is.
fn draw<T: Copy>(
    elements: &[T],
    many: Many,
    seed: u32,
    bytes: impl Fn(&T) -> usize,
) -> Result<Vec<T>, Error> {
    let mut chance = Chance::new(seed);
    match many {
        _ if elements.is_empty() => Ok(Vec::new()),
        Many::One => Ok(vec![elements[chance.below(elements.len())]]),
        Many::Different(many) => {
            Ok(chance.some(many, elements.len()).into_iter().map(|place| elements[place]).collect())
        }
        Many::Any(many) => {
            let (mut drawn, mut sum) = (Vec::new(), 0);
            while drawn.len() < many {
                let element = elements[chance.below(elements.len())];
                sum += ELEMENT_BYTES + bytes(&element);
                if sum > DRAWN_BYTES_MAX {
                    return Err(Error::TooMuchDrawn);
                }
                drawn.push(element);
            }
            Ok(drawn)
        }
    }
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count]`
pub(super) fn hscan(call: &mut Call<'_>) -> Result<Plan, Error> {
    scan(call, |value| match value {
        Value::Hash(hash) => Some(fields(hash)),
        _ => None,
    })
}

pub(super) fn sscan(call: &mut Call<'_>) -> Result<Plan, Error> {
    scan(call, |value| match value {
        Value::Set(set) => Some(members(set)),
        _ => None,
    })
}

pub(super) fn zscan(call: &mut Call<'_>) -> Result<Plan, Error> {
    scan(call, |value| match value {
        Value::SortedSet(set) => Some(scored(set)),
        _ => None,
    })
}

fn fields(hash: &Hash) -> Vec<Scanned> {
    hash.iter().map(|(field, value)| (field.clone(), Some(value.clone()))).collect()
}

fn members(set: &Set) -> Vec<Scanned> {
    in_order(set).into_iter().map(|member| (member.clone(), None)).collect()
}

fn scored(set: &SortedSet) -> Vec<Scanned> {
    let text = |score: &Score| lua::number_text(score.get()).into_bytes().into();
    set.ranked().iter().map(|(score, member)| (member.clone(), Some(text(score)))).collect()
}

/// An element, and what belongs to it.
type Scanned = (Text, Option<Text>);

/// All at once, whatever the cursor and the count, as Redis does with what it keeps in one piece.
fn scan(call: &mut Call<'_>, elements: fn(&Value) -> Option<Vec<Scanned>>) -> Result<Plan, Error> {
    let key = call.arguments.key(call.session.database)?;
    cursor(&call.arguments.take()?)?;
    let matching = options(call);
    Ok(Plan::read(move |view| {
        let scanned = match view.value(&key) {
            None => Vec::new(),
            Some(value) => {
                let elements = elements(&value).ok_or(Error::WrongKind)?;
                // Redis looks for the key before it judges the options.
                let matching = matching.as_ref().map_err(Error::clone)?;
                let wanted = |(name, _): &Scanned| matching.as_ref().is_none_or(|p| glob::matches(p, name));
                elements.into_iter().filter(wanted).collect()
            }
        };
        let all = scanned.into_iter().flat_map(|(name, of)| [Some(name), of]).flatten();
        Ok::<_, Error>(Reply::Array(vec![Reply::text("0"), Reply::Array(all.map(Reply::Bulk).collect())]))
    }))
}

/// The pattern, if there is one.
fn options(call: &mut Call<'_>) -> Result<Option<Vec<u8>>, Error> {
    let mut matching = None;
    while !call.arguments.is_empty() {
        if call.arguments.word("match") {
            matching = Some(pattern(call)?);
        } else if call.arguments.word("count") {
            if call.arguments.integer()? < 1 {
                return Err(Error::Syntax);
            }
        } else {
            return Err(Error::Syntax);
        }
    }
    Ok(matching)
}

#[cfg(test)]
mod tests {
    use domain::{Action, Alteration, Key, SetChange};

    use crate::options::Options;
    use crate::testing::Bench;

    #[test]
    fn what_another_took_meanwhile_is_not_popped_again() {
        let mut bench = Bench::new(Options::default());
        bench.say("SADD s a b c");
        let members = vec![(*b"a").into(), (*b"c").into()];
        let alteration = Alteration::Set(SetChange::Remove { members });
        bench.model.interfere(1, Action::Alter { key: Key::new(0, *b"s"), alteration });
        assert_eq!(bench.say("SPOP s"), r"$1\r\nb\r\n");
        assert_eq!(bench.say("EXISTS s"), r":0\r\n");
    }

    #[test]
    fn everything_is_popped_once_and_anything_may_be_drawn() {
        let mut bench = Bench::new(Options::default());
        bench.say("SADD s a b c d e f g h");
        let drawn: std::collections::BTreeSet<String> =
            (0..200).map(|_| bench.say("SRANDMEMBER s")).collect();
        let popped: std::collections::BTreeSet<String> = (0..8).map(|_| bench.say("SPOP s")).collect();
        assert_eq!((drawn.len(), &drawn), (8, &popped));
        assert_eq!(bench.say("SPOP s"), r"$-1\r\n");
    }

    #[test]
    fn what_may_be_drawn_again_has_its_limit() {
        let mut bench = Bench::new(Options::default());
        bench.say("SADD s a");
        assert!(bench.say("SRANDMEMBER s -31775").starts_with(r"*31775\r\n"));
        let refused = r"-ERR the elements that are drawn are longer than the limit of 1048576 bytes\r\n";
        assert_eq!(bench.say("SRANDMEMBER s -9223372036854775807"), refused);
        bench.say("HSET h f v");
        assert_eq!(bench.say("HRANDFIELD h -31775 WITHVALUES"), refused);
    }
}
