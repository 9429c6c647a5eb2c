//! Bad input over the Redis protocol: a clear error, and everybody else lives on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::cluster::Cluster;
use tests::resp::{Connection, Value};
use tests::{grpc, suite};
use tokio::time::timeout;

/// What is no request, and what the error must name. The connection ends: nobody knows where the next one begins.
const MALFORMED: [(&[u8], &str); 6] = [
    (b"*1\r\n+PING\r\n", "expected '$'"),
    (b"*1\r\n$x\r\nPING\r\n", "invalid bulk length"),
    (b"*x\r\n", "invalid multibulk length"),
    (b"*99999999\r\n", "invalid multibulk length"),
    (b"*1\r\n$999999999999\r\n", "invalid bulk length"),
    (b"*1\r\n$-5\r\n", "invalid bulk length"),
];

/// Requests that are wrong, and the beginning of Redis's own error. The connection lives on.
const WRONG: [(&[&str], &str); 14] = [
    (&["NONSENSE", "a"], "ERR unknown command 'NONSENSE', with args beginning with: 'a'"),
    (&["GET"], "ERR wrong number of arguments for 'get' command"),
    (&["SET", "key", "value", "NONSENSE"], "ERR syntax error"),
    (&["SET", "key", "value", "NX", "XX"], "ERR syntax error"),
    (&["SET", "key", "value", "PX", "0"], "ERR invalid expire time in 'set' command"),
    (&["SET", "key", "value", "PX", "soon"], "ERR value is not an integer or out of range"),
    (&["SET", "key", "value", "EX", "9223372036854775807"], "ERR invalid expire time in 'set' command"),
    (&["INCR", "text"], "ERR value is not an integer or out of range"),
    (&["SELECT", "99"], "ERR DB index is out of range"),
    (&["HELLO", "9"], "NOPROTO"),
    (&["LEASE.ACQUIRE", "key", "me", "PX", "-1"], "ERR"),
    (&["LEASE.ACQUIRE", "key", "me", "NONSENSE", "1"], "ERR syntax error"),
    (&["EVAL", "return (", "0"], "ERR"),
    (&["EVALSHA", "ffffffffffffffffffffffffffffffffffffffff", "0"], "NOSCRIPT"),
];

#[test]
fn a_malformed_frame_is_told_and_ends_its_own_connection_only() {
    suite::beside("malformed", async {
        let cluster = Cluster::start().await?;
        let port = cluster.redis(2);
        let mut other = Connection::open(port).await?;
        for (bytes, names) in MALFORMED {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let mut bad = Connection::open(port).await?;
            // What was asked before it is answered before it.
            bad.push(&[b"PING"]);
            bad.push_raw(bytes);
            bad.flush().await?;
            ensure!(next(&mut bad).await? == Value::Simple("PONG".into()), "{text:?}: the request before it");
            let reply = next(&mut bad).await.with_context(|| format!("{text:?}"))?;
            let error = reply.error().with_context(|| format!("{text:?}: {reply:?}"))?;
            ensure!(error.starts_with("ERR Protocol error") && error.contains(names), "{text:?}: {error}");
            ensure!(timeout(LIMIT, bad.next()).await?.is_err(), "{text:?}: the connection goes on");
            ensure!(other.ask(&["PING"]).await?.text()? == "PONG", "{text:?}: another client");
        }
        alive(&cluster).await
    });
}

#[test]
fn a_wrong_request_is_told_in_the_words_of_redis() {
    suite::beside("wrong_request", async {
        let cluster = Cluster::start().await?;
        for node in [1, 2, 3] {
            let mut connection = Connection::open(cluster.redis(node)).await?;
            connection.ask(&["SET", "text", "value"]).await?;
            for (request, words) in WRONG {
                let reply = connection.call(request).await?;
                let error = reply.error().with_context(|| format!("{request:?}: {reply:?}"))?;
                ensure!(error.starts_with(words), "{request:?}: {error}");
            }
            ensure!(connection.ask(&["GET", "text"]).await?.text()? == "value", "nothing was changed");
        }
        alive(&cluster).await
    });
}

#[test]
fn an_oversized_value_is_told_with_its_limit() {
    suite::beside("oversized", async {
        let cluster = Cluster::start().await?;
        let port = cluster.redis(1);
        let mut connection = Connection::open(port).await?;
        let (fits, long) = ("v".repeat(64 * 1024), "v".repeat(64 * 1024 + 1));
        ensure!(connection.ask(&["SET", "key", &fits]).await?.is_ok(), "64 KiB fit");
        for request in [["SET", "key", &long], ["LEASE.TOKEN", "key", &long], ["SET", &long, "value"]] {
            let reply = connection.call(&request).await?;
            let told = reply.error().is_some_and(|error| error.contains("limit of"));
            let harmless = request[0] == "LEASE.TOKEN" && reply == Value::Null;
            ensure!(told || harmless, "{}: {reply:?}", request[0]);
        }
        ensure!(connection.ask(&["GET", "key"]).await?.text()?.len() == fits.len(), "the first is kept");
        // Half a request and then nothing holds nobody up.
        let mut half = Connection::open(port).await?;
        half.push_raw(b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$1000\r\nhalf");
        half.flush().await?;
        alive(&cluster).await?;
        drop(half);
        let status = grpc::leases(cluster.api(1))?.acquire(grpc::acquire("desk", &long, 1000)).await;
        let status = status.err().context("a holder that is too long was taken")?;
        ensure!(grpc::reason(&status).as_deref() == Some("INVALID"), "{status:?}");
        Ok(())
    });
}

const LIMIT: Duration = Duration::from_secs(10);

async fn next(connection: &mut Connection) -> Result<Value> {
    Ok(timeout(LIMIT, connection.next()).await.context("no answer")??)
}

/// Every node still serves.
async fn alive(cluster: &Cluster) -> Result<()> {
    for node in [1, 2, 3] {
        tests::resp::ask(cluster.redis(node), &["SET", "alive", &node.to_string()]).await?;
    }
    let status = cluster.status().await?;
    ensure!(status.problems.is_empty(), "{status:?}");
    Ok(())
}
