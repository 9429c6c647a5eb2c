//! Random histories: right ones pass, and one wrong answer in them is mostly seen.

use std::time::Instant;

use proptest::prelude::*;
use simulation::judge::{History, Outcome, Reply, TimeLeft, judge};

use crate::server::{Bug, Chance, Run, run};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_a_server_that_keeps_the_rules_answers_passes(
        seed in any::<u64>(),
        operations in 1_usize..400,
        clients in 1_u32..8,
        keys in 1_u64..7,
        unknown_percent in 0_u64..15,
    ) {
        let history = run(seed, &Run { operations, clients, keys, unknown_percent, bug: None });
        let verdict = judge(&history);
        // So many commands without an answer on one key may be too much to decide, never a reason to accuse.
        prop_assert!(verdict.violations.is_empty(), "{verdict}");
    }
}

/// Another answer of the same kind; `None` if there is none to be had.
fn mutated(chance: &mut Chance, history: &History) -> Option<History> {
    let mut history = history.clone();
    let place = usize::try_from(chance.below(history.operations.len() as u64)).ok()?;
    let Outcome::Returned { reply, .. } = &mut history.operations[place].outcome else { return None };
    match reply {
        Reply::Written(flag) | Reply::Removed(flag) | Reply::Changed(flag) => *flag = !*flag,
        Reply::Value(value @ Some(_)) if chance.below(2) == 0 => *value = None,
        Reply::Value(value) => *value = Some(format!("client-{}", chance.below(4))),
        Reply::Integer(integer) => *integer += 1,
        Reply::TimeLeft(left @ TimeLeft::Absent) => *left = TimeLeft::Ms(40),
        Reply::TimeLeft(left) => *left = TimeLeft::Absent,
        Reply::Acquired(lease) if chance.below(2) == 0 => lease.token -= 1,
        Reply::Acquired(lease) => *reply = Reply::NotAcquired(Some(lease.clone())),
        Reply::NotAcquired(Some(lease)) => *reply = Reply::Acquired(lease.clone()),
        Reply::Renewed(lease) | Reply::Inspected(Some(lease)) if chance.below(2) == 0 => lease.token += 1,
        Reply::Inspected(lease @ Some(_)) => *lease = None,
        Reply::Released => *reply = Reply::NotHeld(simulation::judge::NotHeld::Expired),
        _ => return None,
    }
    Some(history)
}

#[test]
fn one_wrong_answer_is_mostly_seen() {
    let (mut seen, mut by_name, mut all) = (0_u32, 0_u32, 0_u32);
    let mut chance = Chance(7);
    while all < 300 {
        let history =
            run(chance.next(), &Run { operations: 200, clients: 5, keys: 6, unknown_percent: 3, bug: None });
        let Some(wrong) = mutated(&mut chance, &history) else { continue };
        all += 1;
        let verdict = judge(&wrong);
        seen += u32::from(!verdict.violations.is_empty());
        by_name += u32::from(
            !simulation::judge::leases::examine(&wrong).violations.is_empty()
                || !simulation::judge::writes::examine(&wrong).violations.is_empty(),
        );
    }
    println!("one wrong answer in 200: {seen} of {all} seen, {by_name} by a rule with a name");
    // What is not seen could have been: a removal that a key's end explains as well, a write that nobody read.
    assert!(seen >= all * 8 / 10, "{seen} of {all}");
}

#[test]
fn a_server_with_a_bug_is_found_out() {
    for bug in Bug::ALL {
        let (mut caught, mut rules) = (0, Vec::new());
        for seed in 0..20 {
            let run = Run { operations: 400, clients: 6, keys: 6, unknown_percent: 3, bug: Some(bug) };
            let verdict = judge(&super::server::run(seed, &run));
            caught += u32::from(!verdict.violations.is_empty());
            rules.extend(verdict.broken());
        }
        rules.sort_unstable();
        rules.dedup();
        let rules: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
        println!("{bug:?}: found in {caught} of 20 runs, as {}", rules.join(", "));
        // Some bite seldom: a client rarely has an old token of its own, a reader rarely comes just before an end.
        let least = if matches!(bug, Bug::FencedRenewed | Bug::FreeTooEarly) { 8 } else { 15 };
        assert!(caught >= least, "{bug:?}: {caught} of 20");
    }
}

#[test]
fn five_thousand_operations_are_judged_at_once() {
    for unknown_percent in [0, 2, 10] {
        let history = run(1, &Run { operations: 5_000, clients: 10, keys: 20, unknown_percent, bug: None });
        let start = Instant::now();
        let verdict = judge(&history);
        println!("{:?} for {unknown_percent}% unknown, {} steps", start.elapsed(), verdict.steps);
        assert!(verdict.holds(), "{verdict}");
        // A count, not a time: the machine may be busy.
        assert!(verdict.steps < 3_000_000, "{}", verdict.steps);
    }
}
