//! Clients of the Redis protocol, with the scripts that lock libraries send.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::RngExt;

use super::dialect::{Dialect, Loaded};
use super::resp::{Connection, Value};
use super::{Answered, Calls, Client, Family, Protocol, lease, returned};
use crate::judge::{Call, Condition, Lease, Operation, Reply, TimeLeft};
use crate::plan::Plan;
use crate::world::REDIS_PORT;

const DELETE_IF: &str =
    "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

const EXPIRE_IF: &str = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) else return 0 end";

pub(super) struct Redis {
    connection: Option<(String, Connection)>,
    loaded: Arc<Loaded>,
}

impl Redis {
    pub(super) fn new(loaded: Arc<Loaded>) -> Self {
        Self { connection: None, loaded }
    }
}

impl Protocol for Redis {
    async fn call(&mut self, host: &str, id: [u8; 16], key: &str, call: &Call) -> Answered {
        let mut connection = match self.connection.take() {
            Some((at, connection)) if at == host => connection,
            _ => match Connection::open(host, REDIS_PORT).await {
                Ok(connection) => connection,
                Err(_) => return Answered::Unreachable,
            },
        };
        let parts = request(key, call);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let said = Dialect::of(id).say(&mut connection, &self.loaded, key, call, &parts).await;
        // After an error something may still be queued or watched.
        if matches!(said, Ok(ref value) if !matches!(value, Value::Error(_))) {
            self.connection = Some((host.to_owned(), connection));
        }
        match said {
            Ok(Value::Error(error)) => refused(&error),
            Ok(Value::Array(None)) => Answered::Refused,
            // It does not say for how long the other has it.
            Ok(Value::Array(Some(parts))) if parts.first() == Some(&Value::Integer(0)) => Answered::Refused,
            Ok(value) => match reply(call, &value) {
                Some(reply) => returned(reply, None),
                None => panic!("{call} was answered with {value:?}"),
            },
            Err(_) => Answered::Unknown,
        }
    }

    fn disconnect(&mut self) {
        self.connection = None;
    }

    fn repeats(&self) -> bool {
        false
    }
}

fn request(key: &str, call: &Call) -> Vec<String> {
    let text = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
    match call {
        Call::Set { value, condition, ttl_ms, keep } => {
            let mut parts = text(&["SET", key, value]);
            match condition {
                Condition::Always => {}
                Condition::IfAbsent => parts.push("NX".into()),
                Condition::IfPresent => parts.push("XX".into()),
            }
            if let Some(ttl_ms) = ttl_ms {
                parts.extend(["PX".to_owned(), ttl_ms.to_string()]);
            }
            if *keep {
                parts.push("KEEPTTL".into());
            }
            parts
        }
        Call::Delete => text(&["DEL", key]),
        Call::Increment => text(&["INCR", key]),
        Call::CompareAndDelete { value } => text(&["EVAL", DELETE_IF, "1", key, value]),
        Call::CompareAndExpire { value, ttl_ms } => {
            text(&["EVAL", EXPIRE_IF, "1", key, value, &ttl_ms.to_string()])
        }
        Call::TimeLeft => text(&["PTTL", key]),
        Call::Acquire { holder, ttl_ms, .. } => {
            text(&["LEASE.ACQUIRE", key, holder, "PX", &ttl_ms.to_string()])
        }
        _ => text(&["GET", key]),
    }
}

