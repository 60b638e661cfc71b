//! The matrix: every case on every runtime that was run.
//!
//! Invariant: a case that is reported anywhere is reported everywhere, as ok, FAIL or n/a. One that is absent somewhere
//! is shown as `-` and is a problem.

mod brief;

use crate::protocol::{Cell, Report, Verdict};
use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};

/// All reports of a run, in the order of the columns.
pub(crate) struct Matrix<'a> {
    reports: &'a [Report],
    names: BTreeSet<&'a str>,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(reports: &'a [Report]) -> Self {
        let names = reports
            .iter()
            .flat_map(|report| report.cells.keys().map(String::as_str))
            .collect();
        Matrix { reports, names }
    }

    /// Number of different cases.
    pub(crate) fn cases(&self) -> usize {
        self.names.len()
    }

    /// For each runtime that lacks cases, a sentence with their names.
    pub(crate) fn gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        for report in self.reports {
            let absent: Vec<_> = self
                .names
                .iter()
                .copied()
                .filter(|name| !report.cells.contains_key(*name))
                .collect();
            if !absent.is_empty() {
                let (runtime, count) = (&report.runtime, absent.len());
                gaps.push(format!(
                    "{runtime} is silent about {count} of {} cases: {}",
                    self.cases(),
                    absent.join(", ")
                ));
            }
        }
        gaps
    }

    /// The cases by module, in order.
    fn modules(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut modules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in &self.names {
            modules.entry(split(name).0).or_default().push(name);
        }
        modules
    }

    /// The n/a reasons, each with the cases and the runtimes it stands for.
    fn reasons(&self) -> BTreeMap<&'a str, BTreeMap<&'a str, Vec<&'a str>>> {
        let mut reasons: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
        for report in self.reports {
            for (name, cell) in &report.cells {
                if cell.verdict == Verdict::NotApplicable {
                    let runtimes = reasons
                        .entry(&cell.detail)
                        .or_default()
                        .entry(name)
                        .or_default();
                    runtimes.push(&report.runtime);
                }
            }
        }
        reasons
    }

    /// For a terminal.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let first = self
            .names
            .iter()
            .map(|name| split(name).1.len() + 2)
            .max()
            .unwrap_or(0)
            .max(6);
        let width = |report: &Report| {
            let scale = report.scale.as_ref().map_or(0, String::len);
            report.runtime.len().max(scale).max(4) + 2
        };
        let row = |out: &mut String, head: &str, cell: &dyn Fn(&Report) -> String| {
            let mut line = format!("{head:first$}");
            for report in self.reports {
                let _ = write!(line, "{:>1$}", cell(report), width(report));
            }
            let _ = writeln!(out, "{}", line.trim_end());
        };
        row(&mut out, "case", &|report| report.runtime.clone());
        for (module, names) in self.modules() {
            let _ = writeln!(out, "{module}");
            for name in names {
                row(&mut out, &format!("  {}", split(name).1), &|report| {
                    shown(report.cells.get(name)).into()
                });
            }
        }
        row(&mut out, "scale", &|report| {
            report.scale.clone().unwrap_or_else(|| "?".into())
        });
        let reasons = self.reasons();
        if !reasons.is_empty() {
            let _ = writeln!(out, "\nn/a, and why:");
        }
        for (reason, cases) in reasons {
            let _ = writeln!(out, "  {reason}");
            for (name, runtimes) in cases {
                let _ = writeln!(out, "    {name} ({})", runtimes.join(", "));
            }
        }
        out
    }

    /// For `matrix.md`: the whole.
    pub(crate) fn markdown(&self) -> String {
        let mut out = self.header("case");
        for (module, names) in self.modules() {
            let _ = writeln!(out, "| **{module}** |{}", " |".repeat(self.reports.len()));
            for name in names {
                let cells = self
                    .reports
                    .iter()
                    .map(|report| shown(report.cells.get(name)).to_owned());
                let _ = writeln!(
                    out,
                    "| {} | {} |",
                    split(name).1,
                    cells.collect::<Vec<_>>().join(" | ")
                );
            }
        }
        self.footer(&mut out);
        out
    }

    /// For `docs/matrix.md`: how much of each module holds on each runtime.
    pub(crate) fn summary(&self) -> String {
        let mut out = self.header("cases of");
        for (module, names) in self.modules() {
            let of = |report: &Report| {
                let count = |verdict| {
                    names
                        .iter()
                        .filter(|n| verdict_of(report, n) == Some(verdict))
                        .count()
                };
                let parts = [
                    (count(Verdict::Pass), "ok"),
                    (count(Verdict::Fail), "FAIL"),
                    (count(Verdict::NotApplicable), "n/a"),
                    (
                        names
                            .iter()
                            .filter(|n| verdict_of(report, n).is_none())
                            .count(),
                        "absent",
                    ),
                ];
                let parts = parts
                    .iter()
                    .filter(|(n, _)| *n > 0)
                    .map(|(n, what)| format!("{n} {what}"));
                parts.collect::<Vec<_>>().join(", ")
            };
            let cells: Vec<_> = self.reports.iter().map(of).collect();
            let _ = writeln!(out, "| `{module}` | {} |", cells.join(" | "));
        }
        out += "\nEach n/a has its reason (no interrupts on a host, no unwinding on a chip, not in the reference, …): the command \
                prints them.\n";
        out
    }

    fn header(&self, first: &str) -> String {
        let runtimes: Vec<_> = self
            .reports
            .iter()
            .map(|report| report.runtime.as_str())
            .collect();
        format!(
            "| {first} | {} |\n|---|{}\n",
            runtimes.join(" | "),
            "---|".repeat(runtimes.len())
        )
    }

    fn footer(&self, out: &mut String) {
        let scales = self
            .reports
            .iter()
            .map(|report| report.scale.as_deref().unwrap_or("?"));
        let _ = writeln!(
            out,
            "| scale | {} |",
            scales.collect::<Vec<_>>().join(" | ")
        );
        for (reason, cases) in self.reasons() {
            let cases = cases
                .iter()
                .map(|(name, runtimes)| format!("`{name}` ({})", runtimes.join(", ")));
            let _ = writeln!(
                out,
                "\n- n/a, {reason}: {}",
                cases.collect::<Vec<_>>().join(", ")
            );
        }
    }
}

