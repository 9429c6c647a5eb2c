//! The state as others keep it: its digest, the whole as an image, and what changed since they last asked.

use std::collections::BTreeSet;

use super::{State, TradingTouched};
use crate::changes::{Changes, Extent, RowCounts, TakenChanges};
use crate::digest::Feed;
use crate::history::{History, HistoryRecord};
use crate::image::{Configured, Frozen, Image, TradingRecords, WrongDigest};
use crate::trading::Trading;
use crate::{Digest, Scripts};

// The whole.
impl State {
    /// Covers every field that has a meaning.
    pub fn digest(&self) -> Digest {
        let mut feed = Feed::new("state");
        feed.u64(self.epoch.get().into()).u64(self.serial.0).u64(self.now.as_ns());
        feed.u64(self.keys.len() as u64).u128(self.keys.sum().get());
        // A state of before there were any has the digest that it had then.
        if let Some(traces) = &self.keys.traces {
            traces.feed(&mut feed);
        }
        self.scripts.feed(&mut feed);
        feed.u64(self.outcomes.len() as u64).u128(self.outcomes.sum().get());
        self.members.feed(&mut feed);
        self.tenures.feed(&mut feed);
        self.checkpoint.feed(&mut feed);
        self.history.feed(&mut feed);
        // A state of before anybody could trade has the digest that it had then.
        if let Some(tag) = self.tag {
            feed.bytes(tag.as_str().as_bytes());
        }
        if self.trading != Trading::default() {
            self.trading.feed(&mut feed);
        }
        self.orders.feed(&mut feed);
        Digest(feed.finish())
    }

    pub fn image(&self) -> Image {
        self.freeze().image()
    }

    /// What an image can be made of elsewhere. The time that this takes is that of copying the keys, about 10 ms for as many as there
    /// may be, and the tombstones of orders; orders are shared.
    pub fn freeze(&self) -> Frozen {
        let image = Image {
            keys: self.keys.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect(),
            tenures: self.tenures.iter().cloned().collect(),
            sealed: self.history.sealed.clone(),
            tail: self.history.tail.clone(),
            scripts: self.scripts.iter().collect(),
            configured: self.configured(),
            trading: self.trading_records(),
            orders: self.orders.iter().cloned().collect(),
            tombstones: self.orders.tombstones.iter().map(|(k, t)| (k.clone(), t.clone())).collect(),
            ..self.single()
        };
        Frozen { image, outcomes: self.outcomes.freeze() }
    }

    /// The image without its rows.
    fn single(&self) -> Image {
        Image {
            epoch: self.epoch,
            serial: self.serial,
            now: self.now,
            traces: self.keys.traces.clone(),
            scripts_flushed: self.scripts.flushed(),
            members: self.members.clone(),
            checkpoint: self.checkpoint.clone(),
            chain: self.history.chain,
            ..Image::default()
        }
    }

    fn configured(&self) -> Option<Configured> {
        let tag = self.tag?;
        Some(Configured { tag, configuration: self.trading.configuration.clone() })
    }

    fn trading_records(&self) -> TradingRecords {
        let Trading { switches, reconciled, counters, configuration: _ } = &self.trading;
        TradingRecords {
            switches: switches.clone(),
            reconciled: reconciled.clone(),
            counters: counters.clone(),
        }
    }

    /// The state of an image, if it has the digest that was recorded with it.
    pub fn from_image(image: Image, recorded: Digest) -> Result<Self, WrongDigest> {
        let mut state = Self {
            epoch: image.epoch,
            serial: image.serial,
            now: image.now,
            scripts: Scripts::restored(image.scripts, image.scripts_flushed),
            members: image.members,
            tenures: image.tenures.into_iter().collect(),
            checkpoint: image.checkpoint,
            history: History {
                tail_bytes: image.tail.iter().map(HistoryRecord::bytes).sum(),
                sealed: image.sealed,
                tail: image.tail,
                chain: image.chain,
                ..History::default()
            },
            ..Self::default()
        };
        for (key, entry) in image.keys {
            state.keys.insert(key, entry);
        }
        if let Some(Configured { tag, configuration }) = image.configured {
            state.tag = Some(tag);
            state.trading.configuration = configuration;
        }
        let TradingRecords { switches, reconciled, counters } = image.trading;
        state.trading = Trading { switches, reconciled, counters, ..state.trading };
        for order in image.orders {
            state.restore_order(order);
        }
        for (key, tombstone) in image.tombstones {
            state.orders.tombstones.insert(key, tombstone);
        }
        state.keys.traces = image.traces;
        // In the order in which they were made, so that what is forgotten together stands together.
        let mut outcomes = image.outcomes;
        outcomes.sort_unstable_by_key(|(_, remembered)| remembered.made.serial);
        for (id, remembered) in outcomes {
            state.outcomes.insert(id, remembered);
        }
        match state.digest() {
            computed if computed == recorded => Ok(state),
            computed => Err(WrongDigest { recorded, computed }),
        }
    }
}

