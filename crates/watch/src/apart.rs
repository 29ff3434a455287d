//! Threads for what may wait. Payments come first: where processors are short, these threads get what is left and fall behind
//! (which [`Progress`](crate::Progress) says), and catch up from the journal afterwards. Where there is room they wait for nobody.

use std::{future::Future, io, thread};

use tokio::{runtime::Handle, sync::oneshot, task::JoinHandle};

/// Steps of niceness below the payments: a tenth of their share, where both want the same processor (sched(7)).
const NICER: i32 = 10;

/// Runs a future on a thread of its own; timers and connections stay with the runtime that this is called in.
pub(crate) fn run(
    name: &str,
    future: impl Future<Output = ()> + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = Handle::current();
    let (done, ended) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        step_back();
        runtime.block_on(future);
        // Nobody may be waiting.
        let _ = done.send(());
    })?;
    Ok(tokio::spawn(async move { drop(ended.await) }))
}

/// Lowers the priority of this thread; a system that refuses has its reasons.
pub(crate) fn step_back() {
    if let Err(error) = rustix::process::nice(NICER) {
        tracing::debug!(%error, "a thread of the diagnosis keeps its priority");
    }
}
