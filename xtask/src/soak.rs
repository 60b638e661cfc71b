//! `cargo xtask soak`: all primitives under calls that are cut off at random, for as long as one likes; and
//! `cargo xtask asan`, the same under AddressSanitizer, with its search for leaks. (`tsan` is in `tsan.rs`.)

use crate::{
    cargo::cargo,
    step::Run,
    toolchain::hosts,
    workspace::{self, Build},
};
use anyhow::{Context, Result};
use std::process::Command;

/// The package that is the load.
pub(crate) const SOAK: &str = "ecluse-soak";

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// How long, all in all.
    #[arg(long, default_value_t = 1)]
    minutes: u64,
    /// Passed on; `-- --help` shows what is understood.
    #[arg(last = true)]
    args: Vec<String>,
}

impl Args {
    pub(crate) fn run(&self, mut cargo: Command) -> Result<bool> {
        cargo.args(["--", "--seconds"]);
        cargo.arg(self.minutes.saturating_mul(60).to_string());
        cargo.args(&self.args);
        Ok(cargo.status().context("cannot run cargo")?.success())
    }
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    args.run(soak())
}

/// A few seconds of it, for the test run.
pub(crate) fn briefly(run: &mut Run) -> Result<()> {
    let mut soak = soak();
    soak.args(["--", "--seconds", "10"]);
    run.run(&mut soak).map(drop)
}

fn soak() -> Command {
    let mut soak = cargo(Build::Plain);
    soak.args(["run", "--quiet", "--release", "-p", SOAK]);
    soak
}

pub(crate) fn run_with_address_sanitizer(args: &Args) -> Result<bool> {
    let host = hosts::sanitized()?;
    let mut soak = soak();
    // An unstable flag of a stable compiler; in a target directory of its own.
    soak.env("RUSTC_BOOTSTRAP", "1");
    soak.env("RUSTFLAGS", "-Zsanitizer=address");
    soak.env("CARGO_TARGET_DIR", workspace::target_base().join("asan"));
    soak.env(
        "ASAN_OPTIONS",
        "detect_leaks=1:detect_stack_use_after_return=1",
    );
    soak.args(["--target", host]);
    args.run(soak)
}
