//! `/leader` and `/active`: 200 only from the one node that holds the office, for load balancers and scripts.
//!
//! Each answer rests on a quorum round made for it. Without one it is 503 and the office is null: a node that is cut
//! off must not be sent work, whatever it believes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use consensus::{ReadError, Reading, Replica};
use serde::Serialize;
use tokio::time::timeout;

use crate::limits::PROOF_TIMEOUT;

/// Who holds the offices, as just proven; null if it could not be.
#[derive(Debug, Default, Serialize)]
struct View {
    /// The node that answers.
    node: u64,
    term: Option<u64>,
    leader: Option<u64>,
    active: Option<u64>,
}

/// 200 if this node leads.
pub(crate) async fn leader(State(replica): State<Replica>) -> Response {
    let view = look(&replica).await;
    answer(view.leader == Some(view.node), view)
}

/// 200 if this node has tenure: it leads and has finished taking over.
pub(crate) async fn active(State(replica): State<Replica>) -> Response {
    let view = look(&replica).await;
    answer(view.active == Some(view.node), view)
}

/// A read within [`PROOF_TIMEOUT`].
pub(crate) async fn prove(replica: &Replica) -> Result<Reading, ReadError> {
    timeout(PROOF_TIMEOUT, replica.read()).await.unwrap_or(Err(ReadError::NoQuorum))
}

async fn look(replica: &Replica) -> View {
    let node = replica.node().0;
    match prove(replica).await {
        Ok(reading) => View {
            node,
            term: Some(reading.term),
            leader: Some(reading.leader.0),
            active: reading.active().map(|node| node.0),
        },
        Err(_) => View { node, ..View::default() },
    }
}

fn answer(holds: bool, view: View) -> Response {
    let status = if holds { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(view)).into_response()
}
