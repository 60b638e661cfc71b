//! What libFuzzer has said, read: executions, coverage, what it found.

use anyhow::{Context, Result};
use core::fmt::Write as _;
use std::path::PathBuf;

/// A run of a target.
#[derive(Debug)]
pub(super) struct Ran {
    name: String,
    executions: u64,
    per_second: u64,
    /// Edges, and features: edges by how often each is taken.
    coverage: (u64, u64),
    corpus: u64,
    pub(super) crash: Option<Found>,
}

/// What ended a run.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) why: String,
    pub(super) input: Option<PathBuf>,
    pub(super) repeat: String,
}

impl Ran {
    /// From all that was said.
    pub(super) fn read(name: &str, output: &str, crash: Option<Found>) -> Result<Self> {
        let pulse = output.lines().rev().find(|line| is_pulse(line));
        let pulse = match (pulse, &crash) {
            (Some(pulse), _) => pulse,
            // It fell at its first steps.
            (None, Some(_)) => "",
            (None, None) => {
                return Err(anyhow::anyhow!("{name}: libFuzzer said nothing:\n{output}"));
            }
        };
        let said = |what: &str| number_after(pulse, what).unwrap_or(0);
        let executions = number_after(output, "stat::number_of_executed_units:");
        let at_pulse = pulse.trim_start_matches('#').split_whitespace().next();
        let at_pulse = at_pulse.and_then(|number| number.parse().ok());
        Ok(Self {
            name: name.to_owned(),
            executions: executions
                .or(at_pulse)
                .or(crash.as_ref().map(|_| 0))
                .context("no count of executions")?,
            per_second: number_after(output, "stat::average_exec_per_sec:")
                .unwrap_or_else(|| said("exec/s:")),
            coverage: (said("cov:"), said("ft:")),
            corpus: said("corp:"),
            crash,
        })
    }

    pub(super) fn line(&self) -> String {
        let Self {
            name,
            executions,
            per_second,
            coverage: (edges, features),
            corpus,
            ..
        } = self;
        let mut line = format!(
            "{name}: {executions} executions, {per_second} a second; {edges} edges, {features} features by {corpus} inputs"
        );
        if let Some(found) = &self.crash {
            let _ = write!(line, "\n  FOUND: {}", found.why);
            if let Some(input) = &found.input {
                let input = input.display();
                let _ = write!(
                    line,
                    "\n  input: {input}\n  again: {} {input}",
                    found.repeat
                );
            }
        }
        line
    }
}

/// A line as `#1024 pulse cov: 12 ft: 34 corp: 5/67b lim: 8 exec/s: 9 rss: 10Mb`.
fn is_pulse(line: &str) -> bool {
    line.starts_with('#') && line.contains(" cov: ") && line.contains(" corp: ")
}

fn number_after(text: &str, what: &str) -> Option<u64> {
    let rest = text[text.rfind(what)? + what.len()..].trim_start();
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// The first sentence about what went wrong.
pub(super) fn why(output: &str) -> Option<String> {
    let told = |line: &&str| {
        line.starts_with("panicked at")
            || line.contains("ERROR: AddressSanitizer")
            || line.contains("ERROR: libFuzzer: timeout")
            || line.contains("ERROR: libFuzzer: out-of-memory")
    };
    let at = output.lines().position(|line| told(&line))?;
    let lines: Vec<&str> = output.lines().skip(at).take(4).collect();
    Some(lines.join("\n    "))
}

/// The input that it was.
pub(super) fn artifact(output: &str) -> Option<&str> {
    let line = output
        .lines()
        .rev()
        .find(|line| line.contains("Test unit written to "))?;
    line.split("Test unit written to ").nth(1).map(str::trim)
}

pub(super) fn table(ran: &[Ran]) -> String {
    let mut table = format!(
        "{:14} {:>12} {:>9} {:>7} {:>9} {:>7}  found",
        "target", "executions", "a second", "edges", "features", "corpus"
    );
    for one in ran {
        let found = if one.crash.is_some() {
            "yes"
        } else {
            "nothing"
        };
        let _ = write!(
            table,
            "\n{:14} {:>12} {:>9} {:>7} {:>9} {:>7}  {found}",
            one.name, one.executions, one.per_second, one.coverage.0, one.coverage.1, one.corpus
        );
    }
    let all: u64 = ran.iter().map(|one| one.executions).sum();
    let _ = write!(table, "\n{:14} {all:>12}", "all");
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "\
INFO: Seed: 1
#2\tINITED cov: 100 ft: 101 corp: 1/1b exec/s: 0 rss: 30Mb
#53056\tDONE   cov: 1840 ft: 9400 corp: 800/50Kb lim: 160 exec/s: 3316 rss: 239Mb
Done 53056 runs in 16 second(s)
stat::number_of_executed_units: 53056
stat::average_exec_per_sec:     3317
";

    #[test]
    fn a_run_is_read() {
        let ran = Ran::read("slot", DONE, None).unwrap();
        assert_eq!((ran.executions, ran.per_second), (53056, 3317));
        assert_eq!((ran.coverage, ran.corpus), ((1840, 9400), 800));
        assert!(table(&[ran]).contains("nothing"));
        assert!(Ran::read("slot", "no", None).is_err());
    }

    #[test]
    fn what_was_found_is_named() {
        let output = format!(
            "{}panicked at src/a.rs:1:2:\nleft\nright\nmore\n==1== ERROR: libFuzzer: deadly signal\n\
             artifact_prefix='x/'; Test unit written to x/crash-12\n",
            &DONE[..DONE.find("#53056").unwrap()]
        );
        assert!(
            why(&output)
                .unwrap()
                .starts_with("panicked at src/a.rs:1:2:")
        );
        assert_eq!(artifact(&output), Some("x/crash-12"));
        let found = Found {
            why: why(&output).unwrap(),
            input: artifact(&output).map(PathBuf::from),
            repeat: "again".into(),
        };
        let ran = Ran::read("slot", &output, Some(found)).unwrap();
        assert_eq!(ran.executions, 2);
        assert!(ran.line().contains("again: again x/crash-12"));
        // Fallen at once.
        let found = Found {
            why: "killed".into(),
            input: None,
            repeat: String::new(),
        };
        assert_eq!(Ran::read("slot", "", Some(found)).unwrap().executions, 0);
    }
}
