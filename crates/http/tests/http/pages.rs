use store::FaultyDisk;

use crate::world::{Network, start};

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_handed_through() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    let answer = node.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.body.ends_with("tenure_test 1\n"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_named() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    for path in ["/nothing", "/api/v1/order", "/api/v1/leases/", "/livez/", "/LIVEZ", "/api/v2/leases"] {
        node.get(path).await.assert_refused(404, "NOT_FOUND", &format!("there is nothing at {path}"));
    }
    let slash = node.get("/api/v1/leases/a/b").await;
    slash.assert_refused(404, "NOT_FOUND", "/api/v1/leases/a/b");
    assert!(slash.body.contains("%2F"), "{slash:?}");

    let wrong = node.get("/api/v1/leases/desk/acquire").await;
    wrong.assert_refused(405, "INVALID", "GET is not possible on /api/v1/leases/desk/acquire");
    assert_eq!(wrong.header("allow"), Some("POST"));
    let wrong = node.post("/api/v1/leases/desk", "{}").await;
    wrong.assert_refused(405, "INVALID", "POST is not possible");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD"));
    node.post("/livez", "").await.assert_refused(405, "INVALID", "POST");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_is_granted_nothing() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    let origin = "host: n\r\nconnection: close\r\norigin: https://elsewhere.example\r\n";
    let preflight = format!(
        "OPTIONS /api/v1/leases/desk/acquire HTTP/1.1\r\n{origin}access-control-request-method: POST\r\n\r\n"
    );
    let answer = node.send(&preflight).await;
    answer.assert_refused(405, "INVALID", "OPTIONS");
    for answer in [answer, node.send(&format!("GET /livez HTTP/1.1\r\n{origin}\r\n")).await] {
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_their_status() {
    use http::StatusClass::{ClientError, ServerError, Success};
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    for path in ["/livez", "/livez", "/nothing", "/readyz/member"] {
        node.get(path).await;
    }
    let counts = [Success, ClientError, ServerError].map(|class| node.metrics.requests(class));
    assert_eq!(counts, [2, 1, 1]);
}
