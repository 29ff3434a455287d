//! One connection, in clear or in TLS, in one task: frames are cut out of what arrives, their requests are worked on side by
//! side, and answers leave in as few writes as possible (the system call is the cost, not the bytes).
//!
//! Nothing here grows with what a peer sends or does not take: frames under way, bytes of a frame that was begun and bytes
//! of answers that wait are all limited, and so are the times for each.
//!
//! A request that was begun is finished, whatever becomes of its connection.

mod incoming;
mod outgoing;
mod under_way;

use std::{fmt, future::poll_fn, io, net::SocketAddr, sync::Arc, time::Duration};

use iso8583::{Header, Tpdu};
use model::TerminalId;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, Sleep},
};
use tracing::{debug, error};

use self::{
    incoming::{Incoming, Next},
    outgoing::{Outgoing, Stuck},
    under_way::{Panicked, UnderWay},
};
use crate::{
    Shared,
    listener::Link,
    metrics,
    sandbox::Delivery,
    signal,
    stages::{self, Handled},
    throttle::causes::Cause,
};

/// When the alarm goes off if nothing is due.
const NOTHING_DUE: Duration = Duration::from_secs(3600);

/// Who is at the other end.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The terminals in whose name it may speak; `None`: any.
    pub(crate) terminals: Option<Vec<TerminalId>>,
}

impl Peer {
    /// Somebody without a certificate.
    pub(crate) fn anybody(address: SocketAddr) -> Self {
        Self { address, terminals: None }
    }

    /// May it send a message in this terminal's name?
    pub(crate) fn may_speak_for(&self, terminal: &TerminalId) -> bool {
        self.terminals.as_ref().is_none_or(|own| own.contains(terminal))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// A frame, cut out and owned by its request.
pub(crate) struct Arrived {
    pub(crate) tpdu: Option<Tpdu>,
    pub(crate) header: Option<Header>,
    pub(crate) body: Vec<u8>,
    pub(crate) received: std::time::Instant,
}

/// Serves a connection until it ends.
pub(crate) async fn run<R, W>(
    read: R,
    write: W,
    peer: Peer,
    shared: Arc<Shared>,
    link: Arc<Link>,
    stopped: watch::Receiver<bool>,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (peer, shared, link) = (&peer, &*shared, &*link);
    let begin = |arrived| answer(shared, link, peer, arrived);
    let connection = Connection {
        incoming: Incoming::new(read, link),
        outgoing: Outgoing::new(write, link),
        under_way: UnderWay::new(),
        ended: Vec::new(),
        begin,
        desk: Desk { peer, shared, link },
    };
    let why = connection.serve(stopped).await;
    if let Err(cause) = why {
        shared.tally.refused(cause, peer);
    }
    debug!(%peer, why = why.unwrap_or_else(Cause::name), "connection ends");
}

/// Works on one frame until its answer may leave.
async fn answer(shared: &Shared, link: &Link, peer: &Peer, arrived: Arrived) -> Handled {
    let handled = stages::handle(shared, link, peer, arrived).await;
    if handled.delivery == Delivery::Late {
        tokio::time::sleep(Duration::from_millis(shared.settings.sandbox_late_reply_ms)).await;
    }
    handled
}

#[derive(Clone, Copy)]
struct Desk<'a> {
    peer: &'a Peer,
    shared: &'a Shared,
    link: &'a Link,
}

impl Desk<'_> {
    /// The connection ended before this terminal's answer had left.
    fn cut(&self, terminal: TerminalId) {
        self.shared.signals.tell(terminal, self.shared.now(), signal::Kind::Cut);
    }
}

struct Connection<'a, R, W, B, F> {
    incoming: Incoming<R>,
    outgoing: Outgoing<W>,
    under_way: UnderWay<F>,
    ended: Vec<Result<Handled, Panicked>>,
    begin: B,
    desk: Desk<'a>,
}

/// What a connection waits for.
enum Woken {
    Ended,
    Sent(Result<(), Stuck>),
    Read(io::Result<usize>),
    Alarm,
    Stopped,
}

