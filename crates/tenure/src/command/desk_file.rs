//! The file of a desk: who may trade, as TOML. What is wrong in it is told with its line.

use std::io::{self, Read};
use std::path::Path;

use api::Reason;
use domain::trading::Revision;
use http::{Desk, Shown};
use toml::de::{DeTable, DeValue};
use wire::v1;

use crate::failure::{Exit, Failure};

/// Every key, explained; and what works with the exchange of `tenure dev`.
pub const EXAMPLE: &str = include_str!("../../../../cluster/desk.toml");

const NEXT: &str = "tenure config schema";

/// The kinds of venues that there is anything for. The log takes others: a desk may be set before what speaks to a venue is installed.
const KINDS: [&str; 1] = ["binance-spot"];

/// How what is shown begins.
const REVISION: &str = "# revision ";

pub struct DeskFile {
    name: String,
    text: String,
    pub desk: Desk,
}

impl DeskFile {
    /// `-`: standard input.
    pub fn read(file: &Path) -> Result<Self, Failure> {
        let (name, text) = if file == Path::new("-") {
            let mut text = String::new();
            let read = io::stdin().read_to_string(&mut text);
            ("standard input".to_owned(), read.map(|_| text))
        } else {
            (file.display().to_string(), std::fs::read_to_string(file))
        };
        let text = text.map_err(|error| wrong(format!("{name}: it cannot be read: {error}")))?;
        let desk = toml::from_str(&text)
            .map_err(|error| wrong(format!("{name}: {}", error.to_string().trim_end())))?;
        Ok(Self { name, text, desk })
    }

    /// What it was made from, if its first line says so, as that of `tenure config show` does.
    pub fn revision(&self) -> Option<Revision> {
        self.text.lines().next()?.strip_prefix(REVISION)?.trim().parse().ok()
    }

    /// What it was made from stands no more.
    pub fn outdated(&self) -> Failure {
        let message = format!(
            "{}:1: another configuration stands than the one that this was made from, and nothing was set; take over what \
             somebody has changed since, or take this line out to set the file whatever stands",
            self.name
        );
        Failure::new(Exit::Conflict, Reason::StaleRevision.name(), message, "tenure config show")
    }

    /// What may be set, and is probably a slip of the hand.
    pub fn warnings(&self) -> Vec<String> {
        let desk: v1::Configuration = self.desk.clone().into();
        let unknown = desk.venues.iter().filter(|venue| !KINDS.contains(&&*venue.kind));
        let warning = |venue: &v1::Venue| {
            let known = KINDS.join(", ");
            let kind = &venue.kind;
            self.located(&format!(
                "venues.{}.kind: nothing here speaks to {kind:?}; known: {known}",
                venue.id
            ))
        };
        unknown.map(warning).collect()
    }

    /// What a service found wrong, each with the line that it is about.
    pub fn wrong(&self, problems: &[String]) -> Failure {
        wrong(problems.iter().map(|problem| self.located(problem)).collect::<Vec<_>>().join("\n"))
    }

    fn located(&self, problem: &str) -> String {
        match line_of(&self.text, problem) {
            Some(line) => format!("{}:{line}: {problem}", self.name),
            None => format!("{}: {problem}", self.name),
        }
    }
}

fn wrong(message: String) -> Failure {
    Failure::new(Exit::Usage, "INVALID", message, NEXT)
}

/// As [`DeskFile::read`] takes it.
pub fn render(shown: &Shown) -> String {
    let desk = toml::to_string(&shown.configuration).expect("strings, numbers and tables of them");
    format!("{REVISION}{}\n{desk}", shown.revision)
}

/// Where the file says what a problem such as `venues.sim.symbols.BTCUSDT.tick: must be above zero` is about, or else the record
/// that does not say it. Lines count from 1.
fn line_of(text: &str, problem: &str) -> Option<usize> {
    let (mut path, _) = problem.split_once(": ")?;
    let root = DeTable::parse(text).ok()?.into_inner();
    let (mut table, mut found) = (&root, None);
    loop {
        // A name may hold points itself.
        let keys = table.iter().filter(|(key, _)| begins_with(path, key.get_ref()));
        let Some((key, value)) = keys.max_by_key(|(key, _)| key.get_ref().len()) else { break };
        found = Some(key.span().start);
        path = path[key.get_ref().len()..].trim_start_matches('.');
        match value.get_ref() {
            DeValue::Table(inner) if !path.is_empty() => table = inner,
            _ => break,
        }
    }
    found.map(|start| 1 + text[..start].matches('\n').count())
}

