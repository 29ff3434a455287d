//! Signals on disk: records of length, checksum and CBOR, appended to one file; when it is full it becomes the old one, and
//! the one before that goes. What was torn by a crash is cut off when the book is opened again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use super::Signal;

const CURRENT: &str = "signals";
const OLD: &str = "signals.old";
const LOCK: &str = "signals.lock";
/// A file has at most so many bytes; there are two.
const FILE_MAX: u64 = 32 * 1024 * 1024;
/// No record is longer.
const RECORD_MAX: usize = 4096;

/// The file in which signals are kept.
pub struct Book {
    folder: PathBuf,
    file: File,
    bytes: u64,
    /// Held as long as the book is open.
    _lock: File,
}

impl Book {
    /// Opens the book in a folder, or begins one; a torn end is cut off. It is one process's: of several hosts that share a
    /// folder the first one keeps its signals.
    ///
    /// # Errors
    /// Those of the file system; `WouldBlock` when another process has it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let path = folder.join(CURRENT);
        let lock = OpenOptions::new().create(true).append(true).open(folder.join(LOCK))?;
        lock.try_lock().map_err(io::Error::from)?;
        let bytes = match File::open(&path) {
            Ok(file) => {
                let mut whole = Reader::new(file);
                while whole.next().is_some() {}
                whole.good
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        file.set_len(bytes)?;
        Ok(Self { folder: folder.to_owned(), file, bytes, _lock: lock })
    }

    /// Appends signals. Not synced: they are not worth a payment's time.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn append(&mut self, signals: &[Signal]) -> io::Result<()> {
        let mut batch = Vec::with_capacity(signals.len() * 64);
        for signal in signals {
            let record = minicbor::to_vec(signal).map_err(io::Error::other)?;
            let length = u32::try_from(record.len()).ok().filter(|_| record.len() <= RECORD_MAX);
            let length = length.ok_or_else(|| io::Error::other("a signal that is too long"))?;
            batch.extend(length.to_le_bytes());
            batch.extend(checksum(&record).to_le_bytes());
            batch.extend(record);
        }
        if self.bytes > 0 && self.bytes + batch.len() as u64 > FILE_MAX {
            self.turn_over()?;
        }
        self.file.write_all(&batch)?;
        self.bytes += batch.len() as u64;
        Ok(())
    }

    fn turn_over(&mut self) -> io::Result<()> {
        let current = self.folder.join(CURRENT);
        fs::rename(&current, self.folder.join(OLD))?;
        self.file = OpenOptions::new().create(true).append(true).open(current)?;
        self.bytes = 0;
        Ok(())
    }

    /// All signals that are kept in a folder, oldest first. What cannot be read ends its file.
    ///
    /// # Errors
    /// Those of the file system, except that there is no book.
    pub fn read(folder: &Path) -> io::Result<Signals> {
        let open = |name| match File::open(folder.join(name)) {
            Ok(file) => Ok(Some(Reader::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        Ok(Signals { files: [open(OLD)?, open(CURRENT)?] })
    }
}

/// Signals out of a book.
pub struct Signals {
    files: [Option<Reader>; 2],
}

impl Iterator for Signals {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        self.files.iter_mut().flatten().find_map(Iterator::next)
    }
}

struct Reader {
    file: BufReader<File>,
    /// Where the last whole record ended.
    good: u64,
}

impl Reader {
    fn new(file: File) -> Self {
        Self { file: BufReader::new(file), good: 0 }
    }
}

impl Iterator for Reader {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        let mut head = [0; 8];
        self.file.read_exact(&mut head).ok()?;
        let [length, sum] = [&head[..4], &head[4..]].map(|four| four.try_into().map(u32::from_le_bytes));
        let (length, sum) = (usize::try_from(length.ok()?).ok()?, sum.ok()?);
        if length > RECORD_MAX {
            return None;
        }
        let mut record = vec![0; length];
        self.file.read_exact(&mut record).ok()?;
        let signal = minicbor::decode(&record).ok().filter(|_| checksum(&record) == sum)?;
        self.good += (head.len() + length) as u64;
        Some(signal)
    }
}

/// FNV-1a: tells a torn record from a whole one, nothing more.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum: u32, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::signal::Kind;

    fn signal(place: u64) -> Signal {
        let terminal = "T0000001".parse().unwrap();
        Signal { place, at: Timestamp(3), terminal, kind: Kind::Unreadable }
    }

    fn places(folder: &Path) -> Vec<u64> {
        Book::read(folder).unwrap().map(|signal| signal.place).collect()
    }

    #[test]
    fn a_torn_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(places(folder.path()), [0; 0]);
        let mut book = Book::open(folder.path()).unwrap();
        book.append(&[signal(1), signal(2)]).unwrap();
        book.append(&[signal(3)]).unwrap();
        drop(book);
        let path = folder.path().join(CURRENT);
        let whole = fs::read(&path).unwrap();
        for cut in 1..whole.len() / 3 {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            assert_eq!(places(folder.path()), [1, 2], "cut by {cut}");
            Book::open(folder.path()).unwrap().append(&[signal(4)]).unwrap();
            assert_eq!(places(folder.path()), [1, 2, 4], "cut by {cut}");
        }
        let mut garbled = whole.clone();
        garbled[10] ^= 0x40;
        fs::write(&path, &garbled).unwrap();
        assert_eq!(places(folder.path()), [0; 0]);
    }

    #[test]
    fn a_book_is_one_process_s() {
        let folder = tempfile::tempdir().unwrap();
        let book = Book::open(folder.path()).unwrap();
        let second = Book::open(folder.path()).err().map(|error| error.kind());
        assert_eq!(second, Some(io::ErrorKind::WouldBlock));
        drop(book);
        assert!(Book::open(folder.path()).is_ok());
    }

    #[test]
    fn a_full_book_turns_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut book = Book::open(folder.path()).unwrap();
        book.append(&[signal(1)]).unwrap();
        book.bytes = FILE_MAX;
        book.append(&[signal(2)]).unwrap();
        assert_eq!(places(folder.path()), [1, 2]);
        book.bytes = FILE_MAX;
        book.append(&[signal(3)]).unwrap();
        assert_eq!(places(folder.path()), [2, 3]);
    }
}
