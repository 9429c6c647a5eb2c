//! How much happened: a run in which nobody traded has proven nothing.

use std::collections::BTreeMap;

use super::record::{Got, Record};

/// Orders that have to be authorised in a run, and how many of them have to enter the exchange, for it to say something. Where
/// wall clocks jump, most come there outside of their time.
const AUTHORIZED_MIN: usize = 10;
const ENTERED_MIN: usize = 1;

#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// By what they count.
    pub counts: BTreeMap<&'static str, usize>,
    /// Refusals by their reasons.
    pub refused: BTreeMap<String, usize>,
}

impl Figures {
    pub fn of(record: &Record) -> Self {
        let Record { asked, cancels, told, switches, ledger, .. } = record;
        let answered = || asked.iter().filter_map(|asked| asked.got.answer());
        let all = record.orders();
        let counts = [
            ("asked", asked.len()),
            ("unknown", asked.iter().filter(|asked| matches!(asked.got, Got::Unknown)).count()),
            ("existing", answered().filter(|order| order.existing).count()),
            ("held", answered().filter(|order| order.shown.status == "INTENT").count()),
            ("authorized", all.values().filter(|shown| shown.authorized_serial.is_some()).count()),
            ("entered", ledger.orders.len()),
            ("fills", ledger.fills.values().map(BTreeMap::len).sum()),
            ("cancels", cancels.iter().filter(|cancel| cancel.got.answer().is_some()).count()),
            ("reports", told.iter().filter(|told| told.got.answer().is_some()).count()),
            ("switches", switches.iter().filter(|switch| switch.on && switch.got.answer().is_some()).count()),
        ];
        let mut refused = BTreeMap::new();
        for asked in asked {
            let Got::Refused { reasons, .. } = &asked.got else { continue };
            for reason in reasons {
                *refused.entry(reason.clone()).or_default() += 1;
            }
        }
        Self { counts: counts.into(), refused }
    }

    pub fn says_something(&self) -> bool {
        self.counts["authorized"] >= AUTHORIZED_MIN && self.counts["entered"] >= ENTERED_MIN
    }
}
