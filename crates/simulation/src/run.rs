//! One run: the plan, the world, its four phases, and what is to be said of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use turmoil::{Builder, Sim};

use crate::clients::{Clients, Phase, trace};
use crate::exchange;
use crate::invariants::Invariants;
use crate::judge::orders::{self, Figures};
use crate::judge::{judge, messages};
use crate::nemesis::Nemesis;
use crate::plan::{Plan, SPARES};
use crate::world::{Node, Order, Place, founder};

/// One step of the simulation. Messages take at least one.
const TICK: Duration = Duration::from_millis(1);

/// Between two looks at the invariants.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The founding of a cluster without faults.
const FOUNDED_WITHIN: Duration = Duration::from_secs(10);

/// What a run has to say.
#[derive(Debug)]
pub struct Report {
    pub violations: Vec<String>,
    pub summary: serde_json::Value,
    pub is_conclusive: bool,
}

struct Run {
    plan: Arc<Plan>,
    sim: Sim<'static>,
    nodes: BTreeMap<Place, Arc<Node>>,
    nemesis: Nemesis,
    clients: Clients,
    invariants: Invariants,
    looked: Duration,
}

/// Runs a plan from its beginning to its end. Once in a process: chance and clocks of the process are the run's.
pub fn run(plan: Plan) -> Result<Report> {
    let plan = Arc::new(plan);
    let mut random = StdRng::seed_from_u64(plan.seed ^ 0x7e4d_5eed);
    mad_turmoil::rand::set_rng(StdRng::seed_from_u64(random.random()));
    let _clocks = mad_turmoil::time::SimClocksGuard::init();
    let mut sim = Builder::new()
        .tick_duration(TICK)
        .simulation_duration(Duration::from_secs(3600))
        .min_message_latency(TICK)
        .max_message_latency(plan.latency_max)
        .tcp_capacity(65_536)
        .rng_seed(random.random())
        .build();
    let nodes: BTreeMap<Place, Arc<Node>> =
        (1..=plan.nodes + SPARES).map(|place| (place, Node::new(place, &plan, &mut random))).collect();
    for node in nodes.values().filter(|node| node.id().is_some()) {
        node.install(&mut sim);
    }
    let clients = Clients::start(&plan, &mut sim, &mut random);
    let nemesis = Nemesis::new(plan.clone(), StdRng::seed_from_u64(random.random()), nodes.clone());
    if plan.trading.is_some() {
        exchange::install(&mut sim, plan.seed);
    }
    let invariants = Invariants::default();
    Run { plan, sim, nodes, nemesis, clients, invariants, looked: Duration::ZERO }.go()
}

impl Run {
    fn go(mut self) -> Result<Report> {
        let mut trouble = Vec::new();
        self.found()?;
        self.clients.enter(Phase::Load);
        self.nemesis.begin(self.sim.elapsed());
        self.steps(self.plan.safety)?;

        self.nemesis.heal(&mut self.sim);
        self.clients.mark();
        if !self.steps_until(self.plan.liveness, |run| run.is_whole() && run.clients.flow())? {
            trouble.push(format!("not whole {:?} after healing: {}", self.plan.liveness, self.standing()));
        }
        // Everything that was kept must be kept by every node on its own disk.
        self.nemesis.cut_all_power(&mut self.sim);
        if !self.steps_until(self.plan.liveness, |run| run.is_whole())? {
            trouble.push(format!(
                "not whole {:?} after a power cut: {}",
                self.plan.liveness,
                self.standing()
            ));
        }
        self.clients.enter(Phase::LastLook);
        if !self.steps_until(self.plan.liveness, |run| run.clients.are_done())? {
            trouble.push(format!("the last look took longer than {:?}", self.plan.liveness));
        }
        Ok(self.report(trouble))
    }

    fn found(&mut self) -> Result<()> {
        let is_up = |run: &Self| run.members().all(|node| node.replica().is_some());
        if !self.steps_until(FOUNDED_WITHIN, is_up)? {
            return Err(anyhow!("not started within {FOUNDED_WITHIN:?}: {}", self.standing()));
        }
        self.nodes[&1].order(Order::Found((1..=self.plan.nodes).map(founder).collect()));
        if !self.steps_until(FOUNDED_WITHIN, Self::is_whole)? {
            return Err(anyhow!("no cluster within {FOUNDED_WITHIN:?}: {}", self.standing()));
        }
        Ok(())
    }

