//! The state as others keep it: its digest, the whole as an image, and what changed since they last asked.

use std::collections::BTreeSet;

use super::State;
use crate::changes::{Changes, Extent, RowCounts, TakenChanges};
use crate::digest::Feed;
use crate::history::{AuditRecord, History};
use crate::image::{Frozen, Image, WrongDigest};
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
        Digest(feed.finish())
    }

    pub fn image(&self) -> Image {
        self.freeze().image()
    }

    /// What an image can be made of elsewhere. The time that this takes is that of copying the keys: about 10 ms for
    /// as many as there may be.
    pub fn freeze(&self) -> Frozen {
        let image = Image {
            keys: self.keys.iter().map(|(key, entry)| (key.clone(), entry.clone())).collect(),
            tenures: self.tenures.iter().cloned().collect(),
            sealed: self.history.sealed.clone(),
            tail: self.history.tail.clone(),
            scripts: self.scripts.iter().collect(),
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
                tail_bytes: image.tail.iter().map(AuditRecord::bytes).sum(),
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
        extent
    }

    /// What changed since the last call, or everything if that was too much to keep track of.
    pub fn take_changes(&mut self) -> TakenChanges {
        if self.extent().everything {
            self.track_changes(false);
            return TakenChanges::Everything(self.freeze());
        }
        let Self { keys, outcomes, tenures, history, scripts, .. } = self;
        let sealed = history.sealed_touched.take();
        let audits = history.tail_touched.take();
        TakenChanges::Rows(Changes {
            everything: false,
            keys: rows(keys.touched.take(), |key| keys.get(key).cloned()),
            outcomes: rows(outcomes.touched.take(), |id| outcomes.get(*id).cloned()),
            tenures: rows(tenures.touched.take(), |term| tenures.get(*term).cloned()),
            sealed: sealed.into_iter().filter_map(|number| history.sealed(number).copied()).collect(),
            audits: rows(audits, |serial| history.get(*serial).cloned()),
            scripts: rows(scripts.touched.take(), |sha| scripts.get(sha)),
            counts: RowCounts {
                keys: keys.len(),
                outcomes: outcomes.len(),
                tenures: tenures.len(),
                sealed: history.sealed.len(),
                audits: history.tail.len(),
                scripts: scripts.len(),
            },
            single: self.single(),
        })
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
