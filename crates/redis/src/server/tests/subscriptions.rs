//! Messages between replies, their order, and who is disconnected.

use std::sync::atomic::Ordering;

use domain::{Action, NodeId, Published};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Host, PATIENCE, expect, expect_end};
use crate::error::{Error, Failure};
use crate::limits;
use crate::options::{Options, Purpose};

#[tokio::test]
async fn what_is_published_comes_between_the_replies_and_once() {
    let host = Host::new(Options::default());
    let (mut listener, mut speaker) = (host.connect(), host.connect());
    listener.write_all(b"SUBSCRIBE c\r\nGET k\r\nPING\r\nPSUBSCRIBE c*\r\nUNSUBSCRIBE c\r\n").await.unwrap();
    let only = "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in \
                this context\r\n";
    let begun = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
    let then = "*2\r\n$4\r\npong\r\n$0\r\n\r\n*3\r\n$10\r\npsubscribe\r\n$2\r\nc*\r\n:2\r\n\
                *3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:1\r\n";
    expect(&mut listener, &format!("{begun}{only}{then}")).await;
    for number in 0..100 {
        speaker
            .write_all(format!("PUBLISH c {number:02}\r\nPUBLISH d {number:02}\r\n").as_bytes())
            .await
            .unwrap();
    }
    for number in 0..100 {
        let message = format!("*4\r\n$8\r\npmessage\r\n$2\r\nc*\r\n$1\r\nc\r\n$2\r\n{number:02}\r\n");
        expect(&mut listener, &message).await;
        expect(&mut speaker, ":1\r\n:0\r\n").await;
    }
    assert_eq!(host.server.metrics().messages_delivered.load(Ordering::SeqCst), 100);
}

/// In RESP2 a message looks like a reply: none comes where a reply is waited for, however long.
#[tokio::test]
async fn who_listens_no_more_gets_replies_and_nothing_else() {
    for moment in 0..50 {
        let purpose = Purpose::Sentinel { master: "mymaster".into() };
        let host = Host::new(Options { purpose, ..Options::default() });
        let mut client = host.connect();
        let requests = b"SUBSCRIBE +switch-master\r\nUNSUBSCRIBE\r\nSENTINEL CKQUORUM mymaster\r\n";
        client.write_all(requests).await.unwrap();
        for _ in 0..moment {
            tokio::task::yield_now().await;
        }
        host.model.lead(Some(NodeId(3)));
        let mut said = Vec::new();
        let last = b"can be reached\r\n";
        while !said.ends_with(last) {
            timeout(PATIENCE, client.read_buf(&mut said)).await.expect("in time").unwrap();
        }
        let said = String::from_utf8(said).unwrap();
        let in_order = "$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:0\r\n+OK 2 usable Sentinels";
        assert!(said.contains(in_order), "{said:?}");
    }
}

