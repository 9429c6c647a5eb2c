//! Ways to say one call to the Redis protocol: as a command, in a transaction, by a script that is sent or was loaded, or
//! under a watch. However it is said, it is one step, and is judged as one.

use std::collections::BTreeMap;
use std::io;

use parking_lot::Mutex;

use super::resp::{Connection, Value};
use crate::judge::Call;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Command,
    /// `MULTI` to `EXEC`, after a read: so it is done on copies first.
    Transaction,
    /// One that no single action does the same as.
    Script,
    /// The same, one of so many of its kind, loaded through any node once and named from then on.
    LoadedScript(u8),
    /// Read, decide, and write if nothing has happened in between.
    Watch,
}

/// The sum is reckoned twice, by what was read and by what was written.
const INCREMENT: &str = "local before = redis.call('get',KEYS[1]) local after = redis.call('incr',KEYS[1]) if before and before + 1 ~= after then return redis.error_reply('TORN ' .. before .. ' ' .. after) end return after";

const DELETE_IF: &str = "redis.call('exists',KEYS[1]) local value = redis.call('get',KEYS[1]) if value == ARGV[1] then return redis.call('del',KEYS[1]) end return 0";

const EXPIRE_IF: &str = "redis.call('exists',KEYS[1]) local value = redis.call('get',KEYS[1]) if value == ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) end return 0";

/// Enough that scripts are loaded for the first time as long as a run goes on.
const SCRIPTS_OF_A_KIND: u8 = 50;

/// What the scripts are called whose load was acknowledged to any client, by their sources.
#[derive(Default)]
pub(super) struct Loaded(Mutex<BTreeMap<String, String>>);

impl Dialect {
    /// By the random name of the call.
    pub(super) fn of(id: [u8; 16]) -> Self {
        match id[0] % 8 {
            0 | 1 => Self::Transaction,
            2 if id[1].is_multiple_of(2) => Self::LoadedScript(id[2] % SCRIPTS_OF_A_KIND),
            2 => Self::Script,
            3 => Self::Watch,
            _ => Self::Command,
        }
    }

    /// What is answered to `request`, which is `call` as a command; an array of none: nothing was done, because something
    /// that was watched has changed.
    pub(super) async fn say(
        self,
        connection: &mut Connection,
        loaded: &Loaded,
        key: &str,
        call: &Call,
        request: &[&str],
    ) -> io::Result<Value> {
        match (self, call) {
            // Its answer is an array.
            (_, Call::Acquire { .. }) => connection.call(request).await,
            (Self::Transaction, _) => transaction(connection, &["GET", key], request).await,
            (Self::Script | Self::LoadedScript(_), _) => {
                let Some((source, arguments)) = script(call) else { return connection.call(request).await };
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                match self {
                    Self::LoadedScript(number) => {
                        loaded.call(connection, &format!("{source} -- {number}"), key, &arguments).await
                    }
                    _ => connection.call(&[&["EVAL", source, "1", key], &arguments[..]].concat()).await,
                }
            }
            (Self::Watch, Call::CompareAndDelete { value }) => {
                watch(connection, key, value, &["DEL", key]).await
            }
            (Self::Watch, Call::CompareAndExpire { value, ttl_ms }) => {
                watch(connection, key, value, &["PEXPIRE", key, &ttl_ms.to_string()]).await
            }
            _ => connection.call(request).await,
        }
    }
}

/// The script that does a call, and what it is given besides the key.
fn script(call: &Call) -> Option<(&'static str, Vec<String>)> {
    match call {
        Call::Increment => Some((INCREMENT, Vec::new())),
        Call::CompareAndDelete { value } => Some((DELETE_IF, vec![value.clone()])),
        Call::CompareAndExpire { value, ttl_ms } => {
            Some((EXPIRE_IF, vec![value.clone(), ttl_ms.to_string()]))
        }
        _ => None,
    }
}

impl Loaded {
    /// # Panics
    ///
    /// If a node does not know a script whose load was acknowledged before it was asked: nobody flushes them.
    async fn call(
        &self,
        connection: &mut Connection,
        source: &str,
        key: &str,
        arguments: &[&str],
    ) -> io::Result<Value> {
        let known = self.0.lock().get(source).cloned();
        let sha = match known {
            Some(sha) => sha,
            None => match connection.call(&["SCRIPT", "LOAD", source]).await? {
                Value::Bulk(Some(sha)) => String::from_utf8_lossy(&sha).into_owned(),
                other => return Ok(other),
            },
        };
        self.0.lock().insert(source.to_owned(), sha.clone());
        let said = connection.call(&[&["EVALSHA", &sha, "1", key], arguments].concat()).await?;
        if matches!(&said, Value::Error(error) if error.starts_with("NOSCRIPT")) {
            panic!("a script whose load was acknowledged is lost: {sha}");
        }
        Ok(said)
    }
}

async fn transaction(connection: &mut Connection, read: &[&str], request: &[&str]) -> io::Result<Value> {
    let requests: [&[&str]; 3] = [&["MULTI"], read, request];
    for request in requests {
        match connection.call(request).await? {
            Value::Simple(_) => {}
            other => return Ok(other),
        }
    }
    exec(connection).await
}

async fn watch(connection: &mut Connection, key: &str, value: &str, write: &[&str]) -> io::Result<Value> {
    let watched = connection.call(&["WATCH", key]).await?;
    if matches!(watched, Value::Error(_)) {
        return Ok(watched);
    }
    match connection.call(&["GET", key]).await? {
        Value::Bulk(Some(present)) if present == value.as_bytes() => {}
        Value::Bulk(_) => {
            connection.call(&["UNWATCH"]).await?;
            return Ok(Value::Integer(0));
        }
        other => return Ok(other),
    }
    for request in [&["MULTI"][..], write] {
        match connection.call(request).await? {
            Value::Simple(_) => {}
            other => return Ok(other),
        }
    }
    exec(connection).await
}

/// The answer to the last request of a transaction.
async fn exec(connection: &mut Connection) -> io::Result<Value> {
    Ok(match connection.call(&["EXEC"]).await? {
        Value::Array(Some(mut answers)) => answers.pop().ok_or(io::ErrorKind::InvalidData)?,
        other => other,
    })
}
