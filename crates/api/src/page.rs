//! One page of the list of leases: so many that a look at them is brief.

use std::ops::Bound;

use domain::{LogTime, State};
use wire::v1;

use crate::lease::{DATABASE, to_wire};
use crate::limits::{LIST_BYTES_MAX, LIST_LOOKS_MAX, LIST_ROWS_MAX};

/// What a lease takes besides its texts, at most.
const ROW_BYTES: usize = 64;

/// The leases that were asked for, and the name after which the next page begins; empty: these were the last. Keys that
/// only the Redis protocol can name, those without a name or with one that is no text, are no leases, nor are those that
/// hold anything but a string.
pub(crate) fn page(state: &State, clock: LogTime, request: &v1::ListRequest) -> (Vec<v1::Lease>, String) {
    let v1::ListRequest { prefix, after, limit } = request;
    let limit = if *limit == 0 { LIST_ROWS_MAX } else { (*limit as usize).min(LIST_ROWS_MAX) };
    let from = if after.is_empty() || after < prefix {
        Bound::Included(prefix.as_bytes())
    } else {
        Bound::Excluded(after.as_bytes())
    };
    let mut leases: Vec<v1::Lease> = Vec::new();
    let mut bytes = 0;
    let (mut looks, mut looked_at) = (0, "");
    for (key, entry) in state.keys_from(DATABASE, from) {
        if !key.name.starts_with(prefix.as_bytes()) {
            break;
        }
        let Some(name) = std::str::from_utf8(&key.name).ok().filter(|name| !name.is_empty()) else {
            continue;
        };
        if looks == LIST_LOOKS_MAX {
            return (leases, looked_at.to_owned());
        }
        (looks, looked_at) = (looks + 1, name);
        let Ok(lease) = entry.lease(clock) else { continue };
        let lease = to_wire(name, Some(lease));
        bytes += ROW_BYTES + name.len() + lease.holder.as_ref().map_or(0, String::len);
        // The first is on the page whatever its size: the next page must be another.
        if let Some(last) = leases.last()
            && (leases.len() == limit || bytes > LIST_BYTES_MAX)
        {
            let next_after = last.name.clone();
            return (leases, next_after);
        }
        leases.push(lease);
    }
    (leases, String::new())
}

#[cfg(test)]
mod tests {
    use domain::limits::VALUE_BYTES_MAX;
    use domain::{Action, Alteration, Command, Expiry, HashChange, Key, Position, SetCondition};

    use super::*;

    fn state(keys: impl IntoIterator<Item = (u8, Vec<u8>, Vec<u8>)>) -> State {
        let mut state = State::default();
        for (database, name, value) in keys {
            let key = Key::new(database, name);
            let (value, condition, expiry) = (value.into(), SetCondition::Always, Expiry::Never);
            let at = Position { index: 1, offset: 0, term: 1, stamp: None };
            let set = Action::Set { key, value, condition, expiry, previous: false };
            state.apply(at, Command::harmless(set));
        }
        state
    }

    /// The names on each page, to the last.
    fn pages(state: &State, prefix: &str, limit: u32) -> Vec<Vec<String>> {
        let mut request = v1::ListRequest { prefix: prefix.into(), after: String::new(), limit };
        let mut pages = Vec::new();
        loop {
            let (leases, next_after) = page(state, LogTime::ZERO, &request);
            pages.push(leases.into_iter().map(|lease| lease.name).collect());
            if next_after.is_empty() {
                return pages;
            }
            assert!(next_after > request.after, "it goes on");
            request.after = next_after;
        }
    }

    #[test]
    fn pages_hold_every_lease_once_and_in_order() {
        let names = ["a", "b/1", "b/2", "b/3", "c"];
        let keys = names.map(|name| (0, name.into(), b"me".to_vec()));
        let state = state(keys.into_iter().chain([(1, b"b/0".to_vec(), b"me".to_vec())]));
        assert_eq!(pages(&state, "", 2), [vec!["a", "b/1"], vec!["b/2", "b/3"], vec!["c"]]);
        assert_eq!(pages(&state, "b/", 2), [vec!["b/1", "b/2"], vec!["b/3"]]);
        assert_eq!(pages(&state, "b/", 0), [vec!["b/1", "b/2", "b/3"]]);
        assert_eq!(pages(&state, "d", 2), [Vec::<String>::new()]);
        // A name that was given up since, and one from before the prefix.
        for (after, expected) in [("b/15", "b/2"), ("a", "b/1")] {
            let request = v1::ListRequest { prefix: "b/".into(), after: after.into(), limit: 1 };
            assert_eq!(page(&state, LogTime::ZERO, &request).0[0].name, expected);
        }
    }

    #[test]
    fn what_is_no_string_is_no_lease() {
        let mut state = state([(0, b"a".to_vec(), b"me".to_vec()), (0, b"c".to_vec(), b"me".to_vec())]);
        let fields = vec![((*b"field").into(), (*b"value").into())];
        let alteration = Alteration::Hash(HashChange::Set { fields, if_absent: false });
        let at = Position { index: 2, offset: 0, term: 1, stamp: None };
        state.apply(at, Command::harmless(Action::Alter { key: Key::new(0, *b"b"), alteration }));
        assert_eq!(state.key_count(), 3);
        assert_eq!(pages(&state, "", 1), [["a"], ["c"]]);
    }

    #[test]
    fn a_page_ends_by_rows_and_by_bytes() {
        let many = state((0..2500).map(|n| (0, format!("{n:04}").into_bytes(), b"me".to_vec())));
        assert_eq!(pages(&many, "", 0).iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        let long = state((0..40).map(|n| (0, format!("{n:02}").into_bytes(), vec![b'x'; VALUE_BYTES_MAX])));
        assert_eq!(pages(&long, "", 0).iter().map(Vec::len).collect::<Vec<_>>(), [15, 15, 10]);
    }

    #[test]
    fn a_name_that_is_no_text_neither_shows_nor_stops_the_list() {
        let names: [&[u8]; 5] = [b"", b"a", b"a\xff", b"a\xff\xff", b"b"];
        let state = state(names.map(|name| (0, name.to_vec(), b"me".to_vec())));
        assert_eq!(pages(&state, "", 1), [["a"], ["b"]]);
    }
}
