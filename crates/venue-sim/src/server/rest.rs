//! REST: a request comes in, a fault may come between, an answer goes out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures_util::{StreamExt, stream};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::hub::Hub;
use super::{Abandoned, Address};
use crate::fault::{Redirect, RequestAct};
use crate::limits::BODY_BYTES_MAX;
use crate::venue::{Arrival, Body, Call, Reply};

pub(super) async fn answer(
    State(hub): State<Arc<Hub>>,
    Extension(Address(address)): Extension<Address>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let text = String::from_utf8_lossy(&body);
    let api_key = head.headers.get("x-mbx-apikey").and_then(|key| key.to_str().ok());
    let query = head.uri.query().unwrap_or_default();
    let call = Call::rest(&address, head.method.as_str(), head.uri.path(), query, &text, api_key);
    // Beside the connection: what has arrived is carried out whether the caller waits for it or not.
    let answered = tokio::spawn(treat(hub, call)).await;
    answered.unwrap_or_else(|_| plain(StatusCode::INTERNAL_SERVER_ERROR))
}

async fn treat(hub: Arc<Hub>, call: Call) -> Response {
    let arrival = hub.with(|venue, now_ms| venue.arrive(now_ms, &call));
    let execute = || hub.with(|venue, now_ms| venue.execute(now_ms, &arrival, &call));
    match &arrival.act {
        None => shown(execute()),
        Some(RequestAct::DropRequest) => abandoned(),
        Some(RequestAct::DropResponse) => {
            execute();
            abandoned()
        }
        Some(RequestAct::Hang(hang)) => {
            if hang.executed {
                execute();
            }
            sleep(Duration::from_millis(hang.ms)).await;
            abandoned()
        }
        Some(RequestAct::CutBody(cut)) => cut_short(execute(), cut.after_bytes),
        Some(RequestAct::Delay(_)) => delayed(&hub, &arrival, &call).await,
        Some(RequestAct::Answer(answer)) => {
            if answer.executed {
                execute();
            }
            shown(Reply::forged(answer))
        }
        Some(RequestAct::Close) => {
            let mut response = shown(execute());
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            response
        }
        Some(RequestAct::Redirect(redirect)) => redirected(redirect),
    }
}

async fn delayed(hub: &Hub, arrival: &Arrival, call: &Call) -> Response {
    let Some(RequestAct::Delay(delay)) = &arrival.act else { return abandoned() };
    sleep(Duration::from_millis(delay.before_ms)).await;
    let reply = hub.with(|venue, now_ms| venue.execute(now_ms, arrival, call));
    sleep(Duration::from_millis(delay.after_ms)).await;
    shown(reply)
}

fn shown(reply: Reply) -> Response {
    let (content_type, body) = written(&reply.body);
    head(&reply, content_type, Bytes::from(body))
}

fn written(body: &Body) -> (&'static str, String) {
    match body {
        Body::Json(value) => ("application/json;charset=UTF-8", value.to_string()),
        Body::Html(text) => ("text/html", text.clone()),
    }
}

fn head(reply: &Reply, content_type: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in &reply.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The whole length is promised, some bytes come, and then the connection is closed.
fn cut_short(reply: Reply, after_bytes: usize) -> Response {
    let (content_type, body) = written(&reply.body);
    let length = body.len();
    let begun = body.into_bytes().into_iter().take(after_bytes).collect::<Vec<u8>>();
    let cut = async {
        // What came before goes out first.
        yield_now().await;
        Err(io::Error::other("a fault cuts the body"))
    };
    let parts = stream::iter([Ok(begun)]).chain(stream::once(cut));
    let mut response = head(&reply, content_type, Bytes::from_stream(parts));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn redirected(redirect: &Redirect) -> Response {
    let mut response = plain(StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::FOUND));
    if let Ok(location) = HeaderValue::from_str(&redirect.location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::empty());
    *response.status_mut() = status;
    response
}

fn abandoned() -> Response {
    let mut response = plain(StatusCode::INTERNAL_SERVER_ERROR);
    response.extensions_mut().insert(Abandoned);
    response
}
