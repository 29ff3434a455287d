//! Card data, keys and PIN blocks: how they are shown, and how a message is made fit for storage.
//!
//! What is sensitive is data: the spec file marks fields, `specs/emv-tags.toml` marks data objects. Here is only what the marks mean.
//! [`Dialect::sanitized`] overwrites in place, byte for byte of the same length, so that what is stored still decodes and a person
//! can still see which fields a message had. If a message can not be decoded in full, nobody knows where its card number is,
//! and nothing is kept.

use crate::encoding::{Content, Encoding};
use crate::field::{Align, Composite, FieldSpec, Sensitivity};
use crate::message::Message;
use crate::spec::Dialect;
use crate::tlv::{self, Tlv};

/// Digits of a card number that may remain at its start and at its end (PCI DSS 3.4.1).
const PAN_HEAD: usize = 6;
const PAN_TAIL: usize = 4;
/// A card number has at least 13 digits in practice (ISO 7812 allows fewer); what is shorter is hidden entirely.
const PAN_SHORTEST: usize = 13;
const PAN_LONGEST: usize = 19;

/// The value as it may be shown. A card number in hex notation may end in pads `F`, which count as hidden.
pub(crate) fn masked(sensitivity: Sensitivity, value: &str) -> String {
    let keeps = sensitivity == Sensitivity::Pan;
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let whole = keeps && (PAN_SHORTEST..=19).contains(&digits) && value[digits..].bytes().all(|c| c == b'F');
    if !whole {
        return "*".repeat(value.chars().count());
    }
    let hidden = "*".repeat(digits - PAN_HEAD - PAN_TAIL);
    format!("{}{hidden}{}", &value[..PAN_HEAD], &value[digits - PAN_TAIL..digits])
}

/// Whether a data object is sensitive: by its own mark, or because something inside it is.
pub(crate) fn of_object(dialect: &Dialect, object: &Tlv<'_>) -> Option<Sensitivity> {
    let own = dialect.tag_note(object.tag).and_then(|note| note.sensitivity);
    own.or_else(|| {
        let mut inner = None;
        tlv::walk(object.children().map(|_| object.value).unwrap_or_default(), &mut |inside, _| {
            let mark = dialect.tag_note(inside.tag).and_then(|note| note.sensitivity);
            inner = inner.or(mark.map(|_| Sensitivity::Secret));
        });
        inner
    })
}

impl Dialect {
    /// A copy of `body` fit for storage, of the same length and still decodable: card numbers keep their first six and last four
    /// digits and have zeros between, tracks, PIN blocks, keys and sensitive data objects are zeros, and wherever else the
    /// message repeats its card number, the repetition is treated alike. `None` if the message does not decode.
    pub fn sanitized(&self, body: &[u8]) -> Option<Vec<u8>> {
        self.sanitized_message(&self.decode(body).ok()?)
    }

    /// The same of a message that was decoded in full by this dialect.
    pub fn sanitized_message(&self, message: &Message<'_>) -> Option<Vec<u8>> {
        let pans = card_numbers(message);
        let mut halves = Vec::new();
        let mut copy = message.body().to_vec();
        for n in message.fields() {
            let (spec, extent) = message.extent(n)?;
            let value = copy.get_mut(extent.start..extent.end)?;
            match self.note(n).sensitivity_in(message.mti()) {
                Some(sensitivity) => wipe(spec, sensitivity, value, extent.units),
                None if spec.composite == Composite::Tlv => wipe_objects(self, value),
                None => {}
            }
            let value = copy.get_mut(extent.start..extent.end)?;
            wipe_repetitions(spec, value, extent.units, &pans, &mut halves);
        }
        // What is stored must be readable later; if it were not, it is better not to have it.
        self.decode(&copy).is_ok().then_some(copy)
    }
}

/// A character-wise view of a value, so that one routine serves packed, ASCII, EBCDIC and hex digits.
struct Digits<'v> {
    value: &'v mut [u8],
    spec: Option<&'v FieldSpec>,
    units: usize,
}

