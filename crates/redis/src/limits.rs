//! Every limit of this edge, in one place, each with its reason. What is about keys and values themselves
//! (their length, how many) belongs to [`domain::limits`]; here is what one client may cost a node.

use std::time::Duration;

/// Arguments of one request. `MSET` with [`domain::limits::KEYS_PER_COMMAND_MAX`] pairs needs 2,049; the rest is
/// room for a clear error instead of a closed connection.
pub const ARGUMENTS_MAX: usize = 8192;

/// One argument. Larger than a value may be, so that a value too large gets an error that names the limit and
/// the connection lives; a length beyond this is a protocol error, as in Redis.
pub const BULK_BYTES_MAX: usize = 1024 * 1024;

/// All arguments of one request together.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One inline request, and one length line: Redis's own figure.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;

/// Arguments of a request before authentication: Redis's own figure, enough for `HELLO 3 AUTH u p SETNAME n`.
pub const UNAUTHENTICATED_ARGUMENTS_MAX: usize = 10;

/// One argument before authentication: Redis's own figure.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: usize = 16 * 1024;

/// Bytes read from a client and not yet understood. Reading stops here until the requests before are answered;
/// it must hold the largest argument and what one read adds, or such an argument would never be complete.
pub const INPUT_BYTES_MAX: usize = BULK_BYTES_MAX + 2 * READ_BYTES;

/// Taken by one read.
pub const READ_BYTES: usize = 16 * 1024;

/// Requests of one connection that are executed together. One quorum round for this many is already cheap; more
/// would only make one client's pipeline delay the others'.
pub const RUN_REQUESTS_MAX: usize = 1024;

/// Argument bytes of the requests that are executed together, so that a run stays far below a log entry's limit.
pub const RUN_BYTES_MAX: usize = 512 * 1024;

/// Requests between `MULTI` and `EXEC`, and the bytes of their arguments: what a log entry holds, with room for how it is
/// written there.
pub const QUEUE_REQUESTS_MAX: usize = domain::limits::TRANSACTION_ACTIONS_MAX;
pub const QUEUE_BYTES_MAX: usize = 512 * 1024;

/// How long a script runs among the quick. A lock script takes some microseconds.
pub const QUICK_SCRIPT_TIME: Duration = Duration::from_millis(5);

/// Scripts that run at a time, among the quick and among the slow. The latter share what is left of a processor, so that a
/// flood of them costs others at most that one.
pub const QUICK_SCRIPTS_MAX: usize = 4;
pub const SLOW_SCRIPTS_MAX: usize = 1;

/// Attempts of a transaction that reads and writes, or of a script, while others change what it reads. Those at one node
/// take turns after the first, so that each of these was lost to a newcomer or to another node.
pub const TRANSACTION_ATTEMPTS_MAX: usize = 32;

/// Places in which those take turns who change the same keys. Two that share one without need wait for each other, some
/// milliseconds; as many as this have a place of their own on most days.
pub const TURN_PLACES: usize = 256;

/// How long one waits for its turn: an election, and the few milliseconds of each of those before it.
pub const TURN_WAIT_MAX: Duration = Duration::from_secs(1);

/// Replies are sent at the latest when this many bytes are waiting, even in the middle of a pipeline.
pub const FLUSH_BYTES: usize = 64 * 1024;

/// Replies that a client has not taken, above which nothing more is read from it. A client that writes a whole
/// pipeline before it reads the first reply gets on below this.
pub const UNREAD_BYTES_SOFT: usize = 1024 * 1024;

/// Replies that a client has not taken, above which it is disconnected: what it asked for at once exceeds what
/// a node will hold for one client.
pub const UNREAD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Channels and patterns that one connection may subscribe to: far more than a client with a channel for each of its locks
/// needs, and with as many connections as there may be still no more than some gigabytes.
pub const SUBSCRIPTIONS_MAX: usize = 4096;

