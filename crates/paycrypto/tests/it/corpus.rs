//! The fuzz corpus, replayed: what the fuzz targets start from, every input that once found a bug, and what becomes of
//! them when bytes are changed, cut out and put in by a generator with a fixed seed.

use paycrypto::fuzzing;
use std::path::Path;

const MUTATIONS: usize = 10_000;
const MUTATIONS_LONG: usize = 200_000;

#[allow(clippy::disallowed_methods, reason = "the crate reads no files; its tests do")]
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).expect("a corpus folder");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort(); // so that a seed means the same on each machine
    assert!(!paths.is_empty(), "{target} has a corpus");
    paths.iter().map(|path| std::fs::read(path).expect("a file")).collect()
}

/// xorshift64* of Vigna (2016): any generator will do that is the same tomorrow.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        number as usize % limit.max(1)
    }
}

/// One to four small changes.
fn mutate(input: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(4) {
        let place = random.below(input.len());
        match random.below(5) {
            0 => input.insert(place, random.below(256) as u8),
            1 if !input.is_empty() => drop(input.remove(place)),
            2 => input.truncate(place + 1),
            3 => input.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
            _ => input.iter_mut().skip(place).take(1).for_each(|byte| *byte = random.below(256) as u8),
        }
    }
}

fn replay(target: &str, mutations: usize, check: fn(&[u8])) {
    let seeds = corpus(target);
    seeds.iter().for_each(|seed| check(seed));
    check(&[]);
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut current = Vec::new();
    for round in 0..mutations {
        if round % 4 == 0 {
            current.clone_from(&seeds[random.below(seeds.len())]); // else one more step away from a seed
        }
        mutate(&mut current, &mut random);
        check(&current);
    }
}

#[test]
fn pin_block() {
    replay("pin_block", MUTATIONS, fuzzing::pin_block);
}

#[test]
fn key_block() {
    replay("key_block", MUTATIONS, fuzzing::key_block);
}

#[test]
fn dukpt_ksn() {
    replay("dukpt_ksn", MUTATIONS, fuzzing::dukpt_ksn);
}

#[test]
#[ignore = "600,000 inputs; run with --release -- --ignored"]
fn many_mutations_of_each() {
    replay("pin_block", MUTATIONS_LONG, fuzzing::pin_block);
    replay("key_block", MUTATIONS_LONG, fuzzing::key_block);
    replay("dukpt_ksn", MUTATIONS_LONG, fuzzing::dukpt_ksn);
}
