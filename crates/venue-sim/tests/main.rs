//! What the simulated exchange does: as scripts that a trader can read, and for random orders.

mod properties;
mod scripts;
