//! `cargo xtask example`: runs one of the adapters' examples, firmware in QEMU.
//!
//! Invariant: an example of an adapter is in one of the two lists here; the test run sees to it, and runs them all.

use crate::{
    cargo::cargo,
    firmware::{self, Level},
    process::Exit,
    step::Run,
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use std::{fs, path::Path};

/// **The** list of examples that are programs of the host: package, example.
const HOST: &[(&str, &str)] = &[
    ("ecluse-tokio", "tour_tokio"),
    ("ecluse-tokio", "renew"),
    ("ecluse-tokio", "proxy"),
    ("ecluse-tokio", "cached"),
    ("ecluse-tokio", "bearer"),
    ("ecluse-tokio", "shed"),
    ("ecluse-tokio", "shutdown"),
    ("ecluse-tokio", "jsonrpc"),
    ("ecluse-smol", "tour_smol"),
    ("ecluse-smol", "tour_async_std"),
    ("ecluse-smol", "renew_smol"),
    ("ecluse-smol", "ninep"),
    ("ecluse-embassy", "tour_embassy"),
    ("ecluse-embassy", "renew_embassy"),
];

/// **The** list of examples that are firmware: package, project, example, and the chips that it is for. Such a project is
/// `examples/PROJECT` with its `Cargo.toml`, lock file and `memory.x`; the example is a program of it, and tells by its exit
/// status whether all went well.
const FIRMWARE: &[(&str, &str, &str, &[&str])] = &[
    ("ecluse-embassy", "sensor-bus", "sensor-bus", &["m4", "m0"]),
    (
        "ecluse-embassy",
        "sensor-bus",
        "sensor-lease",
        &["m4", "m0"],
    ),
];

/// How long firmware may run; it takes less than a second.
const BOOT: Duration = Duration::from_secs(20);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Its name; without one they are listed.
    name: Option<String>,
    /// Firmware: this chip only.
    #[arg(long)]
    chip: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let Some(name) = &args.name else {
        HOST.iter().for_each(|(_, example)| println!("{example}"));
        for (_, _, example, chips) in FIRMWARE {
            println!("{example} (firmware: {})", chips.join(", "));
        }
        return Ok(true);
    };
    let mut run = Run::alone(&format!("example {name}"), Duration::from_secs(300))?;
    let firmware = FIRMWARE.iter().find(|(_, _, example, _)| example == name);
    if let Some((package, project, _, chips)) = firmware {
        let wanted = |chip: &&str| args.chip.as_deref().is_none_or(|wanted| wanted == *chip);
        let chips: Vec<&str> = chips.iter().copied().filter(wanted).collect();
        ensure!(!chips.is_empty(), "`{name}` is not for this chip");
        for chip in chips {
            println!("on {chip}:");
            let (exit, stdout, stderr) = boot(&mut run, (package, project), name, chip)?;
            print!("{stdout}");
            ensure!(exit == Exit::Success, "{exit}\n{}", stderr.trim_end());
        }
        return Ok(true);
    }
    let Some((package, _)) = HOST.iter().find(|(_, example)| example == name) else {
        bail!("there is no example `{name}`; `cargo xtask example` lists them");
    };
    ensure!(args.chip.is_none(), "`{name}` is no firmware");
    let mut cargo = cargo(Build::Plain);
    cargo.args(["run", "--quiet", "-p", package, "--example", name]);
    Ok(cargo.status().context("cannot run cargo")?.success())
}

/// Builds firmware, boots it in QEMU, and gives its end and what it printed.
fn boot(
    run: &mut Run,
    (package, project): (&str, &str),
    name: &str,
    chip: &str,
) -> Result<(Exit, String, String)> {
    let chip = firmware::chip(chip).with_context(|| format!("there is no chip `{chip}`"))?;
    let examples = workspace::root().join(package).join("examples");
    let images = chip.build_in(&examples.join(project), run, project, &[name], Level::Size)?;
    let mut qemu = chip.boot(&images[0], firmware::REAL_SPEED, &[]);
    run.run_within(&mut qemu, BOOT)
}

/// Runs every example of the host.
pub(crate) fn run_host(run: &mut Run) -> Result<()> {
    ensure_listed(&workspace::root())?;
    for (package, example) in HOST {
        let mut cargo = cargo(Build::Plain);
        cargo.args(["run", "--quiet", "-p", package, "--example", example]);
        run.run(&mut cargo)
            .with_context(|| format!("the example `{example}` of {package}"))?;
        run.tests.passed += 1;
    }
    Ok(())
}

/// Runs every example that is firmware, on every chip that it is for.
pub(crate) fn run_firmware(run: &mut Run) -> Result<()> {
    for (package, project, example, chips) in FIRMWARE {
        for chip in *chips {
            let (exit, stdout, stderr) = boot(run, (package, project), example, chip)?;
            if exit != Exit::Success || stdout.trim().is_empty() {
                run.show = Some(format!("{stdout}\n{stderr}"));
                bail!("`{example}` on {chip}: {exit}");
            }
            run.tests.passed += 1;
        }
    }
    Ok(())
}

/// The lists and the directories must say the same.
fn ensure_listed(root: &Path) -> Result<()> {
    let host = |package: &str, example: &str| HOST.contains(&(package, example));
    let firmware = |package: &str, example: &str| {
        FIRMWARE
            .iter()
            .any(|(p, project, _, _)| (*p, *project) == (package, example))
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
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let stem = stem.unwrap_or_default();
            let listed = match path.extension().and_then(|extension| extension.to_str()) {
                Some("rs") => host(package, stem),
                // A project, or the modules of an example beside it.
                None => firmware(package, stem) || host(package, stem),
                Some(_) => true,
            };
            ensure!(
                listed,
                "{package}/examples/{stem} is in no list of xtask/src/example.rs"
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_in_a_list() {
        ensure_listed(&workspace::root()).unwrap();
    }

    #[test]
    fn firmware_is_for_chips_that_there_are() {
        for (_, _, _, chips) in FIRMWARE {
            assert!(!chips.is_empty());
            assert!(chips.iter().all(|chip| firmware::chip(chip).is_some()));
        }
    }
}
