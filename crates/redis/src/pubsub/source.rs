//! Where what is handed out comes from.

use consensus::Heard;
use domain::Event;

use crate::group::Group;
use crate::options::Purpose;
use crate::sentinel::News;

pub(crate) enum Source {
    /// Messages and events, in the order of the log.
    Log,
    /// At a Sentinel: changes of the leader.
    Leader(News),
}

impl Source {
    pub(crate) fn new(group: &impl Group, purpose: &Purpose) -> Self {
        match purpose {
            Purpose::Keys => Self::Log,
            Purpose::Sentinel { master } => Self::Leader(News::new(group, master)),
        }
    }

    /// Waits for something to hand out. Whoever gives up waiting has missed nothing.
    pub(crate) async fn next(&mut self, group: &impl Group) -> Heard {
        match self {
            Self::Log => group.hear().await,
            // Not of an entry, but after every subscription.
            Self::Leader(news) => {
                let event = Event::Published(news.next(group).await);
                Heard { lost: false, entries: vec![(u64::MAX, vec![event])] }
            }
        }
    }
}
