//! What an order would do in a book, before anything is done.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::account::HOUSE;
use super::market::Market;
use super::order::{Order, SelfTradePrevention, Side};
use crate::amount::{add, lots, mul, sub};

/// One step of a taker through the book.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Trade {
        maker: u64,
        price: Decimal,
        quantity: Decimal,
    },
    /// It met an order of its own account.
    Prevent {
        maker: u64,
        price: Decimal,
        mode: SelfTradePrevention,
    },
}

/// The steps of a taker, and what they come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    /// Traded, in the base asset.
    pub(crate) quantity: Decimal,
    /// Traded, in the quote asset.
    pub(crate) quote: Decimal,
    /// What the order still wanted when it met one of its own account and expired, in the base asset.
    pub(crate) prevented: Decimal,
    /// What each account that was there first trades.
    makers: BTreeMap<String, Decimal>,
}

impl Plan {
    /// What `order` does at once, by price and then by time.
    pub(crate) fn of(order: &Order, market: &Market) -> Plan {
        let mut plan = Plan::default();
        for (price, ids) in market.book.levels(order.side.other()) {
            if order.order_type.has_price() && !crosses(order, price) {
                break;
            }
            for maker in ids {
                let wanted = plan.wanted(order, price, market.symbol.lot.step);
                if wanted.is_zero() || plan.meet(order, market, *maker, price, wanted).is_none() {
                    return plan;
                }
            }
        }
        plan
    }

    /// What is still wanted at a price, in the base asset.
    fn wanted(&self, order: &Order, price: Decimal, step: Decimal) -> Decimal {
        if order.quote_quantity.is_zero() {
            sub(order.remaining(), self.quantity)
        } else {
            lots(sub(order.quote_quantity, self.quote), price, step)
        }
    }

    /// One step more; nothing when there can be no further one.
    fn meet(
        &mut self,
        order: &Order,
        market: &Market,
        maker: u64,
        price: Decimal,
        wanted: Decimal,
    ) -> Option<()> {
        let maker = &market.open[&maker];
        let mode = order.self_trade_prevention;
        let is_own = maker.account == order.account && order.account != HOUSE;
        if is_own && mode != SelfTradePrevention::None {
            self.steps.push(Step::Prevent { maker: maker.id, price, mode });
            if mode == SelfTradePrevention::ExpireMaker {
                return Some(());
            }
            self.prevented = wanted;
            return None;
        }
        let quantity = wanted.min(self.offered(maker, market));
        if quantity.is_zero() {
            return Some(());
        }
        let traded = self.makers.entry(maker.account.clone()).or_default();
        *traded = add(*traded, quantity);
        self.steps.push(Step::Trade { maker: maker.id, price, quantity });
        self.quantity = add(self.quantity, quantity);
        self.quote = add(self.quote, mul(price, quantity));
        Some(())
    }

    /// What an order that was there first still trades: if it only reduces, no more than is left of the position then.
    fn offered(&self, maker: &Order, market: &Market) -> Decimal {
        if !maker.terms.reduce_only {
            return maker.remaining();
        }
        let traded = self.makers.get(&maker.account).copied().unwrap_or_default();
        let left = sub(market.position(&maker.account).closed_by(maker.side), traded);
        maker.remaining().min(left.max(Decimal::ZERO))
    }
}

fn crosses(order: &Order, price: Decimal) -> bool {
    match order.side {
        Side::Buy => price <= order.price,
        Side::Sell => price >= order.price,
    }
}
