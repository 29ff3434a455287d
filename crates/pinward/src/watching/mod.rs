//! The diagnosis in the program: what it is given, what the console sees of it, and what people do through it.
//!
//! `watch` follows the journal; [`observer`] tells it what entries and signals show, [`tries`] gives tries back,
//! [`insight`] is the console's door and what people do through it,
//! [`alarming`] tells those who must know.

pub(crate) mod alarming;
pub(crate) mod insight;
mod names;
mod observer;
mod tries;
mod views;

use std::{path::Path, sync::Arc};

use anyhow::Context;
use diagnosis::Diagnose;
use host::{Clock, SystemClock};
use store::Store;
use watch::{Parts, Watch};

use crate::{command::Usage, config::Config, ruling::Telling, storage::Storage};

pub(crate) use names::Known;
pub(crate) use observer::Live;

/// What runs.
pub(crate) struct Watching {
    pub(crate) watch: Arc<Watch>,
    /// What is known about terminals, for people.
    pub(crate) known: Arc<Known>,
}

/// Begins to follow a store's journal. Signals of a running host come as `live`; those of earlier runs are kept in the data
/// directory. Rules at work are told of each entry, too.
pub(crate) fn start(
    config: &Config,
    storage: &Storage,
    live: Option<Live>,
    telling: Option<Arc<Telling>>,
) -> anyhow::Result<Watching> {
    let zone = jiff::tz::TimeZone::get(&config.host.time_zone)
        .map_err(|_| Usage(format!("unknown time zone {:?}", config.host.time_zone)))?;
    let known = Arc::new(Known::default());
    let observer = host::observe::Observer::new(&config.listener, zone);
    let observe =
        observer::Observing::new(observer, storage.engine(), Arc::clone(&known), kept(&config.data), live)
            .also_tell(telling);
    let products = config.products().map_err(Usage)?;
    let watch = Watch::start(Parts {
        engine: storage.engine(),
        book: storage.book(),
        observe: Box::new(observe),
        diagnose: diagnose(),
        restore: Arc::new(tries::Tries::new(Store::new(storage.engine()), products)),
        now: Arc::new(|| SystemClock.now()),
        settings: config.diagnosis.clone(),
    });
    Ok(Watching { watch: watch.context("cannot start the diagnosis")?, known })
}

/// The diagnosis as it is tuned.
fn diagnose() -> Box<dyn Diagnose> {
    Box::new(diagnosis::Diagnosis::new(diagnosis::Tuning::default()))
}

/// Signals of earlier runs. Without them the diagnosis has the journal.
fn kept(data: &Path) -> Option<host::signal::Signals> {
    let read = host::signal::Book::read(data);
    read.inspect_err(|error| tracing::warn!(%error, "signals of earlier runs cannot be read")).ok()
}
