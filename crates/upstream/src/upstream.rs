//! All routes: who is asked, on which line, and what became of it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use hsm::{MacAlgorithm, SecurityModule};
use iso8583::{Dialect, Framing};
use model::{KeyBlock, Pan, PinBlockFormat, Timestamp};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout_at,
};

use crate::{
    config::RouteConfig,
    line::{COMMANDS, Command, Line, Standing},
    message::{Ask, Reply, Said, Speech, UndoMessage},
    metrics,
    profile::{Meaning, Profile},
    route::{Bins, Route},
    table::Table,
};

pub use crate::table::About;

/// Late answers that may wait to be recorded.
const LATE: usize = 1024;

/// An answer that came when nobody waited any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// Name of the route.
    pub route: String,
    /// What it answers.
    pub about: About,
    /// What it says.
    pub reply: Reply,
    /// How long after the question.
    pub after: Duration,
}

/// There is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nothing left this host.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It was sent, or part of it; whether it arrived nobody knows.
    #[error("sent, and not answered in time")]
    Unknown,
}

/// A route that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("route {route:?}: {problem}")]
pub struct StartError {
    /// Its name.
    pub route: String,
    /// What is wrong.
    pub problem: String,
}

/// A route for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteStatus {
    /// Its name.
    pub name: String,
    /// Its lines, in the order of the configuration.
    pub lines: Vec<LineStatus>,
}

/// A line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineStatus {
    /// Where the other side listens.
    pub address: SocketAddr,
    /// Is it signed on?
    pub up: bool,
    /// What it is doing.
    pub words: String,
}

/// Links to other issuers.
pub struct Upstream {
    bins: Bins,
    routes: Vec<Links>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// One route at work.
struct Links {
    config: Arc<RouteConfig>,
    speech: Arc<Speech>,
    zone_pin_key: KeyBlock,
    table: Arc<Mutex<Table>>,
    lines: Vec<Door>,
    turn: AtomicUsize,
}

/// Where frames for a line go.
struct Door {
    address: SocketAddr,
    priority: u8,
    standing: Arc<Standing>,
    commands: mpsc::Sender<Command>,
}

/// Everything that is wrong with routes, without opening anything.
#[must_use]
pub fn check(routes: &[RouteConfig]) -> Vec<StartError> {
    let mut problems = Vec::new();
    let mut bins = Bins::default();
    for (number, config) in routes.iter().enumerate() {
        let mut wrong = |problem: String| problems.push(StartError { route: config.name.clone(), problem });
        if config.name.is_empty() || routes.iter().take(number).any(|other| other.name == config.name) {
            wrong("every route needs a name of its own".to_owned());
        }
        if config.bins.is_empty() {
            wrong("bins: at least one beginning of card numbers is needed".to_owned());
        }
        if let Err(problem) = bins.add(number, &config.bins) {
            wrong(problem);
        }
        if config.line.is_empty() {
            wrong("at least one [[route.line]] is needed".to_owned());
        }
        for (name, value) in [("answer_ms", config.answer_ms), ("echo_ms", config.echo_ms)] {
            if value == 0 {
                wrong(format!("{name}: must be above 0"));
            }
        }
        if let Err(problem) = spoken(config) {
            wrong(problem);
        }
    }
    problems
}

/// Dialect, framing and MAC algorithm by their names.
fn spoken(config: &RouteConfig) -> Result<(Arc<Dialect>, Framing, MacAlgorithm), String> {
    let dialect = Dialect::builtin(&config.dialect)
        .ok_or_else(|| format!("dialect {:?}: there is none of this name", config.dialect))?;
    if ![7, 11, 32, 39, 70, 90].into_iter().all(|n| dialect.defines(n)) {
        return Err(format!(
            "dialect {:?} is not one that hosts of 1987 speak: it lacks DE 7, 70 or 90",
            config.dialect
        ));
    }
    let framing: Framing = config.framing.parse().map_err(|e| format!("framing: {e}"))?;
    if !matches!(framing, Framing::Len2 | Framing::Len4a) {
        return Err(format!("framing {:?}: expected len2 or len4a", config.framing));
    }
    Ok((dialect, framing, config.mac.parse()?))
}

impl Upstream {
    /// Begins to open all lines, and returns at once: a line that cannot be had is tried again and again. The receiver
    /// gets answers that come too late.
    ///
    /// # Errors
    /// The first of [`check`]'s problems; nothing is opened then.
    pub fn start(
        routes: &[RouteConfig],
        acquirer: &str,
        module: &Arc<dyn SecurityModule>,
        now: &Arc<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Late>), StartError> {
        if let Some(problem) = check(routes).into_iter().next() {
            return Err(problem);
        }
        let (stop, stopped) = watch::channel(false);
        let (late, later) = mpsc::channel(LATE);
        let (mut bins, mut links, mut tasks) = (Bins::default(), Vec::new(), Vec::new());
        for (number, config) in routes.iter().enumerate() {
            let failed = |problem| StartError { route: config.name.clone(), problem };
            bins.add(number, &config.bins).map_err(failed)?;
            let (dialect, framing, mac) = spoken(config).map_err(failed)?;
            let speech = Arc::new(Speech {
                dialect,
                framing,
                acquirer: config.acquirer.clone().unwrap_or_else(|| acquirer.to_owned()),
                forwarder: config.forwarder.clone(),
                profile: Profile::iso87().map_err(failed)?,
                mac: config.zone_mac_key.clone().map(|key| (KeyBlock::new(key), mac)),
                module: Arc::clone(module),
            });
            let opened = open(config, &speech, &late, now);
            tasks.extend(opened.1.into_iter().map(|line| tokio::spawn(line.run(stopped.clone()))));
            links.push(opened.0);
        }
        let upstream = Self { bins, routes: links, stop, tasks: Mutex::new(tasks) };
        Ok((Arc::new(upstream), later))
    }

