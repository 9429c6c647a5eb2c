//! The locks of Rust's Redis libraries, each as its documentation uses it; `../../README.md` says what the lines mean.
//!
//! usage: contender PORT LIBRARY…, until standard input ends

mod contender;
mod libraries;

use std::cell::Cell;
use std::rc::Rc;

use tokio::io::{AsyncBufReadExt, BufReader};

use crate::contender::{Mood, contend};
use crate::libraries::{Fred, RedisRs, Rslock};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().and_then(|port| port.parse().ok()).expect("a port");
    let mood = Rc::new(Cell::new(Mood::Passing));
    let local = tokio::task::LocalSet::new();
    for name in arguments {
        let mood = mood.clone();
        local.spawn_local(async move {
            match name.as_str() {
                "redis-rs" => contend::<RedisRs>(name, port, mood).await,
                "fred" => contend::<Fred>(name, port, mood).await,
                "rslock" => contend::<Rslock>(name, port, mood).await,
                _ => panic!("{name} is not known"),
            }
        });
    }
    local.spawn_local(async move {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            mood.set(if line.trim() == "keep" { Mood::Keeping } else { Mood::Passing });
        }
        mood.set(Mood::Over);
    });
    local.await;
}
