//! What a client of a Sentinel hears unasked: `+switch-master`, when the leader has changed.
//!
//! The other channels that Redis's Sentinel has may be listened to, and are silent: nothing here goes up and down but the
//! leader.

use domain::Published;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::monitored::{Address, leader};
use crate::group::Group;

const SWITCH: &[u8] = b"+switch-master";

/// Notices that the leader has changed.
pub(crate) struct News {
    master: String,
    changes: BoxStream<'static, ()>,
    last: Option<Address>,
}

impl News {
    /// Of what happens from now on.
    pub(crate) fn new(group: &impl Group, master: &str) -> Self {
        // Before the look, so that no change is between the two.
        let changes = group.changes();
        Self { master: master.to_owned(), changes, last: leader(&group.standing()) }
    }

    /// Waits for the next. Whoever gives up waiting has missed nothing.
    pub(crate) async fn next(&mut self, group: &impl Group) -> Published {
        loop {
            if self.changes.next().await.is_none() {
                std::future::pending::<()>().await;
            }
            // Without a leader there is nowhere else to go yet.
            let Some(now) = leader(&group.standing()) else { continue };
            match self.last.replace(now.clone()) {
                Some(last) if last != now => {
                    let message =
                        format!("{} {} {} {} {}", self.master, last.host, last.port, now.host, now.port);
                    let message = message.into_bytes().into();
                    return Published { channel: SWITCH.into(), message, sharded: false };
                }
                _ => {}
            }
        }
    }
}
