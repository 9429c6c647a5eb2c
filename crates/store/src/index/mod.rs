//! An index over sealed history: which record of which file has an id, certain terms, a time.
//!
//! A cache of what the files say. It may lack files, which are then added from [`crate::History`], in any order; it never
//! leads: one that holds a file which the state does not name is thrown away. It answers places, and the bytes at a place
//! are checked when they are read.
//!
//! In reading order: `layout`, the rows that it is made of; `rows`, where they are kept, on sled or in memory; `adding`,
//! `query`, what is done with them.
//!
//! Invariants:
//! * A record is indexed whole or not at all, also after a crash.
//! * Of several records with one id the one of the greatest place counts, in whatever order their files are added.
//! * The digest written with every change is that of all rows; after a start nothing is answered before it was compared.

mod adding;
mod layout;
mod query;
mod rows;
#[cfg(test)]
mod tests;

use crate::error::{Error, check_size};
use crate::history::{History, Place, SealedFile};
use crate::limits::INDEX_TERMS_BYTES_MAX;
use bytes::Bytes;
use layout::{ADDING, FILES, TERM_HEAD_BYTES, TREES};
use parking_lot::{Mutex, RwLock};
use rows::{MemoryRows, Rows, SledRows};
use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What a record can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// Tells it from all others, below `u64::MAX`. A later record with the same id takes the place of an earlier one.
    pub id: u64,
    /// In the clock of the caller. A query by time costs least where times grow as ids do.
    pub time_ms: i64,
    /// A set; at most [`INDEX_TERMS_BYTES_MAX`].
    pub terms: Vec<Term>,
}

/// One value in one dimension, such as an account; what the dimensions are is the caller's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    pub dimension: u8,
    pub value: Vec<u8>,
}

/// A record of a file, by what it can be found and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    pub indexed: Indexed,
    pub place: Place,
}

/// Asks for records of which all terms and the times hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexQuery {
    pub terms: Vec<Term>,
    /// From the first until before the second, in milliseconds.
    pub times: Range<i64>,
    /// Only ids below this one: [`IndexPage::next`] of the page before.
    pub before: Option<u64>,
    /// Only ids from this one on.
    pub from: u64,
    /// Hits at most.
    pub limit: usize,
}

impl Default for IndexQuery {
    /// Everything.
    fn default() -> IndexQuery {
        IndexQuery { terms: Vec::new(), times: i64::MIN..i64::MAX, before: None, from: 0, limit: usize::MAX }
    }
}

/// A part of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexPage {
    /// The greatest id first.
    pub hits: Vec<IndexHit>,
    /// Where to go on, also where nothing was found within the bound; `None` at the end.
    pub next: Option<u64>,
    /// Entries of the index that were looked at, at most [`crate::limits::INDEX_ENTRIES_PER_QUERY_MAX`].
    pub entries: usize,
}

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexHit {
    pub id: u64,
    pub time_ms: i64,
    pub place: Place,
}

/// An index over sealed history. [`MaterialisedIndex`] keeps it on sled, [`MemoryIndex`] in memory for a simulation.
///
/// Calls may come from several threads; changes take turns, a query waits for one transaction at most. What reads it or
/// adds to it answers [`Error::Unfit`] before [`HistoryIndex::begin`] was called, and after a change that failed until
/// that is called again.
pub trait HistoryIndex: Send + Sync {
    /// Compares it with its own digest and with all sealed files that the state names, and empties it if it is damaged
    /// or holds another file. Answers the files that it lacks. Reads the whole index.
    fn begin(&self, sealed: &[SealedFile]) -> Result<Vec<SealedFile>, Error>;
    /// Those of the files that it lacks.
    fn lacking(&self, sealed: &[SealedFile]) -> Result<Vec<SealedFile>, Error>;
    /// Adds a file that is durable, with those of its records that are to be found. One that it holds stays as it is;
    /// one of the same number and another chain is [`Error::Unfit`]. After an error the file counts as lacking.
    fn add(&self, file: &SealedFile, records: &[Placed]) -> Result<(), Error>;
    /// The record with an id.
    fn find(&self, id: u64) -> Result<Option<IndexHit>, Error>;
    /// The records for which all of a query holds, page by page.
    fn query(&self, query: &IndexQuery) -> Result<IndexPage, Error>;
    /// Throws everything away and gives its space back: it lacks all files.
    fn rebuild(&self) -> Result<(), Error>;
    /// Makes everything written durable; for an orderly stop.
    fn flush(&self) -> Result<(), Error>;
}

/// An index on sled, in a directory of its own.
pub type MaterialisedIndex = Index<SledRows>;

/// An index in memory: for a simulation, where it is kept or dropped with a crash as the seed has it.
pub type MemoryIndex = Index<MemoryRows>;

/// The one index, wherever its rows are kept.
pub struct Index<R> {
    /// Held for the whole of a change, so that each reads what the one before wrote.
    changing: Mutex<()>,
    trusted: RwLock<Trusted<R>>,
}

struct Trusted<R> {
    rows: R,
    /// Of all rows; `None` while they are not to be believed.
    digest: Option<u128>,
}

