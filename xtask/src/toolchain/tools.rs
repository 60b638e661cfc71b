//! Programs of crates.io that a command wants: one that is there, or one that is built under the target directory.

use crate::{cargo::cargo, workspace, workspace::Build};
use anyhow::{Context, Result, ensure};
use std::{
    env,
    path::{Path, PathBuf},
    process::Stdio,
};

/// Finds `name` (`cargo-deny`), or builds it, which takes some minutes; `name@1.2.3` is the version to build.
pub(crate) fn built(wanted: &str) -> Result<PathBuf> {
    let name = wanted.split('@').next().unwrap_or(wanted);
    let root = workspace::results().join("tools");
    let ours = root.join("bin").join(name);
    let paths = env::var_os("PATH").unwrap_or_default();
    let there = core::iter::once(ours.clone())
        .chain(env::split_paths(&paths).map(|dir| dir.join(name)))
        .find(|path| path.is_file());
    match there {
        Some(path) => Ok(path),
        None => build(wanted, &root).map(|()| ours),
    }
}

fn build(name: &str, root: &Path) -> Result<()> {
    eprintln!("{name} is missing: building it, which takes some minutes");
    let mut install = cargo(Build::Plain);
    install.args(["install", "--quiet", "--locked", name, "--root"]);
    install.arg(root).stdin(Stdio::null());
    install.env("CARGO_TARGET_DIR", root.join("build"));
    // Quick to build counts for more than quick to run.
    for (setting, value) in [
        ("LTO", "false"),
        ("OPT_LEVEL", "1"),
        ("CODEGEN_UNITS", "16"),
    ] {
        install.env(format!("CARGO_PROFILE_RELEASE_{setting}"), value);
    }
    let status = install.status().context("cannot run cargo")?;
    ensure!(
        status.success(),
        "{name} could not be built: run `cargo install --locked {name}`"
    );
    Ok(())
}
