//! One connection to a device: numbers the commands, keeps some of them under way at once, and finds for each reply the
//! command by its header. Bytes go in and out; whoever owns the socket also owns the clock, and tells the session which
//! command's time is over.
//!
//! A reply that nobody asked for, to another command, or with fields that it cannot have poisons the session: from then
//! on nothing that comes over the connection is believed.

use std::collections::BTreeMap;

use super::{
    command::Encoded,
    frame::{FrameError, FrameReader, Framing},
    reply::{Reply, ReplyError, Shape},
};

/// The most commands that any session has under way at once.
pub const MAX_IN_FLIGHT: usize = 256;

/// Characters of a header that count; longer headers begin with zeros.
const COUNTING: usize = 6;

/// Different characters in a header.
const BASE: u64 = 36;

/// Names a command of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExchangeId(u64);

/// A command that was answered.
#[derive(Debug)]
pub struct Completed {
    /// Which.
    pub id: ExchangeId,
    /// The answer; `None` if its time was over before it came.
    pub reply: Option<Reply>,
}

/// Why a session does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The stream is no sequence of frames.
    #[error("no frame: {0}")]
    Frame(FrameError),
    /// A header that belongs to no command under way.
    #[error("a reply with a header that nobody sent")]
    UnknownHeader,
    /// Not the reply to the command with that header.
    #[error("no reply to the command sent: {0}")]
    Reply(ReplyError),
    /// As many commands under way as agreed.
    #[error("too many commands under way")]
    Full,
    /// It was poisoned before.
    #[error("the connection was given up")]
    Poisoned,
}

struct UnderWay {
    code: [u8; 2],
    shape: Shape,
    overdue: bool,
}

/// One connection's state.
pub struct Session {
    framing: Framing,
    limit: usize,
    reader: FrameReader,
    next: u64,
    under_way: BTreeMap<ExchangeId, UnderWay>,
    poisoned: bool,
}

impl Session {
    /// A new connection with at most `limit` commands under way, fewer if the header has no room to tell them apart. Headers
    /// count from `first`: connections that begin at different numbers notice when their replies are mixed up.
    #[must_use]
    pub fn new(framing: Framing, limit: usize, first: u64) -> Self {
        let limit =
            limit.clamp(1, MAX_IN_FLIGHT.min(if framing.header_length() == 1 { 18 } else { usize::MAX }));
        Self {
            framing,
            limit,
            reader: FrameReader::new(framing),
            next: first,
            under_way: BTreeMap::new(),
            poisoned: false,
        }
    }

    /// Is there room for another command?
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.poisoned && self.under_way.len() < self.limit
    }

    /// Commands without a reply so far, overdue ones included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.under_way.len()
    }

    /// Commands whose time is over and whose reply may still come.
    #[must_use]
    pub fn overdue(&self) -> usize {
        self.under_way.values().filter(|command| command.overdue).count()
    }

    /// Appends a command's frame to `out`.
    ///
    /// # Errors
    /// [`SessionError::Full`], [`SessionError::Poisoned`], or [`SessionError::Frame`] for a command that is too long: nothing
    /// was appended.
    pub fn send(&mut self, command: &Encoded, out: &mut Vec<u8>) -> Result<ExchangeId, SessionError> {
        if self.poisoned {
            return Err(SessionError::Poisoned);
        }
        if self.under_way.len() >= self.limit {
            return Err(SessionError::Full);
        }
        let id = self.free_header();
        self.framing.encode(&self.header(id), command.bytes(), out).map_err(SessionError::Frame)?;
        let waiting = UnderWay { code: command.reply_code(), shape: command.shape(), overdue: false };
        self.under_way.insert(id, waiting);
        Ok(id)
    }

    /// Takes bytes as they came, and gives the commands that they complete.
    ///
    /// # Errors
    /// [`SessionError`]: the connection must be closed. What was completed before in the same bytes is in `completed`.
    pub fn receive(&mut self, mut input: &[u8], completed: &mut Vec<Completed>) -> Result<(), SessionError> {
        if self.poisoned {
            return Err(SessionError::Poisoned);
        }
        let outcome = self.read_all(&mut input, completed);
        self.poisoned = outcome.is_err();
        outcome
    }

    /// The caller waits no longer for this command. Its header stays taken until the reply comes.
    pub fn time_over(&mut self, id: ExchangeId) {
        if let Some(command) = self.under_way.get_mut(&id) {
            command.overdue = true;
        }
    }

    fn read_all(&mut self, input: &mut &[u8], completed: &mut Vec<Completed>) -> Result<(), SessionError> {
        while let Some(frame) = self.reader.next(input).map_err(SessionError::Frame)? {
            let id = self.number(&frame.header).ok_or(SessionError::UnknownHeader)?;
            let command = self.under_way.remove(&id).ok_or(SessionError::UnknownHeader)?;
            let reply =
                Reply::parse_as(command.code, command.shape, &frame.body).map_err(SessionError::Reply)?;
            completed.push(Completed { id, reply: (!command.overdue).then_some(reply) });
        }
        Ok(())
    }

    /// The next number that no command under way has. There are at least twice as many numbers as commands.
    fn free_header(&mut self) -> ExchangeId {
        let numbers = BASE.pow(self.counting());
        loop {
            let id = ExchangeId(self.next % numbers);
            self.next = (id.0 + 1) % numbers;
            if !self.under_way.contains_key(&id) {
                return id;
            }
        }
    }

    fn counting(&self) -> u32 {
        u32::try_from(self.framing.header_length().min(COUNTING)).unwrap_or(1)
    }

    fn header(&self, id: ExchangeId) -> Vec<u8> {
        let mut header = vec![b'0'; self.framing.header_length()];
        let mut rest = id.0;
        for place in header.iter_mut().rev() {
            let digit = u8::try_from(rest % BASE).unwrap_or(0);
            *place = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
            rest /= BASE;
        }
        header
    }

    fn number(&self, header: &[u8]) -> Option<ExchangeId> {
        let (zeros, digits) = header.split_at_checked(header.len().saturating_sub(COUNTING))?;
        if zeros.iter().any(|c| *c != b'0') {
            return None;
        }
        let value = |c: &u8| match c {
            b'0'..=b'9' => Some(u64::from(c - b'0')),
            b'A'..=b'Z' => Some(u64::from(c - b'A') + 10),
            _ => None,
        };
        digits.iter().try_fold(0, |sum, c| Some(sum * BASE + value(c)?)).map(ExchangeId)
    }
}
