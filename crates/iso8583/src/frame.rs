//! Framing: how one message is cut out of a byte stream, before anybody looks at the message itself.
//!
//! Five shapes are met in the field. UnionPay terminals send a two-byte big-endian length that does not count itself, a TPDU of five bytes
//! and a header of six (银联 POS: 长度 + TPDU + 报文头); a gateway may have removed the length; hosts among themselves use a
//! length of two binary bytes or of four ASCII digits; and a file or a datagram is the message itself.
//!
//! Nothing here owns a socket. [`Framing::split`] looks at what has arrived so far and says: a frame, not yet, or never. A
//! length that can not be right is refused at once, so that a peer which speaks another protocol does not make us wait
//! for megabytes.

use std::fmt;
use std::str::FromStr;

/// How messages are told apart on a link. The names are those of the configuration file and of `pinward decode --framing`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// `none`: the buffer is the message.
    None,
    /// `len2`: two bytes, big endian, not counting themselves.
    Len2,
    /// `len2+tpdu+header`: what a UnionPay terminal sends.
    Len2TpduHeader,
    /// `tpdu+header`: the same after a gateway has taken the length away; the buffer is the frame.
    TpduHeader,
    /// `len4a`: four ASCII digits, not counting themselves.
    Len4a,
}

/// The longest frame a listener accepts, its length prefix not counted. Memory per connection is bounded by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameLimit(pub usize);

impl Default for FrameLimit {
    /// 8192 bytes: eight times the longest message in the samples' dialects that carries chip data and a receipt.
    fn default() -> Self {
        FrameLimit(8192)
    }
}

/// One frame, cut out but not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Present when the framing has one.
    pub tpdu: Option<Tpdu>,
    /// Present when the framing has one.
    pub header: Option<Header>,
    /// The ISO 8583 message, from its message type on.
    pub body: &'a [u8],
    /// How many bytes of the buffer the frame took, its length prefix included.
    pub consumed: usize,
}

/// Why a buffer can never become a frame, however many bytes follow. The peer is to blame in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A length below what the fixed parts and one byte of message need.
    #[error("frame length {length} is impossible: {least} bytes is the least this framing can carry")]
    TooShort {
        /// The announced (or, without a prefix, the actual) length.
        length: usize,
        /// The least possible length.
        least: usize,
    },
    /// A length above the listener's limit.
    #[error("frame length {length} is above the limit of {limit} bytes")]
    TooLong {
        /// The announced (or actual) length.
        length: usize,
        /// The listener's [`FrameLimit`].
        limit: usize,
    },
    /// `len4a` with something else than digits.
    #[error("frame length is not four ASCII digits: byte {at} is not a digit")]
    NotDigits {
        /// Which of the four bytes, from 0.
        at: usize,
    },
}

/// The transport protocol data unit: `60`, destination NII, source NII. A host answers whatever it got with the two swapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tpdu(pub [u8; 5]);

/// The UnionPay message header of twelve digits: application class 2, software version 2, terminal state 1, processing
/// order 1 (处理要求), software sub-version 6.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header(pub [u8; 6]);

const TPDU_LEN: usize = 5;
const HEADER_LEN: usize = 6;

impl Framing {
    /// All five, in the order in which the documentation lists them.
    pub const ALL: [Framing; 5] =
        [Framing::None, Framing::Len2, Framing::Len2TpduHeader, Framing::TpduHeader, Framing::Len4a];

