//! What runs only when `cargo xtask differential`, `soak`, `power` or `fixture` asks for it.

mod differential;
mod fixture;
mod holders;
mod power;
mod soak;
mod stalls;
