//! Every sample decodes to what is listed and encodes to the same bytes, from the message and from the listing alone.

use crate::support::{SAMPLES, Sample, hex};
use iso8583::{FrameLimit, MessageBuilder};

#[test]
fn every_sample_decodes_to_the_listed_fields() {
    for sample in SAMPLES.iter() {
        if sample.negative {
            continue;
        }
        check_decoded(sample);
    }
}

fn check_decoded(sample: &Sample) {
    let (bytes, dialect, framing) = (sample.bytes(), sample.dialect(), sample.framing());
    let frame = framing.split(&bytes, FrameLimit::default()).expect(&sample.id).expect("a whole frame");
    assert_eq!(frame.consumed, bytes.len(), "{}", sample.id);
    let message = dialect.decode(frame.body).unwrap_or_else(|e| panic!("{}: {e}", sample.id));
    let fields = message.to_fields();
    let frame_says = |path: &str| match path {
        "len" => Some((frame.consumed - 2).to_string()),
        "tpdu" => frame.tpdu.map(|t| t.to_string()),
        "header" => frame.header.map(|h| h.to_string()),
        "mti" => Some(message.mti().to_string()),
        path => fields.get(path).map(str::to_owned),
    };
    for path in sample.decoded.keys() {
        assert_eq!(frame_says(path), sample.listed(path), "{}: {path}", sample.id);
    }
    // Nothing is invented: what we list and a sample may not is the bitmap.
    for (path, _) in fields.iter().filter(|(path, _)| !sample.decoded.contains_key(*path)) {
        assert!(matches!(path, "bitmap" | "1"), "{}: {path}", sample.id);
    }
}

#[test]
fn every_sample_encodes_to_the_same_bytes() {
    for sample in SAMPLES.iter().filter(|sample| !sample.negative) {
        let (body, dialect) = (sample.body(), sample.dialect());
        let message = dialect.decode(&body).expect(&sample.id);
        let mut from_message = Vec::new();
        MessageBuilder::from(&message).encode(&dialect, &mut from_message).expect(&sample.id);
        assert_eq!(hex(&from_message), hex(&body), "{} from the message", sample.id);

        let mut builder = MessageBuilder::new(message.mti());
        for path in sample.decoded.keys() {
            builder.set_path(path, &sample.listed(path).expect("listed"));
        }
        let mut from_listing = Vec::new();
        builder.encode(&dialect, &mut from_listing).expect(&sample.id);
        assert_eq!(hex(&from_listing), hex(&body), "{} from the listing", sample.id);

        let bytes = sample.bytes();
        let frame =
            sample.framing().split(&bytes, FrameLimit::default()).expect(&sample.id).expect("a frame");
        let mut framed = Vec::new();
        sample.framing().write(&mut framed, frame.tpdu, frame.header, &from_listing).expect(&sample.id);
        assert_eq!(hex(&framed), hex(&bytes), "{} framed", sample.id);
    }
}

#[test]
fn negative_samples_are_refused() {
    for sample in SAMPLES.iter().filter(|sample| sample.negative) {
        let bytes = sample.bytes();
        let refused = match sample.framing().split(&bytes, FrameLimit::default()) {
            Ok(Some(frame)) => frame.consumed != bytes.len() || sample.dialect().decode(frame.body).is_err(),
            Ok(None) | Err(_) => true,
        };
        assert!(refused, "{}", sample.id);
    }
}