impl Digits<'_> {
    fn packed(&self) -> bool {
        self.spec.is_none_or(|spec| matches!(spec.axes.encoding, Encoding::Bcd | Encoding::Binary))
    }

    fn len(&self) -> usize {
        if self.packed() { self.units } else { self.value.len() }
    }

    fn place(&self, i: usize) -> (usize, u32) {
        let shifted = self.spec.is_some_and(|spec| {
            spec.axes.encoding == Encoding::Bcd && spec.axes.align == Align::Right && self.units % 2 == 1
        });
        let at = i + usize::from(shifted);
        (at / 2, if at.is_multiple_of(2) { 4 } else { 0 })
    }

    fn zero_of_characters(&self) -> u8 {
        if self.spec.is_some_and(|spec| spec.axes.encoding == Encoding::Ebcdic) { 0xF0 } else { b'0' }
    }

    /// The digit at `i`; `None` for anything else.
    #[inline]
    fn get(&self, i: usize) -> Option<u8> {
        let digit = if self.packed() {
            let (at, shift) = self.place(i);
            self.value[at] >> shift & 0x0F
        } else {
            self.value[i].wrapping_sub(self.zero_of_characters())
        };
        (digit <= 9).then_some(digit)
    }

    /// All of them, one in a byte, and which byte is a zero; what is no digit is none there either. Packed digits are laid out
    /// in `halves`.
    fn as_text<'t>(&'t self, halves: &'t mut Vec<u8>) -> (&'t [u8], u8) {
        if !self.packed() {
            return (self.value, self.zero_of_characters());
        }
        halves.clear();
        halves.resize(self.value.len() * 2, 0);
        for (pair, byte) in halves.as_chunks_mut().0.iter_mut().zip(&*self.value) {
            *pair = [byte >> 4, byte & 0x0F];
        }
        let (first, shift) = self.place(0);
        let behind = halves.get(first * 2 + usize::from(shift == 0)..).unwrap_or_default();
        (&behind[..self.units.min(behind.len())], 0)
    }

    fn zero(&mut self, i: usize) {
        if self.packed() {
            let (at, shift) = self.place(i);
            self.value[at] &= !(0x0F << shift);
        } else {
            self.value[i] = self.zero_of_characters();
        }
    }

    /// The sign of a signed number says nothing about a card and has to stay one.
    fn zero_all(&mut self) {
        let signed = self.spec.is_some_and(|spec| spec.axes.content == Content::SignedDigits);
        self.zero_between(usize::from(signed), self.len());
    }

    fn zero_middle(&mut self, start: usize, len: usize) {
        self.zero_between(start + PAN_HEAD, start + len - PAN_TAIL);
    }

    /// Whole bytes at once; a packed digit that shares its byte with what stays, by itself.
    fn zero_between(&mut self, mut start: usize, end: usize) {
        if start >= end {
            return;
        }
        if !self.packed() {
            let zero = self.zero_of_characters();
            return self.value[start..end].fill(zero);
        }
        if self.place(start).1 == 0 {
            self.zero(start);
            start += 1;
        }
        let whole = end.saturating_sub(start) / 2;
        let first = self.place(start).0;
        self.value[first..first + whole].fill(0);
        (start + 2 * whole..end).for_each(|i| self.zero(i));
    }
}

fn wipe(spec: &FieldSpec, sensitivity: Sensitivity, value: &mut [u8], units: usize) {
    let units = if spec.axes.encoding == Encoding::Binary { value.len() * 2 } else { units };
    let mut digits = Digits { value, spec: Some(spec), units };
    let len = digits.len();
    match sensitivity {
        Sensitivity::Pan if len >= PAN_SHORTEST => digits.zero_middle(0, len),
        Sensitivity::Pan | Sensitivity::Track | Sensitivity::PinBlock | Sensitivity::Secret => {
            digits.zero_all()
        }
    }
}

/// The sensitive objects of a BER-TLV field, inside templates too.
fn wipe_objects(dialect: &Dialect, value: &mut [u8]) {
    let mut marked = Vec::new();
    tlv::walk(value, &mut |object, _| {
        let sensitivity = dialect.tag_note(object.tag).and_then(|note| note.sensitivity);
        marked.extend(sensitivity.map(|s| (object.value_offset, object.value.len(), s)));
    });
    for (start, len, sensitivity) in marked {
        let mut digits = Digits { value: &mut value[start..start + len], spec: None, units: len * 2 };
        let pan_len = (0..digits.len()).take_while(|i| digits.get(*i).is_some()).count();
        match sensitivity {
            Sensitivity::Pan if pan_len >= PAN_SHORTEST => digits.zero_middle(0, pan_len),
            _ => digits.zero_all(),
        }
    }
}

/// A card number that the message names, digit by digit (0 to 9).
#[derive(Clone, Copy, PartialEq, Eq)]
struct CardNumber {
    digits: [u8; PAN_LONGEST],
    len: usize,
}

impl CardNumber {
    /// The digits at the start of a text, if there are as many as a card number has.
    fn leading(characters: &[u8]) -> Option<Self> {
        let len = characters.iter().take_while(|c| c.is_ascii_digit()).count();
        let mut digits = [0; PAN_LONGEST];
        digits.get_mut(..len)?.iter_mut().zip(characters).for_each(|(digit, c)| *digit = c - b'0');
        (len >= PAN_SHORTEST).then_some(Self { digits, len })
    }

    /// Where it begins in `text`, which has a digit or something else in each byte; overlapping places too.
    fn places_in(&self, text: &[u8], zero: u8) -> Vec<usize> {
        let written = self.digits.map(|digit| digit + zero);
        let Some((head, tail)) = written[..self.len].split_first_chunk::<8>() else { return Vec::new() };
        // Eight digits are compared as one number, and there is seldom more to look at.
        let begins = text.windows(self.len).enumerate().filter(|(_, window)| window.starts_with(head));
        begins.filter(|(_, window)| window.ends_with(tail)).map(|(start, _)| start).collect()
    }
}

