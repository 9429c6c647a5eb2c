//! What was acknowledged is never lost: after all nodes have lost power every order is there, with all that was told of it, and
//! every switch stands as it was left.

use std::collections::{BTreeMap, BTreeSet};

use super::record::{Got, Order, Record, Said, Shown, Subject, Switch, Switched, Told, What};
use super::{Rule, Wrong};

pub(super) fn examine(record: &Record) -> Vec<Wrong> {
    let lost = |of: &str, detail: String| Wrong::new(Rule::Lost, of, detail);
    let mut wrong: Vec<Wrong> =
        record.configured_otherwise.iter().map(|found| lost("the configuration", found.clone())).collect();
    let by_client: BTreeMap<&str, &Shown> =
        record.kept.values().map(|shown| (shown.client_order_id.as_str(), shown)).collect();
    let answers = record.asked.iter().filter_map(|asked| asked.got.answer());
    for Order { shown, .. } in answers {
        match by_client.get(shown.client_order_id.as_str()) {
            Some(kept) => {
                wrong.extend(less(shown, kept).map(|detail| lost(&shown.client_order_id, detail)));
            }
            None => {
                let detail =
                    format!("acknowledged as {} at serial {}, and not listed", shown.status, shown.serial);
                wrong.push(lost(&shown.client_order_id, detail));
            }
        }
    }
    wrong.extend(cancels(record, &by_client));
    wrong.extend(reports(record, &by_client));
    if let Some(switched) = &record.switched {
        wrong.extend(switches(&record.switches, switched));
    }
    wrong
}

/// What is gone of an order that was shown.
fn less(shown: &Shown, kept: &Shown) -> Option<String> {
    if shown.authorized_serial.is_some() && shown.authorized_serial != kept.authorized_serial {
        let (then, now) = (shown.authorized_serial, kept.authorized_serial);
        return Some(format!("authorised at serial {then:?}, and listed with {now:?}"));
    }
    if shown.serial > kept.serial {
        return Some(format!("shown as of serial {}, and listed as of {}", shown.serial, kept.serial));
    }
    let signed = (shown.timestamp_ms, shown.window_ms);
    if shown.authorized_serial.is_some() && signed != (kept.timestamp_ms, kept.window_ms) {
        return Some("what is to be signed has changed".to_owned());
    }
    evidence(shown.filled, &shown.fills, kept)
}

fn evidence(filled: rust_decimal::Decimal, fills: &super::record::Fills, kept: &Shown) -> Option<String> {
    if filled > kept.filled {
        return Some(format!("{filled} of it were filled, and it is listed with {}", kept.filled));
    }
    let lost = fills.keys().find(|fill| !kept.fills.contains_key(*fill))?;
    Some(format!("its fill {} is not listed", lost.0))
}

/// A cancel that was authorised is under way until somebody said what became of it.
fn cancels(record: &Record, by_client: &BTreeMap<&str, &Shown>) -> Vec<Wrong> {
    let lost = record.cancels.iter().filter_map(|cancel| {
        let (name, serial) = (&cancel.client_order_id, cancel.got.answer()?);
        let kept = by_client.get(name.as_str())?;
        let is_refused = |told: &Told| told.client_order_id == *name && told.said.cancel_refused;
        let is_kept =
            kept.status == "PENDING_CANCEL" || kept.has_ended() || record.told.iter().any(is_refused);
        let detail = format!("its cancel of serial {serial} was acknowledged, and it is {}", kept.status);
        (!is_kept).then(|| Wrong::new(Rule::Lost, name, detail))
    });
    lost.collect()
}

fn reports(record: &Record, by_client: &BTreeMap<&str, &Shown>) -> Vec<Wrong> {
    let mut acknowledged: BTreeMap<&str, u64> = BTreeMap::new();
    for asked in &record.asked {
        if let Got::Answer { at_ns, value } = &asked.got {
            let at = acknowledged.entry(&value.shown.client_order_id).or_insert(*at_ns);
            *at = (*at).min(*at_ns);
        }
    }
    let mut wrong = Vec::new();
    for Told { client_order_id, invoked_ns, got, said } in &record.told {
        let known = acknowledged.get(client_order_id.as_str());
        if matches!(got, Got::Refused { .. }) && known.is_some_and(|at_ns| at_ns < invoked_ns) {
            let at_ms = invoked_ns / 1_000_000;
            let detail = format!("acknowledged, and unknown to a report at {at_ms} ms");
            wrong.push(Wrong::new(Rule::Lost, client_order_id, detail));
        }
        let (Some(_), Some(kept)) = (got.answer(), by_client.get(client_order_id.as_str())) else { continue };
        if let Some(lost) = unsaid(said, kept) {
            let detail = format!("{lost}; {said:?} was acknowledged, and it is {kept:?}");
            wrong.push(Wrong::new(Rule::Lost, client_order_id, detail));
        }
    }
    wrong
}

/// What of a report does not show.
fn unsaid(said: &Said, kept: &Shown) -> Option<String> {
    let status = kept.status.as_str();
    if let Some(ended) = &said.ended
        && !(kept.has_ended() && (status == ended || status == "FILLED"))
    {
        return Some(format!("its end as {ended} is lost"));
    }
    if said.cancel_done && !kept.has_ended() {
        return Some("that it was cancelled is lost".to_owned());
    }
    if said.alive && matches!(status, "INTENT" | "SUBMITTING" | "SUBMIT_UNKNOWN" | "DENIED" | "REJECTED") {
        return Some("that it was alive is lost".to_owned());
    }
    if said.not_sent && status != "DENIED" {
        return Some("that it was not sent is lost".to_owned());
    }
    if said.unknown && status == "SUBMITTING" {
        return Some("that it is unknown is lost".to_owned());
    }
    evidence(said.filled, &said.fills, kept)
}

/// As the last acknowledged switch of a kind and a subject left it, where nothing of unknown outcome may have come between.
fn switches(all: &[Switch], found: &Switched) -> Vec<Wrong> {
    let mut left: BTreeMap<(What, &Subject), (Option<What>, bool)> = BTreeMap::new();
    for Switch { what, subject, on, got, .. } in all {
        let (stands, is_certain) = left.entry((what.kind(), subject)).or_insert((None, true));
        match got {
            Got::Answer { .. } => *stands = on.then_some(*what),
            Got::Unknown => *is_certain = false,
            Got::Refused { .. } | Got::NotRun => {}
        }
    }
    let mut wrong = Vec::new();
    for ((kind, subject), (what, is_certain)) in left {
        let of_this = found.iter().filter(|(what, of)| of == subject && what.kind() == kind);
        let stands: BTreeSet<What> = of_this.map(|(what, _)| *what).collect();
        if is_certain && stands != what.into_iter().collect() {
            let detail = format!("left as {what:?}, and stands as {stands:?}");
            wrong.push(Wrong::new(Rule::Lost, format!("switch of {subject:?}"), detail));
        }
    }
    wrong
}
