//! How many tests a log says have passed and failed. Understood: the closing lines of `cargo test` (one per binary),
//! the plain `N passed, N failed`, and `# pass N` and `# fail N` of node's test runner.

/// Tests passed and failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub(super) passed: u32,
    pub(super) failed: u32,
}

impl Tally {
    /// A step that counts as one.
    pub(super) const PASSED: Self = Self { passed: 1, failed: 0 };
    /// A step that counts as one.
    pub(super) const FAILED: Self = Self { passed: 0, failed: 1 };

    /// The sum over a log.
    pub(super) fn of(log: &str) -> Self {
        let mut sum = Self::default();
        log.lines().filter_map(one_line).for_each(|line| sum.add(&line));
        sum
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

fn one_line(line: &str) -> Option<Tally> {
    let words: Vec<&str> = line.split([' ', ',', ';', '.']).filter(|w| !w.is_empty()).collect();
    let number_before = |word: &str| words.windows(2).find(|w| w[1] == word).and_then(|w| w[0].parse().ok());
    match words[..] {
        ["#", "pass", n] => Some(Tally { passed: n.parse().ok()?, failed: 0 }),
        ["#", "fail", n] => Some(Tally { passed: 0, failed: n.parse().ok()? }),
        _ => Some(Tally { passed: number_before("passed")?, failed: number_before("failed")? }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(log: &str, passed: u32, failed: u32) {
        assert_eq!(Tally::of(log), Tally { passed, failed });
    }

    #[test]
    fn closing_lines_are_counted() {
        check("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 12, 0);
        check(
            "test result: FAILED. 1 passed; 2 failed; 0 ignored\ntest result: ok. 3 passed; 0 failed; 0 ignored",
            4,
            2,
        );
        check("7 passed, 0 failed", 7, 0);
        check("browser: 7 passed, 1 failed, 2 skipped", 7, 1);
        check("# tests 3\n# pass 2\n# fail 1\n", 2, 1);
        check("test it::two_passed ... ok\nnothing was counted", 0, 0);
    }
}
