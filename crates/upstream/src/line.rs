//! One line: a connection that is kept open, signed on and alive; what is said goes through here, and so does what is
//! heard.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use iso8583::FrameLimit;
use model::{Stan, Timestamp};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Notify, mpsc, oneshot, watch},
    time::{sleep_until, timeout},
};
use tracing::{debug, info, warn};
use zeroize::Zeroizing;

use crate::{
    config::RouteConfig,
    message::{Heard, MAC_INVALID, Speech},
    metrics,
    session::{Due, Session},
    table::{Matched, Table},
    upstream::Late,
};

/// Frames that may wait for the socket; with more the line is as good as down.
pub(crate) const COMMANDS: usize = 1024;
/// Frames that leave in one write.
const BATCH: usize = 64;
const READ_BYTES: usize = 16 * 1024;

/// A frame to be sent.
pub(crate) struct Command {
    pub(crate) frame: Zeroizing<Vec<u8>>,
    /// Told before the first byte leaves. Whoever has gone away by then does not want it sent any more.
    pub(crate) taken: oneshot::Sender<()>,
}

/// What is known about a line from outside.
#[derive(Default)]
pub(crate) struct Standing {
    up: AtomicBool,
    /// Questions in a row without an answer.
    unanswered: AtomicU32,
    doubt: Notify,
    /// What it is doing, for people.
    words: Mutex<String>,
}

impl Standing {
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Relaxed)
    }

    pub(crate) fn words(&self) -> String {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A question was not answered in time.
    pub(crate) fn was_silent(&self, limit: u32) {
        if self.unanswered.fetch_add(1, Relaxed) + 1 >= limit {
            self.doubt.notify_one();
        }
    }

    fn say(&self, words: impl Into<String>) {
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = words.into();
    }
}

/// What a line needs of its route.
pub(crate) struct Line {
    pub(crate) number: usize,
    pub(crate) address: SocketAddr,
    pub(crate) config: Arc<RouteConfig>,
    pub(crate) speech: Arc<Speech>,
    pub(crate) table: Arc<Mutex<Table>>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) late: mpsc::Sender<Late>,
    pub(crate) now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Why a connection ended.
enum End {
    Stopped,
    Broken(String),
}

impl Line {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        let first = Duration::from_millis(self.config.reconnect_ms.max(1));
        let most = Duration::from_millis(self.config.reconnect_most_ms).max(first);
        let mut pause = first;
        loop {
            self.standing.say("connecting");
            let ended = match self.connect(&mut stopped).await {
                Ok(stream) => self.serve(stream, &mut stopped, &mut pause, first).await,
                Err(end) => end,
            };
            self.down();
            match ended {
                End::Stopped => return self.standing.say("stopped"),
                End::Broken(why) => {
                    debug!(route = %self.config.name, line = %self.address, %why, "line down");
                    self.standing.say(format!("down: {why}"));
                }
            }
            if self.rest(pause, &mut stopped).await {
                return self.standing.say("stopped");
            }
            pause = (pause * 2).min(most);
        }
    }

    async fn connect(&self, stopped: &mut watch::Receiver<bool>) -> Result<TcpStream, End> {
        let patience = Duration::from_millis(self.config.connect_ms);
        tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => Err(End::Stopped),
            opened = timeout(patience, TcpStream::connect(self.address)) => match opened {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    Ok(stream)
                }
                Ok(Err(error)) => Err(End::Broken(error.to_string())),
                Err(_) => Err(End::Broken("no connection in time".to_owned())),
            },
        }
    }

    /// Waits before the next attempt. What was to be sent meanwhile goes back, to be sent on another line.
    async fn rest(&mut self, pause: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
        let end = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return true,
                () = sleep_until(end) => return false,
                command = self.commands.recv() => if command.is_none() { return true },
            }
        }
    }

    /// From sign-on to the end of the connection.
    async fn serve(
        &mut self,
        stream: TcpStream,
        stopped: &mut watch::Receiver<bool>,
        pause: &mut Duration,
        first_pause: Duration,
    ) -> End {
        let (read, write) = stream.into_split();
        let config = Arc::clone(&self.config);
        let patience = Duration::from_millis(config.network_ms.max(1));
        let silence = Duration::from_millis(config.echo_ms.max(1));
        let mut talk = Talk {
            line: self,
            session: Session::new(silence, patience, Instant::now()),
            read,
            write,
            patience,
            buffer: Vec::with_capacity(READ_BYTES),
            stan: 0,
        };
        talk.line.standing.say("signing on");
        let sign_on = talk.line.speech.profile.network.sign_on.clone();
        if let Err(why) = talk.manage(&sign_on).await {
            return End::Broken(why);
        }
        loop {
            if let Some(end) = talk.step(stopped).await {
                if matches!(end, End::Stopped) && talk.session.is_up() {
                    let sign_off = talk.line.speech.profile.network.sign_off.clone();
                    let _ = talk.manage(&sign_off).await;
                }
                return end;
            }
            if talk.line.standing.is_up() {
                *pause = first_pause;
            }
        }
    }

    fn up(&self) {
        if !self.standing.up.swap(true, Relaxed) {
            self.standing.unanswered.store(0, Relaxed);
            self.standing.say("up");
            metrics::line_up(&self.config.name, 1.0);
            info!(route = %self.config.name, line = %self.address, "line up");
        }
    }

    /// Nobody waits for this line any more, and what was not sent goes back.
    fn down(&mut self) {
        if self.standing.up.swap(false, Relaxed) {
            metrics::line_up(&self.config.name, -1.0);
            warn!(route = %self.config.name, line = %self.address, "line down");
        }
        while self.commands.try_recv().is_ok() {}
        self.table.lock().unwrap_or_else(PoisonError::into_inner).broke(self.number);
    }
}

