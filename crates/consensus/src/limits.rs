//! Every limit of this crate, with its reason.

use std::time::Duration;

/// Commands in one log entry. Applying so many takes about 2 ms, a small part of a heartbeat.
pub const BATCH_COMMANDS_MAX: usize = 2048;

/// Encoded bytes of commands in one log entry, well below the log's own limit for a payload.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;

/// Log entries that the leader has proposed and not yet seen applied. Two keep the pipeline full; more would
/// only split the same commands over more syncs.
pub const ENTRIES_IN_FLIGHT_MAX: usize = 2;

/// Commands that entered at this node and have no answer yet. Beyond this a proposal is refused as overload.
pub const COMMANDS_WAITING_MAX: usize = 65_536;

/// … and their bytes, as [`BATCH_BYTES_MAX`] counts them: the most commands of 1 KiB each. So many of the longest values
/// would take 4 GiB.
pub const COMMANDS_WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Submissions waiting for a place in a leader's next entry …
pub const SUBMISSIONS_WAITING_MAX: usize = 4096;

/// … and the bytes of their commands: 64 full entries, about a second of a leader's work.
pub const SUBMISSIONS_WAITING_BYTES_MAX: usize = 64 * BATCH_BYTES_MAX;

/// How long what could not be remembered waits for room before it is refused as overload. A desk that writes more than
/// 100,000 times a second for ten seconds is slowed down; one that writes twice as much is told. So short that most of
/// [`LEADER_WAIT`] is left for a change of leader.
pub const ROOM_WAIT: Duration = Duration::from_secs(1);

/// Between two looks whether there is room.
pub const ROOM_LOOK: Duration = Duration::from_millis(20);

/// Read rounds under way at a time; each serves every read that waited when it began.
pub const READ_ROUNDS_MAX: usize = 2;

/// Rounds that one voter is asked about before it has answered the first of them; of those that come meanwhile the newest
/// stands for all.
pub const CONFIRMS_UNANSWERED_MAX: usize = 2;

/// Reads waiting for a round.
pub const READS_WAITING_MAX: usize = 16_384;

/// How long a request that was certainly not executed waits for a leader: about two slow elections.
pub const LEADER_WAIT: Duration = Duration::from_secs(3);

/// How long a command that may have been executed is followed up before its outcome is called unknown. After
/// this its `valid_until` has passed too, unless the log's clock stood still.
pub const OUTCOME_WAIT: Duration = Duration::from_millis(domain::limits::VALID_MS);

/// Pause before a command is offered again to a leader that refused it or whose connection broke.
pub const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Pause before a stream to a peer is opened again.
pub const REOPEN_PAUSE: Duration = Duration::from_millis(50);

/// Time for a new connection to a peer.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A link without an answer to a ping for this long is broken: a frozen peer must not hold a stream for ever.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(1);
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls that a peer gave up before this node looked at them, on one connection. Beyond this the connection is closed as
/// an attack; a node that was frozen for ten seconds finds some 200 heartbeats.
pub const RESET_STREAMS_MAX: usize = 2000;

/// Largest message between peers: one replicated batch of entries, each at most one payload of the log.
pub const PEER_MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Entries in one message to a follower …
pub const REPLICATION_ENTRIES_MAX: u64 = 512;

/// … and their bytes, so that a heartbeat never waits long behind one of them.
pub const REPLICATION_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long a follower may not hear of a commit, if nothing else is sent to it and nobody waits for it there.
pub const COMMIT_NEWS_DELAY: Duration = Duration::from_millis(1);

/// Bytes of log read at once to be applied.
pub const APPLY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Messages and events that wait to be handed out on this node, by their bytes. They wait for another thread, which takes
/// them within milliseconds; beyond this it is stuck, and what it missed is lost to those who listen.
pub const JOURNAL_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A snapshot install may take this long. It must exceed the worst install: a sender that gives up earlier
/// makes the receiver queue one install behind another.
pub const SNAPSHOT_INSTALL_TIMEOUT: Duration = Duration::from_secs(120);

/// One piece of a history file on its way to a peer.
pub const HISTORY_PIECE_BYTES: usize = 256 * 1024;

/// A peer that sends no piece of a history file for this long is not waited for.
pub const HISTORY_PIECE_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between two attempts to fetch missing history files, doubled while no peer gives any.
pub const HISTORY_PAUSE_MIN: Duration = Duration::from_secs(1);
pub const HISTORY_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Files of closed orders that were sealed here and are not yet indexed, of which the orders are kept at hand: of 1 MiB each, by what
/// orders count for. Beyond this the oldest are told again when they are indexed.
pub const ARCHIVE_FILES_AT_HAND_MAX: usize = 64;

/// Bytes of history that are read for one page: a page of answers is no larger.
pub const ARCHIVE_PAGE_BYTES_MAX: usize = 1024 * 1024;

/// Files that are read whole for what changed after a serial, of some ten milliseconds each: what goes to the history in a fraction
/// of a day.
pub const ARCHIVE_FILES_AFTER_MAX: usize = 16;

/// Orders that are read to find the one that a key stood for: those that were denied under it before came earlier.
pub const ARCHIVE_KEY_ORDERS_MAX: usize = 16;

/// Pause before the index over history is tried again, after it or a file could not be used.
pub const INDEX_PAUSE: Duration = Duration::from_secs(5);

/// A node that stops waits so long for its index over history, which is made anew then.
pub const INDEX_FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the state store is brought up to date. A restart applies what was applied since, up to another second
/// after a kill, as the store flushes that often: at full load a second of it takes less than that.
pub const STATE_WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Changes of rows in one interval above which the state store lags. Writing so many was measured to take 0.1 to 0.15 s
/// of a processor, 5 ms of it on the thread of Raft.
pub const STATE_ROWS_PER_WRITE_MAX: u64 = 8192;

/// Entries without a changed row, idle ticks above all, after which the state store is told the new place. To apply
/// them again takes no time that anyone notices.
pub const STATE_ENTRIES_BEHIND_MAX: u64 = 64;

/// Least time between two writes of the whole state, which can be some hundred thousand rows.
pub const STATE_REBUILD_INTERVAL: Duration = Duration::from_secs(60);

/// A node that stops does not write the whole state if that has more rows: it would take more than a second of a processor,
/// of which there may be little.
pub const STATE_ROWS_LAST_MAX: usize = domain::limits::TOUCHED_ROWS_MAX;

/// A node that stops waits so long for its state store, and leaves it behind then: the next start applies more of the log.
pub const STATE_FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// The leader commits a tick at least this often …
pub const TICK_IDLE: Duration = Duration::from_millis(1000);

/// … and this often while a key with an end lives.
pub const TICK_LEASES: Duration = Duration::from_millis(200);

/// Entries and time of activity between two checkpoints.
pub const CHECKPOINT_ENTRIES: u64 = 10_000;
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// Time for a new leader to take over in a planned hand-over before the next follower is tried.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(1);

/// Apply has something to do and does not move for so long, while the process runs and installs no snapshot: it is stuck
/// and ends itself.
pub const APPLY_STUCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a leader looks whether the desk's day has come: a limit of a day is rolled within this.
pub const DAY_LOOK_INTERVAL: Duration = Duration::from_millis(250);
