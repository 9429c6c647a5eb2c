//! What one connection has subscribed to, as far as its requests have been understood.
//!
//! It is ahead of the [`hub`](super::hub), which follows when the requests are carried out, in their order; so a request is
//! answered by what the requests before it have asked for.

use std::collections::BTreeSet;

use super::{Family, Name};
use crate::limits::SUBSCRIPTIONS_MAX;
use crate::{Error, Reply};

#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions([BTreeSet<Name>; Family::ALL.len()]);

impl Subscriptions {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(BTreeSet::is_empty)
    }

    pub(crate) fn len(&self, family: Family) -> usize {
        self.0[family as usize].len()
    }

    /// Adds all of them, or none; one acknowledgement for each.
    pub(crate) fn add(&mut self, family: Family, names: &[Name]) -> Result<Reply, Error> {
        let new: BTreeSet<&Name> =
            names.iter().filter(|name| !self.0[family as usize].contains(*name)).collect();
        if self.0.iter().map(BTreeSet::len).sum::<usize>() + new.len() > SUBSCRIPTIONS_MAX {
            return Err(Error::TooManySubscriptions);
        }
        let acknowledge = |name: &Name| {
            self.0[family as usize].insert(name.clone());
            self.acknowledged(family.subscribe(), family, Some(name))
        };
        Ok(Reply::Several(names.iter().map(acknowledge).collect()))
    }

    /// Takes these away, or all; one acknowledgement for each, and one at least.
    pub(crate) fn remove(&mut self, family: Family, names: &[Name]) -> (Vec<Name>, Reply) {
        let names =
            if names.is_empty() { self.0[family as usize].iter().cloned().collect() } else { names.to_vec() };
        let acknowledge = |name: &Name| {
            self.0[family as usize].remove(name);
            self.acknowledged(family.unsubscribe(), family, Some(name))
        };
        let mut acknowledged: Vec<Reply> = names.iter().map(acknowledge).collect();
        if acknowledged.is_empty() {
            acknowledged.push(self.acknowledged(family.unsubscribe(), family, None));
        }
        (names, Reply::Several(acknowledged))
    }

    fn acknowledged(&self, word: &'static str, family: Family, name: Option<&Name>) -> Reply {
        let count = match family {
            Family::Shards => self.len(family),
            Family::Channels | Family::Patterns => self.len(Family::Channels) + self.len(Family::Patterns),
        };
        Reply::Push(vec![Reply::text(word), Reply::value(name.cloned()), Reply::count(count as u64)])
    }
}
