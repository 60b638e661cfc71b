//! Traces of scripted schedules: the same bytes on every runtime, or the first line that differs.

use crate::protocol::{Report, Verdict};
use std::collections::BTreeSet;

/// Compares the traces of all reports; each problem is a sentence.
///
/// A runtime may go without a trace only if it lists a case of that name as n/a: then the matrix says why.
pub(crate) fn compare(reports: &[Report]) -> Vec<String> {
    let names: BTreeSet<&String> = reports
        .iter()
        .flat_map(|report| report.traces.keys())
        .collect();
    let mut problems = Vec::new();
    for name in names {
        let mut first: Option<(&str, &str)> = None;
        for report in reports {
            match (report.traces.get(name), first) {
                (Some(trace), None) => first = Some((&report.runtime, trace)),
                (Some(trace), Some((other, expected))) if trace != expected => {
                    problems.push(difference(
                        name,
                        (other, expected),
                        (&report.runtime, trace),
                    ));
                }
                (Some(_), Some(_)) => {}
                (None, _) if excused(report, name) => {}
                (None, _) => {
                    problems.push(format!("trace {name}: {} printed none", report.runtime))
                }
            }
        }
    }
    problems
}

fn excused(report: &Report, trace: &str) -> bool {
    let of_trace = |case: &str| case == trace || case.rsplit("::").next() == Some(trace);
    report
        .cells
        .iter()
        .any(|(case, cell)| of_trace(case) && cell.verdict != Verdict::Pass)
}

fn difference(name: &str, one: (&str, &str), other: (&str, &str)) -> String {
    let lines = |text: &str| -> Vec<String> { text.split("\\n").map(str::to_owned).collect() };
    let (left, right) = (lines(one.1), lines(other.1));
    let at = (0..left.len().max(right.len()))
        .find(|i| left.get(*i) != right.get(*i))
        .unwrap_or(0);
    let show = |lines: &[String]| {
        lines
            .get(at)
            .cloned()
            .unwrap_or_else(|| "(the trace ends)".into())
    };
    let width = one.0.len().max(other.0.len());
    format!(
        "trace {name} differs first in line {}:\n    {:width$}  {}\n    {:width$}  {}",
        at + 1,
        one.0,
        show(&left),
        other.0,
        show(&right)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::parse;

    fn report(runtime: &str, trace: &str) -> Report {
        parse(
            runtime,
            &format!(
                "scale\t{runtime}\t1\ntrace\t{runtime}\tslot\t{trace}\nend\t{runtime}\t0\t0\t0\n"
            ),
        )
    }

    #[test]
    fn equal_traces_are_no_problem() {
        assert_eq!(
            compare(&[report("a", "x\\ny"), report("b", "x\\ny")]),
            [""; 0]
        );
    }

    #[test]
    fn the_first_line_that_differs_is_shown() {
        let problems = compare(&[
            report("a", "x\\ny\\nz"),
            report("bb", "x\\nw\\nz"),
            report("c", "x\\ny"),
        ]);
        assert!(
            problems[0].contains("line 2") && problems[0].contains("bb  w"),
            "{problems:?}"
        );
        assert!(
            problems[1].contains("line 3") && problems[1].contains("(the trace ends)"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_missing_trace_needs_a_case_that_says_why() {
        let with = report("a", "x");
        let without = parse("b", "scale\tb\t1\nend\tb\t0\t0\t0\n");
        assert!(compare(&[with.clone(), without])[0].contains("b printed none"));
        let excused = parse(
            "b",
            "scale\tb\t1\ncase\tb\tw::slot\tn/a\t0\tno tasks\nend\tb\t0\t0\t1\n",
        );
        assert_eq!(compare(&[with, excused]), [""; 0]);
    }
}