fn reply(call: &Call, value: &Value) -> Option<Reply> {
    Some(match (call, value) {
        (Call::Set { .. }, Value::Simple(_)) => Reply::Written(true),
        (Call::Set { .. }, Value::Bulk(None)) => Reply::Written(false),
        (Call::Get, Value::Bulk(value)) => {
            Reply::Value(value.as_ref().map(|value| String::from_utf8_lossy(value).into_owned()))
        }
        (Call::Delete | Call::CompareAndDelete { .. }, Value::Integer(count)) => Reply::Removed(*count == 1),
        (Call::CompareAndExpire { .. }, Value::Integer(count)) => Reply::Changed(*count == 1),
        (Call::Increment, Value::Integer(integer)) => Reply::Integer(*integer),
        (Call::Acquire { holder, ttl_ms, .. }, Value::Array(Some(parts))) => match parts[..] {
            [Value::Integer(1), Value::Integer(token), Value::Integer(left)] => {
                let (token, left) = (u64::try_from(token).ok()?, u64::try_from(left).ok()?);
                let (ttl_ms, remaining_ms) = (Some(*ttl_ms), Some(left));
                Reply::Acquired(Lease { holder: holder.clone(), token, ttl_ms, remaining_ms })
            }
            _ => return None,
        },
        (Call::TimeLeft, Value::Integer(-2)) => Reply::TimeLeft(TimeLeft::Absent),
        (Call::TimeLeft, Value::Integer(-1)) => Reply::TimeLeft(TimeLeft::Endless),
        (Call::TimeLeft, Value::Integer(ms)) => Reply::TimeLeft(TimeLeft::Ms(u64::try_from(*ms).ok()?)),
        _ => return None,
    })
}

pub(super) fn refused(error: &str) -> Answered {
    match error.split(' ').next() {
        Some("TIMEOUT") => Answered::Unknown,
        Some("LOADING" | "OOM" | "TRYAGAIN") => Answered::Refused,
        _ if error.starts_with("ERR value is not an integer") => returned(Reply::Failed, None),
        _ if error.starts_with("ERR this node is out of service") => Answered::Refused,
        _ if error.starts_with("ERR the key changed while the script ran") => Answered::Refused,
        _ if error.starts_with("EXECABORT Transaction discarded because a WATCH before it failed") => {
            Answered::Refused
        }
        _ => panic!("refused with {error}"),
    }
}

impl Calls for Redis {
    fn next(&self, client: &mut Client) -> (String, Call) {
        let (family, key) =
            client.key(&[Family::Value, Family::Value, Family::Count, Family::Count, Family::Mixed]);
        let ttl_ms = client.random.random_range(200..5000);
        let choice = client.random.random_range(0..10);
        let call = match (family, choice) {
            (Family::Count, 0..=7) => Call::Increment,
            (Family::Count, _) | (Family::Value, 6..=7) | (Family::Mixed, 5..=6) => Call::Get,
            (Family::Mixed, 7..) | (Family::Value, 8) => Call::TimeLeft,
            (Family::Value, 9) => Call::Delete,
            (Family::Value, 0..=2) => {
                let (has_end, keep) = (client.random.random::<bool>(), client.random.random_ratio(1, 4));
                let condition = match client.random.random_range(0..4) {
                    0 => Condition::IfAbsent,
                    1 => Condition::IfPresent,
                    _ => Condition::Always,
                };
                let ttl_ms = (has_end && !keep).then_some(ttl_ms);
                Call::Set { value: client.fresh(), condition, ttl_ms, keep }
            }
            (Family::Mixed, 0..=1) => {
                let value = format!("holder{}", client.id);
                // Who overwrites a lease takes it over, and must be told from its holder by a new token.
                let overwrites = client.random.random_ratio(1, 6);
                let condition = if overwrites { Condition::Always } else { Condition::IfAbsent };
                Call::Set { value, condition, ttl_ms: Some(ttl_ms), keep: false }
            }
            (Family::Mixed, 2) => Call::CompareAndDelete { value: format!("holder{}", client.id) },
            (Family::Mixed, _) => Call::CompareAndExpire { value: format!("holder{}", client.id), ttl_ms },
            // What it wrote last, which may be there.
            (_, 3) => Call::CompareAndDelete { value: client.latest() },
            (_, _) => Call::CompareAndExpire { value: client.latest(), ttl_ms },
        };
        (key, call)
    }

    fn last(&self, plan: &Plan) -> Vec<(String, Call)> {
        let families = [Family::Value, Family::Count, Family::Mixed];
        let keys = (1..=plan.keys).flat_map(|number| families.each_ref().map(|family| family.key(number)));
        keys.map(|key| (key, Call::Get)).collect()
    }

    fn learn(&self, tokens: &mut BTreeMap<String, u64>, operation: &Operation) {
        lease::learn(tokens, operation);
    }
}
