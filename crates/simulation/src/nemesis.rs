//! Makes things go wrong, and well again, in the order that the seed draws.
//!
//! It stands outside: between two steps of the simulation it cuts links, ends processes and spoils disks. Whatever it
//! does has an end that it knows beforehand, and [`Nemesis::heal`] ends everything at once.

mod strike;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use turmoil::Sim;

use crate::plan::{Fault, Plan};
use crate::replacement::Replacement;
use crate::world::{End, Node, Place};

/// How long a process stays dead.
const DEAD_MS: std::ops::Range<u64> = 100..4000;

/// … when it was an election that power was waited for: less than its timeout.
const DEAD_AT_ELECTION_MS: std::ops::Range<u64> = 1..50;

/// How long a network or disk fault lasts. Longer than a slow election, shorter than the phase.
const FAULT_MS: std::ops::Range<u64> = 200..6000;

pub(crate) struct Nemesis {
    plan: Arc<Plan>,
    random: StdRng,
    nodes: BTreeMap<Place, Arc<Node>>,
    /// When the next fault comes.
    next: Duration,
    /// Processes that are gone, and when they come back.
    dead: BTreeMap<Place, Duration>,
    /// Members that will never come back.
    gone: BTreeSet<Place>,
    /// Those with a damaged file, which may refuse to start or to go on.
    damaged: BTreeMap<Place, String>,
    /// The terms that were when power was to go at the next election.
    before_election: Option<BTreeMap<Place, u64>>,
    replacement: Option<Replacement>,
    /// Faults that last, and when they end.
    lasting: Vec<(Duration, Lasting)>,
    /// How often each was done.
    done: BTreeMap<Fault, u32>,
    buried: Vec<Place>,
    /// Nodes that ended, or would not start, without a reason.
    violations: Vec<String>,
}

/// What has to be undone.
enum Lasting {
    Cut(Vec<(Place, Place)>),
    Held(Vec<(Place, Place)>),
    Lossy(Place, Place),
    Slow(Place, Place),
    SlowDisk(Place),
    FullDisk(Place),
}

