//! `/api/v1/config`: who may trade, as JSON. Bodies are as `tenure config … -o json` prints them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tonic::Request;
use wire::v1::{self, config_service_server::ConfigService};

use crate::input::{Body, parse_request_id};
use crate::refusal::Refusal;
use crate::reply::headers;

mod desk;
pub mod switch;

pub use desk::Desk;

/// What stands.
#[derive(Debug, Serialize)]
pub struct Shown {
    pub revision: String,
    pub configuration: Desk,
}

impl From<v1::ShowResponse> for Shown {
    fn from(v1::ShowResponse { header: _, configuration, revision }: v1::ShowResponse) -> Self {
        Self { revision, configuration: configuration.unwrap_or_default().into() }
    }
}

/// What was set, or would be.
#[derive(Debug, Serialize)]
pub struct Applied {
    pub revision: String,
    /// `+` what came, `-` what went, `~` what is another.
    pub changes: Vec<String>,
    /// Nothing was set.
    pub dry_run: bool,
    /// The request had run before, and what it changed then is not told again.
    pub repeated: bool,
}

impl Applied {
    pub fn new(response: v1::ApplyResponse, dry_run: bool) -> Self {
        let v1::ApplyResponse { header, changes, revision } = response;
        Self { revision, changes, dry_run, repeated: header.is_some_and(|header| header.repeated) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Apply {
    configuration: Desk,
    #[serde(default)]
    dry_run: bool,
    /// Only instead of this revision.
    expected: Option<String>,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    reason: String,
    request_id: Option<String>,
}

pub(crate) async fn show<C: ConfigService>(State(config): State<Arc<C>>) -> Result<Response, Refusal> {
    let shown = config.show(Request::new(v1::ShowRequest {})).await?.into_inner();
    Ok((headers(shown.header.clone()), Json(Shown::from(shown))).into_response())
}

/// Sets all of it: what is not in the body is gone.
pub(crate) async fn apply<C: ConfigService>(
    State(config): State<Arc<C>>,
    Body(body): Body<Apply>,
) -> Result<Response, Refusal> {
    let Apply { configuration, dry_run, expected, actor, reason, request_id } = body;
    let request_id = parse_request_id(request_id.as_deref())?;
    let (configuration, reason) = (Some(configuration.into()), Some(v1::Reason { actor, text: reason }));
    let request = v1::ApplyRequest { configuration, dry_run, reason, request_id, expected };
    let response = config.apply(Request::new(request)).await?.into_inner();
    Ok((headers(response.header.clone()), Json(Applied::new(response, dry_run))).into_response())
}
