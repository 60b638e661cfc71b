//! `cargo xtask loom`: the core's loom models, each in a process of its own.
//!
//! The models are in ecluse-core's test `loom`, a program without libtest's harness: `--list` prints their names, and
//! `--model NAME --bound N` explores one and prints as its last line
//! `model<TAB>NAME<TAB>interleavings<TAB>ended|bounded<TAB>millis`. Any other end is a failure. A process of its own each,
//! since a model that fails may abort, and one that never ends must be killed without the others.

use crate::{
    cargo::{built, cargo_in},
    process::{self, Exit, NEVER},
    step::shown,
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

/// Models explored at the same time.
const AT_ONCE: usize = 2;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Preemptions allowed in one execution; more finds more, and takes much longer.
    #[arg(long, default_value_t = 3)]
    bound: u32,
    /// Only models whose name contains this.
    #[arg(long)]
    model: Option<String>,
    /// Which claim word: with compare-and-swap, the plain one of targets without it, or both.
    #[arg(long, value_enum, default_value_t = Words::Both)]
    word: Words,
    /// Seconds after which a model is killed and counts as failed.
    #[arg(long, default_value_t = 300)]
    limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Words {
    Cas,
    Plain,
    Both,
}

/// One of the core's two claim words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    Cas,
    Plain,
}

impl Word {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Word::Cas => "cas",
            Word::Plain => "plain",
        }
    }

    fn build(self) -> Build {
        match self {
            Word::Cas => Build::Loom,
            Word::Plain => Build::LoomNoCas,
        }
    }
}

impl Words {
    pub(crate) fn list(self) -> &'static [Word] {
        match self {
            Words::Cas => &[Word::Cas],
            Words::Plain => &[Word::Plain],
            Words::Both => &[Word::Cas, Word::Plain],
        }
    }
}

/// A model that was explored.
#[derive(Clone, Debug)]
pub(crate) struct Explored {
    pub(crate) model: String,
    pub(crate) word: Word,
    pub(crate) took: Duration,
    /// Interleavings and `ended` or `bounded`, or why it failed.
    pub(crate) result: Result<(u64, String), String>,
    pub(crate) output: String,
}

/// The core's loom models, built for one word.
pub(crate) struct Models {
    word: Word,
    program: PathBuf,
    logs: PathBuf,
}

impl Models {
    /// The command that builds the models of the workspace in `dir`.
    pub(crate) fn build_command(dir: &Path, base: &Path, word: Word) -> Command {
        let mut cargo = cargo_in(dir, base, word.build());
        cargo.args([
            "test",
            "--no-run",
            "--release",
            "-p",
            "ecluse-core",
            "--features",
            "std",
            "--test",
            "loom",
        ]);
        cargo.arg("--message-format=json-render-diagnostics");
        cargo
    }

    /// Builds the models; `Ok(Err(output))` if they do not build.
    pub(crate) fn build(
        dir: &Path,
        base: &Path,
        word: Word,
        limit: Duration,
    ) -> Result<Result<Models, String>> {
        let logs = workspace::logs()?;
        let stem = logs.join(format!("loom-build-{}", word.name()));
        let (out, err) = (stem.with_extension("out"), stem.with_extension("log"));
        let mut command = Self::build_command(dir, base, word);
        let exit = process::run(
            &mut command,
            File::create(&out)?,
            File::create(&err)?,
            limit,
            &NEVER,
        )?;
        if exit != Exit::Success {
            return Ok(Err(format!(
                "{exit}: {}\n{}",
                shown(&command),
                fs::read_to_string(&err)?
            )));
        }
        let test = built(&fs::read_to_string(&out)?, "test", "loom")?;
        let program = test
            .executable
            .context("cargo built the loom models but names no program")?;
        Ok(Ok(Models {
            word,
            program,
            logs,
        }))
    }

