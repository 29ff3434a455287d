//! Fields with an inner structure: chip data whose unknown tags survive, and tables of which every prefix is legal.

use crate::support::{dialect, sample, unhex};
use iso8583::{MessageBuilder, Tag};

#[test]
fn unknown_and_three_byte_tags_are_kept() {
    let sample = sample("ascii87-0100-unknown-tlv");
    let (body, dialect) = (sample.body(), sample.dialect());
    let message = dialect.decode(&body).unwrap();
    assert_eq!(message.sub(55, "DF8129").unwrap(), "AABBCCDD");
    assert_eq!(message.tag(55, Tag::new(0xDF_8129).unwrap()), Some(&[0xAA, 0xBB, 0xCC, 0xDD][..]));
    assert_eq!(message.sub(55, "9F02").unwrap(), "000000005000");
    assert_eq!(message.sub(55, "9F99"), None);
    assert_eq!(message.to_fields().get("55.DF8129"), Some("AABBCCDD"));
}

#[test]
fn repeated_objects_are_listed_and_written_apart() {
    let (cup, mut out) = (dialect("cup-pos"), Vec::new());
    let mut builder = MessageBuilder::new("0210".parse().unwrap());
    builder.set_bytes(55, &unhex("7203AABBCC9F3602003472 01DD".replace(' ', "").as_str()));
    builder.encode(&cup, &mut out).unwrap();
    let message = cup.decode(&out).unwrap();
    let fields = message.to_fields();
    assert_eq!((fields.get("55.72"), fields.get("55.72#2")), (Some("AABBCC"), Some("DD")));
    let mut again = MessageBuilder::new(message.mti());
    for (path, text) in fields.iter() {
        again.set_path(path, text);
    }
    let mut out = Vec::new();
    again.encode(&cup, &mut out).unwrap();
    assert_eq!(cup.decode(&out).unwrap().to_fields().get("55.72#2"), Some("DD"));
}

/// F60 is 2, 6, 3, 1, 1, 1 and 3 digits; a terminal may stop after any of the seventeen.
#[test]
fn field_60_may_end_anywhere() {
    let (cup, whole) = (dialect("cup-pos"), "22000001000501601");
    let ends = [("1", 2), ("2", 8), ("3", 11), ("4", 12), ("5", 13), ("6", 14), ("7", 17)];
    for length in 0..=17 {
        let mut out = Vec::new();
        let mut builder = MessageBuilder::new("0200".parse().unwrap());
        builder.set(60, &whole[..length]).encode(&cup, &mut out).unwrap();
        let message = cup.decode(&out).unwrap();
        assert_eq!(message.text(60).unwrap().to_string(), whole[..length]);
        let mut start = 0;
        for (id, end) in ends {
            let expected = (end <= length).then(|| whole[start..end].to_owned());
            assert_eq!(message.sub(60, id).map(|s| s.to_string()), expected, "60.{id} of {length} digits");
            start = end;
        }
        let listed = message.describe(true).iter().filter(|line| line.path.starts_with("60.")).count();
        assert_eq!(listed, ends.iter().filter(|(_, end)| *end <= length).count());
    }
}

#[test]
fn sub_fields_are_set_one_by_one() {
    let (cup, mut out) = (dialect("cup-pos"), Vec::new());
    let mut builder = MessageBuilder::new("0400".parse().unwrap());
    builder.set_sub(61, "1", "000001").set_sub(61, "3", "1122").set_sub(61, "2", "000123");
    builder.set_sub(61, "4", "00").set_sub(61, "5", "01020000");
    builder.encode(&cup, &mut out).unwrap();
    let message = cup.decode(&out).unwrap();
    assert_eq!(message.short(61).unwrap(), "00000100012311220001020000");
    assert_eq!(message.sub(61, "5").unwrap(), "01020000");
}

#[test]
fn original_data_elements_are_a_table_too() {
    let sample = sample("syn-ascii87-0420-F90-hexbitmap");
    let (body, dialect) = (sample.body(), sample.dialect());
    let message = dialect.decode(&body).unwrap();
    assert_eq!(message.sub(90, "1").unwrap(), "0200");
    assert_eq!(message.sub(90, "2").unwrap(), "000123");
    assert_eq!(message.sub(90, "3").unwrap(), "1122101530");
}

/// Issuer scripts have the bit of a template and often are none.
#[test]
fn a_template_that_is_none_is_no_error() {
    let sample = sample("ascii87-0110");
    let (body, dialect) = (sample.body(), sample.dialect());
    assert_eq!(dialect.decode(&body).unwrap().sub(55, "71").unwrap(), "112233445566");
}
