//! Futures: each answer of REST, of the streams and of accounts that has an example.

use serde_json::Value;
use venue_sim::Quoting;
use venue_sim::engine::Product;

use super::Examples;
use crate::client::{Client, quiet};

/// Trailing stops, which the exchange does not have.
const NO_SUCH_ORDERS: [&str; 2] = ["activatePrice", "priceRate"];

fn examples() -> Examples {
    Examples::read(include_str!("futures.json"))
}

fn quoted() -> Client {
    let mut options = quiet();
    options.quoting = Some(Quoting::default());
    let mut client = Client::new(options);
    client.wait(1000);
    client
}

fn signed(client: &mut Client, method: &str, path: &str, query: &str) -> Value {
    let (status, answer) = client.signed(method, path, query);
    assert_eq!(status, 200, "{method} {path} {query}: {answer}");
    answer
}

const RESTS: &str = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=58000";
const SELLS: &str = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1&newOrderRespType=RESULT";

#[test]
fn public_answers() {
    let examples = examples();
    let mut client = quoted();
    client.wait(1000);
    for (name, path) in [
        ("check_server_time", "/fapi/v1/time"),
        ("order_book", "/fapi/v1/depth?symbol=BTCUSDT"),
        ("recent_trades_list", "/fapi/v1/trades?symbol=BTCUSDT"),
        ("old_trades_lookup", "/fapi/v1/historicalTrades?symbol=BTCUSDT"),
        ("compressed_aggregate_trades_list", "/fapi/v1/aggTrades?symbol=BTCUSDT"),
        ("symbol_price_ticker", "/fapi/v1/ticker/price?symbol=BTCUSDT"),
        ("symbol_order_book_ticker", "/fapi/v1/ticker/bookTicker?symbol=BTCUSDT"),
        ("ticker24hr_price_change_statistics", "/fapi/v1/ticker/24hr?symbol=BTCUSDT"),
        ("mark_price", "/fapi/v1/premiumIndex?symbol=BTCUSDT"),
    ] {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (_, answer) = client.ask("GET", path, query);
        examples.compare(name, &[&answer], &[]);
    }
}

/// The example has the fields of all filters in one, and says less of what is traded than the exchange does.
#[test]
fn rules_of_contracts() {
    let (_, mut info) = quoted().ask("GET", "/fapi/v1/exchangeInfo", "");
    info.as_object_mut().map(|info| info.remove("futuresType"));
    examples().compare("exchange_information", &[&info], &["exchange_information.exchangeFilters"]);
}

/// Answers to what changes an order also say what it has cost so far, which the SDK does not read and other clients do.
fn without_costs(mut answer: Value) -> Value {
    let keep = |row: &mut Value| {
        if let Some(row) = row.as_object_mut() {
            row.retain(|name, _| name != "avgPrice" && name != "cumQuote");
        }
    };
    match &mut answer {
        Value::Array(rows) => rows.iter_mut().for_each(keep),
        row => keep(row),
    }
    answer
}

#[test]
fn answers_about_orders() {
    let examples = examples();
    let mut client = quoted();
    let placed = signed(&mut client, "POST", "/fapi/v1/order", &format!("{RESTS}&newClientOrderId=mine"));
    examples.compare("new_order", &[&without_costs(placed)], &[]);
    let tested = signed(&mut client, "POST", "/fapi/v1/order/test", RESTS);
    examples.compare("test_order", &[&tested], &NO_SUCH_ORDERS);
    let which = "symbol=BTCUSDT&origClientOrderId=mine";
    for (name, path) in
        [("query_order", "/fapi/v1/order"), ("query_current_open_order", "/fapi/v1/openOrder")]
    {
        examples.compare(name, &[&signed(&mut client, "GET", path, which)], &NO_SUCH_ORDERS);
    }
    let open = signed(&mut client, "GET", "/fapi/v1/openOrders", "symbol=BTCUSDT");
    examples.compare("current_all_open_orders", &[&open], &NO_SUCH_ORDERS);
    let all = signed(&mut client, "GET", "/fapi/v1/allOrders", "symbol=BTCUSDT");
    examples.compare("all_orders", &[&all], &NO_SUCH_ORDERS);
    let canceled = signed(&mut client, "DELETE", "/fapi/v1/order", which);
    examples.compare("cancel_order", &[&without_costs(canceled)], &NO_SUCH_ORDERS);
    let armed =
        signed(&mut client, "POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=1000");
    examples.compare("auto_cancel_all_open_orders", &[&armed], &[]);
    let done = signed(&mut client, "DELETE", "/fapi/v1/allOpenOrders", "symbol=BTCUSDT");
    examples.compare("cancel_all_open_orders", &[&done], &[]);
}

