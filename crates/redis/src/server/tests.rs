//! Connections over streams in memory: pipelines, limits, silence, goodbyes.

mod blocking;
mod redlock;
mod subscriptions;

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use domain::NodeId;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::error::Failure;
use crate::limits;
use crate::options::Purpose;
use crate::testing::{Model, WALL_MS};

/// Long enough for a loaded machine; no test waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(20);

struct Host {
    model: Model,
    server: Server<Model>,
    door: mpsc::UnboundedSender<Counted>,
    writes: Arc<AtomicUsize>,
}

/// Counts the writes of the server.
struct Counted {
    stream: DuplexStream,
    writes: Arc<AtomicUsize>,
}

impl Host {
    fn new(options: Options) -> Self {
        let model = Model::default();
        let spawn = |task| drop(tokio::spawn(task));
        let environment = Environment {
            wall_ms: Arc::new(|| WALL_MS),
            spawn: Arc::new(spawn),
            aside: Arc::new(|work| work()),
            clock: Arc::new(|| Duration::ZERO),
            monotonic: Arc::new(|| Duration::ZERO),
            sleep: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
        };
        let server = Server::new(model.clone(), environment, options);
        let (door, mut arrivals) = mpsc::unbounded_channel::<Counted>();
        let serving = server.clone();
        tokio::spawn(async move {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            let incoming = stream::poll_fn(move |context| {
                arrivals.poll_recv(context).map(|arrival| {
                    arrival.map(|stream| Ok(Accepted { stream, peer: address, local: address }))
                })
            });
            serving.serve(incoming).await;
        });
        Self { model, server, door, writes: Arc::default() }
    }

    fn connect(&self) -> DuplexStream {
        let (ours, theirs) = duplex(16 * 1024);
        self.door.send(Counted { stream: theirs, writes: self.writes.clone() }).unwrap();
        ours
    }
}

async fn expect(client: &mut DuplexStream, expected: &str) {
    let mut read = vec![0; expected.len()];
    timeout(PATIENCE, client.read_exact(&mut read)).await.expect("in time").expect("enough");
    assert_eq!(read.escape_ascii().to_string(), expected.as_bytes().escape_ascii().to_string());
}

async fn expect_end(client: &mut DuplexStream) {
    let mut rest = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("in time").expect("an orderly end");
    assert_eq!(rest.escape_ascii().to_string(), "");
}

#[tokio::test]
async fn a_pipeline_is_answered_in_order_by_few_calls_and_one_write() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    client
        .write_all(b"SET a 1\r\nPING\r\nINCR a\r\nSET b 2\r\nGET a\r\nGET b\r\nFOO\r\nDEL a b\r\n")
        .await
        .unwrap();
    let error = "-ERR unknown command 'FOO', with args beginning with: \r\n";
    expect(&mut client, &format!("+OK\r\n+PONG\r\n:2\r\n+OK\r\n$1\r\n2\r\n$1\r\n2\r\n{error}:2\r\n")).await;
    assert_eq!(host.model.proposals(), [3, 1]);
    assert_eq!(host.model.rounds(), 1);
    assert_eq!(host.writes.load(Ordering::SeqCst), 1, "the replies left together");
    client.write_all(b"PING\r\n").await.unwrap();
    expect(&mut client, "+PONG\r\n").await;
}

#[tokio::test]
async fn bytes_may_come_one_by_one() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    for byte in b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\nGET k\n" {
        client.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    expect(&mut client, "+OK\r\n$3\r\na\r\n\r\n").await;
}

#[tokio::test]
async fn what_changes_the_session_holds_from_there_on() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    client
        .write_all(b"GET x\r\nHELLO 3\r\nGET x\r\nSELECT 1\r\nSET x 1\r\nSELECT 0\r\nEXISTS x\r\n")
        .await
        .unwrap();
    let hello = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n\
                 $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
    expect(&mut client, &format!("$-1\r\n{hello}_\r\n+OK\r\n+OK\r\n+OK\r\n:0\r\n")).await;
}

