//! Who this node is: a small text file, written once, that a person can read and a program will not misread.

use crate::disk::{Disk, OpenMode, publish, read_all};
use crate::error::{During, Error, REMEDY_REJOIN};
use crc32c::crc32c;
use std::fmt;
use std::io;
use std::str::FromStr;

const FILE: &str = "IDENTITY";
const TEMPORARY: &str = "IDENTITY.tmp";
const TITLE: &str = "tenure node identity";

/// Format of the data directory that this binary writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// The node that a data directory belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Never used again by another node.
    pub node_id: u64,
    pub cluster_id: [u8; 16],
    /// Drawn when the directory is made: tells two directories of one node id apart.
    pub incarnation: [u8; 16],
}

impl Identity {
    /// Reads the identity; `None` in a directory that has none yet. One that is found is durable: a start builds upon
    /// it, and whoever gave it its name may have failed to sync that.
    pub fn open(disk: &dyn Disk) -> Result<Option<Identity>, Error> {
        let Some(found) = read(disk)? else { return Ok(None) };
        disk.sync_dir("").during(|| format!("syncing the directory of {}", disk.locate(FILE)))?;
        Ok(Some(found))
    }

    /// Writes the identity of a new directory, durably. One of the same node and cluster is written again, for the
    /// attempt before may have failed when the file had its name already. Refused if the directory is of another: that
    /// never changes.
    pub fn create(&self, disk: &dyn Disk) -> Result<(), Error> {
        let located = disk.locate(FILE);
        if let Some(found) = read(disk)?
            && (found.node_id, found.cluster_id) != (self.node_id, self.cluster_id)
        {
            let why = format!("it is of node {} of cluster {}", found.node_id, Hex(found.cluster_id));
            return Err(Error::Foreign { file: located, why });
        }
        let what = || format!("writing {located}");
        let file = disk.open(TEMPORARY, OpenMode::Truncate).during(what)?;
        file.write_at(self.to_text().as_bytes(), 0).during(what)?;
        file.sync().during(what)?;
        publish(disk, "", TEMPORARY, FILE)
    }

    fn to_text(self) -> String {
        let text = format!(
            "{TITLE}\nformat {FORMAT_VERSION}\nnode {}\ncluster {}\nincarnation {}\n",
            self.node_id,
            Hex(self.cluster_id),
            Hex(self.incarnation)
        );
        format!("{text}crc {:08x}\n", crc32c(text.as_bytes()))
    }
}

fn read(disk: &dyn Disk) -> Result<Option<Identity>, Error> {
    let located = disk.locate(FILE);
    let file = match disk.open(FILE, OpenMode::Existing) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.during(|| format!("opening {located}"))?,
    };
    let bytes = read_all(&*file).during(|| format!("reading {located}"))?;
    parse(&bytes).map(Some).map_err(|(offset, fault)| match fault {
        Fault::Foreign(why) => Error::Foreign { file: located, why },
        Fault::Damaged(why) => Error::Corrupt { file: located, offset, why, remedy: REMEDY_REJOIN },
    })
}

enum Fault {
    Foreign(String),
    Damaged(String),
}

/// Reads the text, or says where it is wrong and how.
fn parse(bytes: &[u8]) -> Result<Identity, (u64, Fault)> {
    let damaged = |offset: usize, why: &str| (offset as u64, Fault::Damaged(why.to_owned()));
    if !bytes.starts_with(TITLE.as_bytes()) {
        return Err((0, Fault::Foreign("it is not the identity file of a node".to_owned())));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| damaged(error.valid_up_to(), "it is not text"))?;
    let crc_at = text.rfind("crc ").ok_or_else(|| damaged(bytes.len(), "it has no checksum"))?;
    let (body, crc) = text.split_at(crc_at);
    if crc != format!("crc {:08x}\n", crc32c(body.as_bytes())) {
        return Err(damaged(crc_at, "its checksum does not hold"));
    }
    let mut lines = body.lines().skip(1);
    let format: u32 = field(&mut lines, "format").ok_or_else(|| damaged(0, "it has no format"))?;
    if format != FORMAT_VERSION {
        let why = format!(
            "its format is {format}, this binary reads {FORMAT_VERSION}: use the binary that made it"
        );
        return Err((0, Fault::Foreign(why)));
    }
    let identity = (|| {
        Some(Identity {
            node_id: field(&mut lines, "node")?,
            cluster_id: field::<Hex>(&mut lines, "cluster")?.0,
            incarnation: field::<Hex>(&mut lines, "incarnation")?.0,
        })
    })();
    identity.ok_or_else(|| damaged(0, "a line is missing or malformed"))
}

