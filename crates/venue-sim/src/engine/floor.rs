//! Where one command on one market is carried out.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::account::Account;
use super::event::{Event, Execution, Fill, Prevention, Report, Trade};
use super::filter;
use super::market::Market;
use super::order::{ExpiryReason, NewOrder, Order, OrderStatus, OrderType, SelfTradePrevention, TimeInForce};
use super::plan::{Plan, Step};
use super::position::Margin;
use super::rejection::Rejection;
use super::symbol::{Product, SymbolStatus};
use super::{Commission, HOUSE, Terms};
use crate::amount::{add, mul, share, sub};

/// A market and what its orders need of the rest of the engine.
pub(crate) struct Floor<'a> {
    pub(crate) market: &'a mut Market,
    /// What else an account may have open.
    pub(crate) others: &'a BTreeMap<String, Market>,
    pub(crate) accounts: &'a mut BTreeMap<String, Account>,
    pub(crate) fees: &'a mut BTreeMap<String, Decimal>,
    pub(crate) commission: Commission,
    pub(crate) report_ids: &'a mut u64,
    pub(crate) events: &'a mut Vec<Event>,
    pub(crate) at_ms: i64,
}

impl Floor<'_> {
    /// Accepts an order and carries out what it does at once.
    pub(crate) fn place(&mut self, new: NewOrder) -> Result<u64, Rejection> {
        self.check(&new)?;
        let mut order = Order::new(self.market.next_order_id(), new, self.at_ms);
        let waits = order.order_type.has_stop();
        if !waits && !self.cut(&mut order) {
            return Err(self.reject(order, Rejection::NothingToReduce));
        }
        let plan = if waits { Plan::default() } else { Plan::of(&order, self.market) };
        if order.only_makes() && !plan.steps.is_empty() {
            return Err(self.reject(order, Rejection::WouldMatchImmediately));
        }
        if !order.quote_quantity.is_zero() {
            order.quantity = add(plan.quantity, plan.prevented);
            if order.quantity.is_zero() {
                return Err(self.reject(order, Rejection::LiquidityTooLow));
            }
        }
        if !waits || self.market.product == Product::Spot {
            self.secure(&mut order, plan.quote).map_err(|rejection| self.reject(order.clone(), rejection))?;
        }
        let id = order.id;
        self.admit(order, !waits);
        if waits {
            self.market.stops.insert(id);
        } else {
            self.work(id, plan);
        }
        self.trigger();
        Ok(id)
    }

    fn check(&self, new: &NewOrder) -> Result<(), Rejection> {
        if self.market.status != SymbolStatus::Trading {
            return Err(Rejection::MarketClosed);
        }
        if self.market.find(&new.account, &new.client_order_id).is_some() {
            return Err(Rejection::DuplicateOrder);
        }
        filter::check(new, self.market, self.at_ms)?;
        let reached = |market: &Market| market.is_reached(new.order_type, new.side, new.stop_price);
        if new.order_type.has_stop() && reached(self.market) {
            return Err(Rejection::WouldTriggerImmediately);
        }
        Ok(())
    }

    /// Makes sure that the account can pay for what the order may do.
    fn secure(&mut self, order: &mut Order, planned_quote: Decimal) -> Result<(), Rejection> {
        let (can, otherwise) = match self.market.product {
            Product::Spot => (self.lock(order, planned_quote), Rejection::InsufficientBalance),
            Product::Futures => (self.affords(order, planned_quote), Rejection::InsufficientMargin),
        };
        if can { Ok(()) } else { Err(otherwise) }
    }

    /// Whether there is margin for the order. One that needs no more than there is in use already may always be placed.
    fn affords(&self, order: &Order, planned_quote: Decimal) -> bool {
        if order.account == HOUSE || order.terms.reduce_only {
            return true;
        }
        let worth =
            if order.order_type.has_price() { mul(order.price, order.remaining()) } else { planned_quote };
        let elsewhere = self.others.values().map(|market| market.margin(&order.account, None));
        let elsewhere = elsewhere.fold(Margin::default(), |sum, margin| sum.and(&margin));
        let before = elsewhere.and(&self.market.margin(&order.account, None));
        let after = elsewhere.and(&self.market.margin(&order.account, Some((order.side, worth))));
        let wallet = self.accounts[&order.account].of(&self.market.symbol.quote).free;
        after.initial() <= before.initial() || add(wallet, after.unrealized) >= after.initial()
    }

    /// Cuts an order that only reduces down to what there is to reduce; false if there is nothing.
    fn cut(&self, order: &mut Order) -> bool {
        if !order.terms.reduce_only && !order.terms.close_position {
            return true;
        }
        let most = self.market.reducible(&order.account, order.side);
        order.quantity = if order.terms.close_position { most } else { order.quantity.min(most) };
        !order.quantity.is_zero()
    }

    /// Sets aside what the order needs beyond what it has; false if the account does not have it.
    fn lock(&mut self, order: &mut Order, planned_quote: Decimal) -> bool {
        let needs = sub(Market::needs(order, planned_quote), order.locked);
        let asset = self.market.pays(order.side);
        let account = self.accounts.get_mut(&order.account).expect("an order has an account");
        if !account.can_lock(asset, needs) {
            return false;
        }
        account.lock(asset, needs);
        order.locked = add(order.locked, needs);
        true
    }

    fn admit(&mut self, mut order: Order, is_working: bool) {
        order.is_working = is_working;
        order.working_ms = is_working.then_some(self.at_ms);
        self.market.admit(order.clone());
        self.report(order, Execution::New, |_| {});
    }

    /// The exchange tells the account of an order that reached the engine and was not taken.
    fn reject(&mut self, mut order: Order, rejection: Rejection) -> Rejection {
        order.status = OrderStatus::Rejected;
        self.report(order, Execution::Rejected, |report| report.rejection = Some(rejection));
        rejection
    }

    /// Carries out the plan of an accepted order, then rests or ends what is left of it.
    fn work(&mut self, id: u64, plan: Plan) {
        let order = &self.market.open[&id];
        let (time_in_force, has_price) = (order.time_in_force, order.order_type.has_price());
        if has_price && time_in_force == TimeInForce::Fok && plan.quantity < order.remaining() {
            self.expire(id, ExpiryReason::UnfilledFok);
            return;
        }
        for step in plan.steps {
            self.step(id, step);
        }
        self.hold_to_positions();
        let Some(order) = self.market.open.get(&id) else { return };
        match (has_price, time_in_force) {
            (false, _) => self.expire(id, ExpiryReason::InsufficientLiquidity),
            (true, TimeInForce::Gtc | TimeInForce::Gtx) => self.market.book.insert(order),
            (true, _) => self.expire(id, ExpiryReason::UnfilledIoc),
        }
    }

    /// Ends orders that only reduce, where there is no longer as much to reduce.
    fn hold_to_positions(&mut self) {
        for id in self.market.beyond_position() {
            self.expire(id, ExpiryReason::NothingToReduce);
        }
    }

    fn step(&mut self, taker: u64, step: Step) {
        match step {
            Step::Trade { maker, price, quantity } => self.trade(taker, maker, price, quantity),
            Step::Prevent { maker, price, mode } => {
                let match_id = self.market.next_match_id();
                if mode != SelfTradePrevention::ExpireMaker {
                    self.prevent(taker, maker, match_id, price);
                }
                if mode != SelfTradePrevention::ExpireTaker {
                    self.prevent(maker, taker, match_id, price);
                }
            }
        }
    }

    /// Two open orders trade.
    pub(crate) fn trade(&mut self, taker: u64, maker: u64, price: Decimal, quantity: Decimal) {
        let trade = Trade {
            id: self.market.next_trade_id(),
            symbol: self.market.symbol.name.clone(),
            price,
            quantity,
            quote: mul(price, quantity),
            at_ms: self.at_ms,
            is_buyer_maker: self.market.open[&maker].side == super::Side::Buy,
        };
        self.market.record(trade.clone());
        self.settle(taker, &trade, false);
        self.settle(maker, &trade, true);
        self.events.push(Event::Trade(trade));
    }

    /// One side of a trade: the order, its account, its report.
    fn settle(&mut self, id: u64, trade: &Trade, is_maker: bool) {
        let order = self.market.open.get_mut(&id).expect("only open orders trade");
        order.executed = add(order.executed, trade.quantity);
        order.executed_quote = add(order.executed_quote, trade.quote);
        order.updated_ms = self.at_ms;
        let used = Market::used(self.market.product, order, trade.quantity, trade.quote);
        order.locked = sub(order.locked, used);
        let is_filled = order.remaining().is_zero();
        order.status = if is_filled { OrderStatus::Filled } else { OrderStatus::PartiallyFilled };
        let order = order.clone();
        let fill = match self.market.product {
            Product::Spot => self.pay(&order, trade, used, is_maker),
            Product::Futures => self.reckon(&order, trade, is_maker),
        };
        if is_filled {
            assert!(order.locked.is_zero(), "an order that is filled has paid with all that was set aside");
            self.market.forget(id);
        } else if is_maker {
            self.market.book.touch(&order);
        }
        self.report(order, Execution::Trade, |report| report.fill = Some(fill));
    }

    fn pay(&mut self, order: &Order, trade: &Trade, used: Decimal, is_maker: bool) -> Fill {
        let is_buyer = order.side == super::Side::Buy;
        let (paid, got) =
            if is_buyer { (trade.quote, trade.quantity) } else { (trade.quantity, trade.quote) };
        let (pays, gets) = (self.market.pays(order.side), self.market.gets(order.side));
        let commission = share(got, self.commission.rate(&order.account, is_maker));
        let account = self.accounts.get_mut(&order.account).expect("an order has an account");
        account.pay_from_locked(pays, paid);
        account.unlock(pays, sub(used, paid));
        account.receive(gets, sub(got, commission));
        let gets = gets.to_owned();
        self.keep(gets.clone(), commission);
        Fill { commission, commission_asset: gets, ..Fill::of(order, trade, is_maker) }
    }

    /// What the trade does to the account's position, and what it brings or costs at once.
    fn reckon(&mut self, order: &Order, trade: &Trade, is_maker: bool) -> Fill {
        let commission = share(trade.quote, self.commission.rate(&order.account, is_maker));
        let position = self.market.position_mut(&order.account);
        position.updated_ms = self.at_ms;
        let realized = position.trade(order.side, trade.price, trade.quantity);
        let asset = self.market.symbol.quote.clone();
        let account = self.accounts.get_mut(&order.account).expect("an order has an account");
        account.receive(&asset, sub(realized, commission));
        self.keep(asset.clone(), commission);
        Fill { commission, commission_asset: asset, realized, ..Fill::of(order, trade, is_maker) }
    }

    /// The exchange keeps its commission.
    fn keep(&mut self, asset: String, commission: Decimal) {
        let fees = self.fees.entry(asset).or_default();
        *fees = add(*fees, commission);
    }

    /// An order ends because it would have traded with its own account.
    fn prevent(&mut self, id: u64, counter_order_id: u64, match_id: u64, price: Decimal) {
        let order = self.market.open.get_mut(&id).expect("only open orders meet");
        let quantity = order.remaining();
        order.prevented = add(order.prevented, quantity);
        order.prevented_match_id = Some(match_id);
        let prevention = Prevention { match_id, counter_order_id, price, quantity };
        self.close(id, OrderStatus::ExpiredInMatch, Execution::TradePrevention, |report| {
            report.prevention = Some(prevention);
        });
    }

    /// Ends an open order at the account's wish.
    pub(crate) fn cancel(&mut self, id: u64, cancel_id: String) {
        self.close(id, OrderStatus::Canceled, Execution::Canceled, |report| {
            report.cancel_id = Some(cancel_id);
        });
    }

    /// Ends all open orders of an account, from the oldest on.
    pub(crate) fn cancel_all(&mut self, account: &str, cancel_id: &str) -> Vec<u64> {
        let own = self.market.open.values().filter(|order| order.account == account);
        let ids: Vec<u64> = own.map(|order| order.id).collect();
        for id in &ids {
            self.cancel(*id, cancel_id.into());
        }
        ids
    }

    /// Ends an open order by a rule or by the exchange.
    pub(crate) fn expire(&mut self, id: u64, reason: ExpiryReason) {
        let order = self.market.open.get_mut(&id).expect("only an open order expires");
        order.expiry_reason = Some(reason);
        self.close(id, OrderStatus::Expired, Execution::Expired, |_| {});
    }

    fn close(&mut self, id: u64, status: OrderStatus, execution: Execution, with: impl FnOnce(&mut Report)) {
        let mut order = self.market.forget(id);
        if self.market.product == Product::Spot {
            let pays = self.market.pays(order.side);
            let account = self.accounts.get_mut(&order.account).expect("an order has an account");
            account.unlock(pays, order.locked);
            order.locked = Decimal::ZERO;
        }
        order.status = status;
        order.updated_ms = self.at_ms;
        self.report(order, execution, with);
    }

    /// Starts every stop that the last price has reached; one may lead to the next.
    pub(crate) fn trigger(&mut self) {
        while let Some(id) = self.market.reached() {
            self.market.stops.remove(&id);
            let mut order = self.market.open[&id].clone();
            let reduces = self.cut(&mut order);
            let plan = Plan::of(&order, self.market);
            let may_work = reduces && (!order.only_makes() || plan.steps.is_empty());
            if !may_work || self.secure(&mut order, plan.quote).is_err() {
                self.expire(id, ExpiryReason::Rejected);
                continue;
            }
            order.updated_ms = self.at_ms;
            self.admit(order, true);
            self.work(id, plan);
        }
    }

    /// A resting order trades with the house at its own price.
    pub(crate) fn fill(&mut self, id: u64, quantity: Decimal) {
        let maker = &self.market.open[&id];
        assert!(maker.is_working && quantity <= maker.remaining(), "the caller has looked at the order");
        let new = NewOrder {
            account: HOUSE.into(),
            symbol: maker.symbol.clone(),
            client_order_id: format!("fill-{id}"),
            side: maker.side.other(),
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            price: maker.price,
            quantity,
            quote_quantity: Decimal::ZERO,
            stop_price: Decimal::ZERO,
            self_trade_prevention: SelfTradePrevention::None,
            strategy_id: None,
            strategy_type: None,
            terms: Terms::default(),
        };
        let price = maker.price;
        let mut taker = Order::new(self.market.next_order_id(), new, self.at_ms);
        assert!(self.secure(&mut taker, Decimal::ZERO).is_ok(), "the house may owe");
        let taker_id = taker.id;
        self.admit(taker, true);
        self.trade(taker_id, id, price, quantity);
        self.hold_to_positions();
        self.trigger();
    }

    fn report(&mut self, order: Order, execution: Execution, with: impl FnOnce(&mut Report)) {
        *self.report_ids += 1;
        let mut report = Report {
            id: *self.report_ids,
            at_ms: self.at_ms,
            execution,
            order,
            fill: None,
            cancel_id: None,
            rejection: None,
            prevention: None,
        };
        with(&mut report);
        self.events.push(Event::Report(Box::new(report)));
    }
}
