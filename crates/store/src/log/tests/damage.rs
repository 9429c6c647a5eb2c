//! Damage to the files: every case ends in all that was acknowledged, or in a refusal that names the place.

use super::*;
use crate::log::record::{self, Record, WriteBuffer};
use crate::log::sector::{SECTOR_BYTES, Tag};

const FIRST: &str = "wal/000000000001.seg";

/// A log with four acknowledged writes, the last of several sectors. No mark after it.
fn four_writes() -> Bench {
    let mut bench = Bench::new();
    bench.append(vec![entry(1, 1, 100)]);
    bench.vote(3).unwrap();
    bench.append(vec![entry(3, 2, 700), entry(3, 3, 20)]);
    bench.append(vec![entry(3, 4, 1_500)]);
    bench
}

/// Sectors of a file by the write that they belong to.
fn sectors(bytes: &[u8]) -> Vec<Tag> {
    bytes.chunks(SECTOR_BYTES).map(Tag::of).collect()
}

/// Sectors of the last write.
fn last_write(bytes: &[u8]) -> Vec<usize> {
    let tags = sectors(bytes);
    let number = |tag: &Tag| match tag {
        Tag::Write { number, .. } => Some(*number),
        _ => None,
    };
    let last = tags.iter().filter_map(number).max().unwrap();
    (0..tags.len()).filter(|at| number(&tags[*at]) == Some(last)).collect()
}

fn reopen(bytes: &[u8]) -> Result<Bench, Error> {
    let disk = FaultyDisk::new(1);
    disk.overwrite(FIRST, bytes);
    Bench::on(disk, options())
}

fn zero(bytes: &mut [u8], sector: usize) {
    bytes[sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES].fill(0);
}

