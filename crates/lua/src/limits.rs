//! Every limit of a script, in one place, each with its reason. A script that meets one ends with an error and takes
//! its machine with it; the process goes on.

use std::time::Duration;

/// What one run may cost. The defaults are the limits below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub time: Duration,
    pub steps: u64,
    pub memory_bytes: usize,
    pub requests: usize,
    pub request_bytes: usize,
    pub result_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: TIME,
            steps: STEPS_MAX,
            memory_bytes: MEMORY_BYTES_MAX,
            requests: REQUESTS_MAX,
            request_bytes: REQUEST_BYTES_MAX,
            result_bytes: RESULT_BYTES_MAX,
        }
    }
}

/// How long a run may take. It holds the thread that serves all clients, which must answer again before an election
/// would be called; a lock script takes some microseconds.
pub const TIME: Duration = Duration::from_millis(100);

/// Turns of loops and calls of functions in one run. More than any processor makes within [`TIME`], so that only a
/// clock that stands still, as a simulated one does, lets a run come here.
pub const STEPS_MAX: u64 = 20_000_000;

/// What one run may allocate beyond what the machine itself holds: texts, tables, the stack. The largest value that a
/// key can have fits sixteen times.
pub const MEMORY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How close to the limit of memory a run counts as having met it: below this, not even the error can be told.
pub const MEMORY_BYTES_MARGIN: usize = 64 * 1024;

/// Garbage of earlier runs above which it is collected before the next: a run is never charged for others.
pub const GARBAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Commands that one run may send. Each costs the caller work that the machine's memory does not show.
pub const REQUESTS_MAX: usize = 100_000;

/// Bytes of all commands that one run may send, for the same reason: they leave the machine's memory.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the result of a run may take in memory, headers included: a script can return the same table a million times.
pub const RESULT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Tables within tables in a result. Redis goes until its stack ends; the parsers of clients end long before.
pub const RESULT_DEPTH_MAX: usize = 128;

/// The source of one script, also of one that a script makes. The compiler is no part of the machine and knows neither
/// its clock nor its memory; this many bytes take it some milliseconds. The longest lock script known has 2 KiB, the
/// longest of a job queue 30 KiB.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;

/// Compiled scripts that a machine keeps. A desk uses a dozen; with more than this all are forgotten, and compiling one
/// again takes less than a millisecond.
pub const COMPILED_MAX: usize = 128;

/// Values between two looks at the clock in code that is not Lua: about 0.1 ms.
pub const VALUES_PER_LOOK: usize = 1024;

/// Bytes of a text times bytes of what is sought in it, above which a search is left to an algorithm that does not
/// multiply them. Lua's own would look for one half megabyte in another for a minute, and nothing could end it.
pub const SEARCH_PRODUCT_MAX: usize = 1024 * 1024;

/// Nesting of JSON in both directions, which recurses on the stack of the thread. Redis allows 1,000; nobody nests ten.
pub const JSON_DEPTH_MAX: usize = 128;
