//! `WATCH`, `MULTI` and `EXEC` of redis-py through every node, while the leader is killed underneath.

use tests::{judged, suite};

/// Few enough that tellers meet.
const ACCOUNTS: usize = 6;
const TELLERS: usize = 6;

#[test]
fn no_money_is_lost_or_made_while_leaders_are_killed() {
    let Some(python) = suite::tool("transactions", "TENURE_PYTHON") else { return };
    suite::beside("transactions", async {
        let arguments = [ACCOUNTS, TELLERS].map(|number| number.to_string());
        judged::program("transactions", python, &arguments, &["moves", "conflicts", "audits"]).await?;
        Ok(())
    });
}
