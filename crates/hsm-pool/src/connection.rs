//! One connection to a device: opened, greeted with NC, then served until it breaks. Commands go in through a bounded
//! queue; as many as agreed are under way at once.
//!
//! When a command's time is over, the connection takes no new ones: either the late reply still comes and is thrown away,
//! or the others under way are answered and the connection is closed. A reply that nobody asked for closes it at once.

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hsm::payshield::{
    Command, Completed, Content, Encoded, ErrorCode, ExchangeId, Framing, Reply, Session, SessionError,
    reply::Diagnostics,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout, timeout_at},
};
use zeroize::{Zeroize, Zeroizing};

/// How long a device may take to answer NC, as its manual says.
pub(crate) const DIAGNOSTICS_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes read at once.
const READ_BUFFER: usize = 8 * 1024;

/// Bytes that usually wait to be written: many times a command.
const WRITE_BUFFER: usize = 16 * 1024;

/// Each connection counts its headers from somewhere else.
const APART: u64 = 7919;

/// Why a command has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// No connection, or it was closed.
    #[error("the connection was closed")]
    Closed,
    /// Not in time.
    #[error("no answer in time")]
    TimedOut,
    /// What came was no reply to what was asked.
    #[error("garbage on the connection: {0}")]
    Garbage(SessionError),
    /// All queues are full.
    #[error("overloaded")]
    Overloaded,
    /// No device is to be asked.
    #[error("no HSM can be reached")]
    NoDevice,
    /// A device with another LMK.
    #[error("the HSM has another LMK, check value {0}")]
    OtherLmk(String),
    /// The device answers NC with an error.
    #[error("the HSM answers NC with error {0}")]
    Diagnostics(ErrorCode),
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

/// A command on its way to a connection.
pub(crate) struct Job {
    pub(crate) command: Arc<Encoded>,
    pub(crate) until: Instant,
    pub(crate) reply: oneshot::Sender<Result<Reply, Failure>>,
}

impl Job {
    /// Tells the caller, who may be gone.
    fn fail(self, failure: Failure) {
        let _gone = self.reply.send(Err(failure));
    }
}

/// How connections are made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) framing: Framing,
    pub(crate) in_flight: usize,
    pub(crate) timeout: Duration,
    pub(crate) idle: Duration,
}

/// A connection that answered NC.
pub(crate) struct Opened {
    stream: TcpStream,
    session: Session,
    pub(crate) diagnostics: Diagnostics,
}

/// Connects and asks NC.
pub(crate) async fn open(address: &str, manner: Manner) -> Result<Opened, Failure> {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
    let first = CONNECTIONS.fetch_add(1, Ordering::Relaxed).wrapping_mul(APART);
    let connecting = timeout(manner.timeout, TcpStream::connect(address));
    let mut stream = connecting.await.map_err(|_| Failure::TimedOut)??;
    stream.set_nodelay(true)?;
    let mut session = Session::new(manner.framing, manner.in_flight, first);
    let command = Command::Diagnostics.encode(None).map_err(|_| Failure::Closed)?;
    let reply = timeout(DIAGNOSTICS_TIMEOUT, ask_alone(&mut stream, &mut session, &command));
    let reply = reply.await.map_err(|_| Failure::TimedOut)??;
    match reply.content {
        Content::Diagnostics(diagnostics) => Ok(Opened { stream, session, diagnostics }),
        _ => Err(Failure::Diagnostics(reply.error)),
    }
}

/// One command on a connection that has no other.
async fn ask_alone(
    stream: &mut TcpStream,
    session: &mut Session,
    command: &Encoded,
) -> Result<Reply, Failure> {
    let mut out = Zeroizing::new(Vec::new());
    session.send(command, &mut out).map_err(Failure::Garbage)?;
    stream.write_all(&out).await?;
    let mut buffer = Zeroizing::new([0; 512]);
    let mut completed = Vec::new();
    loop {
        let length = stream.read(&mut *buffer).await?;
        if length == 0 {
            return Err(Failure::Closed);
        }
        session.receive(&buffer[..length], &mut completed).map_err(Failure::Garbage)?;
        if let Some(Completed { reply: Some(reply), .. }) = completed.pop() {
            return Ok(reply);
        }
    }
}

/// What a connection tells its device.
pub(crate) trait Watch {
    /// May commands be given to the connection?
    fn ready(&self, ready: bool);
    /// A reply came.
    fn answered(&self, command: &Encoded, reply: &Reply);
    /// A command's time was over, or the connection broke with commands under way.
    fn failed(&self);
}

/// Serves commands until the connection breaks or nobody can send any more. Commands under way are failed.
pub(crate) async fn serve(
    opened: Opened,
    jobs: &mut mpsc::Receiver<Job>,
    manner: Manner,
    watch: &impl Watch,
) -> Failure {
    // Room for what is usually under way at once, so that no PIN block stays behind where the bytes were before.
    let out = Zeroizing::new(Vec::with_capacity(WRITE_BUFFER));
    let mut connection = Serving { session: opened.session, under_way: BTreeMap::new(), out };
    watch.ready(true);
    let failure = connection.run(opened.stream, jobs, manner, watch).await;
    watch.ready(false);
    if !connection.under_way.is_empty() {
        watch.failed();
    }
    for job in std::mem::take(&mut connection.under_way).into_values() {
        job.fail(failure.clone());
    }
    failure
}

