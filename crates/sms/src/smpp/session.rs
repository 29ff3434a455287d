//! One session after the other: connect, bind, work, and begin anew a while after it ended.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, timeout},
};
use tokio_rustls::rustls::ClientConfig;
use zeroize::Zeroizing;

use super::{
    SmppSettings,
    pdu::{self, Command, Pdu, Submit},
    text::Encoded,
};
use crate::{
    gateway::{NotTaken, Receipt, Taken},
    tls,
};

/// Until a connection stands, and until the centre has answered a bind.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Until an answer to anything else; after that the session is dead.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Between two sessions: doubled each time, so many times.
const AGAIN: Duration = Duration::from_millis(500);
const DOUBLED_MAX: u32 = 6;
/// Units that were read and wait.
const READ_AHEAD: usize = 64;
/// How often it is looked whether something took too long.
const TICK: Duration = Duration::from_millis(250);
/// `ESME_RMSGQFUL` and `ESME_RTHROTTLED` (SMPP 3.4, 5.1.3): later.
const LATER: [u32; 2] = [0x14, 0x58];

/// What a session is made of.
pub(super) struct Line {
    pub(super) settings: SmppSettings,
    pub(super) password: Zeroizing<String>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) receipts: mpsc::Sender<Receipt>,
}

/// A message that is to be sent, part by part.
pub(super) struct Job {
    to: Zeroizing<String>,
    coding: u8,
    has_header: bool,
    parts: VecDeque<Vec<u8>>,
    /// Has the centre taken a part?
    begun: bool,
    answer: oneshot::Sender<Result<Taken, NotTaken>>,
}

impl Job {
    pub(super) fn new(
        to: Zeroizing<String>,
        encoded: Encoded,
        answer: oneshot::Sender<Result<Taken, NotTaken>>,
    ) -> Self {
        let Encoded { coding, has_header, parts } = encoded;
        Self { to, coding, has_header, parts: parts.into(), begun: false, answer }
    }

