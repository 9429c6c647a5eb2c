//! Messages: some clients speak, through one node after another; others listen at a node for as long as they are connected.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::redis::refused;
use super::resp::{Connection, Value};
use super::{ANSWER_WITHIN, Answered, PAUSE, Phase, Shared};
use crate::clock::now_ns;
use crate::judge::messages::{Heard, Said, Talk, Told};
use crate::world::REDIS_PORT;

const CHANNEL: &str = "news";

const SPEAKERS: u64 = 2;
const LISTENERS: u64 = 3;

/// Between two messages of a speaker.
const SPEAKS_EVERY: Duration = Duration::from_millis(150);

/// Who hears nothing for so long looks for another node.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// Between two messages that a listener hears it leaves its node once in so many times.
const LEAVES_ONE_IN: u32 = 100;

/// Speakers and listeners, of whom each may be anywhere.
#[derive(Clone)]
pub(super) struct News {
    shared: Arc<Shared>,
    talk: Arc<Mutex<Talk>>,
}

impl News {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, talk: Arc::default() }
    }

    pub(super) fn talk(&self) -> Talk {
        self.talk.lock().clone()
    }

    /// All of them, until the load is over.
    pub(super) async fn work(self, phases: watch::Receiver<Phase>, mut random: StdRng) {
        let mut draw = || StdRng::seed_from_u64(random.random());
        let speakers = (1..=SPEAKERS).map(|id| (id, draw())).collect::<Vec<_>>();
        let listeners = (1..=LISTENERS).map(|_| draw()).collect::<Vec<_>>();
        let speak = speakers.into_iter().map(|(id, random)| self.speak(id, phases.clone(), random));
        let listen = listeners.into_iter().map(|random| self.listen(phases.clone(), random));
        tokio::join!(futures_util::future::join_all(speak), futures_util::future::join_all(listen));
    }

    async fn speak(&self, id: u64, mut phases: watch::Receiver<Phase>, mut random: StdRng) {
        let mut connection: Option<Connection> = None;
        for number in 0_u64.. {
            if phases
                .wait_for(|phase| *phase != Phase::Wait)
                .await
                .is_ok_and(|phase| *phase == Phase::LastLook)
            {
                return;
            }
            let mut open = match connection.take() {
                Some(open) => open,
                None => match self.open(&mut random).await {
                    Some((_, open)) => open,
                    None => continue,
                },
            };
            let (text, invoked_ns) = (format!("s{id}-{number}"), now_ns());
            let told = match timeout(ANSWER_WITHIN, open.call(&["PUBLISH", CHANNEL, &text])).await {
                Ok(Ok(Value::Integer(_))) => Told::Published { at_ns: now_ns() },
                Ok(Ok(Value::Error(error))) => match refused(&error) {
                    Answered::Refused => Told::Refused,
                    _ => Told::Unknown,
                },
                Ok(Ok(other)) => panic!("PUBLISH was answered with {other:?}"),
                Ok(Err(_)) | Err(_) => Told::Unknown,
            };
            if matches!(told, Told::Published { .. }) {
                connection = Some(open);
            }
            self.talk.lock().said.push(Said { text, invoked_ns, told });
            sleep(SPEAKS_EVERY.mul_f64(random.random_range(0.0..2.0))).await;
        }
    }

    async fn listen(&self, mut phases: watch::Receiver<Phase>, mut random: StdRng) {
        loop {
            if phases
                .wait_for(|phase| *phase != Phase::Wait)
                .await
                .is_ok_and(|phase| *phase == Phase::LastLook)
            {
                return;
            }
            let Some((node, mut connection)) = self.open(&mut random).await else { continue };
            let subscribed = timeout(ANSWER_WITHIN, connection.call(&["SUBSCRIBE", CHANNEL])).await;
            let Ok(Ok(Value::Array(Some(_)))) = subscribed else {
                sleep(PAUSE).await;
                continue;
            };
            let place = {
                let heard = &mut self.talk.lock().heard;
                heard.push(Heard { node, since_ns: now_ns(), texts: Vec::new() });
                heard.len() - 1
            };
            while let Ok(Ok(pushed)) = timeout(SILENCE_MAX, connection.pushed()).await {
                self.talk.lock().heard[place].texts.push(text(pushed));
                if random.random_ratio(1, LEAVES_ONE_IN) {
                    break;
                }
            }
        }
    }

    /// At any node; `None`, after a pause, if it does not answer.
    async fn open(&self, random: &mut StdRng) -> Option<(u64, Connection)> {
        let (node, host) = {
            let hosts = self.shared.hosts.lock();
            hosts[random.random_range(0..hosts.len())].clone()
        };
        match timeout(ANSWER_WITHIN, Connection::open(&host, REDIS_PORT)).await {
            Ok(Ok(connection)) => Some((node, connection)),
            Ok(Err(_)) | Err(_) => {
                sleep(PAUSE).await;
                None
            }
        }
    }
}

fn text(pushed: Value) -> String {
    match pushed {
        Value::Array(Some(parts)) => match &parts[..] {
            [Value::Bulk(Some(kind)), _, Value::Bulk(Some(text))] if kind == b"message" => {
                String::from_utf8_lossy(text).into_owned()
            }
            other => panic!("a subscriber was sent {other:?}"),
        },
        other => panic!("a subscriber was sent {other:?}"),
    }
}
