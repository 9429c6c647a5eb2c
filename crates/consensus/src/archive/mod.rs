//! Closed orders in the history, and how they are found.
//!
//! An order is in one of four places at any moment of the state, and goes from one to the next: in memory, in the open tail of the
//! history, in a file that this node has sealed and not yet indexed, in the index over the files. So whoever asks takes a
//! [`Cut`] in the same look at the state in which the memory was looked through, and gets all that was history at that
//! moment and nothing else: files that were sealed since are left out. What the index does not have yet is told by the orders of
//! the last files, which stay here until it has; and where those do not reach, it is said, and nothing is answered.
//!
//! In reading order: here what is asked; `terms`, by what an order can be found; `indexer`, what keeps the index up.
//!
//! Invariant: an answer holds everything that was history in its cut, or is an error.

mod indexer;
mod terms;

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::orders::OrderId;
use domain::orders::filter::Filter;
use domain::orders::status::Status;
use domain::orders::table::Row;
use domain::orders::tombstone::StrategyKey;
use domain::{HistoryRecord, Recorded, SealedHistory, Serial, State};
use parking_lot::Mutex;
use store::{History, HistoryIndex, IndexHit, IndexQuery, SealedFile};
use tokio::sync::Notify;

use crate::limits::{ARCHIVE_FILES_AFTER_MAX, ARCHIVE_KEY_ORDERS_MAX, ARCHIVE_PAGE_BYTES_MAX};
use crate::shared::Shared;
use indexer::{Progress, Reached};
use terms::ENDED;

/// Why what was asked of the history cannot be told here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error(
        "the history of this node is still being indexed: {indexed} of {sealed} files; ask another node, or again"
    )]
    Indexing { indexed: u64, sealed: u64 },
    #[error("the history of this node cannot be read, ask another node: {0}")]
    Unreadable(String),
    #[error("this node keeps no index over its history; ask another node")]
    Unindexed,
    #[error(
        "too much has gone to the history since serial {after}: list the orders, then go on from serial {newest}"
    )]
    TooLongAgo { after: Serial, newest: Serial },
}

/// The history as it stands in one look at the state.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Files that are sealed.
    sealed: u64,
    /// The last record in them.
    sealed_to: Serial,
    /// Orders that are in none of them.
    tail: Vec<Row>,
    serial: Serial,
}

/// Orders of the history that are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    pub filter: Filter,
    /// Only ids below this one, and from that one on.
    pub before: OrderId,
    pub from: OrderId,
    /// Orders at most.
    pub limit: usize,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The greatest id first.
    pub orders: Vec<Row>,
    /// Nothing of this id or above is missing.
    pub decided_from: OrderId,
}

pub struct Archive {
    shared: Arc<Shared>,
    files: History,
    /// A node can do without, but answers nothing of its history then.
    index: Option<Arc<dyn HistoryIndex>>,
    progress: Mutex<Progress>,
    /// There may be something to index.
    look: Notify,
}

impl Cut {
    pub fn of(state: &State) -> Self {
        let sealed = state.sealed_history().len() as u64;
        let tail = orders(state.history_tail()).collect();
        Self { sealed, sealed_to: sealed_to(state), tail, serial: state.serial() }
    }

    /// Whether an order of the history may have changed after a serial. It went there at a later one than its last change.
    pub fn may_have_changed(state: &State, after: Serial) -> bool {
        let lately = state.history_tail().iter().rev().take_while(|record| record.serial > after);
        sealed_to(state) > after || lately.into_iter().any(|record| changed_after(record, after))
    }

    fn find(&self, id: OrderId) -> Option<&Row> {
        self.tail.iter().find(|row| row.id == id)
    }
}

impl Archive {
    pub(crate) fn new(
        shared: Arc<Shared>,
        files: History,
        index: Option<Box<dyn HistoryIndex>>,
    ) -> Arc<Self> {
        let (index, progress, look) = (index.map(Arc::from), Mutex::default(), Notify::new());
        Arc::new(Self { shared, files, index, progress, look })
    }

    /// The orders of the history that meet a filter, page by page.
    pub async fn list(self: &Arc<Self>, cut: &Cut, query: Query) -> Result<Page, ArchiveError> {
        if !query.filter.may_be_history() || query.limit == 0 {
            let decided_from = if query.limit == 0 { query.before } else { query.from };
            return Ok(Page { orders: Vec::new(), decided_from });
        }
        let sealed = cut.sealed;
        let tail = cut.tail.clone();
        self.ask(cut, move |archive, index, at_hand| {
            let asked =
                |row: &Row| (query.from..query.before).contains(&row.id) && query.filter.meets(row, ENDED);
            let mut found = Found { by_id: BTreeMap::new(), decided_from: query.from.0.0 };
            if let Some(index) = index {
                found.search(index, &query, sealed)?;
            }
            let here = at_hand.into_iter().chain(tail).filter(asked);
            // Whatever the index has of them as well, these need not be read.
            found.by_id.extend(here.map(|row| (row.id.0.0, Where::Here(row))));
            found.read(archive, query.limit)
        })
        .await
    }

