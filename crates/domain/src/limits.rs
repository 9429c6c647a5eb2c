//! Every limit of the format, in one place. They are constants because `apply` must refuse the same command on
//! every node: a limit from a node's own file would make the nodes differ.

/// Databases that Redis clients may select. Redis's own default; sixteen is what clients assume.
pub const DATABASES: u8 = 16;

/// Longest key, in bytes. Lock names are short; Redis's 512 MiB would let one key fill a snapshot block.
pub const KEY_BYTES_MAX: usize = 1024;

/// Longest value, in bytes, with [`ELEMENT_BYTES`] for each element if it has any. An owner value is a name or a UUID; 64 KiB leaves room for a small document.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

/// What an element of a hash, a list or a set counts for besides its bytes: half of the memory that it takes, and more than its
/// place in a snapshot does. A value as a whole is held to [`VALUE_BYTES_MAX`], because it is one row, and because each change
/// of it copies and hashes it whole, of at most 2,048 elements.
pub const ELEMENT_BYTES: usize = 32;

/// Longest name of a channel, in bytes, as a key's: channels are often named after one.
pub const CHANNEL_BYTES_MAX: usize = KEY_BYTES_MAX;

/// Longest message, in bytes, as a value's: what a client publishes is news of one.
pub const MESSAGE_BYTES_MAX: usize = VALUE_BYTES_MAX;

/// Most keys in all databases together. A lease server's working set, held in memory on each node.
pub const KEYS_MAX: usize = 100_000;

/// Most keys that one command may name (`DEL`, `MSET`), so that one command cannot stall `apply`.
pub const KEYS_PER_COMMAND_MAX: usize = 1024;

/// Most actions and most guards of one transaction, for the same reason.
pub const TRANSACTION_ACTIONS_MAX: usize = 1024;
pub const TRANSACTION_GUARDS_MAX: usize = 1024;

/// What the answers of one transaction may count for together: they are remembered as one row, which must fit a block of a
/// snapshot, and travel in one message.
pub const TRANSACTION_ANSWER_BYTES_MAX: usize = 128 * 1024;

/// Buckets in which it is remembered when a key last went. Under a load of 10,000 removals a second, 2 ms of which lie
/// between a look and its transaction, a guard of an absent key fails for nothing in 2 of 100 cases.
pub const TRACE_BUCKETS: u16 = 1024;

/// What an answer inside a transaction counts for, besides the value or holder in it: the memory that it takes.
pub const INNER_ANSWER_BYTES: usize = 64;

/// Longest script that may be loaded, in bytes: what the engine takes. The longest of a job queue has some 30 KiB.
pub const SCRIPT_BYTES_MAX: usize = 64 * 1024;

/// Most scripts that may be loaded at a time, and their bytes together. All programs of a desk together load some hundred of
/// 1 KiB; who makes another script of each request meets a limit instead of filling the memory of three nodes for good.
pub const SCRIPTS_MAX: usize = 4096;
pub const SCRIPTS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest time to live: about 34 years, far from the end of `LogTime` (584 years).
pub const TTL_MS_MAX: i64 = 1 << 40;

/// How long an outcome named by a client is kept after it was made. A client may repeat an id for 30 s after its
/// first sending, and a repetition may wait 10 s to be applied.
pub const CLIENT_OUTCOME_MS: u64 = 40_000;

/// How long a command may wait between entering a node and being applied.
pub const VALID_MS: u64 = 10_000;

/// Most outcomes remembered at a time. Beyond this, new commands are refused as overload before they are
/// proposed: forgetting one early could run a command twice.
pub const OUTCOMES_MAX: usize = 1 << 20;

/// Outcomes that are remembered beyond the most, only of what stops trading: a switch that is thrown finds room whatever the load.
pub const OUTCOMES_RESERVED: usize = 256;

/// What a remembered outcome counts for, besides the value or holder in it: the memory that it was measured to take
/// (`examples/bounds.rs`).
pub const OUTCOME_BYTES: usize = 224;

/// Most bytes of remembered outcomes: as many outcomes as there may be, and 32 MiB of values. An answer may hold a whole
/// value, and with nothing but those the most outcomes would take 64 GiB.
pub const OUTCOMES_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Longest holder name, reason or other text in a command, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;

