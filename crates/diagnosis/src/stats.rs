//! The statistics that the detectors share, as functions of numbers. Each names where it is from.

/// ln Γ(x) for x > 0, by Lanczos' approximation (g = 7, nine terms); relative error below 1e-13.
pub(crate) fn ln_gamma(x: f64) -> f64 {
    const G: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // reflection: the series is for the right half
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let t = x + 7.5;
    let sum = G[1..].iter().zip(1..).fold(G[0], |sum, (g, n)| sum + g / (x + f64::from(n)));
    0.918_938_533_204_672_8 + (x + 0.5) * t.ln() - t + sum.ln()
}

/// ln B(a, b).
pub(crate) fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// A Beta distribution over an unknown share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Beta {
    pub a: f64,
    pub b: f64,
}

impl Beta {
    pub(crate) fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// With this mean, and as much certainty as so many sessions give.
    pub(crate) fn around(mean: f64, weight: f64) -> Self {
        let mean = mean.clamp(1e-7, 1.0 - 1e-7);
        Self { a: mean * weight, b: (1.0 - mean) * weight }
    }

    /// ln of the probability of one particular sequence with k of n, the share integrated out: the marginal likelihood of
    /// the beta-binomial model without its binomial coefficient, which cancels between hypotheses.
    pub(crate) fn ln_marginal(self, k: f64, n: f64) -> f64 {
        if n <= 0.0 { 0.0 } else { ln_beta(self.a + k, self.b + n - k) - ln_beta(self.a, self.b) }
    }

    /// P(K >= k) of the beta-binomial distribution, by summation from the smaller side.
    pub(crate) fn upper_tail(self, k: u32, n: u32) -> f64 {
        if k == 0 {
            return 1.0;
        }
        let (nf, start) = (f64::from(n), f64::from(k));
        let choose = ln_gamma(nf + 1.0) - ln_gamma(start + 1.0) - ln_gamma(nf - start + 1.0);
        let mut term = (choose + self.ln_marginal(start, nf)).exp();
        let mut tail = 0.0;
        for i in k..=n {
            tail += term;
            if term < tail * 1e-12 {
                break;
            }
            let i = f64::from(i);
            // ratio of neighbouring terms
            term *= (nf - i) * (self.a + i) / ((i + 1.0) * (self.b + nf - i - 1.0).max(1e-12));
        }
        tail.min(1.0)
    }
}

/// P(K >= k) of a Poisson distribution.
pub(crate) fn poisson_tail(k: u32, mean: f64) -> f64 {
    if k == 0 || mean <= 0.0 {
        return if k == 0 { 1.0 } else { 0.0 };
    }
    let k0 = f64::from(k);
    let mut term = (k0 * mean.ln() - mean - ln_gamma(k0 + 1.0)).exp();
    let mut tail = 0.0;
    let mut i = k0;
    for _ in 0..10_000 {
        tail += term;
        i += 1.0;
        term *= mean / i;
        if term < tail * 1e-12 {
            break;
        }
    }
    tail.min(1.0)
}

/// Fisher's exact test, one-sided: P(K >= k) when `drawn` of `all` are drawn and `marked` of all are marked.
pub(crate) fn hypergeometric_tail(k: u64, drawn: u64, marked: u64, all: u64) -> f64 {
    let ln_choose = |n: u64, k: u64| {
        if k > n {
            f64::NEG_INFINITY
        } else {
            ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0)
        }
    };
    if k == 0 || all == 0 {
        return 1.0;
    }
    let total = ln_choose(all, drawn);
    let top = drawn.min(marked);
    (k..=top)
        .map(|i| (ln_choose(marked, i) + ln_choose(all.saturating_sub(marked), drawn - i) - total).exp())
        .sum::<f64>()
        .min(1.0)
}

/// Benjamini and Hochberg 1995: the largest p-value that is still a discovery at false-discovery rate q, if any, among
/// these and `others` tests whose p-values are near one.
pub(crate) fn benjamini_hochberg(p: &mut [f64], others: usize, q: f64) -> Option<f64> {
    p.sort_unstable_by(f64::total_cmp);
    let tests = (p.len() + others).max(1) as f64;
    p.iter().enumerate().rev().find(|(i, p)| **p <= q * (*i as f64 + 1.0) / tests).map(|(_, p)| *p)
}

/// ln of the density of a normal distribution around zero.
pub(crate) fn ln_normal(x: f64, variance: f64) -> f64 {
    -0.5 * (x * x / variance + (std::f64::consts::TAU * variance).ln())
}

/// ln(p / (1 - p)).
pub(crate) fn logit(p: f64) -> f64 {
    let p = p.clamp(1e-9, 1.0 - 1e-9);
    (p / (1.0 - p)).ln()
}

/// 1 / (1 + e^-x).
pub(crate) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// log10, with an end: a page says "one in 10^30" at most.
pub(crate) fn decades(p: f64) -> f64 {
    p.max(1e-30).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() <= 1e-9 * b.abs().max(1.0), "{a} {b}");
    }

    #[test]
    fn gamma_of_whole_numbers_is_the_factorial() {
        let mut factorial = 1.0_f64;
        for n in 1..30 {
            near(ln_gamma(f64::from(n)), factorial.ln());
            factorial *= f64::from(n);
        }
        near(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        near(ln_gamma(0.25), 3.625_609_908_221_908_f64.ln());
    }

    #[test]
    fn tails_add_up() {
        // uniform Beta: every count is equally likely
        near(Beta { a: 1.0, b: 1.0 }.upper_tail(3, 9), 0.7);
        near(poisson_tail(1, 0.05), 1.0 - (-0.05_f64).exp());
        // Fisher's tea: all four cups
        near(hypergeometric_tail(4, 4, 4, 8), 1.0 / 70.0);
        near(hypergeometric_tail(3, 4, 4, 8), 17.0 / 70.0);
    }

    /// docs/concepts/diagnosis.md: a spray is alarmed at 4 cards for a mean of 0.05, 6 for 0.2, 10 for 1, 20 for 5.
    #[test]
    fn the_spray_table_of_the_reference_comes_out() {
        for (mean, cards) in [(0.05, 4), (0.2, 6), (1.0, 10), (5.0, 20)] {
            assert!(poisson_tail(cards, mean) <= 1e-6 && poisson_tail(cards - 1, mean) > 1e-6, "{mean}");
        }
    }

    #[test]
    fn discoveries_are_held_to_the_rate() {
        let mut p = [0.001, 0.2, 0.012, 0.03];
        assert_eq!(benjamini_hochberg(&mut p, 0, 0.05), Some(0.03));
        let mut p = [0.001, 0.2, 0.012, 0.03];
        assert_eq!(benjamini_hochberg(&mut p, 16, 0.05), Some(0.001));
        assert_eq!(benjamini_hochberg(&mut [0.9], 0, 0.05), None);
    }
}