    /// An order of the history.
    pub async fn find(self: &Arc<Self>, cut: &Cut, id: OrderId) -> Result<Option<Row>, ArchiveError> {
        if let Some(row) = cut.find(id) {
            return Ok(Some(row.clone()));
        }
        let sealed = cut.sealed;
        self.ask(cut, move |archive, index, at_hand| {
            if let Some(row) = at_hand.into_iter().find(|row| row.id == id) {
                return Ok(Some(row));
            }
            let hit = index.map(|index| index.find(id.0.0)).transpose()?.flatten();
            hit.filter(|hit| hit.place.file <= sealed).map(|hit| archive.read(&hit)).transpose()
        })
        .await
    }

    /// The order of the history that a key stood for; of several that were denied under it, the last.
    pub async fn by_key(self: &Arc<Self>, cut: &Cut, key: &StrategyKey) -> Result<Option<Row>, ArchiveError> {
        let (sealed, tail, key) = (cut.sealed, cut.tail.clone(), key.clone());
        self.ask(cut, move |archive, index, at_hand| {
            let limit = ARCHIVE_KEY_ORDERS_MAX;
            let query = IndexQuery { terms: vec![terms::key(&key)], limit, ..IndexQuery::default() };
            let page = index.map(|index| index.query(&query)).transpose()?.unwrap_or_default();
            let hits = page.hits.into_iter().filter(|hit| hit.place.file <= sealed);
            let mut rows = hits.map(|hit| archive.read(&hit)).collect::<Result<Vec<_>, _>>()?;
            let here = at_hand.into_iter().chain(tail);
            rows.extend(here.filter(|row| row.strategy_key().as_ref() == Some(&key)));
            // A denied one does not take the key, which may stand for another afterwards.
            Ok(rows.into_iter().max_by_key(|row| (row.status(ENDED) != Status::Denied, row.id)))
        })
        .await
    }

    /// The orders of the history that changed after a serial, in the order of their last changes: few, unless that is long ago.
    pub async fn changed_after(self: &Arc<Self>, cut: &Cut, after: Serial) -> Result<Vec<Row>, ArchiveError> {
        let files = if cut.sealed_to > after { self.sealed_after(cut, after)? } else { Vec::new() };
        let read = if files.is_empty() { Vec::new() } else { self.read_files(files).await? };
        let mut rows: Vec<Row> =
            read.into_iter().chain(cut.tail.iter().cloned()).filter(|row| row.revision > after).collect();
        rows.sort_unstable_by_key(|row| (row.revision, row.id));
        Ok(rows)
    }

    /// Those that have a record of after a serial.
    fn sealed_after(&self, cut: &Cut, after: Serial) -> Result<Vec<SealedFile>, ArchiveError> {
        let state = self.shared.state.read();
        let sealed = state.sealed_history().iter().take_while(|sealed| sealed.number <= cut.sealed);
        let files: Vec<_> = sealed.filter(|sealed| sealed.last > after).map(file).collect();
        let progress = self.progress.lock();
        let read = files.iter().filter(|file| progress.at_hand(file.number).is_none()).count();
        let is_few = read <= ARCHIVE_FILES_AFTER_MAX;
        if is_few { Ok(files) } else { Err(ArchiveError::TooLongAgo { after, newest: cut.serial }) }
    }

    async fn read_files(self: &Arc<Self>, files: Vec<SealedFile>) -> Result<Vec<Row>, ArchiveError> {
        let archive = self.clone();
        let read = move || {
            let mut rows = Vec::new();
            for file in &files {
                let at_hand = archive.progress.lock().at_hand(file.number).map(<[Row]>::to_vec);
                match at_hand {
                    Some(orders) => rows.extend(orders),
                    None => {
                        let records = archive.files.read(file)?;
                        let orders = terms::orders(file.number, &records)?;
                        rows.extend(orders.into_iter().flatten());
                    }
                }
            }
            Ok(rows)
        };
        let read = self.shared.environment.blocking("read history", read).await;
        let read = read.unwrap_or(Err(store::Error::Stopped));
        read.map_err(|error: store::Error| ArchiveError::Unreadable(error.to_string()))
    }

