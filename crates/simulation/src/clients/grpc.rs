//! Channels of gRPC over the simulated network.

use hyper_util::rt::TokioIo;
use tonic::transport::{Channel, Endpoint, Uri};
use turmoil::net::TcpStream;

use crate::world::API_PORT;

pub(super) fn connect(host: &str) -> Channel {
    let address = format!("{host}:{API_PORT}");
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a host and a port");
    let connector = tower::service_fn(move |_: Uri| {
        let address = address.clone();
        async move { TcpStream::connect(address).await.map(TokioIo::new) }
    });
    endpoint.connect_with_connector_lazy(connector)
}
