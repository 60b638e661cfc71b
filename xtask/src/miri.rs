//! `cargo xtask miri`: the core's unit tests under Miri, which sees undefined behaviour: aliasing, uninitialised bytes,
//! pointers that outlive what they point to. (Leaks are AddressSanitizer's matter, in `cargo xtask asan`.)
//!
//! It is some hundred times slower than the machine, so tests that are long by their nature repeat less often
//! (`cfg!(miri)` in the tests). All of them take half an hour and more.

use crate::toolchain::hosts::{self, Host};
use anyhow::{Context, Result, bail};

/// What Miri needs of rustup.
const COMPONENTS: [&str; 2] = ["miri", "rust-src"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only tests whose name contains this.
    #[arg(value_name = "PATTERN")]
    only: Option<String>,
    /// Passed to Miri, after our own.
    #[arg(long, value_name = "FLAGS", allow_hyphen_values = true)]
    flags: Option<String>,
}

fn find() -> Option<Host> {
    let has_all = |host: &Host| host.has_source && host.has("cargo-miri");
    hosts::all().into_iter().find(has_all)
}

/// Finds a compiler with Miri, or adds it to a nightly one.
fn host() -> Result<Host> {
    if let Some(host) = find() {
        return Ok(host);
    }
    let command = format!(
        "`rustup toolchain install nightly --profile minimal --component {}`",
        COMPONENTS.join(",")
    );
    let nightly = hosts::all().into_iter().find_map(|host| {
        let name = host.name?;
        name.starts_with("nightly").then_some(name)
    });
    let Some(nightly) = nightly else {
        bail!("no toolchain here has Miri: run {command}");
    };
    eprintln!("no toolchain here has Miri: adding it to {nightly}");
    let mut args = vec!["component", "add", "--toolchain", &nightly];
    args.extend(COMPONENTS);
    hosts::rustup(args).with_context(|| format!("run {command}"))?;
    find().with_context(|| format!("Miri was added, but is not to be found: run {command}"))
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let host = host()?;
    eprintln!("{}", host.describe());
    let mut miri = host.cargo("miri");
    // Without access to the machine, the clock is Miri's own: a slow machine makes no test fail. Leaks: many tests leak on
    // purpose, what stands for a `static` and what is forgotten.
    let flags = format!(
        "-Zmiri-isolation-error=hide -Zmiri-ignore-leaks {}",
        args.flags.as_deref().unwrap_or_default()
    );
    miri.env("MIRIFLAGS", flags.trim())
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUSTFLAGS");
    miri.args(["miri", "test", "-p", "ecluse-core", "--test", "unit"]);
    miri.args(["--features", "std,critical-section", "--"]);
    miri.args(&args.only);
    Ok(miri.status().context("cannot run cargo")?.success())
}
