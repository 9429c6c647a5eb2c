//! Names for the commands that enter at this node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::limits::VALID_MS;
use domain::{Action, Command, Once, RequestId};

use crate::shared::Shared;

/// Counts the commands of one life of this node.
#[derive(Clone, Default)]
pub(crate) struct Naming(Arc<AtomicU64>);

impl Naming {
    /// The command under a name of this node's own, good for ten seconds of log time.
    pub(crate) fn name(&self, shared: &Shared, action: Action) -> Command {
        let sequence = self.0.fetch_add(1, Ordering::Relaxed);
        named(shared, RequestId::Node { incarnation: shared.life, sequence }, action)
    }
}

/// The command under a name that a client chose.
pub(crate) fn named(shared: &Shared, id: RequestId, action: Action) -> Command {
    let valid_until = shared.state.read().now().plus_ms(VALID_MS);
    Command { once: Some(Once { id, valid_until }), action }
}
