//! What leases, keys, tenure and audit *mean*.
//!
//! [`State::apply`] is the one place where state changes. It is pure, synchronous and total: every node replays
//! the same log through it and must arrive at the same bytes, so it reads no clock, draws no random number,
//! iterates no hash map, never panics on input, and uses no float but to add and compare the scores of
//! sorted sets, which every processor does alike. A refusal is an [`Outcome`] like any other.
//!
//! Read in this order: [`time`] (the clock of the log), [`token`] (serials, epochs, fencing tokens),
//! [`command`] (what may be asked), [`outcome`] (what is answered), [`state`] (the whole, and `apply`), then its
//! parts: [`keyspace`] (keys and leases), [`transaction`] (several actions as one, and what they rely on) and
//! [`scratch`] (what they would do), [`once`] (a command sent twice runs once) and `shelf` (where its
//! rows stand), [`scripts`] (those that clients have loaded), [`membership`],
//! [`tenures`], [`orders`] and [`trading`] (what is asked of venues, and who may ask it), [`events`] (what whoever listens is told), [`checkpoint`] (do the nodes agree?), [`history`] (audit records), [`digest`],
//! and how it is kept elsewhere: [`image`] (the whole) and [`changes`] (what is new).

pub mod changes;
pub mod checkpoint;
pub mod command;
pub mod decimal;
pub mod digest;
pub mod events;
pub mod history;
pub mod image;
pub mod keyspace;
pub mod limits;
pub mod membership;
pub mod names;
pub mod once;
pub mod orders;
pub mod outcome;
pub mod scratch;
pub mod scripts;
mod shelf;
pub mod state;
pub mod tenures;
pub mod time;
pub mod token;
pub mod trading;
pub mod transaction;
mod words;

pub use changes::{Changes, RowCounts, TakenChanges};
pub use checkpoint::{Checkpoint, Integrity};
pub use command::{Action, Command, ExpireCondition, Expiry, Once, RequestId, SetCondition};
pub use decimal::Decimal;
pub use digest::Digest;
pub use events::{Classes, Event, Interest, KeyEvent, Published};
pub use history::{HistoryRecord, Recorded, SealedHistory};
pub use image::{Frozen, Image};
pub use keyspace::alteration::Alteration;
pub use keyspace::hash::{Hash, HashChange};
pub use keyspace::list::{List, ListChange, Side};
pub use keyspace::score::Score;
pub use keyspace::set::{Set, SetChange};
pub use keyspace::sorted_set::{ScoreBound, ScoreCondition, ScoreRange, Scored, SortedSet, SortedSetChange};
pub use keyspace::summed::Summed;
pub use keyspace::value::{Kind, Value};
pub use keyspace::{Entry, Key, KeyCounts, Lease};
pub use membership::Members;
pub use names::{
    AccountId, AlgorithmId, Asset, LeaseName, OrderKey, StrategyId, Symbol, TradeId, TraderId, VenueId,
    VenueKind, VenueOrderId,
};
pub use outcome::{Answer, Made, Outcome, Refusal};
pub use scratch::Scratch;
pub use scripts::{Script, Scripts, Sha1};
pub use state::State;
pub use tenures::{Cause, Tenure};
pub use time::{LogTime, Position, Stamp, WallZero};
pub use token::{Epoch, NodeId, Serial, Token};
pub use transaction::{Guard, Traces};
