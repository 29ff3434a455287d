//! One connection: what is to be written, what is under way, what has begun to arrive.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use model::Stan;

/// How long a connection may take; hosts on this machine take microseconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why something is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A payment, for the first time or, after a cut, again.
    Payment { wrong_pin: bool },
    /// The same bytes once more after their answer.
    Repeat,
    /// A payment whose answer was lost is undone.
    Reversal,
}

/// A request that has no answer yet.
#[derive(Debug)]
pub(crate) struct Request {
    /// When it was due, in nanoseconds of the run.
    pub(crate) due: u64,
    pub(crate) card: u32,
    pub(crate) purpose: Purpose,
    /// The whole frame, when it may be sent again.
    pub(crate) frame: Vec<u8>,
    /// What a repeat must be answered with.
    pub(crate) expected: Vec<u8>,
}

/// A connection in the name of one terminal.
pub(crate) struct Line {
    pub(crate) till: usize,
    pub(crate) address: SocketAddr,
    pub(crate) stream: Option<TcpStream>,
    /// Trace numbers under way, and at the same places the requests.
    pub(crate) stans: Vec<Stan>,
    pub(crate) requests: Vec<Request>,
    /// The beginning of a frame whose rest has not come.
    pub(crate) rest: Vec<u8>,
    pub(crate) out: Vec<u8>,
    written: usize,
    /// The other end takes no more for now.
    pub(crate) blocked: bool,
    /// It is cut when what waits has left.
    pub(crate) cut_next: bool,
}

impl Line {
    pub(crate) fn open(till: usize, address: SocketAddr) -> io::Result<Line> {
        Ok(Line {
            till,
            address,
            stream: Some(connect(address)?),
            stans: Vec::new(),
            requests: Vec::new(),
            rest: Vec::new(),
            out: Vec::new(),
            written: 0,
            blocked: false,
            cut_next: false,
        })
    }

    pub(crate) fn has_room(&self, depth: usize) -> bool {
        self.requests.len() < depth && self.stream.is_some() && !self.cut_next
    }

    pub(crate) fn put(&mut self, stan: Stan, request: Request) {
        self.stans.push(stan);
        self.requests.push(request);
    }

    /// The request that an answer with this trace number belongs to. Requests are answered about in order.
    pub(crate) fn take(&mut self, stan: Stan) -> Option<Request> {
        let at = self.stans.iter().position(|under_way| *under_way == stan)?;
        self.stans.swap_remove(at);
        Some(self.requests.swap_remove(at))
    }

    /// Writes what waits, as far as the other end takes it.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        while self.written < self.out.len() {
            match stream.write(&self.out[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.out.clear();
        (self.written, self.blocked) = (0, false);
        Ok(())
    }

    /// Reads once into `buffer`, behind what was left of the last time; says how much there is now. 0: the other end closed.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let begun = self.rest.len();
        let Some(space) = buffer.get_mut(begun..) else { return Err(ErrorKind::InvalidData.into()) };
        match stream.read(space) {
            Ok(0) => Ok(Some(0)),
            Ok(bytes) => {
                buffer[..begun].copy_from_slice(&self.rest);
                self.rest.clear();
                Ok(Some(begun + bytes))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Drops the connection with everything on it, and makes a new one.
    pub(crate) fn reconnect(&mut self) -> io::Result<()> {
        self.stream = None;
        self.rest.clear();
        self.out.clear();
        (self.written, self.blocked, self.cut_next) = (0, false, false);
        self.stream = Some(connect(self.address)?);
        Ok(())
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