    /// The route of a card.
    #[must_use]
    pub fn route(&self, pan: &Pan) -> Option<Route> {
        self.bins.find(pan)
    }

    /// The route with this name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Route> {
        self.routes.iter().position(|links| links.config.name == name).map(Route)
    }

    /// Is one of its lines signed on?
    #[must_use]
    pub fn is_up(&self, route: Route) -> bool {
        self.links(route).lines.iter().any(|door| door.standing.is_up())
    }

    /// A route's name.
    #[must_use]
    pub fn name(&self, route: Route) -> &str {
        &self.links(route).config.name
    }

    /// The zone PIN key of a route, and the format of its PIN blocks.
    #[must_use]
    pub fn zone(&self, route: Route) -> (&KeyBlock, PinBlockFormat) {
        let links = self.links(route);
        (&links.zone_pin_key, links.config.pin_format)
    }

    /// How long an issuer may take.
    #[must_use]
    pub fn patience(&self, route: Route) -> Duration {
        self.links(route).patience()
    }

    /// What an issuer's answer means.
    #[must_use]
    pub fn meaning(&self, route: Route, reply: &Reply) -> Meaning {
        self.links(route).speech.profile.meaning(reply.code)
    }

    /// Did this answer end a reversal?
    #[must_use]
    pub fn ends_undo(&self, route: Route, reply: &Reply) -> bool {
        !self.links(route).speech.profile.undo_again(reply.code)
    }

