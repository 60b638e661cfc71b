//! `cargo xtask demo`: the demo, with the arguments passed on; in a profile of its own, which is quick to build.

use crate::{cargo::cargo, workspace::Build};
use anyhow::{Context, Result};

/// The package that is the demo.
pub(crate) const DEMO: &str = "ecluse-demo";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Passed on to the demo; `-- --help` shows what it understands.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut demo = cargo(Build::Plain);
    demo.args(["run", "--profile", "demo", "-p", DEMO, "--"])
        .args(&args.args);
    Ok(demo.status().context("cannot run cargo")?.success())
}
