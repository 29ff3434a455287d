//! A sandbox for the steps that need a running program: in a data folder of its own, and gone when the step is over. It
//! takes free ports and says which ones in the file that we wait for.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::{Names, fill, process::Leash};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    run: Vec<String>,
    /// The file in the data folder that says that it is ready, and where.
    ready: String,
    /// Names for commands, and where in that file their values are (JSON pointers).
    names: Names,
    limit_s: u64,
}

/// A running sandbox.
pub(super) struct Sandbox {
    _leash: Leash,
}

impl Sandbox {
    /// Starts one and waits until it is ready; then the names of its file can be used in commands.
    pub(super) fn start(rules: &Rules, names: &mut Names, logs: &Path) -> Result<Self> {
        let (folder, log) = (logs.join("sandbox"), logs.join("sandbox.log"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        fs::write(&log, "")?;
        names.insert("dir".to_owned(), folder.display().to_string());

        let mut leash = Leash::start(&fill(&rules.run, names)?, &folder, &log)?;
        let ready = wait_for(&folder.join(&rules.ready), &mut leash, Duration::from_secs(rules.limit_s));
        let ready = ready.with_context(|| {
            format!("the sandbox did not start; it said:\n{}", fs::read_to_string(&log).unwrap_or_default())
        })?;
        for (name, pointer) in &rules.names {
            let value = ready.pointer(pointer).and_then(|v| v.as_str());
            let value = value.with_context(|| format!("{} has no text at {pointer:?}", rules.ready))?;
            names.insert(name.clone(), value.to_owned());
        }
        Ok(Self { _leash: leash })
    }
}

/// The file's contents once it is there and whole.
fn wait_for(file: &Path, leash: &mut Leash, limit: Duration) -> Result<serde_json::Value> {
    let until = Instant::now() + limit;
    loop {
        if let Some(ready) = fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()) {
            return Ok(ready);
        }
        if let Some(status) = leash.ended()? {
            bail!("it ended with {status}");
        }
        if Instant::now() > until {
            bail!("{} was not there within {} s", file.display(), limit.as_secs());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