#[tokio::test]
async fn who_sends_everything_first_and_reads_then_gets_everything() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    let value = "v".repeat(200);
    let mut sent = format!("SET k {value}\r\n");
    let mut expected = "+OK\r\n".to_owned();
    for _ in 0..4000 {
        sent.push_str("GET k\r\n");
        expected.push_str(&format!("$200\r\n{value}\r\n"));
    }
    assert!(expected.len() < limits::UNREAD_BYTES_SOFT);
    timeout(PATIENCE, client.write_all(sent.as_bytes())).await.expect("not blocked").unwrap();
    expect(&mut client, &expected).await;
}

#[tokio::test]
async fn who_does_not_read_is_not_read_from() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    let ping = format!("PING {}\r\n", "x".repeat(1000));
    let mut sent = 0;
    while timeout(Duration::from_millis(300), client.write_all(ping.as_bytes())).await.is_ok() {
        sent += 1;
        assert!(sent < 20_000, "everything was read");
    }
    let soft = limits::UNREAD_BYTES_SOFT / 1000;
    assert!(sent >= soft && sent < 6 * soft, "{sent}");
    // As soon as it reads, it goes on.
    for _ in 0..sent {
        expect(&mut client, &format!("$1000\r\n{}\r\n", "x".repeat(1000))).await;
    }
}

