//! What runs only when `cargo xtask fixture` asks for it.

mod fixture;