    /// The name used in configuration and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Framing::None => "none",
            Framing::Len2 => "len2",
            Framing::Len2TpduHeader => "len2+tpdu+header",
            Framing::TpduHeader => "tpdu+header",
            Framing::Len4a => "len4a",
        }
    }

    /// Does a frame start with TPDU and header?
    pub const fn has_header(self) -> bool {
        matches!(self, Framing::Len2TpduHeader | Framing::TpduHeader)
    }

    /// The next frame at the start of `buf`. `Ok(None)` means: read more bytes and ask again.
    pub fn split(self, buf: &[u8], limit: FrameLimit) -> Result<Option<Frame<'_>>, FrameError> {
        let prefix_len = self.prefix_len();
        let length = match self.announced(buf)? {
            Some(length) => length,
            None => return Ok(None),
        };
        self.possible(length, limit)?;
        match buf.get(prefix_len..prefix_len + length) {
            Some(frame) => Ok(Some(self.open(frame, prefix_len))),
            None => Ok(None),
        }
    }

    /// Appends one frame to `out`. TPDU and header are written when this framing has them and ignored otherwise; a missing
    /// one is written as zeros with the customary `60` in front.
    pub fn write(
        self,
        out: &mut Vec<u8>,
        tpdu: Option<Tpdu>,
        header: Option<Header>,
        body: &[u8],
    ) -> Result<(), FrameError> {
        let length = self.fixed_len() + body.len();
        self.possible(length, FrameLimit(self.longest()))?;
        match self {
            Framing::None | Framing::TpduHeader => {}
            Framing::Len2 | Framing::Len2TpduHeader => out.extend_from_slice(&(length as u16).to_be_bytes()),
            Framing::Len4a => out.extend([1000, 100, 10, 1].map(|power| b'0' + (length / power % 10) as u8)),
        }
        if self.has_header() {
            out.extend_from_slice(&tpdu.unwrap_or(Tpdu([0x60, 0, 0, 0, 0])).0);
            out.extend_from_slice(&header.unwrap_or(Header([0x60, 0, 0, 0, 0, 0])).0);
        }
        out.extend_from_slice(body);
        Ok(())
    }

    const fn prefix_len(self) -> usize {
        match self {
            Framing::None | Framing::TpduHeader => 0,
            Framing::Len2 | Framing::Len2TpduHeader => 2,
            Framing::Len4a => 4,
        }
    }

    const fn fixed_len(self) -> usize {
        if self.has_header() { TPDU_LEN + HEADER_LEN } else { 0 }
    }

    /// The longest length the prefix can express.
    const fn longest(self) -> usize {
        match self {
            Framing::None | Framing::TpduHeader => usize::MAX,
            Framing::Len2 | Framing::Len2TpduHeader => u16::MAX as usize,
            Framing::Len4a => 9999,
        }
    }

    /// The length that the buffer announces; without a prefix, the buffer's own.
    fn announced(self, buf: &[u8]) -> Result<Option<usize>, FrameError> {
        Ok(match self {
            Framing::None | Framing::TpduHeader if buf.is_empty() => None,
            Framing::None | Framing::TpduHeader => Some(buf.len()),
            Framing::Len2 | Framing::Len2TpduHeader => {
                buf.first_chunk().map(|prefix| usize::from(u16::from_be_bytes(*prefix)))
            }
            Framing::Len4a => {
                let seen = &buf[..buf.len().min(4)];
                // Judged byte by byte: two letters are enough to know that no length will come.
                if let Some(at) = seen.iter().position(|b| !b.is_ascii_digit()) {
                    return Err(FrameError::NotDigits { at });
                }
                (seen.len() == 4).then(|| seen.iter().fold(0, |sum, b| sum * 10 + usize::from(b - b'0')))
            }
        })
    }

    fn possible(self, length: usize, limit: FrameLimit) -> Result<(), FrameError> {
        let least = self.fixed_len() + 1;
        if length < least {
            return Err(FrameError::TooShort { length, least });
        }
        if length > limit.0 {
            return Err(FrameError::TooLong { length, limit: limit.0 });
        }
        Ok(())
    }

    fn open(self, frame: &[u8], prefix_len: usize) -> Frame<'_> {
        let consumed = prefix_len + frame.len();
        if let (true, Some((tpdu, rest))) = (self.has_header(), frame.split_first_chunk::<TPDU_LEN>())
            && let Some((header, body)) = rest.split_first_chunk::<HEADER_LEN>()
        {
            return Frame { tpdu: Some(Tpdu(*tpdu)), header: Some(Header(*header)), body, consumed };
        }
        Frame { tpdu: None, header: None, body: frame, consumed }
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is none of the five.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown framing '{0}': known are none, len2, len2+tpdu+header, tpdu+header, len4a")]
pub struct UnknownFraming(pub String);

impl FromStr for Framing {
    type Err = UnknownFraming;

    fn from_str(name: &str) -> Result<Framing, UnknownFraming> {
        Framing::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| UnknownFraming(name.to_owned()))
    }
}

impl Tpdu {
    /// Destination and source exchanged, the protocol identifier kept: the way back.
    pub const fn swapped(self) -> Tpdu {
        let [id, d0, d1, s0, s1] = self.0;
        Tpdu([id, s0, s1, d0, d1])
    }
}

impl Header {
    /// 应用类别, two BCD digits: 60 magnetic stripe, 61 chip.
    pub const fn application_class(self) -> u8 {
        self.0[0]
    }

