//! What is shown and what is stored holds no card data.

use crate::random::messages;
use crate::support::{SAMPLES, dialect, hex, sample};
use iso8583::{Dialect, MessageBuilder};
use proptest::prelude::*;

/// Does the card number, or anything of the PIN block, remain in any form?
fn assert_clean(clean: &[u8], pan: &str, pin_block: &str, what: &str) {
    let (text, latin): (String, String) = (hex(clean), clean.iter().map(|b| char::from(*b)).collect());
    let ebcdic = hex(&pan.bytes().map(|c| 0xF0 + (c - b'0')).collect::<Vec<_>>());
    for form in [pan, ebcdic.as_str(), pin_block] {
        assert!(!text.contains(form), "{what}: {form}");
    }
    assert!(!latin.contains(pan) && !latin.contains(pin_block), "{what}");
    // Shifted by half a byte as well.
    assert!(!text.get(1..).unwrap_or_default().contains(pan), "{what}");
}

#[test]
fn samples_are_stored_without_card_data() {
    for sample in SAMPLES.iter() {
        let (body, dialect) = (sample.body(), sample.dialect());
        let clean = dialect.sanitized(&body).expect(&sample.id);
        assert_eq!(clean.len(), body.len());
        let (before, after) = (dialect.decode(&body).unwrap(), dialect.decode(&clean).unwrap());
        assert_eq!(before.bitmap(), after.bitmap());
        // The samples' 6299990000000009 has a middle of zeros: as stored it looks as it was.
        for pan in ["4111111111111111", "1234567890123456", "1111111110000000000"] {
            assert_clean(&clean, pan, "C4D37EC26B23F11D", &sample.id);
        }
        for n in [3, 4, 11, 37, 39, 41, 42, 49] {
            assert_eq!(before.raw(n), after.raw(n), "{}: DE {n} is not sensitive", sample.id);
        }
    }
}

#[test]
fn the_ends_of_a_card_number_stay_readable() {
    let sample = sample("syn-ebcdic-0100-binbitmap-pin");
    let (body, dialect) = (sample.body(), sample.dialect());
    let clean = dialect.sanitized(&body).unwrap();
    let message = dialect.decode(&clean).unwrap();
    assert_eq!(message.short(2).unwrap(), "6299990000000009");
    assert_eq!(message.short(35).unwrap(), "0".repeat(34).as_str());
    assert_eq!(message.short(52).unwrap(), "0000000000000000");
}

#[test]
fn keys_of_a_sign_in_reply_are_neither_stored_nor_shown() {
    let sample = sample("syn-cup-0810-signin-004-F62-60");
    let (body, dialect) = (sample.body(), sample.dialect());
    let clean = dialect.sanitized(&body).unwrap();
    assert_eq!(dialect.decode(&clean).unwrap().raw(62), Some(&[0u8; 60][..]));
    let message = dialect.decode(&body).unwrap();
    let shown = |reveal: bool| message.describe(reveal).into_iter().find(|line| line.path == "62").unwrap();
    assert_eq!((shown(false).value, shown(false).masked), ("*".repeat(120), true));
    assert!(shown(true).value.starts_with("B10223D2") && !shown(true).masked);
}

#[test]
fn a_card_number_in_free_text_and_in_chip_data_is_found() {
    let (cup, mut out, pan) = (dialect("cup-pos"), Vec::new(), "6230606601007726888");
    let mut builder = MessageBuilder::new("0200".parse().unwrap());
    builder.set(2, pan).set(59, &format!("card={pan};")).set_bytes(62, pan.as_bytes());
    builder.set_sub(55, "5A", &format!("{pan}F")).set_sub(55, "57", &format!("{pan}D30122011234F"));
    builder.set_sub(55, "DF01", &format!("0{pan}")).set_sub(55, "9F02", "000000010000");
    builder.encode(&cup, &mut out).unwrap();
    let clean = cup.sanitized(&out).unwrap();
    assert_clean(&clean, pan, "-", "free text");
    let message = cup.decode(&clean).unwrap();
    assert_eq!(message.short(59).unwrap(), "card=6230600000000006888;");
    assert_eq!(message.sub(55, "5A").unwrap(), "6230600000000006888F");
    assert_eq!(message.sub(55, "57").unwrap(), "0".repeat(32).as_str());
    assert_eq!(message.sub(55, "9F02").unwrap(), "000000010000");
    let original = cup.decode(&out).unwrap();
    let lines = original.describe(false);
    let value = |path: &str| lines.iter().find(|line| line.path == path).unwrap().value.clone();
    assert_eq!(value("2"), "623060*********6888");
    assert_eq!(value("55.5A"), "623060*********6888");
    assert_eq!(value("55.57"), "*".repeat(32));
}

#[test]
fn what_does_not_decode_is_not_stored() {
    let sample = sample("syn-cup-0200-sale-pin-3des");
    let body = sample.body();
    assert_eq!(sample.dialect().sanitized(&body[..body.len() - 1]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever else a message holds, its card number in fields 2, 35 and 55 and its PIN block are gone afterwards.
    #[test]
    fn no_card_number_and_no_pin_block_remains(
        (name, mut builder) in messages(),
        pan in "[1-9][0-9]{12,18}",
        pin_block in "[1-9A-F]{16}",
    ) {
        // A middle of zeros is its own mask, and short runs occur by chance.
        prop_assume!(pan[6..pan.len() - 4].bytes().any(|c| c != b'0'));
        let dialect: std::sync::Arc<Dialect> = dialect(name);
        let width = if name == "cup-pos-sm4" { 2 } else { 1 };
        builder.set(2, &pan).set(35, &format!("{pan}D3012201")).set(52, &pin_block.repeat(width));
        let mut body = Vec::new();
        builder.encode(&dialect, &mut body).unwrap();
        let clean = dialect.sanitized(&body).unwrap();
        prop_assert_eq!(clean.len(), body.len());
        assert_clean(&clean, &pan, &pin_block, name);
        let message = dialect.decode(&clean).unwrap();
        let shown = message.short(2).unwrap();
        prop_assert_eq!(&shown[..6], &pan[..6]);
        prop_assert_eq!(&shown[pan.len() - 4..], &pan[pan.len() - 4..]);
    }
}
