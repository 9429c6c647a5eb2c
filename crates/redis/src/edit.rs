//! A change of one value that the log has no action for, such as `APPEND`: what is there is read, what will be there is
//! written, and the log checks that nothing has happened in between; otherwise it begins anew.

use std::sync::Arc;

use domain::{Action, Answer, Expiry, Guard, Key, SetCondition};

use crate::group::{Group, Look};
use crate::limits::TRANSACTION_ATTEMPTS_MAX;
use crate::metrics::Count;
use crate::node::Node;
use crate::overlay::Effects;
use crate::plan::View;
use crate::transaction::commit;
use crate::turns::Turn;
use crate::{Error, Reply};

pub(crate) struct Edit {
    command: &'static str,
    pub(crate) key: Key,
    change: Change,
}

/// What becomes of a value, or of none.
type Change = Box<dyn Fn(Option<&[u8]>) -> Result<Edited, Error> + Send + Sync>;

pub(crate) struct Edited {
    /// `None`: the key stays as it is.
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) reply: Reply,
}

impl Edit {
    pub(crate) fn new(
        command: &'static str,
        key: Key,
        change: impl Fn(Option<&[u8]>) -> Result<Edited, Error> + Send + Sync + 'static,
    ) -> Self {
        Self { command, key, change: Box::new(change) }
    }

    pub(crate) async fn execute<G: Group>(self, group: &G, node: &Node) -> Reply {
        self.try_execute(group, node).await.unwrap_or_else(Reply::Error)
    }

    async fn try_execute<G: Group>(self, group: &G, node: &Node) -> Result<Reply, Error> {
        let mut turn = Turn::new(&node.turns);
        for _ in 0..TRANSACTION_ATTEMPTS_MAX {
            let reading = group.read().await?;
            let (edited, as_of) = reading.look(|view| (self.look(view), view.state.serial()));
            let (action, reply) = edited?;
            let guards = vec![Guard::Key { key: self.key.clone(), as_of }];
            let effects = Effects { guards: guards.clone(), actions: action.into_iter().collect() };
            if let Some(answers) = commit(group, &reading, effects, self.command).await? {
                return self.told(&answers, reply);
            }
            node.metrics.transaction_conflicts.add(1);
            turn.wait(&guards, &node.sleep).await;
        }
        Err(Error::TransactionConflict)
    }

    /// What is to be done, and what it will be answered with.
    pub(crate) fn look(&self, view: &View<'_>) -> Result<(Option<Action>, Reply), Error> {
        let Edited { value, reply } = (self.change)(view.string(&self.key)?.as_deref())?;
        let set = |value: Vec<u8>| Action::Set {
            key: self.key.clone(),
            value: Arc::from(value),
            condition: SetCondition::Always,
            expiry: Expiry::Keep,
            previous: false,
        };
        Ok((value.map(set), reply))
    }

    /// The reply, unless the log refused the write.
    pub(crate) fn told(&self, answers: &[Answer], reply: Reply) -> Result<Reply, Error> {
        let refusal = answers.iter().find_map(|answer| match answer {
            Answer::Refused(refusal) => Some(*refusal),
            _ => None,
        });
        refusal.map_or(Ok(reply), |refusal| Err(Error::refused(self.command, refusal)))
    }
}