/// What a connection waited for.
enum Happened {
    Stop,
    Commands,
    Read(std::io::Result<usize>),
    Doubt,
    Nothing,
}

/// One connection at work.
struct Talk<'a> {
    line: &'a mut Line,
    session: Session,
    read: OwnedReadHalf,
    write: OwnedWriteHalf,
    patience: Duration,
    buffer: Vec<u8>,
    /// Trace numbers of network management.
    stan: u32,
}

impl Talk<'_> {
    /// Does the next thing; `Some` when the connection has ended.
    async fn step(&mut self, stopped: &mut watch::Receiver<bool>) -> Option<End> {
        let until = match self.session.due(Instant::now()) {
            Due::Wait(until) => until,
            Due::Dead => return Some(End::Broken("the other side does not answer".to_owned())),
            Due::Echo => {
                let echo = self.line.speech.profile.network.echo.clone();
                return self.manage(&echo).await.err().map(End::Broken);
            }
        };
        let is_up = self.session.is_up();
        let standing = Arc::clone(&self.line.standing);
        let mut commands = Vec::new();
        let happened = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => Happened::Stop,
            taken = self.line.commands.recv_many(&mut commands, BATCH), if is_up => {
                if taken == 0 { Happened::Stop } else { Happened::Commands }
            }
            read = self.read.read_buf(&mut self.buffer) => Happened::Read(read),
            () = standing.doubt.notified() => Happened::Doubt,
            () = sleep_until(until.into()) => Happened::Nothing,
        };
        let done = match happened {
            Happened::Stop => return Some(End::Stopped),
            Happened::Commands => self.send(commands).await,
            Happened::Read(Ok(0)) => Err("closed by the other side".to_owned()),
            Happened::Read(Ok(_)) => self.take_frames().await,
            Happened::Read(Err(error)) => Err(error.to_string()),
            Happened::Doubt => {
                self.session.doubt();
                Ok(())
            }
            Happened::Nothing => Ok(()),
        };
        done.err().map(End::Broken)
    }

    /// Sends what is still wanted, in one write.
    async fn send(&mut self, commands: Vec<Command>) -> Result<(), String> {
        let mut bytes = Zeroizing::new(Vec::new());
        for command in commands {
            if command.taken.send(()).is_ok() {
                bytes.extend_from_slice(&command.frame);
            }
        }
        self.put(&bytes).await
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), String> {
        match timeout(self.patience, self.write.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the other side takes nothing".to_owned()),
        }
    }

    /// Sends a network management message.
    async fn manage(&mut self, code: &str) -> Result<(), String> {
        self.stan = self.stan % 999_999 + 1;
        let stan = Stan::new(self.stan).map_err(|error| error.to_string())?;
        let frame = self.line.speech.network(code, stan, (self.line.now)()).map_err(|e| e.to_string())?;
        self.put(&frame).await
    }

    async fn take_frames(&mut self) -> Result<(), String> {
        let framing = self.line.speech.framing;
        let mut used = 0;
        loop {
            let rest = self.buffer.get(used..).unwrap_or_default();
            let frame = framing.split(rest, FrameLimit::default()).map_err(|error| error.to_string())?;
            let Some(frame) = frame else { break };
            let body = Zeroizing::new(frame.body.to_vec());
            used += frame.consumed;
            self.session.heard(Instant::now());
            self.heard(&body).await?;
        }
        self.buffer.drain(..used);
        Ok(())
    }

    async fn heard(&mut self, body: &[u8]) -> Result<(), String> {
        let route = &self.line.config.name;
        match self.line.speech.hear(body).await {
            Heard::Answer(key, reply) => {
                self.line.standing.unanswered.store(0, Relaxed);
                let now = Instant::now();
                let table = &self.line.table;
                let matched = table.lock().unwrap_or_else(PoisonError::into_inner).answered(&key, reply, now);
                match matched {
                    Matched::Delivered => {}
                    Matched::Late(about, after) => {
                        metrics::late(route);
                        let late = Late { route: route.clone(), about, reply, after };
                        if self.line.late.try_send(late).is_err() {
                            warn!(%route, stan = %about.stan, "a late answer was not recorded: too many at once");
                        }
                    }
                    Matched::Unknown => {
                        metrics::unmatched(route);
                        debug!(%route, ?key, "an answer to no question");
                    }
                }
            }
            Heard::Network { accepted } => {
                if !self.session.network(accepted) {
                    return Err("the other side refused our sign-on".to_owned());
                }
                self.line.up();
            }
            Heard::Asked(answer) => self.put(&answer).await?,
            Heard::Nonsense(what) => {
                if what == MAC_INVALID {
                    metrics::mac_invalid(route);
                }
                warn!(%route, line = %self.line.address, what, "a message that is not taken");
            }
        }
        Ok(())
    }
}
