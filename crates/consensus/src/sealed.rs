//! Sealed history files: written when the log seals them, fetched from peers where a snapshot went past them.
//!
//! A file is durable before the entry that sealed it counts as applied, so no snapshot and no state store is ahead of
//! the files that its state names. A node that installs a snapshot lacks those in between: it asks its peers for
//! them in the background, however long that takes, and believes only records that give the chain in its own state.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{HistoryRecord, SealedHistory};
use futures_util::{Stream, stream};
use store::{Disk, History, HistoryIndex, SealedFile};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status};
use wire::peer;

use crate::archive::{Archive, file};
use crate::limits::{HISTORY_PAUSE_MAX, HISTORY_PAUSE_MIN, HISTORY_PIECE_BYTES, HISTORY_PIECE_TIMEOUT};
use crate::peer::Lane;
use crate::shared::Shared;

pub(crate) struct Sealed {
    shared: Arc<Shared>,
    files: History,
    archive: Arc<Archive>,
    /// The state may name files that are not here.
    look: Notify,
}

/// A file that the state names and that is not here.
struct Missing {
    file: SealedFile,
    /// The chain of the file before.
    previous: u128,
}

impl Sealed {
    pub(crate) fn open(
        shared: Arc<Shared>,
        disk: Arc<dyn Disk>,
        index: Option<Box<dyn HistoryIndex>>,
    ) -> Result<Arc<Self>, store::Error> {
        let files = History::open(disk)?;
        let archive = Archive::new(shared.clone(), files.clone(), index);
        Ok(Arc::new(Self { shared, files, archive, look: Notify::new() }))
    }

    /// The closed orders in these files.
    pub(crate) fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// Makes files durable that the log has just sealed. One that is there already, as after a restart, stays.
    pub(crate) async fn write(&self, sealed: Vec<(SealedHistory, Vec<HistoryRecord>)>) -> io::Result<()> {
        let count = sealed.len() as u64;
        let files = self.files.clone();
        let write = move || {
            sealed.iter().try_for_each(|(sealed, records)| {
                let records: Vec<Bytes> = records.iter().map(wire::encode_history_record).collect();
                files.seal(sealed.number, sealed.chain, &records).map(drop)
            })
        };
        let written = self.shared.environment.blocking("write history", write).await;
        written.ok_or_else(|| io::Error::other("the process is stopping"))?.map_err(io::Error::other)?;
        self.shared.metrics.history_files_written.add(count);
        self.archive.look_again();
        Ok(())
    }

    /// To be called when the state was replaced by a snapshot.
    pub(crate) fn look_again(&self) {
        self.look.notify_one();
        self.archive.look_again();
    }

    /// Fetches what is missing until nothing is, again and again. Ends with the process.
    pub(crate) async fn keep_complete(self: Arc<Self>) {
        let mut pause = HISTORY_PAUSE_MIN;
        loop {
            let missing = match self.missing().await {
                Ok(missing) => missing,
                Err(error) => {
                    tracing::error!(%error, "the history files cannot be looked through");
                    sleep(HISTORY_PAUSE_MAX).await;
                    continue;
                }
            };
            let before = missing.len();
            self.shared.metrics.history_files_missing.set(before as u64);
            if before == 0 {
                self.look.notified().await;
                pause = HISTORY_PAUSE_MIN;
                continue;
            }
            let left = self.fetch(missing).await.len();
            if left > 0 {
                tracing::warn!(missing = left, fetched = before - left, "history files are missing here");
            }
            pause = if left < before { HISTORY_PAUSE_MIN } else { longer(pause) };
            sleep(pause).await;
        }
    }

    async fn missing(&self) -> Result<Vec<Missing>, store::Error> {
        let sealed = self.shared.state.read().sealed_history().to_vec();
        let wanted: Vec<SealedFile> = sealed.iter().map(file).collect();
        let files = self.files.clone();
        let found =
            self.shared.environment.blocking("look for history", move || files.missing(&wanted)).await;
        // Nobody is left to fetch anything in a dying process.
        let found = found.unwrap_or(Ok(Vec::new()))?;
        // They are numbered from 1, without a gap.
        let previous = |number: u64| {
            let before = number.checked_sub(2).and_then(|at| sealed.get(at as usize));
            before.map_or(0, |sealed| sealed.chain)
        };
        Ok(found.into_iter().map(|file| Missing { previous: previous(file.number), file }).collect())
    }

