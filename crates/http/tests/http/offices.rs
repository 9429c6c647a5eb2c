use serde_json::json;

use crate::world::{Network, pair, single, start};
use store::FaultyDisk;

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_one_leads_and_is_active() {
    let node = single().await;
    for path in ["/leader", "/active"] {
        let answer = node.get(path).await;
        let term = node.replica.status().term;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.json(), json!({"node": 1, "term": term, "leader": 1, "active": 1}), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_leader_answers_200_and_nobody_without_a_quorum() {
    let (leader, follower) = pair().await;
    let (leads, follows) = (leader.replica.node().0, follower.replica.node().0);
    for path in ["/leader", "/active"] {
        assert_eq!(leader.get(path).await.status, 200, "{path}");
        let answer = follower.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        let json = answer.json();
        assert_eq!(
            (&json["node"], &json["leader"], &json["active"]),
            (&json!(follows), &json!(leads), &json!(leads))
        );
    }
    follower.kill().await;
    for path in ["/leader", "/active"] {
        let answer = leader.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert_eq!(
            answer.json(),
            json!({"node": leads, "term": null, "leader": null, "active": null}),
            "{path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_told_with_and_without_a_quorum() {
    let node = single().await;
    let answer = node.get("/api/v1/status").await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!((&json["leader"], &json["active"], &json["quorum"]), (&json!(1), &json!(1), &json!(true)));
    assert_eq!(json["cluster_id"].as_str().map(str::len), Some(32));
    assert_eq!(json["node"]["role"], "leader");
    assert_eq!(json["node"]["name"], "node1");
    assert_eq!(json["node"]["version"], "0.0.0-test");
    assert_eq!(json["members"][0]["http"], "http1");
    assert!(json["node"]["applied"].as_u64() > Some(0), "{json}");

    let alone = start(7, &Network::default(), &FaultyDisk::new(7)).await;
    let answer = alone.get("/api/v1/status").await;
    assert_eq!(answer.status, 200);
    let json = answer.json();
    assert_eq!(json["quorum"], false);
    assert_eq!(
        (&json["cluster_id"], &json["leader"], &json["active"]),
        (&json!(null), &json!(null), &json!(null))
    );
    assert_eq!((&json["node"]["id"], &json["node"]["voter"]), (&json!(7), &json!(false)));
}
