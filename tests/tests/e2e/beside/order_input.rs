//! Orders that cannot be: each is refused with every reason there is, by the same names over the command line and HTTP, and
//! nothing is recorded.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tests::order_desk::Desk;
use tests::suite;

/// What is wrong, as options and as fields; the exit code, the status, and in the order in which they are told the reasons, and a
/// word of each.
struct Wrong {
    options: &'static [(&'static str, &'static str)],
    fields: Value,
    exit: i32,
    status: u16,
    reasons: &'static [(&'static str, &'static str)],
}

fn all() -> Vec<Wrong> {
    let wrong = |options, fields, (exit, status), reasons| Wrong { options, fields, exit, status, reasons };
    let invalid = (2, 400);
    vec![
        wrong(
            &[("--quantity", "-1")],
            json!({"quantity": "-1"}),
            invalid,
            &[
                ("INVALID_ORDER", "quantity must be above zero"),
                ("INVALID_ORDER", "quantity must be at least 0.001"),
                ("INVALID_ORDER", "notional must be at least 1"),
            ],
        ),
        wrong(
            &[("--quantity", "0"), ("--price", "-5")],
            json!({"quantity": "0", "price": "-5"}),
            invalid,
            &[
                ("INVALID_ORDER", "quantity must be above zero"),
                ("INVALID_ORDER", "price must be above zero"),
                ("INVALID_ORDER", "quantity must be at least 0.001"),
                ("INVALID_ORDER", "notional must be at least 1"),
            ],
        ),
        // Far beyond what the venue takes, and what the desk allows.
        wrong(
            &[("--quantity", "99999999")],
            json!({"quantity": "99999999"}),
            invalid,
            &[("INVALID_ORDER", "quantity must be at most 1000"), ("LIMIT", "quantity_max of account")],
        ),
        wrong(
            &[("--quantity", "1000000000000000000000000")],
            json!({"quantity": "1000000000000000000000000"}),
            invalid,
            &[("INVALID_ORDER", "quantity: ")],
        ),
        wrong(
            &[("--quantity", "1e3"), ("--price", "many")],
            json!({"quantity": "1e3", "price": "many"}),
            invalid,
            &[("INVALID_ORDER", "quantity: "), ("INVALID_ORDER", "price: ")],
        ),
        // More digits than the symbol is traded in.
        wrong(
            &[("--quantity", "0.0005"), ("--price", "100.001")],
            json!({"quantity": "0.0005", "price": "100.001"}),
            invalid,
            &[
                ("INVALID_ORDER", "quantity must be a multiple of 0.001"),
                ("INVALID_ORDER", "price must be a multiple of 0.01"),
                ("INVALID_ORDER", "quantity must be at least 0.001"),
                ("INVALID_ORDER", "notional must be at least 1"),
            ],
        ),
        wrong(&[("--price", "")], json!({"price": null}), invalid, &[("INVALID_ORDER", "price is missing")]),
        wrong(
            &[("--type", "market")],
            json!({"type": "MARKET"}),
            invalid,
            &[("INVALID_ORDER", "price is not for orders of this type")],
        ),
        wrong(
            &[("--symbol", "XRPUSDT")],
            json!({"symbol": "XRPUSDT"}),
            (3, 404),
            &[("UNKNOWN_NAME", "symbol")],
        ),
        wrong(
            &[("--account", "none"), ("--strategy", "none")],
            json!({"account": "none", "strategy": "none"}),
            (3, 404),
            &[("UNKNOWN_NAME", "account"), ("UNKNOWN_NAME", "strategy")],
        ),
        wrong(
            &[("--lease", "other")],
            json!({"lease": "other"}),
            (6, 409),
            &[("WRONG_LEASE", "under the lease mm")],
        ),
        wrong(&[("--token", "1")], json!({"token": 1}), (6, 409), &[("FENCED", "must stop")]),
        wrong(
            &[("--token", "1"), ("--quantity", "11")],
            json!({"token": 1, "quantity": "11"}),
            (6, 409),
            &[("FENCED", "must stop"), ("LIMIT", "quantity_max of account: 11, and 10 is allowed")],
        ),
        wrong(
            &[("--quantity", "11")],
            json!({"quantity": "11"}),
            (8, 429),
            &[("LIMIT", "quantity_max of account: 11, and 10 is allowed")],
        ),
        wrong(
            &[("--key", "k1"), ("--quantity", "2")],
            json!({"key": "k1", "quantity": "2"}),
            (6, 409),
            &[("DUPLICATE_KEY", "asked for something else")],
        ),
        wrong(
            &[("--key", "a key")],
            json!({"key": "a key"}),
            invalid,
            &[("INVALID_ORDER", "key: not a name")],
        ),
    ]
}

