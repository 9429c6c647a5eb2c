//! The smallest client: what is sent is what the test wrote, byte for byte.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::timeout;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }

    /// Checks a refusal: its status, its reason, and that its message speaks of `about`.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, reason: &str, about: &str) {
        let json = self.json();
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(json["code"], status, "{self:?}");
        assert_eq!(json["reason"], reason, "{self:?}");
        assert!(json["message"].as_str().unwrap().contains(about), "{about:?} is not in {self:?}");
        assert!(!json["next"].as_str().unwrap().is_empty(), "{self:?}");
    }
}

/// Sends `bytes` and reads until the server closes.
pub(crate) async fn request(mut socket: DuplexStream, bytes: &str) -> Answer {
    // A refused body is not read to its end: the writing may fail, the answer counts.
    let _ = socket.write_all(bytes.as_bytes()).await;
    let mut answer = Vec::new();
    timeout(Duration::from_secs(30), socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    parse(&answer)
}

pub(crate) fn parse(answer: &[u8]) -> Answer {
    let answer = String::from_utf8(answer.to_vec()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.into(), body: body.into() }
}
