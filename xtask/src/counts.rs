//! `cargo xtask counts`: instructions of the uncontended paths on a host, counted by callgrind; held to what they were.
//!
//! The same binary gives the same count on every machine, another compiler another: what is kept in
//! `tests/counts/expected.txt` names its compiler, and is compared with no other's. A figure that grows fails.

use crate::{
    cargo::{self, cargo},
    process::Exit,
    step::Run,
    toolchain,
    workspace::{self, Build},
};
use anyhow::{Context, Result, bail, ensure};
use core::{fmt::Write as _, time::Duration};
use std::{env, fs, path::PathBuf, process::Command};

/// The function whose cost is that of the loop.
const LOOP: &str = "counted_nothing";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Keep what is counted now as what is expected.
    #[arg(long)]
    overwrite_expected: bool,
}

/// What is done, and how many instructions that takes.
type Counts = Vec<(String, u64)>;

pub(crate) fn run(args: &Args) -> Result<bool> {
    toolchain::tool("valgrind", "valgrind")?;
    let mut run = Run::alone("counts", Duration::from_secs(900))?;
    let counts = count(&mut run)?;
    let compiler = compiler()?;
    let path = workspace::root().join("tests/counts/expected.txt");
    if args.overwrite_expected {
        fs::write(&path, expected(&compiler, &counts))?;
        print!("{}", table(&counts, &[]));
        return Ok(true);
    }
    let file = fs::read_to_string(&path)
        .with_context(|| format!("{}: keep one with --overwrite-expected", path.display()))?;
    let kept = kept(&file)?;
    print!("{}", table(&counts, &kept));
    if !file.starts_with(&format!("# {compiler}:")) {
        let theirs = file.lines().next().unwrap_or_default();
        println!("not compared, since this is {compiler}, and what is kept begins `{theirs}`");
        return Ok(true);
    }
    let problems = grown(&counts, &kept);
    for problem in &problems {
        println!("{problem}");
    }
    Ok(problems.is_empty())
}

fn compiler() -> Result<String> {
    let rustc = env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    let mut version = Command::new(rustc);
    cargo::scrub(&mut version);
    let output = version
        .arg("--version")
        .output()
        .context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(format!("{}, {}", text.trim(), env::consts::ARCH))
}

/// Builds the program, runs it under callgrind, and reads what each function took.
fn count(run: &mut Run) -> Result<Counts> {
    let target = workspace::target_base().join("counts");
    let mut build = cargo(Build::Plain);
    build
        .current_dir(workspace::root().join("tests/counts"))
        .env("CARGO_TARGET_DIR", &target)
        // (Flags of one's own would make it another binary.)
        .env_remove("RUSTFLAGS")
        .args(["build", "--release"]);
    run.run(&mut build)?;
    let out = target.join("callgrind.out");
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind", "--compress-strings=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(target.join("release/ecluse-counts"));
    let (exit, stdout, stderr) = run.run_apart(&mut valgrind)?;
    ensure!(exit == Exit::Success, "valgrind: {exit}\n{stdout}{stderr}");
    let profile = fs::read_to_string(&out).context("callgrind has written nothing")?;
    read(&stdout, &profile)
}

/// `stdout` names the functions; the profile has a line after each call with what it took in all.
fn read(stdout: &str, profile: &str) -> Result<Counts> {
    let mut lines = stdout.lines();
    let times: u64 = lines
        .next()
        .context("nothing was printed")?
        .parse()
        .context("a number comes first")?;
    let empty = taken(profile, LOOP)?;
    let mut counts = Vec::new();
    for line in lines {
        let (function, does) = line.split_once('\t').context("a function, a tab, text")?;
        if function != LOOP {
            let all = taken(profile, function)?.saturating_sub(empty);
            counts.push((does.into(), (all + times / 2) / times));
        }
    }
    ensure!(!counts.is_empty(), "no function was named");
    Ok(counts)
}

/// What all calls of a function took.
fn taken(profile: &str, function: &str) -> Result<u64> {
    let mut all = 0;
    let mut lines = profile.lines();
    while let Some(line) = lines.next() {
        let called = line
            .strip_prefix("cfn=")
            .is_some_and(|name| name.ends_with(&format!("::{function}")));
        if called {
            // `calls=…`, then the place of the call and its cost.
            let cost = lines
                .nth(1)
                .and_then(|line| line.split_whitespace().last())
                .with_context(|| format!("the profile ends at a call of {function}"))?;
            all += cost.parse::<u64>().context("a cost is a number")?;
        }
    }
    if all == 0 {
        bail!("the profile knows nothing of {function}");
    }
    Ok(all)
}

fn table(counts: &Counts, kept: &[(String, u64)]) -> String {
    let mut text = String::from("instructions, one thread, nobody waiting\n");
    for (does, count) in counts {
        let was = kept.iter().find(|(name, _)| name == does);
        let was = match was {
            Some((_, was)) if was != count => format!("  (kept: {was})"),
            _ => String::new(),
        };
        let _ = writeln!(text, "  {does:<46}{count:>6}{was}");
    }
    text
}

fn expected(compiler: &str, counts: &Counts) -> String {
    let mut text = format!("# {compiler}: instructions\n");
    for (does, count) in counts {
        let _ = writeln!(text, "{does}\t{count}");
    }
    text
}

fn kept(file: &str) -> Result<Counts> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (does, count) = line.split_once('\t').context("text, a tab, a count")?;
            Ok((does.into(), count.parse().context("a count is a number")?))
        })
        .collect()
}

/// What takes more than it did, is not kept, or is kept and was not counted.
fn grown(counts: &Counts, kept: &Counts) -> Vec<String> {
    let mut problems = Vec::new();
    for (does, count) in counts {
        match kept.iter().find(|(name, _)| name == does) {
            Some((_, was)) if count > was => {
                problems.push(format!("{does}: {count} instructions, {was} before"));
            }
            Some((_, was)) if count < was => {
                println!(
                    "{does}: {count} instructions, fewer than {was}: keep that with --overwrite-expected"
                );
            }
            Some(_) => {}
            None => problems.push(format!(
                "{does} is not kept: do so with --overwrite-expected"
            )),
        }
    }
    for (does, _) in kept {
        if !counts.iter().any(|(name, _)| name == does) {
            problems.push(format!("{does} is kept, but was not counted"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const STDOUT: &str = "10\ncounted_nothing\tnothing\ncounted_a\ta thing\n";
    const PROFILE: &str = "fn=p::main\n12 3\ncfn=p::counted_nothing\ncalls=1 5 \n13 4\ncfn=p::counted_a\ncalls=1 5 \n\
                           13 30\ncfn=p::counted_nothing\ncalls=1 5 \n14 6\ncfn=p::counted_a\ncalls=1 5 \n14 190\n";

    #[test]
    fn the_loop_is_taken_off_and_the_rest_divided() {
        let counts = read(STDOUT, PROFILE).unwrap();
        assert_eq!(counts, [("a thing".into(), 21)]);
    }

    #[test]
    fn a_function_without_a_cost_is_an_error() {
        assert!(read("10\ncounted_b\tanother\n", PROFILE).is_err());
    }

    #[test]
    fn what_grows_or_goes_is_told() {
        let now = vec![("a".into(), 3), ("b".into(), 2), ("c".into(), 1)];
        let before = vec![("a".into(), 2), ("b".into(), 3), ("d".into(), 1)];
        let problems = grown(&now, &before);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(grown(&now, &kept(&expected("rustc", &now)).unwrap()).is_empty());
    }
}
