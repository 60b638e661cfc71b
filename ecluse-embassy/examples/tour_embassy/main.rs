//! A page for each primitive, as one uses it on embassy: all of it lies in `static`s and in the futures of its users, nothing on
//! a heap. embassy cannot abort a task; who is cut off here is out of time, or has lost a `select`. Each page fails if what it
//! shows does not happen.
//!
//! It runs on the host, on embassy's own executor and timers for that. All of it: `cargo xtask example tour_embassy`. One page:
//! `cargo run -p ecluse-embassy --example tour_embassy -- slot`. On a chip: `cargo xtask example sensor-bus`.
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

mod abandon;
mod admission;
mod channel;
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
    sync::{
        atomic::{AtomicBool, AtomicU32, Ordering},
        mpsc::{RecvTimeoutError, Sender, channel},
    },
    thread,
    time::Duration,
};

use embassy_executor::{Executor, Spawner};

static SHOWN: AtomicU32 = AtomicU32::new(0);
static OVER: AtomicBool = AtomicBool::new(false);

#[embassy_executor::task]
async fn tour(spawner: Spawner) {
    show("slot", slot::main()).await;
    show("line", line::main()).await;
    show("flight", flight::main()).await;
    show("group", group::main()).await;
    show("relay", relay::main()).await;
    show("once", once::main()).await;
    show("refresher", refresher::main()).await;
    show("admission", admission::main()).await;
    show("channel", channel::main()).await;
    show("scope", scope::main()).await;
    show("join", join::main()).await;
    show("spawned", spawned::main(spawner)).await;
    show("tally", tally::main(spawner)).await;
    show("flush", flush::main()).await;
    show("stalled", stalled::main()).await;
    show("abandon", abandon::main()).await;
    OVER.store(true, Ordering::Relaxed);
}

/// Runs a page, if it is the one that was asked for, or none was.
async fn show(name: &'static str, page: impl Future<Output = ()>) {
    if env::args().nth(1).is_none_or(|only| only == name) {
        let _over = watch(name);
        print!("{name:9}  ");
        page.await;
        SHOWN.fetch_add(1, Ordering::Relaxed);
    }
}

/// None takes a tenth of a second.
const LIMIT: Duration = Duration::from_secs(30);

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

fn main() -> ExitCode {
    let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
    let start = |spawner: Spawner| spawner.spawn(tour(spawner).expect("the only one"));
    // On a chip: `executor.run(start)`, for ever.
    executor.run_until(start, || OVER.load(Ordering::Relaxed));
    if SHOWN.load(Ordering::Relaxed) == 0 {
        eprintln!("there is no such page");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
