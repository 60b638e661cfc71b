//! `cargo xtask bench`: the benches, a workspace of their own with their own lock file, since they build the peers, too.

use crate::{
    cargo::cargo,
    workspace::{self, Build},
};
use anyhow::{Context, Result, ensure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this group.
    #[arg(long)]
    group: Option<String>,
    /// Few repetitions: shows that it runs, measures nothing.
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
    std::fs::create_dir_all(workspace::results())?;
    let json = workspace::results().join("bench.json");
    bench.arg("--json").arg(&json).args(&args.args);
    Ok(bench.status().context("cannot run cargo")?.success())
}
