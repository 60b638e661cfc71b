//! One round: cargo-mutants over some mutants with some of the tests.
//!
//! cargo-mutants limits each build and each run of the tests, and ends them when it is told to end. So it is told, at the
//! end of the round's time or when somebody interrupts us, and not killed.

use super::Bench;
use anyhow::{Context, Result, bail, ensure};
use core::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, ExitStatus, Stdio},
    sync::OnceLock,
    thread,
    time::Instant,
};

/// Building takes so many seconds at most; the first time it builds what the core depends on.
const BUILD_LIMIT: u64 = 1200;

/// A progress line comes this often.
const OFTEN: Duration = Duration::from_secs(60);

/// Which tests look.
pub(super) struct Round {
    pub(super) name: &'static str,
    pub(super) features: &'static str,
    pub(super) tests: &'static [&'static str],
    /// Not these of them.
    pub(super) without: &'static [&'static str],
    /// Seconds after which they count as hanging: many times what they take.
    pub(super) limit: u64,
}

/// What came of it so far, by the names that cargo-mutants prints.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) caught: Vec<String>,
    pub(super) missed: Vec<String>,
    pub(super) unviable: Vec<String>,
    pub(super) timed_out: Vec<String>,
}

impl Outcomes {
    fn read(dir: &Path) -> Self {
        let lines = |file: &str| -> Vec<String> {
            let text = fs::read_to_string(dir.join(file)).unwrap_or_default();
            text.lines().map(String::from).collect()
        };
        Self {
            caught: lines("caught.txt"),
            missed: lines("missed.txt"),
            unviable: lines("unviable.txt"),
            timed_out: lines("timeout.txt"),
        }
    }

    pub(super) fn tried(&self) -> usize {
        self.caught.len() + self.missed.len() + self.unviable.len() + self.timed_out.len()
    }

    /// Adds a later round's, as far as it is about survivors of the rounds before.
    pub(super) fn add(&mut self, later: Self) {
        if self.tried() == 0 {
            *self = later;
            return;
        }
        let noticed = |all: Vec<String>, missed: &mut Vec<String>| -> Vec<String> {
            let noticed = all.into_iter().filter(|name| missed.contains(name));
            let noticed: Vec<_> = noticed.collect();
            missed.retain(|name| !noticed.contains(name));
            noticed
        };
        self.caught.extend(noticed(later.caught, &mut self.missed));
        self.timed_out
            .extend(noticed(later.timed_out, &mut self.missed));
    }

    /// The closing table.
    pub(super) fn table(&self, explained: usize) -> String {
        let rows = [
            ("tried", self.tried()),
            ("caught", self.caught.len()),
            ("timed out, which is noticed", self.timed_out.len()),
            ("do not build", self.unviable.len()),
            ("survived, explained", explained),
            ("survived, NOT explained", self.missed.len() - explained),
        ];
        rows.map(|(what, count)| format!("{what:28}{count:6}\n"))
            .concat()
    }
}

