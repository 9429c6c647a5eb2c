//! Where the orders of the bench stand: on an account that it was told, or on a desk of its own.
//!
//! A configuration is set as a whole. So the bench sets one up only where there is none: what a desk has set is never
//! changed by it.

use wire::v1;
use wire::v1::config_service_client::ConfigServiceClient;

use crate::args::BenchOrders;
use crate::client::Client;
use crate::command::lease::request_id;
use crate::failure::{Exit, Failure};

/// What everything of the bench's own desk is called.
const NAME: &str = "bench";
const SYMBOL: &str = "BENCHUSDT";
const PRICE: &str = "100";
const QUANTITY: &str = "1";

/// What to ask for, but for key and token.
pub(super) struct Desk {
    pub(super) lease: String,
    pub(super) order: v1::NewOrder,
}

/// The arguments that say where and what.
struct Named {
    account: String,
    strategy: String,
    symbol: String,
    quantity: String,
    price: String,
}

/// The bench's own.
fn own() -> Named {
    let [account, strategy, symbol, quantity, price] =
        [NAME, NAME, SYMBOL, QUANTITY, PRICE].map(str::to_owned);
    Named { account, strategy, symbol, quantity, price }
}

pub(super) async fn find_or_set_up(client: &Client, asked: BenchOrders) -> Result<Desk, Failure> {
    let show = client.call(|c| async { ConfigServiceClient::new(c).show(v1::ShowRequest {}).await });
    let shown = show.await?;
    let now = shown.configuration.unwrap_or_default();
    if let BenchOrders { account: Some(account), strategy, symbol, quantity, price, .. } = asked {
        let [strategy, symbol, quantity, price] =
            [strategy, symbol, quantity, price].map(Option::unwrap_or_default);
        return find(&now, Named { account, strategy, symbol, quantity, price });
    }
    if now.accounts.iter().any(|account| account.id == NAME) {
        return find(&now, own());
    }
    if now != v1::Configuration::default() {
        let message =
            "there is a desk, which the bench leaves as it is, and none of its accounts is called bench";
        let next = "tenure bench orders --account A --strategy S --symbol X --quantity Q --price P, of a direct account";
        return Err(Failure::new(Exit::Usage, "USAGE", message, next));
    }
    let own_desk = configuration();
    let request = v1::ApplyRequest {
        configuration: Some(own_desk.clone()),
        dry_run: false,
        reason: Some(v1::Reason { actor: crate::command::actor(), text: "tenure bench orders".into() }),
        request_id: request_id(),
        // Whoever has set one up meanwhile keeps it.
        expected: Some(shown.revision),
    };
    client.call(|c| async { ConfigServiceClient::new(c).apply(request.clone()).await }).await?;
    eprintln!("tenure: there was no desk; set up venue, account and strategy {NAME:?}");
    find(&own_desk, own())
}

/// The account as it is configured, if what is authorised there can be taken back.
fn find(now: &v1::Configuration, named: Named) -> Result<Desk, Failure> {
    let Named { account, strategy, symbol, quantity, price } = named;
    let unknown = |what: &str, name: &str| {
        Failure::new(
            Exit::NotFound,
            "UNKNOWN_NAME",
            format!("there is no {what} {name}"),
            "tenure config show",
        )
    };
    let on = now.accounts.iter().find(|it| it.id == account).ok_or_else(|| unknown("account", &account))?;
    let by =
        now.strategies.iter().find(|it| it.id == strategy).ok_or_else(|| unknown("strategy", &strategy))?;
    if on.mode() != v1::AccountMode::Direct || !on.trust_bot_reports {
        let message = format!(
            "{account} must be a direct account that trusts the reports of bots: else what the bench authorises there stays open"
        );
        return Err(Failure::new(Exit::Usage, "ACCOUNT_MODE", message, "name an account for the bench"));
    }
    let order = v1::NewOrder {
        account,
        strategy,
        algorithm: NAME.into(),
        trader: crate::command::actor(),
        symbol,
        side: v1::Side::Buy.into(),
        r#type: v1::OrderType::Limit.into(),
        quantity,
        price: Some(price),
        lease: on.lease.clone().unwrap_or_else(|| by.lease.clone()),
        ..v1::NewOrder::default()
    };
    Ok(Desk { lease: order.lease.clone(), order })
}

/// A desk with nothing but what the bench needs, and no limits.
fn configuration() -> v1::Configuration {
    let [name, price] = [NAME, PRICE].map(str::to_owned);
    let instrument = v1::Instrument {
        symbol: SYMBOL.into(),
        base: "BENCH".into(),
        quote: "USDT".into(),
        tick: "0.01".into(),
        step: "1".into(),
        quantity_min: "1".into(),
        quantity_max: "1000".into(),
        notional_min: "1".into(),
        order_types: vec![v1::OrderType::Limit.into()],
        reference_price: Some(price),
        contract_size: None,
    };
    let account = v1::Account {
        id: name.clone(),
        venue: name.clone(),
        mode: v1::AccountMode::Direct.into(),
        trust_bot_reports: true,
        ..v1::Account::default()
    };
    let strategy = v1::Strategy {
        id: name.clone(),
        accounts: vec![name.clone()],
        lease: "bench-orders".into(),
        ..v1::Strategy::default()
    };
    v1::Configuration {
        venues: vec![v1::Venue { id: name, kind: "simulated".into(), symbols: vec![instrument] }],
        accounts: vec![account],
        strategies: vec![strategy],
        day_offset_minutes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_on_which_orders_would_stay_open_is_refused() {
        assert_eq!(find(&configuration(), own()).unwrap().lease, "bench-orders");
        let changes: [fn(&mut v1::Account); 2] =
            [|it| it.trust_bot_reports = false, |it| it.mode = v1::AccountMode::Gateway.into()];
        for change in changes {
            let mut desk = configuration();
            change(&mut desk.accounts[0]);
            assert_eq!(find(&desk, own()).err().unwrap().exit, Exit::Usage);
        }
        let other = Named { strategy: "other".into(), ..own() };
        assert_eq!(find(&configuration(), other).err().unwrap().exit, Exit::NotFound);
    }

    #[test]
    fn the_lease_is_that_of_the_account_if_it_has_one() {
        let mut desk = configuration();
        desk.accounts[0].lease = Some("all".into());
        let found = find(&desk, own()).unwrap();
        assert_eq!((found.lease.as_str(), found.order.lease.as_str()), ("all", "all"));
    }
}
