//! The conformance suite's steps: the runner is built once, then run for each runtime of the host; each chip has images
//! of its own.

use super::Session;
use crate::{
    cargo::{built, cargo, scrub},
    firmware::{self, CHIPS, Chip},
    process::Exit,
    protocol,
    step::Run,
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use std::process::Command;

/// The hosts' runtimes that must be in the matrix. The runner's own list is compared with this one, so that none gets lost.
pub(crate) const RUNTIMES: &[&str] = &[
    "tokio-ct",
    "tokio-mt",
    "smol",
    "async-std",
    "embassy",
    "block-on",
    "sim",
    "reference",
];

/// All columns of the matrix: the hosts' runtimes, then the chips.
pub(crate) fn columns() -> Vec<&'static str> {
    let chips = CHIPS.iter().map(|chip| chip.name);
    RUNTIMES.iter().copied().chain(chips).collect()
}

/// Builds the runner and sees that it knows the same runtimes as we do, and at least one case that was asked for.
pub(super) fn build_runner(case: Option<&str>, run: &mut Run, session: &mut Session) -> Result<()> {
    let mut cargo = cargo(Build::Plain);
    cargo.args(["build", "-p", "ecluse-runners", "--bin", "ecluse-runners"]);
    cargo.arg("--message-format=json-render-diagnostics");
    let (exit, messages, _) = run.run_apart(&mut cargo)?;
    ensure!(exit == Exit::Success, "the runner does not build: {exit}");
    let program = built(&messages, "bin", "ecluse-runners")?
        .executable
        .context("cargo names no program")?;
    let listed = run.run(Command::new(&program).arg("--list-runtimes"))?;
    let mut listed: Vec<&str> = listed
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let mut expected = RUNTIMES.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    ensure!(
        listed == expected,
        "the runner has the runtimes {listed:?}, but these are expected (xtask/src/test/conformance.rs): {expected:?}"
    );
    if let Some(pattern) = case {
        let matching = run.run(Command::new(&program).args(["--list", "--case", pattern]))?;
        if matching.trim().is_empty() {
            let all = run.run(Command::new(&program).arg("--list"))?;
            run.show = Some(format!("there are:\n{all}"));
            bail!("no case matches `{pattern}`");
        }
    }
    session.runner = Some(program);
    Ok(())
}

/// Runs the suite on one runtime.
pub(super) fn run_on(
    runtime: &str,
    case: Option<&str>,
    run: &mut Run,
    session: &mut Session,
) -> Result<()> {
    let program = session
        .runner
        .clone()
        .context("never ran: the runner was not built")?;
    let mut command = Command::new(program);
    command
        .args(["--runtime", runtime])
        .current_dir(workspace::root());
    if let Some(pattern) = case {
        command.args(["--case", pattern]);
    }
    scrub(&mut command);
    let (exit, stdout, stderr) = run.run_apart(&mut command)?;
    accept(runtime, &stdout, &stderr, exit, run, session)
}

/// Sees that everything is there that the chips' steps need, and installs what is not.
pub(super) fn chip_tools(run: &mut Run) -> Result<()> {
    for chip in CHIPS {
        let toolchain = chip.toolchain()?;
        toolchain.see_to_age()?;
        toolchain.see_to_clippy()?;
        run.programs += 1;
        println!(
            "    {}: {}, {}",
            chip.name,
            chip.target,
            toolchain.describe()
        );
    }
    Ok(())
}

/// Builds the suite for all chips that it is to run on.
pub(super) fn build_images(run: &mut Run, session: &Session) -> Result<()> {
    firmware::build_suites(run, &session.chips)
}

/// Runs the suite on a chip, for which it was built.
pub(super) fn run_on_chip(
    chip: &Chip,
    case: Option<&str>,
    run: &mut Run,
    session: &mut Session,
) -> Result<()> {
    let images = chip.build_suite(run)?;
    let lines = chip.run_suite(run, &images, case.unwrap_or_default())?;
    accept(chip.name, &lines, "", Exit::Success, run, session)
}

/// Takes a column's report, and says what is wrong with it.
fn accept(
    runtime: &str,
    stdout: &str,
    stderr: &str,
    exit: Exit,
    run: &mut Run,
    session: &mut Session,
) -> Result<()> {
    let report = protocol::parse(runtime, stdout);
    let failures = report.failures();
    let mut problems = report.problems.clone();
    if !failures.is_empty() {
        problems.insert(0, format!("{} cases failed", failures.len()));
    }
    match exit {
        Exit::Success => {}
        // A runner may say by its exit code that cases failed; that is no news.
        Exit::Code(_) if !failures.is_empty() => {}
        exit => problems.insert(0, exit.to_string()),
    }
    run.show = Some(format!("{}\n{}", failures.join("\n"), stderr.trim_end()));
    session.reports.push(report);
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}

/// What the suite may take on a runtime.
pub(super) const BUDGET: Duration = Duration::from_secs(20);
