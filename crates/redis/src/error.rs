//! Every error that a client can see. Clients compare the text, so that the words are Redis's own wherever Redis
//! has the case; the code in front decides what a client does next.
//!
//! Codes that clients retry by themselves (`LOADING`, `TRYAGAIN`, `READONLY`, `CLUSTERDOWN`, `MASTERDOWN`) are used
//! only for what was certainly not executed. What may have been executed is `TIMEOUT`, which no client retries.

use consensus::limits::BATCH_BYTES_MAX;
use domain::limits::{
    CHANNEL_BYTES_MAX, ELEMENT_BYTES, KEY_BYTES_MAX, KEYS_MAX, KEYS_PER_COMMAND_MAX, MESSAGE_BYTES_MAX,
    SCRIPTS_BYTES_MAX, SCRIPTS_MAX, TRANSACTION_ACTIONS_MAX, TRANSACTION_ANSWER_BYTES_MAX,
    TRANSACTION_GUARDS_MAX, VALUE_BYTES_MAX,
};
use domain::{Answer, Refusal};

use crate::limits;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    // The request.
    #[error("ERR unknown command '{name}', with args beginning with: {arguments}")]
    UnknownCommand { name: String, arguments: String },
    #[error("ERR unknown subcommand '{name}'. Try {container} HELP.")]
    UnknownSubcommand { container: String, name: String },
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    #[error("ERR syntax error")]
    Syntax,
    #[error("ERR value is not an integer or out of range")]
    NotAnInteger,
    #[error("ERR invalid expire time in '{0}' command")]
    InvalidExpire(&'static str),
    #[error("ERR Protocol error: {0}")]
    Protocol(String),

    // Keys and values.
    #[error("ERR key is longer than the limit of {KEY_BYTES_MAX} bytes")]
    KeyTooLong,
    #[error("ERR value is longer than the limit of {VALUE_BYTES_MAX} bytes")]
    ValueTooLong,
    #[error("ERR too many keys: one command may name {KEYS_PER_COMMAND_MAX}")]
    TooManyKeys,
    #[error("ERR keys under 'tenure:' are read-only")]
    VirtualKey,
    #[error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust."
    )]
    NoFrequencies,
    #[error("ERR timeout is not a float or out of range")]
    TimeoutNotAFloat,
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    #[error("UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    Unblocked,
    #[error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")]
    UnblockReason,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR source and destination objects are the same")]
    SameObject,
    #[error("ERR offset is out of range")]
    OffsetRange,
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    #[error("ERR bit offset is not an integer or out of range")]
    BitOffsetRange,
    #[error("ERR bit is not an integer or out of range")]
    BitRange,
    #[error("ERR value is not a valid float")]
    NotAFloat,
    #[error("ERR increment would produce NaN or Infinity")]
    FloatOverflow,
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongKind,
    #[error("ERR index out of range")]
    IndexRange,
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR min or max is not a float")]
    NotAScoreRange,
    #[error("ERR min or max not valid string range item")]
    NotANameRange,
    #[error("ERR syntax error, WITHSCORES not supported in combination with BYLEX")]
    ScoresByName,
    #[error("ERR resulting score is not a number (NaN)")]
    NotANumber,
    #[error("ERR XX and NX options at the same time are not compatible")]
    ZaddNxWithXx,
    #[error("ERR GT, LT, and/or NX options at the same time are not compatible")]
    ZaddGtLtNx,
    #[error("ERR INCR option supports a single increment-element pair")]
    OneIncrementOnly,
    #[error("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")]
    LimitByRank,
    #[error("ERR hash value is not an integer")]
    HashValueNotAnInteger,
    #[error("ERR hash value is not a float")]
    HashValueNotAFloat,
    #[error("ERR value is NaN or Infinity")]
    InfiniteIncrement,
    #[error("ERR value is out of range, value must between {} and {}", -i64::MAX, i64::MAX)]
    CountRange,
    #[error("ERR value is out of range")]
    OutOfRange,
    #[error("ERR the elements that are drawn are longer than the limit of {} bytes", limits::DRAWN_BYTES_MAX)]
    TooMuchDrawn,
    #[error(
        "ERR the key would be larger than the limit of {VALUE_BYTES_MAX} bytes, of which each element takes \
         {ELEMENT_BYTES} besides its own"
    )]
    CollectionTooLarge,
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    #[error("ERR NX and XX, GT or LT options at the same time are not compatible")]
    ExpireNxWithOthers,
    #[error("ERR GT and LT options at the same time are not compatible")]
    ExpireGtWithLt,
    #[error("ERR Unsupported option {0}")]
    UnsupportedOption(String),
    #[error("ERR DB index is out of range")]
    DatabaseRange,
    #[error("ERR invalid cursor")]
    InvalidCursor,
    #[error("ERR pattern is longer than the limit of {} bytes", limits::PATTERN_BYTES_MAX)]
    PatternTooLong,
    #[error("ERR the listing is longer than the limit of {} bytes; use SCAN", limits::LISTING_BYTES_MAX)]
    ListingTooLong,
    #[error("ERR '{0}' is off on this node; the option redis.allow_flush = true allows it")]
    FlushIsOff(&'static str),

    // The connection.
    #[error("NOAUTH Authentication required.")]
    AuthenticationRequired,
    #[error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> \
         option can be used to authenticate the client and select the RESP protocol version at the same time"
    )]
    HelloAuthenticationRequired,
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPassword,
    #[error(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
         configuration is correct?"
    )]
    NoPasswordConfigured,
    #[error("NOPROTO unsupported protocol version")]
    UnsupportedProtocol,
    #[error("ERR Protocol version is not an integer or out of range")]
    ProtocolNotAnInteger,
    #[error("ERR Syntax error in HELLO option '{0}'")]
    HelloOption(String),
    #[error("ERR Client names cannot contain spaces, newlines or special characters.")]
    ClientName,
    #[error("ERR {0} cannot contain spaces, newlines or special characters.")]
    ClientInfo(&'static str),
    #[error("ERR Unrecognized option '{0}'")]
    UnrecognizedOption(String),
    #[error("ERR Invalid client ID")]
    InvalidClientId,
    #[error("ERR No such client")]
    NoSuchClient,
    #[error("ERR max number of clients reached")]
    TooManyClients,

    // The server.
    #[error("ERR This instance has cluster support disabled")]
    ClusterDisabled,
    #[error("ERR Unknown option or number of arguments for CONFIG SET - '{0}'")]
    UnknownConfig(String),
    #[error("ERR CONFIG SET failed (possibly related to argument '{0}') - can't set immutable config")]
    ImmutableConfig(String),
    #[error(
        "ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - Invalid event class \
         character. Use 'Ag$lshzxeKEtmdn'."
    )]
    EventClass,
    #[error("ERR CONFIG SET failed (possibly related to argument '{0}') - duplicate parameter")]
    RepeatedConfig(String),
    #[error("ERR Unknown client type '{0}'")]
    UnknownClientType(String),
    #[error("ERR The server is running without a config file")]
    NoConfigFile,
    #[error("ERR Invalid command specified")]
    InvalidCommand,
    #[error("ERR The command has no key arguments")]
    NoKeyArguments,
    #[error("ERR Invalid number of arguments specified for command")]
    InvalidKeyArguments,

    // The Sentinel.
    #[error("ERR No such master with that name")]
    NoSuchMaster,
    #[error("ERR Duplicate master name.")]
    DuplicateMaster,
    #[error("NOGOODSLAVE No suitable replica to promote")]
    NoGoodSlave,
    #[error(
        "NOQUORUM 1 usable Sentinels. Not enough available Sentinels to reach the specified quorum for this master. \
         Not enough available Sentinels to reach the majority and authorize a failover"
    )]
    NoSentinelQuorum,
    #[error("ERR Only HELLO messages are accepted by Sentinel instances.")]
    OnlyHello,
    #[error("ERR Only SENTINEL CONFIG GET <option> / SET <option> <value> are supported.")]
    SentinelConfig,
    #[error("ERR this Sentinel speaks of the group of its own node; its options are in that node's file")]
    SentinelIsFixed,

    // Subscriptions.
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
         context"
    )]
    OnlyForListeners(String),
    #[error("ERR too many subscriptions: the limit of a connection is {}", limits::SUBSCRIPTIONS_MAX)]
    TooManySubscriptions,
    #[error("ERR channel is longer than the limit of {CHANNEL_BYTES_MAX} bytes")]
    ChannelTooLong,
    #[error("ERR message is longer than the limit of {MESSAGE_BYTES_MAX} bytes")]
    MessageTooLong,
    #[error("ERR unknown subcommand or wrong number of arguments for '{0}'. Try PUBSUB HELP.")]
    PubSubArguments(&'static str),

    // Transactions.
    #[error("ERR MULTI calls can not be nested")]
    MultiNested,
    #[error("ERR {0} without MULTI")]
    WithoutMulti(&'static str),
    #[error("ERR WATCH inside MULTI is not allowed")]
    WatchInsideMulti,
    #[error("ERR '{0}' is not allowed between MULTI and EXEC; send it before")]
    NotInMulti(&'static str),
    #[error("EXECABORT Transaction discarded because a WATCH before it failed.")]
    WatchFailed,
    #[error(
        "ERR the replies between MULTI and EXEC are longer than the limit of {} bytes",
        limits::LISTING_BYTES_MAX
    )]
    RepliesTooLong,
    #[error(
        "ERR what the writes of a transaction or script answer may be longer than the limit of \
         {TRANSACTION_ANSWER_BYTES_MAX} bytes; nothing was done"
    )]
    AnswersTooLong,
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAborted,
    #[error(
        "ERR too much between MULTI and EXEC: the limits are {} commands and {} bytes",
        limits::QUEUE_REQUESTS_MAX,
        limits::QUEUE_BYTES_MAX
    )]
    TransactionTooLong,
    /// Certainly nothing was done, so that a client may repeat it by itself.
    #[error("TRYAGAIN others changed what the transaction reads too often; nothing was done")]
    TransactionConflict,
    #[error("ERR the token of a key that has just been written is not known before the log has it")]
    TokenNotKnown,

    // Scripts.
    #[error("NOSCRIPT No matching script. Please use EVAL.")]
    NoScript,
    #[error("ERR SCRIPT FLUSH only support SYNC|ASYNC option")]
    ScriptFlushOption,
    #[error("NOTBUSY No scripts in execution right now.")]
    NotBusy,
    #[error("ERR Number of keys can't be greater than number of args")]
    TooFewScriptKeys,
    #[error("ERR Number of keys can't be negative")]
    NegativeScriptKeys,
    #[error("ERR Unexpected engine in script shebang: {0}")]
    ScriptEngine(String),
    #[error("ERR Write commands are not allowed from read-only scripts. script: {0}, on @user_script:1.")]
    WriteInReadOnlyScript(String),
    #[error("{message} script: {sha}, on @user_script:1.")]
    InScript { message: String, sha: String },
    #[error(
        "ERR unsupported script: {reason} (supported: scripts on one key that compare its value and then delete it, \
         change its expiry or set it, in any spelling, and scripts that only read one key)"
    )]
    UnsupportedScript { reason: String },
    #[error(
        "ERR the script reads or writes too much: the limits are {TRANSACTION_GUARDS_MAX} keys and \
         {TRANSACTION_ACTIONS_MAX} writes"
    )]
    ScriptTooLong,
    #[error("ERR the script or transaction took longer than it may; nothing was done")]
    TookTooLong,
    #[error("ERR the key changed while the script ran, and nothing was done; run it again")]
    ScriptConflict,
    /// Made by a script: `redis.error_reply`.
    #[error("{0}")]
    Custom(String),

    // The group.
    #[error("LOADING No Raft leader; command not executed")]
    NoLeader,
    #[error(
        "TIMEOUT outcome unknown: the command may or may not have been executed; read before you repeat it"
    )]
    OutcomeUnknown,
    #[error("OOM command not executed: {0}")]
    Overloaded(&'static str),
    #[error("OOM command not executed: the limit of {KEYS_MAX} keys is reached")]
    Full,
    #[error(
        "OOM command not executed: the limit of {SCRIPTS_MAX} loaded scripts, or of {SCRIPTS_BYTES_MAX} bytes of them, is \
         reached; EVAL still runs any script, and SCRIPT FLUSH forgets those that are loaded"
    )]
    ScriptsFull,
    #[error(
        "OOM command not executed: the disk is below its reserve, only commands that free keys are accepted"
    )]
    DiskLow,
    #[error("ERR this node is out of service because its state differs from the others'; use another node")]
    OutOfService,
    #[error("ERR command not executed: longer than the limit of {BATCH_BYTES_MAX} bytes for a log entry")]
    TooLarge,
    #[error("ERR internal error: unexpected answer to '{0}'")]
    Unexpected(&'static str),
}

