//! Sealed history: closed orders, audit records and reports in files that never change.
//!
//! ```text
//! history/<number>.hist
//! head      magic 8 | version u32 | number u64 | chain of the file before, u128 | record count u64
//! records   length u32 | bytes                                                          (record count times)
//! trailer   chain u128: the hash of everything above
//! ```
//!
//! The bytes are a function of number, previous chain and records alone, so they are the same on every node, and a
//! file can be fetched from any of them and checked. The hash is xxh3 with 128 bits: it finds damage and mix-ups;
//! it is no defence against a forger, who would need a place in the cluster.

use crate::disk::{Disk, DiskFile, OpenMode, publish, read_all};
use crate::error::{During, Error, REMEDY_REFETCH, check_size};
use crate::limits::HISTORY_FILE_BYTES_MAX;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

const DIRECTORY: &str = "history";
const SUFFIX: &str = ".hist";
const PARTIAL: &str = ".part";
const TEMPORARY: &str = ".tmp";
const MAGIC: &[u8; 8] = b"TENUHIST";
const VERSION: u32 = 1;
const WHAT: &str = "a history file";
const HEAD_BYTES: usize = 8 + 4 + 8 + 16 + 8;
const CHAIN_BYTES: usize = 16;

/// What is known of a sealed file: enough to tell whether bytes from anywhere are the right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealedFile {
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// Size of the file.
    pub bytes: u64,
    /// Hash of the file, which holds the hash of the file before.
    pub chain: u128,
}

/// The directory of sealed files.
#[derive(Clone)]
pub struct History {
    disk: Arc<dyn Disk>,
}

impl History {
    /// Opens the directory. Partial imports stay, to be resumed.
    pub fn open(disk: Arc<dyn Disk>) -> Result<History, Error> {
        disk.create_dir(DIRECTORY).during(|| format!("making {DIRECTORY}"))?;
        Ok(History { disk })
    }

    /// The bytes of a file and what identifies them. Pure; the chain of the first file's predecessor is 0.
    pub fn encode(
        number: u64,
        previous_chain: u128,
        records: &[Bytes],
    ) -> Result<(Vec<u8>, SealedFile), Error> {
        let size = HEAD_BYTES + records.iter().map(|record| 4 + record.len()).sum::<usize>() + CHAIN_BYTES;
        check_size(WHAT, size as u64, HISTORY_FILE_BYTES_MAX as u64)?;
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&previous_chain.to_le_bytes());
        out.extend_from_slice(&(records.len() as u64).to_le_bytes());
        for record in records {
            out.extend_from_slice(&(record.len() as u32).to_le_bytes());
            out.extend_from_slice(record);
        }
        let chain = xxh3_128(&out);
        out.extend_from_slice(&chain.to_le_bytes());
        Ok((out, SealedFile { number, records: records.len() as u64, bytes: size as u64, chain }))
    }

    /// Seals records into a file, durable on return. Sealing the same again, as after a restart, finds the file there
    /// and does nothing.
    pub fn seal(&self, number: u64, previous_chain: u128, records: &[Bytes]) -> Result<SealedFile, Error> {
        let (bytes, sealed) = History::encode(number, previous_chain, records)?;
        if self.has(&sealed)? {
            return Ok(sealed);
        }
        let temporary = format!("{DIRECTORY}/{number:012}{TEMPORARY}");
        let what = || format!("writing {}", self.disk.locate(&temporary));
        let file = self.disk.open(&temporary, OpenMode::Truncate).during(what)?;
        file.write_at(&bytes, 0).during(what)?;
        file.sync().during(what)?;
        publish(&*self.disk, DIRECTORY, &temporary, &path(number))?;
        Ok(sealed)
    }

    /// The records of a file, after checking all of it.
    pub fn read(&self, sealed: &SealedFile) -> Result<Vec<Bytes>, Error> {
        let located = self.disk.locate(&path(sealed.number));
        let what = || format!("reading {located}");
        let file = self.disk.open(&path(sealed.number), OpenMode::Existing).during(what)?;
        if file.len().during(what)? != sealed.bytes {
            return Err(corrupt(&located, sealed.bytes, "the file has another length"));
        }
        let bytes = Bytes::from(read_all(&*file).during(what)?);
        decode(&located, sealed, &bytes)
    }

    /// Checks a file, every byte of it.
    pub fn verify(&self, sealed: &SealedFile) -> Result<(), Error> {
        self.read(sealed).map(drop)
    }

    /// Those of the files that are not here. A file of the right name with another chain counts as missing: an import
    /// replaces it. Reads heads and trailers only.
    pub fn missing(&self, wanted: &[SealedFile]) -> Result<Vec<SealedFile>, Error> {
        let mut missing = Vec::new();
        for sealed in wanted {
            if !self.has(sealed)? {
                missing.push(*sealed);
            }
        }
        Ok(missing)
    }

    /// A piece of a file as it stands, for a peer that imports it. Short at the end of the file.
    pub fn raw(&self, number: u64, offset: u64, bytes_max: usize) -> Result<Bytes, Error> {
        let what = || format!("reading {}", self.disk.locate(&path(number)));
        let file = self.disk.open(&path(number), OpenMode::Existing).during(what)?;
        let left = file.len().during(what)?.saturating_sub(offset);
        let mut piece = vec![0; left.min(bytes_max as u64) as usize];
        file.read_at(&mut piece, offset).during(what)?;
        Ok(piece.into())
    }

    /// Starts or resumes the import of a file.
    pub fn import(&self, sealed: SealedFile) -> Result<Import, Error> {
        check_size(WHAT, sealed.bytes, HISTORY_FILE_BYTES_MAX as u64)?;
        let partial = format!("{DIRECTORY}/{:012}-{:032x}{PARTIAL}", sealed.number, sealed.chain);
        let what = || format!("importing {}", self.disk.locate(&partial));
        let file = self.disk.open(&partial, OpenMode::Create).during(what)?;
        let offset = file.len().during(what)?.min(sealed.bytes);
        Ok(Import { history: self.clone(), sealed, partial, file, offset })
    }

    /// Does a file with this chain stand under its name? Its middle is checked when it is read.
    fn has(&self, sealed: &SealedFile) -> Result<bool, Error> {
        let path = path(sealed.number);
        let what = || format!("reading {}", self.disk.locate(&path));
        let file = match self.disk.open(&path, OpenMode::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file.during(what)?,
        };
        if file.len().during(what)? != sealed.bytes || sealed.bytes < (HEAD_BYTES + CHAIN_BYTES) as u64 {
            return Ok(false);
        }
        let mut chain = [0; CHAIN_BYTES];
        file.read_at(&mut chain, sealed.bytes - CHAIN_BYTES as u64).during(what)?;
        Ok(u128::from_le_bytes(chain) == sealed.chain)
    }
}

