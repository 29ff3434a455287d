//! What stands on a slip, as values. Whoever makes one has looked up the words for the cardholder; whatever else comes from
//! outside is cleaned when it is laid out.

use std::fmt;

use model::{Amount, Currency, Kind, MaskedPan};

use crate::clean::{SENTENCE_CHARS, clean};
use crate::signature::Signature;

/// Paper width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paper {
    /// 58 mm, 32 columns, 384 dots.
    Mm58,
    /// 80 mm, 48 columns, 576 dots.
    Mm80,
}

impl Paper {
    /// Half-width columns.
    #[must_use]
    pub fn columns(self) -> usize {
        match self {
            Paper::Mm58 => 32,
            Paper::Mm80 => 48,
        }
    }

    /// Printable dots, at 8 dots a millimetre.
    #[must_use]
    pub fn dots(self) -> usize {
        match self {
            Paper::Mm58 => 384,
            Paper::Mm80 => 576,
        }
    }

    /// Width of the roll.
    #[must_use]
    pub fn millimetres(self) -> u8 {
        match self {
            Paper::Mm58 => 58,
            Paper::Mm80 => 80,
        }
    }

    /// The paper of so many millimetres.
    #[must_use]
    pub fn of_millimetres(millimetres: u8) -> Option<Paper> {
        match millimetres {
            58 => Some(Paper::Mm58),
            80 => Some(Paper::Mm80),
            _ => None,
        }
    }
}

/// Who keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// The merchant's, with a place for the signature; kept for a year at least.
    Merchant,
    /// The cardholder's.
    Cardholder,
}

/// How the terminal got the card number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `S`: the stripe was swiped.
    Swiped,
    /// `I`: a chip was inserted.
    Inserted,
    /// `C`: a chip was held near.
    Contactless,
    /// `M`: typed.
    Manual,
}

impl Entry {
    /// The letter behind the card number.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Entry::Swiped => 'S',
            Entry::Inserted => 'I',
            Entry::Contactless => 'C',
            Entry::Manual => 'M',
        }
    }

    /// By the first two digits of DE 22 (ISO 8583:1987, point of service entry mode).
    #[must_use]
    pub fn of_mode(mode: &str) -> Option<Entry> {
        match mode.get(..2)? {
            "01" => Some(Entry::Manual),
            "02" | "80" | "90" => Some(Entry::Swiped),
            "05" | "95" => Some(Entry::Inserted),
            "07" | "91" | "98" => Some(Entry::Contactless),
            _ => None,
        }
    }
}

/// A date and time by the shop's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Year.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day, 1 to 31.
    pub day: u8,
    /// Hour.
    pub hour: u8,
    /// Minute.
    pub minute: u8,
    /// Second.
    pub second: u8,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}")
    }
}

/// What became of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Approved.
    Approved(Consent),
    /// Refused, or without an answer that could be believed.
    Refused {
        /// DE 39, if there was one.
        code: Option<String>,
        /// What the cardholder is told, in Chinese.
        zh: String,
        /// The same in English.
        en: String,
    },
}

impl Outcome {
    /// A refusal in both languages: whoever reads the slip may not be the one who chose its language.
    #[must_use]
    pub fn refused(code: Option<&str>, zh: &str, en: &str) -> Outcome {
        Outcome::Refused {
            code: code.map(str::to_owned),
            zh: clean(zh, SENTENCE_CHARS),
            en: clean(en, SENTENCE_CHARS),
        }
    }
}

/// How the cardholder agreed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Consent {
    /// By hand, on the merchant's copy.
    OnPaper,
    /// On the terminal's glass.
    Signed(Signature),
    /// By the PIN alone.
    PinAlone,
    /// Nothing to agree to, as for a balance.
    NotNeeded,
}

/// The transaction that this one undoes, gives back or completes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Original {
    /// DE 11 of it.
    pub voucher: Option<String>,
    /// DE 37 of it.
    pub reference: Option<String>,
    /// Its day, as it stood on its slip.
    pub date: Option<String>,
}

/// What a chip said (EMV Book 3, Annex A): tags 9F06 or 4F, 95, 9B and 9F26, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chip {
    /// Application identifier.
    pub aid: Option<String>,
    /// Terminal verification results.
    pub tvr: Option<String>,
    /// Transaction status information.
    pub tsi: Option<String>,
    /// Authorization request cryptogram.
    pub arqc: Option<String>,
}

/// A slip: what is printed once for each [`Copy`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slip {
    /// The merchant's registered name.
    pub merchant_name: Option<String>,
    /// DE 42.
    pub merchant: String,
    /// DE 41.
    pub terminal: String,
    /// Who was signed on at the terminal.
    pub operator: Option<String>,
    /// The bank that issued the card.
    pub issuer: Option<String>,
    /// The bank of the shop.
    pub acquirer: Option<String>,
    /// The card, masked.
    pub card: Option<MaskedPan>,
    /// How it was read.
    pub entry: Option<Entry>,
    /// YY/MM.
    pub expiry: Option<String>,
    /// What was asked.
    pub kind: Kind,
    /// DE 60.2.
    pub batch: Option<String>,
    /// DE 11.
    pub voucher: Option<String>,
    /// DE 38.
    pub approval: Option<String>,
    /// DE 37.
    pub reference: Option<String>,
    /// When.
    pub at: Moment,
    /// DE 4.
    pub amount: Option<Amount>,
    /// DE 49.
    pub currency: Currency,
    /// What it points at.
    pub original: Option<Original>,
    /// What a chip said.
    pub chip: Option<Chip>,
    /// What became of it.
    pub outcome: Outcome,
    /// Printed before?
    pub reprint: bool,
}

/// `1,280.00`
#[must_use]
pub fn grouped(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{sign}{out}.{cents}")
}