    /// The names of all models.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
        let (exit, output) = self.program(&["--list"], "list", Duration::from_secs(60), &NEVER)?;
        ensure!(
            exit == Exit::Success,
            "the loom models cannot list themselves: {exit}\n{output}"
        );
        let names: Vec<String> = output
            .lines()
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(Into::into)
            .collect();
        ensure!(
            !names.is_empty(),
            "the test `loom` lists no models: was it built with `--cfg ecluse_loom`?"
        );
        Ok(names)
    }

    fn program(
        &self,
        args: &[&str],
        name: &str,
        limit: Duration,
        stop: &AtomicBool,
    ) -> Result<(Exit, String)> {
        let log = self.logs.join(format!(
            "loom-{}-{}.log",
            self.word.name(),
            workspace::file_name(name)
        ));
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(workspace::root())
            .env("RUST_BACKTRACE", "0");
        crate::cargo::scrub(&mut command);
        let file = File::create(&log)?;
        let exit = process::run(&mut command, file.try_clone()?, file, limit, stop)?;
        Ok((exit, String::from_utf8_lossy(&fs::read(&log)?).into_owned()))
    }

    /// Explores one model.
    pub(crate) fn explore(
        &self,
        model: &str,
        bound: u32,
        limit: Duration,
        stop: &AtomicBool,
    ) -> Result<Explored> {
        let started = Instant::now();
        let bound = bound.to_string();
        let (exit, output) =
            self.program(&["--model", model, "--bound", &bound], model, limit, stop)?;
        let result = match exit {
            Exit::Success => last_line(model, &output),
            exit => Err(exit.to_string()),
        };
        Ok(Explored {
            model: model.into(),
            word: self.word,
            took: started.elapsed(),
            result,
            output,
        })
    }
}

/// Reads the line with which a model ends.
fn last_line(model: &str, output: &str) -> Result<(u64, String), String> {
    let last = output.lines().last().unwrap_or_default();
    match *last.split('\t').collect::<Vec<_>>() {
        ["model", name, count, how @ ("ended" | "bounded"), _] if name == model => {
            let count = count
                .parse()
                .map_err(|_| format!("`{count}` is no number of interleavings"))?;
            if count == 0 {
                Err("explored nothing".into())
            } else {
                Ok((count, how.into()))
            }
        }
        _ => Err(format!(
            "did not end with its result but with `{}`",
            last.escape_debug()
        )),
    }
}

/// What to explore, and how far.
pub(crate) struct Plan<'a> {
    pub(crate) bound: u32,
    pub(crate) limit: Duration,
    /// Everything must be over by then.
    pub(crate) deadline: Option<Instant>,
    /// A failure ends the others.
    pub(crate) first_failure_ends: bool,
    /// Called as each model ends, from any thread, one at a time.
    pub(crate) each: &'a (dyn Fn(&Explored) + Sync),
}