/// Messages that wait for one subscriber, above which it is disconnected. Redis allows 32 MiB, or 8 MiB for a minute; a
/// client that has this much to read has not kept up with what it wanted to know at once.
pub const SUBSCRIBER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes that a client may still send after it was told goodbye, so that its unread replies survive the close.
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// The reply to `KEYS`; beyond this the client is told to use `SCAN`.
pub const LISTING_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What `HRANDFIELD` and `SRANDMEMBER` draw when an element may come again, 32 bytes for each besides its own: 32,768 of the
/// shortest, about 0.5 ms in which the state is held.
pub const DRAWN_BYTES_MAX: usize = 1024 * 1024;

/// Codes of errors that are counted, each by itself. Scripts make codes of their own, and each of these is kept; later Redis's
/// own figure.
pub const ERROR_CODES_MAX: usize = 128;

/// How much of a code is kept; those of Redis have no more than 20.
pub const ERROR_CODE_CHARS_MAX: usize = 64;

/// Names met while the state is held once, about 0.1 ms …
pub const WALK_STEP_KEYS: usize = 1024;

/// … and their bytes, above which a step ends: the longest pattern costs each of them up to 1,024 comparisons.
pub const WALK_STEP_BYTES: usize = 64 * 1024;

/// The pattern of `KEYS`, `SCAN` and `CONFIG GET`. No key is longer, and matching costs at most key × pattern.
pub const PATTERN_BYTES_MAX: usize = domain::limits::KEY_BYTES_MAX;

/// Fewest keys that one step of `SCAN` returns, if there are as many: each step looks at every key, so that tiny
/// steps would cost more than they spare.
pub const SCAN_COUNT_MIN: usize = 256;

/// Most keys that one step of `SCAN` returns: 10 MiB of the longest names.
pub const SCAN_COUNT_MAX: usize = 10_000;

/// Connections at a time, if the process may have as many files open: Redis's own default.
pub const CONNECTIONS_MAX: usize = 10_000;

/// A client's name, library name or library version.
pub const CLIENT_TEXT_BYTES_MAX: usize = 256;

/// A shorter value is no random one: Redlock clients draw 16 bytes or more, people name their bots in fewer.
pub const REDLOCK_VALUE_BYTES_MIN: usize = 16;

/// How long ago a lock was granted that a Redlock client meets at the next node: it asks all within a few round trips.
pub const REDLOCK_AGE_MAX: Duration = Duration::from_secs(1);

/// Between two looks at a lock that was refused. Each costs a quorum round.
pub const REDLOCK_LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Locks refused because of themselves that are closer together count as one: when a node is lost its clients may repeat
/// elsewhere what it did not answer, all at once.
pub const REDLOCK_SPACING: Duration = Duration::from_secs(1);

/// So many of them in so long a time are no accident …
pub const REDLOCK_SIGHTINGS_MIN: usize = 5;
pub const REDLOCK_WINDOW: Duration = Duration::from_secs(600);

/// … and are told at most so often.
pub const REDLOCK_HINT_INTERVAL: Duration = Duration::from_secs(3600);

/// Between two proofs that a Sentinel's node belongs to a majority: a third of the time for which one counts.
pub const PROOF_INTERVAL: Duration = Duration::from_secs(1);

/// Scripts that a node remembers by their SHA-1 besides those that were loaded. A client that meets a forgotten one sends it
/// again.
pub const SCRIPTS_MAX: usize = 1000;

/// Nesting of expressions and blocks in a script: the parser and the evaluator recurse.
pub const SCRIPT_DEPTH_MAX: usize = 32;

/// Steps of one evaluation of a script, so that a loop over many keys cannot hold a node.
pub const SCRIPT_STEPS_MAX: usize = 10_000;

/// Characters of the arguments that the error about an unknown command repeats: Redis's own figure.
pub const UNKNOWN_COMMAND_ECHO_BYTES: usize = 128;
