//! Golden files: `UPDATE_GOLDEN=1 cargo test -p receipt` writes them anew, and a person looks at the difference.

use receipt::{Layout, columns, escpos, html, text};

use crate::forms;

#[expect(clippy::disallowed_methods, reason = "a test of a pure crate keeps its golden files")]
fn check(name: &str, extension: &str, actual: &str) {
    let path = format!("{}/tests/it/golden/{name}.{extension}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "{name}.{extension}");
}

/// Thirty-two bytes a line.
fn dump(bytes: &[u8]) -> String {
    bytes.chunks(32).map(|row| hex::encode(row) + "\n").collect()
}

#[test]
fn every_form_is_as_it_was_approved() {
    for (name, slip, paper, language, copy) in forms::all() {
        let layout = Layout::of(&slip, paper, language, copy);
        let plain = text::text(&layout);
        for line in plain.lines() {
            assert!(columns(line) <= paper.columns(), "{name}: too wide: {line}");
        }
        check(name, "txt", &plain);
        check(name, "html", &html::document(&layout));
        check(name, "escpos.hex", &dump(&escpos::escpos(&layout)));
    }
}

#[test]
fn a_printer_gets_what_the_text_says() {
    for (name, slip, paper, language, copy) in forms::all() {
        let layout = Layout::of(&slip, paper, language, copy);
        let bytes = escpos::escpos(&layout);
        assert!(bytes.starts_with(&[0x1B, b'@', 0x1C, b'&']), "{name}");
        assert!(bytes.ends_with(&[0x1D, b'V', 66, 0]), "{name}");
        let said = encoding_rs_text(&bytes);
        for line in text::text(&layout).lines().map(str::trim).filter(|l| !l.starts_with('[')) {
            assert!(said.contains(line), "{name}: the printer is not told {line:?}");
        }
    }
}

fn encoding_rs_text(bytes: &[u8]) -> String {
    encoding_rs::GB18030.decode_without_bom_handling(bytes).0.into_owned()
}
