//! The judges, judged: histories that are right and must pass, histories that are wrong and must be caught by name,
//! and random ones, made by running random operations against a server that keeps the rules.

mod build;
mod orders;
mod random;
mod right;
mod server;
mod table;
mod wrong;
