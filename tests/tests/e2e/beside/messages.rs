//! `PUBLISH` and `SUBSCRIBE` of redis-py through every node, while the leader is killed underneath: in order, once, and none
//! missed by whoever stayed connected.

use anyhow::ensure;
use tests::{judged, suite};

#[test]
fn every_message_comes_once_and_in_order_while_leaders_are_killed() {
    let Some(python) = suite::tool("messages", "TENURE_PYTHON") else { return };
    suite::beside("messages", async {
        let seen = judged::program("messages", python, &[], &["published", "heard", "looks"]).await?;
        ensure!(seen["lives"].as_u64() > Some(3), "nobody's connection ended: {seen:#}");
        Ok(())
    });
}
