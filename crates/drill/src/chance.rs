//! Chance that can be repeated: streams by seed and name (xoshiro256**, seeded by splitmix64), and the distributions that a day
//! is drawn from.

use std::f64::consts::TAU;

/// A stream of chance.
#[derive(Debug, Clone)]
pub struct Chance([u64; 4]);

impl Chance {
    /// The stream of this name; streams of other names do not move it.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let name = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ name;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }))
    }

    /// Sixty-four bits.
    pub fn draw(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= shifted;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// From 0 up to 1, without 1.
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to `count`, without it; 0 for no count.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f64) as usize).min(count.saturating_sub(1))
    }

    /// Between two numbers.
    pub fn between(&mut self, from: f64, to: f64) -> f64 {
        from + self.unit() * (to - from)
    }

    /// Does what has this probability happen?
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of them; `None` of nothing.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).copied()
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (TAU * self.unit()).cos()
    }

    /// Log-normal with this median; `sigma` is of the logarithm.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Gamma with scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.unit().powf(1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.unit();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        x / (x + y)
    }
}

/// Picks by weight, in the time of a binary search.
#[derive(Debug, Clone, Default)]
pub struct Weighted(Vec<f64>);

impl Weighted {
    /// By these weights.
    pub fn new(weights: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = 0.0;
        Self(weights.into_iter().map(|weight| (sum += weight.max(0.0), sum).1).collect())
    }

    /// The place of one of them.
    pub fn pick(&self, chance: &mut Chance) -> usize {
        let at = chance.unit() * self.0.last().copied().unwrap_or(0.0);
        self.0.partition_point(|sum| *sum <= at).min(self.0.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(mut draw: impl FnMut() -> f64) -> f64 {
        (0..20_000).map(|_| draw()).sum::<f64>() / 20_000.0
    }

    #[test]
    fn distributions_have_their_means() {
        let mut chance = Chance::new(1, "means");
        assert!((mean(|| chance.unit()) - 0.5).abs() < 0.02);
        assert!(mean(|| chance.normal()).abs() < 0.05);
        assert!((mean(|| chance.exponential(3.0)) - 3.0).abs() < 0.15);
        assert!((mean(|| chance.beta(2.97, 96.03)) - 0.03).abs() < 0.002);
        assert!((mean(|| chance.log_normal(2.0, 0.5)) - 2.0 * (0.125_f64).exp()).abs() < 0.1);
    }

    #[test]
    fn streams_are_repeated_by_name_and_weights_are_kept() {
        assert_eq!(Chance::new(7, "a").draw(), Chance::new(7, "a").draw());
        assert_ne!(Chance::new(7, "a").draw(), Chance::new(7, "b").draw());
        assert_ne!(Chance::new(7, "a").draw(), Chance::new(8, "a").draw());
        let weighted = Weighted::new([1.0, 0.0, 3.0]);
        let mut chance = Chance::new(1, "weights");
        let mut counts = [0; 3];
        (0..8000).for_each(|_| counts[weighted.pick(&mut chance)] += 1);
        assert!(counts[1] == 0 && (1800..2200).contains(&counts[0]), "{counts:?}");
    }
}
