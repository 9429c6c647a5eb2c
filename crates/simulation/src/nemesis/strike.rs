//! What each kind of fault does, and to whom.

use std::collections::BTreeSet;
use std::time::Duration;

use consensus::{Change, Role};
use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use turmoil::Sim;

use super::{FAULT_MS, Lasting, Nemesis, draw};
use crate::plan::Fault;
use crate::world::{Node, Order, Place};

impl Nemesis {
    /// False if it cannot be done now.
    pub(super) fn strike(&mut self, sim: &mut Sim<'_>, fault: Fault, now: Duration) -> bool {
        let ids = self.members();
        let end = now + draw(&mut self.random, FAULT_MS);
        match fault {
            Fault::Kill => {
                let victims = self.victims();
                victims.iter().for_each(|id| self.kill(sim, *id, now, false));
                !victims.is_empty()
            }
            Fault::PowerCut if self.random.random_ratio(1, 3) => {
                let terms = self.terms();
                let is_leader = |place: &Place| {
                    self.nodes[place].replica().is_some_and(|replica| replica.status().role == Role::Leader)
                };
                let Some(leader) = terms.keys().copied().find(is_leader) else { return false };
                self.kill(sim, leader, now, false);
                self.before_election = Some(terms);
                true
            }
            Fault::PowerCut => {
                let victims = self.victims();
                victims.iter().for_each(|id| self.kill(sim, *id, now, true));
                !victims.is_empty()
            }
            Fault::TornWrite => self.with_living(|node, random| {
                node.directory.disk.lose_power_in(random.random_range(0..8));
            }),
            Fault::DiskError => self.with_living(|node, random| {
                if random.random() {
                    node.directory.disk.fail_sync_in(random.random_range(0..4));
                } else {
                    node.directory.disk.fail_write_in(random.random_range(0..4));
                }
            }),
            Fault::Isolate => {
                let one = self.any();
                let cut = both_ways(&[one], &others(&ids, &[one]));
                self.cut(sim, cut, end)
            }
            Fault::Halves => {
                let some = self.some(&ids);
                let cut = both_ways(&some, &others(&ids, &some));
                self.cut(sim, cut, end)
            }
            Fault::Bridge => {
                let bridge = self.any();
                let rest = others(&ids, &[bridge]);
                let some = self.some(&rest);
                let cut = both_ways(&some, &others(&rest, &some));
                self.cut(sim, cut, end)
            }
            Fault::OneWay => {
                let one = self.any();
                let to = others(&ids, &[one]);
                let mut cut: Vec<(Place, Place)> = to.iter().map(|to| (one, *to)).collect();
                if self.random.random() {
                    cut = cut.into_iter().map(|(from, to)| (to, from)).collect();
                }
                self.cut(sim, cut, end)
            }
            Fault::Hold => {
                let one = self.any();
                let held: Vec<(Place, Place)> =
                    others(&ids, &[one]).iter().map(|other| (one, *other)).collect();
                for (a, b) in &held {
                    sim.hold(self.nodes[a].host(), self.nodes[b].host());
                }
                self.lasting.push((end, Lasting::Held(held)));
                true
            }
            Fault::Loss => {
                let (a, b) = self.link();
                let rate = self.random.random_range(0.001..0.05);
                sim.set_link_fail_rate(self.nodes[&a].host(), self.nodes[&b].host(), rate);
                self.lasting.push((end, Lasting::Lossy(a, b)));
                true
            }
            Fault::Slow => {
                let (a, b) = self.link();
                let latency = Duration::from_millis(self.random.random_range(20..400));
                sim.set_link_max_message_latency(self.nodes[&a].host(), self.nodes[&b].host(), latency);
                self.lasting.push((end, Lasting::Slow(a, b)));
                true
            }
            Fault::SlowDisk => {
                let one = self.any();
                self.nodes[&one].sync_time.set(Duration::from_millis(self.random.random_range(20..500)));
                self.lasting.push((end, Lasting::SlowDisk(one)));
                true
            }
            Fault::DiskFull => {
                let one = self.any();
                self.nodes[&one].directory.disk.set_capacity(0);
                self.lasting.push((end, Lasting::FullDisk(one)));
                true
            }
            Fault::ClockStep => {
                let one = self.any();
                self.nodes[&one].clock.step(self.random.random_range(-3_600_000..=3_600_000));
                true
            }
            Fault::Transfer => {
                let (at, to) = (self.any(), self.any());
                let to = self.nodes[&to].id().filter(|_| self.random.random());
                self.nodes[&at].order(Order::Change(Change::Transfer(to)))
            }
            Fault::Drain => {
                let one = self.any();
                self.nodes[&one].order(Order::Stop)
            }
            Fault::BitFlip => self.may_lose_one() && self.flip_a_bit(sim, now),
            Fault::Replace => {
                let living = self.living();
                let Some(victim) = living.choose(&mut self.random).copied().filter(|_| self.may_lose_one())
                else {
                    return false;
                };
                self.kill(sim, victim, now, true);
                self.dead.remove(&victim);
                self.gone.insert(victim);
                self.replace(victim);
                true
            }
        }
    }

