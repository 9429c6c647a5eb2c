use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use store::FaultyDisk;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::client::parse;
use crate::world::{Network, Node, start};

/// Sends a request that keeps the connection, and reads the answer, whose body is `ok`.
async fn ask(socket: &mut DuplexStream) -> u16 {
    socket.write_all(b"GET /livez HTTP/1.1\r\nhost: n\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        answer.push(socket.read_u8().await.unwrap());
    }
    parse(&answer).status
}

async fn wait_for_open(node: &Node, connections: u64) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while node.metrics.connections_open.load(Relaxed) != connections {
        assert!(Instant::now() < deadline, "{:?} instead of {connections}", node.metrics.connections_open);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_for_more_requests() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    let mut socket = node.open();
    assert_eq!(ask(&mut socket).await, 200);
    assert_eq!(ask(&mut socket).await, 200);
    wait_for_open(&node, 1).await;
    drop(socket);
    wait_for_open(&node, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_are_closed_and_places_come_back() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    let mut open: Vec<_> = (0..http::limits::CONNECTIONS_MAX).map(|_| node.open()).collect();
    wait_for_open(&node, http::limits::CONNECTIONS_MAX as u64).await;
    let mut refused = node.open();
    let mut nothing = Vec::new();
    refused.read_to_end(&mut nothing).await.unwrap();
    assert!(nothing.is_empty());
    assert_eq!(node.metrics.connections_refused.load(Relaxed), 1);
    assert_eq!(ask(&mut open[0]).await, 200);

    drop(open.split_off(1));
    wait_for_open(&node, 1).await;
    assert_eq!(ask(&mut node.open()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_idle_connections_and_answers_what_was_asked() {
    let node = start(1, &Network::default(), &FaultyDisk::new(1)).await;
    let mut idle = node.open();
    assert_eq!(ask(&mut idle).await, 200);
    // Takes a second: nobody leads.
    let mut asking = node.open();
    asking.write_all(b"GET /readyz HTTP/1.1\r\nhost: n\r\n\r\n").await.unwrap();
    wait_for_open(&node, 2).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    node.stop();
    let mut rest = Vec::new();
    assert_eq!(idle.read_to_end(&mut rest).await.unwrap(), 0);
    asking.read_to_end(&mut rest).await.unwrap();
    assert_eq!(parse(&rest).status, 503);
    assert!(parse(&rest).body.contains("linearizable_read failed"));
    node.served.await.unwrap().unwrap();
}
