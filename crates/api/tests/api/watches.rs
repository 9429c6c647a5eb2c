use std::time::Duration;

use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::{Request, Status};
use wire::v1::{self, order_service_server::OrderService};

use crate::world::World;

type Stream = <api::Orders as OrderService>::WatchStream;

impl World {
    async fn watch(&self, request: v1::WatchOrdersRequest) -> Result<Stream, Status> {
        self.orders.watch(Request::new(request)).await.map(tonic::Response::into_inner)
    }
}

async fn next(stream: &mut Stream) -> Result<v1::WatchOrdersResponse, Status> {
    timeout(Duration::from_secs(20), stream.next()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_tells_what_changed_since_a_serial_and_goes_on() {
    let world = World::new().await;
    let first = world.authorized("k1").await;
    let second = world.authorized("k2").await;
    let request = v1::WatchOrdersRequest { after_serial: first.serial, ..Default::default() };
    let mut stream = world.watch(request).await.unwrap();
    let told = next(&mut stream).await.unwrap();
    assert_eq!((told.order.unwrap().order_id, told.resume_after), (second.order_id, second.serial));

    world.cancel(first.order_id).await.unwrap();
    let told = next(&mut stream).await.unwrap();
    let header = told.header.unwrap();
    let order = told.order.unwrap();
    assert_eq!((order.order_id, order.status()), (first.order_id, v1::OrderStatus::PendingCancel));
    assert!(header.serial >= order.serial && order.serial > second.serial);

    let third = world.authorized("k3").await;
    assert_eq!(next(&mut stream).await.unwrap().order.unwrap().order_id, third.order_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_asks_for_no_past_is_told_none_and_filters() {
    let world = World::new().await;
    world.authorized("k1").await;
    let mut all = world.watch(v1::WatchOrdersRequest::default()).await.unwrap();
    let desk = v1::WatchOrdersRequest { account: "desk".into(), ..Default::default() };
    let mut desk = world.watch(desk).await.unwrap();
    let second = world.authorized("k2").await;
    let third = world.submit(world.gateway_order("k3")).await.unwrap().order.unwrap();
    assert_eq!(next(&mut all).await.unwrap().order.unwrap().order_id, second.order_id);
    assert_eq!(next(&mut all).await.unwrap().order.unwrap().order_id, third.order_id);
    assert_eq!(next(&mut desk).await.unwrap().order.unwrap().order_id, third.order_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_changed_together_the_first_leads_back_before_both() {
    let world = World::new().await;
    let order = world.opened("k1").await;
    let which = Some(v1::replace_request::Which::OrderId(order.order_id));
    let replace = v1::ReplaceRequest { which, order: Some(world.order("k2")), ..Default::default() };
    let new = world.orders.replace(Request::new(replace)).await.unwrap().into_inner().order.unwrap();
    let request = v1::WatchOrdersRequest { after_serial: order.serial, ..Default::default() };
    let mut stream = world.watch(request).await.unwrap();
    let (one, other) = (next(&mut stream).await.unwrap(), next(&mut stream).await.unwrap());
    assert_eq!(one.order.unwrap().serial, other.order.unwrap().serial);
    assert_eq!((one.resume_after, other.resume_after), (new.serial - 1, new.serial));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_ends_with_a_reason() {
    let world = World::new().await;
    let ahead = v1::WatchOrdersRequest { after_serial: 1 << 40, ..Default::default() };
    let refused = world.watch(ahead).await.err().unwrap();
    assert_eq!(api::reason_of(&refused), Some(api::Reason::Invalid), "{refused:?}");
    let wrong = v1::WatchOrdersRequest { strategy: "a b".into(), ..Default::default() };
    let refused = world.watch(wrong).await.err().unwrap();
    assert_eq!(api::reason_of(&refused), Some(api::Reason::Invalid), "{refused:?}");

    let mut stream = world.watch(v1::WatchOrdersRequest::default()).await.unwrap();
    world.replica.drain().await;
    let ended = next(&mut stream).await.unwrap_err();
    assert_eq!(api::reason_of(&ended), Some(api::Reason::Draining), "{ended:?}");
}
