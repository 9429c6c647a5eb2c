//! A client of the exchange without a connection: it signs, asks, and looks at the answer.

use std::collections::VecDeque;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use venue_sim::identity::{API_KEY, SECRET};
use venue_sim::{Arrival, Body, Call, Frame, Options, Reply, Venue};

/// A Monday noon.
pub(crate) const NOON_MS: i64 = 1_700_000_000_000;

pub(crate) struct Client {
    pub(crate) venue: Venue,
    pub(crate) now_ms: i64,
    frames: VecDeque<(u64, Frame)>,
}

/// Nobody quotes: what trades is said.
pub(crate) fn quiet() -> Options {
    Options { quoting: None, ..Options::default() }
}

impl Client {
    pub(crate) fn new(options: Options) -> Client {
        Client { venue: Venue::new(options, NOON_MS), now_ms: NOON_MS, frames: VecDeque::new() }
    }

    /// A public or an unsigned request.
    pub(crate) fn ask(&mut self, method: &str, path: &str, query: &str) -> (u16, Value) {
        self.send(&Call::rest("local", method, path, query, "", Some(API_KEY)))
    }

    /// A signed request with a timestamp of now.
    pub(crate) fn signed(&mut self, method: &str, path: &str, query: &str) -> (u16, Value) {
        let call = signed_call(method, path, query, self.now_ms);
        self.send(&call)
    }

    pub(crate) fn send(&mut self, call: &Call) -> (u16, Value) {
        let reply = self.reply(call);
        let Body::Json(body) = reply.body else { panic!("JSON is expected") };
        (reply.status, body)
    }

    pub(crate) fn reply(&mut self, call: &Call) -> Reply {
        let arrival = self.arrive(call);
        self.venue.execute(self.now_ms, &arrival, call)
    }

    pub(crate) fn arrive(&mut self, call: &Call) -> Arrival {
        self.venue.arrive(self.now_ms, call)
    }

    /// A request by WebSocket; the envelope that comes back.
    pub(crate) fn ws(&mut self, session: u64, method: &str, params: Value) -> Value {
        let call = Call::ws("local", session, method, Some(&params));
        let arrival = self.arrive(&call);
        self.venue.execute_ws(self.now_ms, &arrival, &call, &json!("id"))
    }

    pub(crate) fn wait(&mut self, ms: i64) {
        self.now_ms += ms;
        self.venue.advance(self.now_ms);
    }

    /// The next thing that a session is told.
    pub(crate) fn heard(&mut self) -> Option<Value> {
        self.frames.extend(self.venue.take_frames());
        let (_, frame) = self.frames.pop_front()?;
        match frame {
            Frame::Text(text) => Some(serde_json::from_str(&text).expect("frames are JSON")),
            Frame::Close => Some(json!("closed")),
        }
    }

    /// Everything that was told and not looked at: kind, execution, and where it is about an order, its client id.
    pub(crate) fn all_heard(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.heard()).map(|frame| in_short(&frame)).collect()
    }
}

fn in_short(frame: &Value) -> String {
    let event = if frame["event"].is_object() { &frame["event"] } else { frame };
    let parts = [event["e"].as_str(), event["x"].as_str(), event["c"].as_str()];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    if parts.is_empty() { frame.to_string() } else { parts.join(" ") }
}

pub(crate) fn signed_call(method: &str, path: &str, query: &str, timestamp_ms: i64) -> Call {
    let query = if query.is_empty() { String::new() } else { format!("{query}&") };
    let query = format!("{query}timestamp={timestamp_ms}");
    let query = format!("{query}&signature={}", signature(&query));
    Call::rest("local", method, path, &query, "", Some(API_KEY))
}

pub(crate) fn signature(payload: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    mac.update(payload.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
