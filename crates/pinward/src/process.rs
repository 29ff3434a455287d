//! What the process does so that keys and PINs in its memory stay there: no core dump holds them, no other process reads
//! them, no swap file gets them. Where the system refuses, it is said and the program goes on.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, geteuid, getrlimit, set_dumpable_behavior, setrlimit},
};
use tracing::warn;

/// No anonymous or file-backed memory goes into a core dump, whoever asks for one (core(5), `coredump_filter`).
const NOTHING: &str = "0";

/// Every connection is an open file. Asked for no more than that, however much the system would give.
const OPEN_FILES: u64 = 1_000_000;

/// Lets this process have as many connections as the system allows.
pub(crate) fn raise_open_files() {
    let files = getrlimit(Resource::Nofile);
    let most = files.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if files.current.is_some_and(|current| current < most)
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum: files.maximum })
    {
        warn!(%error, "the number of open files stays low");
    }
}

/// Guards this process, and lets it have as many connections as the system allows. Called once, before a key is opened.
pub(crate) fn guard() {
    raise_open_files();
    // The filter first: a process that is not dumpable may no longer write it.
    if let Err(error) = std::fs::write("/proc/self/coredump_filter", NOTHING) {
        warn!(%error, "core dumps by a debugger would hold memory");
    }
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if getrlimit(Resource::Core) != none
        && let Err(error) = setrlimit(Resource::Core, none)
    {
        warn!(%error, "the limit of core dumps stays as it was");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        warn!(%error, "other processes of this user may read memory");
    }
    // Under a limit a later allocation would fail: then memory is rather not locked.
    let unlimited = getrlimit(Resource::Memlock).current.is_none() || geteuid().is_root();
    let locked =
        unlimited.then(|| mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT));
    match locked {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            warn!(%error, "memory may be swapped out: allow it to be locked (LimitMEMLOCK=infinity)")
        }
        None => warn!("memory may be swapped out: allow it to be locked (LimitMEMLOCK=infinity)"),
    }
}
