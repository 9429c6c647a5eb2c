//! What may not happen is caught, by the rule that names it and by the checker that knows no names.

use simulation::judge::{Call, History, NotHeld, Reply, Rule, TimeLeft, judge};

use crate::build::*;

/// Caught by exactly these rules, in the order of [`Rule`].
#[track_caller]
fn caught(history: &History, rules: &[Rule]) {
    let verdict = judge(history);
    assert_eq!(verdict.broken(), rules, "{verdict}");
}

#[test]
fn stale_read() {
    let operations = [
        done(1, 0, 1, set("a"), Reply::Written(true)),
        done(1, 2, 3, set("b"), Reply::Written(true)),
        done(2, 4, 5, Call::Get, value("b")),
        done(3, 6, 7, Call::Get, value("a")),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::StaleRead]);
}

#[test]
fn lost_write() {
    let operations = [done(1, 0, 1, set("a"), Reply::Written(true)), done(2, 500, 501, Call::Get, ABSENT)];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::WriteLost]);
}

#[test]
fn a_write_back_to_before() {
    let operations = [
        done(1, 0, 1, set("a"), Reply::Written(true)),
        done(1, 2, 3, set("b"), Reply::Written(true)),
        done(1, 4, 5, set("c"), Reply::Written(true)),
        done(2, 6, 7, Call::Get, value("a")),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::WriteLost, Rule::StaleRead]);
}

#[test]
fn deleted_and_there_again() {
    let operations = [
        done(1, 0, 1, set("a"), Reply::Written(true)),
        done(1, 2, 3, Call::Delete, Reply::Removed(true)),
        done(2, 4, 5, Call::Get, value("a")),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::WriteLost, Rule::StaleRead]);
}

#[test]
fn new_then_old_while_the_write_is_under_way() {
    let operations = [
        done(1, 0, 1, set("a"), Reply::Written(true)),
        done(1, 2, 100, set("b"), Reply::Written(true)),
        done(2, 4, 5, Call::Get, value("b")),
        done(3, 6, 7, Call::Get, value("a")),
    ];
    caught(&history(operations), &[Rule::NotLinearizable]);
}

#[test]
fn increment_twice() {
    let operations = [
        done(1, 0, 10, Call::Increment, Reply::Integer(1)),
        done(2, 0, 10, Call::Increment, Reply::Integer(1)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::IncrementTwice]);
}

#[test]
fn increment_executed_twice() {
    let operations = [
        done(1, 0, 10, Call::Increment, Reply::Integer(1)),
        done(2, 11, 20, Call::Increment, Reply::Integer(3)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::IncrementDoubled]);
}

#[test]
fn an_unknown_increment_executed_twice() {
    let operations = [
        unknown(1, 0, Call::Increment),
        done(2, 11, 20, Call::Increment, Reply::Integer(1)),
        done(2, 21, 22, Call::Get, value("3")),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::IncrementDoubled]);
}

#[test]
fn increment_lost() {
    let operations = [
        done(1, 0, 10, Call::Increment, Reply::Integer(1)),
        done(2, 11, 20, Call::Increment, Reply::Integer(2)),
        done(2, 21, 22, Call::Get, value("1")),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::IncrementLost]);
}

#[test]
fn a_refused_write_seen() {
    let mut refused = done(1, 0, 1, set("a"), Reply::Written(true));
    refused.outcome = simulation::judge::Outcome::Refused { at_ns: 1_000_000 };
    caught(&history([refused, done(2, 2, 3, Call::Get, value("a"))]), &[Rule::NotLinearizable]);
}

#[test]
fn an_unknown_write_seen_before_it_was_sent() {
    let operations = [done(2, 0, 1, Call::Get, value("a")), unknown(1, 2, set("a"))];
    caught(&history(operations), &[Rule::NotLinearizable]);
}

