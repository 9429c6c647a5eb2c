//! The operator's API: JSON in, JSON out; what is wrong with a request is said with 400.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use serde_json::{Value, json};

use super::hub::Hub;
use crate::limits::CONTROL_BODY_BYTES_MAX;
use crate::venue::Venue;

/// One thing that the operator does, with the body of the request.
type Act = fn(&mut Venue, &str) -> Result<Value, String>;

pub(super) fn router(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/identity", get(identity))
        .route("/ledger", get(ledger))
        .route("/faults", act(Venue::arm).get(armed).delete(disarm))
        .route("/fill", act(Venue::fill))
        .route("/orders", act(Venue::order_by_hand))
        .route("/deposit", act(Venue::deposit))
        .route("/halt", act(Venue::halt))
        .route("/maintenance", act(Venue::maintain))
        .route("/settings", act(Venue::set))
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::max(CONTROL_BODY_BYTES_MAX))
        .with_state(hub)
}

fn act(act: Act) -> MethodRouter<Arc<Hub>> {
    post(move |State(hub): State<Arc<Hub>>, body: String| async move {
        let done = hub.with(|venue, now_ms| {
            venue.advance(now_ms);
            act(venue, &body)
        });
        match done {
            Ok(value) => shown(StatusCode::OK, &value),
            Err(error) => shown(StatusCode::BAD_REQUEST, &json!({"error": error})),
        }
    })
}

async fn identity(State(hub): State<Arc<Hub>>) -> Response {
    shown(StatusCode::OK, &hub.with(|venue, _| venue.identity()))
}

async fn ledger(State(hub): State<Arc<Hub>>) -> Response {
    let ledger = hub.with(|venue, now_ms| {
        venue.advance(now_ms);
        venue.ledger()
    });
    shown(StatusCode::OK, &ledger)
}

async fn armed(State(hub): State<Arc<Hub>>) -> Response {
    shown(StatusCode::OK, &hub.with(|venue, _| venue.armed()))
}

async fn disarm(State(hub): State<Arc<Hub>>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let name = query.get("name").map(String::as_str);
    shown(StatusCode::OK, &hub.with(|venue, _| venue.disarm(name)))
}

async fn no_such_path() -> Response {
    shown(StatusCode::NOT_FOUND, &json!({"error": "no such path; the crate's documentation lists them"}))
}

fn shown(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
