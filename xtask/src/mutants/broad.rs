//! `cargo xtask mutants --broad`: what the kept list leaves out.
//!
//! cargo-mutants changes every operator, guard, match arm and result in the core's source, one at a time, in a copy of
//! the tree; the core's plain tests must notice. They come in three rounds (`ROUNDS`), each for the survivors of the one
//! before: a mutant that one thread and one build of the tests notice is not built again.
//!
//! What no such test can notice is in `xtask/mutants-broad.toml` (its form: `broad/list.rs`), each with the reason: kinds
//! of change that are not tried, and survivors. A survivor that is not explained there fails the run; so does an entry
//! that fits no mutant any more.

mod list;
mod round;

use super::{Args, alone::Alone, copy_tree};
use crate::{cargo::scrub, toolchain::tools, workspace};
use anyhow::{Context, Result, ensure};
use core::time::Duration;
use list::{List, Mutant};
use round::{Outcomes, Round};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// The version by whose names survivors are explained.
const TOOL: &str = "cargo-mutants@27.1.0";

/// What is changed.
const SOURCE: &str = "ecluse-core/src/**/*.rs";

/// The tests that take nine tenths of the unit tests' time: they come when the others have noticed nothing.
const SLOW: &[&str] = &[
    "a_thousand_callers_ask_a_dead_endpoint_twenty_times_in_ten_minutes",
    "an_outage_within_a_tokens_life_is_noticed_by_nobody",
    "a_hundred_thousand_cancelled_keys_leave_nothing",
    "a_long_chain_of_places_goes_without_recursion",
    "a_flights_work_is_gone_before_anybody_is_told",
];

/// Which tests look at a mutant, in this order.
const ROUNDS: [Round; 3] = [
    Round {
        name: "the quick unit tests",
        features: "std",
        tests: &["--test=unit"],
        without: SLOW,
        limit: 20,
    },
    Round {
        name: "all unit tests and the random walks beside models",
        features: "std",
        tests: &["--lib", "--test=unit", "--test=model"],
        without: &[],
        limit: 900,
    },
    Round {
        name: "the unit tests without std",
        features: "critical-section",
        tests: &["--lib", "--test=unit", "--test=no_std_unwinding"],
        without: &[],
        limit: 900,
    },
];

/// Where all of it happens, and with which program.
struct Bench {
    program: PathBuf,
    place: PathBuf,
    limit: Option<u64>,
    /// When the round is to end.
    until: Option<Instant>,
}

pub(super) fn run(args: &Args) -> Result<bool> {
    let root = workspace::root();
    let path = root.join("xtask/mutants-broad.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let list = List::parse(&text)?;
    let mut bench = Bench {
        program: tools::built(TOOL)?,
        place: workspace::results().join("mutants-broad"),
        limit: args.limit,
        until: args
            .minutes
            .map(|minutes| Instant::now() + Duration::from_secs(60 * minutes)),
    };
    let _alone = Alone::take(&bench.place)?;
    copy_tree(&root, &bench.tree())?;
    bench.build_quickly()?;

    let all = bench.list(&list)?;
    let stale = list.stale(&all);
    println!(
        "{} changes are there to be tried; {} survivors are explained",
        all.len(),
        list.explained()
    );

    let mut which = list.exclusions();
    for part in &args.only {
        which.extend(["--re".into(), list::literally(part)]);
    }
    if let Some(shard) = args.shard {
        which
            .extend(["--shard", &shard.to_string(), "--sharding", "round-robin"].map(String::from));
    }
    if args.minutes.is_some() {
        which.push("--shuffle".into());
    }
    let mut outcomes = Outcomes::default();
    // Not from the working tree once more: somebody may have gone on in it, and lines are other lines there.
    let source = Source::read(&bench.tree().join("ecluse-core/src"))?;
    for round in &ROUNDS {
        // A round that was ended may have left its last change in the copy.
        source.restore()?;
        outcomes.add(round.run(&bench, &which)?);
        // What is explained already is not built again.
        let open = outcomes.missed.iter();
        let open: Vec<_> = open
            .filter(|full| list.explanation(&all, full).is_none())
            .collect();
        if open.is_empty() {
            break;
        }
        which = list::exactly(&open);
        // Both are of the first round.
        (bench.limit, bench.until) = (None, None);
    }
    ensure!(
        outcomes.tried() > 0,
        "nothing was tried: no change has that name, or the minutes went by before the first one was built"
    );
    Ok(report(&list, &all, &stale, &outcomes))
}

impl Bench {
    fn tree(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// The copy is built again for each mutant, and optimising it takes longer than running its tests as they are. Cargo
    /// reads this from above the tree.
    fn build_quickly(&self) -> Result<()> {
        let dir = self.place.join(".cargo");
        fs::create_dir_all(&dir)?;
        let profile = "[profile.dev]\nincremental = true\ndebug = false\nopt-level = 0\n";
        fs::write(dir.join("config.toml"), profile).context("cannot write the copy's configuration")
    }

    /// cargo-mutants on the copy.
    fn mutants(&self) -> Command {
        let mut command = Command::new(&self.program);
        scrub(&mut command);
        command
            .args(["mutants", "--no-config", "--colors", "never", "--dir"])
            .arg(self.tree())
            .args(["--package", "ecluse-core", "--file", SOURCE])
            .current_dir(self.tree())
            .env("CARGO_TARGET_DIR", self.place.join("target"))
            .env("CARGO_TERM_COLOR", "never")
            .env("RUST_BACKTRACE", "0");
        command
    }

    /// All mutants that are not skipped.
    fn list(&self, list: &List) -> Result<Vec<Mutant>> {
        let mut command = self.mutants();
        let output = command
            .arg("--list")
            .output()
            .context("cannot run cargo-mutants")?;
        ensure!(
            output.status.success(),
            "cargo mutants --list: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        list.numbered(&String::from_utf8(output.stdout)?)
    }
}

/// The core's source as it was copied.
struct Source(Vec<(String, PathBuf)>);

impl Source {
    fn read(dir: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for name in workspace::files(dir)? {
            let path = dir.join(name);
            files.push((fs::read_to_string(&path)?, path));
        }
        Ok(Self(files))
    }

    fn restore(&self) -> Result<()> {
        for (text, path) in &self.0 {
            if fs::read_to_string(path)? != *text {
                fs::write(path, text)?;
            }
        }
        Ok(())
    }
}

/// Prints what came of it, and says whether all is well.
fn report(list: &List, all: &[Mutant], stale: &[String], outcomes: &Outcomes) -> bool {
    let explanation = |full: &String| list.explanation(all, full);
    let (explained, open): (Vec<_>, Vec<_>) = outcomes
        .missed
        .iter()
        .partition(|full| explanation(full).is_some());
    println!("\n{}", outcomes.table(explained.len()));
    for full in explained {
        println!(
            "  explained: {full}\n    {}",
            explanation(full).unwrap_or_default()
        );
    }
    for full in outcomes.caught.iter().chain(&outcomes.timed_out) {
        if explanation(full).is_some() {
            println!("  noticed, so its explanation can go: {full}");
        }
    }
    for full in &open {
        println!("  NOT EXPLAINED: {full}");
    }
    for one in stale {
        println!("  STALE in xtask/mutants-broad.toml: {one}");
    }
    open.is_empty() && stale.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slow_tests_are_there() {
        let tests = Source::read(&workspace::root().join("ecluse-core/tests/unit")).unwrap();
        for name in SLOW {
            let head = format!("fn {name}()");
            assert!(
                tests.0.iter().any(|(text, _)| text.contains(&head)),
                "{name}"
            );
        }
    }
}
