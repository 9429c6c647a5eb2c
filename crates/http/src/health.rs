//! `/livez` and `/readyz`, as Kubernetes and etcd have them: `/readyz/CHECK`, `?verbose`, `?exclude=CHECK`.
//!
//! Live means that this process works: it never depends on the others, or a supervisor would restart the minority and
//! make it worse. Ready means that a client sent here is served.

use axum::extract::{RawPathParams, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use consensus::{Replica, Status};

use crate::input::{Parameters, bad};
use crate::office::prove;
use crate::refusal::Refusal;

/// What is looked at, in the order of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// The state can be looked at here.
    LocalRead,
    /// The node belongs to a cluster and votes in it.
    Member,
    /// A quorum round, made now, says what is newest.
    LinearizableRead,
    NotDraining,
    /// Its state agrees with that of the majority.
    InService,
    Disk,
}

const LIVE: &[Check] = &[Check::LocalRead];
const READY: &[Check] =
    &[Check::Member, Check::LinearizableRead, Check::NotDraining, Check::InService, Check::Disk];

impl Check {
    fn name(self) -> &'static str {
        match self {
            Self::LocalRead => "local_read",
            Self::Member => "member",
            Self::LinearizableRead => "linearizable_read",
            Self::NotDraining => "not_draining",
            Self::InService => "in_service",
            Self::Disk => "disk",
        }
    }

    async fn run(self, replica: &Replica, status: &Status) -> Result<(), String> {
        match self {
            Self::LocalRead => {
                // A state that is locked for good would hang here, and a probe that gets no answer restarts the node.
                let _ = replica.local().serial();
                Ok(())
            }
            Self::Member => member(status),
            Self::LinearizableRead => prove(replica).await.map(drop).map_err(|error| error.to_string()),
            Self::NotDraining if status.draining => Err("this node is being emptied".into()),
            Self::InService if status.out_of_service => {
                Err("the state here differs from that of the majority; a person must look".into())
            }
            Self::Disk if status.disk_low => {
                Err("the disk is almost full: only what frees something is accepted".into())
            }
            Self::NotDraining | Self::InService | Self::Disk => Ok(()),
        }
    }
}

fn member(status: &Status) -> Result<(), String> {
    if status.cluster_id.is_none() {
        return Err(
            "this node belongs to no cluster yet: tenure init founds one, tenure member add joins one".into(),
        );
    }
    match status.members.iter().find(|member| member.id == status.node) {
        None => Err("this node is not a member of its cluster".into()),
        Some(member) if !member.voter => {
            Err(format!("this node is a learner: tenure member promote {}", status.node))
        }
        Some(_) => Ok(()),
    }
}

type Pairs = Parameters<Vec<(String, String)>>;

pub(crate) async fn live(
    State(replica): State<Replica>,
    path: Uri,
    check: RawPathParams,
    Parameters(pairs): Pairs,
) -> Result<Response, Refusal> {
    report(&replica, path.path(), LIVE, &check, pairs).await
}

pub(crate) async fn ready(
    State(replica): State<Replica>,
    path: Uri,
    check: RawPathParams,
    Parameters(pairs): Pairs,
) -> Result<Response, Refusal> {
    report(&replica, path.path(), READY, &check, pairs).await
}

/// Runs the checks and tells what they found: all of it when one failed or `?verbose` asks for it, else `ok`.
async fn report(
    replica: &Replica,
    path: &str,
    checks: &'static [Check],
    only: &RawPathParams,
    pairs: Vec<(String, String)>,
) -> Result<Response, Refusal> {
    let only = only.iter().next().map(|(_, name)| name);
    let chosen: Vec<Check> =
        checks.iter().copied().filter(|check| only.is_none_or(|only| only == check.name())).collect();
    if chosen.is_empty() {
        let names: Vec<_> = checks.iter().map(|check| check.name()).collect();
        let message = format!("there is no check at {path}; there are {}", names.join(", "));
        return Err(Refusal::not_found(message, "GET /readyz?verbose"));
    }
    let wanted = Wanted::parse(pairs)?;
    let status = replica.status();
    let mut failed = false;
    let mut text = String::new();
    for check in &chosen {
        let name = check.name();
        if wanted.excludes(*check) {
            text += &format!("[+]{name} excluded: ok\n");
            continue;
        }
        match check.run(replica, &status).await {
            Ok(()) => text += &format!("[+]{name} ok\n"),
            Err(why) => {
                failed = true;
                text += &format!("[-]{name} failed: {why}\n");
            }
        }
    }
    for name in wanted.exclude.iter().filter(|name| !chosen.iter().any(|check| check.name() == *name)) {
        text += &format!("warn: there is no check {name:?} to exclude\n");
    }
    let text = match (failed, wanted.verbose) {
        (true, _) => text + &format!("{path} check failed\n"),
        (false, true) => text + &format!("{path} check passed\n"),
        (false, false) => "ok\n".into(),
    };
    let status = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    Ok((status, text).into_response())
}

/// What the parameters ask for.
#[derive(Default)]
struct Wanted {
    verbose: bool,
    exclude: Vec<String>,
}

impl Wanted {
    fn parse(pairs: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        for (name, value) in pairs {
            match name.as_str() {
                "verbose" => wanted.verbose = true,
                "exclude" => wanted.exclude.push(value),
                _ => {
                    return Err(bad(format!(
                        "there is no parameter {name:?}; there are verbose and exclude"
                    )));
                }
            }
        }
        Ok(wanted)
    }

    fn excludes(&self, check: Check) -> bool {
        self.exclude.iter().any(|name| name == check.name())
    }
}
