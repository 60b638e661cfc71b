//! The demo, small: that it runs on each of its runtimes, and comes to its verdict.

use crate::{cargo::cargo, demo::DEMO, step::Run, workspace::Build};
use anyhow::{Context, Result};

/// The arguments with which the demo shows quickly that it works, on each of its runtimes.
const DEMO_SMOKE: &str = "--clients 50 --seconds 1 --requests 200 --runtime";
const DEMO_RUNTIMES: &[&str] = &["tokio", "smol", "async-std"];

/// Runs the demo, small.
pub(super) fn run(run: &mut Run) -> Result<()> {
    for runtime in DEMO_RUNTIMES {
        let mut cargo = cargo(Build::Plain);
        cargo
            .args(["run", "--quiet", "-p", DEMO, "--"])
            .args(DEMO_SMOKE.split(' '))
            .arg(runtime);
        run.run(&mut cargo)
            .with_context(|| format!("the demo on {runtime}"))?;
    }
    Ok(())
}
