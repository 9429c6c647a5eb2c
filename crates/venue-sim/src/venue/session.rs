//! WebSocket sessions: who has logged on, what is subscribed, what goes out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stream::Listeners;
use super::{Venue, Visitor};
use crate::limits::CONNECTION_WEIGHT;
use crate::refusal::Refusal;

/// What goes out to a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    Text(String),
    /// The exchange closes it.
    Close,
}

/// One connection to the WebSocket API.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) address: String,
    pub(crate) connected_ms: i64,
    /// What answers have where the request does not say.
    pub(crate) returns_rate_limits: bool,
    pub(crate) logon: Option<Logon>,
    /// By their ids.
    pub(crate) subscriptions: BTreeMap<u64, Subscription>,
    /// How many there have been.
    pub(crate) subscribed: u64,
}

/// Who a session is.
#[derive(Clone, Debug)]
pub(crate) struct Logon {
    pub(crate) api_key: &'static str,
    pub(crate) account: &'static str,
    pub(crate) since_ms: i64,
}

/// A session that wants to hear of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subscription {
    pub(crate) account: &'static str,
    /// It ends when the session logs out.
    pub(crate) by_logon: bool,
}

/// All sessions, and what goes out to them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sessions {
    open: BTreeMap<u64, Session>,
    opened: u64,
    frames: Vec<(u64, Frame)>,
}

impl Sessions {
    pub(crate) fn get(&self, id: u64) -> Option<&Session> {
        self.open.get(&id)
    }

    pub(crate) fn close_address(&mut self, address: &str) {
        self.close_those(|session| session.address == address);
    }

    fn close_those(&mut self, which: impl Fn(&Session) -> bool) {
        let closed: Vec<u64> =
            self.open.iter().filter(|(_, session)| which(session)).map(|(id, _)| *id).collect();
        for id in closed {
            self.open.remove(&id);
            self.frames.push((id, Frame::Close));
        }
    }

    pub(crate) fn take_frames(&mut self) -> Vec<(u64, Frame)> {
        std::mem::take(&mut self.frames)
    }
}

impl Listeners for Sessions {
    fn tell(&mut self, account: &str, event: &Value) {
        for (id, session) in &self.open {
            for (subscription, wanted) in &session.subscriptions {
                if wanted.account == account {
                    let text = json!({"subscriptionId": subscription, "event": event}).to_string();
                    self.frames.push((*id, Frame::Text(text)));
                }
            }
        }
    }

    fn close(&mut self, account: &str) {
        self.close_those(|session| session.subscriptions.values().any(|wanted| wanted.account == account));
    }
}

impl Venue {
    /// A connection to the WebSocket API was made: its id.
    pub fn connect(&mut self, now_ms: i64, address: &str, returns_rate_limits: bool) -> u64 {
        self.advance(now_ms);
        // Who has used too much is told so by the answer to the first request.
        let _too_much = self.spot.usage.charge(address, self.now_ms, CONNECTION_WEIGHT);
        let id = self.new_connection();
        let session = Session {
            address: address.into(),
            connected_ms: self.now_ms,
            returns_rate_limits,
            logon: None,
            subscriptions: BTreeMap::new(),
            subscribed: 0,
        };
        self.sessions.open.insert(id, session);
        id
    }

    /// Says a last word to a connection and closes it.
    pub fn close(&mut self, id: u64, last_word: String) {
        self.sessions.frames.push((id, Frame::Text(last_word)));
        self.sessions.frames.push((id, Frame::Close));
    }

    /// A number for a connection, of whichever kind.
    pub(crate) fn new_connection(&mut self) -> u64 {
        self.sessions.opened += 1;
        self.sessions.opened
    }

    /// A connection is gone.
    pub fn disconnect(&mut self, id: u64) {
        self.sessions.open.remove(&id);
        self.spot.feed.leave(id);
        self.futures.feed.leave(id);
    }

    pub(crate) fn session_mut(&mut self, visitor: &Visitor<'_>) -> Result<&mut Session, Refusal> {
        let session = visitor.session.and_then(|id| self.sessions.open.get_mut(&id));
        session.ok_or_else(|| Refusal::new(400, -1020, "This operation is not supported."))
    }

    /// Ends a subscription and says so to who had it.
    pub(crate) fn end_subscription(&mut self, visitor: &Visitor<'_>, id: u64) -> Result<(), Refusal> {
        let now_ms = self.now_ms;
        self.session_mut(visitor)?.subscriptions.remove(&id);
        let event = json!({"e": "eventStreamTerminated", "E": now_ms});
        let text = json!({"subscriptionId": id, "event": event}).to_string();
        self.sessions.frames.extend(visitor.session.map(|session| (session, Frame::Text(text))));
        Ok(())
    }

    /// Says to every connection that the exchange shuts down.
    pub(crate) fn announce_shutdown(&mut self) {
        let text = json!({"event": {"e": "serverShutdown", "E": self.now_ms}}).to_string();
        let ids: Vec<u64> = self.sessions.open.keys().copied().collect();
        self.sessions.frames.extend(ids.into_iter().map(|id| (id, Frame::Text(text.clone()))));
        self.spot.feed.announce_shutdown(self.now_ms);
        self.futures.feed.announce_shutdown(self.now_ms);
    }

    /// The exchange ends.
    pub fn shut_down(&mut self) {
        self.announce_shutdown();
        self.close_all();
    }

    /// Closes every connection.
    pub(crate) fn close_all(&mut self) {
        self.sessions.close_those(|_| true);
        self.spot.feed.close_all();
        self.futures.feed.close_all();
    }
}