#[test]
fn an_unknown_delete_that_took_two() {
    let operations = [
        unknown(1, 0, Call::Delete),
        done(2, 1, 2, set("a"), Reply::Written(true)),
        done(2, 3, 4, Call::Get, ABSENT),
        done(2, 5, 6, set("b"), Reply::Written(true)),
        done(2, 7, 8, Call::Get, ABSENT),
    ];
    caught(&history(operations), &[Rule::NotLinearizable]);
}

#[test]
fn lease_to_two() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(2, 6, 10, acquire("b", 1_000), acquired("b", 2)).at(2),
    ];
    let rules = [Rule::NotLinearizable, Rule::WrongAnswer, Rule::TwoHolders, Rule::EarlyHandOver];
    caught(&history(operations), &rules);
}

#[test]
fn lock_to_two() {
    let operations = [
        done(1, 0, 5, lock("a", 1_000), Reply::Written(true)),
        done(2, 6, 10, lock("b", 1_000), Reply::Written(true)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::TwoHolders, Rule::EarlyHandOver]);
}

#[test]
fn early_hand_over() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(1, 500, 2_000, renew("a", 1), renewed("a", 1)).at(2),
        // At 1499 ms it may be over, at 1498 ms not. The renewal was answered late, so nobody knew of both at once.
        done(2, 1_490, 1_498, acquire("b", 1_000), acquired("b", 4)).at(4),
    ];
    let rules = [Rule::NotLinearizable, Rule::WrongAnswer, Rule::EarlyHandOver];
    caught(&history(operations), &rules);
}

#[test]
fn a_renewal_sent_once_and_refused_does_not_end_a_lease() {
    let operations = [
        done(1, 0, 5, acquire("a", 5_000), acquired("a", 1)).at(1),
        done(1, 1_200, 1_210, renew("a", 1), Reply::NotHeld(NotHeld::Expired)),
        done(2, 1_500, 1_505, acquire("b", 1_000), acquired("b", 3)).at(3),
    ];
    caught(
        &history(operations),
        &[Rule::NotLinearizable, Rule::WrongAnswer, Rule::TwoHolders, Rule::EarlyHandOver],
    );
}

#[test]
fn free_too_early() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(2, 990, 998, Call::Inspect, FREE).at(4),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::WrongAnswer]);
}

#[test]
fn token_back() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 7)),
        done(1, 6, 7, release("a", 7), Reply::Released),
        done(2, 8, 9, acquire("b", 1_000), acquired("b", 6)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::TokenBack]);
}

#[test]
fn token_twice() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 7)),
        done(1, 6, 7, release("a", 7), Reply::Released),
        done(1, 8, 9, acquire("a", 1_000), acquired("a", 7)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::TokenTwice]);
    let other = done(1, 8, 9, acquire("a", 1_000), acquired("a", 7)).key("other");
    let operations = [done(1, 0, 5, acquire("a", 1_000), acquired("a", 7)), other];
    caught(&history(operations), &[Rule::TokenTwice]);
}

#[test]
fn token_of_another_serial() {
    let operations = [done(1, 0, 5, acquire("a", 1_000), acquired("a", 7)).at(8)];
    // Of the grant that the token speaks of nobody knows.
    caught(&history(operations), &[Rule::TokenNotOfSerial, Rule::GrantUnasked]);
}

#[test]
fn renewed_after_the_end_by_another() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(2, 1_100, 1_105, acquire("b", 1_000), acquired("b", 3)).at(3),
        done(1, 1_106, 1_107, renew("a", 1), renewed("a", 1)).at(4),
    ];
    let rules = [Rule::NotLinearizable, Rule::WrongAnswer, Rule::FencedServed, Rule::TwoHolders];
    caught(&history(operations), &rules);
}

#[test]
fn released_by_a_fenced_token() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(1, 6, 7, take_over("a", 1_000), acquired("a", 2)).at(2),
        done(1, 8, 9, release("a", 1), Reply::Released).at(3),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::WrongAnswer, Rule::FencedServed]);
}

#[test]
fn read_without_an_acknowledged_write() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 9)).at(9),
        done(2, 6, 7, Call::Inspect, FREE).at(8),
    ];
    // In the order of the log it is right: only time shows that it is old.
    caught(&history(operations), &[Rule::NotLinearizable, Rule::OrderAgainstTime]);
}

