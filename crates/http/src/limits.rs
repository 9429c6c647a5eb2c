//! Every limit of this crate, with its reason.

use std::time::Duration;

/// Largest body: the longest holder that the state accepts (64 KiB) with every byte escaped as `\u0000`, and its
/// neighbours.
pub const BODY_BYTES_MAX: usize = 512 * 1024;

/// Largest head of a request, the path included: the longest lease name (1 KiB) percent-encoded, and the headers of
/// proxies. Beyond this the answer is 431.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Headers in a request. A browser behind two proxies sends about thirty.
pub const HEADERS_MAX: usize = 64;

/// Open connections. Monitors, load balancers and bots keep one or a few each; each costs a few kilobytes and a file
/// descriptor, and the doors for Redis and gRPC need theirs.
pub const CONNECTIONS_MAX: usize = 1024;

/// A connection that has not sent the head of its next request after this long is closed. So a kept connection may be
/// idle between two scrapes (15 to 30 s), and a client that trickles bytes holds its place this long at most.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Time for the body of a request to arrive. Nothing was proposed before it has.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for an answer. The wait for a leader and for an outcome (3 s and 10 s in `consensus`) end before it, so it only
/// cuts off what got stuck elsewhere.
pub const REQUEST_DEADLINE: Duration = Duration::from_secs(20);

/// A connection this old takes no further request: what holds one without reading its answers gives its place back.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);

/// Time for the quorum round behind `/leader`, `/active`, `/readyz` and the status. Shorter than the wait of a load
/// balancer's check (HAProxy: 2 s), longer than an election of a healthy group (0.5 to 0.7 s).
pub const PROOF_TIMEOUT: Duration = Duration::from_secs(1);

/// What a client that was refused for want of a quorum or of room should wait before it asks again, in seconds.
pub const RETRY_AFTER_S: u64 = 1;
