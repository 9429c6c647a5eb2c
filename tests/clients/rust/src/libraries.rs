//! Three libraries: two clients with the lock of Redis's own page, and one that is a lock itself.

use std::time::Duration;

use fred::prelude::{
    Builder, Client, ClientLike, Config, Expiration, KeysInterface, LuaInterface, ServerConfig, SetOptions,
};
use redis::Script;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use rslock::{Lock, LockError, LockManager};
use uuid::Uuid;

use crate::contender::{LASTS, Library};

const RENEW: &str = "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) else return 0 end";
const RELEASE: &str =
    "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

/// Longer than a failover takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// Long enough for a node that starts again.
const RETRIES: u32 = 60;
const RETRY_EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Held {
    key: String,
    mine: String,
}

impl Held {
    fn new(key: &str) -> Self {
        Self { key: key.into(), mine: Uuid::new_v4().to_string() }
    }
}

pub(crate) struct RedisRs(ConnectionManager);

impl Library for RedisRs {
    type Held = Held;
    type Error = redis::RedisError;
    const VERSION: &str = "1.8.1";

    async fn open(port: u16) -> Result<Self, Self::Error> {
        let client = redis::Client::open(("127.0.0.1", port))?;
        // Of itself it waits half a second for an answer, which is less than a failover takes.
        let config = ConnectionManagerConfig::new().set_response_timeout(Some(PATIENCE));
        Ok(Self(client.get_connection_manager_with_config(config).await?))
    }

    async fn take(&mut self, key: &str) -> Result<Option<Held>, Self::Error> {
        let held = Held::new(key);
        let mut set = redis::cmd("SET");
        set.arg(key).arg(&held.mine).arg("NX").arg("PX").arg(LASTS.as_millis() as u64);
        let said: Option<String> = set.query_async(&mut self.0).await?;
        Ok(said.map(|_| held))
    }

    async fn renew(&mut self, held: &mut Held) -> Result<bool, Self::Error> {
        let script = Script::new(RENEW);
        script.key(&held.key).arg(&held.mine).arg(LASTS.as_millis() as u64).invoke_async(&mut self.0).await
    }

    async fn release(&mut self, held: &Held) -> Result<bool, Self::Error> {
        Script::new(RELEASE).key(&held.key).arg(&held.mine).invoke_async(&mut self.0).await
    }
}

pub(crate) struct Fred(Client);

impl Library for Fred {
    type Held = Held;
    type Error = fred::error::Error;
    const VERSION: &str = "10.1.0";

    async fn open(port: u16) -> Result<Self, Self::Error> {
        let config = Config { server: ServerConfig::new_centralized("127.0.0.1", port), ..Config::default() };
        let client = Builder::from_config(config)
            .set_policy(fred::types::config::ReconnectPolicy::new_constant(0, 100))
            .build()?;
        client.init().await?;
        Ok(Self(client))
    }

    async fn take(&mut self, key: &str) -> Result<Option<Held>, Self::Error> {
        let held = Held::new(key);
        let expiration = Some(Expiration::PX(LASTS.as_millis() as i64));
        let said: Option<String> =
            self.0.set(key, &held.mine, expiration, Some(SetOptions::NX), false).await?;
        Ok(said.map(|_| held))
    }

    async fn renew(&mut self, held: &mut Held) -> Result<bool, Self::Error> {
        let words = vec![held.mine.clone(), LASTS.as_millis().to_string()];
        self.0.eval(RENEW, held.key.as_str(), words).await
    }

    async fn release(&mut self, held: &Held) -> Result<bool, Self::Error> {
        self.0.eval(RELEASE, held.key.as_str(), held.mine.as_str()).await
    }
}

/// It tells no refusal from a fault. A renewal that has no answer within half a second, which it cannot be told to change,
/// makes it release the lock: with much patience for when nothing answers.
pub(crate) struct Rslock {
    asking: LockManager,
    holding: LockManager,
}

impl Library for Rslock {
    type Held = Lock;
    type Error = LockError;
    const VERSION: &str = "0.10.0";
    const GIVES_UP: bool = true;

    async fn open(port: u16) -> Result<Self, Self::Error> {
        let address = format!("redis://127.0.0.1:{port}");
        let asking = LockManager::new(vec![address]);
        let mut holding = asking.clone();
        holding.set_retry(RETRIES, RETRY_EVERY);
        Ok(Self { asking, holding })
    }

    async fn take(&mut self, key: &str) -> Result<Option<Lock>, LockError> {
        refused(self.asking.lock(key, LASTS).await)
    }

    async fn renew(&mut self, held: &mut Lock) -> Result<bool, LockError> {
        let renewed = refused(self.holding.extend(held, LASTS).await)?;
        let is_mine = renewed.is_some();
        *held = renewed.unwrap_or_else(|| Lock {
            resource: held.resource.clone(),
            val: held.val.clone(),
            validity_time: 0,
            lock_manager: held.lock_manager.clone(),
        });
        Ok(is_mine)
    }

    /// It does not say whose lock it was; that is looked at.
    async fn release(&mut self, held: &Lock) -> Result<bool, LockError> {
        let found = self.holding.query_redis_for_key_value(&held.resource).await?;
        self.holding.unlock(held).await;
        Ok(found.as_ref() == Some(&held.val))
    }
}

fn refused(locked: Result<Lock, LockError>) -> Result<Option<Lock>, LockError> {
    match locked {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Unavailable) => Ok(None),
        Err(error) => Err(error),
    }
}
