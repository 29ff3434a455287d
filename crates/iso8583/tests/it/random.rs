//! Random messages in every dialect, built from what the dialect itself says that a field may hold.

use crate::support::{dialect, hex};
use iso8583::{Composite, Content, Dialect, MessageBuilder};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;

/// A dialect and a message with some of its fields.
pub(crate) fn messages() -> impl Strategy<Value = (&'static str, MessageBuilder)> {
    let names: Vec<&'static str> = Dialect::names().collect();
    (proptest::sample::select(names), btree_set(2u8..=128, 0..24), 0u64..u64::MAX).prop_flat_map(
        |(name, numbers, seed)| {
            let dialect = dialect(name);
            let values: Vec<BoxedStrategy<(u8, String)>> = numbers
                .into_iter()
                .filter(|n| dialect.defines(*n))
                .map(|n| value(&dialect, n).prop_map(move |text| (n, text)).boxed())
                .collect();
            values.prop_map(move |values| {
                let mti = format!("0{}{}0", seed % 8 + 1, seed / 8 % 4);
                let mut builder = MessageBuilder::new(mti.parse().unwrap());
                for (n, text) in &values {
                    builder.set(*n, text);
                }
                (name, builder)
            })
        },
    )
}

fn value(dialect: &Dialect, n: u8) -> BoxedStrategy<String> {
    let axes = dialect.axes(n).expect("defined");
    let max = usize::from(axes.max).min(60);
    let length = if axes.prefix_digits > 0 { 0..=max } else { usize::from(axes.max)..=usize::from(axes.max) };
    let characters = |set: &'static str| {
        let choices: Vec<char> = set.chars().collect();
        vec(proptest::sample::select(choices), length.clone()).prop_map(String::from_iter).boxed()
    };
    if dialect.composite(n) == Composite::Tlv {
        let object =
            (proptest::sample::select(vec!["82", "9F02", "DF8129", "5A", "72"]), vec(any::<u8>(), 0..9));
        return vec(object, 0..4)
            .prop_map(|objects| {
                objects.iter().map(|(tag, value)| format!("{tag}{:02X}{}", value.len(), hex(value))).collect()
            })
            .boxed();
    }
    match axes.content {
        Content::Digits => characters("0123456789"),
        Content::SignedDigits => {
            let digits = vec(proptest::char::range('0', '9'), usize::from(axes.max) - 1);
            (proptest::sample::select(vec!['C', 'D']), digits)
                .prop_map(|(c, d)| c.to_string() + &String::from_iter(d))
                .boxed()
        }
        Content::Alphanumeric => characters("ABCxyz019 "),
        Content::Printable => characters("AZaz09 -/\\=|~"),
        Content::Anything => vec(any::<u8>(), length)
            .prop_map(|bytes| bytes.iter().map(|b| format!("\\x{b:02X}")).collect())
            .boxed(),
        Content::Track => characters("0123456789D"),
        Content::Bytes => vec(any::<u8>(), length).prop_map(|bytes| hex(&bytes)).boxed(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn what_is_encoded_decodes_and_encodes_again((name, builder) in messages()) {
        let dialect = dialect(name);
        let mut body = Vec::new();
        builder.encode(&dialect, &mut body).unwrap();
        let message = match dialect.decode(&body) {
            Ok(message) => message,
            Err(error) => return Err(TestCaseError::fail(format!("{name}: {error}"))),
        };
        prop_assert_eq!(message.mti(), builder.mti());

        let mut from_message = Vec::new();
        MessageBuilder::from(&message).encode(&dialect, &mut from_message).unwrap();
        prop_assert_eq!(hex(&from_message), hex(&body));

        let mut from_text = MessageBuilder::new(message.mti());
        for n in message.fields() {
            from_text.set(n, &message.text(n).unwrap().to_string());
        }
        let mut out = Vec::new();
        from_text.encode(&dialect, &mut out).unwrap();
        prop_assert_eq!(hex(&out), hex(&body));
    }

    /// The dialects differ in how they write, not in what they say.
    #[test]
    fn any_bytes_are_survived_by_every_parser(data in vec(any::<u8>(), 0..300)) {
        iso8583::fuzzing::frame(&data);
        iso8583::fuzzing::message(&data);
        iso8583::fuzzing::tlv(&data);
        iso8583::fuzzing::sanitize(&data);
    }
}
