use wire::v1;

use crate::world::World;

fn of(order: &v1::Order) -> v1::OrderReport {
    let which = Some(v1::order_report::Which::ClientOrderId(order.client_order_id.clone()));
    v1::OrderReport { which, ..Default::default() }
}

fn fill(trade: &str, quantity: &str) -> v1::Fill {
    v1::Fill {
        trade_id: trade.into(),
        quantity: quantity.into(),
        price: "100".into(),
        commission: Some("0.1".into()),
        commission_asset: Some("USDT".into()),
        maker: Some(true),
        time_ms: Some(7),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bot_says_is_shown_and_unconfirmed() {
    let world = World::new().await;
    let order = world.authorized("k1").await;
    let report = v1::OrderReport {
        acknowledged: true,
        venue_order_id: Some("v1".into()),
        cumulative_quantity: Some("0.4".into()),
        fills: vec![fill("t1", "0.4")],
        time_ms: 7,
        ..of(&order)
    };
    let reply = world.report(vec![report]).await.unwrap();
    assert!(reply.header.unwrap().serial > order.serial);
    let order = reply.results[0].order.clone().unwrap();
    assert_eq!(order.status(), v1::OrderStatus::PartiallyFilled);
    assert_eq!((order.filled_quantity.as_str(), order.venue_order_id.as_deref()), ("0.4", Some("v1")));
    assert_eq!(order.flags, ["unconfirmed"]);
    let expected = v1::Fill { venue_order_id: "v1".into(), ..fill("t1", "0.4") };
    assert_eq!(order.fills, [expected]);

    let ended = v1::OrderReport {
        ended: v1::OrderStatus::Filled.into(),
        cumulative_quantity: Some("1".into()),
        ..of(&order)
    };
    let order = world.report(vec![ended]).await.unwrap().results[0].order.clone().unwrap();
    assert_eq!((order.status(), order.filled_quantity.as_str()), (v1::OrderStatus::Filled, "1"));
    assert_eq!(order.flags, ["fills_pending", "unconfirmed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_is_said_has_its_status() {
    let world = World::new().await;
    type Change = fn(&mut v1::OrderReport);
    let says: [(Change, v1::OrderStatus, Option<&str>); 5] = [
        (|it| it.not_sent = true, v1::OrderStatus::Denied, None),
        (|it| it.unknown = v1::UnknownCause::Timeout.into(), v1::OrderStatus::SubmitUnknown, Some("timeout")),
        (
            |it| {
                it.ended = v1::OrderStatus::Rejected.into();
                (it.code, it.reason) = ("-2010".into(), "no money".into());
            },
            v1::OrderStatus::Rejected,
            Some("-2010: no money"),
        ),
        (
            |it| {
                it.ended = v1::OrderStatus::Expired.into();
                (it.cumulative_quantity, it.reason) = (Some("0".into()), "ioc".into());
            },
            v1::OrderStatus::Expired,
            Some("ioc"),
        ),
        (|it| it.acknowledged = true, v1::OrderStatus::Open, None),
    ];
    for (at, (change, status, reason)) in says.into_iter().enumerate() {
        let order = world.authorized(&format!("k{at}")).await;
        let mut report = of(&order);
        change(&mut report);
        let order = world.report(vec![report]).await.unwrap().results[0].order.clone().unwrap();
        assert_eq!((order.status(), order.reason.as_deref()), (status, reason));
    }
    let unresolved = v1::ListOrdersRequest { unresolved: true, ..Default::default() };
    assert_eq!(world.list(unresolved).await.orders.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_a_cancel_is_that_of_the_last() {
    let world = World::new().await;
    let order = world.authorized("k1").await;
    let open = v1::OrderReport { acknowledged: true, ..of(&order) };
    world.report(vec![open]).await.unwrap();
    for (outcome, status) in [
        (v1::CancelOutcome::Unknown, v1::OrderStatus::PendingCancel),
        (v1::CancelOutcome::Refused, v1::OrderStatus::Open),
        (v1::CancelOutcome::Done, v1::OrderStatus::Canceled),
    ] {
        world.cancel(order.order_id).await.unwrap();
        let report = v1::OrderReport { cancel: outcome.into(), ..of(&order) };
        let order = world.report(vec![report]).await.unwrap().results[0].order.clone().unwrap();
        assert_eq!(order.status(), status, "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_known_does_not_keep_the_others_back() {
    let world = World::new().await;
    let order = world.authorized("k1").await;
    let unknown = v1::OrderReport {
        which: Some(v1::order_report::Which::OrderId(1_000_000)),
        acknowledged: true,
        ..Default::default()
    };
    let known = v1::OrderReport { acknowledged: true, ..of(&order) };
    let reply = world.report(vec![unknown.clone(), known]).await.unwrap();
    assert_eq!(
        (reply.results[0].order.is_none(), &*reply.results[0].denials[0].reason),
        (true, "UNKNOWN_ORDER")
    );
    assert_eq!(reply.results[1].order.as_ref().unwrap().status(), v1::OrderStatus::Open);
    let refused = world.report(vec![unknown]).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(api::Reason::UnknownOrder));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_reports_is_said_and_nothing_is_done() {
    let world = World::new().await;
    let order = world.authorized("k1").await;
    let silent = of(&order);
    let unsure = v1::OrderReport { ended: v1::OrderStatus::Canceled.into(), ..of(&order) };
    let open = v1::OrderReport { ended: v1::OrderStatus::Open.into(), acknowledged: true, ..of(&order) };
    let nameless = v1::OrderReport { acknowledged: true, ..Default::default() };
    let newer = v1::OrderReport { unknown: 77, acknowledged: true, ..of(&order) };
    let half = v1::Fill { commission_asset: None, ..fill("t1", "-1") };
    let half = v1::OrderReport { fills: vec![half], ..of(&order) };
    let refused = world.report(vec![silent, unsure, open, nameless, newer, half]).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(api::Reason::Invalid));
    for about in [
        "reports[0].acknowledged: nothing is said",
        "reports[1].cumulative_quantity: missing",
        "reports[2].ended: must be",
        "reports[3].order_id: missing",
        "reports[4].unknown: 77",
        "reports[5].fills.venue_order_id: missing",
        "reports[5].fills.commission: goes with",
    ] {
        assert!(refused.message().contains(about), "{about:?} is not in {:?}", refused.message());
    }
    // What only the whole report shows.
    let negative = v1::OrderReport {
        fills: vec![fill("t1", "-1")],
        cumulative_quantity: Some("-1".into()),
        venue_order_id: Some("v".into()),
        ..of(&order)
    };
    let refused = world.report(vec![negative]).await.unwrap_err();
    let expected =
        "reports[0].quantity must be above zero; reports[0].filled_quantity must not be below zero";
    assert_eq!(refused.message(), expected);
    let many = vec![v1::OrderReport { acknowledged: true, not_sent: true, ..of(&order) }; 17];
    assert!(world.report(many).await.unwrap_err().message().contains("34 things"));
    assert_eq!(world.get(order.order_id).await.unwrap().serial, order.serial, "nothing was said of it");
}
