use std::sync::Arc;

use api::{Config, Reason};
use tonic::{Code, Request, Response, Status};
use wire::v1::{self, config_service_server::ConfigService};

use crate::world::{WALL_MS, World};

impl World {
    fn config(&self) -> Config {
        Config::new(self.replica.clone(), Arc::new(|| WALL_MS))
    }

    async fn shown(&self) -> v1::Configuration {
        let shown = self.config().show(Request::new(v1::ShowRequest {})).await.unwrap();
        shown.into_inner().configuration.unwrap()
    }

    async fn apply(
        &self,
        configuration: v1::Configuration,
        dry_run: bool,
    ) -> Result<v1::ApplyResponse, Status> {
        let configuration = Some(configuration);
        let request = v1::ApplyRequest { configuration, dry_run, reason: reason(), ..Default::default() };
        self.config().apply(Request::new(request)).await.map(Response::into_inner)
    }

    async fn kill(&self, subject: Option<v1::Subject>, engaged: bool) -> Result<bool, Status> {
        let request = v1::SetKillSwitchRequest { subject, engaged, reason: reason(), ..Default::default() };
        self.config().set_kill_switch(Request::new(request)).await.map(|it| it.into_inner().changed)
    }

    async fn switches(&self) -> v1::SwitchesResponse {
        self.config().switches(Request::new(v1::SwitchesRequest {})).await.unwrap().into_inner()
    }
}

fn reason() -> Option<v1::Reason> {
    Some(v1::Reason { actor: "ann".into(), text: "drill".into() })
}

fn subject(scope: v1::Scope, name: &str) -> Option<v1::Subject> {
    Some(v1::Subject { scope: scope.into(), name: name.into() })
}

