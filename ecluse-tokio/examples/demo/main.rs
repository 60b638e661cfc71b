//! `cargo xtask demo`: a real HTTP service whose bearer token expires while hundreds of requests
//! are under way, and clients that are cut off at random moments. Three runs, one report: the
//! renewal as it is written by hand, twice, and the renewal under a `Line`.
//!
//! | file | holds |
//! |---|---|
//! | `args` | the command line |
//! | `service` | the HTTP service: data for a valid token, new tokens |
//! | `ledger` | the referee: what was minted, what was wasted, who is still there |
//! | `call` | one client's calls over HTTP, each step recorded |
//! | `by_hand`, `with_line` | the renewals that are compared |
//! | `load` | the clients, their cut-offs, the bounded wait for their end |
//! | `timeline`, `svg` | what everybody did when, and its picture |
//! | `report` | the table |
//!
//! The exit code is 0 if the run with the `Line` kept its promises: no two mints at a time, none
//! wasted, no task hung, no failure but those that were cut off.
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

mod args;
mod by_hand;
mod call;
mod ledger;
mod load;
mod report;
mod service;
mod svg;
mod timeline;
mod with_line;

use std::{fs, path::PathBuf, process::ExitCode};

use clap::Parser;

use crate::{
    args::Args,
    by_hand::{FlagAndNotify, LockAndMint},
    call::Renewal,
    load::Run,
    with_line::UnderLine,
};

fn main() -> ExitCode {
    let mut args = Args::parse();
    args.fit_into_descriptors();
    println!(
        "{} clients for {} s a run, {:.0} % of their requests cut off; a token lives {} ms, a mint takes {} ms; seed {}",
        args.clients,
        args.seconds,
        args.cut * 100.0,
        args.token_ms,
        args.mint_ms,
        args.seed,
    );
    let runs = [
        run::<FlagAndNotify>(&args),
        run::<LockAndMint>(&args),
        run::<UnderLine>(&args),
    ];
    report::print(&runs);
    match draw(&runs) {
        Ok(path) => println!("timeline: {}", path.display()),
        Err(error) => println!("timeline: not written ({error})"),
    }
    let line = &runs[2];
    println!("{}", report::closing(line));
    if report::is_clean(line) {
        ExitCode::SUCCESS
    } else {
        println!("the run with the `Line` did not keep its promises");
        ExitCode::FAILURE
    }
}

/// One run, in a runtime of its own: what a run leaves behind ends with it.
fn run<R: Renewal>(args: &Args) -> Run {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let run = runtime.block_on(load::run::<R>(args));
    runtime.shutdown_background();
    run
}

/// Writes the picture to `target/ecluse/demo.svg` of the workspace.
fn draw(runs: &[Run]) -> std::io::Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../target")),
        PathBuf::from,
    );
    let directory = target.join("ecluse");
    fs::create_dir_all(&directory)?;
    let path = directory.canonicalize()?.join("demo.svg");
    fs::write(&path, svg::draw(runs))?;
    Ok(path)
}