struct Serving {
    session: Session,
    under_way: BTreeMap<ExchangeId, Job>,
    out: Zeroizing<Vec<u8>>,
}

impl Serving {
    async fn run(
        &mut self,
        stream: TcpStream,
        jobs: &mut mpsc::Receiver<Job>,
        manner: Manner,
        watch: &impl Watch,
    ) -> Failure {
        let (mut reader, mut writer) = stream.into_split();
        let mut buffer = Zeroizing::new(vec![0; READ_BUFFER]);
        loop {
            let next = self.under_way.values().map(|waiting| waiting.until).min();
            let wake = next.unwrap_or_else(|| Instant::now() + manner.idle);
            let takes_more = self.session.has_room() && self.session.overdue() == 0;
            let outcome = tokio::select! {
                read = reader.read(&mut buffer) => match read {
                    Ok(0) | Err(_) => Err(Failure::Closed),
                    Ok(length) => {
                        let outcome = self.receive(&buffer[..length], watch);
                        buffer[..length].zeroize();
                        outcome
                    }
                },
                written = writer.write(&self.out), if !self.out.is_empty() => match written {
                    Ok(0) | Err(_) => Err(Failure::Closed),
                    Ok(length) => {
                        self.out.drain(..length);
                        if self.out.is_empty() {
                            self.out.zeroize(); // all of it: PIN blocks were in what is sent
                        }
                        Ok(())
                    }
                },
                job = jobs.recv(), if takes_more => match job {
                    None => Err(Failure::Closed),
                    Some(job) => self.send(job),
                },
                () = sleep_until(wake) => match next {
                    Some(_) => {
                        self.expire(watch);
                        Ok(())
                    }
                    None => self.try_idle(),
                },
            };
            if let Err(failure) = outcome {
                return failure;
            }
            watch.ready(self.session.overdue() == 0);
            if self.session.overdue() > 0 && self.under_way.is_empty() {
                return Failure::TimedOut;
            }
        }
    }

    fn send(&mut self, job: Job) -> Result<(), Failure> {
        if job.reply.is_closed() {
            return Ok(()); // the caller is gone
        }
        if job.until <= Instant::now() {
            job.fail(Failure::TimedOut);
            return Ok(());
        }
        match self.session.send(&job.command, &mut self.out) {
            Ok(id) => {
                self.under_way.insert(id, job);
                Ok(())
            }
            // A command that is too long was not sent; the connection is as it was.
            Err(error @ (SessionError::Frame(_) | SessionError::Full)) => {
                job.fail(Failure::Garbage(error));
                Ok(())
            }
            Err(error) => {
                job.fail(Failure::Closed);
                Err(Failure::Garbage(error))
            }
        }
    }

    /// NC on a connection that nobody used for a while. Its reply goes nowhere but to the device's breaker.
    fn try_idle(&mut self) -> Result<(), Failure> {
        let command = Command::Diagnostics.encode(None).map_err(|_| Failure::Closed)?;
        let id = self.session.send(&command, &mut self.out).map_err(Failure::Garbage)?;
        let (reply, _nobody) = oneshot::channel();
        let job = Job { command: Arc::new(command), until: Instant::now() + DIAGNOSTICS_TIMEOUT, reply };
        self.under_way.insert(id, job);
        Ok(())
    }

    /// What was completed before the garbage in the same bytes counts; what comes after it does not.
    fn receive(&mut self, bytes: &[u8], watch: &impl Watch) -> Result<(), Failure> {
        let mut completed = Vec::new();
        let outcome = self.session.receive(bytes, &mut completed);
        for Completed { id, reply } in completed {
            let waiting = self.under_way.remove(&id);
            if let (Some(job), Some(reply)) = (waiting, reply) {
                watch.answered(&job.command, &reply);
                let _gone = job.reply.send(Ok(reply));
            }
        }
        outcome.map_err(Failure::Garbage)
    }

    fn expire(&mut self, watch: &impl Watch) {
        let now = Instant::now();
        for (id, job) in self.under_way.extract_if(.., |_, waiting| waiting.until <= now) {
            self.session.time_over(id);
            watch.failed();
            job.fail(Failure::TimedOut);
        }
    }
}

/// Waits for something while there is no connection: commands that still come are failed at once.
pub(crate) async fn refusing<T>(
    jobs: &mut mpsc::Receiver<Job>,
    waiting: impl Future<Output = T>,
) -> Option<T> {
    tokio::pin!(waiting);
    loop {
        tokio::select! {
            done = &mut waiting => return Some(done),
            job = jobs.recv() => match job {
                Some(job) => job.fail(Failure::Closed),
                None => return None,
            },
        }
    }
}

/// Waits for the reply of a job.
pub(crate) async fn reply_of(
    reply: oneshot::Receiver<Result<Reply, Failure>>,
    until: Instant,
) -> Result<Reply, Failure> {
    match timeout_at(until, reply).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(Failure::Closed),
        Err(_) => Err(Failure::TimedOut),
    }
}