#[test]
fn released_and_still_there() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(1, 6, 7, release("a", 1), Reply::Released).at(2),
        done(2, 8, 9, Call::Inspect, held("a", 1, 995)).at(2),
    ];
    let rules = [Rule::NotLinearizable, Rule::WrongAnswer, Rule::WriteLost, Rule::StaleRead];
    caught(&history(operations), &rules);
}

#[test]
fn deleted_what_was_anothers() {
    let operations = [
        done(1, 0, 5, lock("a", 1_000), Reply::Written(true)),
        done(2, 6, 7, unlock("b"), Reply::Removed(true)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable]);
    let operations = [
        done(1, 0, 5, lock("a", 1_000), Reply::Written(true)),
        done(2, 6, 7, unlock("b"), Reply::Removed(false)),
        done(3, 8, 9, lock("c", 1_000), Reply::Written(true)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::TwoHolders, Rule::EarlyHandOver]);
}

#[test]
fn a_key_without_an_end_that_ended() {
    let operations = [
        done(1, 0, 1, lock("a", 1_000), Reply::Written(true)),
        done(1, 2, 3, set("b"), Reply::Written(true)),
        done(1, 5_000, 5_001, Call::TimeLeft, Reply::TimeLeft(TimeLeft::Absent)),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::WriteLost]);
}

#[test]
fn more_time_left_than_was_given_or_too_little() {
    for ms in [1_001, 988] {
        let operations = [
            done(1, 0, 1, lock("a", 1_000), Reply::Written(true)),
            done(1, 5, 10, Call::TimeLeft, Reply::TimeLeft(TimeLeft::Ms(ms))),
        ];
        caught(&history(operations), &[Rule::NotLinearizable]);
    }
}

#[test]
fn a_refusal_that_fits_nowhere() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(1, 6, 7, release("a", 1), Reply::NotHeld(NotHeld::Fenced)),
        done(1, 8, 9, Call::Inspect, held("a", 1, 995)).at(3),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::FitsNowhere]);
}

#[test]
fn a_grant_that_nobody_asked_for() {
    let operations =
        [unknown(1, 0, acquire("b", 1_000)), done(1, 8, 9, Call::Inspect, held("a", 2, 995)).at(3)];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::GrantUnasked]);
}

#[test]
fn one_unknown_acquire_granted_twice() {
    let operations = [
        unknown(1, 0, acquire("a", 1_000)),
        done(2, 8, 9, Call::Inspect, held("a", 2, 995)).at(3),
        done(2, 2_000, 2_001, Call::Inspect, held("a", 7, 995)).at(9),
    ];
    caught(&history(operations), &[Rule::NotLinearizable, Rule::GrantUnasked]);
}

#[test]
fn two_commands_at_one_place() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 4)).at(4).index(3),
        done(2, 0, 5, renew("z", 1), renewed("z", 1)).at(4).index(3).key("z"),
    ];
    let verdict = judge(&history(operations));
    assert!(verdict.broken().contains(&Rule::SerialTwice), "{verdict}");
}

#[test]
fn serials_against_time_on_two_keys() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 4)).at(4),
        done(1, 6, 7, acquire("a", 1_000), acquired("a", 3)).at(3).key("z"),
    ];
    caught(&history(operations), &[Rule::OrderAgainstTime]);
}

#[test]
fn index_against_serial() {
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 4)).at(4).index(10),
        done(1, 6, 7, acquire("a", 1_000), acquired("a", 5)).at(5).index(9).key("z"),
    ];
    caught(&history(operations), &[Rule::IndexAgainstSerial]);
}

#[test]
fn no_place_in_the_log_for_the_end_between() {
    // Real time would allow it: only the witness sees that nothing happened between serial 1 and 2.
    let operations = [
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        done(2, 5_000, 5_001, acquire("b", 1_000), acquired("b", 2)).at(2),
    ];
    caught(&history(operations), &[Rule::WrongAnswer]);
}
