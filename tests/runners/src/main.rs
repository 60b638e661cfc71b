//! Runs the conformance suite on the runtimes of a host.
//!
//! ```text
//! ecluse-runners --list-runtimes | --list [--runtime NAME] | --runtime NAME [--case PATTERN] [--seed N | --seeds N]
//! ```
//! What it prints is for `cargo xtask` to read: fields between tabs, one fact a line, flushed at once; see [`report`].
//! The exit code is 1 if a case failed, 2 if it was asked for something that does not exist.

// A crate of hosts, which says `std` throughout.
#![allow(clippy::std_instead_of_core, clippy::alloc_instead_of_core)]
#![forbid(unsafe_code)]

mod column;
mod driver;
mod host;
mod panics;
mod report;
mod runtimes;

use std::process::ExitCode;

use column::{COLUMNS, Column};

/// What the command line asks for.
#[derive(Debug, Default)]
struct Asked {
    runtime: Option<&'static Column>,
    pattern: String,
    list: bool,
    list_runtimes: bool,
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match arg.as_str() {
            "--runtime" => {
                let name = value()?;
                let found = COLUMNS.iter().find(|column| column.name == name);
                asked.runtime = Some(found.ok_or(format!("no runtime is called {name}"))?);
            }
            "--case" => asked.pattern = value()?,
            "--seeds" => runtimes::sim::set_seeds(0, number(value()?)?),
            "--seed" => runtimes::sim::set_seeds(number(value()?)?, 1),
            "--list" => asked.list = true,
            "--list-runtimes" => asked.list_runtimes = true,
            _ => return Err(format!("{arg} is not understood")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match parse(std::env::args().skip(1)) {
        Ok(asked) => asked,
        Err(wrong) => {
            eprintln!("ecluse-runners: {wrong}");
            return ExitCode::from(2);
        }
    };
    if asked.list_runtimes {
        COLUMNS
            .iter()
            .for_each(|column| println!("{}", column.name));
        return ExitCode::SUCCESS;
    }
    if asked.list {
        driver::list(asked.runtime, &asked.pattern);
        return ExitCode::SUCCESS;
    }
    let Some(column) = asked.runtime else {
        eprintln!("ecluse-runners: say which one with --runtime NAME (see --list-runtimes)");
        return ExitCode::from(2);
    };
    panics::record_quietly();
    let failed = driver::run(column, &asked.pattern);
    // Not a return: a case that hung has left threads behind, and they must not keep the process.
    std::process::exit(i32::from(failed > 0));
}
