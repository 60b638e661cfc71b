//! `cargo xtask loom`: the core's loom models, each in a process of its own.
//!
//! The models are in ecluse-core's test `loom`, a program without libtest's harness: `--list` prints their names, and
//! `--model NAME --bound N` explores one and prints as its last line
//! `model<TAB>NAME<TAB>interleavings<TAB>ended|bounded<TAB>millis`. Any other end is a failure, except that
//! beyond bound 3 a model may be cut off. A process of its own each, since a model that fails may abort, and one that
//! never ends must be killed without the others.

mod models;

use crate::{
    process::{self, Exit},
    workspace,
};
use anyhow::{Result, bail, ensure};
use core::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};
use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use models::CUT_OFF;
pub(crate) use models::{Explored, Models, Word};

/// Models explored at the same time.
const AT_ONCE: usize = 2;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Preemptions allowed in one execution; more finds more, and takes much longer. 0: any number.
    #[arg(long, default_value_t = 3)]
    bound: u32,
    /// Only models whose name contains this.
    #[arg(long)]
    model: Option<String>,
    /// Which claim word: with compare-and-swap, the plain one of targets without it, the same beside a critical section, or all.
    #[arg(long, value_enum, default_value_t = Words::All)]
    word: Words,
    /// Seconds after which a model is killed. Up to a bound of 3 it has failed then; with more, it is cut off.
    #[arg(long, default_value_t = 300)]
    limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Words {
    Cas,
    Plain,
    Chip,
    All,
}

impl Words {
    pub(crate) fn list(self) -> &'static [Word] {
        match self {
            Words::Cas => &[Word::Cas],
            Words::Plain => &[Word::Plain],
            Words::Chip => &[Word::Chip],
            Words::All => &[Word::Cas, Word::Plain, Word::Chip],
        }
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
    let cut = |one: &&Explored| one.result.as_ref().is_ok_and(|(_, how)| how == CUT_OFF);
    let cut = match all.iter().filter(cut).count() {
        0 => String::new(),
        count => format!("{count} cut off with nothing found, "),
    };
    out + &format!(
        "{} models, {failed} failed, {cut}{sum} interleavings\n",
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
        let mut all = vec![one(Ok((7, "ended".into()))), one(Err("aborted".into()))];
        assert!(table(&all, 2).contains("2 models, 1 failed, 7 interleavings"));
        all.push(one(Ok((0, CUT_OFF.into()))));
        assert!(table(&all, 0).contains("3 models, 1 failed, 1 cut off with nothing found, 7"));
    }
}
