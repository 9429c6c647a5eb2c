//! What wakes whoever watches this node from outside.

use tokio::sync::watch;

use crate::shared::{Applied, Leadership, Shared, Withdrawal};

/// Wakes whoever watches the state.
pub struct Watch {
    applied: watch::Receiver<Applied>,
    standing: StandingWatch,
}

impl Watch {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self { applied: shared.applied.subscribe(), standing: StandingWatch::new(shared) }
    }

    /// Waits until something was applied, or the standing of this node changed, since the last call.
    pub async fn changed(&mut self) {
        tokio::select! {
            _ = self.applied.changed() => {}
            () = self.standing.changed() => {}
        }
    }
}

/// Wakes whoever watches what this node is in the group.
pub struct StandingWatch {
    leadership: watch::Receiver<Leadership>,
    withdrawal: watch::Receiver<Withdrawal>,
}

impl StandingWatch {
    pub(crate) fn new(Shared { leadership, withdrawal, .. }: &Shared) -> Self {
        Self { leadership: leadership.subscribe(), withdrawal: withdrawal.subscribe() }
    }

    /// Waits until the leader changed, or whether this node serves, since the last call.
    pub async fn changed(&mut self) {
        tokio::select! {
            _ = self.leadership.changed() => {}
            _ = self.withdrawal.changed() => {}
        }
    }
}
