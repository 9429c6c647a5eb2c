//! Serve the services on a listener that is handed in.

use std::io;

use consensus::environment::Socket;
use consensus::{Incoming, Replica};
use futures_util::{Stream, StreamExt};
use tonic::transport::Server;
use wire::v1::cluster_service_server::ClusterServiceServer;
use wire::v1::config_service_server::ConfigServiceServer;
use wire::v1::lease_service_server::LeaseServiceServer;
use wire::v1::order_service_server::OrderServiceServer;

use crate::cluster::{Cluster, WallClock};
use crate::config::Config;
use crate::lease::Leases;
use crate::limits::{KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, REQUEST_BYTES_MAX, STREAMS_PER_CONNECTION_MAX};
use crate::order::Orders;

/// The pseudo-service of the standard health protocol that is serving while this node leads, as it believes.
pub const LEADER_SERVICE: &str = "leader";

/// Answers clients and operators until `stop` is done; calls under way are answered before it returns.
pub async fn serve(
    replica: Replica,
    wall_ms: WallClock,
    incoming: impl Stream<Item = io::Result<Box<dyn Socket>>> + Send + Unpin,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), tonic::transport::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<LeaseServiceServer<Leases>>().await;
    health.set_serving::<ConfigServiceServer<Config>>().await;
    health.set_serving::<OrderServiceServer<Orders>>().await;
    health.set_serving::<ClusterServiceServer<Cluster>>().await;
    let follow = tokio::spawn(follow_leadership(replica.clone(), health));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .expect("the descriptors are our own");
    let leases = LeaseServiceServer::new(Leases::new(replica.clone()));
    let orders = OrderServiceServer::new(Orders::new(replica.clone(), wall_ms.clone()));
    let config = ConfigServiceServer::new(Config::new(replica.clone(), wall_ms.clone()));
    let cluster = ClusterServiceServer::new(Cluster::new(replica, wall_ms));
    let served = Server::builder()
        .max_concurrent_streams(Some(STREAMS_PER_CONNECTION_MAX))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(health_service)
        .add_service(reflection)
        .add_service(leases.max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(orders.max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(config.max_decoding_message_size(REQUEST_BYTES_MAX))
        .add_service(cluster.max_decoding_message_size(REQUEST_BYTES_MAX))
        .serve_with_incoming_shutdown(incoming.map(|socket| socket.map(Incoming)), stop)
        .await;
    follow.abort();
    served
}

/// Keeps the health of [`LEADER_SERVICE`] and of the whole node (the empty name).
async fn follow_leadership(replica: Replica, health: tonic_health::server::HealthReporter) {
    use tonic_health::ServingStatus;
    let serving = |yes| if yes { ServingStatus::Serving } else { ServingStatus::NotServing };
    let mut standing = replica.watch_standing();
    let mut told = None;
    loop {
        let status = replica.status();
        let seen = (status.leader == Some(status.node), !status.draining && !status.out_of_service);
        if told != Some(seen) {
            told = Some(seen);
            health.set_service_status(LEADER_SERVICE, serving(seen.0)).await;
            health.set_service_status("", serving(seen.1)).await;
        }
        standing.changed().await;
    }
}