#[test]
fn a_bad_order_is_refused_with_every_reason_over_both_ways() {
    suite::beside("order_input", async {
        let desk = Desk::open().await?;
        desk.authorized("k1").await?;
        let mut differs = Vec::new();
        for (at, wrong) in all().iter().enumerate() {
            differs.extend(judge(&desk, &format!("wrong-{at}"), wrong).await.err());
        }
        ensure!(differs.is_empty(), "{differs:#?}");
        let cli = desk.cli();
        let token = desk.token.to_string();

        // Without a lease: the command says which option, the service which field.
        let missing = desk.ask("authorize", "bots", "k2", &[("--lease", "")]).await?.expect(2, "USAGE")?;
        ensure!(missing.stderr.contains("--lease"), "{missing:?}");
        // Somebody must answer for it, and the shell does not say who types this.
        let nobody = desk.ask("authorize", "bots", "k2", &[("--trader", "")]).await?;
        let nobody = nobody.expect(2, "INVALID_ORDER")?;
        ensure!(nobody.stderr.contains("trader: missing"), "{nobody:?}");
        let nothing = json!({"lease": null, "token": null, "trader": null});
        let (code, refused) = desk.post("/api/v1/orders/authorize", "k2", nothing).await?;
        let expected =
            [("INVALID_ORDER", "trader: missing"), ("INVALID_ORDER", "lease"), ("INVALID_ORDER", "token")];
        ensure!(code == 400, "{code} {refused}");
        told(&refused, &expected)?;

        // Words that are in no list.
        let word = desk.ask("authorize", "bots", "k2", &[("--side", "long")]).await?.expect(2, "USAGE")?;
        ensure!(word.stderr.contains("buy") && word.stderr.contains("sell"), "{word:?}");
        let (code, refused) = desk.post("/api/v1/orders/authorize", "k2", json!({"side": "LONG"})).await?;
        ensure!(code == 400 && refused["reason"] == "INVALID", "{code} {refused}");
        let (code, refused) = desk.post("/api/v1/orders/authorize", "k2", json!({"quantity": 1.5})).await?;
        ensure!(code == 400 && refused["reason"] == "INVALID", "a number is no decimal: {code} {refused}");

        // Names of orders that are not here: a number, another cluster's, and none at all.
        let path = |name: &str| format!("/api/v1/orders/{name}/cancel");
        for (name, exit, status, reason) in [
            ("99999", 3, 404, "UNKNOWN_ORDER"),
            ("qzzzz0000000000z", 3, 404, "UNKNOWN_ORDER"),
            ("x-their-order", 2, 400, "INVALID"),
        ] {
            let cancel = ["order", "cancel", name, "--lease", "mm", "--token", &token];
            cli.run_json(&cancel).await?.expect(exit, reason)?;
            let body = json!({"lease": "mm", "token": desk.token});
            let answer = tests::http::post(desk.cluster.http(3), &path(name), &body).await?;
            let refused: Value = serde_json::from_str(&answer.body)?;
            ensure!(
                answer.code == status && refused["reason"] == reason,
                "{name}: {} {refused}",
                answer.code
            );
        }
        cli.run_json(&["order", "get", "99999999999999999999"]).await?.expect(2, "USAGE")?;

        let list = cli.json(&["order", "list"]).await?;
        let mut authorized =
            list.as_array().into_iter().flatten().filter(|order| order["status"] != "DENIED");
        let first = authorized.next().is_some_and(|order| order["key"] == "k1");
        ensure!(first && authorized.next().is_none(), "only k1 was authorised: {list}");
        Ok(())
    });
}

/// Asks for it in both ways.
async fn judge(desk: &Desk, key: &str, wrong: &Wrong) -> Result<()> {
    let Wrong { options, fields, exit, status, reasons } = wrong;
    let (reason, _) = reasons.first().context("a case has a reason")?;
    let ran = desk.ask("authorize", "bots", key, options).await?.expect(*exit, reason)?;
    told(&ran.error()?, reasons)?;
    ensure!(ran.stdout.is_empty(), "{options:?}: {ran:?}");
    let (code, refused) = desk.post("/api/v1/orders/authorize", key, fields.clone()).await?;
    ensure!(code == *status && refused["reason"] == *reason, "{fields}: {code} {refused}");
    told(&refused, reasons)
}

/// These reasons, in this order, and no others.
fn told(error: &Value, expected: &[(&str, &str)]) -> Result<()> {
    let reasons = error["reasons"].as_array().context("all reasons are told")?;
    ensure!(reasons.len() == expected.len(), "{error}, expected {expected:?}");
    for (reason, (name, words)) in reasons.iter().zip(expected) {
        let message = reason["message"].as_str().unwrap_or_default();
        ensure!(reason["reason"] == *name && message.contains(words), "{reason}, expected {name}: {words}");
        ensure!(error["message"].as_str().is_some_and(|all| all.contains(message)), "{error}");
    }
    Ok(())
}
