//! The steps of a run, with their budgets: what each takes on two cores with nothing built.
//!
//! All budgets together are below 50 minutes; with everything built a run takes less than 15.

use super::{Session, conformance, demo};
use crate::{
    cargo::cargo,
    example,
    firmware::{CHIPS, Chip, chip},
    latency,
    libtest::{self, Tally},
    loom::{self, Models, Plan, Words},
    process::Exit,
    size, soak,
    step::{Body, Run, Step},
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use std::{
    collections::BTreeSet,
    process::{Command, Stdio},
    time::Instant,
};

/// The prefix of the conformance steps' names.
const CONFORMANCE: &str = "conformance ";
/// The step that finds or installs the chips' tools.
const CHIP_TOOLS: &str = "chip-tools";
/// The step that builds the suite for the chips.
const CHIP_IMAGES: &str = "chip-images";
/// The step that builds the runner.
const RUNNER: &str = "runner";
/// Preemptions that loom allows here; `cargo xtask loom` goes further.
const LOOM_BOUND: u32 = 2;

/// All steps, in order.
pub(super) fn all(case: Option<&str>) -> Vec<Step<Session>> {
    let mut steps = vec![
        // First: on a bare machine it installs, and what others take should not depend on that.
        Step {
            missing: lacking(),
            ..step(CHIP_TOOLS, 120, |run, _| conformance::chip_tools(run))
        },
        Step {
            missing: component("fmt", "rustfmt"),
            ..step("fmt", 20, |run, _| fmt(run))
        },
        Step {
            missing: component("clippy", "clippy"),
            ..step("clippy", 180, |run, _| clippy(run))
        },
        Step {
            missing: component("clippy", "clippy").or_else(lacking),
            ..step("clippy-apart", 150, |run, _| clippy_apart(run))
        },
        step("unit", 220, |run, _| unit(run)),
        step("unit-no-std", 70, |run, _| unit_no_std(run)),
        step("unit-no-cas", 110, |run, _| unit_no_cas(run)),
        step("doc-tests", 50, |run, _| doc_tests(run)),
        step("docs", 90, |run, _| docs(run)),
        step(RUNNER, 270, {
            let case = case.map(str::to_owned);
            move |run, session| conformance::build_runner(case.as_deref(), run, session)
        }),
    ];
    for runtime in conformance::RUNTIMES {
        let case = case.map(str::to_owned);
        let body: Body<Session> = Box::new(move |run, session| {
            conformance::run_on(runtime, case.as_deref(), run, session)
        });
        steps.push(Step {
            name: format!("{CONFORMANCE}{runtime}"),
            budget: conformance::BUDGET,
            missing: None,
            body,
        });
    }
    steps.push(Step {
        missing: lacking(),
        // With `core` for their targets, where that is built.
        ..step(CHIP_IMAGES, 540, |run, session| {
            conformance::build_images(run, session)
        })
    });
    for chip in CHIPS {
        let case = case.map(str::to_owned);
        let body: Body<Session> = Box::new(move |run, session| {
            conformance::run_on_chip(chip, case.as_deref(), run, session)
        });
        steps.push(Step {
            name: format!("{CONFORMANCE}{}", chip.name),
            budget: conformance::BUDGET,
            missing: chip.lacking(),
            body,
        });
    }
    steps.push(step("size", 40, |run, _| size(run)));
    steps.push(Step {
        missing: lacking(),
        ..step("latency", 120, |run, _| latency(run))
    });
    steps.push(step("loom", 330, |run, _| loom(run)));
    steps.push(step("examples", 120, |run, _| example::run_host(run)));
    steps.push(Step {
        missing: lacking(),
        ..step("examples-firmware", 40, |run, _| example::run_firmware(run))
    });
    steps.push(step("demo", 140, |run, _| demo::run(run)));
    steps.push(step("soak", 50, |run, _| soak::briefly(run)));
    steps
}

/// The chips whose columns are among these steps.
pub(super) fn chips<S>(steps: &[Step<S>]) -> Vec<&'static Chip> {
    let column = |chip: &&Chip| {
        let name = format!("{CONFORMANCE}{}", chip.name);
        steps.iter().any(|step| step.name == name)
    };
    CHIPS.iter().filter(column).collect()
}