fn field<T: FromStr>(lines: &mut std::iter::Skip<std::str::Lines<'_>>, name: &str) -> Option<T> {
    lines.next()?.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
}

/// Sixteen bytes as 32 digits.
struct Hex([u8; 16]);

impl fmt::Display for Hex {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for Hex {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_hex = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).map_err(drop)?;
        if is_hex { Ok(Hex(number.to_be_bytes())) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty_disk::FaultyDisk;

    const ALICE: Identity = Identity { node_id: 3, cluster_id: [7; 16], incarnation: [0xab; 16] };

    #[test]
    fn it_is_written_once_and_read_back() {
        let disk = FaultyDisk::new(1).mount();
        assert_eq!(Identity::open(&*disk).unwrap(), None);
        ALICE.create(&*disk).unwrap();
        assert_eq!(Identity::open(&*disk).unwrap(), Some(ALICE));
        for other in [Identity { node_id: 4, ..ALICE }, Identity { cluster_id: [8; 16], ..ALICE }] {
            let refused = other.create(&*disk).unwrap_err();
            assert!(matches!(refused, Error::Foreign { .. }), "{refused}");
        }
        assert_eq!(Identity::open(&*disk).unwrap(), Some(ALICE));
    }

    #[test]
    fn what_failed_when_it_had_its_name_already_can_be_done_again() {
        for seed in 0..8 {
            let disk = named_but_not_durably(seed);
            let again = Identity { incarnation: [0xcd; 16], ..ALICE };
            again.create(&*disk.mount()).unwrap();
            disk.crash();
            assert_eq!(Identity::open(&*disk.mount()).unwrap(), Some(again), "seed {seed}");
        }
    }

    #[test]
    fn what_a_start_has_found_is_not_lost_with_the_power() {
        for seed in 0..8 {
            let disk = named_but_not_durably(seed);
            disk.kill();
            assert_eq!(Identity::open(&*disk.mount()).unwrap(), Some(ALICE));
            disk.crash();
            assert_eq!(Identity::open(&*disk.mount()).unwrap(), Some(ALICE), "seed {seed}");
        }
    }

    /// The sync of the file went well, that of its directory did not.
    fn named_but_not_durably(seed: u64) -> FaultyDisk {
        let disk = FaultyDisk::new(seed);
        disk.fail_sync_in(1);
        ALICE.create(&*disk.mount()).unwrap_err();
        disk
    }

    #[test]
    fn damage_and_foreign_files_are_refused() {
        let disk = FaultyDisk::new(1);
        ALICE.create(&*disk.mount()).unwrap();
        for bit in 0..ALICE.to_text().len() as u64 * 8 {
            disk.flip_bit(FILE, bit);
            let refused = Identity::open(&*disk.mount()).unwrap_err();
            assert!(matches!(refused, Error::Corrupt { .. } | Error::Foreign { .. }), "bit {bit}");
            disk.flip_bit(FILE, bit);
        }
        let newer = ALICE.to_text().replace("format 1", "format 2");
        let body = &newer[..newer.rfind("crc").unwrap()];
        disk.overwrite(FILE, format!("{body}crc {:08x}\n", crc32c(body.as_bytes())).as_bytes());
        let refused = Identity::open(&*disk.mount()).unwrap_err().to_string();
        assert!(refused.contains("format is 2"), "{refused}");
    }

    #[test]
    fn a_crash_at_any_point_leaves_none_or_all_of_it() {
        for point in 0..8 {
            let disk = FaultyDisk::new(point);
            disk.lose_power_in(point);
            let created = ALICE.create(&*disk.mount()).is_ok();
            disk.crash();
            let found = Identity::open(&*disk.mount()).unwrap();
            assert!(found == Some(ALICE) || (found.is_none() && !created), "point {point}");
        }
    }
}
