//! Logs of made-up entries.

use std::{path::Path, sync::Arc, thread};

use journal_log::{Appender, Cut, Log, LogError, Options, create, open};

pub(crate) const LABEL: [u8; 8] = *b"a label.";

/// Small segments, so that a few entries cross them.
pub(crate) fn small() -> Options {
    Options { label: LABEL, segment_bytes: 16 * 1024, limit_bytes: None, synced: true }
}

/// A log with its preparer's thread; dropped, it is closed.
pub(crate) struct Running {
    pub(crate) log: Arc<Log>,
    pub(crate) appender: Option<Appender>,
    pub(crate) cut: Option<Cut>,
    preparer: Option<thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn open(dir: &Path, options: Options) -> Result<Self, LogError> {
        let opened = open(dir, options)?;
        let preparer = thread::spawn(move || opened.preparer.run());
        let (log, appender) = (opened.log, Some(opened.appender));
        Ok(Self { log, appender, cut: opened.cut, preparer: Some(preparer) })
    }

    pub(crate) fn fresh(dir: &Path, options: Options) -> Self {
        create(dir, &options).unwrap();
        Self::open(dir, options).unwrap()
    }

    /// Appends the next `count` entries as one group.
    pub(crate) fn group(&mut self, count: u64) {
        let appender = self.appender.as_mut().unwrap();
        let next = appender.next();
        let bodies: Vec<Vec<u8>> = (next..next + count).map(body).collect();
        assert_eq!(appender.append(bodies.iter().map(Vec::as_slice)).unwrap(), next + count - 1);
    }

    pub(crate) fn all(&self) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        read(&self.log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.appender.take());
        self.preparer.take().unwrap().join().unwrap();
    }
}

/// Everything up to the log's end.
pub(crate) fn read(log: &Arc<Log>) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
    let mut cursor = log.after(0);
    let mut all = Vec::new();
    while let Some((place, body)) = cursor.next()? {
        all.push((place, body.to_vec()));
    }
    Ok(all)
}

/// The body at a place: of many lengths, and different for each.
pub(crate) fn body(place: u64) -> Vec<u8> {
    let len = 1 + (place * 7919 % 700) as usize;
    place.to_le_bytes().iter().chain(b"entry").copied().cycle().skip(place as usize % 5).take(len).collect()
}

/// The first `count` entries.
pub(crate) fn entries(count: u64) -> Vec<(u64, Vec<u8>)> {
    (1..=count).map(|place| (place, body(place))).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}