// For whoever keeps a copy.
impl State {
    /// Begins to note which rows change. `everything`: whoever copies has nothing yet.
    pub fn track_changes(&mut self, everything: bool) {
        self.keys.touched.track(everything);
        self.outcomes.touched.track(everything);
        self.tenures.touched.track(everything);
        self.history.sealed_touched.track(everything);
        self.history.tail_touched.track(everything);
        self.scripts.touched.track(everything);
        self.orders.touched.track(everything);
        self.orders.tombstones.touched.track(everything);
        self.trading_touched = TradingTouched { configuration: everything, records: everything };
    }

    /// How much [`State::take_changes`] would give.
    pub fn extent(&self) -> Extent {
        let mut extent = Extent::default();
        self.keys.touched.add_to(&mut extent);
        self.outcomes.touched.add_to(&mut extent);
        self.tenures.touched.add_to(&mut extent);
        self.history.sealed_touched.add_to(&mut extent);
        self.history.tail_touched.add_to(&mut extent);
        self.scripts.touched.add_to(&mut extent);
        self.orders.touched.add_to(&mut extent);
        self.orders.tombstones.touched.add_to(&mut extent);
        let TradingTouched { configuration, records } = self.trading_touched;
        extent.rows += usize::from(configuration) + usize::from(records);
        extent
    }

    /// What changed since the last call, or everything if that was too much to keep track of.
    pub fn take_changes(&mut self) -> TakenChanges {
        if self.extent().everything {
            self.track_changes(false);
            return TakenChanges::Everything(Box::new(self.freeze()));
        }
        let touched = std::mem::take(&mut self.trading_touched);
        let configured = touched.configuration.then(|| self.configured()).flatten();
        let trading = touched.records.then(|| self.trading_records());
        let single = self.single();
        let Self { keys, outcomes, tenures, history, scripts, orders, .. } = self;
        let sealed = history.sealed_touched.take();
        let audits = history.tail_touched.take();
        TakenChanges::Rows(Box::new(Changes {
            everything: false,
            keys: rows(keys.touched.take(), |key| keys.get(key).cloned()),
            outcomes: rows(outcomes.touched.take(), |id| outcomes.get(*id).cloned()),
            tenures: rows(tenures.touched.take(), |term| tenures.get(*term).cloned()),
            sealed: sealed.into_iter().filter_map(|number| history.sealed(number).copied()).collect(),
            audits: rows(audits, |serial| history.get(*serial).cloned()),
            scripts: rows(scripts.touched.take(), |sha| scripts.get(sha)),
            configured,
            trading,
            orders: rows(orders.touched.take(), |id| orders.get(*id).cloned()),
            tombstones: rows(orders.tombstones.touched.take(), |key| orders.tombstones.get(key).cloned()),
            counts: RowCounts {
                keys: keys.len(),
                outcomes: outcomes.len(),
                tenures: tenures.len(),
                sealed: history.sealed.len(),
                audits: history.tail.len(),
                scripts: scripts.len(),
                orders: orders.len(),
                tombstones: orders.tombstone_count(),
            },
            single,
        }))
    }
}

fn rows<K, V>(names: BTreeSet<K>, row: impl Fn(&K) -> Option<V>) -> Vec<(K, Option<V>)> {
    names
        .into_iter()
        .map(|name| {
            let row = row(&name);
            (name, row)
        })
        .collect()
}