    /// 终端状态: 0 normal, 1 test.
    pub const fn terminal_state(self) -> u8 {
        self.0[2] >> 4
    }

    /// 处理要求: what the host orders the terminal to do next; 0 nothing, 1 download parameters, 2 upload status, 3 sign in
    /// again, 4 download CA public keys, 5 download chip parameters, 6 download the application, 7 download the BIN blacklist.
    pub const fn order(self) -> u8 {
        self.0[2] & 0x0F
    }

    /// The same header with another 处理要求; only the low four bits of `order` are used.
    pub const fn with_order(self, order: u8) -> Header {
        let [class, version, state, a, b, c] = self.0;
        Header([class, version, (state & 0xF0) | (order & 0x0F), a, b, c])
    }
}

macro_rules! written_in_hex {
    ($type:ident, $len:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02X}"))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl FromStr for $type {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<$type, NotHex> {
                let mut bytes = [0; $len];
                crate::encoding::hex_into(text.as_bytes(), &mut bytes).ok_or(NotHex { digits: $len * 2 })?;
                Ok($type(bytes))
            }
        }
    };
}

written_in_hex!(Tpdu, 5);
written_in_hex!(Header, 6);

/// A TPDU or header in text has another length or other characters than hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{digits} hex digits expected")]
pub struct NotHex {
    /// How many are needed.
    pub digits: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(framing: Framing, bytes: &[u8], expected: Result<Option<usize>, FrameError>) {
        let got = framing.split(bytes, FrameLimit(100)).map(|frame| frame.map(|f| f.consumed));
        assert_eq!(got, expected, "{framing} {bytes:02X?}");
    }

    #[test]
    fn a_frame_comes_when_its_last_byte_has_come() {
        check(Framing::Len2, &[], Ok(None));
        check(Framing::Len2, &[0], Ok(None));
        check(Framing::Len2, &[0, 2, 9], Ok(None));
        check(Framing::Len2, &[0, 2, 9, 9, 9], Ok(Some(4)));
        check(Framing::Len4a, b"0003ab", Ok(None));
        check(Framing::Len4a, b"0003abcd", Ok(Some(7)));
        check(Framing::None, b"abc", Ok(Some(3)));
        check(Framing::TpduHeader, &[1; 12], Ok(Some(12)));
    }

    #[test]
    fn an_impossible_length_is_refused_at_once() {
        check(Framing::Len2, &[0, 0], Err(FrameError::TooShort { length: 0, least: 1 }));
        check(Framing::Len2, &[0, 101], Err(FrameError::TooLong { length: 101, limit: 100 }));
        check(Framing::Len2TpduHeader, &[0, 11], Err(FrameError::TooShort { length: 11, least: 12 }));
        check(Framing::TpduHeader, &[1; 11], Err(FrameError::TooShort { length: 11, least: 12 }));
        check(Framing::Len4a, b"0000", Err(FrameError::TooShort { length: 0, least: 1 }));
        check(Framing::Len4a, b"00x", Err(FrameError::NotDigits { at: 2 }));
        check(Framing::Len4a, b"9999", Err(FrameError::TooLong { length: 9999, limit: 100 }));
    }

    #[test]
    fn what_is_written_is_split_again() {
        for framing in Framing::ALL {
            let (tpdu, header) = (Tpdu([0x60, 0, 3, 0, 0]), Header([0x60, 0x31, 0, 0x31, 0, 0]));
            let mut out = Vec::new();
            framing.write(&mut out, Some(tpdu), Some(header), b"body").unwrap();
            let frame = framing.split(&out, FrameLimit(100)).unwrap().unwrap();
            assert_eq!((frame.body, frame.consumed), (&b"body"[..], out.len()));
            assert_eq!(frame.tpdu, framing.has_header().then_some(tpdu));
            assert_eq!(frame.header, framing.has_header().then_some(header));
            assert_eq!(framing.name().parse(), Ok(framing));
        }
    }

    #[test]
    fn the_reply_goes_back_where_the_request_came_from() {
        let tpdu: Tpdu = "6000030000".parse().unwrap();
        assert_eq!(tpdu.swapped().to_string(), "6000000003");
    }

    #[test]
    fn the_order_is_one_nibble_of_the_header() {
        let header: Header = "603100310000".parse().unwrap();
        assert_eq!(header.with_order(3).to_string(), "603103310000");
        assert_eq!((header.order(), header.with_order(3).order()), (0, 3));
    }
}
