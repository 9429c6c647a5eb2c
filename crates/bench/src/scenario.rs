//! What is measured, and what is expected of it.

use serde::Serialize;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Operation {
    /// Durable on a majority before its answer.
    Write,
    /// Linearizable.
    Read,
}

/// The nodes that clients are connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    Leader,
    All,
}

/// A ratio to etcd.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// The median latency.
    LatencyAtMost(f64),
    /// Operations per second.
    ThroughputAtLeast(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Scenario {
    pub(crate) operation: Operation,
    /// Each has one request under way.
    pub(crate) clients: usize,
    pub(crate) connections: usize,
    pub(crate) place: Place,
    pub(crate) goal: Option<Goal>,
    /// Measured over the Redis protocol, too, where every client has a connection of its own.
    #[serde(skip)]
    pub(crate) redis: bool,
}

const ALONE: Option<Goal> = Some(Goal::LatencyAtMost(0.75));
const TWICE: Option<Goal> = Some(Goal::ThroughputAtLeast(2.0));

/// Few connections are what a client should have, many are what many small programs have.
pub(crate) const SCENARIOS: [Scenario; 10] = [
    at_leader(Operation::Write, 1, 1, ALONE, true),
    at_leader(Operation::Write, 64, 4, TWICE, false),
    at_leader(Operation::Write, 64, 64, TWICE, true),
    at_leader(Operation::Write, 256, 4, TWICE, false),
    at_leader(Operation::Write, 256, 64, TWICE, true),
    at_leader(Operation::Read, 1, 1, TWICE, true),
    at_leader(Operation::Read, 64, 4, TWICE, true),
    at_leader(Operation::Read, 256, 4, TWICE, true),
    at_all(Operation::Write, 64, 64),
    at_all(Operation::Read, 64, 64),
];

/// Keys and leases that are made before the measuring.
pub(crate) const CLIENTS_MAX: usize = 256;

const fn at_leader(
    operation: Operation,
    clients: usize,
    connections: usize,
    goal: Option<Goal>,
    redis: bool,
) -> Scenario {
    Scenario { operation, clients, connections, place: Place::Leader, goal, redis }
}

const fn at_all(operation: Operation, clients: usize, connections: usize) -> Scenario {
    Scenario { operation, clients, connections, place: Place::All, goal: None, redis: false }
}

impl Scenario {
    /// As in `write-64-4`.
    pub(crate) fn name(&self) -> String {
        let operation = match self.operation {
            Operation::Write => "write",
            Operation::Read => "read",
        };
        let spread = match self.place {
            Place::Leader => "",
            Place::All => "-spread",
        };
        format!("{operation}-{}-{}{spread}", self.clients, self.connections)
    }

    /// The same clients, each with a connection of its own; nothing is expected of it.
    pub(crate) fn over_redis(self) -> Self {
        Self { connections: self.clients, goal: None, ..self }
    }

    /// Those of three nodes that clients are connected to.
    pub(crate) fn at<T: Copy>(&self, nodes: &[T], leader: usize) -> Vec<T> {
        match self.place {
            Place::Leader => vec![nodes[leader]],
            Place::All => nodes.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scenario_has_its_name_and_its_keys() {
        let mut names = SCENARIOS.map(|scenario| scenario.name()).to_vec();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
        assert!(SCENARIOS.iter().all(|scenario| scenario.clients <= CLIENTS_MAX));
    }
}
