//! Keeps what the diagnosis finds: gives incidents numbers that stay, writes them into the register, lays out the picture
//! that others read, and tells the news.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use diagnosis::{Incident, Status};
use store::BookError;
use tokio::sync::{broadcast, watch};

use crate::{
    found::Found,
    observe::Names,
    register::{ActError, Record, Said, Shelf},
    watch::{News, NewsKind, Now, Picture},
    worker::Incidents,
};

/// What other hosts wrote is looked for so often.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// An incident that is found again after a restart may begin or end a little elsewhere.
const AGAIN_SLACK_MS: i64 = 1_800_000;
/// What was detected longer ago is history: nobody is woken for it.
const FRESH_MS: i64 = 900_000;
/// A change of confidence that people should hear of.
const CONFIDENCE_STEP: f32 = 0.05;

pub(crate) struct Keeper {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) names: Arc<dyn Names>,
    pub(crate) now: Now,
    pub(crate) incidents: watch::Receiver<Incidents>,
    /// The incidents that the picture shows.
    pub(crate) laid_out: Arc<watch::Sender<Option<Incidents>>>,
    pub(crate) picture: Arc<RwLock<Arc<Picture>>>,
    pub(crate) news: broadcast::Sender<News>,
    /// Numbers of the diagnosis' incidents in the register.
    pub(crate) numbers: HashMap<u64, u64>,
    /// What was laid out last, of incidents that the diagnosis knows.
    pub(crate) last: HashMap<u64, Arc<Found>>,
    /// The incidents that this was made of.
    pub(crate) made_of: HashMap<u64, Arc<Incident>>,
}

impl Keeper {
    /// Runs until told to stop.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            () = self.keep() => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn keep(&mut self) {
        let mut bell = self.shelf.book().subscribe();
        loop {
            if let Err(error) = self.step().await {
                tracing::warn!(%error, "the incident register cannot be kept, trying again");
                tokio::time::sleep(LOOK_AGAIN).await;
                continue;
            }
            tokio::select! {
                // Without a diagnosis there is still a register.
                changed = self.incidents.changed() => if changed.is_err() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                },
                rung = bell.changed() => if rung.is_err() {
                    tokio::time::sleep(LOOK_AGAIN).await;
                },
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn step(&mut self) -> Result<(), ActError> {
        let incidents = self.incidents.borrow_and_update().clone();
        // The oldest first: their numbers are the smaller ones.
        let mut new_ones = HashSet::new();
        for incident in incidents.iter().rev() {
            if !self.numbers.contains_key(&incident.id) {
                let (number, is_new) = self.number(incident).await?;
                self.numbers.insert(incident.id, number);
                if is_new {
                    new_ones.insert(number);
                }
            }
        }
        let mut live = HashMap::with_capacity(incidents.len());
        let mut news = Vec::new();
        for incident in incidents.iter() {
            let Some(number) = self.numbers.get(&incident.id).copied() else { continue };
            let same = self.made_of.get(&incident.id).is_some_and(|before| Arc::ptr_eq(before, incident));
            if same && let Some(found) = self.last.get(&number) {
                live.insert(number, Arc::clone(found));
                continue;
            }
            let found = Found::new(incident, &*self.names, |id| self.numbers.get(&id).copied());
            self.write(number, &found).await?;
            let kind = match self.last.get(&number) {
                None => new_ones.contains(&number).then_some(NewsKind::Opened),
                Some(before) => changed(before, &found),
            };
            let fresh = (self.now)().since_ms(found.detected.max(found.last_seen)) < FRESH_MS;
            news.extend(kind.map(|kind| News { number, kind, fresh }));
            live.insert(number, Arc::new(found));
        }
        self.last = live;
        self.made_of = incidents.iter().map(|incident| (incident.id, Arc::clone(incident))).collect();
        let handled = self.lay_out().await?;
        news.extend(handled.into_iter().map(|number| News { number, kind: NewsKind::Handled, fresh: false }));
        self.laid_out.send_replace(Some(incidents));
        for one in news {
            // Nobody may be listening.
            let _ = self.news.send(one);
        }
        Ok(())
    }

    /// The number of an incident that has none yet: the one it had before a restart or at another host, or the next.
    async fn number(&self, incident: &Incident) -> Result<(u64, bool), ActError> {
        let found = Found::new(incident, &*self.names, |id| self.numbers.get(&id).copied());
        let taken: HashSet<u64> = self.numbers.values().copied().collect();
        let mut number = 0;
        let is_new = self
            .shelf
            .say((self.now)(), |register| {
                let again = register.records.values().rev().find(|record| {
                    !taken.contains(&record.number) && record.found.is_again(&found, AGAIN_SLACK_MS)
                });
                number = again.map_or_else(|| register.next(), |record| record.number);
                let said = Said::Found { found: Box::new(found.clone()) };
                Ok::<_, BookError>(again.is_none().then_some((number, said)))
            })
            .await?;
        Ok((number, is_new))
    }

    /// Writes down what was found, if the register says something else.
    async fn write(&self, number: u64, found: &Found) -> Result<(), BookError> {
        if self.last.get(&number).is_some_and(|before| **before == *found) {
            return Ok(());
        }
        self.shelf
            .say((self.now)(), |register| {
                let differs =
                    register.records.get(&number).is_none_or(|kept| found.differs_from(&kept.found));
                Ok(differs.then(|| (number, Said::Found { found: Box::new(found.clone()) })))
            })
            .await
            .map(drop)
    }

    /// Lays out what others read: the register, with what is live as it is now. The incidents about which somebody did
    /// something since the last time.
    async fn lay_out(&self) -> Result<Vec<u64>, BookError> {
        let before = self.picture.read().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = self.shelf.read().await?;
        let (mut records, mut handled) = (BTreeMap::new(), Vec::new());
        for (number, record) in &kept.register.records {
            let live = self.last.get(number).map(AsRef::as_ref);
            if before.records.get(number).is_some_and(|shown| shown.handling != record.handling) {
                handled.push(*number);
            }
            let same = before.records.get(number).filter(|shown| {
                shown.live == live.is_some()
                    && shown.found == *live.unwrap_or(&record.found)
                    && shown.handling == record.handling
            });
            let shown = same.cloned().unwrap_or_else(|| {
                Arc::new(Record {
                    number: *number,
                    found: live.unwrap_or(&record.found).clone(),
                    live: live.is_some(),
                    handling: record.handling.clone(),
                })
            });
            records.insert(*number, shown);
        }
        drop(kept);
        let picture = Arc::new(Picture { records, numbers: self.numbers.clone() });
        *self.picture.write().unwrap_or_else(PoisonError::into_inner) = picture;
        Ok(handled)
    }
}

/// What people should hear of, between two looks at an incident.
fn changed(before: &Found, now: &Found) -> Option<NewsKind> {
    if before.status != now.status {
        match now.status {
            Status::Over | Status::Absorbed => return Some(NewsKind::Ended),
            Status::Retracted => return Some(NewsKind::Retracted),
            Status::Provisional | Status::Open => {}
        }
    }
    let sure = (before.confidence - now.confidence).abs() >= CONFIDENCE_STEP;
    (sure || now.differs_from(before)).then_some(NewsKind::Revised)
}