    fn steps(&mut self, time: Duration) -> Result<()> {
        self.steps_until(time, |_| false).map(drop)
    }

    /// False if it did not come to that in time.
    fn steps_until(&mut self, time: Duration, mut holds: impl FnMut(&Self) -> bool) -> Result<bool> {
        let end = self.sim.elapsed() + time;
        while self.sim.elapsed() < end {
            self.sim.step().map_err(|error| anyhow!("{error}"))?;
            if self.nemesis.lurks() {
                self.look();
            }
            self.nemesis.turn(&mut self.sim);
            for place in self.nemesis.take_buried() {
                self.invariants.forget(place);
            }
            self.clients.know(&self.nemesis.members());
            if self.sim.elapsed() >= self.looked + LOOK_EVERY {
                self.looked = self.sim.elapsed();
                self.look();
                if holds(self) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn look(&mut self) {
        for (id, node) in &self.nodes {
            if let Some(replica) = node.replica() {
                self.invariants.look(*id, &replica);
            }
        }
    }

    fn members(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.nemesis.members().into_iter().map(|place| &self.nodes[&place])
    }

    /// Every member has applied the same, and one of them has tenure in the newest term.
    fn is_whole(&self) -> bool {
        let mut seen = Vec::new();
        for node in self.members() {
            let Some(replica) = node.replica() else { return false };
            let status = replica.status();
            let tenure = replica.local().tenure().map(|tenure| (tenure.term, tenure.node));
            seen.push((status.term, status.leader, status.applied, tenure));
        }
        self.nemesis.is_settled()
            && seen.windows(2).all(|pair| pair[0] == pair[1])
            && seen.first().is_some_and(|(term, leader, _, tenure)| {
                leader.is_some_and(|leader| *tenure == Some((*term, leader)))
            })
    }

    fn standing(&self) -> String {
        let one = |node: &Arc<Node>| match node.replica() {
            Some(replica) => {
                let status = replica.status();
                format!(
                    "node {}: {:?} term {} leader {:?} log {} committed {} applied {}",
                    node.place,
                    status.role,
                    status.term,
                    status.leader,
                    status.last_log,
                    status.committed,
                    status.applied
                )
            }
            None => format!("node {}: {:?}", node.place, node.end()),
        };
        self.members().map(one).collect::<Vec<_>>().join("; ")
    }

    fn report(mut self, mut violations: Vec<String>) -> Report {
        violations.extend(self.nemesis.take_violations());
        violations.extend(self.invariants.violations);
        let history = self.clients.history();
        let judged = judge(&history);
        violations.extend(judged.violations.iter().map(ToString::to_string));
        let talk = self.clients.talk();
        violations.extend(messages::examine(&talk).iter().map(ToString::to_string));
        let orders = self.clients.orders();
        if let Some((record, desk)) = &orders {
            violations.extend(orders::examine(record, &history, desk).iter().map(ToString::to_string));
        }
        let figures = orders.as_ref().map(|(record, _)| Figures::of(record)).unwrap_or_default();
        let faults = self.nemesis.done();
        let kinds = faults.len();
        let is_conclusive = kinds >= 2
            && judged.acknowledged >= 1000
            && self.invariants.compared > 0
            && (orders.is_none() || figures.says_something());
        let summary = serde_json::json!({
            "seed": self.plan.seed,
            "nodes": self.plan.nodes,
            "clients": self.plan.clients,
            "simulated_ms": self.sim.elapsed().as_millis() as u64,
            "faults": faults.iter().map(|(fault, count)| (format!("{fault:?}"), *count)).collect::<BTreeMap<_, _>>(),
            "operations": judged.operations,
            "acknowledged": judged.acknowledged,
            "unknown": judged.unknown,
            "refused": judged.refused,
            "digests_compared": self.invariants.compared,
            "undecided": judged.undecided,
            "messages": talk.said.len(),
            "messages_heard": talk.heard.iter().map(|heard| heard.texts.len()).sum::<usize>(),
            "orders": figures.counts,
            "orders_refused": figures.refused,
            "trace": format!("{:016x}", trace(&history, &talk, orders.as_ref().map(|(record, _)| record))),
            "conclusive": is_conclusive,
            "violations": violations.len(),
        });
        Report { violations, summary, is_conclusive }
    }
}
