//! The exchange and its WebSocket connections behind one lock: what is told goes out in the order in which it happened.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::Clock;
use crate::limits::{CONNECTIONS_MAX, FRAMES_WAITING_MAX};
use crate::venue::{Frame, Venue};

pub(crate) struct Hub {
    inner: Mutex<Inner>,
    clock: Clock,
}

struct Inner {
    venue: Venue,
    /// Where frames for a connection go.
    links: BTreeMap<u64, mpsc::Sender<Frame>>,
}

impl Hub {
    pub(crate) fn new(venue: Venue, clock: Clock) -> Hub {
        Hub { inner: Mutex::new(Inner { venue, links: BTreeMap::new() }), clock }
    }

    /// Has the exchange do something now, and sends what it tells.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Venue, i64) -> T) -> T {
        let mut inner = self.inner.lock();
        let now_ms = (self.clock)();
        let result = act(&mut inner.venue, now_ms);
        inner.send();
        result
    }

    /// A new connection: `open` gives its id, and frames for it come here. Nothing if there are too many.
    pub(crate) fn link(
        &self,
        open: impl FnOnce(&mut Venue, i64) -> u64,
    ) -> Option<(u64, mpsc::Receiver<Frame>)> {
        let (sender, receiver) = mpsc::channel(FRAMES_WAITING_MAX);
        let mut inner = self.inner.lock();
        if inner.links.len() >= CONNECTIONS_MAX {
            tracing::warn!(connections = CONNECTIONS_MAX, "too many WebSockets; a new one was closed");
            return None;
        }
        let now_ms = (self.clock)();
        let id = open(&mut inner.venue, now_ms);
        inner.links.insert(id, sender);
        inner.send();
        Some((id, receiver))
    }

    pub(crate) fn unlink(&self, id: u64) {
        let mut inner = self.inner.lock();
        inner.links.remove(&id);
        inner.venue.disconnect(id);
    }
}

impl Inner {
    /// A connection that does not read what it is sent is closed.
    fn send(&mut self) {
        for (id, frame) in self.venue.take_frames() {
            let full = |link: &mpsc::Sender<Frame>| link.try_send(frame).is_err();
            if self.links.get(&id).is_some_and(full) {
                self.links.remove(&id);
                self.venue.disconnect(id);
            }
        }
    }
}
