//! What a conformance runner prints, and what of it can be believed.
//!
//! One tab-separated line each, on stdout:
//!
//! ```text
//! scale  RUNTIME  number
//! case   RUNTIME  module::name  pass|FAIL|n/a  millis  detail
//! trace  RUNTIME  name          escaped text
//! end    RUNTIME  passed        failed         n/a
//! ```
//!
//! Any other line is somebody's print and is let through. A report counts only if it ends with `end` and the counts
//! there are those of the lines before: a runner that died in the middle is not a runner with fewer cases.

use std::collections::BTreeMap;

/// What became of a case on a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    /// The platform cannot show it; the detail says why.
    NotApplicable,
}

/// One case on one runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) verdict: Verdict,
    pub(crate) millis: u64,
    pub(crate) detail: String,
}

/// Everything one runner said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) runtime: String,
    pub(crate) scale: Option<String>,
    pub(crate) cells: BTreeMap<String, Cell>,
    pub(crate) traces: BTreeMap<String, String>,
    /// What is wrong with the report itself.
    pub(crate) problems: Vec<String>,
    last: Option<String>,
    ended: bool,
}

impl Report {
    /// Number of cells with this verdict.
    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        self.cells
            .values()
            .filter(|cell| cell.verdict == verdict)
            .count()
    }

    /// The cases that failed, as `name: detail`.
    pub(crate) fn failures(&self) -> Vec<String> {
        let failed = self
            .cells
            .iter()
            .filter(|(_, cell)| cell.verdict == Verdict::Fail);
        failed
            .map(|(name, cell)| format!("{name}: {}", cell.detail))
            .collect()
    }
}

/// Reads the output of the runner for `runtime`.
pub(crate) fn parse(runtime: &str, output: &str) -> Report {
    let mut report = Report {
        runtime: runtime.into(),
        ..Report::default()
    };
    for line in output.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        if !matches!(fields[0], "scale" | "case" | "trace" | "end") || fields.len() < 2 {
            continue;
        }
        if let Err(problem) = take(&mut report, &fields) {
            report
                .problems
                .push(format!("{problem}: `{}`", line.escape_debug()));
        }
    }
    if !report.ended {
        let last = report
            .last
            .as_deref()
            .map_or("before its first case".into(), |case| {
                format!("after {case}")
            });
        report
            .problems
            .push(format!("the runner died {last}: there is no `end` line"));
    }
    if report.ended && report.scale.is_none() {
        report
            .problems
            .push("the runner did not say its scale".into());
    }
    report
}

fn take(report: &mut Report, fields: &[&str]) -> Result<(), String> {
    if fields[1] != report.runtime {
        return Err(format!(
            "a line for another runtime than {}",
            report.runtime
        ));
    }
    if report.ended {
        return Err("a line after the end".into());
    }
    match *fields {
        ["scale", _, number] => {
            if report.scale.replace(number.into()).is_some() {
                return Err("a second scale".into());
            }
        }
        ["case", _, name, verdict, millis, ref detail @ ..] => {
            let verdict = match verdict {
                "pass" => Verdict::Pass,
                "FAIL" => Verdict::Fail,
                "n/a" => Verdict::NotApplicable,
                _ => return Err("neither pass, FAIL nor n/a".into()),
            };
            let detail = detail.join(" ").trim().to_owned();
            if verdict == Verdict::NotApplicable && detail.is_empty() {
                return Err("n/a without a reason".into());
            }
            let millis = millis.parse().map_err(|_| "a time that is no number")?;
            report.last = Some(name.into());
            if report
                .cells
                .insert(
                    name.into(),
                    Cell {
                        verdict,
                        millis,
                        detail,
                    },
                )
                .is_some()
            {
                return Err("a case reported twice".into());
            }
        }
        ["trace", _, name, text] => {
            if report.traces.insert(name.into(), text.into()).is_some() {
                return Err("a trace printed twice".into());
            }
        }
        ["end", _, passed, failed, not_applicable] => {
            report.ended = true;
            let said = [passed, failed, not_applicable].map(str::parse);
            let seen =
                [Verdict::Pass, Verdict::Fail, Verdict::NotApplicable].map(|v| report.count(v));
            if said != seen.map(Ok) {
                return Err(format!(
                    "the end counts other cases than the {seen:?} that were reported"
                ));
            }
        }
        _ => return Err("a line with the wrong number of fields".into()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "warming up\n\
        scale\tsim\t1000\n\
        case\tsim\tclaim::c01_one\tpass\t3\t\n\
        case\tsim\tclaim::c02_two\tFAIL\t4\tleft == right\n\
        case\tsim\tline::l01\tn/a\t0\tno abort\n\
        trace\tsim\tslot\tA claims\\nB waits\n\
        end\tsim\t1\t1\t1\n";

    fn problems(output: &str) -> String {
        parse("sim", output).problems.join("\n")
    }

    #[test]
    fn a_whole_report_is_read() {
        let report = parse("sim", GOOD);
        assert_eq!(report.problems, [""; 0]);
        assert_eq!(report.scale.as_deref(), Some("1000"));
        assert_eq!(report.cells.len(), 3);
        assert_eq!(report.failures(), ["claim::c02_two: left == right"]);
        assert_eq!(report.traces["slot"], "A claims\\nB waits");
        assert_eq!(report.cells["claim::c01_one"].millis, 3);
    }

    #[test]
    fn a_runner_that_died_is_found_out() {
        let cut = GOOD.split("end").next().unwrap();
        assert!(problems(cut).contains("died after line::l01"));
        assert!(problems("").contains("died before its first case"));
    }

    #[test]
    fn counts_that_differ_are_found_out() {
        assert!(
            problems(&GOOD.replace("end\tsim\t1", "end\tsim\t2")).contains("counts other cases")
        );
    }

    #[test]
    fn a_case_is_reported_once() {
        assert!(problems(&GOOD.replace("c02_two", "c01_one")).contains("reported twice"));
    }

    #[test]
    fn malformed_lines_are_problems_and_foreign_lines_are_not() {
        assert!(problems(&GOOD.replace("\tFAIL\t", "\tfail\t")).contains("neither pass"));
        assert!(problems(&GOOD.replace("no abort", "")).contains("without a reason"));
        assert!(problems(&GOOD.replace("\t3\t", "\tfast\t")).contains("no number"));
        assert!(problems(&GOOD.replace("scale\tsim", "scale\tsmol")).contains("another runtime"));
        assert!(problems(&GOOD.replace("scale\tsim\t1000\n", "")).contains("scale"));
        assert!(problems(&format!("{GOOD}scale\tsim\t1\n")).contains("after the end"));
        assert!(
            problems(&GOOD.replace("scale\tsim\t1000", "scale\tsim")).contains("number of fields")
        );
        assert!(!problems(GOOD).contains("warming"));
    }
}
