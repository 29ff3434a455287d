//! One file of the log: a block that says what it is, then records, then zeros.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    crc::crc32c,
    error::LogError,
    index::Index,
    record::{HEAD, MAX_BODY, Parsed, parse, size},
};

/// Where records begin: a page of its own for the head, which is never written again.
pub(crate) const START: u64 = 4096;
/// The smallest segment, and the first of a log.
pub(crate) const SMALLEST: u64 = 1 << 20;

const MAGIC: [u8; 16] = *b"pinward journal\0";
const FORM: u32 = 1;
const HEAD_BYTES: usize = 44;
/// Zeros that are written and made durable at a time: a moment's work for a disk.
pub(crate) const AT_ONCE: usize = 1 << 20;
/// Where a segment is made; it gets its name when it is whole.
const SPARE: &str = "spare";

/// A segment that is whole: every byte of it was written.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    pub(crate) size: u64,
    pub(crate) salt: u32,
    /// The place that its first record expects; 0 while it has none.
    first: AtomicU64,
    pub(crate) index: Mutex<Index>,
}

impl Segment {
    /// Opens one and checks its head.
    pub(crate) fn open(
        dir: &Path,
        number: u32,
        label: Option<[u8; 8]>,
        write: bool,
    ) -> Result<Self, LogError> {
        let path = path(dir, number);
        let io = |source| LogError::io(&path, source);
        let file = File::options().read(true).write(write).open(&path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let mut head = [0; HEAD_BYTES];
        if len >= START {
            file.read_exact_at(&mut head, 0).map_err(io)?;
        }
        let damaged = |what: &str| Err(LogError::Corrupt(format!("segment {}: {what}", file_name(number))));
        if head[..16] != MAGIC || crc32c(0, &head[..40]) != word(&head, 40) {
            return damaged("its head cannot be read");
        }
        if word(&head, 16) != FORM {
            return Err(LogError::Newer { found: word(&head, 16), known: FORM });
        }
        let size = u64::from(word(&head, 24)) | u64::from(word(&head, 28)) << 32;
        if word(&head, 20) != number {
            return damaged(&format!("its head says that it is number {}", word(&head, 20)));
        }
        if label.is_some_and(|label| label != head[32..40]) {
            return Err(LogError::WrongLabel(path));
        }
        if len != size {
            return damaged(&format!("it is {len} bytes long instead of {size}"));
        }
        let salt = salt(&head);
        let segment =
            Self { number, file, size, salt, first: AtomicU64::new(0), index: Mutex::default(), path };
        if let Some(first) = segment.read_first()? {
            segment.set_first(first);
        }
        Ok(segment)
    }

    /// The place that its first record expects, if it has one.
    pub(crate) fn first(&self) -> Option<u64> {
        Some(self.first.load(Ordering::Acquire)).filter(|first| *first != 0)
    }

    pub(crate) fn set_first(&self, place: u64) {
        self.first.store(place, Ordering::Release);
    }

    /// Looks at the first record again: another process may have written it.
    pub(crate) fn read_first(&self) -> Result<Option<u64>, LogError> {
        let room = usize::try_from(self.size - START).unwrap_or(usize::MAX);
        let mut bytes = vec![0; HEAD.min(room)];
        for want in [HEAD.min(room), size(4096).min(room), size(MAX_BODY).min(room)] {
            bytes.resize(want, 0);
            self.file.read_exact_at(&mut bytes, START).map_err(|e| self.io(e))?;
            match parse(&bytes, self.salt) {
                Parsed::Short => {}
                Parsed::Record(record) => return Ok(Some(record.expects())),
                Parsed::Free | Parsed::Damaged => return Ok(None),
            }
        }
        Ok(None)
    }

    pub(crate) fn io(&self, source: io::Error) -> LogError {
        LogError::io(&self.path, source)
    }

    pub(crate) fn name(&self) -> String {
        file_name(self.number)
    }
}

/// A segment that is being written with zeros, under another name.
#[derive(Debug)]
pub(crate) struct Unready {
    path: PathBuf,
    file: File,
    number: u32,
    size: u64,
    zeroed: u64,
}

impl Unready {
    /// Begins one; what an earlier attempt left is thrown away. Room is asked for first, so that a full disk says so before
    /// anything is written.
    pub(crate) fn begin(dir: &Path, number: u32, size: u64) -> Result<Self, LogError> {
        let path = dir.join(SPARE);
        remove_spare(dir)?;
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|source| LogError::io(&path, source))?;
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size) {
            // A file system that cannot: writing zeros does the same.
            Ok(()) | Err(rustix::io::Errno::OPNOTSUPP) => {}
            Err(error) => return Err(LogError::io(&path, error.into())),
        }
        Ok(Self { path, file, number, size, zeroed: 0 })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn zeroed(&self) -> u64 {
        self.zeroed
    }