    fn end(self, outcome: Result<Taken, NotTaken>) {
        // Whoever asked may have given up.
        let _ = self.answer.send(outcome);
    }
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("no connection: {0}")]
    Connection(String),
    #[error("the centre refused the bind with status {0:#x}")]
    Refused(u32),
    #[error("the line broke: {0}")]
    Broke(#[from] io::Error),
    #[error("nonsense from the centre: {0}")]
    Nonsense(#[from] pdu::BadPdu),
    #[error("the centre does not answer")]
    Silent,
    #[error("the centre ended the session")]
    Unbound,
    #[error("nobody sends any more")]
    Stopped,
}

/// Keeps a session until nobody sends any more. While there is none, jobs are told to come again.
pub(super) async fn keep(line: Line, mut jobs: mpsc::Receiver<Job>) {
    let mut failed = 0;
    loop {
        let ended = match bound(&line).await {
            Ok((reader, writer)) => {
                failed = 0;
                tracing::info!(host = %line.settings.host, "bound to the message centre");
                work(&line, reader, writer, &mut jobs).await
            }
            Err(ended) => ended,
        };
        if matches!(ended, Ended::Stopped) {
            return;
        }
        tracing::warn!(host = %line.settings.host, why = %ended, "no session with the message centre");
        let wait = AGAIN * 2_u32.pow(failed);
        failed = (failed + 1).min(DOUBLED_MAX);
        if !told_to_come_again(&mut jobs, Instant::now() + wait).await {
            return;
        }
    }
}

/// Until it is time; `false` when nobody sends any more.
async fn told_to_come_again(jobs: &mut mpsc::Receiver<Job>, until: Instant) -> bool {
    loop {
        match tokio::time::timeout_at(until, jobs.recv()).await {
            Ok(Some(job)) => job.end(Err(NotTaken::for_now("no session with the message centre"))),
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

type Reader = ReadHalf<Box<dyn Stream>>;
type Writer = WriteHalf<Box<dyn Stream>>;

/// TCP, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn bound(line: &Line) -> Result<(Reader, Writer), Ended> {
    let failed = |why: String| Ended::Connection(why);
    let settings = &line.settings;
    let opening = async {
        let stream = TcpStream::connect((settings.host.as_str(), settings.port)).await;
        let stream = stream.map_err(|error| failed(error.to_string()))?;
        let stream: Box<dyn Stream> = match &line.tls {
            Some(config) => Box::new(tls::around(config, &settings.host, stream).await.map_err(failed)?),
            None => Box::new(stream),
        };
        let (mut reader, mut writer) = tokio::io::split(stream);
        let bind = pdu::bind(1, &settings.system_id, &line.password, &settings.system_type);
        writer.write_all(&bind).await?;
        let answer = read(&mut reader).await?;
        match answer {
            Pdu { command: Ok(Command::BindTransceiver), is_response: true, status: 0, .. } => {
                Ok((reader, writer))
            }
            Pdu { status, .. } => Err(Ended::Refused(status)),
        }
    };
    timeout(CONNECT_MAX, opening).await.unwrap_or(Err(Ended::Silent))
}

async fn read(reader: &mut (impl AsyncRead + Unpin)) -> Result<Pdu, Ended> {
    let mut header = [0; 4];
    reader.read_exact(&mut header).await?;
    let mut unit = vec![0; pdu::length(header)?];
    let (start, rest) = unit.split_at_mut(header.len());
    start.copy_from_slice(&header);
    reader.read_exact(rest).await?;
    Ok(Pdu::read(&unit)?)
}

/// Reads until something goes wrong, which is the last that comes.
async fn read_on(mut reader: Reader, units: mpsc::Sender<Result<Pdu, Ended>>) {
    loop {
        let unit = read(&mut reader).await;
        let is_last = unit.is_err();
        if units.send(unit).await.is_err() || is_last {
            return;
        }
    }
}

/// What is under way in one session.
struct Session<'l> {
    line: &'l Line,
    writer: Writer,
    sequence: u32,
    under_way: HashMap<u32, (Job, Instant)>,
    /// The centre was asked whether it is there, and has not answered.
    enquired: Option<Instant>,
    heard: Instant,
}

async fn work(line: &Line, reader: Reader, writer: Writer, jobs: &mut mpsc::Receiver<Job>) -> Ended {
    let (units, mut read) = mpsc::channel(READ_AHEAD);
    let reading = tokio::spawn(read_on(reader, units));
    let heard = Instant::now();
    let mut session = Session { line, writer, sequence: 1, under_way: HashMap::new(), enquired: None, heard };
    let window = usize::try_from(line.settings.window).unwrap_or(1);
    let mut tick = tokio::time::interval(TICK);
    let ended = loop {
        let done = tokio::select! {
            unit = read.recv() => match unit {
                Some(Ok(unit)) => session.take(unit).await,
                Some(Err(ended)) => Err(ended),
                None => Err(Ended::Silent),
            },
            job = jobs.recv(), if session.under_way.len() < window => match job {
                Some(job) => session.submit(job).await,
                None => Err(session.leave().await),
            },
            _ = tick.tick() => session.look().await,
        };
        if let Err(ended) = done {
            break ended;
        }
    };
    reading.abort();
    for (job, _) in session.under_way.into_values() {
        job.end(Err(NotTaken::for_good("the session ended before the message centre answered")));
    }
    ended
}

impl Session<'_> {
    fn next(&mut self) -> u32 {
        /// SMPP 3.4, 3.2: from 1 to 7FFFFFFF.
        const LAST: u32 = 0x7fff_ffff;
        self.sequence = if self.sequence >= LAST { 1 } else { self.sequence + 1 };
        self.sequence
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        timeout(ANSWER_MAX, self.writer.write_all(bytes)).await.map_err(|_| Ended::Silent)??;
        Ok(())
    }

    /// Sends the next part of a message.
    async fn submit(&mut self, mut job: Job) -> Result<(), Ended> {
        let Some(part) = job.parts.pop_front().map(Zeroizing::new) else {
            job.end(Err(NotTaken::for_good("a message without parts")));
            return Ok(());
        };
        let sequence = self.next();
        let bytes = Zeroizing::new(pdu::submit(
            sequence,
            &Submit {
                from: &self.line.settings.from,
                to: &job.to,
                has_header: job.has_header,
                coding: job.coding,
                message: &part,
            },
        ));
        self.under_way.insert(sequence, (job, Instant::now()));
        self.write(&bytes).await
    }

    /// Something came.
    async fn take(&mut self, unit: Pdu) -> Result<(), Ended> {
        self.heard = Instant::now();
        match (unit.command, unit.is_response) {
            (Ok(Command::SubmitSm | Command::GenericNack), true) => self.answered(unit).await,
            (Ok(Command::EnquireLink), true) => {
                self.enquired = None;
                Ok(())
            }
            (Ok(Command::DeliverSm), false) => {
                if let Some(receipt) = pdu::receipt(&unit.body)? {
                    let delivered = receipt.state == "DELIVRD";
                    let (reference, said) = (receipt.message_id, receipt.state);
                    // On its way is no end.
                    if !matches!(said.as_str(), "ENROUTE" | "ACCEPTD") {
                        let told = Receipt { reference, delivered, said };
                        // Taken before it is answered: the centre sends it again otherwise.
                        self.line.receipts.send(told).await.map_err(|_| Ended::Stopped)?;
                    }
                }
                self.write(&pdu::response(Command::DeliverSm, unit.sequence)).await
            }
            (Ok(Command::EnquireLink), false) => {
                self.write(&pdu::response(Command::EnquireLink, unit.sequence)).await
            }
            (Ok(Command::Unbind), false) => {
                self.write(&pdu::response(Command::Unbind, unit.sequence)).await?;
                Err(Ended::Unbound)
            }
            (_, true) => Ok(()),
            (_, false) => self.write(&pdu::nack(unit.sequence)).await,
        }
    }

    /// The centre answered a part.
    async fn answered(&mut self, unit: Pdu) -> Result<(), Ended> {
        let Some((mut job, _)) = self.under_way.remove(&unit.sequence) else { return Ok(()) };
        if unit.status != 0 {
            let why = format!("the message centre answered with status {:#x}", unit.status);
            let again = LATER.contains(&unit.status) && !job.begun;
            job.end(Err(if again { NotTaken::for_now(&why) } else { NotTaken::for_good(&why) }));
            return Ok(());
        }
        if job.parts.is_empty() {
            let reference = pdu::message_id(&unit.body).ok().filter(|id| !id.is_empty());
            job.end(Ok(Taken { reference }));
            return Ok(());
        }
        job.begun = true;
        self.submit(job).await
    }

    /// Is something late; is it time to ask whether the centre is there?
    async fn look(&mut self) -> Result<(), Ended> {
        let late = |since: &Instant| since.elapsed() > ANSWER_MAX;
        if self.under_way.values().any(|(_, since)| late(since)) || self.enquired.as_ref().is_some_and(late) {
            return Err(Ended::Silent);
        }
        if self.enquired.is_none()
            && self.heard.elapsed() >= Duration::from_secs(self.line.settings.enquire_s)
        {
            let sequence = self.next();
            self.enquired = Some(Instant::now());
            return self.write(&pdu::request(Command::EnquireLink, sequence)).await;
        }
        Ok(())
    }

    /// Says goodbye, without waiting long.
    async fn leave(&mut self) -> Ended {
        let sequence = self.next();
        let _ = self.write(&pdu::request(Command::Unbind, sequence)).await;
        Ended::Stopped
    }
}
