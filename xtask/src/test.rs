//! `cargo xtask test`: everything that must hold, step by step, then the matrix and one closing line.
//!
//! The run fails if a step fails, if a runtime is silent about a case that another one reports, if the traces of the
//! scripted schedules differ between runtimes, or if a step that was asked for never ran.

mod conformance;
mod demo;
mod steps;

#[cfg(test)]
pub(crate) use conformance::columns;

use crate::{
    firmware::Chip,
    libtest::Tally,
    matrix::{Matrix, write_between_markers},
    process,
    protocol::{Report, Verdict},
    step::{self, Policy},
    trace, workspace,
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::PathBuf};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only the conformance suite, and only on these runtimes (comma-separated).
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    runtime: Vec<String>,
    /// Only the conformance suite, and only the cases that match.
    #[arg(long, value_name = "PATTERN")]
    case: Option<String>,
    /// Only these steps (comma-separated); `list` prints them.
    #[arg(long, value_delimiter = ',', value_name = "LIST", conflicts_with_all = ["runtime", "case"])]
    step: Vec<String>,
    /// Leave out steps whose tool is missing instead of failing; they are counted as skipped.
    #[arg(long)]
    skip_missing: bool,
    /// Multiply all budgets by this, for slow machines.
    #[arg(long, default_value_t = 1.0)]
    slack: f64,
    /// Write the matrix between the markers of README.md, in brief, and of docs/matrix.md (needs all runtimes and cases).
    #[arg(long, conflicts_with_all = ["runtime", "case", "step"])]
    write_readme: bool,
}

/// What the steps of a run share.
#[derive(Default)]
pub(crate) struct Session {
    /// The conformance runner, once it was built.
    runner: Option<PathBuf>,
    /// The chips that the suite is to run on.
    chips: Vec<&'static Chip>,
    /// One report a runtime that was run.
    reports: Vec<Report>,
}

/// Where the matrix stands: in brief, and by module.
const PAGES: [&str; 2] = ["README.md", "docs/matrix.md"];

pub(crate) fn run(args: &Args) -> Result<bool> {
    ensure!(
        args.slack.is_finite() && args.slack > 0.0,
        "`--slack` is a number above 0"
    );
    let all = steps::all(args.case.as_deref());
    if args.step == ["list"] {
        all.iter()
            .for_each(|step| println!("{:28} (budget {} s)", step.name, step.budget.as_secs()));
        return Ok(true);
    }
    let steps = steps::choose(all, &args.step, &args.runtime, args.case.is_some())?;
    process::end_children_on_interrupt()?;
    let mut session = Session {
        chips: steps::chips(&steps),
        ..Session::default()
    };
    let policy = Policy {
        slack: args.slack,
        skip_missing: args.skip_missing,
    };
    let outcome = step::run_all(steps, policy, &mut session)?;
    let mut problems: Vec<String> = outcome
        .failed
        .iter()
        .map(|name| format!("step failed: {name}"))
        .collect();

    let mut cells = Tally::default();
    if !session.reports.is_empty() {
        cells = conclude(&session.reports, &mut problems, args)?;
    }
    if !outcome.skipped.is_empty() {
        println!(
            "\nskipped, since a tool is missing:\n  {}",
            outcome.skipped.join("\n  ")
        );
    }
    if !problems.is_empty() {
        println!("\nproblems:");
        problems.iter().for_each(|problem| println!("  {problem}"));
    }
    let mut sum = outcome.steps;
    sum += outcome.tests;
    sum += cells;
    // What fails the run without being a test or a step of its own must show in the count, too.
    sum.failed += problems.len() - outcome.failed.len();
    println!(
        "\n{} passed, {} failed, {} skipped",
        sum.passed, sum.failed, sum.skipped
    );
    Ok(problems.is_empty() && sum.failed == 0)
}

/// Prints and writes the matrix, and looks across the runtimes.
fn conclude(reports: &[Report], problems: &mut Vec<String>, args: &Args) -> Result<Tally> {
    let matrix = Matrix::new(reports);
    println!("\n{}", matrix.text());
    let path = workspace::results().join("matrix.md");
    fs::write(&path, matrix.markdown())
        .with_context(|| format!("cannot write {}", path.display()))?;
    if matrix.cases() == 0 {
        problems.push("the conformance suite ran no case".into());
    }
    problems.extend(matrix.gaps());
    problems.extend(trace::compare(reports));
    if args.write_readme {
        ensure!(
            reports.len() == conformance::columns().len(),
            "README.md is not written: not every runtime was run"
        );
        for (page, table) in PAGES.iter().zip([matrix.brief()?, matrix.summary()]) {
            let path = workspace::root().join(page);
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {page}"))?;
            let new = write_between_markers(&text, &table);
            let lacks = || format!("{page} has no `<!-- matrix -->` … `<!-- /matrix -->`");
            fs::write(&path, new.with_context(lacks)?)?;
        }
    }
    let count = |verdict| reports.iter().map(|report| report.count(verdict)).sum();
    Ok(Tally {
        passed: count(Verdict::Pass),
        failed: count(Verdict::Fail),
        skipped: count(Verdict::NotApplicable),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_with_the_matrix_have_their_markers() {
        for page in PAGES {
            let text = fs::read_to_string(workspace::root().join(page)).unwrap();
            assert!(write_between_markers(&text, "").is_some(), "{page}");
        }
    }
}
