//! What others hold of the diagnosis: a picture to read, a door to ask at, a channel of news, and what people may do.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use diagnosis::{Cause, Diagnose, Verdict};
use model::{CardId, Rrn, Timestamp};
use serde::Serialize;
use store::{Book, Engine, StoreError};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
};

use crate::{
    apart,
    feedback::{Judgement, Judgements, Tally},
    found::Piece,
    keeper::Keeper,
    observe::{Names, Observe},
    progress::Progress,
    reader::Reader,
    register::{self, ActError, AnswerKind, Rates, Record, RestoreResult, Shelf, Standing},
    restore::{self, ChargedTry, Fate, Order, RestoreTries},
    settings::Settings,
    suspected::{SUSPICIONS_MAX, Suspected},
    worker::{self, Incidents, Message, Outlets},
};

/// The clock.
pub(crate) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// News that a slow listener may be behind before he misses some.
const NEWS: usize = 1024;
/// Whoever asks about a refusal that was just answered waits so long at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// And is looked for again so often.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Cards whose fate is written down at once.
const CARDS_AT_ONCE: usize = 50;

/// What it takes.
pub struct Parts {
    /// The journal.
    pub engine: Arc<dyn Engine>,
    /// What people decide.
    pub book: Arc<dyn Book>,
    /// What entries show.
    pub observe: Box<dyn Observe>,
    /// What it means.
    pub diagnose: Box<dyn Diagnose>,
    /// Gives tries back.
    pub restore: Arc<dyn RestoreTries>,
    /// The clock.
    pub now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// As configured.
    pub settings: Settings,
}

/// The incidents at a moment.
#[derive(Debug, Default)]
pub struct Picture {
    /// By number.
    pub records: BTreeMap<u64, Arc<Record>>,
    /// Numbers of what the diagnosis calls otherwise.
    pub(crate) numbers: HashMap<u64, u64>,
}

impl Picture {
    /// The newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.records.values().rev()
    }
}

/// Something happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    /// Its number.
    pub number: u64,
    /// What.
    pub kind: NewsKind,
    /// Is it about now? What is found in old entries after a start is not.
    pub fresh: bool,
}

/// What happened to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NewsKind {
    /// Found.
    Opened,
    /// Cause, scope, confidence or harm changed.
    Revised,
    /// Over, or explained by another.
    Ended,
    /// It was something else, or nothing.
    Retracted,
    /// Somebody did something about it, here or at another host.
    Handled,
}

/// What is known about a refusal.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// A verdict; `incident` is the number in the register.
    Verdict(Box<Verdict>, Vec<Piece>),
    /// Nothing: it is not in the window, was not refused, or does not exist.
    Nothing,
    /// The journal is still being read again; later it may be known.
    NotYet,
}

/// What became of cards to which tries were to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleared {
    /// Was anything new asked for? The same again changes nothing.
    pub asked: bool,
    /// Of all requests about the incident, card by card.
    pub cards: Vec<(CardId, RestoreResult)>,
}

/// The diagnosis at work. Dropping it ends its tasks; [`stop`](Self::stop) also waits for them.
pub struct Watch {
    engine: Arc<dyn Engine>,
    shelf: Arc<Shelf>,
    judgements: Judgements,
    restore: Arc<dyn RestoreTries>,
    now: Now,
    worker: mpsc::Sender<Message>,
    progress: Arc<watch::Sender<Progress>>,
    picture: Arc<RwLock<Arc<Picture>>>,
    news: broadcast::Sender<News>,
    revised: broadcast::Sender<Rrn>,
    incidents: watch::Receiver<Incidents>,
    laid_out: Arc<watch::Sender<Option<Incidents>>>,
    names: Arc<dyn Names>,
    /// Tries are given back by one at a time.
    restoring: tokio::sync::Mutex<()>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Watch {
    /// Begins to follow. Call it inside of a runtime.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(parts: Parts) -> std::io::Result<Arc<Self>> {
        let Parts { engine, book, observe, diagnose, restore, now, settings } = parts;
        let names = observe.names();
        let (stop, stopped) = watch::channel(false);
        let (found, incidents) = watch::channel(Arc::default());
        let (news, revised) = (broadcast::Sender::new(NEWS), broadcast::Sender::new(NEWS));
        let worker = worker::start(diagnose, Outlets { incidents: found, revised: revised.clone() })?;
        let progress = Arc::new(watch::Sender::new(Progress::default()));
        let laid_out = Arc::new(watch::Sender::new(None));
        let (picture, shelf) = (Arc::default(), Arc::new(Shelf::new(book.clone())));
        let reader = Reader {
            engine: engine.clone(),
            observe,
            worker: worker.clone(),
            progress: Arc::clone(&progress),
            now: Arc::clone(&now),
            settings: settings.clone(),
            untold: None,
        };
        let keeper = Keeper {
            shelf: Arc::clone(&shelf),
            names: Arc::clone(&names),
            now: Arc::clone(&now),
            incidents: incidents.clone(),
            laid_out: Arc::clone(&laid_out),
            picture: Arc::clone(&picture),
            news: news.clone(),
            numbers: HashMap::new(),
            last: HashMap::new(),
            made_of: HashMap::new(),
        };
        let mut tasks = vec![tokio::spawn(keeper.run(stopped.clone()))];
        if settings.enabled {
            tasks.push(apart::run("diagnosis-feed", reader.run(stopped))?);
        }
        Ok(Arc::new(Self {
            judgements: Judgements::new(book),
            engine,
            shelf,
            restore,
            now,
            worker,
            progress,
            picture,
            news,
            revised,
            incidents,
            laid_out,
            names,
            restoring: tokio::sync::Mutex::default(),
            stop,
            tasks: Mutex::new(tasks),
        }))
    }

