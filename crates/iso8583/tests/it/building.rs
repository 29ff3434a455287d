//! Replies as a host builds them: copied fields, own fields, a MAC over what stands before it.

use crate::support::{dialect, hex, sample};
use iso8583::{EncodeFault, MessageBuilder};

fn encoded(dialect_name: &str, build: impl FnOnce(&mut MessageBuilder)) -> Result<String, String> {
    let mut builder = MessageBuilder::new("0210".parse().unwrap());
    build(&mut builder);
    let mut out = b"kept".to_vec();
    let outcome = builder.encode(&dialect(dialect_name), &mut out);
    assert!(out.starts_with(b"kept"));
    if outcome.is_err() {
        assert_eq!(out, b"kept", "nothing is left behind by an error");
    }
    outcome.map(|()| hex(&out[4..])).map_err(|e| e.to_string())
}

#[test]
fn a_reply_is_signed_over_what_stands_before_the_mac() {
    let (request, expected) = (sample("syn-cup-0200-sale-pin-3des"), sample("syn-cup-0210-F39-55"));
    let (dialect, body, expected) = (request.dialect(), request.body(), expected.body());
    let sale = dialect.decode(&body).unwrap();
    let mut reply = MessageBuilder::new(sale.mti().reply().unwrap());
    for n in [3, 4, 11, 25, 41, 42, 49, 60] {
        reply.copy(&sale, n);
    }
    reply.set(12, "101530").set(13, "1122").set(15, "1122").set(32, "01020000").set(37, "112210153001");
    reply.set(39, "55").set(63, "CUP");
    let mut out = Vec::new();
    reply
        .encode_signed(&dialect, &mut out, |covered| {
            assert_eq!(hex(covered), hex(&expected[..expected.len() - 8]));
            *b"0CB5A603"
        })
        .unwrap();
    assert_eq!(hex(&out), hex(&expected));
    let sent = dialect.decode(&out).unwrap();
    assert_eq!(sent.mac_field(), Some(64));
    assert_eq!(sent.before(64), Some(&expected[..expected.len() - 8]));
}

#[test]
fn above_64_the_mac_is_in_128_and_hex_dialects_write_it_in_hex() {
    for (name, digits) in [("cups-host", 8), ("ascii87", 16)] {
        let dialect = dialect(name);
        let mut builder = MessageBuilder::new("0800".parse().unwrap());
        builder.set(7, "1123115333").set(70, "101");
        let mut out = Vec::new();
        builder.encode_signed(&dialect, &mut out, |_| [0xAB; 8]).unwrap();
        let message = dialect.decode(&out).unwrap();
        assert_eq!(message.mac_field(), Some(128));
        assert_eq!(message.text(128).unwrap().to_string(), "ABABABABABABABAB");
        assert_eq!(message.raw(128).unwrap().len(), digits);
    }
}

#[test]
fn what_a_dialect_can_not_carry_is_refused_by_name() {
    let check = |n: u8, text: &str, expected: &str| {
        assert_eq!(
            encoded("cup-pos", |b| {
                b.set(n, text);
            })
            .unwrap_err(),
            expected
        );
    };
    check(4, "1000", "DE 4: length 4 where 12 is fixed");
    check(4, "00000001000A", "DE 4: a character can not stand in a field of digits");
    check(2, "62999900000000091234", "DE 2: length 20 is above the maximum of 19");
    check(52, "C4D3", "DE 52: length 2 where 8 is fixed");
    check(52, "XX", "DE 52: hex digits, two for each byte, are expected");
    check(70, "301", "DE 70: this dialect does not define the field");
    check(1, "", "DE 0: this dialect does not define the field");
    check(39, "5\u{e9}", "DE 39: a character can not stand in a field of letters and digits");
    let sub = |n: u8, id: &str, text: &str| {
        encoded("cup-pos", |b| {
            b.set_sub(n, id, text);
        })
        .unwrap_err()
    };
    assert_eq!(sub(60, "2", "000001"), "DE 60 / 2: a sub-field before it is missing");
    assert_eq!(sub(60, "1", "1"), "DE 60 / 1: length 1 where 2 is fixed");
    assert_eq!(sub(60, "9", "1"), "DE 60 / 9: the field has no such sub-field");
    assert_eq!(sub(11, "1", "1"), "DE 11: the field has no such sub-field");
    assert_eq!(sub(55, "9F", "00"), "DE 55 / 9F: not a tag of one to three bytes");
    assert_eq!(sub(55, "9F02", "0"), "DE 55 / 9F02: hex digits, two for each byte, are expected");
}

#[test]
fn texts_are_padded_and_numbers_are_not() {
    assert_eq!(
        encoded("cup-pos", |b| {
            b.set(41, "T1");
        })
        .unwrap(),
        "021000000000008000005431202020202020"
    );
    assert!(
        encoded("cup-pos", |b| {
            b.set(11, "1");
        })
        .is_err()
    );
    assert_eq!(
        encoded("ebcdic87", |b| {
            b.set(41, "T1");
        })
        .unwrap(),
        "F0F2F1F00000000000800000E3F1404040404040"
    );
}

