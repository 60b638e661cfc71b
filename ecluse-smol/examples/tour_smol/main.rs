//! A page for each primitive, as one uses it on smol: what it is for, and what it does when a task is cancelled. Each page
//! is a program of its own, and fails if what it shows does not happen.
//!
//! All of them: `cargo xtask example tour_smol`. One: `cargo run -p ecluse-smol --example tour_smol -- slot`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

mod abandon;
mod admission;
mod blocking;
mod channel;
mod detached;
mod event;
mod flight;
mod flush;
mod group;
mod join;
mod line;
mod once;
mod refresher;
mod relay;
mod scope;
mod slot;
mod spawned;
mod stalled;
mod tally;

use std::{
    env,
    process::{ExitCode, exit},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

const PAGES: &[(&str, fn())] = &[
    ("slot", slot::main),
    ("line", line::main),
    ("flight", flight::main),
    ("group", group::main),
    ("relay", relay::main),
    ("detached", detached::main),
    ("once", once::main),
    ("refresher", refresher::main),
    ("admission", admission::main),
    ("channel", channel::main),
    ("scope", scope::main),
    ("join", join::main),
    ("spawned", spawned::main),
    ("tally", tally::main),
    ("flush", flush::main),
    ("stalled", stalled::main),
    ("abandon", abandon::main),
    ("blocking", blocking::main),
    ("event", event::main),
];

/// None takes a tenth of a second.
const LIMIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let only = env::args().nth(1);
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if !PAGES.iter().any(|(name, _)| wanted(name)) {
        let names: Vec<_> = PAGES.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no such page; there are {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    for (name, page) in PAGES.iter().filter(|(name, _)| wanted(name)) {
        let _over = watch(name);
        print!("{name:9}  ");
        page();
    }
    ExitCode::SUCCESS
}

/// Ends the program if what is given is not dropped in time.
fn watch(name: &'static str) -> Sender<()> {
    let (over, running) = channel();
    thread::spawn(move || {
        if running.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
            eprintln!("the page `{name}` hangs");
            exit(1);
        }
    });
    over
}
