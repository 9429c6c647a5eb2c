//! What runs only when `cargo xtask soak`, `power` or `fixture` asks for it.

mod fixture;
mod holders;
mod power;
mod soak;
mod stalls;
