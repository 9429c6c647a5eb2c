use api::Reason;
use domain::orders::reason::Mode;
use domain::orders::report::Weight;
use domain::trading::account::{Account, AccountMode};
use domain::trading::command::TradingAction;
use domain::trading::{Draft, Subject};
use domain::{Action, Key, Token};
use tonic::{Code, Status};
use wire::v1;

use crate::world::{World, audit, draft, name};

impl World {
    pub(crate) async fn kill_switch(&self, engaged: bool) {
        let (subject, audit) = (Subject::All, audit());
        self.trading(TradingAction::SetKillSwitch { subject, engaged, audit }).await;
    }
}

#[track_caller]
fn assert_refused(refused: &Status, reason: Reason, code: Code) {
    assert_eq!((api::reason_of(refused), refused.code()), (Some(reason), code), "{refused:?}");
    assert!(!refused.message().is_empty());
}

/// The desk, with this account changed.
fn changed(id: &str, change: impl FnOnce(&mut Account)) -> Draft {
    let mut draft = draft();
    let account = draft.accounts.iter_mut().find(|account| account.id.as_str() == id);
    change(account.unwrap());
    draft
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_with_the_form_is_said_at_once() {
    let world = World::new().await;
    let refused = world.authorize(v1::NewOrder { time_in_force: 9, ..Default::default() }).await.unwrap_err();
    assert_refused(&refused, Reason::InvalidOrder, Code::InvalidArgument);
    for field in [
        "key",
        "account",
        "strategy",
        "algorithm",
        "trader",
        "symbol",
        "side",
        "type",
        "time_in_force",
        "quantity",
        "lease",
        "token",
    ] {
        assert!(refused.message().contains(&format!("{field}: ")), "{field}: {refused:?}");
    }
    assert_eq!(api::all_reasons(&refused).len(), 12);
    let hold = v1::NewOrder { hold_ms: u64::MAX, price: Some("1.".into()), ..world.order("k") };
    let refused = world.authorize(hold).await.unwrap_err();
    assert!(refused.message().contains("hold_ms: at most"), "{refused:?}");
    assert!(refused.message().contains("price: "), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_order_cannot_be_has_its_reason() {
    let world = World::new().await;
    world.authorized("known").await;
    type Change = fn(&mut v1::NewOrder);
    let cases: [(Change, Reason, Code); 7] = [
        (|it| it.quantity = "0.0001".into(), Reason::InvalidOrder, Code::InvalidArgument),
        (|it| it.account = "none".into(), Reason::UnknownName, Code::NotFound),
        (|it| it.account = "desk".into(), Reason::AccountMode, Code::FailedPrecondition),
        (|it| it.lease = "other".into(), Reason::WrongLease, Code::FailedPrecondition),
        (|it| it.token += 1, Reason::Fenced, Code::FailedPrecondition),
        (
            |it| (it.key, it.quantity) = ("known".into(), "2".into()),
            Reason::DuplicateKey,
            Code::AlreadyExists,
        ),
        (|it| it.key = "1264534000000-1".into(), Reason::KeyExpired, Code::FailedPrecondition),
    ];
    for (change, reason, code) in cases {
        let mut order = world.order("k1");
        change(&mut order);
        assert_refused(&world.authorize(order).await.unwrap_err(), reason, code);
    }

    let mut draft = draft();
    draft.strategies[0].accounts = [name("desk")].into();
    world.configure(draft).await;
    let refused = world.authorize(world.order("k1")).await.unwrap_err();
    assert_refused(&refused, Reason::NotPermitted, Code::PermissionDenied);

    world.configure(crate::world::draft()).await;
    let (key, holder) = (Key::new(0, *b"desk"), (*b"bot").into());
    world.run(Action::Release { key, holder, token: Token::from_u64(world.token) }).await;
    let refused = world.authorize(world.order("k1")).await.unwrap_err();
    assert_refused(&refused, Reason::Expired, Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_control_refuses_is_told_with_all_reasons_and_where_it_is_written_down() {
    let world = World::new().await;
    let refused = || async { world.authorize(world.order("k1")).await.unwrap_err() };
    world.configure(changed("bots", |it| it.reconciliation = true)).await;
    assert_refused(&refused().await, Reason::Unreconciled, Code::FailedPrecondition);
    world.configure(changed("bots", |it| it.limits.quantity_max = Some(name("0.5")))).await;
    assert_refused(&refused().await, Reason::Limit, Code::ResourceExhausted);
    world.configure(draft()).await;

    let (venue, audit_of) = (name("sim"), audit());
    world.trading(TradingAction::SetBreaker { venue, forced_open: true, audit: audit_of }).await;
    assert_refused(&refused().await, Reason::BreakerOpen, Code::FailedPrecondition);
    let (subject, mode) = (Subject::Account(name("bots")), Mode::Halted);
    world.trading(TradingAction::SetMode { subject, mode, audit: audit() }).await;
    world.kill_switch(true).await;
    let refused = refused().await;
    let reasons = api::all_reasons(&refused);
    let mut codes: Vec<&str> = reasons.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(api::reason_of(&refused).map(Reason::name), codes.first().copied());
    codes.sort_unstable();
    assert_eq!(codes, ["BREAKER_OPEN", "KILLED", "MODE"]);
    for (_, message) in &reasons {
        assert!(refused.message().contains(message.as_str()), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_not_there_or_has_ended_is_not_canceled() {
    let world = World::new().await;
    assert_refused(&world.cancel(1_000_000).await.unwrap_err(), Reason::UnknownOrder, Code::NotFound);
    assert_refused(&world.get(1_000_000).await.unwrap_err(), Reason::UnknownOrder, Code::NotFound);
    let foreign = v1::get_order_request::Which::ClientOrderId("qzzzz000000000aa".into());
    assert_refused(&world.get_by(foreign).await.unwrap_err(), Reason::UnknownOrder, Code::NotFound);
    let nonsense = v1::get_order_request::Which::ClientOrderId("x".into());
    assert_refused(&world.get_by(nonsense).await.unwrap_err(), Reason::Invalid, Code::InvalidArgument);

    let evidence = changed("bots", |it| {
        assert_eq!(it.mode, AccountMode::Direct);
        it.bot_reports = Weight::Evidence;
    });
    world.configure(evidence).await;
    let order = world.authorized("k1").await;
    let report = v1::OrderReport {
        which: Some(v1::order_report::Which::OrderId(order.order_id)),
        not_sent: true,
        ..Default::default()
    };
    world.report(vec![report]).await.unwrap();
    let refused = world.cancel(order.order_id).await.unwrap_err();
    assert_refused(&refused, Reason::OrderState, Code::FailedPrecondition);
}
