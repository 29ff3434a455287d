//! All chance in a simulation comes from here: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), a stream of its own for
//! everybody who throws, so that what one does moves nobody else's luck.

/// One stream.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The stream of this name under a seed.
    #[must_use]
    pub fn new(seed: u64, name: &str) -> Self {
        let mixed = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64 ^ seed, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
        let mut dice = Self(mixed ^ seed.rotate_left(32));
        dice.draw();
        dice
    }

    /// Sixty-four fresh bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to below `count`; 0 when there is nothing to choose.
    pub fn below(&mut self, count: u64) -> u64 {
        // Multiplied down; the bias is below 2^-40 for the counts used here.
        ((u128::from(self.draw()) * u128::from(count)) >> 64) as u64
    }

    /// From the first to the second, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to.saturating_sub(from) + 1)
    }

    /// Does it happen, so often in a hundred thousand?
    pub fn happens(&mut self, in_100_000: u32) -> bool {
        self.below(100_000) < u64::from(in_100_000)
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_repeatable_and_differ() {
        let throw = |seed, name| {
            let mut dice = Dice::new(seed, name);
            (0..100).map(|_| dice.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(throw(7, "net"), throw(7, "net"));
        assert_ne!(throw(7, "net"), throw(8, "net"));
        assert_ne!(throw(7, "net"), throw(7, "disk"));
    }

    #[test]
    fn what_happens_rarely_happens_about_as_often() {
        let mut dice = Dice::new(1, "rare");
        let often = (0..100_000).filter(|_| dice.happens(1000)).count();
        assert!((800..1200).contains(&often), "{often}");
        assert!((0..1000).all(|_| dice.between(3, 5) >= 3) && !dice.happens(0) && dice.happens(100_000));
    }
}