#[test]
fn no_flipped_bit_loses_an_acknowledged_record() {
    let bench = four_writes();
    let bytes = bench.disk.bytes(FIRST).unwrap();
    // Every byte of what was written, and some of the zeros behind it.
    let end = (last_write(&bytes).last().unwrap() + 2) * SECTOR_BYTES;
    for at in 0..end {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        match reopen(&damaged) {
            Err(Error::Corrupt { file, offset, remedy, .. }) => {
                assert!(file.ends_with(FIRST) && remedy.contains("join again"));
                assert!(offset <= at as u64 + SECTOR_BYTES as u64, "byte {at} reported at {offset}");
            }
            Err(error) => panic!("byte {at}: {error}"),
            Ok(found) => panic!("byte {at} went unseen: {:?}", found.wal.log_state()),
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let bench = four_writes();
    let bytes = bench.disk.bytes(FIRST).unwrap();
    for len in (0..bytes.len()).step_by(128) {
        assert!(matches!(reopen(&bytes[..len]), Err(Error::Corrupt { .. })), "cut to {len} bytes");
    }
}

#[test]
fn any_part_of_an_unfinished_write_is_cut_and_zeroed() {
    let bench = four_writes();
    let bytes = bench.disk.bytes(FIRST).unwrap();
    let last = last_write(&bytes);
    assert!(last.len() >= 3);
    // Every proper subset of its sectors reached the disk, in any order.
    for present in 0..(1u32 << last.len()) - 1 {
        let mut torn = bytes.clone();
        for (bit, sector) in last.iter().enumerate().filter(|(bit, _)| present & (1 << bit) == 0) {
            let _ = bit;
            zero(&mut torn, *sector);
        }
        let found = reopen(&torn).unwrap();
        assert_eq!(found.wal.log_state().last, Some(id(3, 3)), "{present:b}");
        assert_eq!(found.wal.opened().cut_sectors, u64::from(present.count_ones()));
        let after = found.disk.bytes(FIRST).unwrap();
        // In its place stands the mark that covers the writes before, and nothing else.
        assert!(sectors(&after)[last[0] + 1..].iter().all(|tag| *tag == Tag::Zero));
        assert_eq!(found.crash().entries().len(), 3);
    }
}

#[test]
fn the_tail_cut_at_every_byte_leaves_the_writes_before_or_a_refusal() {
    let bench = four_writes();
    let bytes = bench.disk.bytes(FIRST).unwrap();
    let start = last_write(&bytes)[0] * SECTOR_BYTES;
    let end = start + last_write(&bytes).len() * SECTOR_BYTES;
    let (mut cut, mut refused) = (0, 0);
    for at in start..end {
        let mut torn = bytes.clone();
        torn[at..end].fill(0);
        if torn == bytes {
            // Only padding was cut: the write is whole.
            continue;
        }
        match reopen(&torn) {
            Ok(found) => {
                assert_eq!(found.wal.log_state().last, Some(id(3, 3)), "cut at {at}");
                cut += 1;
            }
            Err(Error::Corrupt { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    // Whole sectors are what power leaves behind; within one, it is damage.
    assert!(cut >= 3 && refused > 0, "cut {cut}, refused {refused}");
}

#[test]
fn after_a_mark_a_lost_sector_is_damage_and_before_it_an_unfinished_write() {
    let mut bench = four_writes();
    let unmarked = bench.disk.bytes(FIRST).unwrap();
    for _ in 0..2 {
        bench.wal.tick();
        bench.settle();
    }
    let marked = bench.disk.bytes(FIRST).unwrap();
    // A start covers what it found as well: from then on readers rely on it.
    let restarted = reopen(&unmarked).unwrap().disk.bytes(FIRST).unwrap();
    for sector in last_write(&unmarked) {
        let (mut before, mut after) = (unmarked.clone(), marked.clone());
        zero(&mut before, sector);
        zero(&mut after, sector);
        assert_eq!(reopen(&before).unwrap().entries().len(), 3);
        let mut after_start = restarted.clone();
        zero(&mut after_start, sector);
        assert!(matches!(reopen(&after_start), Err(Error::Corrupt { .. })));
        let refused = reopen(&after).err().expect("a record that was acknowledged is gone");
        assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
        // Flipped instead of lost, it is damage either way.
        for bytes in [&unmarked, &marked] {
            let mut flipped = bytes.clone();
            flipped[sector * SECTOR_BYTES + 40] ^= 4;
            assert!(matches!(reopen(&flipped), Err(Error::Corrupt { .. })));
        }
    }
}

#[test]
fn bytes_of_an_earlier_use_never_validate() {
    let mut bench = four_writes();
    let bytes = bench.disk.bytes(FIRST).unwrap();
    let end = last_write(&bytes).last().unwrap() + 1;
    // The tail of the segment holds sectors of an older log, as if a recycled one had not been zeroed.
    for from in [0, 1, 3] {
        let mut stale = bytes.clone();
        let old = bytes[from * SECTOR_BYTES..(from + 1) * SECTOR_BYTES].to_vec();
        stale[end * SECTOR_BYTES..(end + 1) * SECTOR_BYTES].copy_from_slice(&old);
        assert!(matches!(reopen(&stale), Err(Error::Corrupt { .. })));
    }
    // Even with the right number, the chain does not hold.
    let Tag::Write { number, .. } = sectors(&bytes)[end - 1] else { panic!("a written sector") };
    let mut chain = record::Chain { crc: 1, seq: 50, synced_seq: 40 };
    let mut forged = WriteBuffer::new(number + 1, &chain);
    forged.push(&Record::Append(entry(3, 5, 10)), &mut chain);
    let mut stale = bytes.clone();
    stale[end * SECTOR_BYTES..(end + 1) * SECTOR_BYTES].copy_from_slice(forged.finish());
    assert!(matches!(reopen(&stale), Err(Error::Corrupt { .. })));
    // And what recycling leaves is zero, whatever was there.
    for index in 5..200 {
        bench.append(vec![entry(3, index, 300)]);
        bench.run(async |wal| wal.purge(id(3, index)).await).unwrap();
    }
    let next = bench.disk.names().into_iter().rfind(|name| name.ends_with(".seg")).unwrap();
    let tags = sectors(&bench.disk.bytes(&next).unwrap());
    let used = tags.iter().take_while(|tag| **tag != Tag::Zero).count();
    assert!(tags[used..].iter().all(|tag| *tag == Tag::Zero));
}

#[test]
fn a_missing_segment_is_refused() {
    let mut bench = Bench::new();
    for index in 1..=60 {
        bench.append(vec![entry(1, index, 900)]);
    }
    let segments: Vec<String> =
        bench.disk.names().into_iter().filter(|name| name.ends_with(".seg")).collect();
    assert!(segments.len() >= 4);
    // All but the one that was only prepared. Losing the last filled one leaves a log that ends before its mark.
    for missing in &segments[..segments.len() - 2] {
        let disk = bench.disk.fork(1);
        disk.mount().remove(missing).unwrap();
        let refused = Bench::on(disk, options()).err().unwrap_or_else(|| panic!("{missing} was not missed"));
        assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    }
}

#[test]
fn an_entry_that_rots_on_disk_is_found_when_it_is_read() {
    let options = WalOptions { window_bytes: 0, ..options() };
    let mut bench = Bench::on(FaultyDisk::new(1), options).unwrap();
    bench.append(vec![entry(1, 1, 100), entry(1, 2, 100)]);
    assert_eq!(bench.entries().len(), 2);
    let bytes = bench.disk.bytes(FIRST).unwrap();
    let at = bytes.windows(50).position(|window| window == [2 ^ 1; 50]).unwrap();
    bench.disk.flip_bit(FIRST, at as u64 * 8);
    assert!(matches!(bench.wal.read(2, 3, 1_000), Err(Error::Corrupt { .. })));
    assert_eq!(bench.wal.read(1, 2, 1_000).unwrap().len(), 1);
}

#[test]
fn power_may_go_during_the_first_start_and_during_any_start() {
    for point in 0..40 {
        let disk = FaultyDisk::new(point);
        disk.lose_power_in(point);
        let opened = Bench::on(disk.clone(), options());
        assert!(opened.is_ok() || disk.has_lost_power());
        disk.crash();
        // And again while it recovers, over a torn write.
        let mut bench = Bench::on(disk.clone(), options()).unwrap();
        bench.append(vec![entry(1, 1, 100)]);
        disk.lose_power_in(0);
        bench.queue(vec![entry(1, 2, 3_000)]).unwrap();
        bench.settle();
        disk.crash();
        disk.lose_power_in(point % 8);
        drop(Bench::on(disk.clone(), options()));
        disk.crash();
        let bench = Bench::on(disk, options()).unwrap();
        let last = bench.wal.log_state().last.unwrap();
        assert!(last.index == 1 || last.index == 2, "point {point}: {last}");
    }
}
