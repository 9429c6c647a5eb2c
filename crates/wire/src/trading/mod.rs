//! Who may trade, as the log holds it: what is set ([`configuration`]), and what has been switched and counted
//! ([`record`]), and what was answered ([`answer`]).

pub mod answer;
pub mod configuration;
pub mod record;
