//! `cargo xtask soak`: each primitive in turn under calls from all threads that are polled, moved to
//! another thread, made to panic, and dropped at random, for as long as one likes. At the end of each
//! round everybody who was not dropped has to come to an end, and nothing may be left: no call, no
//! claim, no item, no waker, no memory.
//!
//! The same program under the sanitizers is `cargo xtask tsan` and `cargo xtask asan`.
//!
//! | file | holds |
//! |---|---|
//! | `hand` | a thread's hands: the calls that it drives, and what it does to them |
//! | `plain` | memory that only one may touch at a time |
//! | `subject` | what a primitive under load is; what its calls have in common |
//! | `subjects` | the primitives, a file each |
//! | `report` | what was counted: a line on the way, a table at the end |

#![deny(unsafe_code)]
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]
#![allow(
    clippy::alloc_instead_of_core,
    reason = "a program of the host: it has std"
)]

mod hand;
mod plain;
mod report;
mod subject;
mod subjects;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use peak_alloc::PeakAlloc;

use crate::{report::Report, subjects::ALL};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// All primitives under load.
#[derive(Parser)]
struct Args {
    /// How long, all in all.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Threads that drive the calls.
    #[arg(long, default_value_t = 2)]
    threads: u64,
    /// Steps of a thread in a round.
    #[arg(long, default_value_t = 20_000)]
    steps: u32,
    /// What the dice begin with.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only primitives whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let end = Instant::now() + Duration::from_secs(args.seconds);
    let wanted = |name: &str| args.only.as_deref().is_none_or(|only| name.contains(only));
    let subjects: Vec<_> = ALL.iter().filter(|subject| wanted(subject.name)).collect();
    let mut reports: Vec<_> = subjects
        .iter()
        .map(|subject| Report::new(subject.name))
        .collect();
    // What is allocated once for the program, as the buffer of its output, is no growth.
    report::progress(&reports, end);
    let mut round = 0_u64;
    // At least twice each: nothing has grown before the second.
    while round < 2 || Instant::now() < end {
        for (subject, report) in subjects.iter().zip(&mut reports) {
            let seed = args.seed.wrapping_add(round.wrapping_mul(args.threads));
            let tally = (subject.round)(args.threads, args.steps, seed);
            report.add(tally, HEAP.current_usage());
        }
        round += 1;
        report::progress(&reports, end);
    }
    if report::table(&reports) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