/// A file on its way here. Dropped unfinished, it can be resumed at [`Import::offset`], even after a restart.
pub struct Import {
    history: History,
    sealed: SealedFile,
    partial: String,
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl Import {
    /// Where the next piece belongs.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// True when all bytes are here.
    pub fn is_complete(&self) -> bool {
        self.offset == self.sealed.bytes
    }

    /// Adds the piece that begins at [`Import::offset`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        let left = self.sealed.bytes - self.offset;
        check_size("a piece of a history file", piece.len() as u64, left)?;
        let what = || format!("importing {}", self.history.disk.locate(&self.partial));
        self.file.write_at(piece, self.offset).during(what)?;
        self.offset += piece.len() as u64;
        Ok(())
    }

    /// Checks all of it and gives it its name, durably. Bytes that are not the file asked for are thrown away, and
    /// the import starts anew.
    pub fn finish(self) -> Result<SealedFile, Error> {
        let disk = &self.history.disk;
        let located = disk.locate(&self.partial);
        let what = || format!("importing {located}");
        let bytes = Bytes::from(read_all(&*self.file).during(what)?);
        if let Err(error) = decode(&located, &self.sealed, &bytes) {
            disk.remove(&self.partial).during(what)?;
            return Err(error);
        }
        self.file.sync().during(what)?;
        publish(&**disk, DIRECTORY, &self.partial, &path(self.sealed.number))?;
        Ok(self.sealed)
    }
}

fn decode(located: &str, sealed: &SealedFile, bytes: &Bytes) -> Result<Vec<Bytes>, Error> {
    if bytes.len() as u64 != sealed.bytes || bytes.len() < HEAD_BYTES + CHAIN_BYTES {
        return Err(corrupt(located, bytes.len() as u64, "the file has another length"));
    }
    let end = bytes.len() - CHAIN_BYTES;
    let mut chain = [0; CHAIN_BYTES];
    chain.copy_from_slice(&bytes[end..]);
    if xxh3_128(&bytes[..end]) != sealed.chain || u128::from_le_bytes(chain) != sealed.chain {
        return Err(corrupt(located, end as u64, "the checksum of the file does not hold"));
    }
    // The bytes are those that were hashed. They may still be of a format that this binary does not know.
    let mut version = [0; 4];
    version.copy_from_slice(&bytes[8..12]);
    if &bytes[..8] != MAGIC || u32::from_le_bytes(version) != VERSION {
        let why = "it is not a history file, or of a newer format".to_owned();
        return Err(Error::Foreign { file: located.to_owned(), why });
    }
    let mut records = Vec::new();
    let mut at = HEAD_BYTES;
    while at < end {
        let mut length = [0; 4];
        let body = at + 4;
        if body > end {
            return Err(corrupt(located, at as u64, "a record is cut off"));
        }
        length.copy_from_slice(&bytes[at..body]);
        at = body + u32::from_le_bytes(length) as usize;
        if at > end {
            return Err(corrupt(located, body as u64, "a record is cut off"));
        }
        records.push(bytes.slice(body..at));
    }
    if records.len() as u64 != sealed.records {
        return Err(corrupt(located, end as u64, "the file has another number of records"));
    }
    Ok(records)
}

