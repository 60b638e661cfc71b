//! `cargo xtask demo`: the demo, with the arguments passed on; in a profile of its own, which is quick to build. With
//! `--check-page` its page is then looked at in a browser.
//!
//! The check is no part of `cargo xtask test`: it takes a browser.

mod browser;
mod page;

use crate::{cargo::cargo, workspace, workspace::Build};
use anyhow::{Context, Result};
use std::fs;

/// The package that is the demo.
pub(crate) const DEMO: &str = "ecluse-demo";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Look at the page in a browser when it is there: whether all of it is seen, on a desk and on a telephone, by day and by
    /// night. (To be given first.)
    #[arg(long)]
    check_page: bool,
    /// Passed on to the demo; `-- --help` shows what it understands.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut demo = cargo(Build::Plain);
    demo.args(["run", "--profile", "demo", "-p", DEMO, "--"]);
    if !args.check_page {
        demo.args(&args.args);
        return Ok(demo.status().context("cannot run cargo")?.success());
    }
    page::see_to_browser()?;
    let path = workspace::results().join("demo.html");
    // Whatever is looked at is of this run.
    if path.exists() {
        fs::remove_file(&path).context("the last page cannot be removed")?;
    }
    demo.args(&args.args).arg("--html").arg(&path);
    let kept = demo.status().context("cannot run cargo")?.success();
    let good = page::check(&path)?;
    Ok(kept && good)
}
