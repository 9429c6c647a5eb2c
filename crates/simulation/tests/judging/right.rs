//! What may happen, however odd it looks, passes.

use simulation::judge::{Call, History, NotHeld, Reply, TimeLeft, judge};

use crate::build::*;

fn passes(history: &History) {
    let verdict = judge(history);
    assert!(verdict.holds(), "{verdict}");
}

#[test]
fn a_read_during_a_write_may_see_either() {
    for seen in [ABSENT, value("a")] {
        passes(&history([
            done(1, 0, 10, set("a"), Reply::Written(true)),
            done(2, 5, 6, Call::Get, seen),
            done(2, 11, 12, Call::Get, value("a")),
        ]));
    }
}

#[test]
fn overlapping_increments_come_in_any_order() {
    passes(&history([
        done(1, 0, 10, Call::Increment, Reply::Integer(3)),
        done(2, 1, 9, Call::Increment, Reply::Integer(1)),
        done(3, 2, 8, Call::Increment, Reply::Integer(2)),
        done(1, 11, 12, Call::Get, value("3")),
    ]));
}

#[test]
fn an_unknown_write_may_take_effect_late_once_or_never() {
    let first = [unknown(1, 0, set("a")), done(2, 1, 2, Call::Get, ABSENT)];
    let second = [done(2, 3, 4, set("b"), Reply::Written(true)), done(2, 500, 501, Call::Get, value("a"))];
    passes(&history(first.iter().chain(&second).cloned()));
    passes(&history(first.iter().chain(&second[..1]).cloned()));
    passes(&history(first));
}

#[test]
fn unknown_increments_count_or_not() {
    let unknown = || (0..20).map(|number| unknown(number, u64::from(number), Call::Increment));
    for seen in ["1", "11", "21"] {
        passes(&history(unknown().chain([
            done(30, 30, 31, Call::Increment, Reply::Integer(1)),
            done(30, 32, 33, Call::Get, value(seen)),
        ])));
    }
}

#[test]
fn a_lease_ends_late_after_a_failover_and_never_has_to() {
    passes(&history([
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(2, 5_000, 5_001, Call::Inspect, held("a", 1, 1)).at(9),
        done(2, 5_010, 5_011, acquire("b", 1_000), acquired("b", 20)).at(20),
        done(1, 5_020, 5_021, renew("a", 1), Reply::NotHeld(NotHeld::NotHolder)),
    ]));
}

#[test]
fn a_lease_ends_on_time_less_the_drift_of_clocks() {
    passes(&history([
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(2, 990, 999, acquire("b", 1_000), acquired("b", 3)).at(3),
    ]));
}

#[test]
fn a_lease_is_released_renewed_taken_over() {
    passes(&history([
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1).index(11),
        done(2, 6, 7, acquire("b", 1_000), Reply::NotAcquired(Some(lease("a", 1, 998)))).at(2).index(12),
        done(1, 8, 9, take_over("a", 1_000), acquired("a", 3)).at(3).index(12),
        done(1, 10, 11, renew("a", 1), Reply::NotHeld(NotHeld::Fenced)),
        done(1, 12, 13, renew("a", 3), renewed("a", 3)).at(5).index(14),
        done(1, 14, 20, release("a", 3), Reply::Released).at(6).index(15),
        done(2, 15, 16, acquire("b", 1_000), acquired("b", 7)).at(7).index(15),
        done(1, 21, 22, Call::Inspect, held("b", 7, 999)).at(7).index(15),
    ]));
}

#[test]
fn an_unknown_release_may_come_late() {
    passes(&history([
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        unknown(1, 6, release("a", 1)),
        done(1, 7, 8, renew("a", 1), renewed("a", 1)).at(2),
        done(2, 9, 10, acquire("b", 1_000), acquired("b", 4)).at(4),
    ]));
}

#[test]
fn an_unknown_acquire_is_seen_by_its_token() {
    passes(&history([
        unknown(1, 0, acquire("a", 1_000)),
        unknown(1, 1, acquire("a", 1_000)),
        done(2, 5, 6, Call::Inspect, FREE).at(2),
        done(2, 50, 51, Call::Inspect, held("a", 4, 1_000)).at(4),
        done(1, 52, 53, renew("a", 4), renewed("a", 4)).at(6),
    ]));
}

#[test]
fn an_acquire_that_nobody_saw_may_have_been_and_ended() {
    passes(&history([
        unknown(1, 0, acquire("a", 1_000)),
        done(2, 1, 2, release("b", 77), Reply::NotHeld(NotHeld::NotHolder)),
        done(2, 1_100, 1_101, acquire("b", 1_000), acquired("b", 9)).at(9),
    ]));
}