fn path(number: u64) -> String {
    format!("{DIRECTORY}/{number:012}{SUFFIX}")
}

fn corrupt(file: &str, offset: u64, why: &str) -> Error {
    Error::Corrupt { file: file.to_owned(), offset, why: why.to_owned(), remedy: REMEDY_REFETCH }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faulty_disk::FaultyDisk;

    fn records() -> Vec<Bytes> {
        [&b"order 1 filled"[..], b"", b"order 2 cancelled"].map(Bytes::from_static).to_vec()
    }

    #[test]
    fn a_file_is_the_same_bytes_everywhere_and_chained() {
        let (disk, other) = (FaultyDisk::new(1), FaultyDisk::new(2));
        let here = History::open(disk.mount()).unwrap();
        let there = History::open(other.mount()).unwrap();
        let first = here.seal(1, 0, &records()).unwrap();
        let second = here.seal(2, first.chain, &records()).unwrap();
        there.seal(1, 0, &records()).unwrap();
        assert_eq!(disk.bytes(&path(1)), other.bytes(&path(1)));
        assert_eq!(here.read(&second).unwrap(), records());
        assert_eq!(here.seal(2, first.chain, &records()).unwrap(), second);
        // Another past is another chain.
        assert_ne!(History::encode(2, first.chain + 1, &records()).unwrap().1.chain, second.chain);
    }

    #[test]
    fn the_format_is_stable() {
        let (bytes, sealed) = History::encode(7, 9, &records()).unwrap();
        assert_eq!((bytes.len(), sealed.bytes, sealed.records), (103, 103, 3));
        assert_eq!(bytes[..20], *b"TENUHIST\x01\0\0\0\x07\0\0\0\0\0\0\0");
        assert_eq!(bytes[44..62], *b"\x0e\0\0\0order 1 filled");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let disk = FaultyDisk::new(1);
        let history = History::open(disk.mount()).unwrap();
        let sealed = history.seal(1, 0, &records()).unwrap();
        for bit in 0..sealed.bytes * 8 {
            disk.flip_bit(&path(1), bit);
            assert!(matches!(history.verify(&sealed), Err(Error::Corrupt { .. })), "bit {bit}");
            disk.flip_bit(&path(1), bit);
        }
        history.verify(&sealed).unwrap();
    }

    #[test]
    fn an_import_resumes_and_refuses_wrong_bytes() {
        let (disk, peer) = (FaultyDisk::new(1), FaultyDisk::new(2));
        let here = History::open(disk.mount()).unwrap();
        let there = History::open(peer.mount()).unwrap();
        let sealed = there.seal(1, 0, &records()).unwrap();
        assert_eq!(here.missing(&[sealed]).unwrap(), [sealed]);

        let mut import = here.import(sealed).unwrap();
        import.write(&there.raw(1, 0, 10).unwrap()).unwrap();
        drop(import);
        disk.kill();

        let here = History::open(disk.mount()).unwrap();
        let mut import = here.import(sealed).unwrap();
        assert_eq!(import.offset(), 10);
        import.write(&there.raw(1, 10, 1000).unwrap()).unwrap();
        assert!(import.is_complete() && import.write(b"more").is_err());
        import.finish().unwrap();
        assert_eq!(here.read(&sealed).unwrap(), records());
        assert_eq!(here.missing(&[sealed]).unwrap(), []);

        // A file that arrives damaged is thrown away whole.
        let other = History::encode(2, 0, &records()).unwrap().1;
        let mut import = here.import(other).unwrap();
        import.write(&vec![1; other.bytes as usize]).unwrap();
        assert!(import.finish().is_err());
        assert_eq!(here.import(other).unwrap().offset(), 0);
    }

    #[test]
    fn a_crash_at_any_point_of_sealing_leaves_none_or_all() {
        let sealed = History::encode(1, 0, &records()).unwrap().1;
        for point in 0..8 {
            let disk = FaultyDisk::new(point);
            disk.lose_power_in(point);
            let done = History::open(disk.mount()).and_then(|history| history.seal(1, 0, &records())).is_ok();
            disk.crash();
            let history = History::open(disk.mount()).unwrap();
            let missing = !history.missing(&[sealed]).unwrap().is_empty();
            assert!(!(done && missing), "point {point}");
            assert!(missing || history.verify(&sealed).is_ok(), "point {point}");
        }
    }
}
