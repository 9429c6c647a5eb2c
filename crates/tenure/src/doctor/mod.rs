//! `tenure redis doctor`: says of any server that speaks the Redis protocol which clients and lock libraries work with it.
//!
//! A catalogue has what each library sends when it connects and when it takes, extends and gives back a lock, with the
//! answers that it needs. All of it is asked, on connections like the library's own, under names of this run alone that are
//! deleted afterwards. It changes nothing else, and never asks for what could: whether `FLUSHALL` is allowed is read from
//! what the server says of itself.
//!
//! Read in this order: [`catalogue`] (what is asked), [`resp`] (bytes), [`examination`] (one library), [`server`] (what
//! the server says of itself), [`report`].

mod catalogue;
mod examination;
mod report;
mod resp;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;

use self::catalogue::Library;
use self::report::{Endpoint, Report};
use self::resp::{Login, Trouble};
use crate::failure::{Exit, Failure};
use crate::output::Format;

/// Time for a connection, and for one answer: a request of the catalogue waits one second at most.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What `tenure redis doctor` is given.
#[derive(Args, Debug)]
pub struct Doctor {
    /// The server; several to see whether they are one.
    #[arg(required = true, value_name = "HOST:PORT")]
    servers: Vec<String>,
    /// Only libraries whose name holds one of these words (`redis-py,redlock`).
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// For AUTH with two arguments.
    #[arg(long, env = "TENURE_REDIS_USER")]
    user: Option<String>,
    /// A file whose first line is the password.
    #[arg(long, env = "TENURE_REDIS_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
}

/// Exit code 0: everything asked works. 1: something does not, and the report says what. 4: the password is wrong or missing.
/// 5: the server cannot be reached.
pub async fn run(doctor: Doctor, format: Format) -> Result<()> {
    let libraries = chosen(&doctor.only)?;
    let login = Login { user: doctor.user.clone(), password: password(&doctor)? };
    let mut endpoints = Vec::new();
    for address in &doctor.servers {
        endpoints.push(look(address, &login, &libraries).await?);
    }
    let mut warnings: Vec<_> =
        endpoints.iter_mut().flat_map(|endpoint| endpoint.warnings.drain(..)).collect();
    warnings.extend(server::one_and_the_same(&doctor.servers, &login).await?);
    let report = Report::new(endpoints, warnings);
    format.one(&report, Report::table)?;
    if report.works {
        return Ok(());
    }
    let next = "tenure redis doctor HOST:PORT -o json, which has each request and answer";
    let message = "not everything that was asked works with this server";
    Err(Failure::new(Exit::Error, "INCOMPATIBLE", message, next).into())
}

fn chosen(only: &[String]) -> Result<Vec<Library>, Failure> {
    let wanted = |name: &str| {
        let name = name.to_lowercase();
        only.is_empty() || only.iter().any(|word| name.contains(&word.to_lowercase()))
    };
    let chosen: Vec<_> = catalogue::all().into_iter().filter(|library| wanted(library.name)).collect();
    if chosen.is_empty() {
        return Err(Failure::usage(format!("no library of the catalogue is called like {only:?}")));
    }
    Ok(chosen)
}

fn password(doctor: &Doctor) -> Result<Option<String>> {
    let Some(file) = &doctor.password_file else { return Ok(None) };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

async fn look(address: &str, login: &Login, libraries: &[Library]) -> Result<Endpoint, Failure> {
    let failed = |trouble| unreachable(address, trouble);
    let (server, mut warnings) = server::look(address, login).await.map_err(failed)?;
    let mut findings = Vec::new();
    // A Sentinel has no keys to lock; it has been told.
    if server.mode != "sentinel" {
        for library in libraries {
            findings.push(examination::examine(address, login, library).await.map_err(failed)?);
        }
    }
    warnings.extend(server::flush_warning(address, login, &server).await.map_err(failed)?);
    Ok(Endpoint { server, findings, warnings })
}

fn unreachable(address: &str, trouble: Trouble) -> Failure {
    let next = "tenure redis doctor HOST:PORT [--user NAME] --password-file FILE";
    match trouble {
        Trouble::Io(error) => {
            let message = format!("{address}: {error}");
            Failure::new(Exit::NoQuorum, "UNREACHABLE", message, "check the address and that the server runs")
        }
        Trouble::NotPermitted(said) => {
            Failure::new(Exit::NotPermitted, "NOT_PERMITTED", format!("{address}: {said}"), next)
        }
    }
}