#[tokio::test]
async fn who_asks_for_more_than_a_node_holds_is_disconnected() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    let value = "v".repeat(domain::limits::VALUE_BYTES_MAX);
    let mut sent = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len());
    // One run: each answers the value before, which is long only the first time, so that all keys are filled first.
    for key in 0..600 {
        sent.push_str(&format!("*3\r\n$3\r\nSET\r\n$4\r\nk{key:03}\r\n${}\r\n{value}\r\n", value.len()));
    }
    let client_reads = async {
        client.write_all(sent.as_bytes()).await.unwrap();
        expect(&mut client, &"+OK\r\n".repeat(601)).await;
        let swap: String = (0..600).map(|key| format!("SET k{key:03} v GET\r\n")).collect();
        client.write_all(swap.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let _ = client.read_to_end(&mut rest).await;
    };
    timeout(PATIENCE, client_reads).await.expect("disconnected");
    assert_eq!(host.server.metrics().connections_stalled.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn long_reads_are_answered_piece_by_piece() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    let value = "v".repeat(domain::limits::VALUE_BYTES_MAX);
    client
        .write_all(format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n{value}\r\n", value.len()).as_bytes())
        .await
        .unwrap();
    expect(&mut client, "+OK\r\n").await;
    client.write_all("GET k\r\n".repeat(700).as_bytes()).await.unwrap();
    for _ in 0..700 {
        expect(&mut client, &format!("${}\r\n{value}\r\n", value.len())).await;
    }
    assert!(host.model.rounds() > 10, "put off again and again");
}

#[tokio::test]
async fn who_breaks_the_protocol_is_told_and_disconnected() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    client.write_all(b"SET a 1\r\n*1\r\n+PING\r\nGET a\r\n").await.unwrap();
    expect(&mut client, "+OK\r\n-ERR Protocol error: expected '$', got '+'\r\n").await;
    expect_end(&mut client).await;
    let mut browser = host.connect();
    browser.write_all(b"PING\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\nFLUSHALL\r\n").await.unwrap();
    expect(&mut browser, "+PONG\r\n").await;
    expect_end(&mut browser).await;
    assert_eq!(host.server.metrics().protocol_errors.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stranger_may_send_little() {
    let host = Host::new(Options { password: Some("secret".into()), ..Options::default() });
    let mut client = host.connect();
    client.write_all(b"GET a\r\n*11\r\n").await.unwrap();
    expect(&mut client, "-NOAUTH Authentication required.\r\n").await;
    expect(&mut client, "-ERR Protocol error: unauthenticated multibulk length\r\n").await;
    expect_end(&mut client).await;
    let mut client = host.connect();
    let many = "*11\r\n$3\r\nDEL\r\n".to_owned() + &"$1\r\na\r\n".repeat(10);
    client.write_all(format!("AUTH secret\r\n{many}").as_bytes()).await.unwrap();
    expect(&mut client, "+OK\r\n:0\r\n").await;
}

#[tokio::test]
async fn there_are_only_so_many_clients() {
    let host = Host::new(Options { connections_max: 1, ..Options::default() });
    let mut first = host.connect();
    first.write_all(b"PING\r\n").await.unwrap();
    expect(&mut first, "+PONG\r\n").await;
    let mut second = host.connect();
    expect(&mut second, "-ERR max number of clients reached\r\n").await;
    expect_end(&mut second).await;
    first.write_all(b"QUIT\r\n").await.unwrap();
    expect(&mut first, "+OK\r\n").await;
    expect_end(&mut first).await;
    drop(first);
    timeout(PATIENCE, async {
        loop {
            let mut third = host.connect();
            third.write_all(b"PING\r\n").await.unwrap();
            let mut said = [0; 1];
            third.read_exact(&mut said).await.unwrap();
            if said == *b"+" {
                return;
            }
        }
    })
    .await
    .expect("a place became free");
}

#[tokio::test]
async fn who_hangs_up_after_asking_is_still_answered() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    client.write_all(b"SET a 1\r\nGET a\r\nGET").await.unwrap();
    client.shutdown().await.unwrap();
    expect(&mut client, "+OK\r\n$1\r\n1\r\n").await;
    expect_end(&mut client).await;
}

#[tokio::test]
async fn a_drain_answers_what_was_sent_and_ends_the_connections() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    let mut idle = host.connect();
    idle.write_all(b"PING\r\n").await.unwrap();
    expect(&mut idle, "+PONG\r\n").await;
    client.write_all(b"SET a 1\r\nGET a\r\nINCR a\r\nGET").await.unwrap();
    let reads = async {
        expect(&mut client, "+OK\r\n$1\r\n1\r\n:2\r\n").await;
        expect_end(&mut client).await;
        expect_end(&mut idle).await;
    };
    let drained = async {
        // The connection has to be accepted first: what nobody has accepted nobody answers.
        while host.server.metrics().connections_open.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        timeout(PATIENCE, host.server.drain()).await.expect("drained");
    };
    tokio::join!(reads, drained);
    timeout(PATIENCE, host.door.closed()).await.expect("nobody accepts any more");
}

/// Whichever the loop of the connection notices first, the bytes or the drain; it chooses at random.
#[tokio::test]
async fn a_drain_answers_what_has_arrived_and_was_not_read() {
    for _ in 0..40 {
        let host = Host::new(Options::default());
        let mut client = host.connect();
        client.write_all(b"PING\r\n").await.unwrap();
        expect(&mut client, "+PONG\r\n").await;
        client.write_all(b"INCR a\r\n").await.unwrap();
        timeout(PATIENCE, host.server.drain()).await.expect("drained");
        expect(&mut client, ":1\r\n").await;
        expect_end(&mut client).await;
    }
}

#[tokio::test]
async fn one_client_can_end_another() {
    let host = Host::new(Options::default());
    let mut first = host.connect();
    first.write_all(b"CLIENT ID\r\n").await.unwrap();
    expect(&mut first, ":1\r\n").await;
    let mut second = host.connect();
    second.write_all(b"CLIENT KILL ID 1\r\n").await.unwrap();
    expect(&mut second, ":1\r\n").await;
    expect_end(&mut first).await;
    second.write_all(b"CLIENT KILL ID 2 SKIPME no\r\n").await.unwrap();
    expect(&mut second, ":1\r\n").await;
    expect_end(&mut second).await;
}

#[tokio::test]
async fn a_release_passes_when_the_disk_is_low() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    client.write_all(b"SET a 1\r\n").await.unwrap();
    expect(&mut client, "+OK\r\n").await;
    host.model.fail(Some(Failure::DiskLow));
    client.write_all(b"SET b 1\r\nDEL a\r\nPING\r\n").await.unwrap();
    let low = "-OOM command not executed: the disk is below its reserve, only commands that free keys are accepted\r\n";
    expect(&mut client, &format!("{low}:1\r\n+PONG\r\n")).await;
}