    /// A process dies, and of what it wrote a bit is not as it was.
    fn flip_a_bit(&mut self, sim: &mut Sim<'_>, now: Duration) -> bool {
        let Some(victim) = self.living().choose(&mut self.random).copied() else { return false };
        self.kill(sim, victim, now, false);
        let disk = &self.nodes[&victim].directory.disk;
        let files = disk.names().into_iter().filter_map(|name| Some((disk.bytes(&name)?.len() as u64, name)));
        let files: Vec<(u64, String)> = files.filter(|(len, _)| *len > 0).collect();
        let Some((len, name)) = files.choose(&mut self.random) else { return false };
        // Most of a log's segment is empty: what is written is at its beginning.
        let bits = if self.random.random() { len * 8 } else { (len * 8).min(1 << 16) };
        disk.flip_bit(name, self.random.random_range(0..bits));
        tracing::info!(victim, name, "a bit flips");
        self.damaged.insert(victim, name.clone());
        true
    }

    /// Mostly one, at times several or all of those that live.
    fn victims(&mut self) -> Vec<Place> {
        let mut living = self.living();
        living.shuffle(&mut self.random);
        let count = match self.random.random_range(0..10) {
            0 => living.len(),
            1 | 2 => 2,
            _ => 1,
        };
        living.truncate(count);
        living
    }

    fn with_living(&mut self, act: impl FnOnce(&Node, &mut StdRng)) -> bool {
        match self.living().choose(&mut self.random) {
            Some(place) => {
                act(&self.nodes[place], &mut self.random);
                true
            }
            None => false,
        }
    }

    fn any(&mut self) -> Place {
        *self.members().choose(&mut self.random).expect("there are members")
    }

    fn link(&mut self) -> (Place, Place) {
        let mut members = self.members();
        members.shuffle(&mut self.random);
        (members[0], members[1])
    }

    /// Some of these, not all and not none; a single one is all that it can be.
    fn some(&mut self, of: &[Place]) -> Vec<Place> {
        let mut of = of.to_vec();
        of.shuffle(&mut self.random);
        of.truncate(self.random.random_range(1..of.len().max(2)));
        of
    }

    fn cut(&mut self, sim: &mut Sim<'_>, cut: Vec<(Place, Place)>, end: Duration) -> bool {
        for (from, to) in &cut {
            sim.partition_oneway(self.nodes[from].host(), self.nodes[to].host());
        }
        self.lasting.push((end, Lasting::Cut(cut)));
        true
    }
}

fn others(of: &[Place], without: &[Place]) -> Vec<Place> {
    let without: BTreeSet<Place> = without.iter().copied().collect();
    of.iter().filter(|id| !without.contains(id)).copied().collect()
}

fn both_ways(some: &[Place], others: &[Place]) -> Vec<(Place, Place)> {
    some.iter().flat_map(|a| others.iter().flat_map(|b| [(*a, *b), (*b, *a)])).collect()
}
