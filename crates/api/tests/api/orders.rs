use tonic::{Request, Response};
use wire::v1::{self, order_service_server::OrderService};

use crate::world::{WALL_MS, World};

fn status(order: &v1::Order) -> v1::OrderStatus {
    order.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bot_is_told_what_to_sign() {
    let world = World::new().await;
    let reply = world.authorize(world.order("k1")).await.unwrap();
    let header = reply.header.unwrap();
    assert!(header.serial > 0 && header.log_index > 0 && !header.repeated && header.cluster_id.len() == 32);
    assert!(!reply.existing && reply.waits_for.is_empty());
    let order = reply.order.unwrap();
    assert_eq!(status(&order), v1::OrderStatus::Submitting);
    assert_eq!((order.timestamp_ms, order.window_ms), (Some(WALL_MS), Some(2000)));
    assert_eq!((order.client_order_id.len(), &order.client_order_id[..1]), (16, "q"));
    assert_eq!((order.authorized_serial, order.serial), (Some(header.serial), header.serial));
    assert_eq!((order.venue.as_str(), order.filled_quantity.as_str()), ("sim", "0"));
    assert_eq!(order.time_in_force(), v1::TimeInForce::Gtc);
    assert_eq!((order.lease.as_str(), order.token), ("desk", world.token));
    assert_eq!(order.updated_at_ms, WALL_MS);

    let client = v1::get_order_request::Which::ClientOrderId(order.client_order_id.clone());
    let key = v1::StrategyKey { strategy: "mm".into(), key: "k1".into() };
    for which in [v1::get_order_request::Which::OrderId(order.order_id), client, key_of(key)] {
        let found = world.get_by(which).await.unwrap();
        // An instant of the log is told by a wall clock that stands still while the log goes on.
        assert!((WALL_MS - 20_000..=WALL_MS).contains(&found.updated_at_ms), "{}", found.updated_at_ms);
        assert_eq!(v1::Order { updated_at_ms: WALL_MS, ..found }, order);
    }
}

/// The answer to an authorisation is made without a look at the state.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_authorised_is_told_as_it_is_found() {
    let world = World::new().await;
    let found = async |told: v1::Order| {
        let found = world.get(told.order_id).await.unwrap();
        assert_eq!(told.updated_at_ms, WALL_MS);
        assert_eq!(v1::Order { updated_at_ms: WALL_MS, ..found }, told);
    };
    let (limit, stop) = (world.order("k1"), v1::OrderType::StopLossLimit);
    for (at, order) in [
        v1::NewOrder { time_in_force: v1::TimeInForce::Ioc.into(), ..limit.clone() },
        v1::NewOrder { r#type: v1::OrderType::Market.into(), price: None, ..limit.clone() },
        v1::NewOrder { r#type: stop.into(), stop_price: Some("99".into()), ..limit.clone() },
        v1::NewOrder { side: v1::Side::Sell.into(), ..limit.clone() },
    ]
    .into_iter()
    .enumerate()
    {
        let order = v1::NewOrder { key: format!("k{at}"), ..order };
        found(world.authorize(order).await.unwrap().order.unwrap()).await;
    }
    // One that waited has an id of before.
    let order = v1::NewOrder { hold_ms: 60_000, ..world.gateway_order("held") };
    world.kill_switch(true).await;
    let held = world.submit(order.clone()).await.unwrap().order.unwrap();
    world.kill_switch(false).await;
    let told = world.submit(order).await.unwrap().order.unwrap();
    assert_eq!(told.order_id, held.order_id);
    assert!(told.authorized_serial.unwrap() > held.order_id);
    found(told).await;
}

fn key_of(key: v1::StrategyKey) -> v1::get_order_request::Which {
    v1::get_order_request::Which::Key(key)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_order() {
    let world = World::new().await;
    let first = world.submit(world.gateway_order("k1")).await.unwrap();
    let again = world.submit(world.gateway_order("k1")).await.unwrap();
    assert!(!first.existing && again.existing);
    assert_eq!(first.order.unwrap().order_id, again.order.unwrap().order_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_runs_once() {
    let world = World::new().await;
    let request = |id: u8, key: &str| {
        let request_id = vec![id; 16].into();
        Request::new(v1::SubmitRequest { order: Some(world.gateway_order(key)), request_id })
    };
    let first = world.orders.submit(request(1, "k1")).await.unwrap().into_inner();
    let again = world.orders.submit(request(1, "k1")).await.unwrap().into_inner();
    let (one, other) = (first.header.unwrap(), again.header.unwrap());
    assert_eq!((one.repeated, other.repeated, one.serial), (false, true, other.serial));
    assert_eq!(first.order.unwrap().order_id, again.order.unwrap().order_id);
    assert!(!again.existing, "what it did then is what it says now");

    // A refusal that is repeated says so.
    let unknown = v1::NewOrder { account: "none".into(), ..world.gateway_order("k2") };
    let unknown = || {
        let request_id = vec![2; 16].into();
        Request::new(v1::SubmitRequest { order: Some(unknown.clone()), request_id })
    };
    let refused = world.orders.submit(unknown()).await.unwrap_err();
    let repeated = world.orders.submit(unknown()).await.unwrap_err();
    assert_eq!((api::is_repeated(&refused), api::is_repeated(&repeated)), (false, true));
    assert_eq!(api::reason_of(&repeated), Some(api::Reason::UnknownName));

    // The id of another request answers nothing.
    let which = Some(v1::cancel_request::Which::OrderId(other.serial));
    let (lease, token, request_id) = ("desk".into(), world.token, vec![1; 16].into());
    let cancel = v1::CancelRequest { which, lease, token, request_id };
    let mixed = world.orders.cancel(Request::new(cancel)).await.unwrap_err();
    assert_eq!(api::reason_of(&mixed), Some(api::Reason::Invalid), "{mixed:?}");
    let short = v1::SubmitRequest { order: Some(world.gateway_order("k3")), request_id: vec![1].into() };
    let short = world.orders.submit(Request::new(short)).await.unwrap_err();
    assert_eq!(api::reason_of(&short), Some(api::Reason::Invalid), "{short:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_judges_each_by_itself_and_in_order() {
    let world = World::new().await;
    let batch =
        |orders, id: u8| Request::new(v1::SubmitBatchRequest { orders, request_id: vec![id; 16].into() });
    let wrong = v1::NewOrder { symbol: "XRPUSDT".into(), ..world.gateway_order("k2") };
    let orders = vec![world.gateway_order("k1"), wrong, world.gateway_order("k3"), world.gateway_order("k1")];
    let reply = world.orders.submit_batch(batch(orders.clone(), 1)).await.unwrap().into_inner();
    let recorded: Vec<_> = reply.results.iter().map(|result| result.order.is_some()).collect();
    assert_eq!(recorded, [true, false, true, true]);
    assert_eq!(reply.results[1].denials[0].reason, "UNKNOWN_NAME");
    assert!(reply.results[3].existing && !reply.results[0].existing);
    let again = world.orders.submit_batch(batch(orders, 1)).await.unwrap().into_inner();
    assert!(again.header.unwrap().repeated);
    assert_eq!(again.results.len(), 4);

    // One that is not well formed refuses all of them.
    let malformed = v1::NewOrder { quantity: "1e3".into(), ..world.gateway_order("k5") };
    let orders = vec![world.gateway_order("k4"), malformed];
    let refused = world.orders.submit_batch(batch(orders, 2)).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(api::Reason::InvalidOrder));
    assert!(refused.message().starts_with("orders[1].quantity: "), "{refused:?}");
    assert_eq!(world.list(v1::ListOrdersRequest::default()).await.orders.len(), 2);
    for count in [0, 21] {
        let orders = (0..count).map(|at| world.gateway_order(&format!("b{at}"))).collect();
        let refused = world.orders.submit_batch(batch(orders, 3)).await.unwrap_err();
        assert_eq!(api::reason_of(&refused), Some(api::Reason::Invalid), "{count}");
    }
    let orders = (0..20).map(|at| world.gateway_order(&format!("b{at}"))).collect();
    let full = world.orders.submit_batch(batch(orders, 4)).await.unwrap().into_inner();
    assert!(full.results.iter().all(|result| result.order.is_some()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_is_authorised_and_what_waits_is_withdrawn() {
    let world = World::new().await;
    let order = world.authorized("k1").await;
    let canceled = world.cancel(order.order_id).await.unwrap();
    assert_eq!(status(canceled.order.as_ref().unwrap()), v1::OrderStatus::PendingCancel);
    assert_eq!((canceled.timestamp_ms, canceled.window_ms), (Some(WALL_MS), Some(2000)));

    world.kill_switch(true).await;
    let held = v1::NewOrder { hold_ms: 60_000, ..world.gateway_order("k2") };
    let held = world.submit(held).await.unwrap();
    assert_eq!(held.waits_for[0].reason, "KILLED");
    let held = held.order.unwrap();
    assert_eq!((status(&held), held.timestamp_ms), (v1::OrderStatus::Intent, None));
    let withdrawn = world.cancel(held.order_id).await.unwrap();
    assert_eq!(withdrawn.timestamp_ms, None);
    let withdrawn = withdrawn.order.unwrap();
    assert_eq!(status(&withdrawn), v1::OrderStatus::Denied);
    assert!(withdrawn.reason.unwrap().contains("withdrawn"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replace_is_both_or_neither() {
    let world = World::new().await;
    let order = world.opened("k1").await;
    let replace = |key: &str, quantity: &str| {
        let which = Some(v1::replace_request::Which::ClientOrderId(order.client_order_id.clone()));
        let new = v1::NewOrder { quantity: quantity.into(), ..world.order(key) };
        Request::new(v1::ReplaceRequest { which, order: Some(new), ..Default::default() })
    };
    let refused = world.orders.replace(replace("k2", "0.0001")).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(api::Reason::InvalidOrder));
    assert_eq!(status(&world.get(order.order_id).await.unwrap()), v1::OrderStatus::Open);

    let replaced = world.orders.replace(replace("k2", "2")).await.map(Response::into_inner).unwrap();
    assert_eq!(status(&replaced.canceled.unwrap()), v1::OrderStatus::PendingCancel);
    let new = replaced.order.unwrap();
    assert_eq!((status(&new), new.quantity.as_str()), (v1::OrderStatus::Submitting, "2"));
    let again = world.orders.replace(replace("k2", "2")).await.map(Response::into_inner).unwrap();
    assert!(again.existing && again.order.unwrap().order_id == new.order_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_listed_newest_first_in_pages_and_by_filter() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for key in ["k1", "k2", "k3", "k4", "k5"] {
        ids.push(world.authorized(key).await.order_id);
    }
    ids.reverse();
    let listed =
        |reply: &v1::ListOrdersResponse| reply.orders.iter().map(|order| order.order_id).collect::<Vec<_>>();
    let mut request = v1::ListOrdersRequest { limit: 2, ..Default::default() };
    let mut pages = Vec::new();
    loop {
        let page = world.list(request.clone()).await;
        pages.push(listed(&page));
        if page.next_before == 0 {
            break;
        }
        request.before = page.next_before;
    }
    assert_eq!(pages, [&ids[..2], &ids[2..4], &ids[4..]]);

    world.cancel(ids[1]).await.unwrap();
    let desk = world.submit(world.gateway_order("k6")).await.unwrap().order.unwrap().order_id;
    let by = |change: fn(&mut v1::ListOrdersRequest)| {
        let mut request = v1::ListOrdersRequest::default();
        change(&mut request);
        request
    };
    for (request, expected) in [
        (by(|it| it.account = "desk".into()), vec![desk]),
        (by(|it| it.symbol = "ETHUSDT".into()), vec![]),
        (by(|it| it.strategy = "other".into()), vec![]),
        (by(|it| it.statuses = vec![v1::OrderStatus::PendingCancel.into()]), vec![ids[1]]),
        (by(|it| it.unresolved = true), vec![]),
        (by(|it| it.from_ms = Some(WALL_MS + 60_000)), vec![]),
        (by(|it| it.to_ms = Some(WALL_MS - 60_000)), vec![]),
    ] {
        assert_eq!(listed(&world.list(request.clone()).await), expected, "{request:?}");
    }
    let wrong = v1::ListOrdersRequest { account: "a b".into(), statuses: vec![99], ..Default::default() };
    let refused = world.orders.list(Request::new(wrong)).await.unwrap_err();
    assert!(refused.message().contains("account") && refused.message().contains("statuses"), "{refused:?}");
}
