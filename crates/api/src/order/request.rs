//! What a client asks for, as the log takes it. Everything that is wrong with the form is said at once.

use domain::limits::HOLD_MS_MAX;
use domain::orders::command::Submit;
use domain::orders::id::{ClientOrderId, OrderId};
use domain::orders::intent::Intent;
use domain::orders::order::Sender;
use domain::orders::tombstone::StrategyKey;
use domain::{LeaseName, Serial, Token};
use wire::v1;

use crate::faults::Faults;
use crate::order::words::{order_type, side, time_in_force};

/// An order to be recorded, or `None` after saying what is wrong with it.
pub(super) fn submit(order: Option<&v1::NewOrder>, sender: Sender, faults: &mut Faults) -> Option<Submit> {
    let Some(order) = order else {
        faults.say("order", "missing");
        return None;
    };
    let hold_ms = order.hold_ms;
    if hold_ms > HOLD_MS_MAX {
        faults.say("hold_ms", format!("at most {HOLD_MS_MAX}"));
    }
    let intent = intent(order, faults)?;
    Some(Submit { intent, sender, hold_ms, wall_ms: None })
}

fn intent(order: &v1::NewOrder, faults: &mut Faults) -> Option<Intent> {
    faults.known::<v1::TimeInForce>("time_in_force", order.time_in_force);
    let side = side(order.side(), faults);
    let order_type = order_type("type", order.r#type(), faults);
    let time_in_force = time_in_force(order.time_in_force(), order_type);
    let key = faults.parse("key", &order.key);
    let account = faults.parse("account", &order.account);
    let strategy = faults.parse("strategy", &order.strategy);
    let algorithm = faults.parse("algorithm", &order.algorithm);
    let trader = faults.parse("trader", &order.trader);
    let symbol = faults.parse("symbol", &order.symbol);
    let quantity = faults.parse("quantity", &order.quantity);
    let price = faults.optional("price", order.price.as_ref());
    let stop_price = faults.optional("stop_price", order.stop_price.as_ref());
    let (lease, token) = authority(&order.lease, order.token, faults).unzip();
    Some(Intent {
        key: key?,
        account: account?,
        strategy: strategy?,
        algorithm: algorithm?,
        trader: trader?,
        symbol: symbol?,
        side: side?,
        order_type: order_type?,
        time_in_force,
        quantity: quantity?,
        price,
        stop_price,
        reduce_only: order.reduce_only,
        lease: lease?,
        token: token?,
    })
}

/// The lease under which a bot speaks, and its token.
pub(super) fn authority(lease: &str, token: u64, faults: &mut Faults) -> Option<(LeaseName, Token)> {
    let name = LeaseName::new(lease);
    if name.is_none() {
        faults.say("lease", "must be the name of the lease that the bot holds");
    }
    let token = Token::from_u64(token).filter(|token| token.as_u64() > 0);
    if token.is_none() {
        faults.say("token", "must be the token under which the bot holds its lease");
    }
    Some((name?, token?))
}

/// What an order may be called.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Id(OrderId),
    Client(ClientOrderId),
    Key(StrategyKey),
}

impl Name {
    pub(super) fn id(id: u64) -> Self {
        Self::Id(OrderId(Serial(id)))
    }

    pub(super) fn client(text: &str, faults: &mut Faults) -> Option<Self> {
        let client = ClientOrderId::parse(text);
        if client.is_none() {
            faults.say("client_order_id", "not one that a cluster gave: q, and fifteen of a-z and 0-9");
        }
        client.map(Self::Client)
    }

    pub(super) fn key(strategy: &str, key: &str, faults: &mut Faults) -> Option<Self> {
        let (strategy, key) = (faults.parse("strategy", strategy), faults.parse("key", key));
        Some(Self::Key((strategy?, key?)))
    }

    pub(super) fn missing(faults: &mut Faults) -> Option<Self> {
        faults.say("order_id", "missing, and so is client_order_id");
        None
    }
}