#[tokio::test]
async fn no_leader_ends_no_connection() {
    let host = Host::new(Options::default());
    let mut client = host.connect();
    host.model.fail(Some(Failure::NoQuorum));
    client.write_all(b"SET b 1\r\nGET b\r\nPING\r\n").await.unwrap();
    let loading = "-LOADING No Raft leader; command not executed\r\n";
    expect(&mut client, &format!("{loading}{loading}+PONG\r\n")).await;
    host.model.fail(None);
    client.write_all(b"SET b 1\r\nGET b\r\n").await.unwrap();
    expect(&mut client, "+OK\r\n$1\r\n1\r\n").await;
    let counts: Vec<_> = host
        .server
        .metrics()
        .commands()
        .map(|line| (line.command, line.outcome.name(), line.count))
        .collect();
    let expected = [
        ("get", "done", 1),
        ("get", "unavailable", 1),
        ("ping", "done", 1),
        ("set", "done", 1),
        ("set", "unavailable", 1),
    ];
    assert_eq!(counts, expected);
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writes.fetch_add(usize::from(written.is_ready()), Ordering::SeqCst);
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

#[tokio::test]
async fn a_client_of_a_sentinel_hears_of_a_new_leader() {
    let purpose = Purpose::Sentinel { master: "mymaster".into() };
    let host = Host::new(Options { purpose, ..Options::default() });
    let (mut old, mut new) = (host.connect(), host.connect());
    old.write_all(b"SUBSCRIBE +switch-master +sdown\r\nPSUBSCRIBE +* nothing\r\n").await.unwrap();
    expect(&mut old, "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n").await;
    expect(&mut old, "*3\r\n$9\r\nsubscribe\r\n$6\r\n+sdown\r\n:2\r\n").await;
    expect(&mut old, "*3\r\n$10\r\npsubscribe\r\n$2\r\n+*\r\n:3\r\n").await;
    expect(&mut old, "*3\r\n$10\r\npsubscribe\r\n$7\r\nnothing\r\n:4\r\n").await;
    new.write_all(b"HELLO 3\r\nSUBSCRIBE +switch-master\r\n").await.unwrap();
    let hello = "%6\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.4\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:2\r\n\
                 $4\r\nmode\r\n$8\r\nsentinel\r\n$7\r\nmodules\r\n*0\r\n";
    expect(&mut new, &format!("{hello}>3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n")).await;

    // A leader that is elected again is no news.
    host.model.lead(Some(NodeId(2)));
    host.model.lead(Some(NodeId(3)));
    let switch = "$14\r\n+switch-master\r\n$36\r\nmymaster 10.0.0.2 6379 10.0.0.3 6379\r\n";
    expect(&mut new, &format!(">3\r\n$7\r\nmessage\r\n{switch}")).await;
    expect(&mut old, &format!("*3\r\n$7\r\nmessage\r\n{switch}")).await;
    expect(&mut old, &format!("*4\r\n$8\r\npmessage\r\n$2\r\n+*\r\n{switch}")).await;

    // Who does not listen any more hears nothing.
    new.write_all(b"UNSUBSCRIBE\r\n").await.unwrap();
    expect(&mut new, ">3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:0\r\n").await;
    host.model.lead(Some(NodeId(1)));
    expect(&mut old, "*3\r\n$7\r\nmessage\r\n").await;
    new.write_all(b"PING\r\n").await.unwrap();
    expect(&mut new, "+PONG\r\n").await;
    host.server.drain().await;
    expect_end(&mut new).await;
}
