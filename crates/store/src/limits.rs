//! Every limit of this crate, with its reason.

/// Payload of one log entry. An entry holds a batch of commands and travels in one message of at most 8 MiB;
/// half of that leaves room for the envelope and for a second entry beside it.
pub const ENTRY_BYTES_MAX: usize = 4 << 20;

/// Size of a segment of the log, unless options say otherwise. Small enough that a purge soon frees one.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Smallest segment that options may ask for: a head and a few entries.
pub const SEGMENT_BYTES_MIN: u64 = 16 << 10;

/// Largest: a record's place is counted in 32 bits with room to spare, and recovery holds one segment in memory.
pub const SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// Recent entries held in memory, so that replication and apply do not read the disk.
pub const WINDOW_BYTES: usize = 64 << 20;

/// Bytes queued before the writer. More would only be latency: a disk writes this much in well under a second.
pub const QUEUE_BYTES_MAX: usize = 32 << 20;

/// Appends queued before the writer.
pub const QUEUE_APPENDS_MAX: usize = 4096;

/// Log that a purge leaves behind by default: a follower that was away for a while catches up without a snapshot.
pub const RETAIN_BYTES: u64 = 256 << 20;

/// Free disk below which the layer above refuses new writes; what is left carries releases, cancels and a snapshot.
pub const RESERVE_BYTES: u64 = 1 << 30;

/// One step of zeroing the next segment. A whole 64 MiB segment at once stalled syncs for 70 to 110 ms; this much
/// costs about a millisecond.
pub const ZERO_STEP_BYTES: u64 = 256 << 10;

/// One read from disk on behalf of [`crate::Wal::read`] gathers neighbouring entries up to this size.
pub const READ_BYTES_MAX: usize = 1 << 20;

/// Raw bytes of one snapshot block: a corrupt block costs one read of this size to find.
pub const SNAPSHOT_BLOCK_BYTES_MAX: usize = 256 << 10;

/// What a snapshot says about itself besides its blocks (membership and the like).
pub const SNAPSHOT_META_BYTES_MAX: usize = 1 << 20;

/// Snapshots kept: the latest, and one before it that a reader may still be sending.
pub const SNAPSHOTS_KEPT: usize = 2;

/// One sealed history file, whole in memory while it is sealed or verified.
pub const HISTORY_FILE_BYTES_MAX: usize = 128 << 20;

/// Keys per sled transaction; a larger one made databend run out of memory.
pub const STATE_KEYS_PER_TRANSACTION_MAX: usize = 1_000;

/// One value in sled. Above a quarter of its segment (128 KiB) sled writes blob files that it never syncs; below that,
/// there is room for a value of 64 KiB with its name and what goes around them.
pub const STATE_VALUE_BYTES_MAX: usize = 68 << 10;

/// One key in sled.
pub const STATE_KEY_BYTES_MAX: usize = 4 << 10;

/// Terms of one record in the index over history, or of one query: three bytes each and their values. A dozen names of 64
/// bytes, and so few keys that a record is changed in one transaction.
pub const INDEX_TERMS_BYTES_MAX: usize = 1024;

/// Entries of the index that one query looks at before it answers what it has and where to go on: some 20 ms on sled.
pub const INDEX_ENTRIES_PER_QUERY_MAX: usize = 10_000;
