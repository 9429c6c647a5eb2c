//! Sealed history: closed orders, audit records and reports in files that never change.
//!
//! ```text
//! history/<number>.hist
//! head      magic 8 | version u32 | number u64 | chain u128 | record count u64
//! records   length u32 | bytes                                                          (record count times)
//! trailer   checksum u128: the hash of everything above
//! ```
//!
//! Two hashes, for two questions. The *chain* is the caller's: it covers the records of this file and of all before,
//! stands in what the log decided, and says which file it is. The *checksum* is of the bytes, and says whether they
//! are still those that were written. The bytes are a function of number, chain and records alone, so they are the
//! same on every node, and a file can be fetched from any of them: who asks knows the chain, and checks the records
//! against it. The checksum is xxh3 with 128 bits: it finds damage and mix-ups; it is no defence against a forger,
//! who would need a place in the cluster.

use crate::disk::{Disk, DiskFile, OpenMode, publish, read_all};
use crate::error::{During, Error, REMEDY_REFETCH, check_size};
use crate::limits::HISTORY_FILE_BYTES_MAX;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

const DIRECTORY: &str = "history";
const SUFFIX: &str = ".hist";
const PARTIAL: &str = ".part";
const TEMPORARY: &str = ".tmp";
const MAGIC: &[u8; 8] = b"TENUHIST";
const VERSION: u32 = 1;
const WHAT: &str = "a history file";
const HEAD_BYTES: usize = 8 + 4 + 8 + 16 + 8;
const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 16;

/// What the log decided about a sealed file: enough to tell whether bytes from anywhere are the right ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealedFile {
    pub number: u64,
    /// Records in it.
    pub records: u64,
    /// The caller's hash of its records and of all before.
    pub chain: u128,
}

/// Where a record of a sealed file stands, and how to tell that it is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Number of the file.
    pub file: u64,
    /// Number of the record in it, from 0.
    pub record: u32,
    /// Of its first byte in the file, behind its length.
    pub offset: u64,
    /// Its length.
    pub bytes: u32,
    /// xxh3 of its bytes, with 64 bits.
    pub checksum: u64,
}

/// The directory of sealed files.
#[derive(Clone)]
pub struct History {
    disk: Arc<dyn Disk>,
}

impl History {
    /// Opens the directory. Partial imports stay, to be resumed.
    pub fn open(disk: Arc<dyn Disk>) -> Result<History, Error> {
        disk.open_dir(DIRECTORY).during(|| format!("opening the directory {DIRECTORY}"))?;
        Ok(History { disk })
    }