#[test]
fn a_repeated_acquire_is_answered_with_how_things_are() {
    let lost = Reply::NotAcquired(Some(lease("b", 3, 990)));
    passes(&history([
        done(1, 0, 100, acquire("a", 1_000), lost).at(1).again(),
        done(2, 10, 11, Call::Inspect, held("a", 1, 995)).at(1),
        done(3, 12, 13, release("a", 1), Reply::Released).at(2),
        done(2, 14, 15, acquire("b", 1_000), acquired("b", 3)).at(3),
    ]));
    let kept = Reply::Acquired(lease("a", 1, 960));
    passes(&history([
        done(1, 0, 100, acquire("a", 1_000), kept).at(1).again(),
        done(2, 10, 11, Call::Inspect, held("a", 1, 995)).at(1),
    ]));
}

#[test]
fn a_refused_renewal_may_have_run_before() {
    let before = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(1, 6, 100, renew("a", 1), Reply::NotHeld(NotHeld::Expired)).again(),
    ];
    // With twice the length, so that the look between shows that it had run.
    let mut longer = before.clone();
    longer[1].call = Call::Renew { holder: "a".to_owned(), token: 1, ttl_ms: Some(2_000) };
    let look = simulation::judge::Lease { ttl_ms: Some(2_000), ..lease("a", 1, 1_990) };
    passes(&history(longer.clone().into_iter().chain([
        done(2, 20, 21, Call::Inspect, Reply::Inspected(Some(look))).at(3),
        done(3, 30, 31, release("a", 1), Reply::Released).at(4),
    ])));
    passes(&history(before.into_iter().chain([done(3, 30, 31, release("a", 1), Reply::Released).at(4)])));
    // With a fifth of the length: the lease ends long before the grant would have, and the repetition tells that.
    let mut shorter = longer;
    let renewal = Call::Renew { holder: "a".to_owned(), token: 1, ttl_ms: Some(200) };
    shorter[1] = done(1, 6, 250, renewal, Reply::NotHeld(NotHeld::Expired)).again();
    passes(&history(
        shorter.into_iter().chain([done(2, 300, 301, acquire("b", 1_000), acquired("b", 4)).at(4)]),
    ));
}

#[test]
fn a_lock_over_redis_is_a_lease_seen_over_grpc() {
    passes(&history([
        done(1, 0, 5, lock("a", 1_000), Reply::Written(true)),
        done(2, 6, 7, lock("b", 1_000), Reply::Written(false)),
        done(2, 8, 9, Call::Inspect, held("a", 40, 997)).at(44),
        done(1, 10, 11, renew("a", 40), renewed("a", 40)).at(45),
        done(1, 12, 13, Call::TimeLeft, Reply::TimeLeft(TimeLeft::Ms(998))),
        done(1, 14, 15, unlock("a"), Reply::Removed(true)),
        done(2, 16, 17, lock("b", 1_000), Reply::Written(true)),
        done(2, 18, 19, Call::Inspect, held("b", 48, 998)).at(49),
    ]));
}

#[test]
fn a_key_keeps_its_end_or_loses_it() {
    let keeping = |value: &str| match set(value) {
        Call::Set { value, condition, ttl_ms, .. } => Call::Set { value, condition, ttl_ms, keep: true },
        call => call,
    };
    passes(&history([
        done(1, 0, 1, lock("1", 1_000), Reply::Written(true)),
        done(1, 2, 3, keeping("7"), Reply::Written(true)),
        done(1, 4, 5, Call::Increment, Reply::Integer(8)),
        done(1, 6, 7, Call::TimeLeft, Reply::TimeLeft(TimeLeft::Ms(995))),
        done(1, 8, 9, set("9"), Reply::Written(true)),
        done(1, 10, 11, Call::TimeLeft, Reply::TimeLeft(TimeLeft::Endless)),
        done(1, 5_000, 5_001, Call::Get, value("9")),
        done(1, 5_002, 5_003, Call::Delete, Reply::Removed(true)),
        done(1, 5_004, 5_005, Call::TimeLeft, Reply::TimeLeft(TimeLeft::Absent)),
    ]));
}

#[test]
fn what_is_given_up_is_counted() {
    let many =
        (0..12).map(|number| done(number, 0, 1_000, Call::Increment, Reply::Integer(i64::from(number) + 1)));
    let findings = simulation::judge::search::examine_within(&history(many), 10);
    assert_eq!((findings.undecided, findings.violations.len()), (1, 0));
}
