//! What accounts have.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::event::Balance;
use crate::amount::{add, sub};

/// The account that quotes for the exchange itself. It may owe: its balances are the other side of what was traded.
pub const HOUSE: &str = "house";

/// The balances of one account.
///
/// Invariant: of an account that may not owe, `free` and `locked` are never below zero.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    balances: BTreeMap<String, Balance>,
    /// Assets that changed since they were last asked for.
    changed: BTreeSet<String>,
    may_owe: bool,
}

impl Account {
    pub(crate) fn new(may_owe: bool) -> Account {
        Account { may_owe, ..Account::default() }
    }

    pub(crate) fn balances(&self) -> &BTreeMap<String, Balance> {
        &self.balances
    }

    pub(crate) fn of(&self, asset: &str) -> Balance {
        self.balances.get(asset).copied().unwrap_or_default()
    }

    /// Whether so much can be set aside.
    pub(crate) fn can_lock(&self, asset: &str, amount: Decimal) -> bool {
        self.may_owe || self.balances.get(asset).is_some_and(|balance| balance.free >= amount)
    }

    pub(crate) fn lock(&mut self, asset: &str, amount: Decimal) {
        self.change(asset, |balance| {
            balance.free = sub(balance.free, amount);
            balance.locked = add(balance.locked, amount);
        });
    }

    pub(crate) fn unlock(&mut self, asset: &str, amount: Decimal) {
        self.change(asset, |balance| {
            balance.free = add(balance.free, amount);
            balance.locked = sub(balance.locked, amount);
        });
    }

    pub(crate) fn pay_from_locked(&mut self, asset: &str, amount: Decimal) {
        self.change(asset, |balance| balance.locked = sub(balance.locked, amount));
    }

    pub(crate) fn receive(&mut self, asset: &str, amount: Decimal) {
        self.change(asset, |balance| balance.free = add(balance.free, amount));
    }

    /// Takes out what is free.
    pub(crate) fn withdraw(&mut self, asset: &str, amount: Decimal) {
        self.change(asset, |balance| balance.free = sub(balance.free, amount));
    }

    fn change(&mut self, asset: &str, change: impl FnOnce(&mut Balance)) {
        let balance = self.balances.entry(asset.into()).or_default();
        change(balance);
        let sound = balance.free >= Decimal::ZERO && balance.locked >= Decimal::ZERO;
        assert!(self.may_owe || sound, "{asset} was paid that is not there");
        self.changed.insert(asset.into());
    }

    /// The balances that changed since this was last asked, and forgets that they did.
    pub(crate) fn take_changed(&mut self) -> Vec<(String, Balance)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|asset| (asset.clone(), self.balances[&asset])).collect()
    }
}
