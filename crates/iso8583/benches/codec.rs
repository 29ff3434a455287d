//! What one message costs: `cargo bench -p iso8583`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iso8583::{Dialect, MessageBuilder};
use std::hint::black_box;

/// Samples, each the first of its kind, without their frames: a sale with PIN and its approval.
const MESSAGES: [(&str, &str, &str); 2] = [
    (
        "cup-pos sale with PIN",
        "cup-pos",
        "0200302004C020C0981100000000000001000000012302100012376299990000000009D3012201000001230000003130303030303031333035333130303435313130303031313536C4D37EC26B23F11D26000000000000000014220000010005003331323544313532",
    ),
    (
        "cup-pos approval",
        "cup-pos",
        "0210303A00810EC08013000000000000010000000123101530112211220008010200003131323231303135333030313131323233333030313030303030303133303533313030343531313030303131353600142200000100050000034355503032364342323241",
    ),
];

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("hex") as u8;
    hex.as_bytes().chunks(2).map(|pair| (digit(pair[0]) << 4) | digit(pair[1])).collect()
}

fn codec(criterion: &mut Criterion) {
    for (title, dialect, hex) in &MESSAGES {
        let (dialect, body) = (Dialect::builtin(dialect).expect("built in"), bytes(hex));
        let message = dialect.decode(&body).expect("a good message");
        let builder = MessageBuilder::from(&message);
        let mut out = Vec::with_capacity(512);
        let mut group = criterion.benchmark_group(*title);
        group.throughput(Throughput::Elements(1));
        group.bench_function("decode", |b| b.iter(|| black_box(dialect.decode(black_box(&body)).is_ok())));
        group.bench_function("encode", |b| {
            b.iter(|| {
                out.clear();
                builder.encode(&dialect, &mut out).expect("a good message");
                black_box(out.len())
            });
        });
        group.bench_function("read ten fields", |b| {
            b.iter(|| [3, 4, 11, 22, 25, 39, 41, 42, 49, 60].map(|n| black_box(&message).short(n)));
        });
        group.bench_function("sanitize", |b| b.iter(|| dialect.sanitized(black_box(&body))));
        group.finish();
    }
}

criterion_group!(benches, codec);
criterion_main!(benches);
