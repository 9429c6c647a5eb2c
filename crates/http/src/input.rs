//! What comes in: a name in the path, parameters, a JSON body. A bad one is refused with the name of the field.

use std::error::Error;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::limits::{BODY_BYTES_MAX, BODY_TIMEOUT};
use crate::refusal::Refusal;

const CORRECT: &str = "correct the request";

/// The one name in the path, percent-decoded.
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name))
            .map_err(|rejection| bad(format!("the name in the path: {}", rejection.body_text())))
    }
}

/// The parameters after `?`.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let query = Query::<T>::try_from_uri(&parts.uri);
        query
            .map(|Query(query)| Self(query))
            .map_err(|error| bad(format!("the parameters: {}", cause(&error))))
    }
}

/// A JSON body. It must be declared as such: a browser sends that to another origin only after a preflight request,
/// which is never granted here.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(&request) {
            return Err(undeclared());
        }
        Ok(Self(parse(&read(request, state).await?)?))
    }
}

/// The same, or no body at all, which asks for the defaults: whoever stops trading by hand need not think of JSON. Not from a
/// browser, which could be made to send that by any page.
pub(crate) struct BodyOrNothing<T>(pub(crate) T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for BodyOrNothing<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let is_declared = is_json(&request);
        let is_of_a_page = request.headers().contains_key(header::ORIGIN);
        let body = read(request, state).await?;
        match (body.is_empty(), is_declared) {
            (true, is_declared) if is_declared || !is_of_a_page => Ok(Self(T::default())),
            (_, true) => Ok(Self(parse(&body)?)),
            (_, false) => Err(undeclared()),
        }
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, state)).await.map_err(|_| {
        let message = format!("the body did not arrive within {BODY_TIMEOUT:?}; nothing was done");
        Refusal::invalid(StatusCode::REQUEST_TIMEOUT, message, "send it again")
    })?;
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body is larger than {BODY_BYTES_MAX} bytes");
            Refusal::invalid(StatusCode::PAYLOAD_TOO_LARGE, message, "send less")
        }
        _ => bad(format!("the body could not be read: {}", rejection.body_text())),
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // An array of the fields in order would be taken for the object as well.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(bad("the body must be a JSON object"));
    }
    let parsed = Json::<T>::from_bytes(body);
    parsed.map(|Json(body)| body).map_err(|rejection| match rejection {
        JsonRejection::JsonSyntaxError(error) => bad(format!("the body is not JSON: {}", cause(&error))),
        error => bad(format!("the body: {}", cause(&error))),
    })
}

fn undeclared() -> Refusal {
    Refusal::invalid(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the body must be JSON and be declared so",
        "send the header `content-type: application/json`",
    )
}

fn is_json(request: &Request) -> bool {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = declared.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

pub(crate) fn bad(message: impl Into<String>) -> Refusal {
    Refusal::invalid(StatusCode::BAD_REQUEST, message, CORRECT)
}

/// 32 hexadecimal digits, with or without the hyphens of a UUID; empty for none.
pub(crate) fn parse_request_id(text: Option<&str>) -> Result<Bytes, Refusal> {
    let Some(text) = text else { return Ok(Bytes::new()) };
    let hyphens: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
    let digits = text.replace('-', "");
    let shaped = hyphens.is_empty() || hyphens == [8, 13, 18, 23];
    // Checked one by one: the parser below would also take a sign.
    let hexadecimal = digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    match u128::from_str_radix(&digits, 16) {
        Ok(id) if shaped && hexadecimal => Ok(Bytes::copy_from_slice(&id.to_be_bytes())),
        _ => Err(bad("request_id: must be a UUID, or 32 hexadecimal digits")),
    }
}

/// The innermost error: it names the field, what wraps it names our types.
fn cause(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => cause(source),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_a_uuid_or_32_digits() {
        let id = |text| parse_request_id(Some(text)).ok();
        let bytes = Bytes::copy_from_slice(&0x0190_0000_0000_7000_8000_0000_0000_00ff_u128.to_be_bytes());
        assert_eq!(id("019000000000700080000000000000ff"), Some(bytes.clone()));
        assert_eq!(id("01900000-0000-7000-8000-0000000000FF"), Some(bytes));
        for wrong in [
            "",
            "ff",
            "01900000000070008000000000000 0ff",
            "+19000000000700080000000000000ff",
            "0190-00000000-7000-8000-0000000000ff",
            "019000000000700080000000000000fg",
            "01900000000070008000000000000000ff",
        ] {
            assert_eq!(id(wrong), None, "{wrong:?}");
        }
        assert_eq!(parse_request_id(None).ok(), Some(Bytes::new()));
    }
}
