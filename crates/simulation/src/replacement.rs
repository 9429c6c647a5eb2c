//! A member that is gone for good, and another in its place: removed, added, promoted. Each step is asked for until
//! the members are seen to be so, as a patient operator does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use consensus::{Change, Member};
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use turmoil::Sim;

use crate::world::{Node, Order, Place, contact};

/// Between two attempts.
const AGAIN_AFTER: Duration = Duration::from_millis(400);

pub(crate) struct Replacement {
    pub(crate) victim: Place,
    pub(crate) spare: Place,
    next: Duration,
}

impl Replacement {
    pub(crate) fn new(victim: Place, spare: Place) -> Self {
        Self { victim, spare, next: Duration::ZERO }
    }

    /// Between two steps of the simulation. True when the spare has the victim's place.
    pub(crate) fn turn(
        &mut self,
        sim: &mut Sim<'_>,
        nodes: &BTreeMap<Place, Arc<Node>>,
        random: &mut StdRng,
    ) -> bool {
        if sim.elapsed() < self.next {
            return false;
        }
        self.next = sim.elapsed() + AGAIN_AFTER;
        let Some((node, members)) = newest(nodes) else { return false };
        let spare = &nodes[&self.spare];
        let address = contact(self.spare).peer;
        let victim = nodes[&self.victim].id();
        let change = match members.iter().find(|member| member.peer == address) {
            _ if members.iter().any(|member| Some(member.id) == victim) => {
                Change::Remove(victim.expect("it was a member"))
            }
            None => Change::AddLearner(contact(self.spare)),
            Some(member) => {
                if spare.id().is_none() {
                    spare.admit(member.id);
                    spare.install(sim);
                }
                if member.voter {
                    return true;
                }
                Change::Promote(member.id)
            }
        };
        let at = nodes.values().filter(|node| node.replica().is_some()).choose(random).unwrap_or(node);
        at.order(Order::Change(change));
        false
    }
}

/// The members by the node that has applied most.
fn newest(nodes: &BTreeMap<Place, Arc<Node>>) -> Option<(&Arc<Node>, Vec<Member>)> {
    let living = nodes.values().filter_map(|node| Some((node, node.replica()?)));
    let (node, replica) = living.max_by_key(|(_, replica)| replica.status().applied)?;
    Some((node, replica.members()))
}
