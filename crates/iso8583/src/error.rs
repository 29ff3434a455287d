//! What can go wrong, where, and whose fault it is.
//!
//! A decoding error names the data element, the sub-element if there is one, and the byte of the message, counted from 0 at
//! the message type: `DE 55 / 9F02 at byte 131: …`. It never quotes a value: the byte that is wrong may be part of a card
//! number. The message as far as it could be read travels with the error, because a host that could read the message type,
//! the trace number and the terminal can still answer 30 (format error) instead of hanging up.

use crate::encoding::Content;
use crate::message::Message;
use crate::tlv::{Tag, TlvFault};
use std::fmt;

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The peer sent nonsense: something that is wrong in every dialect.
    PeerMisbehaved,
    /// The peer sent something that may be right, but that this dialect does not carry.
    PeerIncompatible,
    /// The spec file is wrong; its author has to act.
    Spec,
    /// Our own program asked for something impossible.
    Caller,
}

/// What is wrong with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The message ends inside a field.
    #[error("{needed} bytes are needed and {left} are left")]
    Truncated {
        /// How many bytes the field takes.
        needed: usize,
        /// How many there are.
        left: usize,
    },
    /// A length prefix with something else than digits.
    #[error("the length prefix is not a number")]
    LengthPrefix,
    /// A length prefix above what the field may hold.
    #[error("length {length} is above the maximum of {max}")]
    TooLong {
        /// As sent.
        length: usize,
        /// As the dialect has it.
        max: usize,
    },
    /// A length prefix that counts an odd number of hex characters.
    #[error("{bytes} hex characters do not make whole bytes")]
    OddHex {
        /// As sent.
        bytes: usize,
    },
    /// A byte that can not be part of such a value.
    #[error("this byte can not stand in a field of {}", content_name(*.0))]
    Character(Content),
    /// The unused half-byte of an odd number of digits is neither 0 nor F.
    #[error("the half-byte that pads an odd number of digits is neither 0 nor F")]
    Padding,
    /// A data object that breaks the rules of BER-TLV.
    #[error("{fault}")]
    Tlv {
        /// The object's tag, if it could be read.
        tag: Option<Tag>,
        /// What is wrong with it.
        fault: TlvFault,
    },
    /// The first bytes are not a message type.
    #[error("the message type is not four digits")]
    Mti,
    /// A bitmap in hex with other characters.
    #[error("the bitmap is not hexadecimal")]
    Bitmap,
    /// Bit 1 announces a second bitmap that this dialect does not have.
    #[error("bit 1 announces fields above 64, which this dialect does not have")]
    SecondBitmap,
    /// The dialect has no field of this number.
    #[error("this dialect does not define the field")]
    Undefined,
    /// Bytes after the last field.
    #[error("{count} bytes follow the last field")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// A message longer than any framing can carry.
    #[error("the message has {length} bytes; {max} is the most")]
    Oversized {
        /// Its length.
        length: usize,
        /// [`crate::MAX_BODY_LEN`].
        max: usize,
    },
}

fn content_name(content: Content) -> &'static str {
    match content {
        Content::Digits => "digits",
        Content::SignedDigits => "C or D and digits",
        Content::Alphanumeric => "letters and digits",
        Content::Printable => "printable characters",
        Content::Anything => "any bytes",
        Content::Track => "track data",
        Content::Bytes => "hex characters",
    }
}

impl Fault {
    /// Whose fault it is.
    pub const fn blame(&self) -> Blame {
        match self {
            Fault::Undefined | Fault::SecondBitmap => Blame::PeerIncompatible,
            Fault::Truncated { .. }
            | Fault::LengthPrefix
            | Fault::TooLong { .. }
            | Fault::OddHex { .. }
            | Fault::Character(_)
            | Fault::Padding
            | Fault::Tlv { .. }
            | Fault::Mti
            | Fault::Bitmap
            | Fault::Trailing { .. }
            | Fault::Oversized { .. } => Blame::PeerMisbehaved,
        }
    }
}

