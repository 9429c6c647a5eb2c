//! Both indexes against a naive model, the cost of queries in entries, and what a crash may leave.

mod cost;
mod crashes;
mod model;

use super::*;
use std::fmt::Debug;

/// A record as its file has it: everything that it can be found by, for people.
fn describe(record: &Bytes) -> Option<Indexed> {
    let text = std::str::from_utf8(record).unwrap();
    let mut words = text.split(' ');
    let id = words.next().unwrap().strip_prefix("order-")?.parse().unwrap();
    let time_ms = words.next().unwrap().parse().unwrap();
    let terms = words.map(|word| {
        let (dimension, value) = word.split_once('=').unwrap();
        term(dimension.parse().unwrap(), value)
    });
    Some(Indexed { id, time_ms, terms: terms.collect() })
}

fn term(dimension: u8, value: &str) -> Term {
    Term { dimension, value: value.into() }
}

fn encode(indexed: &Indexed) -> Bytes {
    let mut text = format!("order-{} {}", indexed.id, indexed.time_ms);
    for term in &indexed.terms {
        text += &format!(" {}={}", term.dimension, String::from_utf8_lossy(&term.value));
    }
    text.into()
}

fn records(texts: &[&'static str]) -> Vec<Bytes> {
    texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect()
}

/// Adds a file without a disk.
fn add(index: &dyn HistoryIndex, number: u64, records: &[Bytes]) -> SealedFile {
    let file = SealedFile { number, records: records.len() as u64, chain: u128::from(number) };
    index.add(&file, &Placed::of(number, records, describe)).unwrap();
    file
}

/// All pages of a query: the ids, with the pages and the entries that they took.
fn ask(index: &dyn HistoryIndex, query: &IndexQuery) -> (Vec<IndexHit>, usize, usize) {
    let (mut hits, mut pages, mut entries) = (Vec::new(), 0, 0);
    let mut query = query.clone();
    loop {
        let page = index.query(&query).unwrap();
        assert!(page.hits.len() <= query.limit && page.entries <= crate::limits::INDEX_ENTRIES_PER_QUERY_MAX);
        hits.extend(page.hits);
        pages += 1;
        entries += page.entries;
        match page.next {
            Some(next) => query.before = Some(next),
            None => return (hits, pages, entries),
        }
    }
}

fn ids(index: &dyn HistoryIndex, query: &IndexQuery) -> Vec<u64> {
    ask(index, query).0.iter().map(|hit| hit.id).collect()
}

fn with_terms(terms: &[(u8, &str)]) -> IndexQuery {
    let terms = terms.iter().map(|(dimension, value)| term(*dimension, value)).collect();
    IndexQuery { terms, ..IndexQuery::default() }
}

fn refused<T: Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

/// Calls `test` with an empty index of each kind.
fn with_both(test: impl Fn(&dyn HistoryIndex)) {
    let directory = tempfile::tempdir().unwrap();
    test(&MemoryIndex::default());
    test(&MaterialisedIndex::open(directory.path().join("index")).unwrap());
}

#[test]
fn a_query_is_answered_by_all_that_holds_and_the_greatest_id_first() {
    with_both(|index| {
        assert_eq!(index.begin(&[]).unwrap(), []);
        add(index, 1, &records(&["order-5 100 1=main 2=BTC", "audit", "order-7 110 1=main 2=ETH"]));
        add(index, 2, &records(&["order-6 120 1=other 2=BTC", "order-9 130 1=main 2=BTC 2=ETH"]));
        for (query, expected) in [
            (with_terms(&[]), vec![9, 7, 6, 5]),
            (with_terms(&[(1, "main")]), vec![9, 7, 5]),
            (with_terms(&[(1, "main"), (2, "BTC")]), vec![9, 5]),
            (with_terms(&[(2, "BTC"), (2, "ETH")]), vec![9]),
            (with_terms(&[(1, "mai")]), vec![]),
            (with_terms(&[(2, "main")]), vec![]),
            (IndexQuery { times: 100..120, ..with_terms(&[]) }, vec![7, 5]),
            (IndexQuery { times: 101..131, ..with_terms(&[(1, "main")]) }, vec![9, 7]),
            (IndexQuery { times: 120..120, ..with_terms(&[]) }, vec![]),
            (IndexQuery { before: Some(7), ..with_terms(&[]) }, vec![6, 5]),
            (IndexQuery { before: Some(0), ..with_terms(&[]) }, vec![]),
            (IndexQuery { from: 6, ..with_terms(&[]) }, vec![9, 7, 6]),
            (IndexQuery { from: 6, before: Some(9), ..with_terms(&[(1, "main")]) }, vec![7]),
            (IndexQuery { from: 10, ..with_terms(&[]) }, vec![]),
        ] {
            assert_eq!(ids(index, &query), expected, "{query:?}");
            assert_eq!(ids(index, &IndexQuery { limit: 1, ..query }), expected, "page by page");
        }
        let page = index.query(&IndexQuery { limit: 0, before: Some(7), ..with_terms(&[]) }).unwrap();
        assert_eq!((page.hits, page.next, page.entries), (vec![], Some(7), 0));
        let found = index.find(7).unwrap().unwrap();
        assert_eq!((found.time_ms, found.place.file, found.place.record), (110, 1, 2));
        assert_eq!(index.find(8).unwrap(), None);
    });
}

#[test]
fn of_several_records_with_one_id_the_latest_counts() {
    let files = [
        records(&["order-5 100 1=open", "order-6 100 1=open"]),
        records(&["order-5 110 1=late", "order-5 120 1=late 2=fill"]),
        records(&["order-6 90 1=bust"]),
    ];
    for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
        with_both(|index| {
            index.begin(&[]).unwrap();
            for number in order {
                add(index, number, &files[number as usize - 1]);
            }
            assert_eq!(ids(index, &with_terms(&[])), [6, 5]);
            assert_eq!(ids(index, &with_terms(&[(1, "open")])), []);
            assert_eq!(ids(index, &with_terms(&[(1, "late")])), [5]);
            assert_eq!(ids(index, &IndexQuery { times: 90..91, ..with_terms(&[]) }), [6]);
            assert_eq!(ids(index, &IndexQuery { times: 100..111, ..with_terms(&[]) }), []);
            let place = index.find(5).unwrap().unwrap().place;
            assert_eq!((place.file, place.record), (2, 1), "files added as {order:?}");
        });
    }
}

