//! Random files in a random order and random queries: both indexes answer as one that looks at everything.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn id() -> impl Strategy<Value = u64> {
    // Within one zone, in neighbours, and far from each other.
    prop_oneof![0..12_u64, (0..12_u64).prop_map(|n| n * 250), (0..12_u64).prop_map(|n| n << 35)]
}

fn indexed() -> impl Strategy<Value = Indexed> {
    let term = (0..3_u8, 0..3_u8).prop_map(|(dimension, value)| term(dimension, &format!("v{value}")));
    (id(), 0..40_i64, proptest::collection::vec(term, 0..4)).prop_map(|(id, time_ms, terms)| Indexed {
        id,
        time_ms,
        terms,
    })
}

fn files() -> impl Strategy<Value = Vec<(u64, Vec<Indexed>)>> {
    proptest::collection::vec(proptest::collection::vec(indexed(), 1..40), 1..6)
        .prop_map(|files| (1..).zip(files).collect::<Vec<_>>())
        .prop_shuffle()
}

fn query() -> impl Strategy<Value = IndexQuery> {
    let before = proptest::option::of(id());
    let from = prop_oneof![2 => Just(0), 1 => id()];
    (indexed(), 0..40_i64, before, from, 1..9_usize).prop_map(|(like, length, before, from, limit)| {
        IndexQuery {
            terms: like.terms.into_iter().take(2).collect(),
            times: if length < 20 { like.time_ms..like.time_ms + length } else { i64::MIN..i64::MAX },
            before,
            from,
            limit,
        }
    })
}

/// What an index should know: by id, the greatest place and what was said there.
fn model(files: &[(u64, Vec<Indexed>)]) -> BTreeMap<u64, (u64, u32, &Indexed)> {
    let mut known = BTreeMap::new();
    for (number, records) in files {
        for (at, record) in (0..).zip(records) {
            let known = known.entry(record.id).or_insert((*number, at, record));
            if (*number, at) >= (known.0, known.1) {
                *known = (*number, at, record);
            }
        }
    }
    known
}

fn check(index: &dyn HistoryIndex, files: &[(u64, Vec<Indexed>)], queries: &[IndexQuery]) {
    index.begin(&[]).unwrap();
    let mut sealed = Vec::new();
    for (number, records) in files {
        sealed.push(add(index, *number, &records.iter().map(encode).collect::<Vec<_>>()));
    }
    assert_eq!(index.begin(&sealed).unwrap(), [], "the digest is that of the rows");
    let known = model(files);
    for query in queries {
        let holds = |id: &u64, record: &Indexed| {
            query.before.is_none_or(|before| *id < before)
                && *id >= query.from
                && query.times.contains(&record.time_ms)
                && query.terms.iter().all(|term| record.terms.contains(term))
        };
        let expected: Vec<_> = known.iter().rev().filter(|(id, (_, _, record))| holds(id, record)).collect();
        let (hits, pages, _) = ask(index, query);
        let found: Vec<_> = hits.iter().map(|hit| (hit.id, hit.place.file, hit.place.record)).collect();
        let wanted: Vec<_> = expected.iter().map(|(id, (file, record, _))| (**id, *file, *record)).collect();
        assert_eq!(found, wanted, "{query:?}");
        assert!(pages <= wanted.len() / query.limit + 1);
    }
    for (id, (file, record, said)) in known {
        let found = index.find(id).unwrap().unwrap();
        assert_eq!((found.place.file, found.place.record, found.time_ms), (file, record, said.time_ms));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_index_in_memory_answers_as_one_that_looks_at_everything(
        files in files(),
        queries in proptest::collection::vec(query(), 1..20),
    ) {
        check(&MemoryIndex::default(), &files, &queries);
    }
}

proptest! {
    // Fewer, for each makes a directory.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn the_index_on_sled_does_as_well(
        files in files(),
        queries in proptest::collection::vec(query(), 1..20),
    ) {
        let directory = tempfile::tempdir().unwrap();
        check(&MaterialisedIndex::open(directory.path().join("index")).unwrap(), &files, &queries);
    }
}