    /// Asks an issuer, on the first line that takes it.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self, route: Route, ask: &Ask<'_>, about: About) -> Result<Reply, AskError> {
        let links = self.links(route);
        let started = Instant::now();
        let answered = match links.speech.ask(ask).await {
            Ok(said) => links.exchange(said, about, started).await,
            Err(error) => Err(AskError::NotSent(error.to_string())),
        };
        metrics::asked(&links.config.name, outcome(&answered), started.elapsed());
        answered
    }

    /// Sends a reversal once. Whoever calls sends it again until it is answered.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn undo(&self, route: Route, undo: &UndoMessage<'_>, about: About) -> Result<Reply, AskError> {
        let links = self.links(route);
        let answered = match links.speech.undo(undo).await {
            Ok(said) => links.exchange(said, about, Instant::now()).await,
            Err(error) => Err(AskError::NotSent(error.to_string())),
        };
        metrics::undone(&links.config.name, outcome(&answered));
        answered
    }

    /// Routes and lines for people.
    #[must_use]
    pub fn status(&self) -> Vec<RouteStatus> {
        let line = |door: &Door| LineStatus {
            address: door.address,
            up: door.standing.is_up(),
            words: door.standing.words(),
        };
        let route = |links: &Links| RouteStatus {
            name: links.config.name.clone(),
            lines: links.lines.iter().map(line).collect(),
        };
        self.routes.iter().map(route).collect()
    }

    /// Signs off and closes all lines.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let _ = task.await;
        }
    }

    fn links(&self, route: Route) -> &Links {
        &self.routes[route.0]
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn open(
    config: &RouteConfig,
    speech: &Arc<Speech>,
    late: &mpsc::Sender<Late>,
    now: &Arc<dyn Fn() -> Timestamp + Send + Sync>,
) -> (Links, Vec<Line>) {
    let config = Arc::new(config.clone());
    let remembered = Duration::from_millis(config.answer_ms.saturating_add(config.late_ms));
    let table = Arc::new(Mutex::new(Table::new(config.in_flight, remembered)));
    let (mut doors, mut lines) = (Vec::new(), Vec::new());
    for (number, of) in config.line.iter().enumerate() {
        let (commands, queue) = mpsc::channel(COMMANDS);
        let standing = Arc::new(Standing::default());
        doors.push(Door {
            address: of.address,
            priority: of.priority,
            standing: Arc::clone(&standing),
            commands,
        });
        lines.push(Line {
            number,
            address: of.address,
            config: Arc::clone(&config),
            speech: Arc::clone(speech),
            table: Arc::clone(&table),
            standing,
            commands: queue,
            late: late.clone(),
            now: Arc::clone(now),
        });
    }
    let zone_pin_key = KeyBlock::new(config.zone_pin_key.clone());
    let links = Links {
        config,
        speech: Arc::clone(speech),
        zone_pin_key,
        table,
        lines: doors,
        turn: AtomicUsize::new(0),
    };
    (links, lines)
}

/// Did a line begin to send it? One that has not by the deadline never will.
async fn was_taken(mut sent: oneshot::Receiver<()>, deadline: tokio::time::Instant) -> bool {
    if let Ok(taken) = timeout_at(deadline, &mut sent).await {
        return taken.is_ok();
    }
    sent.close();
    sent.try_recv().is_ok()
}

fn outcome(answered: &Result<Reply, AskError>) -> &'static str {
    match answered {
        Ok(_) => "answered",
        Err(AskError::NotSent(_)) => "not-sent",
        Err(AskError::Unknown) => "unknown",
    }
}

impl Links {
    fn patience(&self) -> Duration {
        Duration::from_millis(self.config.answer_ms)
    }

    /// Sends on one line after the other until one takes it, and waits for the answer.
    async fn exchange(
        &self,
        (frame, key): Said,
        about: crate::table::About,
        started: Instant,
    ) -> Result<Reply, AskError> {
        let deadline = tokio::time::Instant::from_std(started + self.patience());
        for (number, door) in self.in_order() {
            let registered = self.table().register(key, number, about, Instant::now());
            let Some(mut answer) = registered else {
                return Err(AskError::NotSent("too many questions are under way".to_owned()));
            };
            let (taken, sent) = oneshot::channel();
            let offered = door.commands.try_send(Command { frame: frame.clone(), taken });
            if offered.is_err() || !was_taken(sent, deadline).await {
                self.table().unregister(&key);
                continue;
            }
            let waited = timeout_at(deadline, &mut answer).await;
            // An answer that came in the same moment is no late one.
            answer.close();
            return match waited.ok().or_else(|| answer.try_recv().ok().map(Ok)) {
                Some(Ok(Ok(reply))) => Ok(reply),
                Some(Ok(Err(_)) | Err(_)) => Err(AskError::Unknown),
                None => {
                    door.standing.was_silent(self.config.unanswered);
                    Err(AskError::Unknown)
                }
            };
        }
        Err(AskError::NotSent("no line is up".to_owned()))
    }

    /// The lines that are up, best first; equal ones take turns.
    fn in_order(&self) -> Vec<(usize, &Door)> {
        let mut up: Vec<_> =
            self.lines.iter().enumerate().filter(|(_, door)| door.standing.is_up()).collect();
        if !up.is_empty() {
            let turn = self.turn.fetch_add(1, Relaxed) % up.len();
            up.rotate_left(turn);
        }
        up.sort_by_key(|(_, door)| door.priority);
        up
    }

    fn table(&self) -> std::sync::MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
