//! What a server says of itself, and what somebody who wants locks from it should know.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::Warning;
use super::resp::{Connection, Login, Trouble, Value};
use super::unreachable;
use crate::failure::Failure;

/// A server, as it calls itself.
#[derive(Clone, Serialize)]
pub struct Server {
    pub address: String,
    /// redis, valkey or tenure.
    pub server: String,
    pub version: String,
    /// standalone, cluster or sentinel.
    pub mode: String,
    pub role: String,
    pub resp3: bool,
}

/// Asks without changing anything.
pub async fn look(address: &str, login: &Login) -> Result<(Server, Vec<Warning>), Trouble> {
    let mut connection = Connection::open(address, login).await?;
    let info = match connection.call(&["INFO"]).await? {
        Value::Text(text) => fields(&text),
        Value::Error(error) if is_refusal(&error) => return Err(Trouble::NotPermitted(error)),
        // Something that has no INFO may still lock.
        _ => BTreeMap::new(),
    };
    let field = |name: &str| info.get(name).cloned();
    let name = field("server_name").unwrap_or_else(|| "redis".into());
    let version = field(&format!("{name}_version")).or_else(|| field("redis_version"));
    let server = Server {
        address: address.into(),
        version: version.unwrap_or_else(|| "-".into()),
        server: name,
        mode: field("redis_mode").unwrap_or_else(|| "standalone".into()),
        role: field("role").unwrap_or_else(|| "-".into()),
        resp3: matches!(connection.call(&["HELLO", "3"]).await?, Value::Map(_)),
    };
    let warnings = warnings(&server, &info);
    Ok((server, warnings))
}

fn is_refusal(error: &str) -> bool {
    ["NOAUTH", "NOPERM", "WRONGPASS", "DENIED"].iter().any(|code| error.starts_with(code))
}

fn fields(text: &str) -> BTreeMap<String, String> {
    let field = |line: &str| line.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().filter_map(field).collect()
}

fn warnings(server: &Server, info: &BTreeMap<String, String>) -> Vec<Warning> {
    let at = &server.address;
    let is = |name: &str, value: &str| info.get(name).is_some_and(|said| said == value);
    let mut warnings = Vec::new();
    let mut warn = |severity, what: &str, next: &str| warnings.push(Warning::new(severity, at, what, next));
    if server.mode == "sentinel" {
        warn(
            "critical",
            "this is a Sentinel: it has no keys",
            "ask it for the address of the master, and examine that",
        );
        return warnings;
    }
    if server.mode == "cluster" {
        let what = "this is a node of a Redis Cluster: it sends clients elsewhere (MOVED)";
        warn("warning", what, "use clients in cluster mode, or another server for locks");
    }
    if server.role == "slave" {
        warn("critical", "this is a replica: it takes no writes", "examine its master");
    }
    if !server.resp3 {
        let what =
            "it does not speak RESP3: redis-py 8 and node-redis 6 refuse to connect unless they are told";
        warn("warning", what, "set protocol=2 (redis-py) or RESP: 2 (node-redis), or use a newer server");
    }
    if info.get("connected_slaves").is_some_and(|count| count != "0") {
        let what = "it replicates to others asynchronously: after a failover a lock that was granted may be granted again";
        warn("warning", what, "let what is protected refuse the older of two holders, by a fencing token");
    }
    if is("aof_enabled", "0") {
        let what = "it does not log what it is told (appendonly no): after a restart a lock that is held may be granted again";
        warn(
            "warning",
            what,
            "appendonly yes with appendfsync always, or wait for the longest lease after a start",
        );
    }
    let evicts = info.get("maxmemory_policy").is_some_and(|policy| policy != "noeviction");
    if evicts && !is("maxmemory", "0") {
        warn("warning", "it may evict locks when memory is short", "maxmemory-policy noeviction");
    }
    warnings
}

