//! The adapters' examples: each is run, and none is forgotten.

use crate::{
    cargo::cargo,
    demo::DEMO,
    step::Run,
    workspace::{self, Build},
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::Path};

/// **The** list: package, example, arguments. An example that is not here, nor firmware, fails the step.
const EXAMPLES: &[(&str, &str, &[&str])] = &[
    ("ecluse-tokio", "renew", &[]),
    ("ecluse-smol", "renew_smol", &[]),
    ("ecluse-embassy", "renew_embassy", &[]),
];

/// Examples that are firmware: they are built and run with the chips.
const FIRMWARE: &[(&str, &str)] = &[];

/// The arguments with which the demo shows quickly that it works, on each of its runtimes.
const DEMO_SMOKE: &[&str] = &["--clients", "50", "--seconds", "1", "--runtime"];
const DEMO_RUNTIMES: &[&str] = &["tokio", "smol", "async-std"];

/// Runs every example.
pub(super) fn run_all(run: &mut Run) -> Result<()> {
    ensure_listed(&workspace::root())?;
    for (package, example, args) in EXAMPLES {
        run_one(run, package, example, args)?;
        run.tests.passed += 1;
    }
    Ok(())
}

/// Runs the demo, small.
pub(super) fn demo(run: &mut Run) -> Result<()> {
    for runtime in DEMO_RUNTIMES {
        let mut cargo = cargo(Build::Plain);
        cargo
            .args(["run", "--quiet", "-p", DEMO, "--"])
            .args(DEMO_SMOKE)
            .arg(runtime);
        run.run(&mut cargo)
            .with_context(|| format!("the demo on {runtime}"))?;
    }
    Ok(())
}

fn run_one(run: &mut Run, package: &str, example: &str, args: &[&str]) -> Result<()> {
    let mut cargo = cargo(Build::Plain);
    cargo
        .args(["run", "--quiet", "-p", package, "--example", example, "--"])
        .args(args);
    run.run(&mut cargo)
        .with_context(|| format!("the example `{example}` of {package}"))?;
    Ok(())
}

/// The list and the directories must say the same.
fn ensure_listed(root: &Path) -> Result<()> {
    let listed = |package: &str, example: &str| {
        FIRMWARE.contains(&(package, example))
            || EXAMPLES
                .iter()
                .any(|(p, e, _)| (*p, *e) == (package, example))
    };
    for package in [
        "ecluse-core",
        "ecluse-tokio",
        "ecluse-smol",
        "ecluse-embassy",
    ] {
        let Ok(files) = fs::read_dir(root.join(package).join("examples")) else {
            continue;
        };
        for file in files {
            let path = file?.path();
            let (Some(stem), Some("rs")) = (
                path.file_stem().and_then(|s| s.to_str()),
                path.extension().and_then(|e| e.to_str()),
            ) else {
                continue;
            };
            ensure!(
                listed(package, stem),
                "{package}/examples/{stem}.rs is in no list of xtask/src/test/examples.rs"
            );
        }
    }
    Ok(())
}
