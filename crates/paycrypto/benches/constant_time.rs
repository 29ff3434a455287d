//! Do the comparisons of secrets take the same time whatever they compare? Measured as by Reparaz, Balasch and
//! Verbauwhede, "Dude, is my code constant time?" (2017): two classes of inputs in random order, Welch's t of the times.
//!
//! For each comparison, the right value against one that differs in its first place, and two wrong values that differ in
//! the first and in the last. Each measurement is made up to five times and the smallest |t| counts: a neighbour on the
//! machine disturbs one run, a leak is in all of them. The run judges itself by two controls - a comparison that stops at
//! the first difference must be found, and two classes that are the same must not - and if they fail it could not
//! measure, which is a failure too.
//!
//! It finds what a timer can see on this machine. It does not prove that there is nothing.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a measurement has a clock")]
#![allow(clippy::disallowed_macros, reason = "a program says what it found")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use paycrypto::kcv::{self, KcvMethod};
use paycrypto::key::TdesKey;
use paycrypto::mac;
use paycrypto::pin::{PanForPin, Pin};
use paycrypto::pin_verify::ibm3624::{self, DecimalisationTable, Offset, ValidationData};
use paycrypto::pin_verify::pvv::{self, Pvv};
use subtle::ConstantTimeEq;

const THRESHOLD: f64 = 10.0;
const REPETITIONS: usize = 5;
const SAMPLES: usize = 250_000;
/// Of the times, the slowest tenth are interruptions.
const KEPT: f64 = 0.9;

/// A comparison: takes a value of one class and returns how long `ROUNDS` comparisons with it took.
struct Comparison<'a> {
    name: &'static str,
    right: &'static [u8],
    /// The same with another first place, and with another last one.
    early: &'static [u8],
    late: &'static [u8],
    time: &'a dyn Fn(&[u8]) -> f64,
}

fn time<T>(rounds: usize, mut compare: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..rounds {
        black_box(compare());
    }
    start.elapsed().as_nanos() as f64
}

