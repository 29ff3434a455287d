//! The engine's threads: journal writer, the one that makes its files, checkpoint, archive filler; and who of them goes
//! first.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use journal_log::Preparer;

use super::{
    archive::fill::Filler,
    checkpoint::{self, Pace},
    core::Core,
    writer::Writer,
};

/// Everybody waits for the journal's writer. On a machine whose processors are busy it would be woken from its fsync only at
/// the scheduler's next tick, 4 ms later at 250 Hz.
const BEFORE_OTHERS: i32 = -10;
/// Nobody who pays waits for look-up tables and checkpoints.
const AFTER_OTHERS: i32 = 10;

/// Asks for a nice value for this thread (on Linux it is the thread's own). A higher priority needs a right, CAP_SYS_NICE
/// or RLIMIT_NICE; without it the thread runs like all others.
fn priority(nice: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::debug!(nice, %error, "the thread keeps its priority");
    }
}

pub(crate) struct Threads {
    core: Arc<Core>,
    writer: JoinHandle<()>,
    preparer: JoinHandle<()>,
    filler: Background,
    checkpoint: Background,
    /// The store is ours while this is open.
    lock: File,
}

/// A thread that looks at a flag now and then.
struct Background {
    end: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Threads {
    pub(crate) fn start(
        core: &Arc<Core>,
        writer: Writer,
        preparer: Preparer,
        filler: Filler,
        mark: u64,
        lock: File,
    ) -> io::Result<Self> {
        let watched = core.clone();
        let writer = thread::Builder::new().name("journal".into()).spawn(move || {
            let _guard = StopAtEnd(&watched, "the journal's writer ended");
            priority(BEFORE_OTHERS);
            writer.run();
        })?;
        // It ends when the writer has.
        let preparer = thread::Builder::new().name("journal-files".into()).spawn(move || {
            priority(AFTER_OTHERS);
            preparer.run();
        })?;
        let filler = Background::start("archive", core, move |core, end| filler.run(core, end))?;
        let checkpoint = Background::start("checkpoint", core, move |core, end| {
            let _guard = StopAtEnd(core, "the checkpoint thread ended");
            checkpoint::run(core, end, mark);
        })?;
        Ok(Self { core: core.clone(), writer, preparer, filler, checkpoint, lock })
    }

    /// Wakes the archive filler.
    pub(crate) fn filler(&self) -> thread::Thread {
        self.filler.thread.thread().clone()
    }

    /// Ends all of them in the order in which they feed each other, then saves the states once more.
    pub(crate) fn join(self) {
        self.core.queue.close();
        let _ = self.writer.join();
        let _ = self.preparer.join();
        self.filler.join();
        self.checkpoint.join();
        if let Err(error) = checkpoint::save(&self.core, Pace::Alone) {
            tracing::warn!(%error, "states not saved at the end; the next start reads the journal instead");
        }
        drop(self.lock);
    }
}

impl Background {
    fn start(
        name: &str,
        core: &Arc<Core>,
        body: impl FnOnce(&Core, &AtomicBool) + Send + 'static,
    ) -> io::Result<Self> {
        let end = Arc::new(AtomicBool::new(false));
        let (flag, core) = (end.clone(), core.clone());
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            priority(AFTER_OTHERS);
            body(&core, &flag);
        })?;
        Ok(Self { end, thread })
    }

    fn join(self) {
        self.end.store(true, Ordering::Release);
        self.thread.thread().unpark();
        let _ = self.thread.join();
    }
}

/// However such a thread ends, nobody may believe that decisions can still be taken.
struct StopAtEnd<'a>(&'a Core, &'static str);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.health.stop(self.1);
    }
}