    /// The bytes of a file. Pure.
    pub fn encode(number: u64, chain: u128, records: &[Bytes]) -> Result<Vec<u8>, Error> {
        let body_bytes = records.iter().map(|record| LENGTH_BYTES + record.len()).sum::<usize>();
        let size = HEAD_BYTES + body_bytes + CHECKSUM_BYTES;
        check_size(WHAT, size as u64, HISTORY_FILE_BYTES_MAX as u64)?;
        let mut out = Vec::with_capacity(size);
        out.extend_from_slice(&head(&SealedFile { number, records: records.len() as u64, chain }));
        for record in records {
            out.extend_from_slice(&(record.len() as u32).to_le_bytes());
            out.extend_from_slice(record);
        }
        let checksum = xxh3_128(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        Ok(out)
    }

    /// Seals records into a file, durable on return. Sealing the same again, as after a restart, finds the file there
    /// and does nothing.
    pub fn seal(&self, number: u64, chain: u128, records: &[Bytes]) -> Result<SealedFile, Error> {
        let sealed = SealedFile { number, records: records.len() as u64, chain };
        if self.has(&sealed)? {
            return Ok(sealed);
        }
        let bytes = History::encode(number, chain, records)?;
        let temporary = format!("{DIRECTORY}/{number:012}{TEMPORARY}");
        let what = || format!("writing {}", self.disk.locate(&temporary));
        let file = self.disk.open(&temporary, OpenMode::Truncate).during(what)?;
        file.write_at(&bytes, 0).during(what)?;
        file.sync().during(what)?;
        publish(&*self.disk, DIRECTORY, &temporary, &path(number))?;
        Ok(sealed)
    }

    /// The records of a file, after checking all of it but that they give its chain, which the caller can tell.
    pub fn read(&self, sealed: &SealedFile) -> Result<Vec<Bytes>, Error> {
        let located = self.disk.locate(&path(sealed.number));
        let what = || format!("reading {located}");
        let file = self.disk.open(&path(sealed.number), OpenMode::Existing).during(what)?;
        let bytes = Bytes::from(read_all(&*file).during(what)?);
        decode(&located, sealed, &bytes)
    }

    /// The places of the records of a file: where [`History::encode`] puts them. Pure.
    pub fn places(number: u64, records: &[Bytes]) -> impl Iterator<Item = Place> {
        let mut offset = HEAD_BYTES as u64;
        records.iter().zip(0..).map(move |(bytes, record)| {
            let begin = offset + LENGTH_BYTES as u64;
            offset = begin + bytes.len() as u64;
            let (checksum, bytes) = (xxh3_64(bytes), bytes.len() as u32);
            Place { file: number, record, offset: begin, bytes, checksum }
        })
    }

    /// One record, from its place in `sealed`; nothing else of the file is read. Where another stands there the whole
    /// file is checked: [`Error::Corrupt`] if it is damaged, and [`Error::Unfit`] if it is sound, and whoever gave the
    /// place is wrong.
    pub fn read_record(&self, sealed: &SealedFile, place: &Place) -> Result<Bytes, Error> {
        assert_eq!(place.file, sealed.number, "a place is looked up in its own file");
        let located = self.disk.locate(&path(place.file));
        let file = self.disk.open(&path(place.file), OpenMode::Existing);
        let file = file.during(|| format!("opening {located}"))?;
        if let Some(record) = record_at(&*file, place).during(|| format!("reading {located}"))? {
            return Ok(record);
        }
        let whole = self.read(sealed).map_err(|error| match error {
            // The checksum of the file covers all of it and does not say where it is damaged; this record does.
            Error::Corrupt { file, why, remedy, .. } => {
                let why = format!("record {} is not what was sealed there, and {why}", place.record);
                Error::Corrupt { file, offset: place.offset, why, remedy }
            }
            error => error,
        })?;
        let why =
            format!("{located} is sound, and has {} records; none of them is at {place:?}", whole.len());
        Err(Error::Unfit { why })
    }

    /// Checks a file, every byte of it.
    pub fn verify(&self, sealed: &SealedFile) -> Result<(), Error> {
        self.read(sealed).map(drop)
    }

    /// Those of the files that are not here. A file of the right name with another chain counts as missing: an import
    /// replaces it. Reads heads only.
    pub fn missing(&self, wanted: &[SealedFile]) -> Result<Vec<SealedFile>, Error> {
        let mut missing = Vec::new();
        for sealed in wanted {
            if !self.has(sealed)? {
                missing.push(*sealed);
            }
        }
        Ok(missing)
    }

    /// A piece of a file as it stands, for a peer that imports it. Short at the end of the file, and empty behind it;
    /// `None` if the file is not here.
    pub fn raw(&self, number: u64, offset: u64, bytes_max: usize) -> Result<Option<Bytes>, Error> {
        let what = || format!("reading {}", self.disk.locate(&path(number)));
        let Some(file) = self.open_file(number)? else { return Ok(None) };
        let left = file.len().during(what)?.saturating_sub(offset);
        let mut piece = vec![0; left.min(bytes_max as u64) as usize];
        file.read_at(&mut piece, offset).during(what)?;
        Ok(Some(piece.into()))
    }

    /// Starts or resumes the import of a file.
    pub fn import(&self, sealed: SealedFile) -> Result<Import, Error> {
        let partial = format!("{DIRECTORY}/{:012}-{:032x}{PARTIAL}", sealed.number, sealed.chain);
        let what = || format!("importing {}", self.disk.locate(&partial));
        let file = self.disk.open(&partial, OpenMode::Create).during(what)?;
        let offset = file.len().during(what)?;
        Ok(Import { history: self.clone(), sealed, partial, file, offset })
    }

    /// Does a file with this head stand under its name? It got that name when it was whole; what became of its middle
    /// since is checked when it is read.
    fn has(&self, sealed: &SealedFile) -> Result<bool, Error> {
        let what = || format!("reading {}", self.disk.locate(&path(sealed.number)));
        let Some(file) = self.open_file(sealed.number)? else { return Ok(false) };
        if file.len().during(what)? < (HEAD_BYTES + CHECKSUM_BYTES) as u64 {
            return Ok(false);
        }
        let mut found = [0; HEAD_BYTES];
        file.read_at(&mut found, 0).during(what)?;
        Ok(found[..] == head(sealed)[..])
    }

    fn open_file(&self, number: u64) -> Result<Option<Arc<dyn DiskFile>>, Error> {
        let path = path(number);
        match self.disk.open(&path, OpenMode::Existing) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some(file.during(|| format!("opening {}", self.disk.locate(&path)))?)),
        }
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

