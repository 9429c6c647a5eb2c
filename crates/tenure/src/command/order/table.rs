//! Orders as people read them.

use http::order::{Canceled, Fill, Replaced, View};

use crate::output::{Table, or_dash};

const HEAD: [&str; 12] = [
    "order_id",
    "account",
    "strategy",
    "symbol",
    "side",
    "type",
    "quantity",
    "price",
    "filled",
    "status",
    "key",
    "updated_at",
];

/// A line each.
pub(super) fn many(orders: &[View]) -> Table {
    let mut table = Table::with_head(&HEAD);
    for order in orders {
        table.row(cells(order));
    }
    table
}

/// One line by itself, of a list without an end.
pub(super) fn line(order: &View) -> Table {
    let mut table = Table::default();
    table.row([order.serial.to_string()].into_iter().chain(cells(order)));
    table
}

fn cells(order: &View) -> [String; 12] {
    let View { account, strategy, symbol, side, quantity, price, status, key, updated_at, flags, .. } = order;
    let status =
        [&[status.unwrap_or("-")], &flags.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
    [
        order.order_id.to_string(),
        or_dash(account.as_ref()),
        or_dash(strategy.as_ref()),
        or_dash(symbol.as_ref()),
        or_dash(*side),
        or_dash(order.r#type),
        or_dash(quantity.as_ref()),
        or_dash(price.as_ref()),
        order.filled_quantity.clone(),
        status.join(","),
        or_dash(key.as_ref()),
        or_dash(updated_at.as_ref()),
    ]
}

/// All that is known of one, a line each.
pub(super) fn one(order: &View) -> Table {
    let mut table = Table::default();
    describe(order, &mut table);
    table
}

pub(super) fn canceled(canceled: &Canceled) -> Table {
    let Canceled { order, timestamp_ms, window_ms } = canceled;
    let mut table = one(order);
    if let Some((timestamp_ms, window_ms)) = timestamp_ms.zip(*window_ms) {
        table.row(["sign the cancel at".to_owned(), format!("{timestamp_ms} ms, for {window_ms} ms")]);
    }
    table
}

/// The new one, then the one that it takes the place of.
pub(super) fn replaced(replaced: &Replaced) -> Table {
    let mut table = one(&replaced.order);
    table.row(["", ""]);
    table.row(["in the place of", ""]);
    describe(&replaced.canceled, &mut table);
    table
}

fn describe(order: &View, table: &mut Table) {
    let text = |text: &Option<String>| text.clone();
    let word = |word: Option<&str>| word.map(str::to_owned);
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let flags = Some(order.flags.join(", ")).filter(|flags| !flags.is_empty());
    let signed = order.timestamp_ms.zip(order.window_ms);
    let rows = [
        ("order_id", Some(order.order_id.to_string())),
        ("client_order_id", text(&order.client_order_id)),
        ("key", text(&order.key)),
        ("status", word(order.status)),
        ("flags", flags),
        ("reason", text(&order.reason)),
        ("account", text(&order.account)),
        ("venue", text(&order.venue)),
        ("strategy", text(&order.strategy)),
        ("algorithm", text(&order.algorithm)),
        ("trader", text(&order.trader)),
        ("symbol", text(&order.symbol)),
        ("side", word(order.side)),
        ("type", word(order.r#type)),
        ("time_in_force", word(order.time_in_force)),
        ("quantity", text(&order.quantity)),
        ("price", text(&order.price)),
        ("stop_price", text(&order.stop_price)),
        ("reduce_only", order.reduce_only.then(|| "yes".to_owned())),
        ("filled_quantity", Some(order.filled_quantity.clone())),
        ("venue_order_id", text(&order.venue_order_id)),
        ("lease", text(&order.lease)),
        ("token", number(order.token)),
        ("sign at", signed.map(|(timestamp_ms, window_ms)| format!("{timestamp_ms} ms, for {window_ms} ms"))),
        ("authorized_serial", number(order.authorized_serial)),
        ("serial", Some(order.serial.to_string())),
        ("updated_at", text(&order.updated_at)),
        ("submitted_at", text(&order.submitted_at)),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            table.row([name.to_owned(), value]);
        }
    }
    for Fill { trade_id, quantity, price, at, bust, .. } in &order.fills {
        let what = if *bust { "bust" } else { "fill" };
        let at = at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
        table.row([what.to_owned(), format!("{trade_id}: {quantity} for {price}{at}")]);
    }
}
