//! What a watcher is told: each order as it is after its last change, in the order of changes.

use consensus::Reading;
use domain::Serial;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::v1;

use super::Orders;
use crate::limits::WATCH_BUFFER;
use crate::order::page::{Filter, changes};
use crate::refusal::{Reason, from_read};

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
        let filter = Filter::of_watch(request)?;
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
                if self.orders.replica.local().orders().changed_after(self.after).next().is_some() {
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

    /// Whether there may be more.
    async fn tell_page(&mut self, reading: &Reading) -> Result<bool, Ended> {
        let (header, orders, more_after) = self.look(reading).await;
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

    async fn look(&self, reading: &Reading) -> (v1::ReplyHeader, Vec<v1::Order>, Option<Serial>) {
        let _turn = self.orders.listings.acquire().await.expect("it is never closed");
        let (header, (orders, more_after)) =
            self.orders.look(reading, |view| changes(view, self.after, &self.filter));
        (header, orders, more_after)
    }

    async fn end<T>(&self, why: Status) -> Result<T, Ended> {
        let _ = self.tx.send(Err(why)).await;
        Err(Ended)
    }
}