#[test]
fn odd_digits_stand_where_the_dialect_puts_them() {
    assert_eq!(
        encoded("cup-pos", |b| {
            b.set(22, "021");
        })
        .unwrap(),
        "021000000400000000000210"
    );
    assert_eq!(
        encoded("cup-pos", |b| {
            b.set(23, "001");
        })
        .unwrap(),
        "021000000200000000000001"
    );
    assert_eq!(
        encoded("bcd87", |b| {
            b.set(22, "021");
        })
        .unwrap(),
        "021000000400000000000021"
    );
    assert_eq!(
        encoded("bcd87", |b| {
            b.set(2, "123");
        })
        .unwrap(),
        "02104000000000000000030123"
    );
}

#[test]
fn bytes_that_are_no_text_are_escaped_and_come_back() {
    let dialect = dialect("cup-pos");
    // 交易成功 in GBK, a control character, and a backslash that looks like an escape.
    let bytes =
        [b"CUP".as_slice(), &[0xBD, 0xBB, 0xD2, 0xD7, 0xB3, 0xC9, 0xB9, 0xA6, 0x00], br"\x41 \n \"].concat();
    let mut builder = MessageBuilder::new("0210".parse().unwrap());
    builder.set_bytes(63, &bytes);
    let mut out = Vec::new();
    builder.encode(&dialect, &mut out).unwrap();
    let message = dialect.decode(&out).unwrap();
    assert_eq!(message.raw(63), Some(bytes.as_slice()));
    let text = message.text(63).unwrap().to_string();
    assert_eq!(text, r"CUP\xBD\xBB\xD2\xD7\xB3\xC9\xB9\xA6\x00\x5Cx41 \n \");
    let mut again = Vec::new();
    MessageBuilder::new(message.mti()).set(63, &text).encode(&dialect, &mut again).unwrap();
    assert_eq!(hex(&again), hex(&out));
}

#[test]
fn one_changed_field_changes_nothing_else() {
    // Bit 1 clear with 128 bits sent, and a pad of F, both stay.
    let sample = sample("ascii87-0800-echo-short");
    let (body, dialect) = (sample.body(), sample.dialect());
    let mut builder = MessageBuilder::from(&dialect.decode(&body).unwrap());
    builder.set(11, "654321");
    let mut out = Vec::new();
    builder.encode(&dialect, &mut out).unwrap();
    let expected = String::from_utf8(body).unwrap().replacen("123456123456", "123456654321", 1);
    assert_eq!(String::from_utf8(out).unwrap(), expected);

    let cup = crate::support::dialect("cup-pos");
    let padded = crate::support::unhex("0200400000000000000005 12345F".replace(' ', "").as_str());
    let message = cup.decode(&padded).unwrap();
    assert_eq!(message.text(2).unwrap().to_string(), "12345");
    let mut out = Vec::new();
    MessageBuilder::from(&message).encode(&cup, &mut out).unwrap();
    assert_eq!(hex(&out), hex(&padded));
}

#[test]
fn a_field_is_set_removed_and_set_again() {
    let mut builder = MessageBuilder::new("0210".parse().unwrap());
    builder.set(11, "000001").set(39, "00").set(11, "000002").remove(39);
    builder.set_sub(60, "1", "22").set_sub(60, "2", "000001").set_sub(60, "1", "23");
    assert!(builder.has(11) && !builder.has(39));
    let mut out = Vec::new();
    let cup = dialect("cup-pos");
    builder.encode(&cup, &mut out).unwrap();
    let message = cup.decode(&out).unwrap();
    assert_eq!(message.digits(11), Some(2));
    assert_eq!(message.short(60).unwrap(), "23000001");
    builder.set(60, "99");
    out.clear();
    builder.encode(&cup, &mut out).unwrap();
    assert_eq!(cup.decode(&out).unwrap().short(60).unwrap(), "99");
}

#[test]
fn a_message_longer_than_any_frame_is_refused() {
    let spec = "name = \"long\"\nextends = \"ascii87\"\n".to_owned()
        + "[fields]\n"
        + &(105..=120).map(|n| format!("{n} = {{ format = \"ans....9999\" }}\n")).collect::<String>();
    let dialect = iso8583::Dialect::from_toml(&spec).unwrap();
    let mut builder = MessageBuilder::new("0200".parse().unwrap());
    for n in 105..=120 {
        builder.set(n, &"x".repeat(9999));
    }
    let error = builder.encode(&dialect, &mut Vec::new()).unwrap_err();
    assert!(matches!(error.fault, EncodeFault::Oversized { .. }), "{error}");
}