    /// Writes zeros up to `target`, and has them on the disk: what is written later waits for none of them.
    pub(crate) fn zero_to(&mut self, target: u64) -> Result<(), LogError> {
        static ZEROS: [u8; AT_ONCE] = [0; AT_ONCE];
        let target = target.min(self.size);
        while self.zeroed < target {
            let len = ZEROS.len().min(usize::try_from(target - self.zeroed).unwrap_or(ZEROS.len()));
            let written = self.file.write_all_at(&ZEROS[..len], self.zeroed);
            written
                .and_then(|()| self.file.sync_data())
                .map_err(|source| LogError::io(&self.path, source))?;
            self.zeroed += len as u64;
        }
        Ok(())
    }

    /// Writes the head, gives it its name and makes both durable.
    pub(crate) fn finish(mut self, dir: &Path, label: [u8; 8]) -> Result<Segment, LogError> {
        self.zero_to(self.size)?;
        let mut head = [0; HEAD_BYTES];
        head[..16].copy_from_slice(&MAGIC);
        head[16..20].copy_from_slice(&FORM.to_le_bytes());
        head[20..24].copy_from_slice(&self.number.to_le_bytes());
        head[24..32].copy_from_slice(&self.size.to_le_bytes());
        head[32..40].copy_from_slice(&label);
        let crc = crc32c(0, &head[..40]);
        head[40..].copy_from_slice(&crc.to_le_bytes());
        let whole = self.file.write_all_at(&head, 0).and_then(|()| self.file.sync_all());
        whole.map_err(|source| LogError::io(&self.path, source))?;
        let path = path(dir, self.number);
        let named = fs::rename(&self.path, &path).and_then(|()| File::open(dir)?.sync_all());
        named.map_err(|source| LogError::io(&path, source))?;
        let salt = salt(&head);
        let first = AtomicU64::new(0);
        let Self { number, file, size, .. } = self;
        Ok(Segment { number, path, file, size, salt, first, index: Mutex::default() })
    }
}

/// What the checksums of its records begin with: the checksum of all that its head says.
fn salt(head: &[u8; HEAD_BYTES]) -> u32 {
    word(head, 40)
}

pub(crate) fn remove_spare(dir: &Path) -> Result<(), LogError> {
    let path = dir.join(SPARE);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(LogError::io(&path, source)),
        _ => Ok(()),
    }
}

/// The numbers of the segments in a directory, in order and without gaps from 1 on.
pub(crate) fn numbers(dir: &Path) -> Result<Vec<u32>, LogError> {
    let io = |source| LogError::io(dir, source);
    let mut numbers = Vec::new();
    for file in fs::read_dir(dir).map_err(io)? {
        let name = file.map_err(io)?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".seg")).map(str::parse);
        if let Some(Ok(number)) = number {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    match (1..).zip(&numbers).find(|(expected, found)| expected != *found) {
        Some((missing, _)) => Err(LogError::Corrupt(format!("segment {} is missing", file_name(missing)))),
        None => Ok(numbers),
    }
}

pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(file_name(number))
}

fn file_name(number: u32) -> String {
    format!("{number:08}.seg")
}

fn word(head: &[u8; HEAD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}
