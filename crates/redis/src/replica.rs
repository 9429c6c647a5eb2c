//! The real group behind the seam: what `consensus` says, in the words of this edge, mapped once.

use consensus::{Heard, Member, ProposeError, ReadError, Reading, Replica};
use domain::{Action, Answer, Interest, Serial};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::error::Failure;
use crate::group::{Addresses, Group, Look, Standing};
use crate::plan::View;

impl Group for Replica {
    type Reading = Reading;

    async fn propose(&self, actions: Vec<Action>) -> Vec<Result<Answer, Failure>> {
        let results = Self::propose(self, actions).await.into_iter();
        results.map(|result| result.map(|outcome| outcome.answer).map_err(Failure::from)).collect()
    }

    async fn read(&self) -> Result<Reading, Failure> {
        Ok(Self::read(self).await?)
    }

    fn listen(&self, interest: Interest) -> u64 {
        Self::listen(self, interest)
    }

    async fn hear(&self) -> Heard {
        Self::hear(self).await
    }

    fn scripts_flushed(&self) -> Serial {
        Self::scripts_flushed(self)
    }

    fn standing(&self) -> Standing {
        let status = self.status();
        Standing {
            node: status.node,
            cluster_id: status.cluster_id,
            serves: !status.draining && !status.out_of_service,
            role: status.role.name(),
            leader: status.leader,
            term: status.term,
            voters: status.members.iter().filter(|member| member.voter).count(),
            addresses: status
                .members
                .into_iter()
                .map(|Member { id, redis, sentinel, .. }| (id, Addresses { redis, sentinel }))
                .collect(),
        }
    }

    fn applied(&self) -> BoxStream<'static, ()> {
        let applied = stream::unfold(self.watch(), |mut watch| async {
            watch.changed().await;
            Some(((), watch))
        });
        applied.boxed()
    }

    fn changes(&self) -> BoxStream<'static, ()> {
        let changes = stream::unfold(self.watch_standing(), |mut watch| async {
            watch.changed().await;
            Some(((), watch))
        });
        changes.boxed()
    }
}

impl Look for Reading {
    fn look<T>(&self, look: impl FnOnce(&View<'_>) -> T) -> T {
        // Before the state is locked below: it takes the same lock.
        let active = self.active();
        let state = self.state();
        look(&View {
            state: &state,
            scripts: state.scripts(),
            clock: self.clock.max(state.now()),
            wall_zero: self.wall_zero,
            leader: self.leader,
            term: self.term,
            active,
        })
    }
}

impl From<ProposeError> for Failure {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NoQuorum => Self::NoQuorum,
            ProposeError::Unknown => Self::Unknown,
            ProposeError::Overloaded(what) => Self::Overloaded(what),
            ProposeError::DiskLow => Self::DiskLow,
            ProposeError::OutOfService => Self::OutOfService,
            ProposeError::TooLarge => Self::TooLarge,
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::NoQuorum => Self::NoQuorum,
            ReadError::OutOfService => Self::OutOfService,
            ReadError::Overloaded => Self::Overloaded("too many reads are waiting"),
        }
    }
}