    /// Adds the piece that begins at [`Import::offset`].
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Error> {
        check_size(WHAT, self.offset + piece.len() as u64, HISTORY_FILE_BYTES_MAX as u64)?;
        let what = || format!("importing {}", self.history.disk.locate(&self.partial));
        self.file.write_at(piece, self.offset).during(what)?;
        self.offset += piece.len() as u64;
        Ok(())
    }

    /// Checks all of it and gives it its name, durably, if the caller finds that its records give its chain. Bytes that
    /// are not the file asked for are thrown away, and the import starts anew.
    pub fn finish(self, give_chain: impl FnOnce(&[Bytes]) -> bool) -> Result<(), Error> {
        let disk = &self.history.disk;
        let located = disk.locate(&self.partial);
        let what = || format!("importing {located}");
        let bytes = Bytes::from(read_all(&*self.file).during(what)?);
        let checked = decode(&located, &self.sealed, &bytes).and_then(|records| {
            let why = "its records do not give its chain";
            if give_chain(&records) { Ok(()) } else { Err(corrupt(&located, HEAD_BYTES as u64, why)) }
        });
        if let Err(error) = checked {
            disk.remove(&self.partial).during(what)?;
            return Err(error);
        }
        self.file.sync().during(what)?;
        publish(&**disk, DIRECTORY, &self.partial, &path(self.sealed.number))
    }
}

/// The record of a place, if it is there.
fn record_at(file: &dyn DiskFile, place: &Place) -> io::Result<Option<Bytes>> {
    let begin = place.offset.checked_sub(LENGTH_BYTES as u64);
    let end = place.offset.checked_add(u64::from(place.bytes));
    let (Some(begin), Some(end)) = (begin, end) else { return Ok(None) };
    if end > file.len()? {
        return Ok(None);
    }
    let mut found = vec![0; LENGTH_BYTES + place.bytes as usize];
    file.read_at(&mut found, begin)?;
    let mut length = Bytes::from(found);
    let record = length.split_off(LENGTH_BYTES);
    Ok((length[..] == place.bytes.to_le_bytes() && xxh3_64(&record) == place.checksum).then_some(record))
}

fn head(sealed: &SealedFile) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&sealed.number.to_le_bytes());
    head.extend_from_slice(&sealed.chain.to_le_bytes());
    head.extend_from_slice(&sealed.records.to_le_bytes());
    head
}

