//! The report of a chip, put together from several boots of its images.
//!
//! A chip's panic ends its image, and a hang is ended by us. Either is that case's failure; the image is booted again and
//! goes on with the next case. Beside the lines of the protocol an image prints
//!
//! ```text
//! begin  CHIP  index  module::name    this case is running now
//! next   CHIP  index                  boot me again, to begin there
//! ```
//!
//! Invariants:
//! 1. A case that has begun is in the report, whatever became of its image.
//! 2. Every boot of an image gets further than the last one.

use crate::process::Exit;
use anyhow::{Result, bail, ensure};

/// What came of the boots so far.
#[derive(Debug)]
pub(crate) struct Boots {
    chip: &'static str,
    /// Where the next boot of this image begins; `None` after the last.
    from: Option<usize>,
    lines: String,
    scale: bool,
    /// Passed, failed, not applicable.
    counts: [usize; 3],
}

impl Boots {
    /// Nothing has run.
    pub(crate) fn new(chip: &'static str) -> Self {
        Self {
            chip,
            from: None,
            lines: String::new(),
            scale: false,
            counts: [0; 3],
        }
    }

    /// The boots that follow are those of another image.
    pub(crate) fn begin_image(&mut self) {
        self.from = Some(0);
    }

    /// The case to begin the next boot with; `None`: all of this image's were run.
    pub(crate) fn next(&self) -> Option<usize> {
        self.from
    }

    /// The lines of all boots, as of one runner.
    pub(crate) fn report(self) -> String {
        let [passed, failed, absent] = self.counts;
        format!(
            "{}end\t{}\t{passed}\t{failed}\t{absent}\n",
            self.lines, self.chip
        )
    }

    /// Takes what a boot printed, and how it ended.
    pub(crate) fn take(&mut self, stdout: &str, exit: Exit, stderr: &str) -> Result<()> {
        let from = self.from.take().unwrap_or(0);
        let before = self.counts;
        let mut begun: Option<(usize, &str)> = None;
        let mut next: Option<usize> = None;
        let mut ended = false;
        for line in stdout.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            match *fields {
                ["scale", ..] if core::mem::replace(&mut self.scale, true) => {}
                ["begin", _, index, name] => begun = Some((index.parse()?, name)),
                ["next", _, index] => next = Some(index.parse()?),
                ["end", _, passed, failed, absent] => {
                    let said: [usize; 3] = [passed.parse()?, failed.parse()?, absent.parse()?];
                    let seen = [0, 1, 2].map(|i| self.counts[i] - before[i]);
                    ensure!(
                        said == seen,
                        "{}: the end counts {said:?}, but {seen:?} were reported",
                        self.chip
                    );
                    ended = true;
                }
                ["case", _, _, verdict, ..] => {
                    self.keep(line, verdict);
                    if verdict != "n/a" {
                        begun = None;
                    }
                }
                _ => self.lines += &format!("{line}\n"),
            }
        }
        match (ended, next, begun) {
            (true, _, _) => return Ok(()),
            (false, Some(next), _) => self.from = Some(next),
            (false, None, Some((index, name))) => {
                let why = match exit {
                    Exit::TimedOut(limit) => format!("hung for {} s", limit.as_secs()),
                    exit => {
                        let said = stderr.lines().last().unwrap_or_default();
                        format!("the image died: {exit} {said}")
                    }
                };
                let line = format!("case\t{}\t{name}\tFAIL\t0\t{}", self.chip, why.trim());
                self.keep(&line, "FAIL");
                self.from = Some(index + 1);
            }
            (false, None, None) => bail!(
                "{}: the image died where no case was running: {exit}\n{stdout}\n{stderr}",
                self.chip
            ),
        }
        ensure!(
            self.from.is_some_and(|next| next > from),
            "{}: the image does not get further than case {from}",
            self.chip
        );
        Ok(())
    }

    fn keep(&mut self, line: &str, verdict: &str) {
        self.lines += &format!("{line}\n");
        match verdict {
            "pass" => self.counts[0] += 1,
            "n/a" => self.counts[2] += 1,
            _ => self.counts[1] += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;
    use core::time::Duration;

    const FIRST: &str = "scale\tm0\t16\nbegin\tm0\t0\ta::x\ncase\tm0\ta::x\tpass\t0\t\n\
        case\tm0\ta::y\tn/a\t0\tno heap\nbegin\tm0\t2\ta::z\n";
    const LAST: &str =
        "scale\tm0\t16\nbegin\tm0\t3\tb::v\ncase\tm0\tb::v\tpass\t0\t\nend\tm0\t1\t0\t0\n";

    fn after(first: &str, exit: Exit) -> protocol::Report {
        let mut boots = Boots::new("m0");
        boots.begin_image();
        boots.take(first, exit, "qemu: lockup").unwrap();
        assert_eq!(boots.next(), Some(3));
        boots.take(LAST, Exit::Success, "").unwrap();
        assert_eq!(boots.next(), None);
        protocol::parse("m0", &boots.report())
    }

    #[test]
    fn several_images_make_one_report() {
        let mut boots = Boots::new("m0");
        for module in ["b::v", "c::w"] {
            boots.begin_image();
            assert_eq!(boots.next(), Some(0));
            let said = LAST.replace("b::v", module);
            boots.take(&said, Exit::Success, "").unwrap();
            assert_eq!(boots.next(), None);
        }
        let report = protocol::parse("m0", &boots.report());
        assert_eq!(report.problems, [""; 0]);
        assert_eq!(report.cells.len(), 2);
    }

    #[test]
    fn a_panic_is_the_cases_failure_and_the_rest_is_run() {
        let first = format!("{FIRST}case\tm0\ta::z\tFAIL\t0\toops\nnext\tm0\t3\n");
        let report = after(&first, Exit::Code(1));
        assert_eq!(report.problems, [""; 0]);
        assert_eq!(report.cells.len(), 4);
        assert_eq!(report.failures(), ["a::z: oops"]);
    }

    #[test]
    fn a_hang_and_a_dead_image_are_the_cases_failure() {
        let report = after(FIRST, Exit::TimedOut(Duration::from_secs(20)));
        assert_eq!(report.failures(), ["a::z: hung for 20 s"]);
        let report = after(FIRST, Exit::Signal(6));
        assert!(report.failures()[0].contains("qemu: lockup"));
    }

    #[test]
    fn an_image_that_never_got_to_a_case_is_an_error() {
        let mut boots = Boots::new("m0");
        boots.begin_image();
        assert!(boots.take("", Exit::Code(1), "no such machine").is_err());
    }

    #[test]
    fn an_image_that_stands_still_is_an_error() {
        let mut boots = Boots::new("m0");
        boots.begin_image();
        assert!(boots.take("next\tm0\t0\n", Exit::Success, "").is_err());
    }

    #[test]
    fn counts_that_differ_are_an_error() {
        let mut boots = Boots::new("m0");
        boots.begin_image();
        let lost = LAST.replace("end\tm0\t1", "end\tm0\t2");
        assert!(boots.take(&lost, Exit::Success, "").is_err());
    }
}