/// A message that is published as soon as the acknowledgement is there is never missed, and what was published before it was
/// asked for never told.
#[tokio::test]
async fn a_subscription_begins_where_it_is_acknowledged() {
    for round in 0..50 {
        let host = Host::new(Options::default());
        let (mut listener, mut other) = (host.connect(), host.connect());
        // Something listens already, so that messages are noted.
        other.write_all(b"SUBSCRIBE elsewhere\r\n").await.unwrap();
        expect(&mut other, "*3\r\n$9\r\nsubscribe\r\n$9\r\nelsewhere\r\n:1\r\n").await;
        host.model.apply(published(b"c", b"before"));
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        listener.write_all(b"SUBSCRIBE c\r\n").await.unwrap();
        expect(&mut listener, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").await;
        host.model.apply(published(b"c", b"after"));
        expect(&mut listener, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$5\r\nafter\r\n").await;
    }
}

#[tokio::test]
async fn who_does_not_read_its_messages_is_disconnected_and_nobody_else() {
    let host = Host::new(Options::default());
    let (mut deaf, mut listener) = (host.connect(), host.connect());
    for client in [&mut deaf, &mut listener] {
        client.write_all(b"SUBSCRIBE c\r\n").await.unwrap();
        expect(client, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").await;
    }
    let long = vec![b'x'; domain::limits::MESSAGE_BYTES_MAX];
    let each = format!("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n${}\r\n{}\r\n", long.len(), "x".repeat(long.len()));
    let count = (limits::SUBSCRIBER_BYTES_MAX + limits::UNREAD_BYTES_SOFT) / long.len() + 4;
    for _ in 0..count {
        host.model.apply(published(b"c", &long));
        expect(&mut listener, &each).await;
    }
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, deaf.read_to_end(&mut rest)).await.expect("disconnected");
    assert!(rest.len() < count * each.len(), "it was told everything");
    let metrics = host.server.metrics();
    assert_eq!(metrics.subscribers_slow.load(Ordering::SeqCst), 1);
    host.model.apply(published(b"c", b"on"));
    expect(&mut listener, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\non\r\n").await;
}

#[tokio::test]
async fn where_messages_are_missing_those_who_listen_are_disconnected() {
    let host = Host::new(Options::default());
    let (mut listener, mut other) = (host.connect(), host.connect());
    listener.write_all(b"HELLO 3\r\nSSUBSCRIBE s\r\n").await.unwrap();
    other.write_all(b"PING\r\n").await.unwrap();
    expect(&mut other, "+PONG\r\n").await;
    let mut said = Vec::new();
    while !said.ends_with(b">3\r\n$10\r\nssubscribe\r\n$1\r\ns\r\n:1\r\n") {
        assert!(timeout(PATIENCE, listener.read_buf(&mut said)).await.expect("in time").unwrap() > 0);
    }
    host.model.lose();
    expect_end(&mut listener).await;
    other.write_all(b"PUBSUB SHARDCHANNELS\r\n").await.unwrap();
    expect(&mut other, "*0\r\n").await;
    let metrics = host.server.metrics();
    assert_eq!(metrics.subscribers_lost.load(Ordering::SeqCst), 1);
    assert_eq!(metrics.subscriptions.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_quorum_one_may_subscribe_and_on_a_wrong_node_not() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    host.model.fail(Some(Failure::NoQuorum));
    client.write_all(b"SUBSCRIBE c\r\n").await.unwrap();
    expect(&mut client, "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n").await;
    host.model.fail(Some(Failure::OutOfService));
    client.write_all(b"SUBSCRIBE d\r\n").await.unwrap();
    expect(
        &mut client,
        "-ERR this node is out of service because its state differs from the others'; use another node\r\n",
    )
    .await;
    expect_end(&mut client).await;
}

#[tokio::test]
async fn a_connection_has_its_limit_of_subscriptions() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    client.write_all(b"HELLO 3\r\n").await.unwrap();
    let names: String = (0..limits::SUBSCRIPTIONS_MAX).map(|number| format!(" {number:04}")).collect();
    client
        .write_all(format!("SUBSCRIBE{names}\r\nPSUBSCRIBE *\r\nSUBSCRIBE 0000\r\n").as_bytes())
        .await
        .unwrap();
    let error = format!("-{}\r\n", Error::TooManySubscriptions);
    let last = format!("{error}>3\r\n$9\r\nsubscribe\r\n$4\r\n0000\r\n:{}\r\n", limits::SUBSCRIPTIONS_MAX);
    let mut said = Vec::new();
    while !said.ends_with(last.as_bytes()) {
        assert!(timeout(PATIENCE, client.read_buf(&mut said)).await.expect("in time").unwrap() > 0);
    }
    drop(client);
    timeout(PATIENCE, async {
        while host.server.metrics().subscriptions.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("what a client has subscribed to goes with it");
}

fn published(channel: &[u8], message: &[u8]) -> Action {
    Action::Publish(Published { channel: channel.into(), message: message.into(), sharded: false })
}