/// The example of a batch has the fields of an answer and of a refusal in one.
#[test]
fn batches() {
    let examples = examples();
    let mut client = quoted();
    let orders = r#"[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":"0.1","price":"58000","newClientOrderId":"a"},{"symbol":"BTCUSDT","side":"SELL","type":"MARKET","quantity":"0.1","reduceOnly":"true"}]"#;
    let encoded: String = orders.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let placed = signed(&mut client, "POST", "/fapi/v1/batchOrders", &format!("batchOrders={encoded}"));
    assert_eq!(placed[1]["code"], -2022);
    examples.compare("place_multiple_orders", &[&without_costs(placed)], &NO_SUCH_ORDERS);
    let ids = "symbol=BTCUSDT&origClientOrderIdList=%5B%22a%22%2C%22nobody%22%5D";
    let canceled = signed(&mut client, "DELETE", "/fapi/v1/batchOrders", ids);
    assert_eq!(canceled[1]["code"], -2011);
    examples.compare("cancel_multiple_orders", &[&without_costs(canceled)], &NO_SUCH_ORDERS);
}

#[test]
fn answers_about_accounts() {
    let examples = examples();
    let mut client = quoted();
    signed(&mut client, "POST", "/fapi/v1/order", SELLS);
    signed(&mut client, "POST", "/fapi/v1/order", RESTS);
    for (name, path) in [
        ("account_trade_list", "/fapi/v1/userTrades?symbol=BTCUSDT"),
        ("account_information_v2", "/fapi/v2/account"),
        ("account_information_v3", "/fapi/v3/account"),
        ("futures_account_balance_v2", "/fapi/v2/balance"),
        ("futures_account_balance_v3", "/fapi/v3/balance"),
        ("position_information_v2", "/fapi/v2/positionRisk"),
        ("position_information_v3", "/fapi/v3/positionRisk"),
        ("futures_account_configuration", "/fapi/v1/accountConfig"),
        ("get_current_multi_assets_mode", "/fapi/v1/multiAssetsMargin"),
        ("get_current_position_mode", "/fapi/v1/positionSide/dual"),
        ("symbol_configuration", "/fapi/v1/symbolConfig"),
        ("user_commission_rate", "/fapi/v1/commissionRate?symbol=BTCUSDT"),
    ] {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        examples.compare(name, &[&signed(&mut client, "GET", path, query)], &[]);
    }
    let set = signed(&mut client, "POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=10");
    examples.compare("change_initial_leverage", &[&set], &[]);
}

#[test]
fn streams_and_events() {
    let examples = examples();
    let mut client = quoted();
    let (_, started) = client.ask("POST", "/fapi/v1/listenKey", "");
    examples.compare("start_user_data_stream", &[&started], &[]);
    examples.compare("keepalive_user_data_stream", &[&client.ask("PUT", "/fapi/v1/listenKey", "").1], &[]);
    let key = started["listenKey"].as_str().expect("a key").to_owned();
    let streams = ["btcusdt@aggTrade", "btcusdt@bookTicker", "btcusdt@depth", key.as_str()];
    client.venue.listen(client.now_ms, Product::Futures, true, &streams);
    client.wait(2000);
    signed(&mut client, "POST", "/fapi/v1/order", SELLS);
    signed(&mut client, "POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=10");
    client.wait(61 * 60 * 1000);
    let heard: Vec<Value> = std::iter::from_fn(|| client.heard()).collect();
    let of = |stream: &str| -> Vec<&Value> {
        heard.iter().filter(|message| message["stream"] == stream).map(|message| &message["data"]).collect()
    };
    for (stream, name) in streams.iter().zip(["stream_aggregate", "stream_quotes", "stream_depth"]) {
        examples.compare(name, &of(stream), &[]);
    }
    let told = of(&key);
    let kind = |kind: &str| told.iter().copied().filter(|event| event["e"] == kind).collect::<Vec<_>>();
    let orders = kind("ORDER_TRADE_UPDATE");
    examples.compare_event("ORDER_TRADE_UPDATE", &orders, &[]);
    let of_orders: Vec<&Value> = orders.iter().map(|event| &event["o"]).collect();
    // Of trailing stops, and the asset of the margin, which the documentation does not know.
    examples.compare_event("ORDER_TRADE_UPDATE.o", &of_orders, &["AP", "cr", "M"]);
    let accounts = kind("ACCOUNT_UPDATE");
    examples.compare_event("ACCOUNT_UPDATE", &accounts, &[]);
    // Of margin that is bound to one position.
    examples.compare_event("ACCOUNT_UPDATE.a", &[&accounts[0]["a"]], &["S"]);
    examples.compare_event("ACCOUNT_UPDATE.a.B", &[&accounts[0]["a"]["B"][0]], &[]);
    examples.compare_event("ACCOUNT_UPDATE.a.P", &[&accounts[0]["a"]["P"][0]], &[]);
    let configs = kind("ACCOUNT_CONFIG_UPDATE");
    examples.compare_event("ACCOUNT_CONFIG_UPDATE", &configs, &[]);
    examples.compare_event("ACCOUNT_CONFIG_UPDATE.ac", &[&configs[0]["ac"]], &[]);
    examples.compare_event("listenKeyExpired", &kind("listenKeyExpired"), &[]);
}
