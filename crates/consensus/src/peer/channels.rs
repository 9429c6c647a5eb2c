//! Connections to peers: one for each peer and lane, opened when first used, kept and reopened by tonic.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tonic::transport::{Channel, Endpoint, Uri};
use wire::peer::peer_service_client::PeerServiceClient;

use crate::environment::Connect;
use crate::limits::{CONNECT_TIMEOUT, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, PEER_MESSAGE_BYTES_MAX};

pub(crate) type PeerClient = PeerServiceClient<Channel>;

/// What a connection is for. Entries, votes and snapshots must not wait for one another: a heartbeat behind a
/// snapshot block would look like a dead leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Entries,
    Votes,
    Snapshots,
    Commands,
}

pub(crate) struct Channels {
    connect: Arc<dyn Connect>,
    open: Mutex<BTreeMap<(String, Lane), Channel>>,
}

impl Channels {
    pub(crate) fn new(connect: Arc<dyn Connect>) -> Self {
        Self { connect, open: Mutex::default() }
    }

    pub(crate) fn client(&self, address: &str, lane: Lane) -> Result<PeerClient, tonic::transport::Error> {
        let mut open = self.open.lock();
        let channel = match open.get(&(address.to_owned(), lane)) {
            Some(channel) => channel.clone(),
            None => {
                let channel = self.channel(address)?;
                open.insert((address.to_owned(), lane), channel.clone());
                channel
            }
        };
        Ok(PeerServiceClient::new(channel)
            .max_decoding_message_size(PEER_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(PEER_MESSAGE_BYTES_MAX))
    }

    fn channel(&self, address: &str) -> Result<Channel, tonic::transport::Error> {
        let connect = self.connect.clone();
        let address = address.to_owned();
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(4 * 1024 * 1024);
        Ok(endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let opening = connect.connect(address.clone());
            async move {
                match tokio::time::timeout(CONNECT_TIMEOUT, opening).await {
                    Ok(socket) => socket.map(TokioIo::new),
                    Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
                }
            }
        })))
    }
}