fn verdict_of(report: &Report, name: &str) -> Option<Verdict> {
    report.cells.get(name).map(|cell| cell.verdict)
}

fn shown(cell: Option<&Cell>) -> &'static str {
    match cell.map(|cell| cell.verdict) {
        Some(Verdict::Pass) => "ok",
        Some(Verdict::Fail) => "FAIL",
        Some(Verdict::NotApplicable) => "n/a",
        None => "-",
    }
}

/// A case's module and its own name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once("::").unwrap_or(("", name))
}

/// Replaces what is between the markers of a page by `table`.
pub(crate) fn write_between_markers(readme: &str, table: &str) -> Option<String> {
    const BEGIN: &str = "<!-- matrix -->";
    const END: &str = "<!-- /matrix -->";
    let begin = readme.find(BEGIN)? + BEGIN.len();
    let end = begin + readme[begin..].find(END)?;
    Some(format!(
        "{}\n{}\n{}",
        &readme[..begin],
        table.trim_end(),
        &readme[end..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::parse;

    fn reports() -> Vec<Report> {
        let tokio = "scale\ttokio-ct\t1000000\ncase\ttokio-ct\tclaim::c01\tpass\t1\t\n\
            case\ttokio-ct\tline::l01\tFAIL\t1\toops\nend\ttokio-ct\t1\t1\t0\n";
        let sim = "scale\tsim\t10\ncase\tsim\tclaim::c01\tpass\t1\t\n\
            case\tsim\tline::l01\tn/a\t1\tno threads\nend\tsim\t1\t0\t1\n";
        vec![parse("tokio-ct", tokio), parse("sim", sim)]
    }

    #[test]
    fn the_table_has_a_column_a_runtime_and_the_reasons_below() {
        let text = Matrix::new(&reports()).text();
        let expected = "case    tokio-ct   sim\n\
            claim\n  \
              c01         ok    ok\n\
            line\n  \
              l01       FAIL   n/a\n\
            scale    1000000    10\n\
            \nn/a, and why:\n  no threads\n    line::l01 (sim)\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_case_that_is_absent_somewhere_is_a_gap() {
        let mut reports = reports();
        assert_eq!(Matrix::new(&reports).gaps(), [""; 0]);
        reports[1].cells.remove("claim::c01");
        let matrix = Matrix::new(&reports);
        assert_eq!(
            matrix.gaps(),
            ["sim is silent about 1 of 2 cases: claim::c01"]
        );
        assert!(matrix.text().contains("c01         ok     -"));
    }

    #[test]
    fn markdown_has_as_many_columns_in_every_row() {
        let reports = reports();
        let matrix = Matrix::new(&reports);
        for table in [matrix.markdown(), matrix.summary()] {
            for row in table.lines().filter(|line| line.starts_with('|')) {
                assert_eq!(row.matches('|').count(), 4, "{row}");
            }
        }
        assert!(matrix.summary().contains("| `line` | 1 FAIL | 1 n/a |"));
    }

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let readme = "a\n<!-- matrix -->\nold\n<!-- /matrix -->\nb\n";
        let new = write_between_markers(readme, "| t |\n").unwrap();
        assert_eq!(new, "a\n<!-- matrix -->\n| t |\n<!-- /matrix -->\nb\n");
        assert_eq!(write_between_markers("no markers", "t"), None);
    }
}