/// Explores the jobs, two at a time, in order; returns them as they ended. Those that were stopped are left out.
pub(crate) fn explore_all(jobs: &[(&Models, String)], plan: &Plan<'_>) -> Result<Vec<Explored>> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let done = Mutex::new(Vec::new());
    let worker = || -> Result<()> {
        while let Some((models, model)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let left = plan
                .deadline
                .map(|at| at.saturating_duration_since(Instant::now()));
            let explored = models.explore(
                model,
                plan.bound,
                left.map_or(plan.limit, |l| l.min(plan.limit)),
                &stop,
            )?;
            if explored
                .result
                .as_ref()
                .is_err_and(|why| *why == Exit::Stopped.to_string())
            {
                break;
            }
            if explored.result.is_err() && plan.first_failure_ends {
                stop.store(true, Ordering::Relaxed);
            }
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            (plan.each)(&explored);
            done.push(explored);
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            match worker.join() {
                Ok(result) => result?,
                Err(_) => bail!("a worker panicked"),
            }
        }
        Ok(())
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// The names that contain `pattern`; none is an error that lists what there is.
pub(crate) fn select(names: Vec<String>, pattern: Option<&str>) -> Result<Vec<String>> {
    let Some(pattern) = pattern else {
        return Ok(names);
    };
    let chosen: Vec<String> = names
        .iter()
        .filter(|name| name.contains(pattern))
        .cloned()
        .collect();
    ensure!(
        !chosen.is_empty(),
        "no model's name contains `{pattern}`; there are:\n  {}",
        names.join("\n  ")
    );
    Ok(chosen)
}

/// A table of what was explored.
pub(crate) fn table(all: &[Explored], bound: u32) -> String {
    let width = all
        .iter()
        .map(|one| one.model.len())
        .max()
        .unwrap_or(0)
        .max(5);
    let mut out = format!(
        "{:width$}  word   bound  interleavings  ended    seconds\n",
        "model"
    );
    let mut sum = 0;
    for one in all {
        let (count, how) = match &one.result {
            Ok((count, how)) => {
                sum += count;
                (count.to_string(), how.as_str())
            }
            Err(_) => ("-".into(), "FAILED"),
        };
        let (word, seconds) = (one.word.name(), one.took.as_secs_f64());
        out += &format!(
            "{:width$}  {word:5}  {bound:5}  {count:>13}  {how:7}  {seconds:7.1}\n",
            one.model
        );
    }
    let failed = all.iter().filter(|one| one.result.is_err()).count();
    out + &format!(
        "{} models, {failed} failed, {sum} interleavings\n",
        all.len()
    )
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    process::end_children_on_interrupt()?;
    let mut built = Vec::new();
    for word in args.word.list() {
        println!("building for the word `{}`", word.name());
        let limit = Duration::from_secs(1200);
        match Models::build(&workspace::root(), &workspace::target_base(), *word, limit)? {
            Ok(models) => built.push(models),
            Err(output) => bail!("the loom models do not build: {output}"),
        }
    }
    let mut jobs = Vec::new();
    for models in &built {
        jobs.extend(
            select(models.list()?, args.model.as_deref())?
                .into_iter()
                .map(|name| (models, name)),
        );
    }
    let plan = Plan {
        bound: args.bound,
        limit: Duration::from_secs(args.limit),
        deadline: None,
        first_failure_ends: false,
        each: &|one| match &one.result {
            Ok((count, how)) => println!("{} ({}): {count} {how}", one.model, one.word.name()),
            Err(why) => println!(
                "{} ({}): FAILED: {why}\n{}",
                one.model,
                one.word.name(),
                one.output.trim_end()
            ),
        },
    };
    let all = explore_all(&jobs, &plan)?;
    print!("\n{}", table(&all, args.bound));
    ensure!(
        all.len() == jobs.len(),
        "{} of {} models never ran",
        jobs.len() - all.len(),
        jobs.len()
    );
    Ok(all.iter().all(|one| one.result.is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_result() {
        assert_eq!(
            last_line("a", "noise\nmodel\ta\t12\tended\t3\n"),
            Ok((12, "ended".into()))
        );
        assert!(last_line("a", "model\tb\t12\tended\t3").is_err());
        assert!(last_line("a", "model\ta\t12\tgave up\t3").is_err());
        assert!(
            last_line("a", "model\ta\t0\tended\t3")
                .unwrap_err()
                .contains("nothing")
        );
        assert!(last_line("a", "").is_err());
    }

    #[test]
    fn a_pattern_that_matches_nothing_lists_the_names() {
        let names = || vec!["claim_twice".to_owned(), "line_reuse".to_owned()];
        assert_eq!(select(names(), Some("line")).unwrap(), ["line_reuse"]);
        assert_eq!(select(names(), None).unwrap().len(), 2);
        assert!(
            select(names(), Some("x"))
                .unwrap_err()
                .to_string()
                .contains("claim_twice")
        );
    }

    #[test]
    fn the_table_counts_failures() {
        let one = |result| Explored {
            model: "m".into(),
            word: Word::Cas,
            took: Duration::ZERO,
            result,
            output: String::new(),
        };
        let text = table(
            &[one(Ok((7, "ended".into()))), one(Err("aborted".into()))],
            2,
        );
        assert!(text.contains("2 models, 1 failed, 7 interleavings"));
    }
}