impl Placed {
    /// The records of a file that `describe` wants to be found, in their places.
    pub fn of(number: u64, records: &[Bytes], describe: impl Fn(&Bytes) -> Option<Indexed>) -> Vec<Placed> {
        let places = History::places(number, records);
        let placed = |(record, place)| Some(Placed { indexed: describe(record)?, place });
        records.iter().zip(places).filter_map(placed).collect()
    }
}

impl MaterialisedIndex {
    /// Opens the directory behind a marker that goes when [`HistoryIndex::begin`] is through. If the marker was there,
    /// an earlier start did not get as far, and the directory is moved aside.
    pub fn open(path: impl AsRef<Path>) -> Result<MaterialisedIndex, Error> {
        Ok(Index::new(SledRows::open(path.as_ref())?))
    }

    /// Where a directory that could not be trusted went, if this start found one.
    pub fn moved_aside(&self) -> Option<PathBuf> {
        self.trusted.read().rows.moved_aside()
    }
}

impl Default for MemoryIndex {
    fn default() -> MemoryIndex {
        Index::new(MemoryRows::default())
    }
}

impl<R: Rows> HistoryIndex for Index<R> {
    fn begin(&self, sealed: &[SealedFile]) -> Result<Vec<SealedFile>, Error> {
        {
            let _turn = self.changing.lock();
            let unfit = self.compare(sealed).unwrap_or_else(|error| Some(error.to_string()));
            if let Some(why) = unfit {
                tracing::warn!(why, "the index over history cannot be used; it is rebuilt from the files");
                self.empty()?;
            }
            self.trusted.read().rows.confirm()?;
        }
        self.lacking(sealed)
    }

    fn lacking(&self, sealed: &[SealedFile]) -> Result<Vec<SealedFile>, Error> {
        let held: HashSet<SealedFile> = files(self.trusted.read().rows()?, FILES)?.into_iter().collect();
        Ok(sealed.iter().filter(|file| !held.contains(file)).copied().collect())
    }

    fn add(&self, file: &SealedFile, records: &[Placed]) -> Result<(), Error> {
        records.iter().try_for_each(|record| check_terms(&record.indexed.terms))?;
        let _turn = self.changing.lock();
        adding::add(&self.trusted, file, records)
    }

    fn find(&self, id: u64) -> Result<Option<IndexHit>, Error> {
        let trusted = self.trusted.read();
        Ok(query::find(trusted.rows()?, id)?.map(|record| record.hit()))
    }

    fn query(&self, query: &IndexQuery) -> Result<IndexPage, Error> {
        check_terms(&query.terms)?;
        query::run(self.trusted.read().rows()?, query)
    }

    fn rebuild(&self) -> Result<(), Error> {
        let _turn = self.changing.lock();
        self.empty()?;
        self.trusted.read().rows.confirm()
    }

    fn flush(&self) -> Result<(), Error> {
        self.trusted.read().rows.flush()
    }
}

impl<R: Rows> Index<R> {
    fn new(rows: R) -> Index<R> {
        Index { changing: Mutex::default(), trusted: RwLock::new(Trusted { rows, digest: None }) }
    }

    /// Says why it cannot be used; otherwise it is trusted from now on.
    fn compare(&self, sealed: &[SealedFile]) -> Result<Option<String>, Error> {
        self.trusted.write().digest = None;
        let digest = {
            let rows = &self.trusted.read().rows;
            let digest = digest(rows)?;
            if digest != rows.digest()?.unwrap_or_default() {
                return Ok(Some("its rows are not those that were written".into()));
            }
            let named: HashSet<&SealedFile> = sealed.iter().collect();
            let known = [files(rows, FILES)?, files(rows, ADDING)?].concat();
            if let Some(file) = known.iter().find(|file| !named.contains(file)) {
                return Ok(Some(format!("it holds {file:?}, which the state does not name")));
            }
            digest
        };
        self.trusted.write().digest = Some(digest);
        Ok(None)
    }

    fn empty(&self) -> Result<(), Error> {
        let mut trusted = self.trusted.write();
        trusted.digest = None;
        trusted.rows.rebuild()?;
        trusted.digest = Some(0);
        Ok(())
    }
}

impl<R> Trusted<R> {
    fn rows(&self) -> Result<&R, Error> {
        let why = || "it was not compared with them since it was opened or since a change failed".to_owned();
        if self.digest.is_some() { Ok(&self.rows) } else { Err(Error::Unfit { why: why() }) }
    }
}

/// The files that are in the index whole, or in part.
fn files(rows: &impl Rows, tree: &str) -> Result<Vec<SealedFile>, Error> {
    let mut files = Vec::new();
    rows.scan(tree, &mut |key, value| files.push(layout::decode_file(key, value)))?;
    files.into_iter().collect()
}

fn digest(rows: &impl Rows) -> Result<u128, Error> {
    let mut digest = 0_u128;
    for tree in TREES {
        let mut each = |key: &[u8], value: &[u8]| {
            digest = digest.wrapping_add(layout::row_digest(tree, key, value));
        };
        rows.scan(tree, &mut each)?;
    }
    Ok(digest)
}

fn check_terms(terms: &[Term]) -> Result<(), Error> {
    let bytes = terms.iter().map(|term| TERM_HEAD_BYTES + term.value.len()).sum::<usize>();
    check_size("a list of terms", bytes as u64, INDEX_TERMS_BYTES_MAX as u64)
}
