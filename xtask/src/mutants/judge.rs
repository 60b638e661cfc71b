//! Judges one mutant: builds the copy and runs the tests until one notices.

use super::list::{Mutant, Tests};
use crate::{
    cargo::cargo_in,
    libtest,
    loom::{Models, Plan, Word, explore_all},
    process::{self, Exit, NEVER},
    workspace::{self, Build},
};
use anyhow::{Result, bail, ensure};
use core::{fmt, time::Duration};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::{Path, PathBuf},
    time::Instant,
};

/// Building takes this long at most.
const BUILD_LIMIT: Duration = Duration::from_secs(1200);

/// The plain tests, the quick ones first; and with which features: without `std` a panic unwinds at once, and other code
/// is there for it.
const PLAIN: [(&str, &[&str]); 3] = [
    ("std", &["unit"]),
    ("critical-section", &["unit", "no_std_unwinding"]),
    ("std", &["model"]),
];

/// What came of a mutant under one word.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Killed { by: String },
    Survived { after: String },
    NotJudged { why: String },
}

impl Verdict {
    pub(super) fn not_judged(why: anyhow::Error) -> Self {
        Verdict::NotJudged {
            why: format!("{why:#}"),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Killed { by } => write!(f, "killed by {by}"),
            Verdict::Survived { after } => write!(f, "survived {after}"),
            Verdict::NotJudged { why } => f.write_str(why),
        }
    }
}

/// The copy, known to be good when nothing is changed.
pub(super) struct Bench {
    tree: PathBuf,
    base: PathBuf,
    limit: Duration,
}

fn wants(mutants: &[Mutant], tests: Tests) -> BTreeSet<Word> {
    let other = if tests == Tests::Loom {
        Tests::Unit
    } else {
        Tests::Loom
    };
    mutants
        .iter()
        .filter(|mutant| mutant.killed_by != other)
        .flat_map(|mutant| mutant.words.clone())
        .collect()
}

impl Bench {
    /// Builds the unbroken copy and runs all that these mutants will need; any failure is an error.
    pub(super) fn set_up(
        tree: &Path,
        base: &Path,
        mutants: &[Mutant],
        limit: Duration,
    ) -> Result<Bench> {
        let bench = Bench {
            tree: tree.into(),
            base: base.into(),
            limit,
        };
        for word in wants(mutants, Tests::Loom) {
            let models = bench.models(word)?;
            let names = models.list()?;
            let mut bounds: BTreeMap<u32, BTreeSet<&String>> = BTreeMap::new();
            for mutant in mutants
                .iter()
                .filter(|m| m.words.contains(&word) && m.killed_by != Tests::Unit)
            {
                bounds.entry(mutant.bound).or_default().extend(&names);
                if let Some(hint) = mutant.models.iter().find(|hint| !names.contains(hint)) {
                    bail!(
                        "mutant `{}` hints at the model `{hint}`; there are: {}",
                        mutant.name,
                        names.join(", ")
                    );
                }
            }
            for (bound, names) in bounds {
                let started = Instant::now();
                if let Some(by) = bench.explore(&models, names.into_iter().cloned(), bound)? {
                    bail!("the unbroken copy fails already, bound {bound}: {by}");
                }
                println!(
                    "  loom, word `{}`, bound {bound}: {:.0} s",
                    word.name(),
                    started.elapsed().as_secs_f64()
                );
            }
        }
        for word in wants(mutants, Tests::Unit) {
            if let Some(by) = bench.unit(word)? {
                bail!("the unbroken copy fails already: {by}");
            }
            println!("  unit tests, word `{}`", word.name());
        }
        Ok(bench)
    }

    /// Runs the tests that must notice until one does.
    pub(super) fn judge(&self, mutant: &Mutant, word: Word) -> Result<Verdict> {
        let mut after = Vec::new();
        if mutant.killed_by != Tests::Unit {
            let models = self.models(word)?;
            let (hinted, others): (Vec<_>, Vec<_>) = models
                .list()?
                .into_iter()
                .partition(|name| mutant.models.contains(name));
            let count = hinted.len() + others.len();
            if let Some(by) =
                self.explore(&models, hinted.into_iter().chain(others), mutant.bound)?
            {
                return Ok(Verdict::Killed { by });
            }
            after.push(format!("{count} loom models with bound {}", mutant.bound));
        }
        if mutant.killed_by != Tests::Loom {
            if let Some(by) = self.unit(word)? {
                return Ok(Verdict::Killed { by });
            }
            after.push("the unit tests".into());
        }
        Ok(Verdict::Survived {
            after: after.join(" and "),
        })
    }

