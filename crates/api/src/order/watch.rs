//! What a watcher is told: each order as it is after its last change, in the order of changes.

use consensus::Reading;
use consensus::archive::{ArchiveError, Cut};
use domain::Serial;
use domain::orders::Filter;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::v1;

use super::Orders;
use crate::limits::WATCH_BUFFER;
use crate::order::page::{changes, filter_of_watch};
use crate::refusal::{Reason, from_archive, from_read};

type Message = Result<v1::WatchOrdersResponse, Status>;

/// One watcher.
struct Watcher {
    orders: Orders,
    filter: Filter,
    /// Of all changes up to here it was told.
    after: Serial,
    tx: mpsc::Sender<Message>,
}

/// The watcher is gone, or was told why nothing more comes.
struct Ended;

impl Orders {
    pub(super) async fn watch_from(
        &self,
        request: &v1::WatchOrdersRequest,
    ) -> Result<ReceiverStream<Message>, Status> {
        let filter = filter_of_watch(request)?;
        let reading = self.replica.read().await.map_err(from_read)?;
        let newest = reading.state().serial();
        let after = match request.after_serial {
            0 => newest,
            serial if serial > newest.0 => {
                let message =
                    format!("after_serial: {serial} is of no change here; the last is {}", newest.0);
                return Err(Reason::Invalid.status(message));
            }
            serial => Serial(serial),
        };
        let (tx, rx) = mpsc::channel(WATCH_BUFFER);
        let mut watcher = Watcher { orders: self.clone(), filter, after, tx };
        tokio::spawn(async move {
            // Either way the stream ends with it.
            let Err(Ended) = watcher.tell_all(reading).await;
        });
        Ok(ReceiverStream::new(rx))
    }
}

impl Watcher {
    async fn tell_all(&mut self, mut reading: Reading) -> Result<std::convert::Infallible, Ended> {
        let mut watch = self.orders.replica.watch();
        loop {
            while self.tell_page(&reading).await? {}
            loop {
                if self.orders.replica.is_draining() {
                    return self
                        .end(Reason::Draining.status("this node is stopping; watch at another"))
                        .await;
                }
                // Only what changed here is worth a quorum round.
                if self.has_news() {
                    break;
                }
                tokio::select! {
                    () = self.tx.closed() => return Err(Ended),
                    () = watch.changed() => {}
                }
            }
            reading = match self.orders.replica.read().await {
                Ok(reading) => reading,
                // Told to the watcher: it must not believe that nothing changes.
                Err(error) => return self.end(from_read(error)).await,
            };
        }
    }

    /// Something may have changed of which nothing was told. Otherwise there is nothing to tell up to now.
    fn has_news(&mut self) -> bool {
        let state = self.orders.replica.local();
        let in_memory = state.orders().changed_after(self.after).next().is_some();
        let has_news = in_memory || Cut::may_have_changed(&state, self.after);
        if !has_news {
            self.after = self.after.max(state.serial());
        }
        has_news
    }

    /// Whether there may be more.
    async fn tell_page(&mut self, reading: &Reading) -> Result<bool, Ended> {
        let (header, orders, more_after) = match self.look(reading).await {
            Ok(seen) => seen,
            Err(error) => return self.end(from_archive(&error)).await,
        };
        let mut orders = orders.into_iter().peekable();
        while let Some(order) = orders.next() {
            let is_last = orders.peek().is_none_or(|next| next.serial != order.serial);
            let resume_after = if is_last { order.serial } else { order.serial - 1 };
            let (header, order) = (Some(header.clone()), Some(order));
            let told = v1::WatchOrdersResponse { header, order, resume_after };
            self.tx.send(Ok(told)).await.map_err(|_| Ended)?;
        }
        self.after = more_after.unwrap_or(Serial(header.serial));
        Ok(more_after.is_some())
    }

    /// What changed, in memory and in the history as both were at one moment.
    async fn look(
        &self,
        reading: &Reading,
    ) -> Result<(v1::ReplyHeader, Vec<v1::Order>, Option<Serial>), ArchiveError> {
        let (header, (mut orders, more_after, cut)) = {
            let _turn = self.orders.listings.acquire().await.expect("it is never closed");
            self.orders.look(reading, |view| {
                let (orders, more_after) = changes(view, self.after, &self.filter);
                let cut = Cut::may_have_changed(view.state, self.after).then(|| Cut::of(view.state));
                (orders, more_after, cut)
            })
        };
        let Some(cut) = cut else { return Ok((header, orders, more_after)) };
        let mut past = self.orders.replica.archive().changed_after(&cut, self.after).await?;
        past.retain(|row| more_after.is_none_or(|last| row.revision <= last));
        self.orders.look(reading, |view| {
            let asked = past.iter().filter(|row| self.filter.meets(row, view.present));
            orders.extend(asked.map(|row| view.of_history(row)));
        });
        orders.sort_by_key(|order| (order.serial, order.order_id));
        Ok((header, orders, more_after))
    }

    async fn end<T>(&self, why: Status) -> Result<T, Ended> {
        let _ = self.tx.send(Err(why)).await;
        Err(Ended)
    }
}
