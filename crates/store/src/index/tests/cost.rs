//! What queries cost on 100,000 records, in entries that were looked at.

use super::*;
use crate::limits::INDEX_ENTRIES_PER_QUERY_MAX;

const RECORDS: u64 = 100_000;
const PER_FILE: u64 = 4096;
/// Other commands lie between two orders.
const IDS_APART: u64 = 30;

/// A record a second, on 7 accounts and of 100 strategies; every other of these never cancels anything.
fn record(number: u64) -> Indexed {
    let status = if number.is_multiple_of(2) { "canceled" } else { "filled" };
    let terms = vec![
        term(1, &format!("account-{}", number % 7)),
        term(2, &format!("strategy-{}", number % 100)),
        term(3, status),
    ];
    Indexed { id: number * IDS_APART, time_ms: number as i64 * 1000, terms }
}

fn index() -> MemoryIndex {
    let index = MemoryIndex::default();
    index.begin(&[]).unwrap();
    let numbers: Vec<u64> = (0..RECORDS).collect();
    for (file, numbers) in (1..).zip(numbers.chunks(PER_FILE as usize)) {
        add(&index, file, &numbers.iter().map(|number| encode(&record(*number))).collect::<Vec<_>>());
    }
    index
}

#[test]
fn a_query_costs_little_more_than_what_it_answers() {
    let index = index();
    let page =
        |terms: &[(u8, &str)], times: Range<i64>| IndexQuery { times, limit: 100, ..with_terms(terms) };
    let always = i64::MIN..i64::MAX;
    let hour = 3_600_000;
    let long_ago = 10 * hour..10 * hour + 60_000;
    for (query, hits, entries_max) in [
        // A look at the list and one at the record for each hit.
        (page(&[], always.clone()), 100, 210),
        (page(&[(1, "account-3")], always.clone()), 100, 210),
        // The shorter list leads, whichever it is: for each of its entries one of the other. One in seven is a hit.
        (page(&[(1, "account-3"), (2, "strategy-33")], always.clone()), 100, 1_510),
        (page(&[(2, "strategy-33"), (3, "filled")], always.clone()), 100, 310),
        // A minute of long ago: all that is newer is left out by zones.
        (page(&[], long_ago.clone()), 60, 400),
        (page(&[(3, "filled")], long_ago.clone()), 30, 400),
        (page(&[(1, "account-3"), (3, "filled")], long_ago), 4, 400),
        // Nothing is like this, and that is found out without going through the longer list.
        (page(&[(3, "canceled"), (2, "strategy-33")], always.clone()), 0, 4_100),
        (page(&[(1, "account-8")], always), 0, 1),
        (page(&[], -hour..0), 0, 50),
    ] {
        let answer = index.query(&query).unwrap();
        assert_eq!(answer.hits.len(), hits, "{query:?}");
        assert!(answer.entries <= entries_max, "{} entries for {query:?}", answer.entries);
    }

    // Lists that are both long and never agree: the bound ends it, and the next page goes on from there.
    let alternating = with_terms(&[(3, "filled"), (3, "canceled")]);
    let answer = index.query(&alternating).unwrap();
    assert_eq!(answer.hits, []);
    assert!(answer.next.is_some() && answer.entries > INDEX_ENTRIES_PER_QUERY_MAX - 20);
    let (hits, pages, entries) = ask(&index, &alternating);
    assert_eq!(hits, []);
    assert_eq!(pages, entries.div_ceil(INDEX_ENTRIES_PER_QUERY_MAX));
    assert!(entries <= 110_000, "{entries}");
    // Everything, in no more pages than the bound asks for.
    let (hits, pages, _) = ask(&index, &IndexQuery::default());
    assert_eq!(hits.len() as u64, RECORDS);
    assert!(pages <= 25, "{pages}");
}
