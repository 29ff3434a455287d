//! Damaged input: never a panic, and whatever still decodes is still handled whole.

use crate::support::SAMPLES;
use iso8583::fuzzing;

#[test]
fn every_truncation_of_every_sample_is_refused() {
    for sample in SAMPLES.iter() {
        let (body, dialect) = (sample.body(), sample.dialect());
        for end in 0..body.len() {
            let error = dialect.decode(&body[..end]).expect_err(&sample.id);
            assert!(error.offset() <= end, "{}: {error}", sample.id);
            fuzzing::message(&body[..end]);
        }
    }
}

/// One byte at a time, to the values that look like something: digits, ends of ranges, one bit off.
#[test]
fn every_corrupted_byte_of_every_sample_is_survived() {
    for sample in SAMPLES.iter() {
        let (mut body, dialect) = (sample.body(), sample.dialect());
        for at in 0..body.len() {
            let original = body[at];
            let one_bit_off = (0..8).map(|bit| original ^ (1 << bit));
            for byte in
                [0x00, 0x0F, b'0', b'9', b'D', 0x7F, 0x81, 0x99, 0xF0, 0xFF].into_iter().chain(one_bit_off)
            {
                body[at] = byte;
                match dialect.decode(&body) {
                    Ok(message) => {
                        let mut again = Vec::new();
                        iso8583::MessageBuilder::from(&message)
                            .encode(&dialect, &mut again)
                            .expect(&sample.id);
                        assert!(again.eq_ignore_ascii_case(&body), "{}: byte {at} = {byte:02X}", sample.id);
                        dialect.sanitized(&body).expect("what decodes can be sanitized");
                    }
                    Err(error) => {
                        error.describe_partial(false);
                        assert!(error.offset() <= body.len());
                    }
                }
            }
            body[at] = original;
        }
    }
}

#[test]
fn every_corrupted_byte_of_every_frame_is_survived() {
    for sample in SAMPLES.iter() {
        let mut bytes = sample.bytes();
        for at in 0..bytes.len().min(16) {
            let original = bytes[at];
            for byte in 0..=255 {
                bytes[at] = byte;
                fuzzing::frame(&bytes);
            }
            bytes[at] = original;
        }
    }
}
