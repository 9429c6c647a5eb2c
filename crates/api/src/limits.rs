//! Every limit of this crate, with its reason.

use std::time::Duration;

/// Leases on one page of a list …
pub const LIST_ROWS_MAX: usize = 1000;

/// … and keys that are looked at for it: those that hold a hash or a list are no leases, and nothing is applied meanwhile.
pub const LIST_LOOKS_MAX: usize = 4096;

/// … and their bytes, above which a page ends: so many of the longest holders would take 64 MiB, and a gRPC client takes
/// no message above 4 MiB unless told to.
pub const LIST_BYTES_MAX: usize = 1024 * 1024;

/// Pages that are made at a time. Each takes up to a millisecond of a thread that has other work in between.
pub const LISTINGS_MAX: usize = 1;

/// Orders on one page of a list …
pub const ORDER_ROWS_MAX: usize = 1000;

/// … and without a number that was asked for.
pub const ORDER_ROWS_DEFAULT: usize = 100;

/// Orders that are looked at for a page, or for a step of a watch: nothing is applied meanwhile, and a look at one takes about
/// a microsecond.
pub const ORDERS_LOOKED_AT_MAX: usize = 2048;

/// Looks that are made for one page, each at so many orders and at what of the history lies between them: a page of what is rare
/// need not be asked for again and again, and no call takes longer than a second.
pub const LIST_STEPS_MAX: usize = 32;

/// What an order, and each of its fills, counts for in a page of [`LIST_BYTES_MAX`]: its names are of at most 64 bytes each.
pub const ORDER_ROW_BYTES: usize = 512;

/// How long a node that was told the outcome of a write is waited for to apply it, before a quorum round is asked for: many
/// times what the news of a commit takes.
pub const APPLIED_WITHIN: Duration = Duration::from_millis(50);

/// Orders in one batch, and reports in another: as many as venues take in one message.
pub const BATCH_ORDERS_MAX: usize = 20;

/// Things that the reports of one call say together: each is an action of one transaction, whose answers have a limit.
pub const REPORTED_FACTS_MAX: usize = 32;

/// Largest request: a lease name, a holder, and room to grow.
pub const REQUEST_BYTES_MAX: usize = 1024 * 1024;

/// Calls under way on one connection; HTTP/2 makes the client wait beyond this.
pub const STREAMS_PER_CONNECTION_MAX: u32 = 1024;

/// Messages that a watcher has not yet taken. A watcher is shown the newest state, so it needs few.
pub const WATCH_BUFFER: usize = 16;

/// The longest wait for a quorum round that a status call may ask for.
pub const QUORUM_WAIT_MAX: Duration = Duration::from_secs(3);

/// A connection that does not answer a ping for this long is closed.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a refusal may say, in bytes. It travels in the trailers of a call, once as text and once encoded, and clients take no more than 8 to
/// 16 KiB of them.
pub const REFUSAL_BYTES_MAX: usize = 2 * 1024;