fn begins_with(path: &str, key: &str) -> bool {
    path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_problem_has_the_line_of_what_it_is_about() {
        let text = "[venues.sim]\nkind = \"x\"\n[venues.sim.symbols.\"B.T\"]\ntick = \"0\"\n\n[accounts.\"a.b\"]\n\
                    limits.message_rate = { count = 1, per_ms = 2 }\n[strategies]\n";
        for (problem, line) in [
            ("venues.sim.symbols.B.T.tick: must be above zero", Some(4)),
            ("venues.sim.symbols.B.T.step: missing", Some(3)),
            ("venues.sim: there is another one of this name", Some(1)),
            ("accounts.a.b.limits.message_rate.count: must be from 2 to 3", Some(7)),
            ("accounts.a.b.venue: there is no venue x", Some(6)),
            ("strategies.mm.accounts: it may trade on no account", Some(8)),
            ("day_offset_minutes: must be from 1 to 2", None),
            ("and 3 more", None),
        ] {
            assert_eq!(line_of(text, problem), line, "{problem}");
        }
    }

    #[test]
    fn a_kind_that_nothing_speaks_to_is_warned_of() {
        let file = |text: &str| DeskFile {
            name: "desk.toml".into(),
            text: text.into(),
            desk: toml::from_str(text).unwrap(),
        };
        assert_eq!(file(EXAMPLE).warnings(), Vec::<String>::new());
        let slip =
            "day_offset_minutes = 0\naccounts = {}\nstrategies = {}\n[venues.sim]\nkind = \"binance-sopt\"\n";
        let [warning] = &file(slip).warnings()[..] else { panic!("one") };
        assert!(warning.starts_with("desk.toml:5: venues.sim.kind: nothing here speaks to"), "{warning}");
    }

    fn keys(value: &toml::Value, all: &mut BTreeSet<String>) {
        if let toml::Value::Table(table) = value {
            for (key, value) in table {
                all.insert(key.clone());
                keys(value, all);
            }
        }
    }

    /// With every `# key = …` taken in.
    fn uncommented() -> String {
        let line = |line: &str| {
            let bare = line.strip_prefix("# ").unwrap_or(line);
            let is_setting = bare.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
            format!("{}\n", if is_setting || bare.starts_with('[') { bare } else { line })
        };
        EXAMPLE.lines().map(line).collect()
    }

    #[test]
    fn the_example_has_every_key() {
        let whole = uncommented();
        let desk: Desk = toml::from_str(&whole).unwrap_or_else(|error| panic!("{error}"));
        let mut found = BTreeSet::new();
        keys(&toml::Value::try_from(&desk).unwrap(), &mut found);
        for key in [
            "day_offset_minutes",
            "kind",
            "base",
            "quote",
            "tick",
            "step",
            "quantity_min",
            "quantity_max",
            "notional_min",
            "order_types",
            "reference_price",
            "contract_size",
            "venue",
            "mode",
            "lease",
            "window_ms",
            "trust_bot_reports",
            "reconciliation",
            "limits",
            "symbol_limits",
            "accounts",
            "symbols",
            "price_collar_bps",
            "notional_max",
            "position_max",
            "open_orders_max",
            "message_rate",
            "count",
            "per_ms",
            "daily_notional_max",
            "duplicate_window_ms",
        ] {
            assert!(found.contains(key), "{key}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for text in
            [EXAMPLE, &uncommented(), "day_offset_minutes = 0\nvenues = {}\naccounts = {}\nstrategies = {}\n"]
        {
            let configuration: Desk = toml::from_str(text).unwrap();
            let revision = Revision(7).to_string();
            let shown = render(&Shown { revision, configuration: configuration.clone() });
            assert_eq!(toml::from_str::<Desk>(&shown).unwrap(), configuration, "{shown}");
            let file = |text| DeskFile { name: "desk.toml".into(), text, desk: configuration.clone() };
            assert_eq!(file(shown).revision(), Some(Revision(7)));
            assert_eq!(file(text.to_owned()).revision(), None);
        }
    }

    /// The filters that the simulated exchange announces.
    #[test]
    fn the_example_is_that_of_the_exchange() {
        let desk: toml::Table = toml::from_str(EXAMPLE).unwrap();
        assert!(desk["accounts"].get(venue_sim::identity::ACCOUNT).is_some());
        let symbols = desk["venues"]["sim"]["symbols"].as_table().unwrap();
        let listed = venue_sim::Options::default().spot.symbols;
        assert_eq!(symbols.len(), listed.len());
        for symbol in listed {
            let is = |key: &str, number: String| {
                assert_eq!(symbols[&symbol.name][key].as_str(), Some(&*number), "{key}")
            };
            is("base", symbol.base.clone());
            is("quote", symbol.quote.clone());
            is("tick", symbol.price.step.to_string());
            is("step", symbol.lot.step.to_string());
            is("quantity_min", symbol.lot.min.to_string());
            is("quantity_max", symbol.lot.max.to_string());
            is("notional_min", symbol.notional_min.to_string());
            is("reference_price", symbol.opening_price.to_string());
        }
    }
}