/// Why nothing more is read.
enum End {
    /// What is under way is answered, then the connection closes.
    Drain(Result<&'static str, Cause>),
    /// What is answered leaves, then the connection closes.
    HangUp(Result<&'static str, Cause>),
    /// The connection closes at once.
    Cut(Result<&'static str, Cause>),
}

impl From<Stuck> for End {
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Gone => Self::Cut(Ok("write failed")),
            Stuck::Slow => Self::Cut(Err(Cause::SlowReader)),
        }
    }
}

impl<R, W, B, F> Connection<'_, R, W, B, F>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    B: Fn(Arrived) -> F,
    F: Future<Output = Handled>,
{
    /// Whether the peer, a shutdown, or (as an error) a limit ended it, and which.
    async fn serve(mut self, mut stopped: watch::Receiver<bool>) -> Result<&'static str, Cause> {
        let mut alarm = Box::pin(tokio::time::sleep_until(self.incoming.deadline(self.desk.link).0));
        let end = match self.read_and_answer(&mut stopped, &mut alarm).await {
            End::Drain(why) => self.drain(&mut alarm).await.unwrap_or(End::HangUp(why)),
            end => end,
        };
        let Self { outgoing, mut under_way, mut ended, .. } = self;
        let why = match end {
            End::HangUp(why) | End::Drain(why) => {
                outgoing.hang_up().await;
                why
            }
            End::Cut(why) => {
                outgoing.unsent().for_each(|terminal| self.desk.cut(terminal));
                drop(outgoing);
                why
            }
        };
        // Nobody hears these answers; their entries are finished all the same.
        while !under_way.is_empty() {
            poll_fn(|cx| under_way.poll_ended(cx, &mut ended)).await;
            for handled in ended.drain(..).flatten() {
                self.desk.cut(handled.terminal);
            }
        }
        why
    }

    async fn read_and_answer(
        &mut self,
        stopped: &mut watch::Receiver<bool>,
        alarm: &mut std::pin::Pin<Box<Sleep>>,
    ) -> End {
        let mut was_read = true;
        let mut stop = std::pin::pin!(stopped.wait_for(|stopped| *stopped));
        loop {
            let reads = self.has_room() && self.incoming.pause(Instant::now()).is_none();
            if reads && !was_read {
                self.incoming.excuse();
            }
            was_read = reads;
            self.arm(alarm, reads);
            let begun = self.incoming.is_begun();
            let woken = {
                let Self { incoming, outgoing, under_way, ended, .. } = self;
                tokio::select! {
                    biased;
                    () = poll_fn(|cx| under_way.poll_ended(cx, ended)) => Woken::Ended,
                    sent = poll_fn(|cx| outgoing.poll_sent(cx)), if !outgoing.is_empty() => Woken::Sent(sent),
                    read = incoming.read(), if reads => Woken::Read(read),
                    () = alarm.as_mut() => Woken::Alarm,
                    _ = &mut stop => Woken::Stopped,
                }
            };
            let taken = match woken {
                Woken::Ended => self.collect().and_then(|()| self.take_frames(true)),
                Woken::Sent(sent) => sent.map_err(End::from).and_then(|()| self.take_frames(true)),
                Woken::Read(Ok(0)) => Err(End::Drain(Ok("the peer closed"))),
                Woken::Read(Ok(_)) if self.incoming.is_client_hello() => {
                    Err(End::Drain(Err(Cause::TlsOnPlain)))
                }
                Woken::Read(Ok(_)) => self.take_frames(begun),
                Woken::Read(Err(_)) => Err(End::Drain(Ok("read failed"))),
                Woken::Alarm => self.look_at_the_clock(reads).and_then(|()| self.take_frames(true)),
                Woken::Stopped => Err(End::Drain(Ok("the host shuts down"))),
            };
            if let Err(end) = taken {
                return end;
            }
        }
    }

