//! A change of one value that the log has no action for, such as `APPEND`, or that depends on chance, such as `SPOP`: what
//! is there is read, what is to be done to it is written, and the log checks that nothing has happened in between;
//! otherwise it begins anew.

use std::sync::Arc;

use domain::{Action, Answer, Expiry, Guard, Key, Refusal, SetCondition, Value};

use crate::group::{Group, Look};
use crate::limits::TRANSACTION_ATTEMPTS_MAX;
use crate::metrics::Count;
use crate::node::Node;
use crate::overlay::Effects;
use crate::transaction::commit;
use crate::turns::Turn;
use crate::{Error, Reply};

pub(crate) struct Edit {
    command: &'static str,
    pub(crate) key: Key,
    change: Change,
}

/// What is to be done to a value, or to none.
type Change = Box<dyn Fn(Option<Value>) -> Result<Edited<Action>, Error> + Send + Sync>;

pub(crate) struct Edited<W> {
    /// What is to be written; `None`: the key stays as it is.
    pub(crate) write: Option<W>,
    pub(crate) reply: Reply,
}

impl Edit {
    pub(crate) fn new(
        command: &'static str,
        key: Key,
        change: impl Fn(Option<Value>) -> Result<Edited<Action>, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { command, key, change: Box::new(change) }
    }

    /// Of a string, which becomes another and keeps its end.
    pub(crate) fn string(
        command: &'static str,
        key: Key,
        change: impl Fn(Option<&[u8]>) -> Result<Edited<Vec<u8>>, Error> + Send + Sync + 'static,
    ) -> Self {
        let written = key.clone();
        Self::new(command, key, move |present| {
            let present = present.as_ref().map(|value| value.string().map_err(|_| Error::WrongKind));
            let Edited { write, reply } = change(present.transpose()?.map(|string| &string[..]))?;
            let set = |value: Vec<u8>| Action::Set {
                key: written.clone(),
                value: Arc::from(value),
                condition: SetCondition::Always,
                expiry: Expiry::Keep,
                previous: false,
            };
            Ok(Edited { write: write.map(set), reply })
        })
    }

    pub(crate) async fn execute<G: Group>(self, group: &G, node: &Node) -> Reply {
        self.try_execute(group, node).await.unwrap_or_else(Reply::Error)
    }

    async fn try_execute<G: Group>(self, group: &G, node: &Node) -> Result<Reply, Error> {
        let mut turn = Turn::new(&node.turns);
        for _ in 0..TRANSACTION_ATTEMPTS_MAX {
            let reading = group.read().await?;
            let (present, as_of) = reading.look(|view| (view.value(&self.key), view.state.serial()));
            let Edited { write, reply } = self.of(present)?;
            let guards = vec![Guard::Key { key: self.key.clone(), as_of }];
            let effects = Effects { guards: guards.clone(), actions: write.into_iter().collect() };
            if let Some(answers) = commit(group, &reading, effects, self.command).await? {
                return self.told(&answers, reply);
            }
            node.metrics.transaction_conflicts.add(1);
            turn.wait(&guards, &node.sleep).await;
        }
        Err(Error::TransactionConflict)
    }

    pub(crate) fn of(&self, present: Option<Value>) -> Result<Edited<Action>, Error> {
        (self.change)(present)
    }

    /// The reply, unless the log refused the write.
    pub(crate) fn told(&self, answers: &[Answer], reply: Reply) -> Result<Reply, Error> {
        let refusal = answers.iter().find_map(|answer| match answer {
            // The length of a string was looked at.
            Answer::Refused(Refusal::TooLarge) => Some(Error::CollectionTooLarge),
            Answer::Refused(refusal) => Some(Error::refused(self.command, *refusal)),
            _ => None,
        });
        refusal.map_or(Ok(reply), Err)
    }
}
