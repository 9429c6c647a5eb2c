//! `tenure order export`: orders, or their fills, as lines of JSON or as CSV by RFC 4180.
//!
//! Columns are never moved or renamed; new ones come last. Decimals are written as they are known, digit for digit. What is
//! not known is empty in CSV and null in JSON. One page is in memory at a time.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use http::order::{Fill, View};
use serde::Serialize;

use super::read::{Pages, request};
use crate::args::order::{Export, ExportFormat};
use crate::client::Client;

/// The columns of orders.
const ORDER_COLUMNS: [&str; 29] = [
    "order_id",
    "key",
    "client_order_id",
    "venue",
    "account",
    "strategy",
    "algorithm",
    "trader",
    "symbol",
    "side",
    "type",
    "time_in_force",
    "quantity",
    "price",
    "stop_price",
    "reduce_only",
    "status",
    "flags",
    "reason",
    "filled_quantity",
    "venue_order_id",
    "lease",
    "token",
    "authorized_serial",
    "serial",
    "updated_at",
    "timestamp_ms",
    "window_ms",
    "submitted_at",
];

/// The columns of fills.
const FILL_COLUMNS: [&str; 17] = [
    "order_id",
    "key",
    "client_order_id",
    "venue",
    "account",
    "strategy",
    "symbol",
    "side",
    "trade_id",
    "venue_order_id",
    "quantity",
    "price",
    "commission",
    "commission_asset",
    "maker",
    "bust",
    "at",
];

/// An order as a row of [`ORDER_COLUMNS`]: all of it but its fills, its flags with spaces between them.
#[derive(Serialize)]
struct OrderRow<'a> {
    order_id: u64,
    key: &'a Option<String>,
    client_order_id: &'a Option<String>,
    venue: &'a Option<String>,
    account: &'a Option<String>,
    strategy: &'a Option<String>,
    algorithm: &'a Option<String>,
    trader: &'a Option<String>,
    symbol: &'a Option<String>,
    side: Option<&'static str>,
    r#type: Option<&'static str>,
    time_in_force: Option<&'static str>,
    quantity: &'a Option<String>,
    price: &'a Option<String>,
    stop_price: &'a Option<String>,
    reduce_only: bool,
    status: Option<&'static str>,
    flags: String,
    reason: &'a Option<String>,
    filled_quantity: &'a str,
    venue_order_id: &'a Option<String>,
    lease: &'a Option<String>,
    token: Option<u64>,
    authorized_serial: Option<u64>,
    serial: u64,
    updated_at: &'a Option<String>,
    timestamp_ms: Option<i64>,
    window_ms: Option<u64>,
    submitted_at: &'a Option<String>,
}

/// A fill as a row of [`FILL_COLUMNS`], with whose it is.
#[derive(Serialize)]
struct FillRow<'a> {
    order_id: u64,
    key: &'a Option<String>,
    client_order_id: &'a Option<String>,
    venue: &'a Option<String>,
    account: &'a Option<String>,
    strategy: &'a Option<String>,
    symbol: &'a Option<String>,
    side: Option<&'static str>,
    trade_id: &'a str,
    venue_order_id: &'a str,
    quantity: &'a str,
    price: &'a str,
    commission: &'a Option<String>,
    commission_asset: &'a Option<String>,
    maker: Option<bool>,
    bust: bool,
    at: &'a Option<String>,
}

