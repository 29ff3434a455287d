//! Fits the calibration table of the diagnosis (`[calibration]` in its tuning.toml) on days that are for tuning, and prints
//! it: of all incidents about which the model is so sure, so many are right. Monotone, by pooling adjacent violators
//! (Ayer et al. 1955).
//!
//! ```text
//! cargo run -p drill --profile sim --example calibrate -- 0..24
//! ```

use diagnosis::{Diagnosis, Tuning};
use drill::data::FIRST_REPORTING_SEED;

/// Blocks of fewer incidents are pooled with their neighbours.
const FEW: f64 = 12.0;

/// Incidents of about the same certainty: how many, the sum of what was said, how many were right.
#[derive(Debug, Clone, Copy)]
struct Block {
    n: f64,
    said: f64,
    right: f64,
}

impl Block {
    /// With a grain of doubt: half a miss and half a hit beside what was seen.
    fn share(self) -> f64 {
        (self.right + 0.5) / (self.n + 1.0)
    }

    fn and(self, other: Self) -> Self {
        Self { n: self.n + other.n, said: self.said + other.said, right: self.right + other.right }
    }
}

fn main() -> anyhow::Result<()> {
    let seeds = std::env::args().nth(1).unwrap_or_else(|| "0..12".to_owned());
    let (from, to) = seeds.split_once("..").ok_or_else(|| anyhow::anyhow!("seeds are A..B"))?;
    let (from, to): (u64, u64) = (from.parse()?, to.parse()?);
    anyhow::ensure!(to <= FIRST_REPORTING_SEED, "seeds from {FIRST_REPORTING_SEED} on are for reporting");
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let raw = || Diagnosis::new(Tuning::default().uncalibrated());
    let tally = drill::evaluate::run(from..to, threads, raw, |_| {})?;
    let mut said = tally.confidences;
    said.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut blocks: Vec<Block> = Vec::new();
    for (confidence, right) in said {
        blocks.push(Block { n: 1.0, said: f64::from(confidence), right: if right { 1.0 } else { 0.0 } });
        while let [.., before, last] = blocks[..]
            && (before.n < FEW || before.share() >= last.share() && last.n >= FEW)
        {
            blocks.truncate(blocks.len() - 2);
            blocks.push(before.and(last));
        }
    }
    // the last one had nobody after it to be pooled with
    if let [.., before, last] = blocks[..]
        && (last.n < FEW || before.share() >= last.share())
    {
        blocks.truncate(blocks.len() - 2);
        blocks.push(before.and(last));
    }
    println!("# raw, observed: of {} incidents on the days {seeds}", blocks.iter().map(|b| b.n).sum::<f64>());
    print!("table = [[0.0, 0.0]");
    let mut above = 0.0;
    for block in &blocks {
        let raw = block.said / block.n;
        if raw > above && raw < 1.0 {
            print!(", [{raw:.4}, {:.3}]", block.share());
            above = raw;
        }
    }
    println!(", [1.0, {:.3}]]", blocks.last().map_or(1.0, |block| block.share()));
    for block in blocks {
        eprintln!(
            "{:>6.0} incidents said {:.4}, right {:.4}",
            block.n,
            block.said / block.n,
            block.right / block.n
        );
    }
    Ok(())
}