/// Why the group gave no outcome. Of all but `Unknown` it is certain that nothing was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    NoQuorum,
    Unknown,
    Overloaded(&'static str),
    DiskLow,
    OutOfService,
    TooLarge,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoQuorum => Self::NoLeader,
            Failure::Unknown => Self::OutcomeUnknown,
            Failure::Overloaded(what) => Self::Overloaded(what),
            Failure::DiskLow => Self::DiskLow,
            Failure::OutOfService => Self::OutOfService,
            Failure::TooLarge => Self::TooLarge,
        }
    }
}

/// What a reply tells about a command, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The client's request was wrong.
    Mistake,
    /// Nothing was executed, by no fault of the client.
    Unavailable,
    /// Nobody knows.
    Unknown,
}

impl Error {
    /// The error for what `apply` refused to `command`.
    pub(crate) fn refused(command: &'static str, refusal: Refusal) -> Self {
        match refusal {
            // The entry did nothing, but an earlier sending of the same command may have.
            Refusal::Late => Self::OutcomeUnknown,
            Refusal::StaleStamp => Self::NoLeader,
            Refusal::Overload => Self::Overloaded("too many commands in a short time"),
            Refusal::Full => Self::Full,
            Refusal::NotAnInteger if command == "hincrby" => Self::HashValueNotAnInteger,
            Refusal::NotAnInteger => Self::NotAnInteger,
            Refusal::WrongKind => Self::WrongKind,
            Refusal::NoSuchKey => Self::NoSuchKey,
            Refusal::OutOfRange => Self::IndexRange,
            Refusal::NotANumber => Self::NotANumber,
            Refusal::Overflow => Self::Overflow,
            Refusal::TooLarge => Self::TooLarge,
            Refusal::InvalidTtl => Self::InvalidExpire(command),
            Refusal::WallClock | Refusal::NotOnKeys => Self::Unexpected(command),
        }
    }

    /// An answer of a kind that this command never gets: our own bug, told rather than hidden.
    pub(crate) fn unexpected(command: &'static str, answer: &Answer) -> Self {
        tracing::error!(command, ?answer, "unexpected answer");
        Self::Unexpected(command)
    }

    pub fn severity(&self) -> Severity {
        match self {
            Self::OutcomeUnknown | Self::Unexpected(_) => Severity::Unknown,
            Self::NoLeader
            | Self::Overloaded(_)
            | Self::Full
            | Self::ScriptsFull
            | Self::DiskLow
            | Self::OutOfService
            | Self::TransactionConflict => Severity::Unavailable,
            _ => Severity::Mistake,
        }
    }
}

/// Bytes that a client sent, fit to be repeated in an error line.
pub(crate) fn echo(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(limits::UNKNOWN_COMMAND_ECHO_BYTES)];
    String::from_utf8_lossy(bytes).into_owned()
}
