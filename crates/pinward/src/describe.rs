//! Messages for people: the console asks here, because it knows no ISO 8583.

use iso8583::{Dialect, FrameLimit, Framing};
use web::{DescribedField, MessageDescriber};

/// Reads messages by the built-in dialects.
pub(crate) struct Describer;

impl MessageDescriber for Describer {
    fn describe(&self, dialect: &str, bytes: &[u8], is_reply_frame: bool) -> Vec<DescribedField> {
        let Some(dialect) = Dialect::builtin(dialect) else { return Vec::new() };
        let body = if is_reply_frame { body_of(dialect.name(), bytes) } else { bytes };
        let described = match dialect.decode(body) {
            Ok(message) => message.describe(false),
            Err(error) => error.describe_partial(false),
        };
        let field = |f: iso8583::DescribedField| DescribedField {
            value: readable(&f.path, f.value),
            path: f.path,
            name_en: f.name_en,
            name_zh: f.name_zh,
            offset: f.offset,
        };
        described.into_iter().map(field).collect()
    }
}

/// Security control (53) and MAC (64, 128) in groups of four: sixteen digits in a row look like a card number.
fn readable(path: &str, value: String) -> String {
    if !matches!(path, "53" | "64" | "128") || !value.is_ascii() {
        return value;
    }
    let groups: Vec<&str> =
        value.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(" ")
}

/// A stored answer begins with TPDU and header where the dialect is a terminal's.
fn body_of<'a>(dialect: &str, frame: &'a [u8]) -> &'a [u8] {
    if !dialect.starts_with("cup-pos") {
        return frame;
    }
    match Framing::TpduHeader.split(frame, FrameLimit::default()) {
        Ok(Some(parts)) => parts.body,
        _ => frame,
    }
}
