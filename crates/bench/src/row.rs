//! One scenario on both, over all rounds: medians, ratios, and whether its goal is met.

use serde::Serialize;

use crate::cpu::Cpu;
use crate::load::Figures;
use crate::scenario::{Goal, Scenario};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Grpc,
    /// Of Tenure; etcd has gRPC only.
    Redis,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) scenario: Scenario,
    pub(crate) protocol: Protocol,
    pub(crate) tenure: Side,
    pub(crate) etcd: Side,
    pub(crate) ratio: Ratio,
    /// Without a goal there is nothing to meet.
    pub(crate) met: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Side {
    /// Each figure by itself.
    pub(crate) median: Figures,
    pub(crate) rounds: Vec<Figures>,
}

/// Tenure's figure divided by etcd's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// Of the medians.
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Least and greatest of one round.
    pub(crate) per_second_range: [f64; 2],
    pub(crate) p50_range: [f64; 2],
}

impl Row {
    pub(crate) fn new(scenario: Scenario, protocol: Protocol, tenure: &[Figures], etcd: &[Figures]) -> Self {
        let (tenure, etcd) = (Side::new(tenure), Side::new(etcd));
        let ratio = Ratio::new(&tenure, &etcd);
        let met = scenario.goal.map(|goal| match goal {
            Goal::LatencyAtMost(most) => ratio.p50 <= most,
            Goal::ThroughputAtLeast(least) => ratio.per_second >= least,
        });
        Self { name: scenario.name(), scenario, protocol, tenure, etcd, ratio, met }
    }
}

impl Side {
    fn new(rounds: &[Figures]) -> Self {
        let of = |figure: fn(&Figures) -> f64| median(rounds.iter().map(figure));
        let cpu_us = Cpu {
            leader: of(|figures| figures.cpu_us.leader),
            followers: of(|figures| figures.cpu_us.followers),
            clients: of(|figures| figures.cpu_us.clients),
        };
        let median = Figures {
            per_second: of(|f| f.per_second),
            p50_us: of(|f| f.p50_us),
            p99_us: of(|f| f.p99_us),
            cpu_us,
        };
        Self { median, rounds: rounds.to_vec() }
    }
}

impl Ratio {
    fn new(tenure: &Side, etcd: &Side) -> Self {
        let of = |figure: fn(&Figures) -> f64| figure(&tenure.median) / figure(&etcd.median);
        let range = |figure: fn(&Figures) -> f64| {
            let rounds = tenure.rounds.iter().zip(&etcd.rounds);
            let ratios: Vec<f64> = rounds.map(|(tenure, etcd)| figure(tenure) / figure(etcd)).collect();
            [ratios.iter().copied().fold(f64::INFINITY, f64::min), ratios.iter().copied().fold(0.0, f64::max)]
        };
        Self {
            per_second: of(|f| f.per_second),
            p50: of(|f| f.p50_us),
            p99: of(|f| f.p99_us),
            per_second_range: range(|f| f.per_second),
            p50_range: range(|f| f.p50_us),
        }
    }
}

/// The middle; of an even number the lower of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    fn rounds(per_second: [f64; 3], p50_us: f64) -> Vec<Figures> {
        per_second.map(|per_second| Figures { per_second, p50_us, ..Figures::default() }).to_vec()
    }

    #[test]
    fn goals_are_judged_by_medians() {
        let etcd = rounds([100.0, 90.0, 900.0], 1000.0);
        let met = |scenario, tenure: &[Figures]| Row::new(scenario, Protocol::Grpc, tenure, &etcd).met;
        let (latency, throughput) = (SCENARIOS[0], SCENARIOS[1]);
        assert_eq!(met(latency, &rounds([1.0; 3], 750.0)), Some(true));
        assert_eq!(met(latency, &rounds([1000.0; 3], 751.0)), Some(false));
        assert_eq!(met(throughput, &rounds([200.0, 0.0, 500.0], 1.0)), Some(true));
        assert_eq!(met(throughput, &rounds([199.0, 0.0, 500.0], 1.0)), Some(false));
        assert_eq!(met(throughput.over_redis(), &rounds([1.0; 3], 1.0)), None);
    }

    #[test]
    fn ratios_have_a_range_over_the_rounds() {
        let tenure = rounds([200.0, 270.0, 900.0], 1.0);
        let row = Row::new(SCENARIOS[1], Protocol::Grpc, &tenure, &rounds([100.0, 90.0, 900.0], 1.0));
        assert_eq!((row.ratio.per_second, row.ratio.per_second_range), (2.7, [1.0, 3.0]));
    }
}
