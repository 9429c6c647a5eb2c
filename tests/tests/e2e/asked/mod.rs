//! What runs only when `cargo xtask clients`, `differential`, `soak`, `power` or `fixture` asks for it.

mod clients;
mod differential;
mod fixture;
mod holders;
mod power;
mod soak;
mod stalls;
