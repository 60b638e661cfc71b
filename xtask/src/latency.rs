//! `cargo xtask latency`: instructions, counted on chips, beside two peers; held to what they were.
//!
//! The firmware in `tests/firmware/latency` counts; QEMU makes its clock exact, so the figures are the same on every
//! machine with the same compiler. What they were is kept in `tests/firmware/expected/`: a figure that grows fails.

use crate::{
    firmware::{self, Level},
    process::Exit,
    step::Run,
    workspace,
};
use anyhow::{Context, Result, bail, ensure};
use core::{fmt::Write as _, time::Duration};
use std::{fs, path::PathBuf};

/// The chips that count, with and without compare-and-swap.
const CHIPS: &[&str] = &["m4", "m0"];

/// Whose figures are held to what they were.
const OURS: &str = "ecluse";

/// At this speed, 1024 ns an instruction, SysTick counts instructions exactly.
const COUNTING_SPEED: u32 = 10;

/// What we want on a Cortex-M4: the operation's beginning, instructions, of them at most so many on end with interrupts off.
const GOALS: &[(&str, Option<u64>, Option<u64>)] = &[
    ("Slot: claim", Some(30), Some(0)),
    ("Line: acquire", Some(30), Some(0)),
    ("Slot: release to", None, Some(40)),
    ("Slot: release,", None, Some(40)),
    ("Line: release,", None, Some(40)),
    ("Slot: release", Some(30), Some(0)),
    ("Line: release", Some(30), Some(0)),
    ("Slot: pending re-poll", Some(15), Some(0)),
    ("Line: pending re-poll", Some(15), Some(0)),
    ("Slot: woken", None, Some(0)),
    ("Line: woken", None, Some(0)),
    ("Slot: polls of 64", Some(128), None),
    ("", None, Some(40)),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Keep what is measured now as what is expected.
    #[arg(long)]
    overwrite_expected: bool,
}

/// One operation of one library.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    library: String,
    operation: String,
    /// Instructions, or another count.
    all: u64,
    /// The longest time with interrupts off, in instructions.
    off: Option<u64>,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let mut run = Run::alone("latency", Duration::from_secs(600))?;
    let (text, problems) = measure(&mut run, args.overwrite_expected)?;
    print!("{text}");
    for problem in &problems {
        println!("{problem}");
    }
    Ok(problems.is_empty())
}

/// Counts on every chip; gives the tables, and what grew.
pub(crate) fn measure(run: &mut Run, overwrite: bool) -> Result<(String, Vec<String>)> {
    let (mut text, mut problems) = (String::new(), Vec::new());
    for name in CHIPS {
        let chip = firmware::chip(name).context("the chip is in the list")?;
        let image = chip.build(run, "ecluse-latency", "ecluse-latency", Level::Size)?;
        let mut qemu = chip.boot(&image, COUNTING_SPEED, &[name]);
        let (exit, stdout, stderr) = run.run_within(&mut qemu, Duration::from_secs(20))?;
        ensure!(exit == Exit::Success, "{name}: {exit}\n{stdout}{stderr}");
        let rows = parse(name, &stdout)?;
        text += &table(name, &rows);
        let path = workspace::root().join(format!("tests/firmware/expected/latency-{name}.txt"));
        let compiler = chip.toolchain()?.version()?;
        if overwrite {
            fs::create_dir_all(path.parent().context("a directory")?)?;
            fs::write(&path, expected(&compiler, &rows))?;
        } else {
            problems.extend(compare(name, &rows, &compiler, &path, &mut text)?);
        }
    }
    Ok((text, problems))
}

/// Reads what the firmware printed.
fn parse(chip: &str, stdout: &str) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut ended = false;
    for line in stdout.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (library, operation, all, off) = match *fields {
            ["figure", _, library, operation, all, off, _] => (library, operation, all, Some(off)),
            ["count", _, library, operation, count] => (library, operation, count, None),
            ["end", _] => {
                ended = true;
                continue;
            }
            _ => bail!("{chip} printed `{line}`"),
        };
        rows.push(Row {
            library: library.into(),
            operation: operation.into(),
            all: all.parse().context("a count below zero")?,
            off: off
                .map(str::parse)
                .transpose()
                .context("a time below zero")?,
        });
    }
    ensure!(ended && !rows.is_empty(), "{chip} stopped in the middle");
    Ok(rows)
}

/// The goal of one of our operations.
fn goal(operation: &str) -> (Option<u64>, Option<u64>) {
    let found = GOALS.iter().find(|goal| operation.starts_with(goal.0));
    found.map_or((None, None), |(_, all, off)| (*all, *off))
}

