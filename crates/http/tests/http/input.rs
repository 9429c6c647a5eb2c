use store::FaultyDisk;

use crate::world::{Network, Node, single, start};

/// All of this is refused before a leader is asked for.
async fn unfounded() -> Node {
    start(1, &Network::default(), &FaultyDisk::new(1)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_body_is_refused_with_the_name_of_the_field() {
    let node = unfounded().await;
    let cases = [
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1000, "ttl": 5}"#, "unknown field `ttl`"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1000, "token": 5}"#, "unknown field `token`"),
        ("acquire", r#"{"ttl_ms": 1000}"#, "missing field `holder`"),
        ("acquire", r#"{"holder": "bot"}"#, "missing field `ttl_ms`"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": "10s"}"#, "ttl_ms: invalid type: string \"10s\""),
        ("acquire", r#"{"holder": "bot", "ttl_ms": -1}"#, "ttl_ms: invalid value: integer `-1`"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1.5}"#, "ttl_ms: invalid type: floating point `1.5`"),
        ("acquire", r#"{"holder": 7, "ttl_ms": 1000}"#, "holder: invalid type: integer `7`"),
        ("acquire", r#"{"holder": "", "ttl_ms": 1000}"#, "a lease needs a holder"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1000, "take_over": 1}"#, "take_over: invalid type"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1000, "request_id": "1"}"#, "request_id: must be a UUID"),
        ("acquire", r#"{"holder": "bot", "holder": "bob", "ttl_ms": 1000}"#, "duplicate field `holder`"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1000"#, "the body is not JSON: EOF"),
        ("acquire", r#"{"holder": "bot", "ttl_ms": 1000} {}"#, "the body is not JSON: trailing characters"),
        ("acquire", "", "the body must be a JSON object"),
        ("acquire", r#"["bot", 1000, false, null]"#, "the body must be a JSON object"),
        ("acquire", "7", "the body must be a JSON object"),
        ("renew", r#"{"holder": "bot"}"#, "missing field `token`"),
        ("renew", r#"{"holder": "bot", "token": 0}"#, "token"),
        ("renew", r#"{"holder": "bot", "token": 18446744073709551615}"#, "token"),
        ("release", r#"{"holder": "bot", "token": "1"}"#, "token: invalid type: string \"1\""),
        ("release", r#"{"holder": "bot", "token": 1, "ttl_ms": 1}"#, "unknown field `ttl_ms`"),
    ];
    for (verb, body, about) in cases {
        let answer = node.post(&format!("/api/v1/leases/desk/{verb}"), body).await;
        answer.assert_refused(400, "INVALID", about);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_length_is_refused_by_the_state() {
    let node = single().await;
    for ttl_ms in ["0", "1099511627777", "18446744073709551615"] {
        let body = format!(r#"{{"holder": "bot", "ttl_ms": {ttl_ms}}}"#);
        let answer = node.post("/api/v1/leases/desk/acquire", &body).await;
        answer.assert_refused(400, "INVALID", "ttl_ms must be between 1 and 1099511627776");
    }
    let name = "n".repeat(1025);
    let answer =
        node.post(&format!("/api/v1/leases/{name}/acquire"), r#"{"holder": "bot", "ttl_ms": 1000}"#).await;
    answer.assert_refused(400, "INVALID", "a name has at most 1024 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_declared_json_is_taken() {
    let node = unfounded().await;
    let body = r#"{"holder": "bot", "ttl_ms": 1000}"#;
    for declared in [
        "",
        "content-type: text/plain\r\n",
        "content-type: text/plain; application/json\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "content-type: application/jsonp\r\n",
    ] {
        let answer = node.post_as(declared, "/api/v1/leases/desk/acquire", body).await;
        answer.assert_refused(415, "INVALID", "JSON");
    }
    // What follows concerns the field, so the declaration was taken.
    for declared in
        ["content-type: Application/JSON; charset=utf-8\r\n", "Content-Type: application/json\r\n"]
    {
        let answer = node.post_as(declared, "/api/v1/leases/desk/acquire", "{}").await;
        answer.assert_refused(400, "INVALID", "missing field `holder`");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_largest_size() {
    let node = unfounded().await;
    let body = |bytes: usize| {
        let rest = r#"{"holder": "", "x": 1}"#.len();
        format!(r#"{{"holder": "{}", "x": 1}}"#, "b".repeat(bytes - rest))
    };
    let path = "/api/v1/leases/desk/acquire";
    let fits = node.post(path, &body(http::limits::BODY_BYTES_MAX)).await;
    fits.assert_refused(400, "INVALID", "unknown field `x`");
    let over = node.post(path, &body(http::limits::BODY_BYTES_MAX + 1)).await;
    over.assert_refused(413, "INVALID", "larger than 524288 bytes");
    // One that does not say how long it is.
    let chunk = "b".repeat(0x1_0000);
    let chunks = format!("10000\r\n{chunk}\r\n").repeat(9);
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: n\r\nconnection: close\r\ncontent-type: application/json\r\n");
    let over = node.send(&format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")).await;
    over.assert_refused(413, "INVALID", "larger than 524288 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_largest_size() {
    let node = unfounded().await;
    let head = |bytes: usize| {
        format!("GET /livez HTTP/1.1\r\nhost: n\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(bytes))
    };
    assert_eq!(node.send(&head(http::limits::HEADER_BYTES_MAX / 2)).await.status, 200);
    assert_eq!(node.send(&head(http::limits::HEADER_BYTES_MAX)).await.status, 431);
    let many = "a: b\r\n".repeat(http::limits::HEADERS_MAX);
    assert_eq!(node.send(&format!("GET /livez HTTP/1.1\r\nhost: n\r\n{many}\r\n")).await.status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_names_and_parameters_are_told() {
    let node = unfounded().await;
    let own = node.post("/api/v1/leases/tenure:x/acquire", r#"{"holder": "bot", "ttl_ms": 1000}"#).await;
    own.assert_refused(400, "INVALID", "tenure:");
    node.get("/api/v1/leases/tenure:leader").await.assert_refused(400, "INVALID", "tenure:");
    node.get("/api/v1/leases/%FF").await.assert_refused(400, "INVALID", "the name in the path");
    node.get("/api/v1/leases?limit=many").await.assert_refused(400, "INVALID", "limit: invalid digit");
    node.get("/api/v1/leases?limit=-1").await.assert_refused(400, "INVALID", "limit: invalid digit");
    node.get("/api/v1/leases?first=1").await.assert_refused(400, "INVALID", "unknown field `first`");
}
