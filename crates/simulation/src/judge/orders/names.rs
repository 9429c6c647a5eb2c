//! A key is one order, whichever node is asked, whatever fails in between: it has one id and one client order id, is what was
//! asked for, and is authorised for one request.

use std::collections::BTreeMap;

use super::record::{Asked, Got, Record, Shown, Wanted};
use super::{Rule, Wrong};

pub(super) fn examine(record: &Record) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let answers = record.asked.iter().filter_map(|asked| Some((asked, asked.got.answer()?)));
    let mut names = Names::default();
    let mut authorized: BTreeMap<u64, u64> = BTreeMap::new();
    for (Asked { wanted, node, .. }, order) in answers {
        let shown = &order.shown;
        wrong.extend(names.learn(shown));
        if !wanted.is(shown) {
            let detail = format!("node {node} answered {wanted:?} with {shown:?}");
            wrong.push(Wrong::new(Rule::OtherOrder, &shown.client_order_id, detail));
        }
        if !order.existing && shown.authorized_serial.is_some() {
            let count = authorized.entry(shown.id).or_default();
            *count += 1;
            if *count == 2 {
                let detail = "two requests were told that it is authorised now";
                wrong.push(Wrong::new(Rule::AuthorizedTwice, &shown.client_order_id, detail));
            }
        }
    }
    let listings = record.ends.iter().map(|(_, listing)| listing);
    for listing in listings.chain([&record.kept]) {
        wrong.extend(listing.values().filter_map(|shown| names.learn(shown)));
    }
    wrong.extend(called_duplicates(record));
    wrong
}

#[derive(Default)]
struct Names {
    by_key: BTreeMap<(String, String), (u64, String)>,
    by_id: BTreeMap<u64, (String, String)>,
    by_client: BTreeMap<String, (String, String)>,
}

impl Names {
    fn learn(&mut self, shown: &Shown) -> Option<Wrong> {
        let Shown { id, client_order_id, .. } = shown;
        // The key of one that was turned down stands for nothing: another may be asked for by it.
        if shown.status == "DENIED" && shown.authorized_serial.is_none() {
            return None;
        }
        let key = (shown.strategy.clone(), shown.key.clone());
        let name = (*id, client_order_id.clone());
        let known = self.by_key.entry(key.clone()).or_insert_with(|| name.clone());
        if *known != name {
            let detail = format!("it is order {} {} and {} {}", known.0, known.1, name.0, name.1);
            return Some(Wrong::new(Rule::KeyTwice, format!("key {} {}", key.0, key.1), detail));
        }
        let of_id = self.by_id.entry(*id).or_insert_with(|| key.clone()).clone();
        let of_client = self.by_client.entry(client_order_id.clone()).or_insert_with(|| key.clone()).clone();
        let other = [of_id, of_client].into_iter().find(|other| *other != key)?;
        let detail = format!("it is of key {} {} and of {} {}", other.0, other.1, key.0, key.1);
        Some(Wrong::new(Rule::KeyTwice, client_order_id, detail))
    }
}

/// A key is that of another order only if somebody asked for another.
fn called_duplicates(record: &Record) -> Vec<Wrong> {
    let mut all: BTreeMap<(&str, &str), Vec<&Wanted>> = BTreeMap::new();
    for Asked { wanted, .. } in &record.asked {
        all.entry((&wanted.strategy, &wanted.key)).or_default().push(wanted);
    }
    let refused = record.asked.iter().filter(|asked| asked.got.is_refused_for("DUPLICATE_KEY"));
    let unlike = |wanted: &Wanted| {
        all[&(wanted.strategy.as_str(), wanted.key.as_str())].iter().any(|other| !other.is_like(wanted))
    };
    let without = refused.filter(|asked| !unlike(&asked.wanted));
    without
        .map(|Asked { wanted, node, got, .. }| {
            let at_ms = match got {
                Got::Refused { at_ns, .. } => at_ns / 1_000_000,
                _ => 0,
            };
            let detail =
                format!("node {node} called it a duplicate at {at_ms} ms, and nobody asked for another");
            Wrong::new(Rule::NotDuplicate, format!("key {} {}", wanted.strategy, wanted.key), detail)
        })
        .collect()
}