/// Whether one typing error would release every lock. It is not tried.
pub async fn flush_warning(
    address: &str,
    login: &Login,
    server: &Server,
) -> Result<Option<Warning>, Trouble> {
    if server.mode == "sentinel" {
        return Ok(None);
    }
    let mut connection = Connection::open(address, login).await?;
    if server.server == "tenure" {
        let said = connection.call(&["CONFIG", "GET", "tenure-allow-flush"]).await?;
        let is_off = matches!(&said, Value::Array(pair) if pair.last() == Some(&Value::Text("no".into())));
        return Ok((!is_off).then(|| flush_allowed(address, "redis.allow_flush = false in each node's file")));
    }
    let known = connection.call(&["COMMAND", "INFO", "FLUSHALL"]).await?;
    if !matches!(&known, Value::Array(commands) if matches!(commands.first(), Some(Value::Array(_)))) {
        return Ok(None);
    }
    let user = login.user.as_deref().unwrap_or("default");
    // Redis 7 and later say whether they would; it does nothing.
    let denied = match connection.call(&["ACL", "DRYRUN", user, "FLUSHALL"]).await? {
        Value::Text(said) => said.contains("no permissions"),
        _ => false,
    };
    let next = "take it from the users that lock: ACL SETUSER NAME -flushall -flushdb";
    Ok((!denied).then(|| flush_allowed(address, next)))
}

fn flush_allowed(address: &str, next: &str) -> Warning {
    Warning::new("warning", address, "FLUSHALL is allowed: one typing error releases every lock", next)
}

/// Whether several addresses show the same keys. Then they are one server, and no masters for Redlock.
pub async fn one_and_the_same(addresses: &[String], login: &Login) -> Result<Option<Warning>, Failure> {
    let [first, others @ ..] = addresses else { return Ok(None) };
    let key = format!("tenure-doctor:{}:one", uuid::Uuid::now_v7().simple());
    let mut same = vec![first.as_str()];
    if !others.is_empty() {
        ask(first, login, &["SET", &key, "here", "PX", "10000"]).await?;
    }
    for other in others {
        if ask(other, login, &["GET", &key]).await? == Value::Text("here".into()) {
            same.push(other);
        }
    }
    if !others.is_empty() {
        ask(first, login, &["DEL", &key]).await?;
    }
    if same.len() == 1 {
        return Ok(None);
    }
    let what = "these addresses show the same keys: they are one endpoint, and not so many masters for Redlock, which would \
                never get its majority from them";
    let next = "give a Redlock client one of them, or all of them to a client that needs any one";
    Ok(Some(Warning::new("warning", &same.join(","), what, next)))
}

async fn ask(address: &str, login: &Login, request: &[&str]) -> Result<Value, Failure> {
    let asked = async { Ok(Connection::open(address, login).await?.call(request).await?) };
    asked.await.map_err(|trouble| unreachable(address, trouble))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(mode: &str, role: &str, resp3: bool, info: &str) -> Vec<String> {
        let server = Server {
            address: "h:1".into(),
            server: "redis".into(),
            version: "7.0.15".into(),
            mode: mode.into(),
            role: role.into(),
            resp3,
        };
        warnings(&server, &fields(info)).into_iter().map(|warning| warning.what).collect()
    }

    #[test]
    fn what_is_dangerous_for_locks_is_told() {
        let well = "maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\naof_enabled:1\r\nconnected_slaves:0\r\n";
        assert_eq!(said("standalone", "master", true, well), Vec::<String>::new());
        let tells = |mode, role, resp3, info, word: &str| {
            let said = said(mode, role, resp3, info);
            assert!(said.len() == 1 && said[0].contains(word), "{word}: {said:?}");
        };
        tells("sentinel", "-", false, "aof_enabled:0", "Sentinel");
        tells("cluster", "master", true, well, "MOVED");
        tells("standalone", "slave", true, well, "replica");
        tells("standalone", "master", false, well, "RESP3");
        tells("standalone", "master", true, "connected_slaves:2", "failover");
        tells("standalone", "master", true, "aof_enabled:0", "restart");
        tells("standalone", "master", true, "maxmemory:1\nmaxmemory_policy:allkeys-lru", "evict");
    }
}
