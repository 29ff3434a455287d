//! The floor: what disk and sockets allow before anybody has decided anything.
//!
//! A server that cuts frames, appends each request to a file, and answers with a message of the host's size when the file
//! is synchronized. One thread has the sockets, one the file: while it waits for the disk, all that arrives queues, and the
//! next group is what queued ("group commit"). It verifies nothing and knows no card, so a host cannot be faster, and the
//! distance to it is what deciding costs. It keeps to what the load sends: a sale form of one terminal has one layout.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use iso8583::{Dialect, FrameLimit, Framing, Header, MessageBuilder, Mti, Tpdu};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::fd::OwnedFd;

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Requests of which the answers wait for the disk: beyond that nothing more is read.
const QUEUE_MAX: usize = 1 << 20;
/// What epoll says of the port and of the disk; everything else is a connection.
const PORT: u64 = u64::MAX;
const DISK: u64 = u64::MAX - 1;

/// Who is answered, and with which trace number.
struct Owed {
    connection: usize,
    stan: [u8; 3],
    terminal: [u8; 8],
}

/// What waits for the disk, and what is on it.
#[derive(Default)]
struct Group {
    bytes: Vec<u8>,
    owed: Vec<Owed>,
    closed: bool,
}

struct Shared {
    waiting: Mutex<Group>,
    arrived: Condvar,
    durable: Mutex<Vec<Owed>>,
    done: OwnedFd,
}

/// Serves until the port or the disk fails. The file is written from its current position, and synchronized before each
/// answer.
///
/// # Errors
/// Of the port or of the disk.
pub fn serve(port: TcpListener, file: File) -> io::Result<()> {
    let shared = Arc::new(Shared {
        waiting: Mutex::default(),
        arrived: Condvar::new(),
        durable: Mutex::default(),
        done: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?,
    });
    let writer = Arc::clone(&shared);
    let writer = thread::spawn(move || write_groups(&writer, file));
    let served = Sockets::new(port, Arc::clone(&shared))?.run();
    shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    shared.arrived.notify_one();
    let written = writer.join().map_err(|_| io::Error::other("the floor's writer broke off"))?;
    served.and(written)
}

/// The disk's thread.
fn write_groups(shared: &Shared, mut file: File) -> io::Result<()> {
    let mut group = Group::default();
    loop {
        {
            let waiting = shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let mut waiting = shared
                .arrived
                .wait_while(waiting, |waiting| waiting.owed.is_empty() && !waiting.closed)
                .unwrap_or_else(PoisonError::into_inner);
            if waiting.closed {
                return Ok(());
            }
            std::mem::swap(&mut *waiting, &mut group);
        }
        file.write_all(&group.bytes)?;
        file.sync_data()?;
        group.bytes.clear();
        shared.durable.lock().unwrap_or_else(PoisonError::into_inner).append(&mut group.owed);
        rustix::io::write(&shared.done, &1u64.to_ne_bytes())?;
    }
}

struct Connection {
    stream: TcpStream,
    rest: Vec<u8>,
    out: Vec<u8>,
    /// Length of its requests, and where DE 11 and DE 41 stand in their bodies.
    layout: Option<(usize, Range<usize>, Range<usize>)>,
}

/// The sockets' thread.
struct Sockets {
    port: TcpListener,
    shared: Arc<Shared>,
    epoll: OwnedFd,
    connections: Vec<Option<Connection>>,
    answer: Answer,
}

impl Sockets {
    fn new(port: TcpListener, shared: Arc<Shared>) -> io::Result<Sockets> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        port.set_nonblocking(true)?;
        epoll::add(&epoll, &port, epoll::EventData::new_u64(PORT), epoll::EventFlags::IN)?;
        epoll::add(&epoll, &shared.done, epoll::EventData::new_u64(DISK), epoll::EventFlags::IN)?;
        let answer =
            Answer::form().ok_or_else(|| io::Error::other("the floor's answer cannot be written"))?;
        Ok(Sockets { port, shared, epoll, connections: Vec::new(), answer })
    }

    fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(256);
        let mut buffer = vec![0; READ_BYTES];
        let mut group = Group::default();
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (data, flags) = (event.data, event.flags);
                match data.u64() {
                    PORT => self.accept()?,
                    DISK => self.answer_durable()?,
                    connection => self.ready(connection as usize, flags, &mut buffer, &mut group),
                }
            }
            if !group.owed.is_empty() {
                self.hand_over(&mut group)?;
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.port.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let data = epoll::EventData::new_u64(self.connections.len() as u64);
            epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)?;
            let (rest, out) = (Vec::new(), Vec::new());
            self.connections.push(Some(Connection { stream, rest, out, layout: None }));
        }
    }

    fn ready(&mut self, at: usize, flags: epoll::EventFlags, buffer: &mut [u8], group: &mut Group) {
        let Some(connection) = self.connections.get_mut(at).and_then(Option::as_mut) else { return };
        if flags.contains(epoll::EventFlags::OUT) {
            let data = epoll::EventData::new_u64(at as u64);
            let _ = epoll::modify(&self.epoll, &connection.stream, data, epoll::EventFlags::IN);
        }
        let alive = (!flags.contains(epoll::EventFlags::OUT) || flush(&self.epoll, at, connection).is_ok())
            && connection.take_requests(at, self.answer.dialect(), buffer, group);
        if !alive {
            self.connections[at] = None;
        }
    }

    /// The disk's thread gets what has arrived in one go.
    fn hand_over(&self, group: &mut Group) -> io::Result<()> {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.owed.len() > QUEUE_MAX {
            return Err(io::Error::other("the disk does not follow"));
        }
        if waiting.owed.is_empty() {
            std::mem::swap(&mut *waiting, group);
        } else {
            waiting.bytes.append(&mut group.bytes);
            waiting.owed.append(&mut group.owed);
        }
        drop(waiting);
        self.shared.arrived.notify_one();
        Ok(())
    }

    fn answer_durable(&mut self) -> io::Result<()> {
        let mut count = [0; 8];
        match rustix::io::read(&self.shared.done, &mut count) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        let durable =
            std::mem::take(&mut *self.shared.durable.lock().unwrap_or_else(PoisonError::into_inner));
        let mut touched = BTreeSet::new();
        for owed in durable {
            let Some(connection) = &mut self.connections[owed.connection] else { continue };
            self.answer.write(&owed, &mut connection.out);
            touched.insert(owed.connection);
        }
        for at in touched {
            if let Some(connection) = &mut self.connections[at]
                && flush(&self.epoll, at, connection).is_err()
            {
                self.connections[at] = None;
            }
        }
        Ok(())
    }
}

