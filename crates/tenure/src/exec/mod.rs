//! `tenure lease exec`: a program that knows nothing of leases runs only while one is held.
//!
//! Three processes, all of this binary until the last becomes the program:
//!
//! ```text
//! keeper ── takes the lease, renews it, forwards signals, gives the lease back
//!   └─ guard ── holds the deadline by a clock of its own, ends the program before it
//!        └─ COMMAND ── in a process group of its own, dies with the guard
//! ```
//!
//! The guard is told the deadline of every renewal and trusts nothing else: when the keeper is killed or stopped, or no
//! renewal succeeds, it ends the program itself. When the guard is killed or stopped, the keeper does. Only with both
//! stopped at once does the program outlive its lease; then the fencing token is what protects.
//!
//! Invariants:
//! - The program runs only between a grant and `kill_at` of its last successful renewal ([`terms`]).
//! - It is never started after a request to stop.
//! - A renewal without a certain answer is neither a success nor a loss.
//! - The lease is given back only when nothing of the program is left ([`family`]).
//!
//! Read in this order: [`terms`] and [`custody`] (what is due when, pure), [`keeper`], [`guard`], then what they use.

mod custody;
mod family;
mod guard;
mod keeper;
mod line;
mod moment;
mod nodes;
mod stops;
mod terms;

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

pub use guard::run as run_guard;
pub use keeper::run;

/// What `tenure lease exec` is given.
#[derive(Args, Debug)]
pub struct Exec {
    name: String,
    /// How long a grant or a renewal lasts, at least 1s.
    #[arg(long, value_parser = ttl, default_value = "10s")]
    ttl: Duration,
    /// Default: the machine, the process and a random number.
    #[arg(long)]
    holder: Option<String>,
    /// Wait at most this long for the lease; 0s: one try. Default: for ever.
    #[arg(long, value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    /// The program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What the guard is given, by the keeper alone.
#[derive(Args, Debug)]
pub struct Guard {
    /// Become the program, and end when this process does.
    #[arg(long)]
    end_with: Option<u32>,
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

fn ttl(text: &str) -> Result<Duration, String> {
    let ttl = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if ttl < terms::TTL_MIN {
        let min = humantime::format_duration(terms::TTL_MIN);
        return Err(format!("at least {min}: less leaves no time to renew the lease and to end the program"));
    }
    Ok(ttl)
}
