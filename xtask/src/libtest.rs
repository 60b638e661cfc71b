//! Reads the totals that `cargo test` prints.

use core::ops::AddAssign;

/// How many passed, failed, and were not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The sum of all `test result:` lines; ignored tests are the skipped ones.
pub(crate) fn totals(output: &str) -> Tally {
    let mut sum = Tally::default();
    for line in output.lines() {
        let Some(counts) = line.trim_start().strip_prefix("test result: ") else {
            continue;
        };
        // "ok. 3 passed; 0 failed; 1 ignored; …"
        let count = |what: &str| {
            let field = counts
                .split(['.', ';'])
                .map(str::trim)
                .find_map(|field| field.strip_suffix(what))?;
            field.trim().parse::<usize>().ok()
        };
        sum += Tally {
            passed: count("passed").unwrap_or(0),
            failed: count("failed").unwrap_or(0),
            skipped: count("ignored").unwrap_or(0),
        };
    }
    sum
}

/// The names of the tests that failed, as libtest lists them.
pub(crate) fn failed(output: &str) -> Vec<&str> {
    let name = |line: &str| line.starts_with("test ") && line.ends_with(" ... FAILED");
    let mut names: Vec<_> = output
        .lines()
        .filter(|line| name(line))
        .map(|line| &line[5..line.len() - 11])
        .collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\n\
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
        test result: ok. 4 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s\n";

    #[test]
    fn totals_of_all_binaries_are_added() {
        assert_eq!(
            totals(OUTPUT),
            Tally {
                passed: 5,
                failed: 1,
                skipped: 2
            }
        );
        assert_eq!(totals("nothing of the kind"), Tally::default());
    }

    #[test]
    fn failed_tests_are_named() {
        assert_eq!(failed(OUTPUT), ["a::c"]);
    }
}
