//! What a client of a Sentinel hears unasked: `+switch-master`, when the leader has changed.
//!
//! The other channels that Redis's Sentinel has may be listened to, and are silent: nothing here goes up and down but the
//! leader.

use domain::{NodeId, Published};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::monitored::address;
use crate::group::{Group, Standing};

const SWITCH: &[u8] = b"+switch-master";

/// Notices that the leader has changed.
pub(crate) struct News {
    master: String,
    changes: BoxStream<'static, ()>,
    /// The last leader that was known. Its address may become known later.
    last: Option<NodeId>,
}

impl News {
    /// Of what happens from now on.
    pub(crate) fn new(group: &impl Group, master: &str) -> Self {
        // Before the look, so that no change is between the two.
        let changes = group.changes();
        Self { master: master.to_owned(), changes, last: group.standing().leader }
    }

    /// Waits for the next. Whoever gives up waiting has missed nothing.
    pub(crate) async fn next(&mut self, group: &impl Group) -> Published {
        loop {
            if self.changes.next().await.is_none() {
                std::future::pending::<()>().await;
            }
            // Without a leader there is nowhere else to go yet.
            let standing = group.standing();
            let Some(now) = standing.leader else { continue };
            if let Some(last) = self.last.replace(now).filter(|last| *last != now)
                && let Some(message) = self.message(&standing, last, now)
            {
                return Published {
                    channel: SWITCH.into(),
                    message: message.into_bytes().into(),
                    sharded: false,
                };
            }
        }
    }

    fn message(&self, standing: &Standing, last: NodeId, now: NodeId) -> Option<String> {
        let (last, now) = (address(standing, last)?, address(standing, now)?);
        Some(format!("{} {} {} {} {}", self.master, last.host, last.port, now.host, now.port))
    }
}
