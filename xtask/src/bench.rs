//! `cargo xtask bench`: the benches, a workspace of their own with their own lock file, since they build the peers, too.
//! What comes out, rows and pictures, is in `target/ecluse`; what is measured, and how, is in `docs/benchmark.md`.

use crate::{
    cargo::cargo,
    workspace::{self, Build},
};
use anyhow::{Context, Result, ensure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only groups whose name contains this.
    #[arg(long)]
    group: Option<String>,
    /// Few turns, small crowds: shows that it runs.
    #[arg(long)]
    quick: bool,
    /// Passed on as they are.
    #[arg(last = true)]
    args: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let manifest = workspace::root().join("tests/bench/Cargo.toml");
    ensure!(
        manifest.is_file(),
        "tests/bench/Cargo.toml is not there: this checkout has no benches"
    );
    let mut bench = cargo(Build::Plain);
    bench.env("CARGO_TARGET_DIR", workspace::target_base().join("bench"));
    bench
        .args([
            "run",
            "--quiet",
            "--release",
            "--bin",
            "ecluse-bench",
            "--manifest-path",
        ])
        .arg(manifest)
        .arg("--");
    if let Some(group) = &args.group {
        bench.args(["--group", group]);
    }
    if args.quick {
        bench.arg("--quick");
    }
    bench
        .arg("--out")
        .arg(workspace::results())
        .args(&args.args);
    Ok(bench.status().context("cannot run cargo")?.success())
}