impl Connection {
    /// `false`: it is over.
    fn take_requests(&mut self, at: usize, dialect: &Dialect, buffer: &mut [u8], group: &mut Group) -> bool {
        let begun = self.rest.len();
        let Some(space) = buffer.get_mut(begun..) else { return false };
        let filled = match self.stream.read(space) {
            Ok(0) => return false,
            Ok(bytes) => begun + bytes,
            Err(error) => return matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        };
        buffer[..begun].copy_from_slice(&self.rest);
        self.rest.clear();
        let mut from = 0;
        loop {
            match Framing::Len2TpduHeader.split(&buffer[from..filled], FrameLimit::default()) {
                Ok(Some(frame)) => {
                    from += frame.consumed;
                    let Some((stan, terminal)) = self.who(frame.body, dialect) else { return false };
                    group.bytes.extend_from_slice(frame.body);
                    group.owed.push(Owed { connection: at, stan, terminal });
                }
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        self.rest.extend_from_slice(&buffer[from..filled]);
        true
    }

    fn who(&mut self, body: &[u8], dialect: &Dialect) -> Option<([u8; 3], [u8; 8])> {
        if self.layout.as_ref().is_none_or(|(length, ..)| *length != body.len()) {
            let message = dialect.decode(body).ok()?;
            let place = |n| Some(message.offset_of(n)?..message.offset_of(n)? + message.raw(n)?.len());
            self.layout = Some((body.len(), place(11)?, place(41)?));
        }
        let (_, stan, terminal) = self.layout.as_ref()?;
        Some((body[stan.clone()].try_into().ok()?, body[terminal.clone()].try_into().ok()?))
    }
}

fn flush(epoll: &OwnedFd, at: usize, connection: &mut Connection) -> io::Result<()> {
    let mut written = 0;
    while written < connection.out.len() {
        match connection.stream.write(&connection.out[written..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let interest = epoll::EventFlags::IN | epoll::EventFlags::OUT;
                let data = epoll::EventData::new_u64(at as u64);
                epoll::modify(epoll, &connection.stream, data, interest)?;
                connection.out.drain(..written);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    connection.out.clear();
    Ok(())
}

/// An approval as the host writes it, whole, and where its trace number and terminal stand.
struct Answer {
    dialect: Arc<Dialect>,
    frame: Vec<u8>,
    stan: Range<usize>,
    terminal: Range<usize>,
}

impl Answer {
    fn form() -> Option<Answer> {
        let dialect = Dialect::builtin("cup-pos")?;
        let mut message = MessageBuilder::new(Mti::packed(0x0210)?);
        message
            .set(3, "000000")
            .set(4, "000000000100")
            .set(11, "000001")
            .set(12, "120000")
            .set(13, "1122")
            .set(15, "1122")
            .set(25, "00")
            .set(32, "01020000")
            .set(37, "000000000001")
            .set(38, "000001")
            .set(39, "00")
            .set(41, "00000000")
            .set(42, "000000000000000")
            .set(49, "156")
            .set(60, "22000001000500")
            .set(63, "CUP");
        let mut body = Vec::new();
        message.encode_signed(&dialect, &mut body, |_| [0; 8]).ok()?;
        let written = dialect.decode(&body).ok()?;
        let mut frame = Vec::new();
        let (tpdu, header) = (Tpdu([0x60, 0, 0, 0, 3]), Header([0x60, 0x31, 0, 0x31, 0, 0]));
        Framing::Len2TpduHeader.write(&mut frame, Some(tpdu), Some(header), &body).ok()?;
        let before = frame.len() - body.len();
        let place =
            |n| Some(before + written.offset_of(n)?..before + written.offset_of(n)? + written.raw(n)?.len());
        let (stan, terminal) = (place(11)?, place(41)?);
        Some(Answer { dialect, frame, stan, terminal })
    }

    fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    fn write(&mut self, owed: &Owed, out: &mut Vec<u8>) {
        self.frame[self.stan.clone()].copy_from_slice(&owed.stan);
        self.frame[self.terminal.clone()].copy_from_slice(&owed.terminal);
        out.extend_from_slice(&self.frame);
    }
}