    fn models(&self, word: Word) -> Result<Models> {
        match Models::build(&self.tree, &self.base, word, BUILD_LIMIT)? {
            Ok(models) => Ok(models),
            Err(output) => bail!("does not build, so no test can notice anything: {output}"),
        }
    }

    /// Explores in order; the first failure ends all.
    fn explore(
        &self,
        models: &Models,
        names: impl Iterator<Item = String>,
        bound: u32,
    ) -> Result<Option<String>> {
        let jobs: Vec<_> = names.map(|name| (models, name)).collect();
        let plan = Plan {
            bound,
            limit: self.limit,
            deadline: None,
            first_failure_ends: true,
            each: &|_| (),
        };
        let explored = explore_all(&jobs, &plan)?;
        let died = explored.iter().find_map(|one| {
            let why = one.result.as_ref().err()?;
            let said = said(&one.output);
            Some(format!("the model {} ({why}{said})", one.model))
        });
        ensure!(
            died.is_some() || explored.len() == jobs.len(),
            "some models never ran"
        );
        Ok(died)
    }

    /// The plain tests of ecluse-core, with each set of features.
    fn unit(&self, word: Word) -> Result<Option<String>> {
        for (features, tests) in PLAIN {
            if let Some(by) = self.unit_with(word, features, tests)? {
                return Ok(Some(by));
            }
        }
        Ok(None)
    }

    fn unit_with(&self, word: Word, features: &str, tests: &[&str]) -> Result<Option<String>> {
        let log = workspace::logs()?.join(format!("mutants-unit-{}-{features}.log", word.name()));
        // Named one by one: the core has no tests of its own inside.
        let targets = tests.iter().map(|test| format!("--test={test}"));
        let run = |extra: &[&str], limit| -> Result<(Exit, String)> {
            let build = if word == Word::Cas {
                Build::Plain
            } else {
                Build::NoCas
            };
            let mut cargo = cargo_in(&self.tree, &self.base, build);
            cargo
                .args(["test", "-p", "ecluse-core", "--no-default-features"])
                .args(["--features", features])
                .args(targets.clone())
                .args(extra)
                .env("RUST_BACKTRACE", "0");
            let file = File::create(&log)?;
            let exit = process::run(&mut cargo, file.try_clone()?, file, limit, &NEVER)?;
            Ok((exit, String::from_utf8_lossy(&fs::read(&log)?).into_owned()))
        };
        let (built, output) = run(&["--no-run"], BUILD_LIMIT)?;
        ensure!(
            built == Exit::Success,
            "does not build, so no test can notice anything: {built}\n{output}"
        );
        let (exit, output) = run(&[], self.limit)?;
        let tests = libtest::totals(&output);
        ensure!(
            exit != Exit::Success || tests.passed > 0,
            "ecluse-core has no unit tests"
        );
        let names = libtest::failed(&output);
        Ok(match exit {
            Exit::Success => None,
            Exit::TimedOut(_) => Some(format!("the unit tests with {features} ({exit})")),
            _ if names.is_empty() => Some(format!(
                "the unit tests with {features} ({exit}; none finished that is named)"
            )),
            _ => Some(format!(
                "the unit tests with {features}: {}",
                some_of(&names)
            )),
        })
    }
}

/// What the first panic said.
fn said(output: &str) -> String {
    let mut lines = output.lines().map(str::trim);
    let place = lines.find(|line| line.contains("panicked at"));
    let text = place.and_then(|_| lines.next()).unwrap_or_default();
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// Three names at most, and how many there are besides.
fn some_of(names: &[&str]) -> String {
    match names {
        [a, b, c, more @ ..] if !more.is_empty() => {
            format!("{a}, {b}, {c} and {} more", more.len())
        }
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_died_says_why() {
        let output =
            "thread 'main' (7) panicked at a.rs:1:2:\nConcurrent read and write\nnote: run with\n";
        assert_eq!(said(output), ": Concurrent read and write");
        assert_eq!(said("memory allocation failed"), "");
    }

    #[test]
    fn few_names_are_listed_and_many_counted() {
        assert_eq!(some_of(&["a", "b", "c"]), "a, b, c");
        assert_eq!(some_of(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
