//! What the state takes at its limits: memory for each row, and the time for which a look at it holds up `apply`.
//!
//! `cargo run --release -p domain --example bounds -- leases 1000000` (or `counts`, `keys`), each in a process of its
//! own, because memory is read from `/proc`; `lists` tells what commands on the longest list take.

#![expect(clippy::disallowed_types, reason = "it measures time, and no node runs it")]

use std::sync::Arc;
use std::time::Instant;

use domain::limits::{ELEMENT_BYTES, KEYS_MAX, OUTCOMES_MAX, VALUE_BYTES_MAX};
use domain::{
    Action, Alteration, Command, ExpireCondition, Expiry, Key, ListChange, LogTime, Once, Position,
    RequestId, SetCondition, Side, Stamp, State,
};

/// Commands between two points of time: an entry under load.
const BATCH: usize = 500;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let kind = arguments.next().expect("leases, counts, keys or lists");
    let rows = arguments.next().and_then(|rows| rows.parse().ok()).expect("the number of rows");
    match kind.as_str() {
        "lists" => long_lists(rows),
        kind => measure(kind, rows),
    }
}

/// What a command takes on the longest list that there is, of so many.
fn long_lists(commands: usize) {
    let (mut state, key) = (State::default(), Key::new(0, b"list".as_slice()));
    let change = |change| Action::Alter { key: key.clone(), alteration: Alteration::List(change) };
    let element = |text: String| Arc::<[u8]>::from(text.into_bytes());
    let longest = VALUE_BYTES_MAX / (ELEMENT_BYTES + 4);
    let elements = vec![element("0000".into()); longest];
    let push = change(ListChange::Push { side: Side::Right, elements, if_present: false });
    let set = |number| {
        let index = (number % longest) as i64;
        change(ListChange::Set { index, element: element(format!("{:04}", number % 9999 + 1)) })
    };
    let remove = |_| change(ListChange::Remove { element: element("none".into()), count: 0 });
    let expire = |_| Action::Expire {
        key: key.clone(),
        expiry: Expiry::InMs(1 << 30),
        condition: ExpireCondition::Always,
        holder: None,
    };
    let mut index = 0;
    let mut apply = |action| {
        index += 1;
        let stamp = Some(Stamp { term: 1, time: LogTime::from_ms(index) });
        state.apply(Position { index, offset: 0, term: 1, stamp }, Command { once: None, action });
    };
    apply(push);
    let kinds: [(&str, &dyn Fn(usize) -> Action); 3] =
        [("another element", &set), ("nothing removed", &remove), ("another end", &expire)];
    for (what, make) in kinds {
        let began = Instant::now();
        (0..commands).for_each(|number| apply(make(number)));
        println!("{what}, {longest} elements: {:?} a command", began.elapsed() / commands as u32);
    }
}

fn measure(kind: &str, rows: usize) {
    let rows = rows.min(if kind == "keys" { KEYS_MAX } else { OUTCOMES_MAX });
    let mut state = State::default();
    let (resident, began) = (resident_bytes(), Instant::now());
    for number in 0..rows {
        let time = LogTime::from_ms((number / BATCH) as u64);
        let at =
            Position { index: number as u64 + 1, offset: 0, term: 1, stamp: Some(Stamp { term: 1, time }) };
        state.apply(at, command(kind, number));
    }
    let (grown, each) = (resident_bytes() - resident, began.elapsed() / rows as u32);
    println!("{kind}: {} keys, {} outcomes", state.key_count(), state.outcome_count());
    println!("  memory: {} bytes a row; apply: {each:?} a command", grown / rows);
    for _ in 0..3 {
        let began = Instant::now();
        let frozen = state.freeze();
        let held_up = began.elapsed();
        let image = frozen.image();
        println!("  frozen in {held_up:?}, laid out in {:?}", began.elapsed() - held_up);
        drop(image);
    }
    let began = Instant::now();
    let bytes: usize = state.keys().map(|(key, entry)| key.name.len() + entry.value.bytes()).sum();
    println!("  all keys, {bytes} bytes: {:?}", began.elapsed());
    let (digest, image) = (state.digest(), state.image());
    let began = Instant::now();
    State::from_image(image, digest).expect("it is its own digest");
    println!("  from an image: {:?}", began.elapsed());
}

fn command(kind: &str, number: usize) -> Command {
    let holder = format!("bot-{:08}", number % 997).into_bytes();
    let action = match kind {
        "keys" => Action::Set {
            key: Key::new(
                0,
                format!("lease/{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes(),
            ),
            value: holder.into(),
            condition: SetCondition::Always,
            expiry: Expiry::InMs(1 << 30),
            previous: false,
        },
        "leases" => Action::Acquire {
            key: Key::new(0, format!("lease/{:08}", number / 2 % 5000).into_bytes()),
            holder: holder.into(),
            ttl_ms: 1 << 30,
            take_over: true,
        },
        _ => Action::Increment { key: Key::new(0, format!("n/{}", number % 1000).into_bytes()), by: 1 },
    };
    // Three nodes at which commands enter.
    let id = RequestId::Node { incarnation: 7 * (number as u64 % 3 + 1), sequence: number as u64 / 3 };
    let once = Once { id, valid_until: LogTime::from_ms((number / BATCH) as u64 + 10_000) };
    Command { once: (kind != "keys").then_some(once), action }
}

fn resident_bytes() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    4096 * resident.expect("the second number is what is resident")
}
