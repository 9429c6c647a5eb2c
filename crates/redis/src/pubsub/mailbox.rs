//! What is on its way to one client, until its connection has room for it.

use std::collections::VecDeque;

use bytes::BytesMut;
use domain::Published;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Family, Name};
use crate::codec::Protocol;
use crate::codec::encode::encode;
use crate::limits::SUBSCRIBER_BYTES_MAX;
use crate::reply::Reply;

#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    inside: Mutex<Inside>,
    arrived: Notify,
    closed: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    closed: Option<Lost>,
}

/// Why a subscriber cannot be told everything any more, and is disconnected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It does not read.
    Slow,
    /// This node itself does not know what happened.
    Gap,
}

/// A message for one subscription.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// Of the pattern that matched the channel.
    pub(crate) pattern: Option<Name>,
    pub(crate) published: Published,
}

impl Delivery {
    fn bytes(&self) -> usize {
        const EACH: usize = 64;
        let pattern = self.pattern.as_ref().map_or(0, |pattern| pattern.len());
        EACH + pattern + self.published.channel.len() + self.published.message.len()
    }

    fn into_reply(self) -> Reply {
        let Self { pattern, published: Published { channel, message, sharded } } = self;
        let (channel, message) = (Reply::Bulk(channel), Reply::Bulk(message));
        Reply::Push(match pattern {
            Some(pattern) => vec![Reply::text("pmessage"), Reply::Bulk(pattern), channel, message],
            None => vec![Reply::text(if sharded { "smessage" } else { "message" }), channel, message],
        })
    }
}

impl Mailbox {
    /// Puts something in; `false`: the client is now lost, because it does not read.
    pub(crate) fn put(&self, delivery: Delivery) -> bool {
        let mut inside = self.inside.lock();
        if inside.closed.is_some() {
            return true;
        }
        inside.bytes += delivery.bytes();
        inside.deliveries.push_back(delivery);
        let fits = inside.bytes <= SUBSCRIBER_BYTES_MAX;
        drop(inside);
        if fits {
            self.arrived.notify_one();
        } else {
            self.close(Lost::Slow);
        }
        fits
    }

    /// Nothing more will come, and what has come is of no use.
    pub(crate) fn close(&self, why: Lost) {
        let mut inside = self.inside.lock();
        let closed = inside.closed.or(Some(why));
        *inside = Inside { closed, ..Inside::default() };
        drop(inside);
        self.closed.notify_one();
    }

    /// Says everything that has come; whether there was anything.
    pub(crate) fn empty_into(&self, output: &mut BytesMut, protocol: Protocol) -> bool {
        let mut inside = self.inside.lock();
        inside.bytes = 0;
        let deliveries = std::mem::take(&mut inside.deliveries);
        drop(inside);
        let is_any = !deliveries.is_empty();
        for delivery in deliveries {
            encode(&delivery.into_reply(), protocol, output);
        }
        is_any
    }

    pub(crate) fn lost(&self) -> Option<Lost> {
        self.inside.lock().closed
    }

    /// Waits until something has come since the last call.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(crate) async fn closed(&self) {
        self.closed.notified().await;
    }
}

impl Family {
    pub(crate) fn of(published: &Published) -> Self {
        if published.sharded { Self::Shards } else { Self::Channels }
    }
}