    /// Asks one peer after the other for whatever is still missing, and returns what no peer gave.
    async fn fetch(&self, mut missing: Vec<Missing>) -> Vec<Missing> {
        for (node, address) in self.peers() {
            if missing.is_empty() {
                break;
            }
            missing = self.fetch_from(node, &address, missing).await;
        }
        missing
    }

    /// The other members, the leader first.
    fn peers(&self) -> Vec<(u64, String)> {
        let leader = self.shared.leadership.borrow().leader.map(|node| node.0);
        let membership = self.shared.membership.read();
        let others = membership.membership().nodes().filter(|(node, _)| **node != self.shared.node.0);
        let mut peers: Vec<_> = others.map(|(node, contact)| (*node, contact.peer.clone())).collect();
        peers.sort_by_key(|(node, _)| Some(*node) != leader);
        peers
    }

    async fn fetch_from(&self, node: u64, address: &str, missing: Vec<Missing>) -> Vec<Missing> {
        let mut left = Vec::new();
        let mut missing = missing.into_iter();
        for wanted in missing.by_ref() {
            let Err(status) = self.fetch_file(node, address, &wanted).await else {
                self.shared.metrics.history_files_fetched.add(1);
                self.archive.look_again();
                continue;
            };
            tracing::debug!(node, number = wanted.file.number, %status, "a history file was not fetched");
            left.push(wanted);
            // That it lacks one file, or has it damaged, says nothing about the others.
            if !matches!(status.code(), Code::NotFound | Code::DataLoss) {
                break;
            }
        }
        left.extend(missing);
        left
    }

    /// Fetches the rest of one file, from wherever an earlier attempt left it.
    async fn fetch_file(&self, node: u64, address: &str, wanted: &Missing) -> Result<(), Status> {
        let disk = |error: store::Error| Status::internal(error.to_string());
        let late = |_| Status::deadline_exceeded(format!("nothing came within {HISTORY_PIECE_TIMEOUT:?}"));
        let client = self.shared.channels.client(address, Lane::Snapshots);
        let mut client = client.map_err(|error| Status::unavailable(error.to_string()))?;
        let Missing { file, previous } = *wanted;
        let mut import = self.files.import(file).map_err(disk)?;
        let request = peer::FetchHistoryRequest {
            route: Some(self.shared.route(node)),
            number: file.number,
            offset: import.offset(),
        };
        let opened = timeout(HISTORY_PIECE_TIMEOUT, client.fetch_history(request)).await.map_err(late)?;
        let mut pieces = opened?.into_inner();
        while let Some(piece) = timeout(HISTORY_PIECE_TIMEOUT, pieces.message()).await.map_err(late)?? {
            import.write(&piece.bytes).map_err(disk)?;
        }
        let finish = move || import.finish(|records| chain(previous, records) == Some(file.chain));
        let finished = self.shared.environment.blocking("check history", finish).await;
        finished.unwrap_or(Ok(())).map_err(|error| Status::data_loss(error.to_string()))
    }

    /// A file for a peer, from an offset on.
    pub(crate) fn pieces(
        self: Arc<Self>,
        number: u64,
        offset: u64,
    ) -> impl Stream<Item = Result<peer::FetchHistoryResponse, Status>> + Send + 'static {
        stream::try_unfold((self, offset), move |(sealed, offset)| async move {
            let files = sealed.files.clone();
            let read = move || files.raw(number, offset, HISTORY_PIECE_BYTES);
            let read = sealed.shared.environment.blocking("read history", read).await;
            let read = read.ok_or_else(|| Status::unavailable("the process is stopping"))?;
            let piece = read.map_err(|error| Status::internal(error.to_string()))?;
            let bytes =
                piece.ok_or_else(|| Status::not_found(format!("no history file {number} is here")))?;
            let next = offset + bytes.len() as u64;
            Ok((!bytes.is_empty()).then_some((peer::FetchHistoryResponse { bytes }, (sealed, next))))
        })
    }
}

/// What the records of a file give after those before them; `None` if one of them cannot be read.
fn chain(previous: u128, records: &[Bytes]) -> Option<u128> {
    let records: Result<Vec<HistoryRecord>, _> =
        records.iter().map(|record| wire::decode_history_record(record)).collect();
    Some(domain::history::chain(previous, &records.ok()?))
}

fn longer(pause: Duration) -> Duration {
    (2 * pause).min(HISTORY_PAUSE_MAX)
}
