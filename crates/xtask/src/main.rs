//! `cargo xtask …`: the chores of this repository, as programs.
//!
//! Each kind of command is a module; a new one is a module and a line in [`dispatch`].

mod asked;
mod bench;
mod cases;
mod check;
mod compatibility;
mod demo;
mod libraries;
mod planted;
mod rules;
mod run;
mod sim;
mod suites;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use anyhow::Result;

const USAGE: &str = "\
cargo xtask check                       only reads: format, lints, documents, dependency rules, tidiness
cargo xtask fix                         writes: format, lints that can mend themselves
cargo xtask test [--quick] [FILTER]     every test, the real binary and foreign clients included
cargo xtask clients                     locks of every Redis library at every node while leaders are killed, five
                                        minutes; into docs/redis-compatibility.md
cargo xtask compatibility               that page anew, from the table of commands and the last run
cargo xtask suites [redis-py|tcl]       tests of redis-py's lock and of Redis itself, against three nodes
cargo xtask suites resp-compatibility PATH
                                        the cases of a clone of resp-compatibility, by group; fails when one does that
                                        asks for served commands alone
cargo xtask soak [--minutes M] [--seed S]
                                        full load in rounds: nodes lag, freeze, are killed and stopped, and
                                        processors are scarce; 30 minutes
cargo xtask soak stalls [--minutes M]   full load while the leader's disk stalls; 30 minutes, needs strace
cargo xtask sim --seeds N [--from S]    N simulated clusters, the first seed given by the commit
cargo xtask sim --seed S                one of them
cargo xtask sim --planted [NAME]        seeds until each bug that is planted on purpose is found
cargo xtask differential --steps N [--seed S]
                                        the same requests to a cluster and to redis-server, reply by reply
cargo xtask power --cuts N [--seed S]   power cuts under nodes and log, flipped bits; needs root
cargo xtask orders [COUNT]              orders from their authorisation to the history, what they take, and how soon they are
                                        found there; 100000, 15 minutes
cargo xtask bench etcd                  Tenure beside etcd, 14 minutes, into docs/benchmarks
cargo xtask bench etcd --trial [NAME]   the same shortly, or one scenario of it, into the build directory
cargo xtask demo partition              Redis with Sentinel and Tenure under one partition, two minutes, into
                                        docs/partition.svg; needs namespaces
cargo xtask fixture N                   writes a data directory of format N, for later builds to open";

const SOAK_MINUTES: &str = "30";

const ORDERS: u64 = 100_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn dispatch(arguments: &[&str]) -> Result<bool> {
    match arguments {
        ["check"] => check::check(),
        ["fix"] => check::fix(),
        ["test", "--quick"] => test::test(true, None),
        ["test", "--quick", filter] | ["test", filter, "--quick"] => test::test(true, Some(filter)),
        ["test"] => test::test(false, None),
        ["test", filter] if !filter.starts_with('-') => test::test(false, Some(filter)),
        ["clients"] => asked::clients(),
        ["compatibility"] => compatibility::fix(),
        ["suites"] => suites::all(),
        ["suites", name] => suites::one(name),
        ["suites", "resp-compatibility", clone] => suites::resp_compatibility(clone),
        ["soak"] => asked::soak(SOAK_MINUTES, None),
        ["soak", "--minutes", minutes] => asked::soak(minutes, None),
        ["soak", "--seed", seed] => asked::soak(SOAK_MINUTES, Some(seed.parse()?)),
        ["soak", "--minutes", minutes, "--seed", seed] => asked::soak(minutes, Some(seed.parse()?)),
        ["soak", "stalls"] => asked::soak_stalls(SOAK_MINUTES),
        ["soak", "stalls", "--minutes", minutes] => asked::soak_stalls(minutes),
        ["sim", "--seed", seed] => sim::one(seed.parse()?),
        ["sim", "--seeds", count] => sim::sim(count.parse()?, None),
        ["sim", "--seeds", count, "--from", first] => sim::sim(count.parse()?, Some(first.parse()?)),
        ["sim", "--planted"] => planted::search(None),
        ["sim", "--planted", name] => planted::search(Some(name)),
        ["differential", "--steps", steps] => asked::differential(steps.parse()?, None),
        ["differential", "--steps", steps, "--seed", seed] => {
            asked::differential(steps.parse()?, Some(seed.parse()?))
        }
        ["power", "--cuts", cuts] => asked::power(cuts.parse()?, None),
        ["power", "--cuts", cuts, "--seed", seed] => asked::power(cuts.parse()?, Some(seed.parse()?)),
        ["orders"] => asked::orders(ORDERS),
        ["orders", count] => asked::orders(count.parse()?),
        ["bench", "etcd"] => bench::etcd(),
        ["bench", "etcd", "--trial"] => bench::etcd_trial(None),
        ["bench", "etcd", "--trial", name] => bench::etcd_trial(Some(name)),
        ["demo", "partition"] => demo::partition(),
        ["demo", "partition", demo::INSIDE] => demo::inside(),
        ["fixture", number] => asked::fixture(number),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(true)
        }
        _ => {
            eprintln!("{USAGE}");
            Ok(false)
        }
    }
}
