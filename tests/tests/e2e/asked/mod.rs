//! What runs only when `cargo xtask clients`, `differential`, `soak`, `power`, `orders` or `fixture` asks for it.

mod clients;
mod differential;
mod fixture;
mod holders;
mod orders;
mod power;
mod soak;
mod stalls;
