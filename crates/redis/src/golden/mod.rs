//! Conversations, as specifications: each line a request as one would type it and the exact reply, by a real state.
//!
//! The replies are those of redis-server 7.0.15 wherever it has the command. `@advance MS` moves the log's clock,
//! `@fail NAME` makes the group fail, `@recover` ends that, `@lead NODE` or `@lead nobody` changes the leader, `@prove` makes the
//! quorum round of a Sentinel; `@other REQUEST` is what another client asks meanwhile, and `@hear` what has come of messages since.

use crate::error::Failure;
use crate::options::{Options, Purpose};
use crate::testing::Bench;

fn hold(conversation: &str, options: Options) {
    let mut bench = Bench::new(options);
    let mut wrong = Vec::new();
    for (number, line) in conversation.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(expected) = line.strip_prefix("@hear => ") {
            let heard = bench.hear();
            if heard != expected {
                wrong.push(format!("line {}\n  expected {expected}\n  heard    {heard}", number + 1));
            }
            continue;
        }
        if let Some(directive) = line.strip_prefix('@') {
            direct(&mut bench, directive);
            continue;
        }
        let (request, expected) =
            line.split_once(" => ").unwrap_or_else(|| panic!("line {}: {line}", number + 1));
        let said = bench.say(request);
        if said != expected {
            wrong.push(format!("line {}: {request}\n  expected {expected}\n  said     {said}", number + 1));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn direct(bench: &mut Bench, directive: &str) {
    match directive.split_once(' ').unwrap_or((directive, "")) {
        ("other", request) => bench.another(request),
        ("advance", ms) => bench.model.advance(ms.parse().unwrap()),
        ("lead", "nobody") => bench.model.lead(None),
        ("lead", node) => bench.model.lead(Some(domain::NodeId(node.parse().unwrap()))),
        ("prove", _) => bench.prove(),
        ("recover", _) => bench.model.fail(None),
        ("fail", name) => bench.model.fail(Some(match name {
            "no quorum" => Failure::NoQuorum,
            "unknown" => Failure::Unknown,
            "disk low" => Failure::DiskLow,
            "overloaded" => Failure::Overloaded("too many commands are waiting"),
            "out of service" => Failure::OutOfService,
            other => panic!("{other}"),
        })),
        other => panic!("{other:?}"),
    }
}

fn with_flush() -> Options {
    Options { allow_flush: true, ..Options::default() }
}

fn with_password() -> Options {
    Options { password: Some("secret".into()), ..Options::default() }
}

#[test]
fn strings() {
    hold(include_str!("strings.txt"), Options::default());
}

#[test]
fn ranges() {
    hold(include_str!("ranges.txt"), Options::default());
}

#[test]
fn hashes() {
    hold(include_str!("hashes.txt"), Options::default());
}

#[test]
fn lists() {
    hold(include_str!("lists.txt"), Options::default());
}

#[test]
fn sets() {
    hold(include_str!("sets.txt"), Options::default());
}

#[test]
fn sorted_sets() {
    hold(include_str!("sorted_sets.txt"), Options::default());
}

#[test]
fn resp3() {
    hold(include_str!("resp3.txt"), Options::default());
}

#[test]
fn locks() {
    hold(include_str!("locks.txt"), Options::default());
}

#[test]
fn blocking() {
    hold(include_str!("blocking.txt"), Options::default());
}

#[test]
fn expiry() {
    hold(include_str!("expiry.txt"), Options::default());
}

#[test]
fn keys() {
    hold(include_str!("keys.txt"), with_flush());
}

#[test]
fn leases() {
    hold(include_str!("leases.txt"), Options::default());
}

#[test]
fn connection() {
    hold(include_str!("connection.txt"), Options::default());
}

#[test]
fn password() {
    hold(include_str!("password.txt"), with_password());
}

#[test]
fn server() {
    hold(include_str!("server.txt"), Options::default());
}

#[test]
fn scripts() {
    hold(include_str!("scripts.txt"), Options::default());
}

#[test]
fn evaluation() {
    hold(include_str!("evaluation.txt"), Options::default());
}

#[test]
fn transactions() {
    hold(include_str!("transactions.txt"), with_flush());
}

#[test]
fn pubsub() {
    hold(include_str!("pubsub.txt"), with_flush());
}

#[test]
fn notifications() {
    hold(include_str!("notifications.txt"), with_flush());
}

#[test]
fn sentinel() {
    let purpose = Purpose::Sentinel { master: "mymaster".into() };
    hold(include_str!("sentinel.txt"), Options { purpose, port: 26379, ..Options::default() });
}

#[test]
fn failures() {
    hold(include_str!("failures.txt"), Options::default());
}
