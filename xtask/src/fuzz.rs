//! `cargo xtask fuzz`: libFuzzer on the targets of `tests/fuzz`, a workspace of its own with its own lock file.
//!
//! The compiler is the one there is, a stable one too: libFuzzer needs the instrumentation that LLVM has, which is asked for
//! with the flags that cargo-fuzz passes, and AddressSanitizer, an unstable flag of a stable compiler as in `asan`.
//!
//! A target begins with its seeds (`tests/fuzz/corpus`) and what earlier runs of it have found (under the target directory).
//! `--keep` makes seeds of both: the smallest inputs that reach the same code.

mod report;

use crate::{
    cargo::cargo,
    process::{self, Exit, NEVER},
    toolchain::{self, hosts},
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use core::time::Duration;
use report::{Found, Ran};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

/// What cargo-fuzz passes, and the sanitizer.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Zsanitizer=address";

/// An input takes no longer.
const SECONDS_AN_INPUT: u32 = 20;

/// The longest input: so many calls that a model can come into any state, and few enough to be read.
const LONGEST: u32 = 256;

/// Seeds of a target at most.
const SEEDS: usize = 48;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long, over all targets.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this target. May be given several times; `list` lists them.
    #[arg(long)]
    target: Vec<String>,
    /// Runs this input once, and shows the calls that it makes; needs one `--target`.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Afterwards makes seeds of what was found.
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let all = targets()?;
    if args.target.iter().any(|name| name == "list") {
        println!("{}", all.join("\n"));
        return Ok(true);
    }
    if let Some(unknown) = args.target.iter().find(|name| !all.contains(name)) {
        bail!(
            "there is no target `{unknown}`; there are: {}",
            all.join(", ")
        );
    }
    let chosen: Vec<&String> = all
        .iter()
        .filter(|name| args.target.is_empty() || args.target.contains(name))
        .collect();
    hosts::sanitized()?;
    // libfuzzer-sys has libFuzzer as source.
    toolchain::tool("g++", "g++")?;
    process::end_children_on_interrupt()?;
    println!("building the targets, with coverage and AddressSanitizer");
    build(&chosen)?;
    if let Some(input) = &args.input {
        let [name] = chosen[..] else {
            bail!("whose input is it? Give one --target");
        };
        return repeat(name, input);
    }
    let each = Duration::from_secs((args.seconds / chosen.len() as u64).max(1));
    let mut ran = Vec::new();
    for name in &chosen {
        let one = fuzz(name, each)?;
        println!("{}", one.line());
        ran.push(one);
    }
    println!("\n{}", report::table(&ran));
    let found = ran.iter().filter(|one| one.crash.is_some()).count();
    if args.keep && found == 0 {
        for name in &chosen {
            keep(name)?;
        }
    }
    Ok(found == 0)
}

fn project() -> PathBuf {
    workspace::root().join("tests/fuzz")
}

fn place() -> PathBuf {
    workspace::target_base().join("fuzz")
}

/// The targets by name: a file each.
fn targets() -> Result<Vec<String>> {
    let dir = project().join("targets");
    let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    ensure!(!names.is_empty(), "{} has no targets", dir.display());
    Ok(names)
}

fn build(names: &[&String]) -> Result<()> {
    let mut cargo = cargo(Build::Plain);
    cargo.current_dir(project());
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    cargo.env("RUSTFLAGS", format!("{flags} {FLAGS}").trim());
    cargo.env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_DIR", place());
    cargo.args([
        "build",
        "--quiet",
        "--release",
        "--target",
        hosts::SANITIZED,
    ]);
    for name in names {
        cargo.args(["--bin", name]);
    }
    let status = cargo.status().context("cannot run cargo")?;
    ensure!(status.success(), "the targets do not build");
    Ok(())
}

fn program(name: &str) -> Command {
    let mut program = Command::new(place().join(hosts::SANITIZED).join("release").join(name));
    program.current_dir(workspace::root());
    // Futures that are forgotten are what some calls are about.
    program.env(
        "ASAN_OPTIONS",
        "detect_leaks=0:detect_stack_use_after_return=1",
    );
    // One thread for smol's tasks.
    program
        .env("SMOL_THREADS", "1")
        .env("BLOCKING_MAX_THREADS", "1");
    program.args(["-detect_leaks=0", "-print_final_stats=1"]);
    program.arg(format!("-max_len={LONGEST}"));
    // Long inputs at once: it takes some calls to come into a state that is worth it.
    program.arg("-len_control=0");
    program.arg(format!("-timeout={SECONDS_AN_INPUT}"));
    program.arg("-rss_limit_mb=4096");
    program
}

