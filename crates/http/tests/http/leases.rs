use serde_json::{Value, json};
use store::FaultyDisk;

use crate::world::{Network, pair, single, start};

#[track_caller]
fn without_remaining(mut lease: Value) -> Value {
    let remaining = lease["remaining_ms"].take().as_u64().unwrap();
    assert!((1..=60_000).contains(&remaining), "{remaining} ms remain");
    lease
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_acquired_renewed_and_released() {
    let node = single().await;
    let free = node.get("/api/v1/leases/desk").await;
    let nobody = json!({"name": "desk", "holder": null, "token": null, "ttl_ms": null, "remaining_ms": null});
    assert_eq!((free.status, free.json()), (200, nobody.clone()));

    let acquired = node.post("/api/v1/leases/desk/acquire", r#"{"holder": "bot-a", "ttl_ms": 60000}"#).await;
    assert_eq!(acquired.status, 200);
    let token = acquired.json()["token"].as_u64().unwrap();
    let held =
        json!({"name": "desk", "holder": "bot-a", "token": token, "ttl_ms": 60000, "remaining_ms": null});
    let mut with_acquired = held.clone();
    with_acquired["acquired"] = json!(true);
    assert_eq!(without_remaining(acquired.json()), with_acquired);
    assert_eq!(acquired.header("tenure-node"), Some("1"));
    assert_eq!(acquired.header("tenure-cluster-id").map(str::len), Some(32));
    let index =
        |answer: &crate::client::Answer| answer.header("tenure-log-index").unwrap().parse::<u64>().unwrap();
    assert!(index(&acquired) > 0);

    let shown = node.get("/api/v1/leases/desk").await;
    assert_eq!(without_remaining(shown.json()), held);
    assert!(index(&shown) >= index(&acquired));

    let conflict = node.post("/api/v1/leases/desk/acquire", r#"{"holder": "bot-b", "ttl_ms": 5000}"#).await;
    let mut not_acquired = held.clone();
    not_acquired["acquired"] = json!(false);
    assert_eq!((conflict.status, without_remaining(conflict.json())), (409, not_acquired));

    let renew = json!({"holder": "bot-a", "token": token, "ttl_ms": 30000}).to_string();
    let renewed = node.post("/api/v1/leases/desk/renew", &renew).await;
    assert_eq!(
        (renewed.status, &renewed.json()["token"], &renewed.json()["ttl_ms"]),
        (200, &json!(token), &json!(30000))
    );

    let release = json!({"holder": "bot-a", "token": token}).to_string();
    let released = node.post("/api/v1/leases/desk/release", &release).await;
    assert_eq!((released.status, released.json()), (200, nobody.clone()));
    assert_eq!(node.get("/api/v1/leases/desk").await.json(), nobody);
    node.post("/api/v1/leases/desk/release", &release).await.assert_refused(409, "EXPIRED", "free");
    node.post("/api/v1/leases/desk/renew", &renew).await.assert_refused(409, "EXPIRED", "free");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_token_is_fenced_and_a_stranger_is_no_holder() {
    let node = single().await;
    let first = node.post("/api/v1/leases/desk/acquire", r#"{"holder": "bot", "ttl_ms": 60000}"#).await;
    let old = first.json()["token"].as_u64().unwrap();
    let body = r#"{"holder": "bot", "ttl_ms": 60000, "take_over": true}"#;
    let second = node.post("/api/v1/leases/desk/acquire", body).await;
    let new = second.json()["token"].as_u64().unwrap();
    assert!(second.status == 200 && new > old, "{old} then {new}");

    for verb in ["renew", "release"] {
        let path = format!("/api/v1/leases/desk/{verb}");
        let fenced = json!({"holder": "bot", "token": old}).to_string();
        node.post(&path, &fenced).await.assert_refused(409, "FENCED", &new.to_string());
        let stranger = json!({"holder": "other", "token": new}).to_string();
        node.post(&path, &stranger).await.assert_refused(409, "NOT_HOLDER", "held by bot");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_runs_once() {
    let node = single().await;
    let body = r#"{"holder": "bot", "ttl_ms": 60000, "request_id": "01990000-0000-7000-8000-000000000001"}"#;
    let first = node.post("/api/v1/leases/desk/acquire", body).await;
    // The same id, written without hyphens.
    let body = r#"{"holder": "bot", "ttl_ms": 60000, "request_id": "01990000000070008000000000000001"}"#;
    let again = node.post("/api/v1/leases/desk/acquire", body).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.json()["token"], again.json()["token"]);
    assert_eq!((first.header("tenure-repeated"), again.header("tenure-repeated")), (None, Some("true")));
    assert_eq!(first.header("tenure-serial"), again.header("tenure-serial"));
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_listed_in_pages() {
    let node = single().await;
    for name in ["desk%2Fa", "desk%2Fb", "desk%2F%C3%BC", "other"] {
        let path = format!("/api/v1/leases/{name}/acquire");
        assert_eq!(node.post(&path, r#"{"holder": "bot", "ttl_ms": 60000}"#).await.status, 200, "{name}");
    }
    let names = |answer: &crate::client::Answer| -> Vec<String> {
        let leases = answer.json();
        leases.as_array().unwrap().iter().map(|lease| lease["name"].as_str().unwrap().into()).collect()
    };
    let all = node.get("/api/v1/leases").await;
    assert_eq!(names(&all), ["desk/a", "desk/b", "desk/ü", "other"]);
    assert_eq!(all.header("link"), None);

    let first = node.get("/api/v1/leases?prefix=desk%2F&limit=2").await;
    assert_eq!(names(&first), ["desk/a", "desk/b"]);
    let link = first.header("link").unwrap();
    assert_eq!(link, "</api/v1/leases?prefix=desk%2F&after=desk%2Fb&limit=2>; rel=\"next\"");
    let next = link.strip_prefix('<').and_then(|link| link.split_once('>')).unwrap().0;
    let second = node.get(next).await;
    assert_eq!(names(&second), ["desk/ü"]);
    assert_eq!(second.header("link"), None);
    assert_eq!(node.get("/api/v1/leases/desk%2F%C3%BC").await.json()["holder"], "bot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_answers_too() {
    let (leader, follower) = pair().await;
    let acquired =
        follower.post("/api/v1/leases/desk/acquire", r#"{"holder": "bot", "ttl_ms": 60000}"#).await;
    assert_eq!(acquired.status, 200);
    let shown = leader.get("/api/v1/leases/desk").await;
    assert_eq!(shown.json()["token"], acquired.json()["token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_is_executed_and_it_says_so() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    let body = r#"{"holder": "bot", "ttl_ms": 60000}"#;
    let (acquire, show, list) = tokio::join!(
        node.post("/api/v1/leases/desk/acquire", body),
        node.get("/api/v1/leases/desk"),
        node.get("/api/v1/leases"),
    );
    for answer in [acquire, show, list] {
        answer.assert_refused(503, "NO_QUORUM", "leader");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
}