/// The card numbers that the message names: in its PAN fields, at the start of its tracks, and in its data objects.
fn card_numbers(message: &Message<'_>) -> Vec<CardNumber> {
    let mut numbers = Vec::new();
    let mut keep = |characters: &[u8]| {
        if let Some(number) = CardNumber::leading(characters)
            && !numbers.contains(&number)
        {
            numbers.push(number);
        }
    };
    for n in message.fields() {
        let note = message.dialect().note(n);
        // Track 1 starts with a format code, track 3 with two digits of one (ISO 7813, ISO 4909).
        let starts: &[usize] = match note.sensitivity_in(message.mti()) {
            Some(Sensitivity::Pan) => &[0],
            Some(Sensitivity::Track) => &[0, 1, 2],
            Some(Sensitivity::PinBlock | Sensitivity::Secret) | None => &[],
        };
        if !starts.is_empty()
            && let Some(text) = message.text(n)
        {
            // One more than fits tells a number that is too long.
            let mut head = [0; PAN_LONGEST + 3];
            let len = match message.short(n) {
                Some(text) => {
                    head.iter_mut().zip(text.as_bytes()).for_each(|(at, c)| *at = *c);
                    text.len().min(head.len())
                }
                None => head.iter_mut().zip(text.characters()).map(|(at, c)| *at = c).count(),
            };
            starts.iter().filter_map(|start| head[..len].get(*start..)).for_each(&mut keep);
        }
        if message.dialect().field(n).composite != Composite::Tlv {
            continue;
        }
        for object in message.objects(n).into_iter().flatten().map_while(Result::ok) {
            let mark = message.dialect().tag_note(object.tag).and_then(|note| note.sensitivity);
            if matches!(mark, Some(Sensitivity::Pan | Sensitivity::Track)) {
                let head: Vec<u8> = crate::message::hex_of(object.value).take(PAN_LONGEST + 1).collect();
                keep(&head);
            }
        }
    }
    numbers
}

/// The card numbers where they have no business to be. Inside BER-TLV only values are touched, so that the structure stays.
fn wipe_repetitions(
    spec: &FieldSpec,
    value: &mut [u8],
    units: usize,
    numbers: &[CardNumber],
    halves: &mut Vec<u8>,
) {
    // A packed digit is half a byte.
    if numbers.is_empty() || value.len() < PAN_SHORTEST / 2 {
        return;
    }
    if spec.composite != Composite::Tlv {
        wipe_repeated(spec, value, units, numbers, halves);
        return;
    }
    let places: Vec<_> =
        tlv::objects(value).map_while(Result::ok).map(|o| (o.value_offset, o.value.len())).collect();
    for (start, len) in places {
        wipe_repeated(spec, &mut value[start..start + len], len, numbers, halves);
    }
}

/// In a free text, in a private structure, packed or not.
fn wipe_repeated(
    spec: &FieldSpec,
    value: &mut [u8],
    units: usize,
    numbers: &[CardNumber],
    halves: &mut Vec<u8>,
) {
    let binary = spec.axes.encoding == Encoding::Binary;
    let units = if binary { value.len() * 2 } else { units };
    wipe_runs(&mut Digits { spec: Some(spec), units, value }, numbers, halves);
    if binary {
        // Raw bytes may hold digits as text as well.
        for number in numbers {
            for start in number.places_in(value, b'0') {
                value[start + PAN_HEAD..start + number.len - PAN_TAIL].fill(b'0');
            }
        }
    }
}

fn wipe_runs(digits: &mut Digits<'_>, numbers: &[CardNumber], halves: &mut Vec<u8>) {
    if digits.len() < PAN_SHORTEST {
        return;
    }
    let (text, zero) = digits.as_text(halves);
    // All are looked for before any is wiped: they may overlap.
    let mut found = Vec::new();
    for number in numbers {
        found.extend(number.places_in(text, zero).into_iter().map(|start| (start, number.len)));
    }
    for (start, len) in found {
        digits.zero_middle(start, len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sensitivity: Sensitivity, value: &str, expected: &str) {
        assert_eq!(masked(sensitivity, value), expected);
    }

    #[test]
    fn a_card_number_keeps_its_ends_and_nothing_else_keeps_anything() {
        check(Sensitivity::Pan, "6299990000000009", "629999******0009");
        check(Sensitivity::Pan, "1111111110000000000", "111111*********0000");
        check(Sensitivity::Pan, "6299990000000009FF", "629999******0009");
        check(Sensitivity::Pan, "62999900", "********");
        check(Sensitivity::Pan, "629999000000000A", "****************");
        check(Sensitivity::Track, "6299990000000009D3012", "*********************");
        check(Sensitivity::PinBlock, "C4D37EC26B23F11D", "****************");
        check(Sensitivity::Secret, "", "");
    }
}
