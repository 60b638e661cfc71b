//! `cargo xtask dependents`: what somebody sees who depends on us. Each part prints a line; a table ends it.

mod bare;
mod crates;
mod docs;
mod features;
mod judged;
mod package;

use crate::{
    cargo::cargo,
    process,
    step::Run,
    workspace::{self, Build},
};
use anyhow::{Result, ensure};
use core::time::Duration;
use crates::Crate;
use std::{path::PathBuf, process::Command, time::Instant};

/// No part takes longer.
const LIMIT: Duration = Duration::from_secs(3600);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this part; can be given several times.
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
}

/// A part: it says what it found good, or why it is not.
struct Part {
    name: &'static str,
    what: &'static str,
    run: fn(&mut Run, &[Crate]) -> Result<String>,
}

const PARTS: &[Part] = &[
    Part {
        name: "package",
        what: "built and doc-tested from the packaged files alone",
        run: package::run,
    },
    Part {
        name: "features",
        what: "every set of features compiles, without a warning",
        run: features::run,
    },
    Part {
        name: "docs",
        what: "documentation as docs.rs builds it",
        run: docs::run,
    },
    Part {
        name: "oldest",
        what: "the oldest compiler that the manifests promise",
        run: features::oldest,
    },
    Part {
        name: "semver",
        what: "nothing breaks that the last release promised",
        run: judged::semver,
    },
    Part {
        name: "deny",
        what: "licences, bans, sources, advisories of what we depend on",
        run: judged::deny,
    },
    Part {
        name: "bare",
        what: "chips and wasm32, with core alone and with alloc",
        run: bare::run,
    },
];

/// Where they are built: beside our own builds, whose flags differ.
fn place() -> PathBuf {
    workspace::target_base().join("dependents")
}

/// `cargo SUBCOMMAND` in the repository, as the host's users have it.
fn quiet(subcommand: &str) -> Command {
    let mut cargo = cargo(Build::Plain);
    cargo.args([subcommand, "--quiet"]);
    cargo.env("CARGO_TARGET_DIR", place());
    cargo
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let chosen = choose(&args.only)?;
    process::end_children_on_interrupt()?;
    let crates = crates::all(&mut Run::alone("dependents", LIMIT)?)?;
    let mut rows = Vec::new();
    for part in chosen {
        let started = Instant::now();
        println!("{}: {} …", part.name, part.what);
        let mut run = Run::alone(&format!("dependents-{}", part.name), LIMIT)?;
        let done = (part.run)(&mut run, &crates);
        let seconds = started.elapsed().as_secs();
        let good = done.is_ok();
        let result = done.unwrap_or_else(|error| {
            println!("{}", run.output().trim_end());
            format!("FAILED: {error:#}")
        });
        println!("{}: {result}, {seconds} s", part.name);
        rows.push((part.name, good, seconds, result));
    }
    println!();
    for (name, good, seconds, result) in &rows {
        let mark = if *good { "ok" } else { "FAILED" };
        println!("{name:9} {mark:6} {seconds:>4} s  {result}");
    }
    let bad = rows.iter().filter(|row| !row.1).count();
    println!("\n{} passed, {bad} failed", rows.len() - bad);
    Ok(bad == 0)
}

fn choose(only: &[String]) -> Result<Vec<&'static Part>> {
    let names: Vec<&str> = PARTS.iter().map(|part| part.name).collect();
    for name in only {
        ensure!(
            names.contains(&name.as_str()),
            "there is no part `{name}`; there are: {}",
            names.join(", ")
        );
    }
    let wanted = |part: &&Part| only.is_empty() || only.iter().any(|name| name == part.name);
    Ok(PARTS.iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_chosen_by_their_names() {
        assert_eq!(choose(&[]).unwrap().len(), PARTS.len());
        let two = choose(&["bare".into(), "docs".into()]).unwrap();
        let names: Vec<_> = two.iter().map(|part| part.name).collect();
        assert_eq!(names, ["docs", "bare"]);
        let error = choose(&["doc".into()]).err().unwrap().to_string();
        assert!(error.contains("`doc`") && error.contains("docs"));
    }
}
