//! `tenure bench orders`: what it reports, and what it leaves behind.

use anyhow::{Result, ensure};
use tests::cluster::Cluster;
use tests::order_desk::Desk;
use tests::{grpc, suite};
use wire::v1;

#[test]
fn a_bench_sets_up_its_own_desk_where_there_is_none_and_takes_back_what_it_did() {
    suite::beside("order_bench", async {
        let cluster = Cluster::start().await?;
        let cli = cluster.cli();
        let bench = ["bench", "orders", "--duration", "1s", "--clients", "2", "--rate", "100"];
        for _ in 0..2 {
            let report = cli.json(&bench).await?;
            for of in [&report, &report["leases"]] {
                ensure!(of["operations"].as_u64() > Some(0) && of["errors"] == 0, "{report}");
                ensure!(of["latency_us"]["p50"].as_u64() > Some(0), "{report}");
            }
            ensure!(report["ratio_p50"].as_f64() > Some(0.0), "{report}");
        }
        let list = cli.json(&["order", "list", "--limit", "50"]).await?;
        let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
        ensure!(all.len() == 50 && all.iter().all(|order| order["status"] == "DENIED"), "{list}");
        let open = ["order", "list", "--status", "submitting,submit_unknown,open,pending_cancel"];
        ensure!(cli.json(&open).await?.as_array().is_some_and(Vec::is_empty), "nothing is left open");
        ensure!(
            cli.json(&["order", "unresolved"]).await?.as_array().is_some_and(Vec::is_empty),
            "nor unresolved"
        );
        cli.run_json(&["lease", "get", "bench-orders"]).await?.expect(3, "EXPIRED")?;
        Ok(())
    });
}

#[test]
fn a_bench_leaves_the_desk_of_others_as_it_is() {
    suite::beside("order_bench_desk", async {
        let desk = Desk::open().await?;
        let show = async || -> Result<_> {
            let shown = grpc::config(desk.cluster.api(1))?.show(v1::ShowRequest {}).await?;
            Ok(shown.into_inner().configuration)
        };
        let before = show().await?;
        let cli = desk.cli();
        cli.run_json(&["bench", "orders", "--duration", "1s"]).await?.expect(2, "USAGE")?;
        let on = |account: &'static str| {
            let of = ["--strategy", "mm", "--symbol", "BTCUSDT", "--quantity", "1", "--price", "100"];
            [&["bench", "orders", "--duration", "1s", "--account", account], &of[..]].concat()
        };
        // What would be authorised there could not be taken back.
        cli.run_json(&on("bots")).await?.expect(2, "ACCOUNT_MODE")?;
        cli.run_json(&on("none")).await?.expect(3, "UNKNOWN_NAME")?;
        ensure!(show().await? == before, "it was changed");
        ensure!(
            cli.json(&["order", "list"]).await?.as_array().is_some_and(Vec::is_empty),
            "orders were left"
        );
        Ok(())
    });
}
