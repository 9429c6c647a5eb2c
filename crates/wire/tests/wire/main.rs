//! The encoding keeps what it is given, refuses what it does not know, and stays as it is.

mod any;
mod damage;
mod format;
mod round_trips;
