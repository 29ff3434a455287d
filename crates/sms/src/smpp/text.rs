//! A text as short messages: in the seven-bit alphabet where it can be, else in UCS-2; a long one in parts that the telephone puts
//! together again by their user data headers (3GPP TS 23.040, 9.2.3.24.1).

/// `data_coding` (SMPP 3.4, 5.2.19): the centre's default alphabet, and UCS-2.
const DEFAULT: u8 = 0;
const UCS2: u8 = 8;
/// Bytes that one message holds (3GPP TS 23.040, 9.2.3.24): 140, or 160 characters of seven bits, which a centre packs itself.
const BYTES_MAX: usize = 140;
const SEPTETS_MAX: usize = 160;
/// Of a part, with the header of six bytes, so much is left: 67 characters of UCS-2, 153 of seven bits.
const PART_BYTES: usize = 134;
const PART_SEPTETS: usize = 153;
/// Parts of a message.
const PARTS_MAX: usize = 10;
/// Printable characters of ASCII whose code is another one in the seven-bit alphabet, or that need two (3GPP TS 23.038, 6.2.1).
const NOT_ALIKE: &str = "$@[]{}\\^~|_`";

/// A message as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) coding: u8,
    pub(crate) has_header: bool,
    pub(crate) parts: Vec<Vec<u8>>,
}

/// Encodes a text; `reference` is what its parts have in common. `None` when it is too long.
pub(crate) fn encode(text: &str, reference: u8) -> Option<Encoded> {
    let plain =
        text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && !NOT_ALIKE.contains(char::from(byte)));
    let (coding, whole, part) = match plain {
        true => (DEFAULT, SEPTETS_MAX, PART_SEPTETS),
        false => (UCS2, BYTES_MAX, PART_BYTES),
    };
    // One element is a character of seven bits, or a unit of UTF-16; a pair of those is not torn apart.
    let elements: Vec<Vec<u8>> = match plain {
        true => text.bytes().map(|byte| vec![byte]).collect(),
        false => text.chars().map(ucs2).collect(),
    };
    let length: usize = elements.iter().map(Vec::len).sum();
    if length <= whole {
        return Some(Encoded { coding, has_header: false, parts: vec![elements.concat()] });
    }
    let mut bodies: Vec<Vec<u8>> = vec![Vec::new()];
    for element in elements {
        match bodies.last_mut() {
            Some(body) if body.len() + element.len() <= part => body.extend(element),
            _ => bodies.push(element),
        }
    }
    let total = u8::try_from(bodies.len()).ok().filter(|_| bodies.len() <= PARTS_MAX)?;
    let parts = (1_u8..).zip(bodies).map(|(number, body)| {
        // Length of the header, concatenation with an eight-bit reference, three bytes of it.
        let mut message = vec![5, 0, 3, reference, total, number];
        message.extend(body);
        message
    });
    Some(Encoded { coding, has_header: true, parts: parts.collect() })
}

fn ucs2(sign: char) -> Vec<u8> {
    let mut units = [0; 2];
    sign.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_one_message() {
        let plain = encode("Code 482913", 7).unwrap();
        assert_eq!(
            (plain.coding, plain.has_header, plain.parts),
            (DEFAULT, false, vec![b"Code 482913".to_vec()])
        );
        let other = encode("\u{4e2d}1", 7).unwrap();
        assert_eq!((other.coding, other.parts), (UCS2, vec![vec![0x4e, 0x2d, 0, b'1']]));
        assert_eq!(encode("a_b", 7).unwrap().coding, UCS2, "an underscore has another code there");
        assert_eq!(encode(&"x".repeat(160), 7).unwrap().parts.len(), 1);
        assert_eq!(encode(&"\u{4e2d}".repeat(70), 7).unwrap().parts.len(), 1);
    }

    #[test]
    fn long_texts_are_parts_that_know_each_other() {
        let long = encode(&"\u{4e2d}".repeat(71), 0xa5).unwrap();
        assert!(long.has_header);
        assert_eq!(long.parts[0][..6], [5, 0, 3, 0xa5, 2, 1]);
        assert_eq!(long.parts[1][..6], [5, 0, 3, 0xa5, 2, 2]);
        assert_eq!((long.parts[0].len(), long.parts[1].len()), (140, 6 + 8));
        // A character of two units stays in one part.
        let pair = format!("{}\u{1f600}\u{4e2d}", "\u{4e2d}".repeat(66));
        let parts = encode(&pair, 1).unwrap().parts;
        assert!(parts.len() == 1 || parts[1][6..8] == [0xd8, 0x3d]);
        assert!(encode(&"\u{4e2d}".repeat(671), 1).is_none(), "more than ten parts");
    }
}