    /// Looks into the index aside, with the orders of sealed files that it may not have yet. Without an index these are all.
    async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        cut: &Cut,
        look: impl FnOnce(&Self, Option<&dyn HistoryIndex>, Vec<Row>) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, ArchiveError> {
        let reached = self.progress.lock().reaching(cut.sealed);
        let Reached { generation, is_indexed, at_hand } =
            reached.map_err(|error| if self.index.is_some() { error } else { ArchiveError::Unindexed })?;
        let found = match self.index.clone().filter(|_| is_indexed) {
            None => Some(look(self, None, at_hand)),
            Some(index) => {
                let archive = self.clone();
                let work = move || look(&archive, Some(&*index), at_hand);
                self.shared.environment.blocking("search history", work).await
            }
        };
        let found = found.ok_or_else(|| ArchiveError::Unreadable("the process is stopping".into()))?;
        match found {
            // What was emptied meanwhile may have been found to hold nothing.
            Ok(found) if self.progress.lock().generation == generation => Ok(found),
            Ok(_) => Err(ArchiveError::Indexing { indexed: 0, sealed: cut.sealed }),
            Err(error @ (store::Error::Unfit { .. } | store::Error::Sled { .. })) => {
                self.doubt(generation, &error);
                Err(ArchiveError::Indexing { indexed: 0, sealed: cut.sealed })
            }
            Err(error) => {
                tracing::error!(%error, "the history cannot be read");
                Err(ArchiveError::Unreadable(error.to_string()))
            }
        }
    }

    fn read(&self, hit: &IndexHit) -> Result<Row, store::Error> {
        let unfit = |why: String| store::Error::Unfit { why };
        let sealed = self.sealed(hit.place.file);
        let sealed = sealed.ok_or_else(|| unfit(format!("the state names no file {}", hit.place.file)))?;
        let record = self.files.read_record(&sealed, &hit.place)?;
        let order = terms::order(&record).map_err(|error| unfit(error.to_string()))?;
        let order = order.filter(|order| order.id.0.0 == hit.id);
        order.ok_or_else(|| unfit(format!("no order {} is at {:?}", hit.id, hit.place)))
    }

    /// A file that the state names.
    fn sealed(&self, number: u64) -> Option<SealedFile> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        self.shared.state.read().sealed_history().get(at).map(file)
    }
}

/// What meets a query, and from which id on that is all.
struct Found {
    by_id: BTreeMap<u64, Where>,
    decided_from: u64,
}

enum Where {
    Here(Row),
    In(IndexHit),
}

impl Found {
    fn search(&mut self, index: &dyn HistoryIndex, query: &Query, sealed: u64) -> Result<(), store::Error> {
        let Query { filter, before, from, limit } = query;
        for terms in terms::of(filter) {
            let page = index.query(&IndexQuery {
                terms,
                times: terms::times(filter),
                before: Some(before.0.0),
                from: from.0.0,
                limit: *limit,
            })?;
            self.decided_from = self.decided_from.max(page.next.unwrap_or(0));
            let hits = page.hits.into_iter().filter(|hit| hit.place.file <= sealed);
            self.by_id.extend(hits.map(|hit| (hit.id, Where::In(hit))));
        }
        Ok(())
    }

    /// As many as a page holds.
    fn read(self, archive: &Archive, limit: usize) -> Result<Page, store::Error> {
        let Self { by_id, decided_from } = self;
        let (mut orders, mut bytes) = (Vec::new(), 0);
        let mut found = by_id.into_iter().rev().take_while(|(id, _)| *id >= decided_from).peekable();
        while let Some((id, place)) = found.next() {
            let row = match place {
                Where::Here(row) => {
                    bytes += row.bytes();
                    row
                }
                Where::In(hit) => {
                    bytes += hit.place.bytes as usize;
                    archive.read(&hit)?
                }
            };
            orders.push(row);
            let is_full = orders.len() >= limit || bytes >= ARCHIVE_PAGE_BYTES_MAX;
            if is_full && found.peek().is_some() {
                return Ok(Page { orders, decided_from: OrderId(Serial(id)) });
            }
        }
        Ok(Page { orders, decided_from: OrderId(Serial(decided_from)) })
    }
}

/// As the files name it.
pub(crate) fn file(sealed: &SealedHistory) -> SealedFile {
    SealedFile { number: sealed.number, records: sealed.records, chain: sealed.chain }
}

fn sealed_to(state: &State) -> Serial {
    state.sealed_history().last().map_or(Serial(0), |sealed| sealed.last)
}

fn changed_after(record: &HistoryRecord, after: Serial) -> bool {
    matches!(&record.what, Recorded::Order(order) if order.revision > after)
}

fn orders(records: &[HistoryRecord]) -> impl Iterator<Item = Row> {
    records.iter().filter_map(|record| match &record.what {
        Recorded::Order(order) => Some(order.clone()),
        Recorded::Audit(_) => None,
    })
}