/// The figures of a chip, library by library.
fn table(chip: &str, rows: &[Row]) -> String {
    let first = rows
        .iter()
        .map(|row| row.operation.len())
        .max()
        .unwrap_or(0)
        + 2;
    let mut text = String::new();
    let mut library = "";
    for row in rows {
        if row.library != library {
            library = &row.library;
            let head = format!("{library} on {chip}");
            let _ = writeln!(text, "{head:first$}  instructions  interrupts off");
        }
        // Goals are for chips with compare-and-swap.
        let (all, off) = if row.library == OURS && chip != "m0" {
            goal(&row.operation)
        } else {
            (None, None)
        };
        let cell = |figure: u64, goal: Option<u64>| match goal {
            Some(goal) if figure > goal => format!("{figure} (goal {goal})"),
            _ => figure.to_string(),
        };
        let off = row.off.map_or(String::new(), |figure| cell(figure, off));
        let operation = format!("  {}", row.operation);
        let line = format!("{operation:first$}  {:<12}  {off}", cell(row.all, all));
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// The file of expectations.
fn expected(compiler: &str, rows: &[Row]) -> String {
    let mut text =
        format!("# {compiler}, opt-level s: instructions, longest with interrupts off\n");
    for row in rows.iter().filter(|row| row.library == OURS) {
        let off = row.off.map_or("-".into(), |off| off.to_string());
        let _ = writeln!(text, "{}\t{}\t{off}", row.operation, row.all);
    }
    text
}

/// What grew, or is not in the file, or is in it and was not measured.
fn compare(
    chip: &str,
    rows: &[Row],
    compiler: &str,
    path: &PathBuf,
    notes: &mut String,
) -> Result<Vec<String>> {
    let file = fs::read_to_string(path)
        .with_context(|| format!("{}: keep one with --overwrite-expected", path.display()))?;
    if !file.starts_with(&format!("# {compiler},")) {
        let kept = file.lines().next().unwrap_or_default();
        let _ = writeln!(
            notes,
            "{chip}: not compared, since this is {compiler}, and the expectation begins `{kept}`"
        );
        return Ok(Vec::new());
    }
    Ok(grown(chip, rows, &file, notes))
}

fn grown(chip: &str, rows: &[Row], file: &str, notes: &mut String) -> Vec<String> {
    let mut problems = Vec::new();
    let kept: Vec<Vec<&str>> = file
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
        .collect();
    let ours: Vec<&Row> = rows.iter().filter(|row| row.library == OURS).collect();
    for row in &ours {
        let Some(line) = kept.iter().find(|line| line[0] == row.operation) else {
            problems.push(format!("{chip}: `{}` is not expected", row.operation));
            continue;
        };
        let was = |i: usize| line.get(i).and_then(|text| text.parse::<u64>().ok());
        for (what, now, was) in [
            ("instructions", Some(row.all), was(1)),
            ("with interrupts off", row.off, was(2)),
        ] {
            if now > was {
                let (now, was) = (now.unwrap_or(0), was.unwrap_or(0));
                problems.push(format!(
                    "{chip}: {}: {now} {what}, were {was}",
                    row.operation
                ));
            } else if now < was {
                let (now, was) = (now.unwrap_or(0), was.unwrap_or(0));
                let _ = writeln!(
                    notes,
                    "{chip}: {}: {now} {what}, were {was}: --overwrite-expected keeps it",
                    row.operation
                );
            }
        }
    }
    for line in kept {
        if !ours.iter().any(|row| row.operation == line[0]) {
            problems.push(format!("{chip}: `{}` was not measured", line[0]));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "figure\tm4\tecluse\tSlot: claim\t15\t0\t0\n\
        figure\tm4\tecluse\tSlot: release to 1 claimer\t155\t31\t1\n\
        count\tm4\tecluse\tSlot: polls of 64 waiters\t128\n\
        figure\tm4\tother\tMutex: lock\t99\t99\t1\nend\tm4\n";

    #[test]
    fn figures_are_read_and_held_to_what_they_were() {
        let mut rows = parse("m4", PRINTED).unwrap();
        let file = expected("rustc 1", &rows);
        assert!(!file.contains("Mutex"));
        let mut notes = String::new();
        assert_eq!(grown("m4", &rows, &file, &mut notes), [""; 0]);
        rows[1].off = Some(32);
        rows[0].all = 14;
        let problems = grown("m4", &rows, &file, &mut notes);
        assert_eq!(
            problems,
            ["m4: Slot: release to 1 claimer: 32 with interrupts off, were 31"]
        );
        assert!(notes.contains("14 instructions, were 15"));
        rows.remove(2);
        let problems = grown("m4", &rows, &file, &mut notes);
        assert!(problems[1].contains("polls of 64 waiters` was not measured"));
    }

    #[test]
    fn a_run_that_stopped_in_the_middle_is_an_error() {
        assert!(parse("m4", PRINTED.trim_end_matches("end\tm4\n")).is_err());
        assert!(parse("m4", "nonsense").is_err());
    }

    #[test]
    fn a_figure_over_its_goal_shows_it() {
        let rows = parse("m4", &PRINTED.replace("\t15\t0", "\t31\t0")).unwrap();
        let text = table("m4", &rows);
        assert!(text.contains("31 (goal 30)"), "{text}");
        assert!(!table("m0", &rows).contains("goal"));
    }
}
