//! Frames of the host interface: two bytes that count the rest, a header that the device sends back as it came, then
//! the command or the reply. The header's length is a setting of the device.

use zeroize::{Zeroize, Zeroizing};

/// The longest frame after its two bytes of length, in either direction. A payShield has buffers of 32 KiB.
pub const MAX_FRAME: usize = 32 * 1024;

/// Bytes that a frame begins with: the length of the rest, most significant first.
const LENGTH: usize = 2;

/// Command or reply code, and the error code of a reply.
const SHORTEST_REPLY: usize = 4;

/// How long a header is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    header_length: u8,
}

impl Framing {
    /// Characters of a header unless the device was configured otherwise.
    pub const USUAL: Self = Self { header_length: 4 };

    /// Headers of 1 to 255 characters.
    #[must_use]
    pub fn new(header_length: u8) -> Option<Self> {
        (header_length > 0).then_some(Self { header_length })
    }

    /// Characters of a header.
    #[must_use]
    pub fn header_length(self) -> usize {
        usize::from(self.header_length)
    }

    /// Appends one frame to `out`.
    ///
    /// # Errors
    /// [`FrameError`] for a header of another length, or when the frame is too long.
    pub fn encode(self, header: &[u8], body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        if header.len() != self.header_length() {
            return Err(FrameError::Header);
        }
        let length = header.len() + body.len();
        let counted = u16::try_from(length).map_err(|_| FrameError::TooLong(length))?;
        if length > MAX_FRAME {
            return Err(FrameError::TooLong(length));
        }
        out.extend_from_slice(&counted.to_be_bytes());
        out.extend_from_slice(header);
        out.extend_from_slice(body);
        Ok(())
    }
}

/// Bytes that are no frame: the connection cannot be read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The header to send has another length than the device expects.
    #[error("the header has another length than configured")]
    Header,
    /// Longer than [`MAX_FRAME`].
    #[error("a frame of {0} bytes: more than {MAX_FRAME}")]
    TooLong(usize),
    /// No room for header, reply code and error code.
    #[error("a frame of {0} bytes: no room for header, reply code and error code")]
    TooShort(usize),
}

/// One frame that was received.
pub struct Frame {
    /// As it was sent with the command.
    pub header: Vec<u8>,
    /// Reply code, error code, fields; wiped after use.
    pub body: Zeroizing<Vec<u8>>,
}

/// Puts frames together from a byte stream. Holds no more than one frame, and wipes it.
pub struct FrameReader {
    framing: Framing,
    buffer: Vec<u8>,
}

impl FrameReader {
    /// A reader at the beginning of a stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self { framing, buffer: Vec::new() }
    }

    /// Takes bytes from the front of `input` until one frame is whole; `None` when the input ended before.
    ///
    /// # Errors
    /// [`FrameError`] as soon as the length is known to be impossible. Nothing of the stream can be used afterwards.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameError> {
        self.fill(LENGTH, input);
        let Some(counted) = self.buffer.first_chunk::<LENGTH>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*counted));
        if length > MAX_FRAME {
            return Err(FrameError::TooLong(length));
        }
        if length < self.framing.header_length() + SHORTEST_REPLY {
            return Err(FrameError::TooShort(length));
        }
        if self.buffer.capacity() < LENGTH + length {
            // Reserved at once, so that no part of a reply stays behind where the buffer was before.
            let mut roomy = Vec::with_capacity(LENGTH + length);
            roomy.extend_from_slice(&self.buffer);
            self.buffer.zeroize();
            self.buffer = roomy;
        }
        self.fill(LENGTH + length, input);
        if self.buffer.len() < LENGTH + length {
            return Ok(None);
        }
        let (header, body) = self.buffer[LENGTH..].split_at(self.framing.header_length());
        let frame = Frame { header: header.to_vec(), body: Zeroizing::new(body.to_vec()) };
        self.buffer.zeroize();
        Ok(Some(frame))
    }

    /// Nothing but a part of a frame is held.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        self.buffer.is_empty()
    }

    fn fill(&mut self, upto: usize, input: &mut &[u8]) {
        let missing = upto.saturating_sub(self.buffer.len()).min(input.len());
        let (taken, rest) = input.split_at(missing);
        self.buffer.extend_from_slice(taken);
        *input = rest;
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        self.buffer.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_diagnostics_command_of_the_manual() {
        let mut out = Vec::new();
        Framing::USUAL.encode(b"1234", b"NC", &mut out).unwrap();
        assert_eq!(hex::encode(out), "0006313233344e43");
    }

    #[test]
    fn impossible_lengths_are_refused_at_once() {
        let check = |bytes: &[u8], expect: FrameError| {
            let mut reader = FrameReader::new(Framing::USUAL);
            let mut input = bytes;
            assert_eq!(reader.next(&mut input).err(), Some(expect));
        };
        check(&[0xFF, 0xFF], FrameError::TooLong(0xFFFF));
        check(&[0x80, 0x01], FrameError::TooLong(MAX_FRAME + 1));
        check(&[0, 7, b'1'], FrameError::TooShort(7));
        check(&[0, 0], FrameError::TooShort(0));
        let mut out = Vec::new();
        assert_eq!(Framing::USUAL.encode(b"123", b"NC", &mut out), Err(FrameError::Header));
        let long = Framing::USUAL.encode(b"1234", &[0; MAX_FRAME], &mut out);
        assert_eq!(long, Err(FrameError::TooLong(MAX_FRAME + 4)));
        assert!(out.is_empty());
        assert_eq!(Framing::new(0), None);
    }
}