impl Round {
    /// Tries the mutants that `which` chooses.
    pub(super) fn run(&self, bench: &Bench, which: &[String]) -> Result<Outcomes> {
        let Self {
            name,
            features,
            tests,
            without,
            limit,
        } = self;
        let limit = bench.limit.unwrap_or(*limit);
        let dir = bench.place.join("mutants.out");
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        let log = bench.place.join("cargo-mutants.log");
        let file = File::create(&log)?;
        let mut command = bench.mutants();
        command
            .args(["--in-place", "--features", features, "--output"])
            .arg(&bench.place)
            .args(["--timeout", &limit.to_string()])
            .args(["--build-timeout", &BUILD_LIMIT.to_string()])
            .args(which);
        for test in *tests {
            command.arg(format!("--cargo-arg={test}"));
        }
        for (index, test) in without.iter().enumerate() {
            if index == 0 {
                command.arg("--cargo-test-arg=--");
            }
            command.args(["--skip", test].map(|arg| format!("--cargo-test-arg={arg}")));
        }
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        println!("{name}: the unbroken copy first");
        let started = Instant::now();
        let stop = stop_on_interrupt()?;
        let mut child = command.spawn().context("cannot run cargo-mutants")?;
        let mut progress = Progress::default();
        let (status, ended) = loop {
            if let Some(status) = child.try_wait()? {
                break (status, false);
            }
            if stop.load(Ordering::Relaxed) {
                end(&mut child)?;
                bail!("interrupted; the log is {}", log.display());
            }
            if bench.until.is_some_and(|until| Instant::now() >= until) {
                break (end(&mut child)?, true);
            }
            progress.show(name, &dir, started);
            thread::sleep(Duration::from_millis(500));
        };
        let seen = Outcomes::read(&dir);
        println!("{}", progress.line(name, &seen, &dir, started));
        // 2 and 3: some survived, some timed out.
        ensure!(
            ended || matches!(status.code(), Some(0 | 2 | 3)),
            "cargo-mutants failed ({status}); is the unbroken copy good? The log is {}, the tests' are in {}",
            log.display(),
            dir.join("log").display()
        );
        Ok(seen)
    }
}

/// What was said of a round that is under way.
#[derive(Default)]
struct Progress {
    missed: usize,
    said: Option<Instant>,
}

impl Progress {
    fn show(&mut self, name: &str, dir: &Path, started: Instant) {
        let seen = Outcomes::read(dir);
        for full in seen.missed.iter().skip(self.missed) {
            println!("  survived {name}: {full}");
        }
        self.missed = self.missed.max(seen.missed.len());
        if seen.tried() > 0 && self.said.is_none_or(|last| last.elapsed() >= OFTEN) {
            self.said = Some(Instant::now());
            println!("{}", self.line(name, &seen, dir, started));
        }
    }

    fn line(&self, name: &str, seen: &Outcomes, dir: &Path, started: Instant) -> String {
        let tried = seen.tried();
        let each = started.elapsed().as_secs_f64() / tried.max(1) as f64;
        let of = chosen(dir).map_or_else(String::new, |of| format!(" of {of}"));
        format!(
            "  {name}: {tried}{of} tried, {} survived, {} timed out, {} do not build; {each:.1} s each",
            seen.missed.len(),
            seen.timed_out.len(),
            seen.unviable.len()
        )
    }
}

/// How many this round is to try.
fn chosen(dir: &Path) -> Option<usize> {
    let text = fs::read_to_string(dir.join("mutants.json")).ok()?;
    let all: Vec<serde::de::IgnoredAny> = serde_json::from_str(&text).ok()?;
    Some(all.len())
}

/// Set when somebody interrupts us.
fn stop_on_interrupt() -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static SET: OnceLock<()> = OnceLock::new();
    if SET.set(()).is_ok() {
        ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed))?;
    }
    Ok(&STOP)
}

/// Tells it to end, which ends what it started, and waits a while before it is killed.
fn end(child: &mut Child) -> Result<ExitStatus> {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        // It may have ended by itself since we looked.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let told = Instant::now();
        while told.elapsed() < Duration::from_secs(20) {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
    let _ = child.kill();
    Ok(child.wait()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> Vec<String> {
        all.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn a_later_round_judges_the_survivors() {
        let mut all = Outcomes::default();
        all.add(Outcomes {
            caught: names(&["a"]),
            missed: names(&["b", "c", "d"]),
            unviable: names(&["e"]),
            timed_out: names(&["f"]),
        });
        all.add(Outcomes {
            caught: names(&["b"]),
            missed: names(&["c"]),
            unviable: names(&["d"]),
            timed_out: Vec::new(),
        });
        assert_eq!(all.caught, ["a", "b"]);
        assert_eq!(all.missed, ["c", "d"]);
        assert_eq!(all.unviable, ["e"]);
        assert_eq!(all.tried(), 6);
        let table = all.table(1);
        assert!(
            table.contains("tried") && table.lines().count() == 6,
            "{table}"
        );
    }
}
