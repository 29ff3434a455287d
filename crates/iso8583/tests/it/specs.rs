//! Spec files: those built in, one that a user adds, and what their authors get wrong.

use crate::support::{dialect, hex};
use iso8583::{Blame, Dialect, MessageBuilder};

#[test]
fn every_built_in_dialect_compiles_and_names_its_fields() {
    for name in Dialect::names() {
        let dialect = dialect(name);
        assert_eq!(dialect.name(), name);
        for n in (2..=128).filter(|n| dialect.defines(*n)) {
            let (en, zh) = dialect.field_names(n);
            assert!(!en.is_empty() && !zh.is_empty(), "{name}: DE {n} needs a name in both languages");
        }
        assert!(dialect.defines(11) && dialect.defines(64) && !dialect.defines(1) && !dialect.defines(129));
    }
    assert!(Dialect::builtin("ascii99").is_none());
}

/// The example of specs/README.md, from the file itself.
#[test]
fn the_example_of_the_guide_works() {
    let guide = include_str!("../../specs/README.md");
    let toml = guide.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let dialect = Dialect::from_toml(toml).unwrap();
    assert_eq!(dialect.name(), "my-acquirer");
    let mut out = Vec::new();
    let mut builder = MessageBuilder::new("0200".parse().unwrap());
    builder.set(41, "T1").set(48, "ABC").set_sub(60, "1", "22").set_sub(60, "2", "000001");
    builder.encode(&dialect, &mut out).unwrap();
    assert_eq!(hex(&out), "0200000000000081001054312020202020200003414243000822000001");
    assert_eq!(dialect.decode(&out).unwrap().sub(60, "2").unwrap(), "000001");
    assert_eq!(dialect.field_names(48), ("loyalty number", "会员号"));
    assert!(!dialect.defines(63));
}

/// Every axis once, in one user's dialect without a base.
#[test]
fn the_axes_are_independent() {
    let toml = r#"
        name = "odd"
        sources = ["made up"]
        [message]
        mti = "ebcdic"
        bitmap = "ebcdic-hex"
        [encoding]
        n = "bcd"
        ans = "ebcdic"
        b = "hex"
        [length]
        encoding = "binary"
        counts = "bytes"
        [digits]
        align = "right"
        pad = "F"
        [fields]
        2 = { format = "n..19" }
        3 = { format = "n 5", align = "left" }
        4 = { format = "ans...999", length_encoding = "ebcdic" }
        5 = { format = "b..9", length_encoding = "ascii" }
        6 = { format = "ans...300" }
    "#;
    let dialect = Dialect::from_toml(toml).unwrap();
    let mut builder = MessageBuilder::new("0100".parse().unwrap());
    builder.set(2, "123").set(3, "12345").set(4, "A").set(5, "AB").set(6, &"x".repeat(258));
    let mut out = Vec::new();
    builder.encode(&dialect, &mut out).unwrap();
    let expected = "F0F1F0F0F7C3F0F0F0F0F0F0F0F0F0F0F0F0F0F0".to_owned()
        + "02F123" // two bytes are counted, the pad is F in front
        + "12345F"
        + "F0F0F1C1"
        + "30324142" // two hex characters are counted
        + "0102" // 258 in binary
        + &"A7".repeat(258);
    assert_eq!(hex(&out), expected);
    let message = dialect.decode(&out).unwrap();
    // A count of bytes can not say that the number of digits was odd; the pad does.
    assert_eq!(message.text(2).unwrap().to_string(), "123");
    assert_eq!(message.text(5).unwrap().to_string(), "AB");
}

fn check(toml: &str, expected: &str) {
    let error = Dialect::from_toml(toml).expect_err(toml);
    assert_eq!((error.to_string().as_str(), error.blame()), (expected, Blame::Spec));
}

#[test]
fn mistakes_are_named_with_field_key_and_expectation() {
    let base = |rest: &str| format!("name = \"x\"\nextends = \"ascii87\"\n{rest}");
    check("extends = \"ascii87\"", "the file: name is missing");
    check("name = \"x\"", "[message]: mti is missing");
    check(
        "name = \"x\"\nextends = \"iso99\"",
        "the file: extends = \"iso99\": expected cup-pos, cup-pos-sm4, ascii87, ascii87-bin, ascii87-hex128, ascii93-bin, ebcdic87, bcd87, cups-host",
    );
    check(
        &base("[message]\nbitmap = \"octal\""),
        "[message]: bitmap = \"octal\": expected binary, hex, ebcdic-hex",
    );
    check(
        &base("[fields]\n1 = { format = \"b 8\" }"),
        "[fields]: key = \"1\": expected a number from 2 to 128",
    );
    check(
        &base("[fields]\n02 = { format = \"b 8\" }"),
        "[fields]: key = \"02\": expected a number from 2 to 128",
    );
    check(
        &base("[fields]\n55 = { format = \"q 8\" }"),
        "field 55: format = \"q 8\": expected content and length, like \"n 6\", \"ans..25\" or \"b...255\"; content is one of n, xn, an, ans, text, z, b",
    );
    check(
        &base("[fields]\n2 = { format = \"n..100\" }"),
        "field 2: format \"n..100\": 2 digits of length can not say 100",
    );
    check(
        &base("[fields]\n41 = { encoding = \"bcd\" }"),
        "field 41: format \"ans 8\" can not be written in bcd",
    );
    check(
        &base("[fields]\n41 = { encoding = \"utf8\" }"),
        "field 41: encoding = \"utf8\": expected ascii, ebcdic, bcd, binary, hex",
    );
    check(
        &base("[fields]\n55 = { composite = \"tlv\" }"),
        "field 55: composite = \"tlv\" needs binary encoding",
    );
    check(&base("[fields]\n65 = { name_en = \"x\" }"), "field 65: format is missing");
    check(
        &base("[fields]\n2 = { sensitive = \"very\" }"),
        "field 2: sensitive = \"very\": expected pan, track, pin-block, secret",
    );
    check(
        &base("[fields]\n35 = { encrypted_by = \"53\" }"),
        "field 35: encrypted_by = \"53\": expected a field and a digit of it, like 53.3",
    );
    check(
        &base("[fields]\n60 = { sub = [{ id = \"1\", length = \"..2\" }, { id = \"2\", length = \"2\" }] }"),
        "field 60 sub-field 1: length = \"..2\": expected a number of characters like \"6\", or for the last row also \"..11\"",
    );
    check(
        &base("[tags]\n9F = { name_en = \"x\" }"),
        "tag 9F: key = \"9F\": expected one to three bytes in hex",
    );
}

#[test]
fn unknown_keys_and_wrong_kinds_are_errors_with_a_line() {
    for toml in [
        "name = \"x\"\ncolour = 1",
        "name = 5",
        "name = \"x\"\n[fields]\n2 = { fromat = \"n 6\" }",
        "not toml",
    ] {
        let error = Dialect::from_toml(toml).expect_err(toml).to_string();
        assert!(error.starts_with("the spec file can not be read: TOML parse error at line"), "{error}");
    }
}

#[test]
fn the_width_of_the_pin_block_is_a_choice_of_dialect() {
    let block = "CD01D6AD8F0A484C52A9364A0595AD60";
    for (name, text) in [("cup-pos", &block[..16]), ("cup-pos-sm4", block)] {
        let mut out = Vec::new();
        MessageBuilder::new("0200".parse().unwrap()).set(52, text).encode(&dialect(name), &mut out).unwrap();
        assert_eq!(dialect(name).decode(&out).unwrap().short(52).unwrap(), text);
    }
}