/// Changes of leadership that `tenure history` can show.
pub const TENURES_MAX: usize = 1000;

/// Rows of one table whose changes are kept track of until somebody takes them. Beyond this the whole state is less
/// work than its changes, and a state without an end to its load would keep ever more.
pub const TOUCHED_ROWS_MAX: usize = 1 << 16;

/// A history file is sealed after this many records …
pub const HISTORY_RECORDS_PER_FILE: usize = 4096;

/// … or this many bytes of text in them, whichever comes first.
pub const HISTORY_BYTES_PER_FILE: usize = 1024 * 1024;

/// Longest record in the open end of the history, by what it counts for. One that is longer, an order of some hundred fills, ends its
/// file at once: what is not in a file yet is kept as a row, and a store takes rows of 68 KiB.
pub const HISTORY_TAIL_RECORD_BYTES_MAX: usize = 48 * 1024;

/// Most digits of a quantity or a price, and how many of them may be behind the point. Eighteen is what chains reckon in; a sum of
/// 28 digits then holds 10^8 of the largest before its last digits are rounded.
pub const DECIMAL_DIGITS_MAX: usize = 20;
pub const DECIMAL_SCALE_MAX: usize = 18;

/// Longest name of a venue, an account, a strategy, a symbol, an order, in bytes. The longest that a venue has for a symbol or a trade
/// are some 40.
pub const NAME_BYTES_MAX: usize = 64;

/// Longest text of a venue that is kept, in bytes: a code, a message, the reason of an expiry. The rest is cut off, for a report
/// never fails.
pub const REPORT_TEXT_BYTES_MAX: usize = 256;

/// Most trades in one report; an answer of a venue that holds more is several reports.
pub const TRADES_PER_REPORT_MAX: usize = 128;

/// Most fills of one order that are kept. A sweep through a deep book makes some hundred; an order with more of them is quarantined,
/// for its sums are no longer whole.
pub const FILLS_PER_ORDER_MAX: usize = 1024;

/// Most names that a venue has for one order. The second is a contradiction already; some more help whoever resolves it.
pub const VENUE_ORDER_IDS_MAX: usize = 8;

/// Most cancels of one order that are kept track of, the last ones. A further cancel is never refused for it: it makes risk smaller.
pub const CANCELS_PER_ORDER_MAX: usize = 16;

/// What an order counts for in memory, besides its texts, fills and cancels: the intent's dozen of shared texts, both pieces of
/// evidence, and its places in maps. History files are sealed by what is counted: it must not change while nodes of two builds run.
pub const ORDER_BYTES: usize = 1536;

/// What a fill counts for in memory, besides its texts: its row, a map that is two thirds full, and the heads of three shared texts.
pub const FILL_BYTES: usize = 320;

/// What a cancel counts for in memory, besides its texts, where it was authorised and in both pieces of evidence.
pub const CANCEL_BYTES: usize = 256;

/// Most venues, accounts and strategies of a desk. Each is a row that an operator wrote by hand or by a program and that all
/// nodes hold in memory; a hundred times what one desk has, or so.
pub const VENUES_MAX: usize = 16;
pub const ACCOUNTS_MAX: usize = 256;
pub const STRATEGIES_MAX: usize = 1024;

/// Most symbols of all venues together. The largest venue lists some 1,500, and a desk trades few of them; so many, of some 200
/// bytes, keep a configuration below what travels as one command.
pub const INSTRUMENTS_MAX: usize = 2048;

/// Most symbols for which accounts and strategies have limits of their own, together, for the same reason.
pub const SYMBOL_LIMITS_MAX: usize = 2048;

/// Most accounts and symbols that strategies name, together, for the same reason.
pub const PERMISSIONS_MAX: usize = 8192;

/// Most problems of a configuration that are told. They travel in one answer, of at most 2 KiB each.
pub const PROBLEMS_MAX: usize = 50;

/// Most traders that kill switches cover at a time, and as many that modes do. Nobody has so many to stop one by one; the switch
/// that covers all is never refused.
pub const TRADER_SWITCHES_MAX: usize = 256;

