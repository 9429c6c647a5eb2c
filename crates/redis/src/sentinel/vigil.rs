//! Whether a Sentinel's node still belongs to a majority: proved again and again, whether or not anybody asks.
//!
//! A node that is cut off goes on believing in the leader of before. No question waits for a proof: some clients (ioredis)
//! are confused by news that come while they wait for an address. So a question is answered by how old the last proof is.
//! Nothing is decided by that: it is a direction, and whatever is asked there is proved there.

use std::time::Duration;

use consensus::limits::LEADER_WAIT;
use futures_util::StreamExt;
use futures_util::future::{self, Either};
use parking_lot::Mutex;

use crate::group::Group;
use crate::limits::PROOF_INTERVAL;
use crate::node::Node;

/// When the quorum round began that last proved it, by the monotonic clock; at first, when the node started.
pub(crate) struct Vigil(Mutex<Duration>);

impl Vigil {
    pub(crate) fn new(now: Duration) -> Self {
        Self(Mutex::new(now))
    }

    /// Whether a request that is sent to this node now can hope for a leader: it waits so long for one itself.
    pub(super) fn has_hope(&self, now: Duration) -> bool {
        now.saturating_sub(*self.0.lock()) < LEADER_WAIT
    }
}

/// Makes a quorum round every now and then, and whenever the leader has changed. Never ends.
pub(crate) async fn keep(group: &impl Group, node: &Node) {
    let mut changes = group.changes();
    loop {
        let began = (node.monotonic)();
        prove(group, node).await;
        let took = (node.monotonic)().saturating_sub(began);
        let pause = (node.sleep)(PROOF_INTERVAL.saturating_sub(took));
        if let Either::Right((None, pause)) = future::select(pause, changes.next()).await {
            pause.await;
        }
    }
}

pub(crate) async fn prove(group: &impl Group, node: &Node) {
    let began = (node.monotonic)();
    if group.read().await.is_ok() {
        *node.vigil.0.lock() = began;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hope_ends_when_nothing_was_proved_for_long() {
        let second = Duration::from_secs(1);
        let vigil = Vigil::new(second);
        assert!(vigil.has_hope(second), "it begins with hope");
        assert!(vigil.has_hope(second + LEADER_WAIT - Duration::from_millis(1)));
        assert!(!vigil.has_hope(second + LEADER_WAIT));
    }
}