impl<'a> From<&'a View> for OrderRow<'a> {
    fn from(order: &'a View) -> Self {
        Self {
            order_id: order.order_id,
            key: &order.key,
            client_order_id: &order.client_order_id,
            venue: &order.venue,
            account: &order.account,
            strategy: &order.strategy,
            algorithm: &order.algorithm,
            trader: &order.trader,
            symbol: &order.symbol,
            side: order.side,
            r#type: order.r#type,
            time_in_force: order.time_in_force,
            quantity: &order.quantity,
            price: &order.price,
            stop_price: &order.stop_price,
            reduce_only: order.reduce_only,
            status: order.status,
            flags: order.flags.join(" "),
            reason: &order.reason,
            filled_quantity: &order.filled_quantity,
            venue_order_id: &order.venue_order_id,
            lease: &order.lease,
            token: order.token,
            authorized_serial: order.authorized_serial,
            serial: order.serial,
            updated_at: &order.updated_at,
            timestamp_ms: order.timestamp_ms,
            window_ms: order.window_ms,
            submitted_at: &order.submitted_at,
        }
    }
}

impl<'a> FillRow<'a> {
    fn new(order: &'a View, fill: &'a Fill) -> Self {
        Self {
            order_id: order.order_id,
            key: &order.key,
            client_order_id: &order.client_order_id,
            venue: &order.venue,
            account: &order.account,
            strategy: &order.strategy,
            symbol: &order.symbol,
            side: order.side,
            trade_id: &fill.trade_id,
            venue_order_id: &fill.venue_order_id,
            quantity: &fill.quantity,
            price: &fill.price,
            commission: &fill.commission,
            commission_asset: &fill.commission_asset,
            maker: fill.maker,
            bust: fill.bust,
            at: &fill.at,
        }
    }
}

/// Where rows go.
enum Rows<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

impl<W: Write> Rows<W> {
    /// Begins with the names of the columns, where there are such.
    fn new(format: ExportFormat, columns: &[&str], to: W) -> Result<Self> {
        Ok(match format {
            ExportFormat::Jsonl => Self::Jsonl(to),
            ExportFormat::Csv => {
                let mut builder = csv::WriterBuilder::new();
                let mut csv = builder.has_headers(false).terminator(csv::Terminator::CRLF).from_writer(to);
                // Also when there is no row to take them from.
                csv.write_record(columns).map_err(written)?;
                Self::Csv(Box::new(csv))
            }
        })
    }

