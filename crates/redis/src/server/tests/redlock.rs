//! Locks that are refused because of themselves.

use std::sync::atomic::Ordering;

use domain::{Action, ExpireCondition, Expiry, Key, SetCondition};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::{Host, PATIENCE, expect};
use crate::options::Options;

const RANDOM: &str = "f3a0c2e5b7d91846a0b2";

/// Whether it is counted that a lock is refused which another node granted as `granted`, and which was renewed since.
async fn is_seen(granted: &str, asked: &str, is_renewed: bool) -> bool {
    let host = Host::new(Options::default());
    let (key, expiry) = (Key::new(0, *b"lock"), Expiry::InMs(10_000));
    let (value, condition) = (granted.as_bytes().into(), SetCondition::IfAbsent);
    host.model.apply(Action::Set { key: key.clone(), value, condition, expiry, previous: false });
    if is_renewed {
        host.model.apply(Action::Expire { key, expiry, condition: ExpireCondition::Always, holder: None });
    }
    let mut client = host.connect();
    client.write_all(format!("SET lock {asked} NX PX 10000\r\n").as_bytes()).await.unwrap();
    expect(&mut client, "$-1\r\n").await;
    // What has nothing to look at makes no round.
    if asked.len() == RANDOM.len() {
        let looked = async {
            while host.model.rounds() == 0 {
                tokio::task::yield_now().await;
            }
            tokio::task::yield_now().await;
        };
        timeout(PATIENCE, looked).await.expect("a look");
    }
    host.server.metrics().redlock_sightings.load(Ordering::SeqCst) == 1
}

#[tokio::test]
async fn a_lock_that_is_refused_because_of_itself_is_seen() {
    assert!(is_seen(RANDOM, RANDOM, false).await);
    assert!(!is_seen("another-value-of-20-b", RANDOM, false).await, "held by another");
    assert!(!is_seen(RANDOM, RANDOM, true).await, "a holder that asks whether it is one");
    assert!(!is_seen("bot-1", "bot-1", false).await, "a name");
}
