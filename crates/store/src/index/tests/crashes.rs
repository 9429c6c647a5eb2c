//! What a stop may leave, and what a start makes of it.

use super::*;
use crate::faulty_disk::FaultyDisk;
use crate::state_store::Changes;
use std::fs;

/// Rows that fail once, after some commits.
struct FailingRows {
    rows: MemoryRows,
    commits_left: usize,
    /// What failed took effect all the same.
    takes_effect: bool,
}

impl Rows for FailingRows {
    fn get(&self, tree: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.rows.get(tree, key)
    }

    fn last(&self, tree: &str, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        self.rows.last(tree, from, to)
    }

    fn scan(&self, tree: &str, each: &mut dyn FnMut(&[u8], &[u8])) -> Result<(), Error> {
        self.rows.scan(tree, each)
    }

    fn commit(&mut self, changes: &Changes, digest: u128) -> Result<(), Error> {
        assert!(changes.len() <= crate::limits::STATE_KEYS_PER_TRANSACTION_MAX);
        let fails = self.commits_left == 0;
        self.commits_left = self.commits_left.wrapping_sub(1);
        if !fails || self.takes_effect {
            self.rows.commit(changes, digest)?;
        }
        if fails { Err(Error::Stopped) } else { Ok(()) }
    }

    fn digest(&self) -> Result<Option<u128>, Error> {
        self.rows.digest()
    }

    fn confirm(&self) -> Result<(), Error> {
        self.rows.confirm()
    }

    fn rebuild(&mut self) -> Result<(), Error> {
        self.rows.rebuild()
    }

    fn flush(&self) -> Result<(), Error> {
        self.rows.flush()
    }
}

/// Two files of as many orders that the second one changes: several transactions each.
fn two_files() -> [Vec<Bytes>; 2] {
    [("1=open", 10), ("1=closed 2=late", 20)].map(|(terms, time)| {
        (0..600)
            .map(|number| Bytes::from(format!("order-{} {} {terms}", number * 7, time + number)))
            .collect()
    })
}

fn rows(rows: &impl Rows) -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for tree in TREES {
        rows.scan(tree, &mut |key, value| all.push((tree, key.to_vec(), value.to_vec()))).unwrap();
    }
    all
}

#[test]
fn a_file_that_was_added_in_part_is_added_again_and_leaves_no_trace() {
    let files = two_files();
    let unbroken = MemoryIndex::default();
    unbroken.begin(&[]).unwrap();
    let sealed = [add(&unbroken, 1, &files[0]), add(&unbroken, 2, &files[1])];
    let mut broken = 0;
    for commits_left in 0.. {
        let mut failed = false;
        for takes_effect in [false, true] {
            let failing = FailingRows { rows: MemoryRows::default(), commits_left, takes_effect };
            let index = Index::new(failing);
            index.begin(&[]).unwrap();
            for (file, records) in sealed.iter().zip(&files) {
                let placed = Placed::of(file.number, records, describe);
                if index.add(file, &placed).is_err() {
                    failed = true;
                    // Nothing is answered from what may be anything.
                    assert!(matches!(index.query(&with_terms(&[])), Err(Error::Unfit { .. })));
                    assert!(matches!(index.add(file, &placed), Err(Error::Unfit { .. })));
                    break;
                }
            }
            for file in index.begin(&sealed).unwrap() {
                add(&index, file.number, &files[file.number as usize - 1]);
            }
            assert!(
                rows(&index.trusted.read().rows) == rows(&unbroken.trusted.read().rows),
                "{commits_left}"
            );
        }
        if !failed {
            break;
        }
        broken += 1;
    }
    assert!(broken >= 4, "each file takes several transactions: {broken}");
}

#[test]
fn a_part_of_a_file_that_the_state_does_not_name_is_not_answered() {
    let [first, second] = two_files();
    for named in [vec![], vec![SealedFile { number: 2, records: 600, chain: 9 }]] {
        let index =
            Index::new(FailingRows { rows: MemoryRows::default(), commits_left: 1, takes_effect: false });
        index.begin(&[]).unwrap();
        let sealed = SealedFile { number: 2, records: 600, chain: 2 };
        index.add(&sealed, &Placed::of(2, &second, describe)).unwrap_err();
        // It may be added further, but no other file of its number.
        assert_eq!(index.begin(&[sealed]).unwrap(), [sealed]);
        assert_ne!(ids(&index, &with_terms(&[])), []);
        let other = SealedFile { chain: 9, ..sealed };
        assert!(matches!(index.add(&other, &[]), Err(Error::Unfit { .. })));

        assert_eq!(index.begin(&named).unwrap(), named);
        assert_eq!(ids(&index, &with_terms(&[])), []);
        add(&index, 1, &first);
        assert_eq!(ids(&index, &with_terms(&[(1, "open")])).len(), 600);
    }
}