    fn row(&mut self, row: &impl Serialize) -> io::Result<()> {
        match self {
            Self::Csv(csv) => csv.serialize(row).map_err(written),
            Self::Jsonl(to) => {
                serde_json::to_writer(&mut *to, row)?;
                to.write_all(b"\n")
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Csv(csv) => csv.flush(),
            Self::Jsonl(to) => to.flush(),
        }
    }
}

fn written(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

pub(super) async fn run(client: &Client, asked: Export) -> Result<()> {
    let Export { filter, from, to, format, fills } = asked;
    let mut pages = Pages::new(client, request(filter, from, to), None);
    let columns = if fills { &FILL_COLUMNS[..] } else { &ORDER_COLUMNS[..] };
    let mut rows = Rows::new(format, columns, BufWriter::new(io::stdout()))?;
    while let Some(page) = pages.next().await? {
        for order in page.into_iter().map(View::from) {
            write(&mut rows, format, &order, fills)?;
        }
        rows.flush()?;
    }
    Ok(rows.flush()?)
}

fn write<W: Write>(rows: &mut Rows<W>, format: ExportFormat, order: &View, fills: bool) -> io::Result<()> {
    match format {
        _ if fills => order.fills.iter().try_for_each(|fill| rows.row(&FillRow::new(order, fill))),
        ExportFormat::Csv => rows.row(&OrderRow::from(order)),
        // As everywhere, with its fills.
        ExportFormat::Jsonl => rows.row(order),
    }
}

#[cfg(test)]
mod tests {
    use wire::v1;

    use super::*;

    fn order() -> View {
        let fill = |trade_id: &str, bust| v1::Fill {
            trade_id: trade_id.into(),
            venue_order_id: "v1".into(),
            quantity: "0.10".into(),
            price: "64000.000000000000000001".into(),
            commission: Some("0.00001".into()),
            commission_asset: Some("BNB".into()),
            maker: Some(true),
            time_ms: Some(1_790_000_000_123),
            bust,
        };
        let order = v1::Order {
            order_id: 7,
            key: "k1".into(),
            client_order_id: "q1ab00000000000z".into(),
            account: "bots".into(),
            symbol: "BTCUSDT".into(),
            side: v1::Side::Buy.into(),
            quantity: "0.20".into(),
            status: v1::OrderStatus::PartiallyFilled.into(),
            flags: vec!["fills_pending".into(), "quarantined".into()],
            reason: Some("-2010: said \"no\", then\nyes".into()),
            filled_quantity: "0.10".into(),
            fills: vec![fill("t1", false), fill("t2", true)],
            ..v1::Order::default()
        };
        order.into()
    }

    fn exported(format: ExportFormat, fills: bool, orders: &[View]) -> String {
        let columns = if fills { &FILL_COLUMNS[..] } else { &ORDER_COLUMNS[..] };
        let mut to = Vec::new();
        let mut rows = Rows::new(format, columns, &mut to).unwrap();
        for order in orders {
            write(&mut rows, format, order, fills).unwrap();
        }
        rows.flush().unwrap();
        drop(rows);
        String::from_utf8(to).unwrap()
    }

    /// The columns of a row, in the order in which it is written.
    fn columns(row: &impl Serialize) -> Vec<String> {
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.serialize(row).unwrap();
        let text = String::from_utf8(csv.into_inner().unwrap()).unwrap();
        text.lines().next().unwrap().split(',').map(str::to_owned).collect()
    }

    #[test]
    fn rows_have_the_columns_that_are_promised() {
        let order = order();
        assert_eq!(columns(&OrderRow::from(&order)), ORDER_COLUMNS);
        assert_eq!(columns(&FillRow::new(&order, &order.fills[0])), FILL_COLUMNS);
    }

    #[test]
    fn an_order_is_one_row_whatever_is_in_it() {
        let csv = exported(ExportFormat::Csv, false, &[order()]);
        let mut lines = csv.split_inclusive("\r\n");
        assert_eq!(lines.next().unwrap().trim_end(), ORDER_COLUMNS.join(","));
        assert_eq!(
            lines.collect::<String>(),
            "7,k1,q1ab00000000000z,,bots,,,,BTCUSDT,BUY,,,0.20,,,false,PARTIALLY_FILLED,fills_pending quarantined,\
             \"-2010: said \"\"no\"\", then\nyes\",0.10,,,,,0,1970-01-01T00:00:00.000Z,,,\r\n"
        );
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!((row.len(), &row[18]), (ORDER_COLUMNS.len(), "-2010: said \"no\", then\nyes"));
    }

    #[test]
    fn fills_are_rows_of_their_own_with_every_digit() {
        let csv = exported(ExportFormat::Csv, true, &[order()]);
        let rows: Vec<&str> = csv.lines().skip(1).collect();
        let row = |trade, bust| {
            format!(
                "7,k1,q1ab00000000000z,,bots,,BTCUSDT,BUY,{trade},v1,0.10,64000.000000000000000001,0.00001,BNB,true,{bust},2026-09-21T14:13:20.123Z"
            )
        };
        assert_eq!(rows, [row("t1", false), row("t2", true)]);
        let lines = exported(ExportFormat::Jsonl, true, &[order()]);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!((&first["price"], &first["bust"]), (&"64000.000000000000000001".into(), &false.into()));
    }

    #[test]
    fn nothing_is_still_a_table_in_csv_and_an_empty_file_in_jsonl() {
        assert_eq!(exported(ExportFormat::Csv, true, &[]), FILL_COLUMNS.join(",") + "\r\n");
        assert_eq!(exported(ExportFormat::Jsonl, false, &[]), "");
    }

    #[test]
    fn a_line_is_the_order_as_everywhere() {
        let line = exported(ExportFormat::Jsonl, false, &[order()]);
        assert_eq!(line, serde_json::to_string(&order()).unwrap() + "\n");
    }
}
