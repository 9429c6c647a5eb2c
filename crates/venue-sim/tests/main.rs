//! What the simulated exchange does: as scripts that a trader can read, for random orders, behind its doors, and over
//! connections.

mod client;
mod doors;
mod examples;
mod faults;
mod futures;
mod properties;
mod scripts;
mod serving;
mod sessions;
mod sockets;
mod wild;