#[test]
fn a_file_is_held_once_and_another_of_its_number_refused() {
    with_both(|index| {
        index.begin(&[]).unwrap();
        let first = records(&["order-1 1 1=a"]);
        let file = add(index, 1, &first);
        add(index, 1, &first);
        let second = SealedFile { number: 2, records: 1, chain: 2 };
        assert_eq!(index.lacking(&[file, second]).unwrap(), [second]);
        let other = SealedFile { chain: 9, ..file };
        assert_eq!(index.lacking(&[other]).unwrap(), [other]);
        assert!(refused(index.add(&other, &[])).contains("it knows another file 1"));
        index.rebuild().unwrap();
        assert_eq!(index.lacking(&[file]).unwrap(), [file]);
        assert_eq!(ids(index, &with_terms(&[])), []);
    });
}

#[test]
fn queries_are_answered_while_files_are_added() {
    let file = |number: u64| -> Vec<Bytes> {
        (0..300)
            .map(|at| Bytes::from(format!("order-{} {number} 1=a 2={number}", number * 100 + at)))
            .collect()
    };
    with_both(|index| {
        index.begin(&[]).unwrap();
        std::thread::scope(|scope| {
            let add_all = || (1..=5).map(|number| add(index, number, &file(number))).collect::<Vec<_>>();
            let adding = scope.spawn(add_all);
            while !adding.is_finished() {
                let found = ids(index, &with_terms(&[(1, "a")]));
                assert!(found.is_sorted_by(|greater, id| greater > id), "each once, in order: {found:?}");
            }
        });
        assert_eq!(
            ids(index, &with_terms(&[(1, "a")])).len(),
            700,
            "each file replaces most of the one before"
        );
        assert_eq!(ids(index, &with_terms(&[(2, "3")])).len(), 100);
    });
}

#[test]
fn terms_beyond_their_limit_are_refused_and_nothing_is_written() {
    with_both(|index| {
        index.begin(&[]).unwrap();
        let file = SealedFile { number: 1, records: 1, chain: 1 };
        let most = "x".repeat(INDEX_TERMS_BYTES_MAX - TERM_HEAD_BYTES);
        let mut placed = Placed::of(1, &records(&["order-1 1"]), describe);
        placed[0].indexed.terms = vec![term(1, &most), term(2, "")];
        assert!(matches!(index.add(&file, &placed), Err(Error::TooLarge { .. })));
        assert!(matches!(index.query(&with_terms(&[(1, &most), (2, "")])), Err(Error::TooLarge { .. })));
        assert_eq!(index.lacking(&[file]).unwrap(), [file]);
        placed[0].indexed.terms.pop();
        index.add(&file, &placed).unwrap();
        assert_eq!(ids(index, &with_terms(&[(1, &most)])), [1]);
    });
}

#[test]
fn a_transaction_holds_the_most_that_one_record_may_change() {
    let most = INDEX_TERMS_BYTES_MAX / TERM_HEAD_BYTES;
    let keys = 3 + 2 * most + layout::ZONE_SHIFTS.len();
    assert!(keys < crate::limits::STATE_KEYS_PER_TRANSACTION_MAX);
}