fn decode(located: &str, sealed: &SealedFile, bytes: &Bytes) -> Result<Vec<Bytes>, Error> {
    if bytes.len() < HEAD_BYTES + CHECKSUM_BYTES {
        return Err(corrupt(located, bytes.len() as u64, "the file is too short"));
    }
    let end = bytes.len() - CHECKSUM_BYTES;
    if xxh3_128(&bytes[..end]).to_le_bytes() != bytes[end..] {
        return Err(corrupt(located, end as u64, "the checksum of the file does not hold"));
    }
    // The bytes are those that were hashed. They may still be of a format that this binary does not know.
    let mut version = [0; 4];
    version.copy_from_slice(&bytes[8..12]);
    if &bytes[..8] != MAGIC || u32::from_le_bytes(version) != VERSION {
        let why = "it is not a history file, or of a newer format".to_owned();
        return Err(Error::Foreign { file: located.to_owned(), why });
    }
    if bytes[..HEAD_BYTES] != head(sealed)[..] {
        return Err(corrupt(located, 0, "it is the file of another history"));
    }
    let mut records = Vec::new();
    let mut at = HEAD_BYTES;
    while at < end {
        let mut length = [0; LENGTH_BYTES];
        let body = at + LENGTH_BYTES;
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
    fn a_file_is_the_same_bytes_everywhere_and_told_by_its_chain() {
        let (disk, other) = (FaultyDisk::new(1), FaultyDisk::new(2));
        let here = History::open(disk.mount()).unwrap();
        let there = History::open(other.mount()).unwrap();
        let sealed = here.seal(1, 7, &records()).unwrap();
        there.seal(1, 7, &records()).unwrap();
        assert_eq!(disk.bytes(&path(1)), other.bytes(&path(1)));
        assert_eq!(here.read(&sealed).unwrap(), records());
        assert_eq!(here.seal(1, 7, &records()).unwrap(), sealed);
        assert_eq!(here.missing(&[sealed]).unwrap(), []);
        // The same number in another history is another file.
        let another = SealedFile { chain: 8, ..sealed };
        assert_eq!(here.missing(&[another]).unwrap(), [another]);
        assert!(matches!(here.read(&another), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn the_format_is_stable() {
        let bytes = History::encode(7, 9, &records()).unwrap();
        assert_eq!(bytes.len(), 103);
        assert_eq!(bytes[..20], *b"TENUHIST\x01\0\0\0\x07\0\0\0\0\0\0\0");
        assert_eq!(bytes[20..44], *b"\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0");
        assert_eq!(bytes[44..62], *b"\x0e\0\0\0order 1 filled");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let disk = FaultyDisk::new(1);
        let history = History::open(disk.mount()).unwrap();
        let sealed = history.seal(1, 0, &records()).unwrap();
        for bit in 0..disk.bytes(&path(1)).unwrap().len() as u64 * 8 {
            disk.flip_bit(&path(1), bit);
            assert!(matches!(history.verify(&sealed), Err(Error::Corrupt { .. })), "bit {bit}");
            disk.flip_bit(&path(1), bit);
        }
        history.verify(&sealed).unwrap();
    }

    #[test]
    fn one_record_is_read_from_its_place_and_nothing_else() {
        let disk = FaultyDisk::new(1);
        let history = History::open(disk.mount()).unwrap();
        let sealed = history.seal(3, 7, &records()).unwrap();
        let places: Vec<Place> = History::places(3, &records()).collect();
        assert_eq!(
            places.iter().map(|place| (place.record, place.offset, place.bytes)).collect::<Vec<_>>(),
            [(0, 48, 14), (1, 66, 0), (2, 70, 17)]
        );
        // Damage elsewhere is not noticed, for nothing else is looked at.
        disk.flip_bit(&path(3), 8 * 50);
        assert!(history.verify(&sealed).is_err());
        for (place, record) in places.iter().zip(records()).skip(1) {
            assert_eq!(history.read_record(&sealed, place).unwrap(), record);
        }
    }

    #[test]
    fn a_damaged_record_is_named_and_a_wrong_place_is_not_called_damage() {
        let disk = FaultyDisk::new(1);
        let history = History::open(disk.mount()).unwrap();
        let sealed = history.seal(3, 7, &records()).unwrap();
        let place = History::places(3, &records()).nth(2).unwrap();
        for bit in 8 * (place.offset - 4)..8 * (place.offset + u64::from(place.bytes)) {
            disk.flip_bit(&path(3), bit);
            let error = history.read_record(&sealed, &place).unwrap_err();
            let Error::Corrupt { file, offset, why, .. } = error else { panic!("bit {bit}: {error}") };
            assert!(file.ends_with(&path(3)) && why.starts_with("record 2 is not what was sealed"), "{why}");
            assert_eq!(offset, place.offset);
            disk.flip_bit(&path(3), bit);
        }
        for wrong in [
            Place { offset: place.offset - 1, ..place },
            Place { offset: 0, ..place },
            Place { offset: u64::MAX, ..place },
            Place { bytes: u32::MAX, ..place },
            Place { bytes: place.bytes - 1, ..place },
            Place { checksum: 1, ..place },
        ] {
            let error = history.read_record(&sealed, &wrong).unwrap_err();
            assert!(matches!(error, Error::Unfit { .. }), "{wrong:?}: {error}");
        }
        // A file that was cut off is damaged, however the place was come by.
        let bytes = disk.bytes(&path(3)).unwrap();
        disk.overwrite(&path(3), &bytes[..70]);
        assert!(matches!(history.read_record(&sealed, &place), Err(Error::Corrupt { offset: 70, .. })));
    }

    #[test]
    fn an_import_resumes_and_refuses_wrong_bytes() {
        let (disk, peer) = (FaultyDisk::new(1), FaultyDisk::new(2));
        let here = History::open(disk.mount()).unwrap();
        let there = History::open(peer.mount()).unwrap();
        let sealed = there.seal(1, 5, &records()).unwrap();
        assert_eq!(here.missing(&[sealed]).unwrap(), [sealed]);
        assert_eq!(here.raw(1, 0, 10).unwrap(), None);

        let mut import = here.import(sealed).unwrap();
        import.write(&there.raw(1, 0, 10).unwrap().unwrap()).unwrap();
        drop(import);
        disk.kill();

        let here = History::open(disk.mount()).unwrap();
        let mut import = here.import(sealed).unwrap();
        assert_eq!(import.offset(), 10);
        import.write(&there.raw(1, 10, 1000).unwrap().unwrap()).unwrap();
        assert_eq!(there.raw(1, import.offset(), 1000).unwrap(), Some(Bytes::new()), "that was the end");
        import.finish(|found| found == records()).unwrap();
        assert_eq!(here.read(&sealed).unwrap(), records());
        assert_eq!(here.missing(&[sealed]).unwrap(), []);

        // A file that arrives damaged, cut off, as that of another history, or with records that do not give its chain
        // is thrown away whole.
        let whole = History::encode(2, 6, &records()).unwrap();
        let other = SealedFile { number: 2, records: 3, chain: 6 };
        let foreign = History::encode(2, 7, &records()).unwrap();
        let wrong = [&vec![1; whole.len()], &whole[..50].to_vec(), &foreign, &whole];
        for (bytes, gives_chain) in wrong.into_iter().zip([true, true, true, false]) {
            let mut import = here.import(other).unwrap();
            assert_eq!(import.offset(), 0);
            import.write(bytes).unwrap();
            assert!(matches!(import.finish(|_| gives_chain), Err(Error::Corrupt { .. })));
            assert_eq!(here.missing(&[other]).unwrap(), [other]);
        }
    }

    #[test]
    fn a_crash_at_any_point_of_sealing_leaves_none_or_all() {
        let sealed = SealedFile { number: 1, records: 3, chain: 0 };
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
