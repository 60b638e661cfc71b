//! The loom models as a program: built for a word, listed, explored one a process.

use crate::{
    cargo::{built, cargo_in, scrub},
    process::{self, Exit, NEVER},
    step::shown,
    workspace::{self, Build},
};
use anyhow::{Context, Result, ensure};
use core::{sync::atomic::AtomicBool, time::Duration};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

/// As many preemptions as there can be.
const UNBOUNDED: u32 = 0;

/// The models are written to end with so many preemptions: one that does not within its limit has failed.
const ENDING: u32 = 3;

/// How a model with more preemptions was left when its time was over: it had found nothing.
pub(crate) const CUT_OFF: &str = "cut off";

/// One of the core's two claim words, and the lock that it has beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    /// With compare-and-swap, and a mutex for each object.
    Cas,
    /// Without, and a mutex for each object.
    Plain,
    /// As on a chip without compare-and-swap: one critical section for all objects.
    Chip,
}

impl Word {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Word::Cas => "cas",
            Word::Plain => "plain",
            Word::Chip => "chip",
        }
    }

    fn build(self) -> Build {
        match self {
            Word::Cas => Build::Loom,
            Word::Plain | Word::Chip => Build::LoomNoCas,
        }
    }

    fn features(self) -> &'static str {
        match self {
            Word::Cas | Word::Plain => "std",
            Word::Chip => "critical-section,alloc",
        }
    }
}

/// A model that was explored.
#[derive(Clone, Debug)]
pub(crate) struct Explored {
    pub(crate) model: String,
    pub(crate) word: Word,
    pub(crate) took: Duration,
    /// Interleavings and `ended`, `bounded` or [`CUT_OFF`], or why it failed.
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
            word.features(),
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
        scrub(&mut command);
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
        let args = ["--model", model, "--bound", &bound.to_string()];
        let (exit, output) = self.program(&args, model, limit, stop)?;
        let result = match exit {
            Exit::Success => last_line(model, &output),
            Exit::TimedOut(_) if !has_to_end(bound) => Ok((0, CUT_OFF.into())),
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

/// With more preemptions many models have no end that could be waited for.
fn has_to_end(bound: u32) -> bool {
    bound != UNBOUNDED && bound <= ENDING
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
    fn only_a_model_with_more_preemptions_than_it_is_written_for_may_be_cut_off() {
        let held: Vec<u32> = (0..6).filter(|&bound| has_to_end(bound)).collect();
        assert_eq!(held, [1, 2, 3]);
    }
}
