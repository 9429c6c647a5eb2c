//! Whether serials, log indices, tokens and real time agree, over all operations that tell a serial.
//!
//! Each write has a serial of its own; whoever began after another had returned comes later in the log; the index never
//! runs against the serial; a token is made of the serial of its grant.

use super::history::{History, Operation, Outcome, Reply, serial_of_token};
use super::verdict::{Rule, Violation};

/// Examines all operations together: serials count all commands, whatever their key.
pub(crate) fn examine(history: &History, violations: &mut Vec<Violation>) {
    let operations = &history.operations;
    let witnesses: Vec<usize> =
        (0..operations.len()).filter(|place| operations[*place].serial().is_some()).collect();
    let mut broken = places_in_the_log(operations, witnesses.clone());
    broken.extend(times(operations, witnesses));
    broken.extend(tokens(operations));
    for (rule, places, detail) in broken {
        let key = &operations[places[0]].key;
        violations.push(Violation::new(rule, history, key, &places, detail));
    }
}

type Broken = (Rule, Vec<usize>, String);

fn places_in_the_log(operations: &[Operation], mut witnesses: Vec<usize>) -> Vec<Broken> {
    let mut broken = Vec::new();
    // A read at a serial has seen the write there.
    witnesses.sort_by_key(|place| (operations[*place].serial(), operations[*place].call.is_read()));
    let mut last_write: Option<(u64, usize)> = None;
    let mut index_written: Option<(u64, usize)> = None;
    let mut index_read: Option<(u64, usize)> = None;
    for place in witnesses {
        let operation = &operations[place];
        let Outcome::Returned { index, serial: Some(serial), .. } = operation.outcome else { continue };
        if operation.call.is_read() {
            index_read = index_read.max(index.map(|index| (index, place)));
            continue;
        }
        if let Some((_, other)) = last_write.filter(|(before, _)| *before == serial) {
            broken.push((Rule::SerialTwice, vec![other, place], format!("both are serial {serial}")));
        }
        last_write = Some((serial, place));
        let Some(index) = index else { continue };
        // One entry holds many commands, but a read has seen the whole of every entry up to its index.
        let written = index_written.filter(|(before, _)| *before > index);
        if let Some((before, other)) = written.or(index_read.filter(|(before, _)| *before >= index)) {
            let detail = format!("serial {serial} has index {index}, an earlier one has or saw {before}");
            broken.push((Rule::IndexAgainstSerial, vec![other, place], detail));
        }
        index_written = index_written.max(Some((index, place)));
    }
    broken
}

fn times(operations: &[Operation], mut by_call: Vec<usize>) -> Vec<Broken> {
    let mut broken = Vec::new();
    let mut by_return = by_call.clone();
    by_call.sort_by_key(|place| operations[*place].invoked_ns);
    by_return.sort_by_key(|place| operations[*place].returned_ns());
    let mut over = by_return.into_iter().peekable();
    let mut newest: Option<(u64, usize)> = None;
    for place in by_call {
        let operation = &operations[place];
        while let Some(other) = over.next_if(|other| operations[*other].precedes(operation)) {
            newest = newest.max(operations[other].serial().map(|serial| (serial, other)));
        }
        let (Some((seen, other)), Some(serial)) = (newest, operation.serial()) else { continue };
        if serial < seen || (serial == seen && !operation.call.is_read()) {
            let key = &operations[other].key;
            let detail = format!("serial {serial} after {seen} had been returned, on key {key}");
            broken.push((Rule::OrderAgainstTime, vec![place, other], detail));
        }
    }
    broken
}

fn tokens(operations: &[Operation]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (place, operation) in operations.iter().enumerate() {
        if let (Some(Reply::Acquired(lease)), Some(serial)) = (operation.reply(), operation.serial())
            && serial_of_token(lease.token) != serial
        {
            let detail = format!("token {} is of serial {}", lease.token, serial_of_token(lease.token));
            broken.push((Rule::TokenNotOfSerial, vec![place], detail));
        }
    }
    broken
}
