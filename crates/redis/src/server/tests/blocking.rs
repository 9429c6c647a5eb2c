//! Pops that wait.

use super::*;

const POPPED: &str = "*2\r\n$1\r\nq\r\n$1\r\nx\r\n";

async fn ask(client: &mut DuplexStream, request: &str, expected: &str) {
    client.write_all(request.as_bytes()).await.unwrap();
    expect(client, expected).await;
}

/// Whether `CLIENT UNBLOCK` found the first connection waiting; asked until it does.
async fn unblock(by: &mut DuplexStream, words: &str) {
    let unblocked = async {
        loop {
            by.write_all(format!("CLIENT UNBLOCK 1{words}\r\n").as_bytes()).await.unwrap();
            let mut said = [0; 4];
            by.read_exact(&mut said).await.unwrap();
            if said == *b":1\r\n" {
                return;
            }
            assert_eq!(said, *b":0\r\n");
        }
    };
    timeout(PATIENCE, unblocked).await.expect("it waits");
}

#[tokio::test]
async fn who_waits_is_answered_when_something_comes_and_others_at_once() {
    let host = Host::new(Options::default());
    let (mut waiting, mut other) = (host.connect(), host.connect());
    ask(&mut waiting, "SET k v\r\nBLPOP p q 0\r\nGET k\r\n", "+OK\r\n").await;
    ask(&mut other, "RPUSH o x\r\n", ":1\r\n").await;
    ask(&mut other, "RPUSH q x y\r\n", ":2\r\n").await;
    expect(&mut waiting, &format!("{POPPED}$1\r\nv\r\n")).await;
    ask(&mut other, "BRPOP q 0\r\n", "*2\r\n$1\r\nq\r\n$1\r\ny\r\n").await;
}

#[tokio::test]
async fn one_element_is_for_one_of_those_who_wait() {
    let host = Host::new(Options::default());
    let mut waiting = [(); 3].map(|()| host.connect());
    for client in &mut waiting {
        client.write_all(b"BLPOP q 0\r\n").await.unwrap();
    }
    let mut other = host.connect();
    ask(&mut other, "RPUSH q x x x\r\n", ":3\r\n").await;
    for client in &mut waiting {
        expect(client, POPPED).await;
    }
    ask(&mut other, "EXISTS q\r\n", ":0\r\n").await;
}

#[tokio::test]
async fn a_wait_ends_by_its_time_by_others_and_by_a_drain() {
    let host = Host::new(Options::default());
    let (mut waiting, mut other) = (host.connect(), host.connect());
    ask(&mut waiting, "BLPOP q 0.001\r\n", "*-1\r\n").await;
    waiting.write_all(b"BLPOP q 0\r\n").await.unwrap();
    unblock(&mut other, "").await;
    expect(&mut waiting, "*-1\r\n").await;
    waiting.write_all(b"BRPOP q 0\r\n").await.unwrap();
    unblock(&mut other, " ERROR").await;
    expect(&mut waiting, "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n").await;
    ask(&mut waiting, "PING\r\nBLPOP q 0\r\n", "+PONG\r\n").await;
    timeout(PATIENCE, host.server.drain()).await.expect("nobody keeps it waiting");
    expect(&mut waiting, "*-1\r\n").await;
    expect_end(&mut waiting).await;
}

#[tokio::test]
async fn nothing_is_taken_for_a_client_that_has_gone() {
    let host = Host::new(Options::default());
    let (mut waiting, mut other) = (host.connect(), host.connect());
    ask(&mut waiting, "PING\r\nBLPOP q 0\r\n", "+PONG\r\n").await;
    drop(waiting);
    let gone = async {
        while host.server.node.clients.len() > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("its connection ends");
    ask(&mut other, "RPUSH q x\r\nLLEN q\r\n", ":1\r\n:1\r\n").await;
}
