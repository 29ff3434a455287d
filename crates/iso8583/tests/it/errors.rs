//! Errors say where, what, and whose fault it is, and never quote a value.

use crate::support::{dialect, sample, unhex};
use iso8583::{Blame, Place};

fn check(dialect_name: &str, hex: &str, expected: &str, blame: Blame) {
    let (dialect, body) = (dialect(dialect_name), unhex(&hex.replace(' ', "")));
    let error = dialect.decode(&body).expect_err(hex);
    assert_eq!((error.to_string().as_str(), error.blame()), (expected, blame), "{hex}");
}

#[test]
fn structure() {
    use Blame::{PeerIncompatible, PeerMisbehaved};
    check("cup-pos", "", "message type at byte 0: 2 bytes are needed and 0 are left", PeerMisbehaved);
    check("cup-pos", "02A0", "message type at byte 0: the message type is not four digits", PeerMisbehaved);
    check("cup-pos", "0200 00", "bitmap at byte 2: 8 bytes are needed and 1 are left", PeerMisbehaved);
    check(
        "cup-pos",
        "0200 2000000000000000 0000",
        "DE 3 at byte 10: 3 bytes are needed and 2 are left",
        PeerMisbehaved,
    );
    check(
        "cup-pos",
        "0200 0000000000000000 00",
        "message at byte 10: 1 bytes follow the last field",
        PeerMisbehaved,
    );
    check(
        "cup-pos",
        "0200 8000000000000000",
        "bitmap at byte 2: bit 1 announces fields above 64, which this dialect does not have",
        PeerIncompatible,
    );
    check(
        "cup-pos",
        "0200 0000000400000000 00",
        "DE 30 at byte 10: this dialect does not define the field",
        PeerIncompatible,
    );
    check(
        "cup-pos",
        "0200 4000000000000000 1A",
        "DE 2 at byte 10: the length prefix is not a number",
        PeerMisbehaved,
    );
    check(
        "cup-pos",
        "0200 4000000000000000 20",
        "DE 2 at byte 10: length 20 is above the maximum of 19",
        PeerMisbehaved,
    );
    check("ascii87", "30323030 30", "bitmap at byte 4: 16 bytes are needed and 1 are left", PeerMisbehaved);
    check(
        "ascii87",
        "30323030 38303030303030303030303030303030 30",
        "DE 1 at byte 20: 16 bytes are needed and 1 are left",
        PeerMisbehaved,
    );
    check(
        "ascii87",
        "30323030 30303030303030303030303030303047",
        "bitmap at byte 4: the bitmap is not hexadecimal",
        PeerMisbehaved,
    );
}

#[test]
fn content() {
    use Blame::PeerMisbehaved;
    check(
        "cup-pos",
        "0200 2000000000000000 0A0000",
        "DE 3 at byte 10: this byte can not stand in a field of digits",
        PeerMisbehaved,
    );
    check(
        "cup-pos",
        "0200 0000040000000000 0213",
        "DE 22 at byte 11: the half-byte that pads an odd number of digits is neither 0 nor F",
        PeerMisbehaved,
    );
    check(
        "cup-pos",
        "0200 0000000020000000 03 12E0",
        "DE 35 at byte 12: this byte can not stand in a field of track data",
        PeerMisbehaved,
    );
    check(
        "cup-pos",
        "0200 0000000002000000 350A",
        "DE 39 at byte 11: this byte can not stand in a field of letters and digits",
        PeerMisbehaved,
    );
}

#[test]
fn chip_data() {
    use Blame::PeerMisbehaved;
    let long = sample("ascii87-0100-chip");
    let (mut body, dialect) = (long.body(), long.dialect());
    let amount = body.windows(3).position(|w| w == [0x9F, 0x02, 0x06]).unwrap();
    body[amount + 2] = 0x7F;
    let error = dialect.decode(&body).unwrap_err();
    let expected = format!("DE 55 / 9F02 at byte {amount}: length 127 runs past the end, where ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    // The chip data are content: everything around them was read.
    assert_eq!((error.field(), error.offset(), error.blame()), (Some(55), amount, PeerMisbehaved));
    assert_eq!(error.partial().text(62).unwrap().to_string(), "ORDERID=000123|CHANNEL=ECOM");
    check(
        "cup-pos",
        "0200 0000000000000200 0001 9F",
        "DE 55 at byte 12: the data ends inside a tag",
        PeerMisbehaved,
    );
}

/// A host answers 30 when it could read type, trace and terminal.
#[test]
fn wrong_content_leaves_the_rest_readable() {
    let sample = sample("syn-cup-0200-sale-pin-3des");
    let (mut body, dialect) = (sample.body(), sample.dialect());
    let (amount, currency) = (13, body.windows(3).position(|w| w == b"156").unwrap());
    body[amount] = 0xAA;
    body[currency] = 0x01;
    let error = dialect.decode(&body).unwrap_err();
    assert_eq!((error.place(), error.offset()), (Place::Field(4), amount), "the first of two");
    let partial = error.partial();
    assert_eq!(partial.mti().to_string(), "0200");
    assert_eq!(partial.digits(11), Some(123));
    assert_eq!(partial.ascii(41), Some("10000001"));
    assert!(partial.has(64));
}

#[test]
fn a_broken_structure_leaves_what_stood_before_it() {
    let sample = sample("syn-cup-0200-sale-pin-3des");
    let (mut body, dialect) = (sample.body(), sample.dialect());
    let track = 26;
    assert_eq!(body[track], 0x37);
    body[track] = 0x38;
    let error = dialect.decode(&body).unwrap_err();
    assert_eq!(error.to_string(), "DE 35 at byte 26: length 38 is above the maximum of 37");
    let partial = error.partial();
    assert_eq!(partial.fields().collect::<Vec<_>>(), [3, 4, 11, 22, 25, 26]);
    assert!(!partial.has(35) && partial.raw(35).is_none() && partial.text(41).is_none());
    assert_eq!(partial.bitmap().to_string(), "302004C020C09811");
}

/// Digit 3 of field 53 says that the tracks are encrypted; then any half-byte is legal.
#[test]
fn an_encrypted_track_is_no_error() {
    let sample = sample("syn-cup-0200-sale-pin-3des");
    let (mut body, dialect) = (sample.body(), sample.dialect());
    body[30] = 0xEB;
    let error = dialect.decode(&body).unwrap_err();
    assert_eq!(error.to_string(), "DE 35 at byte 30: this byte can not stand in a field of track data");
    let security = error.partial().offset_of(53).unwrap();
    body[security + 1] = 0x10;
    let message = dialect.decode(&body).unwrap();
    assert_eq!(message.short(35).unwrap()[6..8], *"EB");
    let mut again = Vec::new();
    let mut builder = iso8583::MessageBuilder::new(message.mti());
    for (path, text) in message.to_fields().iter() {
        builder.set_path(path, text);
    }
    builder.encode(&dialect, &mut again).unwrap();
    assert_eq!(again, body);
}

#[test]
fn errors_and_debug_output_hold_no_card_data() {
    let sample = sample("syn-cup-0200-sale-pin-3des");
    let (mut body, dialect) = (sample.body(), sample.dialect());
    let shown =
        format!("{:?} {:?}", dialect.decode(&body).unwrap(), dialect.decode(&body).unwrap().short(35));
    body[30] = 0xEB;
    let error = dialect.decode(&body).unwrap_err();
    for text in [
        shown,
        format!("{error} {error:?} {:?}", error.partial()),
        format!("{:?}", error.describe_partial(false)),
    ] {
        assert!(!text.contains("629999") && !text.contains("C4D3"), "{text}");
    }
}