/// Mean and variance by Welford's method.
#[derive(Default)]
struct Statistics {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Statistics {
    fn push(&mut self, value: f64) {
        self.count += 1.0;
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    /// The variance of the mean.
    fn error(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// Welch's t of two classes of times, without the slowest of both together.
fn welch_t(times: &[(bool, f64)]) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_by(f64::total_cmp);
    let slowest = sorted[((sorted.len() - 1) as f64 * KEPT) as usize];
    let mut classes = [Statistics::default(), Statistics::default()];
    for (class, time) in times.iter().filter(|(_, time)| *time <= slowest) {
        classes[usize::from(*class)].push(*time);
    }
    let [a, b] = classes;
    (a.mean - b.mean) / (a.error() + b.error()).max(f64::MIN_POSITIVE).sqrt()
}

/// |t| of one measurement. The value is copied to the same place for both classes: an address must not be a difference.
fn measure(comparison: &Comparison<'_>, classes: [&[u8]; 2], seed: &mut u64) -> f64 {
    let mut place = [0u8; 16];
    let mut times = Vec::with_capacity(SAMPLES);
    for sample in 0..SAMPLES + SAMPLES / 10 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let class = *seed >> 63 == 1;
        let value = black_box(classes)[usize::from(class)];
        place[..value.len()].copy_from_slice(value);
        let time = (comparison.time)(&black_box(&mut place)[..value.len()]);
        if sample >= SAMPLES / 10 {
            times.push((class, time)); // the first tenth warms up
        }
    }
    welch_t(&times).abs()
}

/// The smallest |t| of the repetitions; stops when one is far below the threshold.
fn smallest(comparison: &Comparison<'_>, classes: [&[u8]; 2], seed: &mut u64) -> f64 {
    let mut smallest = f64::INFINITY;
    for _ in 0..REPETITIONS {
        smallest = smallest.min(measure(comparison, classes, seed));
        if smallest < THRESHOLD / 2.0 {
            break;
        }
    }
    smallest
}

fn pin(digits: &[u8]) -> Pin {
    Pin::from_ascii(digits).unwrap()
}

fn stops_early(a: &[u8], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| black_box(a) == black_box(b))
}

fn main() -> ExitCode {
    // `cargo test --benches` runs this too, without optimisation: it has nothing to say there.
    if cfg!(debug_assertions) {
        println!("not measured: without optimisation the times mean nothing");
        return ExitCode::SUCCESS;
    }
    let key = TdesKey::double(b"0123456789abcdef");
    let account = PanForPin::new("6230606601007726888").unwrap().account12();
    let pvki = pvv::Pvki::new(1).unwrap();
    // The stored values of this PIN, so that the class "right" is right.
    let clear = pin(b"123456");
    let stored_pvv: &'static [u8] =
        pvv::generate(&key, pvki, &clear, &account).expose_ascii().to_vec().leak();
    let table = DecimalisationTable::new("0123456789012345").unwrap();
    let data = ValidationData::from_template("6230606N", &account).unwrap();
    let stored_offset: &'static [u8] =
        ibm3624::offset(&key, &table, data, &clear, 6).unwrap().expose_ascii().to_vec().leak();
    let check_value = kcv::check_value(KcvMethod::TdesZeros, &key, 8).unwrap();
    let kcv: &'static [u8] = check_value.bytes().to_vec().leak();
    let mac_of_message: &'static [u8] = mac::x9_19(&key, b"a message of some length").to_vec().leak();

    let of_mac = |value: &[u8]| time(128, || mac::verify(black_box(mac_of_message), black_box(value)));
    let of_kcv = |value: &[u8]| time(128, || black_box(&check_value).matches(black_box(value)));
    let of_pvv = |value: &[u8]| {
        let stored = Pvv::from_ascii(value).unwrap();
        time(8, || pvv::verify(&key, pvki, black_box(&clear), &account, black_box(&stored)))
    };
    let of_offset = |value: &[u8]| {
        let offset = Offset::from_ascii(value).unwrap();
        time(8, || ibm3624::verify(&key, &table, data, black_box(&offset), black_box(&clear), 6))
    };
    let of_pin = |value: &[u8]| {
        let other = pin(value);
        time(128, || bool::from(black_box(&clear).ct_eq(black_box(&other))))
    };
    let comparisons = [
        comparison("mac::verify", mac_of_message, &of_mac),
        comparison("CheckValue::matches", kcv, &of_kcv),
        comparison("pvv::verify", stored_pvv, &of_pvv),
        comparison("ibm3624::verify", stored_offset, &of_offset),
        comparison("Pin ct_eq", b"123456", &of_pin),
    ];
    report(&comparisons, mac_of_message)
}

fn comparison<'a>(
    name: &'static str,
    right: &'static [u8],
    time: &'a dyn Fn(&[u8]) -> f64,
) -> Comparison<'a> {
    let changed = |place: usize| {
        let mut value = right.to_vec();
        value[place] ^= 1; // a digit stays a digit
        &*value.leak()
    };
    Comparison { name, right, early: changed(0), late: changed(right.len() - 1), time }
}

fn report(comparisons: &[Comparison<'_>], secret: &'static [u8]) -> ExitCode {
    let mut seed = 1;
    let leaky = |value: &[u8]| time(128, || stops_early(black_box(secret), black_box(value)));
    let leaky = comparison("control that stops early", secret, &leaky);
    let found = smallest(&leaky, [leaky.right, leaky.early], &mut seed);
    let found = found.min(smallest(&leaky, [leaky.early, leaky.late], &mut seed));
    let same = smallest(&leaky, [leaky.late, leaky.late], &mut seed);
    println!("{:<26}|t| {found:9.1}  must be above {THRESHOLD}", leaky.name);
    println!("{:<26}|t| {same:9.1}  must be below {THRESHOLD}", "control of equal classes");
    if found < THRESHOLD || same >= THRESHOLD {
        println!("could not measure: the machine is too noisy\n0 passed, 1 failed");
        return ExitCode::FAILURE;
    }
    let (mut passed, mut failed) = (0, 0);
    for comparison in comparisons {
        let right_or_wrong = smallest(comparison, [comparison.right, comparison.early], &mut seed);
        let early_or_late = smallest(comparison, [comparison.early, comparison.late], &mut seed);
        let largest = right_or_wrong.max(early_or_late);
        let ok = largest < THRESHOLD;
        println!(
            "{:<26}|t| {largest:9.1}  right or wrong {right_or_wrong:.1}, early or late {early_or_late:.1}  {}",
            comparison.name,
            if ok { "ok" } else { "FAILED" },
        );
        passed += usize::from(ok);
        failed += usize::from(!ok);
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