#[test]
fn an_index_that_does_not_fit_is_rebuilt() {
    with_both(|index| {
        let why = refused(index.query(&with_terms(&[])));
        assert!(why.contains("not compared"), "{why}");
        index.begin(&[]).unwrap();
        let [first, second] = two_files();
        let files = [add(index, 1, &first), add(index, 2, &second)];
        assert_eq!(index.begin(&files).unwrap(), []);
        let third = SealedFile { number: 3, records: 1, chain: 3 };
        assert_eq!(index.begin(&[files[0], files[1], third]).unwrap(), [third], "it lacks a file");
        assert_eq!(ids(index, &with_terms(&[])).len(), 600);
        // Ahead of the state, and beside it.
        let other = SealedFile { chain: 9, ..files[1] };
        for named in [vec![files[0]], vec![files[0], other], vec![]] {
            assert_eq!(index.begin(&named).unwrap(), named);
            assert_eq!(ids(index, &with_terms(&[])), []);
            add(index, 1, &first);
            add(index, 2, &second);
        }
    });
}

#[test]
fn a_row_that_is_lost_or_changed_is_noticed_at_the_next_start() {
    let [first, _] = two_files();
    let damages: [fn(&mut Changes); 4] = [
        |changes| changes.delete(layout::TERMS, layout::term_key(&term(1, "open"), 7)),
        |changes| changes.delete(layout::RECORDS, 7_u64.to_be_bytes()),
        |changes| changes.put(layout::ZONES, layout::Zone::key(8, 7), layout::Zone::at(0).encode()),
        |changes| changes.put(layout::TERMS, layout::term_key(&term(1, "open"), 8), []),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (number, damage) in damages.into_iter().enumerate() {
        let path = directory.path().join(format!("index-{number}"));
        let index = MaterialisedIndex::open(&path).unwrap();
        index.begin(&[]).unwrap();
        let file = add(&index, 1, &first);
        let mut changes = Changes::default();
        damage(&mut changes);
        {
            let mut trusted = index.trusted.write();
            let digest = trusted.digest.unwrap();
            trusted.rows.commit(&changes, digest).unwrap();
        }
        drop(index);
        let index = MaterialisedIndex::open(&path).unwrap();
        assert_eq!(index.begin(&[file]).unwrap(), [file], "damage {number}");
        add(&index, 1, &first);
        assert_eq!(index.begin(&[file]).unwrap(), []);
    }
}

#[test]
fn a_start_that_got_through_finds_its_index_again_and_another_moves_it_aside() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("index");
    let [first, _] = two_files();
    let index = MaterialisedIndex::open(&path).unwrap();
    let marker = directory.path().join("index.opening");
    assert!(marker.exists(), "the marker is there before sled is");
    index.begin(&[]).unwrap();
    assert!(!marker.exists());
    let file = add(&index, 1, &first);
    index.flush().unwrap();
    drop(index);

    let index = MaterialisedIndex::open(&path).unwrap();
    assert_eq!(index.moved_aside(), None);
    assert_eq!(index.begin(&[file]).unwrap(), []);
    assert_eq!(ids(&index, &with_terms(&[(1, "open")])).len(), 600);
    drop(index);

    // This one dies before it has compared anything.
    drop(MaterialisedIndex::open(&path).unwrap());
    let index = MaterialisedIndex::open(&path).unwrap();
    assert_eq!(index.moved_aside(), Some(directory.path().join("index.bad")));
    assert_eq!(index.begin(&[file]).unwrap(), [file]);
    fs::remove_dir_all(directory.path().join("index.bad")).unwrap();
}

/// As a node does it: the file is durable before the index hears of it. The index is kept, as sled may be, whatever
/// became of the disk.
#[test]
fn after_a_power_cut_at_any_point_of_sealing_the_index_answers_what_the_files_hold() {
    let contents = two_files();
    let files = [1, 2].map(|number| SealedFile { number, records: 600, chain: number.into() });
    let seal = |history: &History, index: &dyn HistoryIndex, file: &SealedFile| {
        let records = &contents[file.number as usize - 1];
        history.seal(file.number, file.chain, records)?;
        index.add(file, &Placed::of(file.number, records, describe))
    };
    for point in 0..20 {
        let disk = FaultyDisk::new(point);
        let index = MemoryIndex::default();
        index.begin(&[]).unwrap();
        disk.lose_power_in(point);
        let run = || {
            let history = History::open(disk.mount())?;
            files.iter().try_for_each(|file| seal(&history, &index, file))
        };
        let _ = run();
        disk.crash();

        // The state begins with the files that were there when it was kept, and seals the others again.
        let history = History::open(disk.mount()).unwrap();
        let named: Vec<SealedFile> = files[..(point % 3) as usize].to_vec();
        for file in index.begin(&named).unwrap() {
            if history.missing(&[file]).unwrap().is_empty() {
                let placed = Placed::of(file.number, &history.read(&file).unwrap(), describe);
                index.add(&file, &placed).unwrap();
            }
        }
        files.iter().for_each(|file| seal(&history, &index, file).unwrap());
        assert_eq!(index.lacking(&files).unwrap(), []);
        let (hits, ..) = ask(&index, &with_terms(&[(1, "closed")]));
        assert_eq!(hits.len(), 600, "point {point}");
        for hit in hits {
            let record = history.read_record(&files[hit.place.file as usize - 1], &hit.place).unwrap();
            assert_eq!(describe(&record).unwrap().id, hit.id);
        }
    }
}
