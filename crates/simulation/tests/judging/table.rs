//! What a person is shown.

use simulation::judge::{Call, Reply, judge};

use crate::build::*;

#[test]
fn a_violation_reads_like_this() {
    let verdict = judge(&history([
        done(1, 0, 5, acquire("a", 1_000), acquired("a", 1)).at(1),
        unknown(3, 2, acquire("c", 1_000)),
        done(1, 500, 2_000, renew("a", 1), renewed("a", 1)).at(2),
        done(2, 1_490, 1_498, acquire("b", 1_000), acquired("b", 4)).at(4),
        done(2, 3_000, 3_001, Call::Get, Reply::Value(None)).key("another"),
    ]));
    let expected = "\
5 operations on 2 keys (1 witnessed): 4 acknowledged, 0 refused, 1 unknown; 0 undecided, 3 violations

early hand-over, key k: b was granted it 1.000 ms before that of a could be over
   client  node  from ms   to ms     serial  call                    outcome
   1       1     0.000     5.000     1       acquire for a, 1000 ms  acquired: a, token 1, 1000 of 1000 ms
   3       1     2.000     ?                 acquire for c, 1000 ms  unknown
>  1       1     500.000   2000.000  2       renew for a, token 1    renewed: a, token 1, 1000 of 1000 ms
>  2       1     1490.000  1498.000  4       acquire for b, 1000 ms  acquired: b, token 4, 1000 of 1000 ms

wrong answer, key k: in the order of the log the key is [a, token 1, 1000 ms] before it
   client  node  from ms   to ms     serial  call                    outcome
   1       1     0.000     5.000     1       acquire for a, 1000 ms  acquired: a, token 1, 1000 of 1000 ms
   3       1     2.000     ?                 acquire for c, 1000 ms  unknown
   1       1     500.000   2000.000  2       renew for a, token 1    renewed: a, token 1, 1000 of 1000 ms
>  2       1     1490.000  1498.000  4       acquire for b, 1000 ms  acquired: b, token 4, 1000 of 1000 ms

not linearizable, key k: it fits nowhere; before it the key is [b, token 4, 1000 ms]
   client  node  from ms   to ms     serial  call                    outcome
   1       1     0.000     5.000     1       acquire for a, 1000 ms  acquired: a, token 1, 1000 of 1000 ms
   3       1     2.000     ?                 acquire for c, 1000 ms  unknown
>  1       1     500.000   2000.000  2       renew for a, token 1    renewed: a, token 1, 1000 of 1000 ms
   2       1     1490.000  1498.000  4       acquire for b, 1000 ms  acquired: b, token 4, 1000 of 1000 ms
";
    assert_eq!(verdict.to_string(), expected);
}
