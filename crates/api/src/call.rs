//! What every call does: propose, look, and say where its answer comes from.

use consensus::{Reading, Replica};
use domain::{Action, Answer, LogTime, Outcome, Serial, State};
use tokio::time::timeout;
use tonic::Status;
use wire::v1;

use crate::limits::APPLIED_WITHIN;
use crate::refusal::{Reason, from_propose, from_refusal};

/// Runs an action, once if `request_id` names it. What the state itself refuses is an error.
pub(crate) async fn propose(replica: &Replica, request_id: &[u8], action: Action) -> Result<Outcome, Status> {
    let result = if request_id.is_empty() {
        replica.propose(vec![action]).await.pop()
    } else {
        let id = request_id.try_into().map_err(|_| {
            Reason::Invalid.status(format!("request_id has {} bytes instead of 16", request_id.len()))
        })?;
        Some(replica.propose_as(id, action).await)
    };
    let outcome = result.expect("one action has one result").map_err(from_propose)?;
    match outcome.answer {
        Answer::Refused(refusal) => Err(from_refusal(refusal)),
        _ => Ok(outcome),
    }
}

/// An answer that is not to this request: its id was that of another one.
pub(crate) fn other_request() -> Status {
    Reason::Invalid.status("request_id: another request was sent under it; draw a new one for each")
}

/// The header of the reply to a write.
pub(crate) fn header(replica: &Replica, outcome: &Outcome) -> v1::ReplyHeader {
    v1::ReplyHeader {
        cluster_id: cluster_id(replica),
        node: replica.node().0,
        term: outcome.made.term,
        log_index: outcome.made.index,
        serial: outcome.made.serial.0,
        repeated: outcome.repeated,
    }
}

pub(crate) fn cluster_id(replica: &Replica) -> String {
    replica.cluster_id().map(hex).unwrap_or_default()
}

pub(crate) fn hex(id: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(id))
}

/// Whether this node has applied so much, now or soon: news of what was committed travels behind its outcome.
pub(crate) async fn has_applied(replica: &Replica, serial: Serial) -> bool {
    let mut watch = replica.watch();
    let applied = async {
        while replica.local().serial() < serial {
            watch.changed().await;
        }
    };
    timeout(APPLIED_WITHIN, applied).await.is_ok()
}

/// What a reading shows at which log time, and its place among all commands: all from one look, while nothing is
/// applied.
pub(crate) fn look<T>(
    replica: &Replica,
    reading: &Reading,
    show: impl FnOnce(&State, LogTime) -> T,
) -> (v1::ReplyHeader, T) {
    let (serial, shown) = {
        let state = reading.state();
        // Since the round was over, more may have been applied here, and with it a later time.
        (state.serial(), show(&state, reading.clock.max(state.now())))
    };
    let header = v1::ReplyHeader {
        cluster_id: cluster_id(replica),
        node: replica.node().0,
        term: reading.term,
        log_index: reading.index,
        serial: serial.0,
        repeated: false,
    };
    (header, shown)
}