fn seeds(name: &str) -> PathBuf {
    project().join("corpus").join(name)
}

/// What runs have found, beside the seeds.
fn work(name: &str) -> Result<PathBuf> {
    let dir = place().join("corpus").join(name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

fn fuzz(name: &str, time: Duration) -> Result<Ran> {
    let crashes = place().join("crashes").join(name);
    fs::create_dir_all(&crashes)?;
    let mut fuzzer = program(name);
    fuzzer.arg(format!("-max_total_time={}", time.as_secs()));
    fuzzer.arg(format!("-artifact_prefix={}/", crashes.display()));
    fuzzer.arg(work(name)?).arg(seeds(name));
    let (exit, output) = logged(name, &mut fuzzer, time + Duration::from_secs(120))?;
    let crash = (exit != Exit::Success).then(|| Found {
        why: report::why(&output).unwrap_or_else(|| exit.to_string()),
        input: report::artifact(&output).map(PathBuf::from),
        repeat: format!("cargo xtask fuzz --target {name} --input"),
    });
    Ran::read(name, &output, crash)
}

/// Runs it with its output in a log, which is read.
fn logged(name: &str, command: &mut Command, limit: Duration) -> Result<(Exit, String)> {
    let path = workspace::logs()?.join(format!("fuzz-{name}.log"));
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let exit = process::run(command, log.try_clone()?, log, limit, &NEVER)?;
    let output = fs::read(&path)?;
    Ok((exit, String::from_utf8_lossy(&output).into_owned()))
}

fn repeat(name: &str, input: &Path) -> Result<bool> {
    let input = input
        .canonicalize()
        .with_context(|| format!("there is no input {}", input.display()))?;
    let mut program = program(name);
    program.env("ECLUSE_FUZZ_SHOW", "1").arg(input);
    Ok(program.status().context("cannot run the target")?.success())
}

/// Makes seeds of the seeds and of what was found: edges count, not how often each is taken.
fn keep(name: &str) -> Result<()> {
    let kept = place().join("kept").join(name);
    let _ = fs::remove_dir_all(&kept);
    fs::create_dir_all(&kept)?;
    let mut merge = program(name);
    merge.args(["-merge=1", "-use_counters=0", "-use_value_profile=0"]);
    merge.arg(&kept).arg(seeds(name)).arg(work(name)?);
    let (exit, _) = logged(
        &format!("{name}-merge"),
        &mut merge,
        Duration::from_secs(300),
    )?;
    ensure!(
        exit == Exit::Success,
        "the seeds of {name} cannot be merged: {exit}"
    );
    let mut inputs: Vec<(PathBuf, u64)> = Vec::new();
    for entry in fs::read_dir(&kept)? {
        let entry = entry?;
        inputs.push((entry.path(), entry.metadata()?.len()));
    }
    // libFuzzer has taken small ones first; of too many the large ones reach most.
    inputs.sort_by_key(|(_, size)| core::cmp::Reverse(*size));
    inputs.truncate(SEEDS);
    let seeds = seeds(name);
    let _ = fs::remove_dir_all(&seeds);
    fs::create_dir_all(&seeds)?;
    for (path, _) in &inputs {
        fs::copy(path, seeds.join(path.file_name().context("a file's name")?))?;
    }
    println!("{name}: {} seeds", inputs.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_target_is_built_and_has_seeds() {
        let manifest = fs::read_to_string(project().join("Cargo.toml")).unwrap();
        let manifest: toml::Value = toml::from_str(&manifest).unwrap();
        let bins = manifest["bin"].as_array().unwrap().iter();
        let bins: Vec<&str> = bins.map(|bin| bin["name"].as_str().unwrap()).collect();
        let targets = targets().unwrap();
        assert_eq!(bins, targets);
        for target in targets {
            let seeds = fs::read_dir(seeds(&target)).unwrap().count();
            assert!((1..=SEEDS).contains(&seeds), "{target}: {seeds} seeds");
        }
    }
}
