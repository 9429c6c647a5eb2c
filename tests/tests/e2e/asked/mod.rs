//! What runs only when `cargo xtask soak` or `cargo xtask fixture` asks for it.

mod fixture;
mod holders;
mod stalls;
