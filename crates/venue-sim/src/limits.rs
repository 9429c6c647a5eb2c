//! Every limit of this crate, with its reason.

use std::time::Duration;

/// The largest sum that may be paid into an account at once: far more than any test needs, and so little that sums
/// of many of them stay exact.
pub const DEPOSIT_MAX: u64 = 1_000_000_000_000;

/// Trades that a symbol remembers for `GET /api/v3/trades` and for its average price: the largest `limit` there.
pub const TRADES_KEPT: usize = 1000;

/// Minutes with trades that a symbol remembers for candles: a week.
pub const CANDLES_KEPT: usize = 7 * 24 * 60;

/// The time over which the average price is taken, as in the filters of Binance.
pub const AVERAGE_MINUTES: i64 = 5;

/// The largest price or quantity that is read at all: above the filters of any symbol, which come before any product.
pub const AMOUNT_MAX: u64 = 1_000_000_000_000;

/// Request weight that one address may use in a minute, as at Binance.
pub const WEIGHT_PER_MINUTE: u32 = 6000;

/// Unfilled orders that an account may place in ten seconds, as at Binance.
pub const ORDERS_PER_10_SECONDS: u32 = 100;

/// Unfilled orders that an account may place in a day, as at Binance.
pub const ORDERS_PER_DAY: u32 = 200_000;

/// The same of futures.
pub const FUTURES_WEIGHT_PER_MINUTE: u32 = 2400;

/// The same of futures.
pub const FUTURES_ORDERS_PER_10_SECONDS: u32 = 300;

/// Unfilled orders of futures that an account may place in a minute, as at Binance.
pub const FUTURES_ORDERS_PER_MINUTE: u32 = 1200;

/// Orders of futures in one request.
pub const BATCH_MAX: usize = 5;

/// The longest that a stream of an account of futures is kept without being asked for, as at Binance.
pub const LISTEN_KEY_MS_MAX: i64 = 60 * 60 * 1000;

/// The longest countdown: a day. Binance names none.
pub const COUNTDOWN_MS_MAX: i64 = 24 * 3600 * 1000;

/// Requests beyond the weight within one minute until the address is banned. Binance does not say its number.
pub const VIOLATIONS_BEFORE_BAN: u32 = 10;

/// The first ban of an address; each further one takes twice as long.
pub const BAN_MS_MIN: i64 = 2 * 60 * 1000;

/// The longest ban.
pub const BAN_MS_MAX: i64 = 3 * 24 * 3600 * 1000;

/// The longest `recvWindow`.
pub const RECEIVE_WINDOW_MS_MAX: u64 = 60_000;

/// `recvWindow` where none is sent.
pub const RECEIVE_WINDOW_MS_DEFAULT: u64 = 5_000;

/// How far the timestamp of a request may lie ahead.
pub const AHEAD_MS_MAX: i64 = 1_000;

/// Rows of a listing, by default and at most.
pub const ROWS_DEFAULT: usize = 500;
/// See [`ROWS_DEFAULT`].
pub const ROWS_MAX: usize = 1000;

/// Levels of a side of the book, by default and at most.
pub const LEVELS_DEFAULT: usize = 100;
/// See [`LEVELS_DEFAULT`].
pub const LEVELS_MAX: usize = 5000;

/// The longest time between the bounds of a listing.
pub const LISTED_MS_MAX: i64 = 24 * 3600 * 1000;

/// Requests for orders, closed orders and fills that are kept, each: seven hours of ten a second, within some hundred
/// megabytes. Beyond, the oldest go, and the ledger says how many.
pub const HISTORY_ROWS_MAX: usize = 250_000;

/// Faults that wait at a time.
pub const FAULTS_MAX: usize = 1000;

/// The largest request, by REST and by WebSocket. The longest order has some hundred bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// The largest request of the operator: a script of a thousand faults.
pub const CONTROL_BODY_BYTES_MAX: usize = 1024 * 1024;

/// The largest head of a request. The longest query has a kilobyte.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Open connections of each listener, and WebSockets.
pub const CONNECTIONS_MAX: usize = 1024;

/// Requests of one WebSocket connection that are being answered; beyond, none is read.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 64;

/// Frames that wait for a WebSocket connection to read them; beyond, it is closed.
pub const FRAMES_WAITING_MAX: usize = 4096;

/// A connection that has not sent the head of its next request after this long is closed.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the exchange looks at the clock by itself: how late an event may be that was delayed.
pub const TICK: Duration = Duration::from_millis(50);

/// A WebSocket connection is closed at this age, as at Binance.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// What a connection to the WebSocket API weighs.
pub const CONNECTION_WEIGHT: u32 = 2;

/// Between two pings of a WebSocket connection, as at Binance.
pub const PING_INTERVAL: Duration = Duration::from_secs(20);
