//! The encoding keeps what it is given, refuses what it does not know, and stays as it is.

mod any;
mod damage;
mod damage_orders;
mod damage_trading;
mod desk;
mod format;
mod format_3;
mod long_rows;
mod round_trips;
