//! `BLPOP` and `BRPOP`: a pop that waits until there is something.
//!
//! It looks after a quorum round, and takes by an action of the log, so that no element is taken twice or by two. While
//! there is nothing it looks at the state of this node whenever something has been applied, and asks nobody. It holds
//! nothing meanwhile. Of those who wait for one key somebody gets what comes; nobody is promised to be the first.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use domain::{Action, Alteration, Answer, Key, ListChange, Side};
use futures_util::StreamExt;
use futures_util::future::{self, Either};
use tokio::sync::watch;

use crate::clients::Client;
use crate::group::{Group, Look};
use crate::node::Node;
use crate::plan::View;
use crate::{Error, Reply};

pub(crate) struct BlockingPop {
    pub(crate) command: &'static str,
    /// In the order in which they are looked at.
    pub(crate) keys: Vec<Key>,
    pub(crate) side: Side,
    /// `None`: it waits for ever.
    pub(crate) timeout: Option<Duration>,
    pub(crate) client: Arc<Client>,
}

impl BlockingPop {
    pub(crate) async fn execute<G: Group>(self, group: &G, node: &Node) -> Reply {
        self.try_execute(group, node).await.unwrap_or_else(Reply::Error)
    }

    async fn try_execute<G: Group>(self, group: &G, node: &Node) -> Result<Reply, Error> {
        let waiting = self.client.blocked.begin();
        // Before the first look, so that nothing is applied between the two.
        let mut applied = group.applied();
        let patience = async {
            match self.timeout {
                Some(timeout) => (node.sleep)(timeout).await,
                None => future::pending().await,
            }
            Ok(Reply::NullArray)
        };
        let given_up = async {
            match waiting.ended().await {
                Ending::Error => Err(Error::Unblocked),
                Ending::Timeout | Ending::Gone => Ok(Reply::NullArray),
            }
        };
        let (patience, given_up) = (pin!(patience), pin!(given_up));
        let mut ended = future::select(patience, given_up);
        let reading = group.read().await?;
        loop {
            if let Some((key, action)) = reading.look(|view| self.look(view))? {
                let answer = group.propose(vec![action]).await.pop().ok_or(Error::OutcomeUnknown)?;
                if let Some(reply) = self.reply(&key, &answer?)? {
                    return Ok(reply);
                }
            }
            match future::select(&mut ended, applied.next()).await {
                Either::Left((Either::Left((reply, _)) | Either::Right((reply, _)), _)) => return reply,
                Either::Right((Some(()), _)) => {}
                Either::Right((None, _)) => return Err(Error::Overloaded("the node is stopping")),
            }
        }
    }

    /// The first key that has something, and how it is taken.
    pub(crate) fn look(&self, view: &View<'_>) -> Result<Option<(Key, Action)>, Error> {
        for key in &self.keys {
            if !view.list(key)?.elements().is_empty() {
                let change = ListChange::Pop { side: self.side, count: 1 };
                let alteration = Alteration::List(change);
                return Ok(Some((key.clone(), Action::Alter { key: key.clone(), alteration })));
            }
        }
        Ok(None)
    }

    /// `None`: another was faster.
    pub(crate) fn reply(&self, key: &Key, answer: &Answer) -> Result<Option<Reply>, Error> {
        match answer {
            Answer::Values(None) => Ok(None),
            Answer::Values(Some(popped)) => Ok(popped.first().map(|element| {
                Reply::Array(vec![Reply::Bulk(key.name.clone()), Reply::Bulk(element.clone())])
            })),
            Answer::Refused(refusal) => Err(Error::refused(self.command, *refusal)),
            answer => Err(Error::unexpected(self.command, answer)),
        }
    }
}

/// Whether a client waits, and who ends that.
#[derive(Debug, Default)]
pub(crate) struct Blocked(watch::Sender<Stage>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Not,
    Waiting,
    Ended(Ending),
}

/// Why a wait ends before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// `CLIENT UNBLOCK`: as if its time were over.
    Timeout,
    /// `CLIENT UNBLOCK … ERROR`
    Error,
    /// Nobody waits for the answer, or this node will not be there to give it.
    Gone,
}

impl Blocked {
    fn begin(&self) -> Waiting<'_> {
        self.0.send_if_modified(|stage| {
            let begins = *stage != Stage::Ended(Ending::Gone);
            if begins {
                *stage = Stage::Waiting;
            }
            begins
        });
        Waiting(self)
    }

    /// Ends the wait; false: there is none.
    pub(crate) fn end(&self, ending: Ending) -> bool {
        self.0.send_if_modified(|stage| {
            let ends = *stage == Stage::Waiting || ending == Ending::Gone;
            if ends {
                *stage = Stage::Ended(ending);
            }
            ends
        })
    }
}

/// One wait; over when this goes.
struct Waiting<'b>(&'b Blocked);

impl Waiting<'_> {
    async fn ended(&self) -> Ending {
        let mut stages = self.0.0.subscribe();
        loop {
            if let Stage::Ended(ending) = *stages.borrow_and_update() {
                return ending;
            }
            if stages.changed().await.is_err() {
                return Ending::Gone;
            }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|stage| {
            if *stage != Stage::Ended(Ending::Gone) {
                *stage = Stage::Not;
            }
            false
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_wait_is_ended_once_and_a_client_that_is_gone_does_not_wait() {
        let blocked = Blocked::default();
        assert!(!blocked.end(Ending::Timeout), "nobody waits");
        let waiting = blocked.begin();
        assert_eq!(waiting.ended().now_or_never(), None);
        assert!(blocked.end(Ending::Error));
        assert!(!blocked.end(Ending::Timeout), "it has been ended");
        assert_eq!(waiting.ended().now_or_never(), Some(Ending::Error));
        drop(waiting);
        assert_eq!(blocked.begin().ended().now_or_never(), None, "the next one begins anew");
        assert!(blocked.end(Ending::Gone));
        assert_eq!(blocked.begin().ended().now_or_never(), Some(Ending::Gone));
    }
}
