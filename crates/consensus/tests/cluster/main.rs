//! Whole groups of nodes in one process, under paused time.

#![allow(unreachable_pub, reason = "in a test binary `pub` says what a module offers to the others")]

mod bounds;
mod failover;
mod membership;
mod orders;
mod storage;
mod world;