/// What the chips lack, all of them.
fn lacking() -> Option<String> {
    let lacking: BTreeSet<String> = CHIPS.iter().filter_map(Chip::lacking).collect();
    let lacking: Vec<String> = lacking.into_iter().collect();
    (!lacking.is_empty()).then(|| lacking.join("; "))
}

fn step(
    name: &str,
    seconds: u64,
    body: impl FnOnce(&mut Run, &mut Session) -> Result<()> + 'static,
) -> Step<Session> {
    Step {
        name: name.into(),
        budget: Duration::from_secs(seconds),
        missing: None,
        body: Box::new(body),
    }
}

/// The steps that were asked for; whatever is asked for and is not there is an error.
pub(super) fn choose<S>(
    mut all: Vec<Step<S>>,
    steps: &[String],
    runtimes: &[String],
    only_cases: bool,
) -> Result<Vec<Step<S>>> {
    let columns = conformance::columns();
    for runtime in runtimes {
        ensure!(
            columns.contains(&runtime.as_str()),
            "there is no runtime `{runtime}`; there are: {}",
            columns.join(", ")
        );
    }
    let names: Vec<String> = all.iter().map(|step| step.name.clone()).collect();
    for step in steps {
        ensure!(
            names.contains(step),
            "there is no step `{step}`; there are: {}",
            names.join(", ")
        );
    }
    let column = |step: &str| step.strip_prefix(CONFORMANCE).map(str::to_owned);
    let wanted = |step: &str| match column(step) {
        Some(name) => runtimes.is_empty() && only_cases || runtimes.contains(&name),
        None => false,
    };
    if runtimes.is_empty() && steps.is_empty() && !only_cases {
        return Ok(all);
    }
    let chosen: Vec<String> = names
        .into_iter()
        .filter(|name| wanted(name) || steps.contains(name))
        .collect();
    // What a chosen column needs runs, too.
    let suites = chosen.iter().filter_map(|name| column(name));
    let (chips, hosts): (Vec<_>, Vec<_>) = suites.partition(|name| chip(name).is_some());
    all.retain(|step| match step.name.as_str() {
        RUNNER if !hosts.is_empty() => true,
        CHIP_TOOLS | CHIP_IMAGES if !chips.is_empty() => true,
        name => chosen.iter().any(|chosen| chosen == name),
    });
    Ok(all)
}

