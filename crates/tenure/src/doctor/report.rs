//! What the doctor says, to people and to programs.

use serde::Serialize;

use super::examination::Finding;
use super::server::Server;
use crate::output::Table;

#[derive(Serialize)]
pub struct Report {
    /// Everything asked works, and nothing critical was seen.
    pub works: bool,
    endpoints: Vec<Endpoint>,
    warnings: Vec<Warning>,
}

#[derive(Serialize)]
pub struct Endpoint {
    #[serde(flatten)]
    pub server: Server,
    #[serde(rename = "libraries")]
    pub findings: Vec<Finding>,
    /// On their way into the report.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

#[derive(Serialize)]
pub struct Warning {
    pub severity: &'static str,
    pub endpoint: String,
    pub what: String,
    pub next: String,
}

impl Warning {
    pub fn new(severity: &'static str, endpoint: &str, what: &str, next: &str) -> Self {
        Self { severity, endpoint: endpoint.into(), what: what.into(), next: next.into() }
    }
}

impl Report {
    pub fn new(endpoints: Vec<Endpoint>, warnings: Vec<Warning>) -> Self {
        let works = endpoints.iter().flat_map(|endpoint| &endpoint.findings).all(|finding| finding.works)
            && warnings.iter().all(|warning| warning.severity != "critical");
        Self { works, endpoints, warnings }
    }

    pub fn table(&self) -> Table {
        let mut text = String::new();
        for Endpoint { server, findings, .. } in &self.endpoints {
            let Server { address, server, version, mode, role, resp3 } = server;
            let protocol = if *resp3 { "RESP2 and RESP3" } else { "RESP2" };
            text += &format!("{address}: {server} {version}, {mode}, {role}, {protocol}\n\n");
            if !findings.is_empty() {
                text += &format!("{}\n", table_of(findings));
            }
        }
        if !self.warnings.is_empty() {
            let mut warnings = Table::with_head(&["severity", "endpoint", "warning", "next"]);
            for Warning { severity, endpoint, what, next } in &self.warnings {
                warnings.row([severity, endpoint.as_str(), what, next]);
            }
            text += &warnings.to_string();
        }
        let mut all = Table::default();
        for line in text.lines() {
            all.row([line]);
        }
        all
    }
}

/// An asterisk: asked in other words than the library's own.
fn table_of(findings: &[Finding]) -> Table {
    let mut table = Table::with_head(&["library", "version", "it", "works"]);
    for finding in findings {
        let works = match &finding.failed {
            None => "yes".to_owned(),
            Some(failed) => format!("no: {}: {}", failed.step, failed.said),
        };
        let what = if finding.as_sent { finding.what.to_owned() } else { format!("{} *", finding.what) };
        table.row([finding.library, finding.version, &what, &works]);
    }
    table
}