impl Nemesis {
    pub(crate) fn new(plan: Arc<Plan>, random: StdRng, nodes: BTreeMap<Place, Arc<Node>>) -> Self {
        Self {
            plan,
            random,
            nodes,
            next: Duration::MAX,
            dead: BTreeMap::new(),
            gone: BTreeSet::new(),
            damaged: BTreeMap::new(),
            before_election: None,
            replacement: None,
            lasting: Vec::new(),
            done: BTreeMap::new(),
            buried: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// The nodes that are, or are to be, members; dead ones too.
    pub(crate) fn members(&self) -> Vec<Place> {
        let places = self.nodes.iter().filter(|(_, node)| node.id().is_some()).map(|(place, _)| *place);
        places.filter(|place| !self.gone.contains(place)).collect()
    }

    /// No member is being replaced.
    pub(crate) fn is_settled(&self) -> bool {
        self.replacement.is_none()
    }

    pub(crate) fn take_violations(&mut self) -> Vec<String> {
        std::mem::take(&mut self.violations)
    }

    /// Whether it waits for an election; then every step is of interest.
    pub(crate) fn lurks(&self) -> bool {
        self.before_election.is_some()
    }

    /// Whoever has just seen a new term loses power, and is back before the election is over.
    fn cut_power_of_voters(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let Some(before) = &self.before_election else { return };
        let terms = self.terms();
        let has_risen = |(at, term): &(Place, u64)| before.get(at).is_some_and(|before| before < term);
        let voters: Vec<Place> = terms.into_iter().filter(has_risen).map(|(at, _)| at).collect();
        for place in &voters {
            self.kill(sim, *place, now, true);
            self.dead.insert(*place, now + draw(&mut self.random, DEAD_AT_ELECTION_MS));
        }
        if !voters.is_empty() {
            self.before_election = None;
        }
    }

    fn terms(&self) -> BTreeMap<Place, u64> {
        let term = |place: Place| Some((place, self.nodes[&place].replica()?.status().term));
        self.living().into_iter().filter_map(term).collect()
    }

    /// From now on.
    pub(crate) fn begin(&mut self, now: Duration) {
        self.next = now + self.plan.calm;
    }

    /// Whose life has ended since this was last asked.
    pub(crate) fn take_buried(&mut self) -> Vec<Place> {
        std::mem::take(&mut self.buried)
    }

    pub(crate) fn done(&self) -> &BTreeMap<Fault, u32> {
        &self.done
    }

    /// Between two steps.
    pub(crate) fn turn(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        self.cut_power_of_voters(sim, now);
        self.bury_the_dead(sim, now);
        self.wake_the_dead(sim, now);
        if self.replacement.as_mut().is_some_and(|one| one.turn(sim, &self.nodes, &mut self.random)) {
            self.replacement = None;
        }
        let (over, lasting) = std::mem::take(&mut self.lasting).into_iter().partition(|(end, _)| *end <= now);
        self.lasting = lasting;
        let over: Vec<(Duration, Lasting)> = over;
        for (_, fault) in over {
            self.undo(sim, fault);
        }
        if now >= self.next {
            let calm = self.plan.calm.as_millis() as u64;
            self.next = now + Duration::from_millis(self.random.random_range(calm / 4..=calm * 2));
            let faults: Vec<Fault> = self.plan.faults.iter().copied().collect();
            if let Some(fault) = faults.choose(&mut self.random).copied()
                && self.strike(sim, fault, now)
            {
                tracing::info!(?fault, at_ms = now.as_millis() as u64, "fault");
                *self.done.entry(fault).or_default() += 1;
            }
        }
    }

    /// Ends every fault; processes that are gone come back at once.
    pub(crate) fn heal(&mut self, sim: &mut Sim<'_>) {
        self.next = Duration::MAX;
        self.before_election = None;
        for (_, fault) in std::mem::take(&mut self.lasting) {
            self.undo(sim, fault);
        }
        for at in self.dead.values_mut() {
            *at = sim.elapsed();
        }
    }

    /// All machines lose power at once and come back.
    pub(crate) fn cut_all_power(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        for place in self.living() {
            self.kill(sim, place, now, true);
            self.dead.insert(place, now + Duration::from_millis(100));
        }
    }

    /// Processes that ended by themselves, or that their disk has left.
    fn bury_the_dead(&mut self, sim: &mut Sim<'_>, now: Duration) {
        for place in self.living() {
            let node = self.nodes[&place].clone();
            let lost_power = node.directory.disk.has_lost_power();
            let end = node.end();
            if end.is_none() && !lost_power {
                continue;
            }
            sim.crash(node.host());
            node.bury();
            self.buried.push(place);
            if lost_power {
                node.directory.disk.crash();
            }
            match end {
                Some(End::Refused(why) | End::Crashed(why)) if self.names_the_damage(place, &why) => {
                    tracing::info!(place, why, "damage was found");
                    self.gone.insert(place);
                    self.replace(place);
                    continue;
                }
                // The start itself met the fault.
                Some(End::Refused(why)) if !lost_power && !why.contains(store::INJECTED) => {
                    self.violations
                        .push(format!("node {place} would not start on what it had written: {why}"));
                }
                Some(End::Crashed(why)) if !lost_power && !self.plan.spoils_disks() => {
                    self.violations
                        .push(format!("node {place} ended itself without a fault of its disk: {why}"));
                }
                _ => {}
            }
            self.dead.insert(place, now + draw(&mut self.random, DEAD_MS));
        }
    }

    /// Whether a node says which of its files is damaged, and is right.
    fn names_the_damage(&self, place: Place, why: &str) -> bool {
        self.damaged.get(&place).is_some_and(|file| why.contains(file.as_str()))
    }

    /// One that is gone for good gets a successor, if there is a spare.
    fn replace(&mut self, victim: Place) {
        let spare = self.nodes.values().find(|node| node.id().is_none()).map(|node| node.place);
        if let Some(spare) = spare {
            self.replacement = Some(Replacement::new(victim, spare));
        }
    }

    /// A member may be lost now: no other is, and there is a spare.
    fn may_lose_one(&self) -> bool {
        let is_spare = |node: &Arc<Node>| node.id().is_none();
        self.replacement.is_none()
            && self.damaged.keys().all(|place| self.gone.contains(place))
            && self.nodes.values().any(is_spare)
    }

    /// Members with a process.
    fn living(&self) -> Vec<Place> {
        self.members().into_iter().filter(|place| !self.dead.contains_key(place)).collect()
    }

    fn wake_the_dead(&mut self, sim: &mut Sim<'_>, now: Duration) {
        let due: Vec<Place> = self.dead.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        for id in due {
            self.dead.remove(&id);
            sim.bounce(self.nodes[&id].host());
        }
    }

    fn kill(&mut self, sim: &mut Sim<'_>, place: Place, now: Duration, with_power: bool) {
        let node = &self.nodes[&place];
        sim.crash(node.host());
        node.bury();
        self.buried.push(place);
        if with_power {
            node.directory.disk.crash();
            match self.random.random_range(0..4) {
                0 => node.directory.state.forget(),
                1 => node.directory.state.tear(&mut self.random),
                _ => {}
            }
        } else {
            node.directory.disk.kill();
        }
        self.dead.insert(place, now + draw(&mut self.random, DEAD_MS));
    }

    fn undo(&mut self, sim: &mut Sim<'_>, fault: Lasting) {
        let host = |id: &Place| self.nodes[id].host();
        match fault {
            Lasting::Cut(cut) => cut.iter().for_each(|(from, to)| sim.repair_oneway(host(from), host(to))),
            Lasting::Held(held) => held.iter().for_each(|(a, b)| sim.release(host(a), host(b))),
            Lasting::Lossy(a, b) => sim.set_link_fail_rate(host(&a), host(&b), 0.0),
            Lasting::Slow(a, b) => {
                sim.set_link_max_message_latency(host(&a), host(&b), self.plan.latency_max)
            }
            Lasting::SlowDisk(id) => self.nodes[&id].sync_time.set(self.plan.sync_time),
            Lasting::FullDisk(id) => self.nodes[&id].directory.disk.set_capacity(u64::MAX),
        }
    }
}

fn draw(random: &mut StdRng, ms: std::ops::Range<u64>) -> Duration {
    Duration::from_millis(random.random_range(ms))
}