/// Whether cargo has a subcommand; if not, how to get it.
fn component(subcommand: &str, component: &str) -> Option<String> {
    let mut cargo = cargo(Build::Plain);
    cargo
        .args([subcommand, "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let there = cargo.status().is_ok_and(|status| status.success());
    (!there).then(|| format!("`cargo {subcommand}` is missing: `rustup component add {component}`"))
}

/// Runs `cargo` with these arguments.
fn run_cargo(run: &mut Run, build: Build, args: &str) -> Result<String> {
    run.run(cargo(build).args(args.split_whitespace()))
}

/// What is built for the host, apart from the workspace.
const HOSTS_OWN: &[&str] = &["tests/size", "tests/bench", "tests/counts"];
/// The same, but what it has is tests' of the workspace; only libFuzzer, in C++, is its own.
const FUZZ: &str = "tests/fuzz";
/// The projects that are firmware, and the chips whose code they have.
const FIRMWARE: &[(&str, &[&str])] = &[
    ("tests/firmware", &["m4", "rv32"]),
    ("ecluse-embassy/examples/sensor-bus", &["m4"]),
];

fn fmt(run: &mut Run) -> Result<()> {
    let firmware = FIRMWARE.iter().map(|(project, _)| project);
    for own in HOSTS_OWN.iter().chain([&FUZZ]).chain(firmware) {
        let manifest = workspace::root().join(own).join("Cargo.toml");
        if manifest.is_file() {
            let mut cargo = cargo(Build::Plain);
            run.run(
                cargo
                    .args(["fmt", "--all", "--check", "--manifest-path"])
                    .arg(manifest),
            )?;
        }
    }
    run_cargo(run, Build::Plain, "fmt --all --check").map(drop)
}

fn clippy(run: &mut Run) -> Result<()> {
    run_cargo(
        run,
        Build::Plain,
        "clippy --workspace --all-targets --features ecluse-core/std -- -D warnings",
    )?;
    for features in [
        "default",
        "alloc",
        "critical-section",
        "portable-atomic,critical-section,defmt",
        "std",
    ] {
        run.run(
            cargo(Build::Plain)
                .args([
                    "clippy",
                    "-p",
                    "ecluse-core",
                    "--lib",
                    "--no-default-features",
                    "--features",
                    features,
                ])
                .args(["--", "-D", "warnings"]),
        )?;
    }
    run_cargo(
        run,
        Build::NoCas,
        "clippy -p ecluse-core --lib --features std -- -D warnings",
    )?;
    // With its models, which no other build sees.
    run_cargo(
        run,
        Build::Loom,
        "clippy -p ecluse-core --lib --test loom --features std -- -D warnings",
    )
    .map(drop)
}

/// The projects outside of the workspace, for a chip of each architecture if they are firmware.
fn clippy_apart(run: &mut Run) -> Result<()> {
    for own in HOSTS_OWN {
        let dir = workspace::root().join(own);
        let mut clippy = cargo(Build::Plain);
        let target_dir = dir.file_name().context("a directory's name")?;
        clippy
            .current_dir(&dir)
            .env(
                "CARGO_TARGET_DIR",
                workspace::target_base().join(target_dir),
            )
            .args(["clippy", "--all-targets", "--", "-D", "warnings"]);
        run.run(&mut clippy)?;
    }
    for (project, chips) in FIRMWARE {
        let dir = workspace::root().join(project);
        for name in *chips {
            let chip = chip(name).context("a chip of the list")?;
            let mut clippy = chip.toolchain()?.clippy(&dir)?;
            // The other packages of the workspace are for one architecture.
            if *name == "m4" {
                clippy.arg("--workspace");
            }
            run.run(clippy.args(["--release", "--", "-D", "warnings"]))?;
        }
    }
    Ok(())
}

/// Runs `cargo test` and counts; a run without a test, or with an ignored one, has failed.
fn cargo_test(run: &mut Run, mut command: Command) -> Result<()> {
    let (exit, output) = run.try_run(&mut command)?;
    let Tally {
        passed,
        failed,
        skipped,
    } = libtest::totals(&output);
    run.tests += Tally {
        passed,
        failed,
        skipped: 0,
    };
    if exit != Exit::Success {
        let names = libtest::failed(&output);
        let names = if names.is_empty() {
            String::new()
        } else {
            format!(": {}", names.join(", "))
        };
        bail!("{exit}{names}");
    }
    ensure!(
        skipped == 0,
        "{skipped} tests are marked as ignored; none may be"
    );
    ensure!(passed > 0, "not one test was run");
    Ok(())
}

fn unit(run: &mut Run) -> Result<()> {
    let mut command = cargo(Build::Plain);
    command.args(
        "test --workspace --no-fail-fast --lib --bins --tests --features ecluse-core/std"
            .split(' '),
    );
    cargo_test(run, command)
}

/// Without `std` panics are not caught: the drop guards must finish what was begun.
fn unit_no_std(run: &mut Run) -> Result<()> {
    let mut command = cargo(Build::Plain);
    command.args(
        "test -p ecluse-core --no-fail-fast --lib --tests --features critical-section".split(' '),
    );
    cargo_test(run, command)
}

fn unit_no_cas(run: &mut Run) -> Result<()> {
    let mut command = cargo(Build::NoCas);
    command.args("test -p ecluse-core --no-fail-fast --lib --tests --features std".split(' '));
    cargo_test(run, command)
}

fn doc_tests(run: &mut Run) -> Result<()> {
    let mut command = cargo(Build::Plain);
    command.args("test --workspace --no-fail-fast --doc --features ecluse-core/std".split(' '));
    cargo_test(run, command)
}

fn docs(run: &mut Run) -> Result<()> {
    let mut command = cargo(Build::Plain);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command.args("doc --workspace --no-deps --features ecluse-core/std".split(' '));
    run.run(&mut command).map(drop)
}

/// The host's sizes only: `cargo xtask size` also looks at chips.
fn size(run: &mut Run) -> Result<()> {
    let (exit, output, _) = run.run_apart(&mut size::host_command())?;
    ensure!(exit == Exit::Success, "tests/size does not run: {exit}");
    let (table, over) = size::host_table(&output)?;
    run.show = Some(table);
    ensure!(over.is_empty(), "over budget: {}", over.join("; "));
    Ok(())
}

/// Instructions on chips, held to what they were.
fn latency(run: &mut Run) -> Result<()> {
    let (text, problems) = latency::measure(run, false)?;
    std::fs::write(workspace::results().join("latency.txt"), &text)
        .context("cannot write latency.txt")?;
    run.show = Some(text);
    ensure!(problems.is_empty(), "{}", problems.join("; "));
    Ok(())
}

fn loom(run: &mut Run) -> Result<()> {
    let deadline = Instant::now() + run.left();
    let mut built = Vec::new();
    for word in Words::All.list() {
        run.programs += 1;
        match Models::build(
            &workspace::root(),
            &workspace::target_base(),
            *word,
            run.left(),
        )? {
            Ok(models) => built.push(models),
            Err(output) => {
                run.show = Some(output);
                bail!("the models do not build for the word `{}`", word.name());
            }
        }
    }
    let mut jobs = Vec::new();
    for models in &built {
        jobs.extend(models.list()?.into_iter().map(|name| (models, name)));
    }
    let limit = Duration::from_secs(300);
    let plan = Plan {
        bound: LOOM_BOUND,
        limit,
        deadline: Some(deadline),
        first_failure_ends: false,
        each: &|_| (),
    };
    let all = loom::explore_all(&jobs, &plan)?;
    run.tests.passed += all.iter().filter(|one| one.result.is_ok()).count();
    run.tests.failed += jobs.len() - all.iter().filter(|one| one.result.is_ok()).count();
    let mut show = loom::table(&all, LOOM_BOUND);
    for one in &all {
        if let Err(why) = &one.result {
            show += &format!(
                "\n{} ({}): {why}\n{}\n",
                one.model,
                one.word.name(),
                one.output.trim_end()
            );
        }
    }
    std::fs::write(workspace::results().join("loom.txt"), &show)
        .context("cannot write loom.txt")?;
    run.show = Some(show);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(steps: &[&str], runtimes: &[&str], only_cases: bool) -> Result<Vec<String>> {
        let all = [
            &["fmt", RUNNER][..],
            &["conformance tokio-ct", "conformance sim", CHIP_TOOLS],
            &["conformance m3", "loom"],
        ]
        .concat();
        let all = all.iter().map(|name| Step::<()> {
            name: (*name).into(),
            budget: Duration::from_secs(1),
            missing: None,
            body: Box::new(|_, ()| Ok(())),
        });
        let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let chosen = choose(all.collect(), &owned(steps), &owned(runtimes), only_cases)?;
        Ok(chosen.into_iter().map(|step| step.name).collect())
    }

    #[test]
    fn runtimes_and_cases_narrow_the_run_to_the_suite() {
        assert_eq!(
            names(&[], &["sim"], false).unwrap(),
            [RUNNER, "conformance sim"]
        );
        assert_eq!(
            names(&[], &[], true).unwrap(),
            [
                RUNNER,
                "conformance tokio-ct",
                "conformance sim",
                CHIP_TOOLS,
                "conformance m3"
            ]
        );
        assert_eq!(
            names(&[], &["m3"], true).unwrap(),
            [CHIP_TOOLS, "conformance m3"]
        );
        assert_eq!(names(&[], &[], false).unwrap().len(), 7);
        assert_eq!(names(&["fmt"], &[], false).unwrap(), ["fmt"]);
        assert_eq!(
            names(&["conformance sim"], &[], false).unwrap(),
            [RUNNER, "conformance sim"]
        );
    }

    #[test]
    fn what_is_not_there_is_an_error_that_lists_what_is() {
        let error = names(&[], &["tokio"], false).unwrap_err().to_string();
        assert!(
            error.contains("`tokio`") && error.contains("tokio-mt"),
            "{error}"
        );
        assert!(
            names(&["lint"], &[], false)
                .unwrap_err()
                .to_string()
                .contains("loom")
        );
    }

    #[test]
    fn a_cold_run_fits_in_its_time() {
        let sum: Duration = all(None).iter().map(|step| step.budget).sum();
        assert!(sum <= Duration::from_secs(50 * 60), "{sum:?}");
    }
}
