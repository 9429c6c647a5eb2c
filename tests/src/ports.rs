//! Ports of a test's own.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Below the range that the kernel gives to outgoing connections.
const FIRST: u16 = 10_000;
const STEP: u16 = 1000;
const COUNT: u16 = 22;

/// A thousand ports from `base` on that nobody else has, until this is dropped.
pub struct Ports {
    pub base: u16,
    /// The last of them, held as a sign to other test programs.
    _claim: TcpListener,
}

impl Ports {
    pub fn claim() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        // Different programs begin at different places.
        let offset = u16::try_from(std::process::id() % u32::from(COUNT))?;
        for _ in 0..COUNT {
            let slot = (NEXT.fetch_add(1, Ordering::Relaxed) + offset) % COUNT;
            let base = FIRST + slot * STEP;
            if let Ok(claim) = TcpListener::bind(("127.0.0.1", base + STEP - 1))
                && are_free(base)
            {
                return Ok(Self { base, _claim: claim });
            }
        }
        bail!("no thousand free ports between {FIRST} and {}", FIRST + STEP * COUNT)
    }
}

fn are_free(base: u16) -> bool {
    let of_nodes = (1..=7).flat_map(|id| [1, 2, 69, 79, 80].map(|door| id * 100 + door));
    of_nodes.chain([900, 901]).all(|offset| TcpListener::bind(("127.0.0.1", base + offset)).is_ok())
}