    /// Ends its tasks. A second call does nothing.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
    }

    /// The incidents as they are now.
    #[must_use]
    pub fn picture(&self) -> Arc<Picture> {
        self.picture.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// The clock that it goes by.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// The names behind numbers in observations and scopes.
    #[must_use]
    pub fn names(&self) -> &Arc<dyn Names> {
        &self.names
    }

    /// News about incidents from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.news.subscribe()
    }

    /// References of refusals whose verdict is revised from now on.
    #[must_use]
    pub fn subscribe_verdicts(&self) -> broadcast::Receiver<Rrn> {
        self.revised.subscribe()
    }

    /// Waits until everything that was in the journal at the start was read.
    pub async fn caught_up(&self) {
        let mut progress = self.progress.subscribe();
        let _ = progress.wait_for(|progress| progress.caught_up || progress.stopped).await;
    }

    /// Waits until everything that was in the journal was read, and what was found in it is laid out; a few seconds at most
    /// after it was read.
    pub async fn settled(&self) {
        self.caught_up().await;
        // The worker tells what it found after each question: when it answers a second one, the first is behind it.
        for _ in 0..2 {
            let (answer, answered) = oneshot::channel();
            if self.worker.send(Message::Wait(answer)).await.is_err() || answered.await.is_err() {
                return;
            }
        }
        let found = self.incidents.borrow().clone();
        let mut laid_out = self.laid_out.subscribe();
        let is_there = |shown: &Option<Incidents>| shown.as_ref().is_some_and(|s| Arc::ptr_eq(s, &found));
        let _ = tokio::time::timeout(PATIENCE, laid_out.wait_for(is_there)).await;
    }

    /// What is known about a refusal. One that was just answered is waited for, a moment only.
    ///
    /// # Errors
    /// [`StoreError`], when the journal cannot be asked how far it is.
    pub async fn verdict(&self, rrn: &Rrn) -> Result<Told, StoreError> {
        let told = tokio::time::timeout(PATIENCE, self.verdict_in_time(rrn)).await;
        told.unwrap_or(Ok(Told::NotYet))
    }

    async fn verdict_in_time(&self, rrn: &Rrn) -> Result<Told, StoreError> {
        let mut progress = self.progress.subscribe();
        loop {
            let (place, caught_up, stopped) = {
                let progress = progress.borrow_and_update();
                (progress.place, progress.caught_up, progress.stopped)
            };
            if stopped {
                return Ok(Told::NotYet);
            }
            let (answer, answered) = oneshot::channel();
            if self.worker.send(Message::Ask(*rrn, answer)).await.is_err() {
                return Ok(Told::NotYet);
            }
            match answered.await {
                Ok(Some(verdict)) => return Ok(self.told(verdict).await),
                // All of the journal was taken before it was asked.
                Ok(None) if caught_up && self.engine.entries(place, 1).await?.is_empty() => {
                    return Ok(Told::Nothing);
                }
                Ok(None) => drop(tokio::time::timeout(ASK_AGAIN, progress.changed()).await),
                Err(_) => return Ok(Told::NotYet),
            }
        }
    }

    /// With the number under which people know the incident; it may just be being written down.
    async fn told(&self, mut verdict: Verdict) -> Told {
        const MOMENTS: usize = 80;
        for _ in 0..MOMENTS {
            let picture = self.picture();
            let number = |id: u64| picture.numbers.get(&id).copied();
            if verdict.incident.is_none_or(|id| number(id).is_some()) {
                let evidence = verdict.evidence.iter().map(|piece| Piece::new(piece, number)).collect();
                verdict.incident = verdict.incident.and_then(number);
                return Told::Verdict(Box::new(verdict), evidence);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let evidence = verdict.evidence.iter().map(|piece| Piece::new(piece, |_| None)).collect();
        verdict.incident = None;
        Told::Verdict(Box::new(verdict), evidence)
    }

    /// What may be wrong, the oddest first: to keep an eye on, and no alarm. Empty also while the diagnosis is busy reading.
    pub async fn suspicions(&self) -> Vec<Suspected> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.worker.send(Message::Suspicions(SUSPICIONS_MAX, answer)).await.ok()?;
            answered.await.ok()
        };
        let suspicions = tokio::time::timeout(PATIENCE, asked).await.ok().flatten().unwrap_or_default();
        let picture = self.picture();
        let number = |id: u64| picture.numbers.get(&id).copied();
        suspicions.iter().map(|suspicion| Suspected::new(suspicion, &*self.names, number)).collect()
    }

    /// One incident.
    #[must_use]
    pub fn incident(&self, number: u64) -> Option<Arc<Record>> {
        self.picture().records.get(&number).cloned()
    }

    /// Takes an incident up, closes it or opens it again. Says whether that was new.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn set_status(
        &self,
        number: u64,
        to: Standing,
        by: &str,
        note: &str,
    ) -> Result<bool, ActError> {
        let done = self.shelf.set_status(self.now(), number, to, by, note).await?;
        self.shown(number).await?;
        Ok(done)
    }

    /// Gives an incident to somebody, or to nobody.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn assign(&self, number: u64, to: Option<&str>, by: &str) -> Result<bool, ActError> {
        let done = self.shelf.assign(self.now(), number, to, by).await?;
        self.shown(number).await?;
        Ok(done)
    }

    /// Adds a line to an incident.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn note(&self, number: u64, by: &str, text: &str) -> Result<bool, ActError> {
        let done = self.shelf.note(self.now(), number, by, text).await?;
        self.shown(number).await?;
        Ok(done)
    }

    /// Links the rule, firmware or training that answers an incident.
    ///
    /// # Errors
    /// [`ActError`].
    pub async fn answer(
        &self,
        number: u64,
        by: &str,
        kind: AnswerKind,
        reference: &str,
    ) -> Result<bool, ActError> {
        let done = self.shelf.answer(self.now(), number, by, kind, reference).await?;
        self.shown(number).await?;
        Ok(done)
    }

    /// How often the cause came before and after each answer to an incident.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn rates(&self, number: u64) -> Result<Vec<Rates>, StoreError> {
        let kept = self.shelf.read().await?;
        let Some(record) = kept.register.records.get(&number) else { return Ok(Vec::new()) };
        let now = self.now();
        Ok(record.handling.answers.iter().map(|answer| kept.register.rates(record, answer, now)).collect())
    }

    /// What became of the tries that an incident consumed: of the first `most` cards, the others wait as far as is known.
    /// A card waits as long as a try of the time of the incident counts on it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fates(&self, record: &Record, most: usize) -> Result<Vec<(CardId, Fate)>, StoreError> {
        let requests = record.handling.requests.iter().flat_map(|request| &request.results);
        let known: HashMap<CardId, Fate> = requests.map(|(card, result)| (*card, (*result).into())).collect();
        let mut fates = Vec::with_capacity(record.found.harmed.len());
        let mut looked = 0;
        for card in &record.found.harmed {
            let fate = match known.get(card) {
                Some(fate) => *fate,
                None if looked >= most => Fate::Waits,
                None => {
                    looked += 1;
                    let charged = self.restore.charged(card).await?;
                    let counts =
                        |tries: Vec<ChargedTry>| tries.iter().any(|t| restore::may_be(t, &record.found));
                    charged.map_or(
                        Fate::UnknownCard,
                        |tries| if counts(tries) { Fate::Waits } else { Fate::Reset },
                    )
                }
            };
            fates.push((*card, fate));
        }
        Ok(fates)
    }

    /// Gives tries back to all cards that an incident cost some, each once, whatever is repeated.
    ///
    /// # Errors
    /// [`ActError`]; what was done is written down, and the same again goes on from there.
    pub async fn restore_tries(
        &self,
        number: u64,
        by: &str,
        reviewer: &str,
        why: &str,
    ) -> Result<Cleared, ActError> {
        let _turn = self.restoring.lock().await;
        let live = self.incident(number).filter(|record| record.live);
        let harmed = live.as_ref().map(|record| record.found.harmed.as_slice());
        let asked = self.shelf.ask_restore(self.now(), number, by, reviewer, why, harmed).await?;
        let requests = self.record(number).await?.handling.requests;
        for request in &requests {
            let order = Order {
                incident: number,
                by: request.by.clone(),
                reviewer: request.reviewer.clone(),
                why: request.why.clone(),
            };
            let open: Vec<CardId> = request.open().collect();
            for cards in open.chunks(CARDS_AT_ONCE) {
                self.restore_some(number, request.number, &order, cards).await?;
            }
        }
        self.shown(number).await?;
        let requests = self.record(number).await?.handling.requests;
        let results = requests.iter().flat_map(|request| request.results.iter());
        Ok(Cleared { asked, cards: results.map(|(card, result)| (*card, *result)).collect() })
    }

    async fn restore_some(
        &self,
        number: u64,
        request: u32,
        order: &Order,
        cards: &[CardId],
    ) -> Result<(), ActError> {
        let mut results = Vec::with_capacity(cards.len());
        let mut trouble = None;
        for card in cards {
            match self.restore_one(card, order).await {
                Ok(result) => results.push((*card, result)),
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            }
        }
        self.shelf.restored(self.now(), number, request, &results).await?;
        trouble.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn restore_one(&self, card: &CardId, order: &Order) -> Result<RestoreResult, StoreError> {
        let Some(record) = self.incident(order.incident) else { return Ok(RestoreResult::NothingToRestore) };
        let Some(charged) = self.restore.charged(card).await? else { return Ok(RestoreResult::UnknownCard) };
        let mut transactions = Vec::new();
        for charged in charged.iter().filter(|charged| restore::in_time(charged, &record.found)) {
            let told = match &charged.rrn {
                Some(rrn) => self.verdict(rrn).await?,
                None => Told::Nothing,
            };
            let part = match told {
                Told::Verdict(verdict, _) => {
                    let parent = verdict.incident.and_then(|number| self.incident(number)?.found.parent);
                    verdict.incident == Some(order.incident) || parent == Some(order.incident)
                }
                Told::Nothing => restore::by_place(charged, &record.found),
                Told::NotYet => return Err(StoreError::Overloaded),
            };
            if part {
                transactions.push(charged.key);
            }
        }
        if transactions.is_empty() {
            return Ok(RestoreResult::NothingToRestore);
        }
        self.restore.restore(card, &transactions, order).await
    }

    /// Says what somebody thinks of a verdict. Says whether that was new.
    ///
    /// # Errors
    /// [`ActError::Unknown`] if there is no verdict.
    pub async fn judge(
        &self,
        rrn: &Rrn,
        right: bool,
        really: Option<Cause>,
        by: &str,
        note: &str,
    ) -> Result<bool, ActError> {
        let (by, note) = (register::name("by", by)?, register::words("note", note)?);
        let Told::Verdict(verdict, _) = self.verdict(rrn).await? else { return Err(ActError::Unknown) };
        let judgement = Judgement {
            v: 1,
            rrn: rrn.to_string(),
            cause: verdict.cause,
            confidence: verdict.confidence,
            right,
            really: really.filter(|_| !right),
            by,
            note,
        };
        self.judgements.judge(self.now(), judgement).await
    }

    /// What was said about a verdict.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn judgements(&self, rrn: &Rrn) -> Result<Vec<(Timestamp, Judgement)>, StoreError> {
        self.judgements.of(&rrn.to_string()).await
    }

    /// All judgements, counted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tally(&self) -> Result<Tally, StoreError> {
        self.judgements.tally().await
    }

    /// An incident as the book has it.
    async fn record(&self, number: u64) -> Result<Record, ActError> {
        let kept = self.shelf.read().await?;
        kept.register.records.get(&number).cloned().ok_or(ActError::Unknown)
    }

    /// Waits until the picture shows what the book has of an incident, so that whoever acted sees it.
    async fn shown(&self, number: u64) -> Result<(), ActError> {
        const MOMENTS: usize = 40;
        let wanted = self.record(number).await?.handling;
        for _ in 0..MOMENTS {
            if self.incident(number).is_some_and(|record| record.handling == wanted) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Ok(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