    /// Answers what is under way, unless something ends that.
    async fn drain(&mut self, alarm: &mut std::pin::Pin<Box<Sleep>>) -> Option<End> {
        while !self.under_way.is_empty() || !self.outgoing.is_empty() {
            self.arm(alarm, false);
            let woken = {
                let Self { outgoing, under_way, ended, .. } = self;
                tokio::select! {
                    biased;
                    () = poll_fn(|cx| under_way.poll_ended(cx, ended)) => Woken::Ended,
                    sent = poll_fn(|cx| outgoing.poll_sent(cx)), if !outgoing.is_empty() => Woken::Sent(sent),
                    () = alarm.as_mut() => Woken::Alarm,
                }
            };
            let gone_on = match woken {
                Woken::Ended => self.collect(),
                Woken::Sent(sent) => sent.map_err(End::from),
                Woken::Alarm => self.look_at_the_clock(false),
                Woken::Read(_) | Woken::Stopped => Ok(()),
            };
            if let Err(end) = gone_on {
                return Some(end);
            }
        }
        None
    }

    /// May one more frame be taken?
    fn has_room(&self) -> bool {
        self.under_way.len() + self.outgoing.answers() < self.desk.link.limits.in_flight_per_connection
    }

    /// Begins a request for each whole frame that was read, while there is room. `begun`: a frame was begun before the last
    /// bytes came, or none came.
    fn take_frames(&mut self, begun: bool) -> Result<(), End> {
        let Desk { peer, shared, link } = self.desk;
        let mut taken = 0;
        let outcome = loop {
            if !self.has_room() || self.incoming.pause(Instant::now()).is_some() {
                break Ok(());
            }
            match self.incoming.next(&mut taken, link, peer, shared) {
                Ok(Next::Frame(arrived)) => self.under_way.begin((self.begin)(arrived)),
                Ok(Next::Bytes | Next::Later) => break Ok(()),
                Err(error) => {
                    metrics::frame_refused();
                    debug!(%peer, %error, "impossible frame");
                    break Err(End::Drain(Err(Cause::ImpossibleFrame)));
                }
            }
        };
        self.incoming.forget(taken, begun);
        outcome
    }

    /// Puts the answers of ended requests on their way.
    fn collect(&mut self) -> Result<(), End> {
        let peer = self.desk.peer;
        let mut end = Ok(());
        for ended in self.ended.drain(..) {
            match ended {
                Ok(Handled { delivery: Delivery::Lost, frame: Some(_), .. }) => {}
                Ok(Handled { frame: Some(frame), terminal, .. }) => self.outgoing.put(&frame, terminal),
                Ok(Handled { frame: None, .. }) => end = Err(End::HangUp(Err(Cause::Unanswerable))),
                Err(Panicked) => {
                    error!(%peer, "a request ended with a panic; its connection is closed");
                    end = Err(End::HangUp(Ok("a request panicked")));
                }
            }
        }
        end
    }

    /// Sets the alarm for whatever is due first. It may go off too early, never too late: setting it costs more than looking.
    fn arm(&mut self, alarm: &mut std::pin::Pin<Box<Sleep>>, reads: bool) {
        let paused = self.incoming.pause(Instant::now());
        let reading = reads.then(|| self.incoming.deadline(self.desk.link).0);
        let due = [paused, reading, self.outgoing.deadline()].into_iter().flatten().min();
        let due = due.unwrap_or_else(|| Instant::now() + NOTHING_DUE);
        if due < alarm.deadline() || alarm.is_elapsed() {
            alarm.as_mut().reset(due);
        }
    }

    fn look_at_the_clock(&self, reads: bool) -> Result<(), End> {
        let now = Instant::now();
        if self.outgoing.deadline().is_some_and(|due| due <= now) {
            return Err(End::Cut(Err(Cause::SlowReader)));
        }
        let (due, cause) = self.incoming.deadline(self.desk.link);
        if reads && due <= now { Err(End::Drain(Err(cause))) } else { Ok(()) }
    }
}
