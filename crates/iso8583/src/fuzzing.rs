//! What must hold for every input: one function per parser, called by the fuzz targets and by the ordinary tests that replay
//! their corpus. A violation panics.

use crate::{Dialect, FrameLimit, Framing, MessageBuilder, tlv};

/// Any bytes as a frame, in every framing; the first byte chooses the limit.
pub fn frame(data: &[u8]) {
    let Some((&limit, data)) = data.split_first() else { return };
    let limit = FrameLimit(usize::from(limit) * 16);
    for framing in Framing::ALL {
        if let Ok(Some(frame)) = framing.split(data, limit) {
            assert!(frame.consumed <= data.len() && frame.consumed <= limit.0 + 4);
            let mut written = Vec::new();
            framing
                .write(&mut written, frame.tpdu, frame.header, frame.body)
                .expect("a frame that was split");
            assert_eq!(written, &data[..frame.consumed], "{framing}");
        }
    }
}

/// Any bytes as a message, in every dialect.
pub fn message(data: &[u8]) {
    for name in Dialect::names() {
        let dialect = Dialect::builtin(name).expect("built in");
        match dialect.decode(data) {
            Ok(message) => decoded(&dialect, &message),
            Err(error) => {
                assert!(error.offset() <= data.len(), "{name}: {error}");
                error.describe_partial(false);
                error.partial().to_fields();
            }
        }
    }
}

/// What was decoded is encoded again, and every way of reading it works.
fn decoded(dialect: &Dialect, message: &crate::Message<'_>) {
    let mut again = Vec::new();
    MessageBuilder::from(message).encode(dialect, &mut again).expect("a message that was decoded");
    // Lower-case hex in a bitmap is understood and written in upper case; everything else comes back as it was.
    assert!(again.eq_ignore_ascii_case(message.body()), "{}", dialect.name());
    for n in message.fields() {
        let text = message.text(n).expect("a field that is there");
        assert!(text.characters().all(|c| c.is_ascii_graphic() || c == b' '));
        let (short, owned) = (message.short(n), text.to_string());
        assert!(short.is_none_or(|short| *short == *owned));
        message.digits(n);
        message.ascii(n);
        for id in ["1", "2", "3", "9F02", "DF8129"] {
            message.sub(n, id);
        }
    }
    message.describe(false);
    message.to_fields();
}

/// Any bytes as data objects.
pub fn tlv(data: &[u8]) {
    let mut end = 0;
    for object in tlv::objects(data) {
        match object {
            Ok(object) => {
                assert!(object.value_offset >= end);
                end = object.value_offset + object.value.len();
                assert_eq!(&data[object.value_offset..end], object.value);
                assert_eq!(tlv::Tag::new(object.tag.number()), Some(object.tag));
            }
            Err(error) => assert!(error.offset >= end && error.offset < data.len()),
        }
    }
    tlv::walk(data, &mut |object, depth| {
        assert!(depth < tlv::MAX_DEPTH);
        assert_eq!(&data[object.value_offset..object.value_offset + object.value.len()], object.value);
    });
}

/// Any text as a spec file, and what it compiles to as a dialect for a fixed set of bytes.
pub fn spec(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(dialect) = Dialect::from_toml(text) {
        for body in
            [&b"0800\x80\x20\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00000001301"[..], data]
        {
            if let Ok(message) = dialect.decode(body) {
                decoded(&dialect, &message);
            }
            dialect.sanitized(body);
        }
    }
}

/// Any bytes, sanitized: same length, still decodable, and stable.
pub fn sanitize(data: &[u8]) {
    for name in Dialect::names() {
        let dialect = Dialect::builtin(name).expect("built in");
        if let Some(clean) = dialect.sanitized(data) {
            assert_eq!(clean.len(), data.len());
            assert!(dialect.decode(&clean).is_ok(), "{name}: a sanitized message decodes");
            assert_eq!(
                dialect.sanitized(&clean).as_deref(),
                Some(&clean[..]),
                "{name}: sanitizing twice changes nothing"
            );
        }
    }
}