/// Where in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the message type.
    Mti,
    /// In the primary bitmap.
    Bitmap,
    /// In a data element; 1 is the secondary bitmap.
    Field(u8),
    /// After the last field, or about the message as a whole.
    Message,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Mti => f.write_str("message type"),
            Place::Bitmap => f.write_str("bitmap"),
            Place::Field(n) => write!(f, "DE {n}"),
            Place::Message => f.write_str("message"),
        }
    }
}

/// A message that could not be decoded in full: where, what, and what could be read.
#[derive(Clone)]
pub struct DecodeError<'a> {
    pub(crate) place: Place,
    pub(crate) offset: usize,
    pub(crate) fault: Fault,
    pub(crate) partial: Message<'a>,
}

impl<'a> DecodeError<'a> {
    /// Who has to act.
    pub const fn blame(&self) -> Blame {
        self.fault.blame()
    }

    /// What is wrong.
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }

    /// Where it is wrong.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The data element, if it is in one.
    pub const fn field(&self) -> Option<u8> {
        match self.place {
            Place::Field(n) => Some(n),
            Place::Mti | Place::Bitmap | Place::Message => None,
        }
    }

    /// The byte of the message, counted from 0 at the message type.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// What could be read. If only the content of some field is wrong, every field is here, the wrong one included; if the
    /// structure broke, the fields before the break are. Without a readable message type, [`Message::mti`] is `0000`.
    pub const fn partial(&self) -> &Message<'a> {
        &self.partial
    }
}

impl fmt::Display for DecodeError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.place)?;
        if let Fault::Tlv { tag: Some(tag), .. } = self.fault {
            write!(f, " / {tag}")?;
        }
        write!(f, " at byte {}: {}", self.offset, self.fault)
    }
}

impl fmt::Debug for DecodeError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self}; {:?})", self.blame())
    }
}

impl std::error::Error for DecodeError<'_> {}

/// A message that could not be encoded. The caller set something that the dialect can not carry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DE {field}{}{path}: {fault}", if path.is_empty() { "" } else { " / " })]
pub struct EncodeError {
    /// The data element.
    pub field: u8,
    /// The sub-field or tag, or nothing.
    pub path: String,
    /// What is wrong.
    pub fault: EncodeFault,
}

/// What is wrong with a value that was to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeFault {
    /// The dialect has no such field, or the number is not 2 to 128.
    #[error("this dialect does not define the field")]
    Undefined,
    /// The field has no such sub-field or is not composite.
    #[error("the field has no such sub-field")]
    NoSuchSubfield,
    /// A sub-field is set and one before it is not.
    #[error("a sub-field before it is missing")]
    Gap,
    /// A fixed field with another length.
    #[error("length {length} where {max} is fixed")]
    Length {
        /// As set.
        length: usize,
        /// As the dialect has it.
        max: usize,
    },
    /// A variable field above its maximum.
    #[error("length {length} is above the maximum of {max}")]
    TooLong {
        /// As set.
        length: usize,
        /// As the dialect has it.
        max: usize,
    },
    /// A character that the field may not hold.
    #[error("a character can not stand in a field of {}", content_name(*.0))]
    Character(Content),
    /// Binary values are written in hex digits, two per byte.
    #[error("hex digits, two for each byte, are expected")]
    NotHex,
    /// Not a BER-TLV tag of one to three bytes.
    #[error("not a tag of one to three bytes")]
    Tag,
    /// The whole message would be longer than any framing can carry.
    #[error("the message would have {length} bytes; {max} is the most")]
    Oversized {
        /// Its length.
        length: usize,
        /// [`crate::MAX_BODY_LEN`].
        max: usize,
    },
}

impl EncodeError {
    /// Always the caller: nothing came from outside.
    pub const fn blame(&self) -> Blame {
        Blame::Caller
    }
}
