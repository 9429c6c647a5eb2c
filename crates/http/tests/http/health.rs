use store::FaultyDisk;

use crate::world::{Network, pair, single, start};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_with_a_quorum_is_live_and_ready() {
    let node = single().await;
    for path in ["/livez", "/readyz", "/readyz/member", "/readyz/linearizable_read"] {
        let answer = node.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"), "{path}");
    }
    let verbose = node.get("/readyz?verbose").await;
    let report = "[+]member ok\n[+]linearizable_read ok\n[+]not_draining ok\n[+]in_service ok\n[+]disk ok\n\
                  /readyz check passed\n";
    assert_eq!((verbose.status, verbose.body.as_str()), (200, report));
    assert_eq!(node.get("/livez?verbose").await.body, "[+]local_read ok\n/livez check passed\n");
    assert_eq!(verbose.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(verbose.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_cluster_is_live_and_not_ready() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    assert_eq!(node.get("/livez").await.status, 200);
    let answer = node.get("/readyz").await;
    let report = "[-]member failed: this node belongs to no cluster yet: tenure init founds one, \
                  tenure member add joins one\n\
                  [-]linearizable_read failed: no leader could prove in time that it leads\n\
                  [+]not_draining ok\n[+]in_service ok\n[+]disk ok\n/readyz check failed\n";
    assert_eq!((answer.status, answer.body.as_str()), (503, report));
    assert_eq!(node.get("/readyz/member").await.status, 503);
    assert_eq!(node.get("/readyz/disk").await.status, 200);

    let excluded = node.get("/readyz?verbose&exclude=member&exclude=linearizable_read&exclude=luck").await;
    let report = "[+]member excluded: ok\n[+]linearizable_read excluded: ok\n[+]not_draining ok\n[+]in_service ok\n\
                  [+]disk ok\nwarn: there is no check \"luck\" to exclude\n/readyz check passed\n";
    assert_eq!((excluded.status, excluded.body.as_str()), (200, report));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_lost_its_quorum_is_live_and_not_ready() {
    let (leader, follower) = pair().await;
    assert_eq!(leader.get("/readyz").await.status, 200);
    assert_eq!(follower.get("/readyz").await.status, 200);
    follower.kill().await;
    assert_eq!(leader.get("/livez").await.status, 200);
    let answer = leader.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("[+]member ok\n[-]linearizable_read failed: "), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draining_node_is_not_ready() {
    let node = single().await;
    node.replica.drain().await;
    let answer = node.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("[-]not_draining failed: this node is being emptied\n"), "{answer:?}");
    assert_eq!(node.get("/livez").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_not_ready() {
    let disk = FaultyDisk::new(1);
    // Below the reserve of 8 MiB that the test's nodes have.
    disk.set_capacity(6 * 1024 * 1024);
    let node = start(1, &Network::default(), &disk).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !node.replica.status().disk_low {
        assert!(std::time::Instant::now() < deadline, "the disk was never looked at");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let answer = node.get("/readyz/disk").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.starts_with("[-]disk failed: the disk is almost full"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_misspelt_is_told() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    node.get("/readyz/luck").await.assert_refused(404, "NOT_FOUND", "there is no check at /readyz/luck");
    node.get("/livez/member").await.assert_refused(404, "NOT_FOUND", "there are local_read");
    node.get("/readyz?exlude=disk").await.assert_refused(400, "INVALID", "\"exlude\"");
    let answer = node.send("OPTIONS /livez HTTP/1.1\r\nhost: n\r\nconnection: close\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    let answer = node.send("HEAD /livez HTTP/1.1\r\nhost: n\r\nconnection: close\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}
