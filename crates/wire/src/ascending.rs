//! Rows that ascend strictly, so that no two stand for one thing and nothing has two encodings.

use std::collections::{BTreeMap, BTreeSet};

use crate::DecodeError;

pub(crate) fn ascending<T: Ord>(what: &'static str, before: Option<&T>, next: &T) -> Result<(), DecodeError> {
    match before {
        Some(before) if before >= next => Err(DecodeError::new(what, "repeated or out of order")),
        _ => Ok(()),
    }
}

pub(crate) fn ascending_set<T: Ord>(
    what: &'static str,
    members: impl Iterator<Item = Result<T, DecodeError>>,
) -> Result<BTreeSet<T>, DecodeError> {
    let rows = ascending_map(what, members.map(|member| Ok((member?, ()))))?;
    Ok(rows.into_keys().collect())
}

pub(crate) fn ascending_map<K: Ord, V>(
    what: &'static str,
    rows: impl Iterator<Item = Result<(K, V), DecodeError>>,
) -> Result<BTreeMap<K, V>, DecodeError> {
    let mut map = BTreeMap::new();
    for row in rows {
        let (key, value) = row?;
        ascending(what, map.last_key_value().map(|(last, _)| last), &key)?;
        map.insert(key, value);
    }
    Ok(map)
}
