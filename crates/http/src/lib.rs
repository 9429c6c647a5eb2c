//! Health, metrics, and the services for clients as JSON: for load balancers, Prometheus, curl and bots without stubs.
//!
//! The services are those behind the traits of `wire`, handed in: what a lease is and why one is refused is decided
//! there, once. This crate turns JSON into their requests and their answers into JSON with a fitting status.
//!
//! In reading order:
//! * [`limits`]: every limit and why;
//! * `server`: connections; `router`: what each path leads to, and what every answer carries;
//! * `health` (`/livez`, `/readyz`), `office` (`/leader`, `/active`), `status`, `lease`, `order`, `config`;
//! * `input`, `reply` and `refusal`: what comes in, what goes out, and how a bad request is answered;
//! * `metrics`: counts of this crate.
//!
//! Architecture invariant: no answer here says "leads" or "active" without a quorum round made for that request, and
//! `/livez` never asks for one. There are no cookies and no CORS headers: no web page of another origin reads an answer
//! or posts JSON.

mod config;
mod health;
mod input;
mod lease;
pub mod limits;
mod metrics;
mod office;
pub mod order;
mod refusal;
mod reply;
mod router;
mod server;
mod status;

pub use config::{Applied, Desk, Shown, switch};
pub use metrics::{Metrics, StatusClass};
pub use server::{Options, serve};
