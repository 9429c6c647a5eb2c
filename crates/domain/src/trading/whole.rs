//! All that the log decides about who may trade.

use std::sync::Arc;

use crate::digest::Feed;
use crate::trading::check::Desk;
use crate::trading::configuration::{Configuration, Draft, Problem};
use crate::trading::counters::Counters;
use crate::trading::diff::Change;
use crate::trading::exposure::Exposures;
use crate::trading::reconciled::Reconciled;
use crate::trading::switch::Switches;
use crate::{AccountId, Digest};

/// The records of trading. What is open is not among them: it follows from the orders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trading {
    /// Shared with whoever looks at it aside.
    pub configuration: Arc<Configuration>,
    pub switches: Switches,
    pub counters: Counters,
    pub reconciled: Reconciled,
}

impl Trading {
    /// Sets another configuration and says what it changes, or changes nothing and says all that is wrong with it. An account
    /// that has moved to another venue must be reconciled again. Switches stay, also of what is gone: nothing comes back that was
    /// stopped. So do positions and the notionals of the day.
    pub fn configure(&mut self, draft: Draft) -> Result<Vec<Change>, Vec<Problem>> {
        let new = Configuration::try_from(draft)?;
        let changes = self.configuration.diff(&new);
        let old = &self.configuration;
        let venue = |of: &Configuration, id: &AccountId| of.account(id).map(|account| account.venue.clone());
        self.reconciled.retain(|id| new.account(id).is_some() && venue(old, id) == venue(&new, id));
        self.counters.configured(&new);
        self.configuration = Arc::new(new);
        Ok(changes)
    }

    pub fn desk<'a>(&'a self, exposures: &'a Exposures) -> Desk<'a> {
        Desk { trading: self, exposures }
    }

    /// Of these records alone.
    pub fn digest(&self) -> Digest {
        let mut feed = Feed::new("trading");
        self.feed(&mut feed);
        Digest(feed.finish())
    }

    pub(crate) fn feed(&self, feed: &mut Feed) {
        let Self { configuration, switches, counters, reconciled } = self;
        configuration.feed(feed);
        switches.feed(feed);
        counters.feed(feed);
        reconciled.feed(feed);
    }
}
