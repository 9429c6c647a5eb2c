//! What every contender in Rust does with a library's lock.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

const HOLDS: f64 = 0.15;
const RENEWS_EVERY: Duration = Duration::from_millis(100);
const ASKS_EVERY: Duration = Duration::from_millis(60);

/// How long a lock lasts.
pub(crate) const LASTS: Duration = Duration::from_secs(20);

/// A renewal that failed is tried again up to so long before the end of what was promised.
const SAFE: f64 = 1.0;

const TRIES: usize = 5;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    /// It leaves after a moment.
    Passing,
    /// What it takes it keeps.
    Keeping,
    Over,
}

/// A library in its own words, and nothing else. `renew` and `release` say whether the lock was this contender's.
pub(crate) trait Library: Sized {
    type Held;
    type Error: std::fmt::Display;
    const VERSION: &str;

    /// A renewal that fails for whatever reason ends the lock.
    const GIVES_UP: bool = false;

    async fn open(port: u16) -> Result<Self, Self::Error>;
    async fn take(&mut self, key: &str) -> Result<Option<Self::Held>, Self::Error>;
    async fn renew(&mut self, held: &mut Self::Held) -> Result<bool, Self::Error>;
    async fn release(&mut self, held: &Self::Held) -> Result<bool, Self::Error>;
}

pub(crate) async fn contend<L: Library>(name: String, port: u16, mood: Rc<Cell<Mood>>) {
    let contender = Contender { name, port, mood };
    match contender.did::<L>().await {
        Ok(did) => contender.say(json!({ "version": L::VERSION, "did": did })),
        Err(what) => return contender.say(json!({ "wrong": what })),
    }
    contender.contend::<L>().await;
}

struct Contender {
    name: String,
    port: u16,
    mood: Rc<Cell<Mood>>,
}

impl Contender {
    fn say(&self, mut what: Value) {
        what["library"] = self.name.as_str().into();
        println!("{what}");
    }

    /// What cannot be done because of the world's ways is begun again.
    async fn did<L: Library>(&self) -> Result<Vec<&'static str>, &'static str> {
        for number in 0..TRIES {
            let key = format!("basics:{}:{}:{number}", self.name, self.port);
            match basics::<L>(self.port, &key).await {
                Ok(did) => return Ok(did),
                Err(Failure::Wrong(what)) => return Err(what),
                Err(Failure::World(error)) => self.failed("basics", &error).await,
            }
        }
        Err("nothing went well often enough")
    }

    async fn contend<L: Library>(&self) {
        let key = format!("contended:{}", self.name);
        let mut library = L::open(self.port).await.unwrap_or_else(|error| panic!("{error}"));
        while self.mood.get() != Mood::Over {
            let sent = now();
            let mut held = match library.take(&key).await {
                Ok(Some(held)) => held,
                Ok(None) => {
                    pause().await;
                    continue;
                }
                Err(error) => {
                    self.failed("acquire", &error).await;
                    continue;
                }
            };
            let begun = now();
            self.say(json!({ "took": begun }));
            let until = self.hold(&mut library, &mut held, begun, sent + LASTS.as_secs_f64()).await;
            let left = now();
            self.say(json!({ "held": [begun, left.min(until)] }));
            match library.release(&held).await {
                Ok(is_mine) if is_mine || left >= until => {}
                Ok(_) => self.say(json!({ "wrong": "it was no longer the holder when it left" })),
                Err(error) => self.failed("release", &error).await,
            }
        }
    }

    /// Until when it was promised to be the holder.
    async fn hold<L: Library>(&self, library: &mut L, held: &mut L::Held, begun: f64, mut until: f64) -> f64 {
        while now() < until && self.mood.get() != Mood::Over {
            sleep(RENEWS_EVERY).await;
            let sent = now();
            match library.renew(held).await {
                Ok(true) => {
                    self.say(json!({ "kept": sent }));
                    until = sent + LASTS.as_secs_f64();
                    if self.mood.get() != Mood::Keeping && now() > begun + HOLDS {
                        break;
                    }
                }
                Ok(false) => {
                    if L::GIVES_UP {
                        self.failed("renew", &"given up").await;
                    } else if sent < until {
                        self.say(json!({ "wrong": "it was no longer the holder before its time was over" }));
                    }
                    return sent;
                }
                Err(error) => {
                    self.failed("renew", &error).await;
                    if now() > until - SAFE {
                        break;
                    }
                }
            }
        }
        until
    }

    /// An outcome that is not known, or certainly not done: both are the world's ways.
    async fn failed(&self, when: &str, error: &impl std::fmt::Display) {
        self.say(json!({ "error": format!("{when}: {error}") }));
        pause().await;
    }
}

enum Failure<E> {
    Wrong(&'static str),
    World(E),
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::World(error)
    }
}

/// Everything once, two clients, one key of this endpoint.
async fn basics<L: Library>(port: u16, key: &str) -> Result<Vec<&'static str>, Failure<L::Error>> {
    let must = |holds: bool, what| if holds { Ok(()) } else { Err(Failure::Wrong(what)) };
    let (mut one, mut two) = (L::open(port).await?, L::open(port).await?);
    let mut held = one.take(key).await?.ok_or(Failure::Wrong("a free lock was refused"))?;
    must(two.take(key).await?.is_none(), "a lock was given twice")?;
    must(one.renew(&mut held).await?, "a renewal was refused")?;
    must(one.release(&held).await?, "a release was refused")?;
    let again = two.take(key).await?.ok_or(Failure::Wrong("a lock that was released was refused"))?;
    must(!one.release(&held).await?, "a lock of another was released")?;
    must(two.release(&again).await?, "a release was refused")?;
    Ok(vec!["acquire", "refuse", "renew", "release", "refuse another's release"])
}

/// CLOCK_MONOTONIC, in seconds.
fn now() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Before it asks again: not all at the same moment.
async fn pause() {
    let chance = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 256.0;
    sleep(ASKS_EVERY.mul_f64(0.5 + chance)).await;
}