/// The same of what is configured, and as many breakers: all that one configuration may name. Only switches of what is gone since
/// can fill it.
pub const OTHER_SWITCHES_MAX: usize = VENUES_MAX + ACCOUNTS_MAX + STRATEGIES_MAX + INSTRUMENTS_MAX;

/// Longest text of who switched and why that a switch keeps, in bytes; the audit has all of it.
pub const NOTE_TEXT_BYTES_MAX: usize = 256;

/// How long after its authorisation an order may enter the venue, if the account does not say: long for a network, short for a
/// take-over, which waits it out. The most is what venues take.
pub const WINDOW_MS_DEFAULT: u64 = 2_000;
pub const WINDOW_MS_MAX: u64 = 60_000;

/// Widest price collar, in hundredths of a percent: eleven times the reference price. What is wider protects from nothing.
pub const PRICE_COLLAR_BPS_MAX: u32 = 100_000;

/// Fewest and most messages of a message rate. A replace is two messages, and must be possible; the most is more than a cluster
/// commits in a second.
pub const MESSAGE_RATE_COUNT_MIN: u32 = 2;
pub const MESSAGE_RATE_COUNT_MAX: u32 = 1_000_000;

/// Longest stretch of a message rate: a day, as venues have it.
pub const MESSAGE_RATE_MS_MAX: u64 = 24 * 60 * 60 * 1000;

/// Longest time in which an order is called a duplicate of another: its original is still remembered then.
pub const DUPLICATE_WINDOW_MS_MAX: u64 = 60 * 60 * 1000;

/// Oldest key that may still name a new order, by the time in it: two days. Its tombstone is kept longer, so that no key is
/// forgotten that could come again.
pub const KEY_AGE_MS_MAX: i64 = 2 * 24 * 60 * 60 * 1000;

/// How far the clock of a bot may be ahead in a key that it makes. A key from further ahead would be remembered too long.
pub const KEY_AHEAD_MS_MAX: i64 = 5 * 60 * 1000;

/// Most minutes by which the trading day is ahead of, or behind, that of UTC: less than a day.
pub const DAY_OFFSET_MINUTES_MAX: i32 = 24 * 60 - 1;

/// How long the tombstone of a key that says its age stands, in log time, which runs no faster than any clock. A wall clock may be
/// set back by a day before such a key could come again unnoticed.
pub const TOMBSTONE_MS: u64 = 3 * 24 * 60 * 60 * 1000;

/// Most orders and tombstones together. A tombstone takes some 350 bytes, and those of keys without a time are never forgotten.
pub const TOMBSTONES_MAX: usize = 1 << 20;

/// How long a settled order stays in memory, in log time: whoever asks for the orders of the day needs no disk.
pub const SETTLED_MS: u64 = 24 * 60 * 60 * 1000;

/// Most orders in memory.
pub const ORDERS_MAX: usize = 200_000;

/// How many of them may be settled. Beyond this the oldest go to the history before their day is over.
pub const SETTLED_ORDERS_MAX: usize = 100_000;

/// Most orders that go to the history with one entry, so that many at a time do not stall `apply`.
pub const ARCHIVED_PER_ENTRY_MAX: usize = 64;

/// Most orders whose wait is ended with one command, for the same reason; a leader that has more of them makes another tick.
pub const HOLDS_ENDED_PER_COMMAND_MAX: usize = 256;

/// Longest that an order may wait to be authorised.
pub const HOLD_MS_MAX: u64 = 60 * 60 * 1000;

/// What a reason counts for in memory, in an answer that is remembered.
pub const REASON_BYTES: usize = 96;

/// What the answer to something asked of an order may count for, in a transaction: every reason there is, from every scope, some 50. Of
/// twenty of them there is room.
pub const ORDER_ANSWER_BYTES_MAX: usize = 60 * REASON_BYTES;

/// What the answer to a report may count for: all that can be wrong with one.
pub const REPORT_ANSWER_BYTES_MAX: usize = 8 * REASON_BYTES;

/// What a record of trading counts for in a command, besides names without a limit of their own: no less than it takes encoded. An
/// instrument is two.
pub const RECORD_BYTES: usize = 320;
