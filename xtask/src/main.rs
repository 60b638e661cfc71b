//! `cargo xtask`: everything that is run in this repository, one file a command.
//!
//! `cargo xtask test` is *the* test command; the others are its parts made larger (`loom`, `mutants`) or measure
//! something (`size`, `bench`) or show something (`demo`, `example`).
//!
//! What holds for all of them:
//! 1. A tool that is missing is an error that says how to get it, never a silent skip.
//! 2. Every process that is waited for has a time limit; at the limit its whole process group is killed.
//! 3. Every pair of compiler and cfg has a target directory of its own (`workspace::Build`), or each evicts the other.

#![allow(
    clippy::std_instead_of_core,
    reason = "a program of the host: it has std"
)]

mod bench;
mod cargo;
mod counts;
mod demo;
mod dependents;
mod example;
mod firmware;
mod fuzz;
mod latency;
mod libtest;
#[cfg(test)]
mod links;
mod loom;
mod matrix;
mod miri;
mod mutants;
mod ninep;
mod process;
mod protocol;
mod size;
mod soak;
mod step;
mod test;
mod toolchain;
mod trace;
mod tsan;
mod workspace;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Tasks of the ecluse repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything that must hold: formatting, lints, unit and doc tests, the conformance suite on every runtime, loom, examples.
    Test(test::Args),
    /// Check the core's loom models, each in a process of its own.
    Loom(loom::Args),
    /// Break the core on purpose, one listed change at a time, and see that a test notices.
    Mutants(mutants::Args),
    /// Print the sizes of the core's types on 64-bit and 32-bit targets, and hold them to their budgets.
    Size(size::Args),
    /// Count instructions on chips, beside two peers, and hold them to what they were.
    Latency(latency::Args),
    /// Build and run the benches of `tests/bench`.
    Bench(bench::Args),
    /// Count the instructions of the uncontended paths on this host, and hold them to what they were.
    Counts(counts::Args),
    /// Run the demo: a real HTTP service under load, by hand and with ecluse.
    Demo(demo::Args),
    /// Run one of the adapters' examples; firmware in QEMU.
    Example(example::Args),
    /// Keep all primitives under load, with calls that are cut off at random, and see that nothing is lost or left.
    Soak(soak::Args),
    /// The same under AddressSanitizer, with its search for leaks.
    Asan(soak::Args),
    /// Let libFuzzer drive each primitive against its model, schedules of the simulator, and 9P frames.
    Fuzz(fuzz::Args),
    /// The soak and the core's unit tests under ThreadSanitizer, with an instrumented standard library.
    Tsan(tsan::Args),
    /// Run the core's unit tests under Miri.
    Miri(miri::Args),
    /// See what somebody sees who depends on us: packages, features, docs, the oldest compiler, licences, bare targets.
    Dependents(dependents::Args),
    /// Let a Linux kernel in QEMU mount the example `ninep`, and check what its killed readers take back.
    Ninep(ninep::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Test(args) => test::run(&args),
        Command::Loom(args) => loom::run(&args),
        Command::Mutants(args) => mutants::run(&args),
        Command::Size(args) => size::run(&args),
        Command::Latency(args) => latency::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Counts(args) => counts::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Example(args) => example::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Asan(args) => soak::run_with_address_sanitizer(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Tsan(args) => tsan::run(&args),
        Command::Miri(args) => miri::run(&args),
        Command::Dependents(args) => dependents::run(&args),
        Command::Ninep(args) => ninep::run(&args),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
