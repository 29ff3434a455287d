//! ISO 8583 messages: dialects as data, bounded decoding, errors that say where.
//!
//! ISO 8583 fixes what a card message is made of - a message type, a bitmap, up to 128 data elements - and leaves open how any of it
//! is written. Every network wrote it differently. This crate knows the independent choices (how characters are encoded, how a
//! length is prefixed and what it counts, how odd digits are aligned and padded, how the bitmap is sent) and reads from
//! `specs/*.toml` which of them a dialect made; a new dialect is a new file, not new code.
//!
//! The way of a message through the crate:
//!
//! ```
//! use iso8583::{Dialect, Framing, FrameLimit, MessageBuilder};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let received = [0x00, 0x34, 0x60, 0, 3, 0, 0, 0x60, 0x31, 0, 0x31, 0, 0, 0x08, 0x20, 0, 0, 0, 0, 0, 0xC0, 0, 0x10,
//! #     b'1', b'0', b'0', b'0', b'0', b'0', b'0', b'1', b'3', b'0', b'5', b'3', b'1', b'0', b'0', b'4', b'5', b'1', b'1',
//! #     b'0', b'0', b'0', b'1', 0, 0x11, 0, 0, 0, 0x07, 0x30, 0x10];
//! // A frame is cut out of what the socket gave so far ...
//! let framing = Framing::Len2TpduHeader;
//! let frame = framing.split(&received, FrameLimit::default())?.expect("a whole frame");
//!
//! // ... decoded in place by the dialect of the listener ...
//! let dialect = Dialect::builtin("cup-pos").expect("built in");
//! let echo = dialect.decode(frame.body).map_err(|e| e.to_string())?;
//! assert_eq!(echo.mti().to_string(), "0820");
//! assert_eq!(echo.sub(60, "3").expect("network code"), "301");
//!
//! // ... and answered: the message type by rule, the fields by us, the TPDU with its ends swapped.
//! let mut reply = MessageBuilder::new(echo.mti().reply().expect("a request"));
//! reply.copy(&echo, 41).copy(&echo, 42).copy(&echo, 60).set(39, "00");
//! let mut body = Vec::new();
//! reply.encode(&dialect, &mut body)?;
//! let mut sent = Vec::new();
//! framing.write(&mut sent, frame.tpdu.map(|t| t.swapped()), frame.header, &body)?;
//! # Ok(())
//! # }
//! ```
//!
//! What it deliberately does not do: no sockets, no clock, no cryptography, and no opinion on what a field *means*. It allocates
//! nothing while decoding, bounds everything it reads, and never quotes a value in an error.

mod bitmap;
mod builder;
mod describe;
mod encoding;
mod error;
mod field;
mod frame;
#[doc(hidden)]
pub mod fuzzing;
mod message;
mod mti;
mod sensitive;
mod spec;
mod subfield;
pub mod tlv;

// In the order in which a message meets them.
pub use bitmap::{Bitmap, BitmapEncoding, BitmapForm, BitmapSize, FieldNumbers, MtiEncoding};
pub use builder::{MacSlot, MessageBuilder};
pub use describe::{DescribedField, Fields};
pub use encoding::{Content, Encoding};
pub use error::{Blame, DecodeError, EncodeError, EncodeFault, Fault, Place};
pub use field::{Align, Axes, Composite, Counts, PrefixEncoding, Sensitivity};
pub use frame::{Frame, FrameError, FrameLimit, Framing, Header, NotHex, Tpdu, UnknownFraming};
pub use message::{Characters, FieldText, MAX_BODY_LEN, Message, ShortText};
pub use mti::{MessageClass, MessageFunction, Mti, MtiError};
pub use spec::{Dialect, SpecError};
pub use tlv::{Tag, Tlv};