fn all() -> Option<v1::Subject> {
    subject(v1::Scope::All, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_can_be_applied_and_changes_nothing() {
    let world = World::new().await;
    let shown = world.shown().await;
    assert_eq!(world.apply(shown.clone(), false).await.unwrap().changes, Vec::<String>::new());
    assert_eq!(world.shown().await, shown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_line_by_line_and_a_dry_run_sets_nothing() {
    let world = World::new().await;
    let before = world.shown().await;
    let mut after = before.clone();
    let limits = v1::Limits { quantity_max: Some("0.5".into()), ..Default::default() };
    after.accounts[0].limits = Some(limits);
    let rate = Some(v1::MessageRate { count: 10, per_ms: 1000 });
    let of_symbol = v1::Limits { message_rate: rate, ..Default::default() };
    let of_symbol = v1::SymbolLimits { symbol: "BTCUSDT".into(), limits: Some(of_symbol) };
    after.strategies[0].symbol_limits = vec![of_symbol];
    after.accounts[1].window_ms = Some(3000);
    let expected = [
        "+ accounts.bots.limits: quantity_max 0.5",
        "~ accounts.desk.window_ms: 2000 -> 3000",
        "+ strategies.mm.symbol_limits.BTCUSDT: message_rate 10 per 1000 ms",
    ];
    assert_eq!(world.apply(after.clone(), true).await.unwrap().changes, expected);
    assert_eq!(world.shown().await, before);
    assert_eq!(world.apply(after.clone(), false).await.unwrap().changes, expected);
    assert_eq!(world.shown().await, after);
    let refused = world.authorize(world.order("k1")).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(Reason::Limit));
    let audit = world.replica.local().last_audit().cloned().unwrap();
    assert_eq!((&*audit.actor, &*audit.reason, &*audit.action), ("ann", "drill", "config apply"));
    assert_eq!(audit.subject, expected.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_said_at_once_and_nothing_is_set() {
    let world = World::new().await;
    let before = world.shown().await;
    let mut malformed = before.clone();
    malformed.venues[0].symbols[0].tick = "0,01".into();
    let twice = before.venues[0].symbols[0].clone();
    malformed.venues[0].symbols.extend([twice.clone(), twice]);
    malformed.accounts[0].mode = 9;
    malformed.strategies[0].lease = String::new();
    let refused = world.apply(malformed, true).await.unwrap_err();
    assert_eq!((api::reason_of(&refused), refused.code()), (Some(Reason::Invalid), Code::InvalidArgument));
    let told: Vec<_> = api::all_reasons(&refused).into_iter().map(|(_, message)| message).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].starts_with("venues.sim.symbols.BTCUSDT.tick: "), "{told:?}");
    assert_eq!(told[1], "venues.sim.symbols.BTCUSDT.symbol: there are two of it");
    assert!(told[2].starts_with("accounts.bots.mode: "), "{told:?}");
    assert!(told[3].starts_with("strategies.mm.lease: "), "{told:?}");

    let mut twice = before.clone();
    twice.strategies[0].accounts.push(before.strategies[0].accounts[0].clone());
    twice.strategies[0].symbols = vec!["BTCUSDT".into(); 2];
    let types = &mut twice.venues[0].symbols[0].order_types;
    types.push(types[0]);
    let refused = world.apply(twice, true).await.unwrap_err();
    let told: Vec<_> = api::all_reasons(&refused).into_iter().map(|(_, message)| message).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with("venues.sim.symbols.BTCUSDT.order_types: "), "{told:?}");
    assert!(told[1].starts_with("strategies.mm.accounts: "), "{told:?}");
    assert_eq!(told[2], "strategies.mm.symbols: BTCUSDT is there twice");

    let mut wrong = before.clone();
    wrong.accounts[0].venue = "gone".into();
    wrong.venues[0].symbols[0].tick = "0".into();
    for dry_run in [true, false] {
        let refused = world.apply(wrong.clone(), dry_run).await.unwrap_err();
        assert_eq!(api::reason_of(&refused), Some(Reason::Invalid));
        assert!(api::all_reasons(&refused).len() >= 2, "{refused:?}");
    }
    assert_eq!(world.shown().await, before);
    let nothing = world.config().apply(Request::new(v1::ApplyRequest::default())).await.unwrap_err();
    assert!(nothing.message().contains("missing"), "{nothing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn switches_name_who_set_them_and_hold() {
    let world = World::new().await;
    assert!(world.kill(all(), true).await.unwrap());
    assert!(!world.kill(all(), true).await.unwrap(), "it stood so already");
    let mode = v1::SetModeRequest {
        subject: subject(v1::Scope::Account, "bots"),
        mode: v1::TradingMode::CancelOnly.into(),
        reason: reason(),
        ..Default::default()
    };
    assert!(world.config().set_mode(Request::new(mode.clone())).await.unwrap().into_inner().changed);
    let breaker = |venue: &str| {
        let venue = venue.to_owned();
        Request::new(v1::SetBreakerRequest {
            venue,
            forced_open: true,
            reason: reason(),
            ..Default::default()
        })
    };
    assert!(world.config().set_breaker(breaker("sim")).await.unwrap().into_inner().changed);

    let switches = world.switches().await;
    let [kill] = &switches.kill_switches[..] else { panic!("{switches:?}") };
    assert_eq!((kill.subject.clone(), &*kill.actor, &*kill.reason), (all(), "ann", "drill"));
    assert_eq!((kill.at_ms, kill.serial > 0), (WALL_MS, true));
    let [mode_set] = &switches.modes[..] else { panic!("{switches:?}") };
    assert_eq!(
        (mode_set.subject.clone(), mode_set.mode()),
        (mode.subject.clone(), v1::TradingMode::CancelOnly)
    );
    let [tripped] = &switches.breakers[..] else { panic!("{switches:?}") };
    assert_eq!(tripped.subject, subject(v1::Scope::Venue, "sim"));

    assert!(world.kill(all(), false).await.unwrap());
    let normal = v1::SetModeRequest { mode: v1::TradingMode::Normal.into(), ..mode };
    assert!(world.config().set_mode(Request::new(normal)).await.unwrap().into_inner().changed);
    let switches = world.switches().await;
    assert_eq!((switches.kill_switches.len(), switches.modes.len(), switches.breakers.len()), (0, 0, 1));

    for (wrong, reason) in [
        (subject(v1::Scope::Account, "none"), Reason::UnknownName),
        (subject(v1::Scope::Account, ""), Reason::Invalid),
        (subject(v1::Scope::All, "x"), Reason::Invalid),
        (None, Reason::Invalid),
    ] {
        let refused = world.kill(wrong.clone(), true).await.unwrap_err();
        assert_eq!(api::reason_of(&refused), Some(reason), "{wrong:?}");
    }
    let refused = world.config().set_breaker(breaker("none")).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(Reason::UnknownName));
    let unknown = v1::SetModeRequest { subject: all(), mode: 9, ..Default::default() };
    let refused = world.config().set_mode(Request::new(unknown)).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(Reason::Invalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_switch_runs_once() {
    let world = World::new().await;
    let request = |engaged| {
        let (subject, request_id) = (all(), vec![7; 16].into());
        Request::new(v1::SetKillSwitchRequest { subject, engaged, reason: reason(), request_id })
    };
    let first = world.config().set_kill_switch(request(true)).await.unwrap().into_inner();
    world.kill(all(), false).await.unwrap();
    let again = world.config().set_kill_switch(request(true)).await.unwrap().into_inner();
    assert!(first.changed && again.changed && again.header.unwrap().repeated);
    assert!(world.switches().await.kill_switches.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_is_only_overwritten_by_who_has_seen_it() {
    let world = World::new().await;
    let shown = world.config().show(Request::new(v1::ShowRequest {})).await.unwrap().into_inner();
    let request = |configuration: &v1::Configuration, expected: &str, id: u8| {
        let (configuration, expected) = (Some(configuration.clone()), Some(expected.to_owned()));
        let request_id = vec![id; 16].into();
        Request::new(v1::ApplyRequest {
            configuration,
            expected,
            reason: reason(),
            request_id,
            dry_run: false,
        })
    };
    let mut first = shown.configuration.clone().unwrap();
    first.day_offset_minutes = 60;
    let mut second = first.clone();
    second.day_offset_minutes = 120;
    let applied = world.config().apply(request(&first, &shown.revision, 1)).await.unwrap().into_inner();
    assert_eq!(applied.changes, ["~ day_offset_minutes: 0 -> 60"]);
    // Two looked at the same; the later one is told.
    let refused = world.config().apply(request(&second, &shown.revision, 2)).await.unwrap_err();
    assert_eq!((api::reason_of(&refused), refused.code()), (Some(Reason::StaleRevision), Code::Aborted));
    assert_eq!(world.shown().await, first);
    let applied = world.config().apply(request(&second, &applied.revision, 3)).await.unwrap().into_inner();
    // The first one again is a repetition, though another revision stands.
    let again = world.config().apply(request(&first, &shown.revision, 1)).await.unwrap().into_inner();
    assert!(again.header.unwrap().repeated && again.changes.is_empty());
    assert_ne!(again.revision, applied.revision);
    assert_eq!(world.shown().await, second);
    // Under the id of the first one comes another: it was not set, and is not told as if it had been.
    let reused = world.config().apply(request(&second, &shown.revision, 1)).await.unwrap_err();
    assert_eq!(api::reason_of(&reused), Some(Reason::Invalid), "{reused:?}");
    assert!(reused.message().starts_with("request_id: another request"), "{reused:?}");
    let wrong = world.config().apply(request(&second, "7", 4)).await.unwrap_err();
    assert!(wrong.message().starts_with("expected: not a revision"), "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lets_trading_go_on_needs_a_reason() {
    let world = World::new().await;
    let config = world.config();
    let kill = v1::SetKillSwitchRequest { subject: all(), engaged: true, ..Default::default() };
    config.set_kill_switch(Request::new(kill.clone())).await.unwrap();
    let release = v1::SetKillSwitchRequest { engaged: false, ..kill };
    let mode =
        v1::SetModeRequest { subject: all(), mode: v1::TradingMode::Halted.into(), ..Default::default() };
    config.set_mode(Request::new(mode.clone())).await.unwrap();
    let normal = v1::SetModeRequest { mode: v1::TradingMode::Normal.into(), ..mode };
    let trip = v1::SetBreakerRequest { venue: "sim".into(), forced_open: true, ..Default::default() };
    config.set_breaker(Request::new(trip.clone())).await.unwrap();
    let reset = v1::SetBreakerRequest { forced_open: false, ..trip };
    let apply = v1::ApplyRequest { configuration: Some(world.shown().await), ..Default::default() };
    let refused = [
        config.set_kill_switch(Request::new(release)).await.unwrap_err(),
        config.set_mode(Request::new(normal)).await.unwrap_err(),
        config.set_breaker(Request::new(reset)).await.unwrap_err(),
        config.apply(Request::new(apply)).await.unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(api::reason_of(&refused), Some(Reason::Invalid), "{refused:?}");
        assert!(refused.message().starts_with("reason: missing"), "{refused:?}");
    }
    // From one mode to another that allows more as well, and not to one that allows less.
    let unexplained = |mode: v1::TradingMode| {
        Request::new(v1::SetModeRequest { subject: all(), mode: mode.into(), ..Default::default() })
    };
    let refused = config.set_mode(unexplained(v1::TradingMode::ReduceOnly)).await.unwrap_err();
    assert_eq!(api::reason_of(&refused), Some(Reason::Invalid), "{refused:?}");
    assert!(refused.message().starts_with("reason: missing"), "{refused:?}");
    let switches = world.switches().await;
    assert_eq!((switches.kill_switches.len(), switches.modes.len(), switches.breakers.len()), (1, 1, 1));
    assert_eq!(switches.modes[0].mode(), v1::TradingMode::Halted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stops_is_not_refused_for_the_length_of_its_words() {
    let world = World::new().await;
    let config = world.config();
    let long = || Some(v1::Reason { actor: "ann".repeat(2000), text: "\u{e9}".repeat(4000) });
    let kill =
        v1::SetKillSwitchRequest { subject: all(), engaged: true, reason: long(), ..Default::default() };
    config.set_kill_switch(Request::new(kill.clone())).await.unwrap();
    let mode = v1::TradingMode::Halted.into();
    let halt = v1::SetModeRequest { subject: all(), mode, reason: long(), ..Default::default() };
    config.set_mode(Request::new(halt)).await.unwrap();
    let trip = v1::SetBreakerRequest {
        venue: "sim".into(),
        forced_open: true,
        reason: long(),
        ..Default::default()
    };
    config.set_breaker(Request::new(trip)).await.unwrap();
    let release = v1::SetKillSwitchRequest { engaged: false, ..kill };
    config.set_kill_switch(Request::new(release)).await.unwrap_err();
    let switches = world.switches().await;
    assert_eq!((switches.kill_switches.len(), switches.modes.len(), switches.breakers.len()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_there_nor_switched_is_not_taken_back() {
    let world = World::new().await;
    let config = world.config();
    let none = || subject(v1::Scope::Account, "none");
    let normal = v1::SetModeRequest {
        subject: none(),
        mode: v1::TradingMode::Normal.into(),
        reason: reason(),
        ..Default::default()
    };
    let reset = v1::SetBreakerRequest { venue: "none".into(), reason: reason(), ..Default::default() };
    let refused = [
        world.kill(none(), false).await.unwrap_err(),
        config.set_mode(Request::new(normal)).await.unwrap_err(),
        config.set_breaker(Request::new(reset)).await.unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(api::reason_of(&refused), Some(Reason::UnknownName), "{refused:?}");
    }
}
