//! Act three: a server is stopped by Ctrl-C with a thousand requests in flight. Some end soon, some can
//! be dropped, some have to undo what they began, and some listen to nobody; all are to have ended, or
//! be known not to have, when the process ends.
//!
//! | file | holds |
//! |---|---|
//! | `signal` | SIGINT, real or raised by the demo |
//! | `requests` | what the requests do, and the referee: who ends how |
//! | `server` | the server, its clients, and what a way to stop it is |
//! | `by_hand`, `with_scope` | the ways that are compared |
//! | `figures` | the table and the verdict |

mod by_hand;
mod figures;
mod requests;
mod server;
mod signal;
mod with_scope;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_lite::future::zip;

use self::{
    by_hand::{Careful, Drained, Selected},
    figures::Run,
    requests::Referee,
    server::{Seen, Stop},
    with_scope::Scoped,
};
use super::Act;
use crate::{
    args::{Args, On},
    http,
    report::Scene,
    runtime::{AsyncStd, Runtime, Smol, Tasks, Tokio},
    timeline::Timeline,
};

/// The requests in flight, if there are as many clients.
const MOST: u32 = 1000;
/// Of the seconds of a run: before the signal, and the grace …
const PART: f64 = 0.25;
/// … which is not less than this, for a busy machine.
const LEAST: Duration = Duration::from_secs(1);
/// All clients are waited for so long.
const ARRIVING: Duration = Duration::from_secs(20);

pub(crate) struct Shutdown;

impl Act for Shutdown {
    fn name(&self) -> &'static str {
        "shutdown"
    }

    fn number(&self) -> &'static str {
        "three"
    }

    fn title(&self) -> &'static str {
        "A server is stopped with its requests in flight: who ends how?"
    }

    fn about(&self) -> &'static str {
        "The clients ask a server, the quick ones again and again, when SIGINT comes. Some requests are quick, some can be \
         dropped, some are transactions that have to be undone, and some are in a library that listens to nobody. When the \
         grace is over, the process ends: by then all are to have ended, or to be known not to have."
    }

    fn perform(&self, args: &Args) -> Scene {
        let mut runs = Vec::new();
        if !args.ecluse_only {
            runs.push(run::<Drained>(args));
            runs.push(run::<Selected>(args));
        }
        if args.careful {
            runs.push(run::<Careful>(args));
        }
        runs.push(run::<Scoped>(args));
        figures::scene(&runs)
    }

    #[cfg(test)]
    fn sample(&self, hung: usize) -> Scene {
        figures::sample(hung)
    }
}

fn run<S: Stop>(args: &Args) -> Run {
    match args.runtime {
        On::Tokio => Tokio::run(|runtime| run_on::<_, S>(Tasks::new(runtime), args)),
        On::Smol => Smol::run(|runtime| run_on::<_, S>(Tasks::new(runtime), args)),
        On::AsyncStd => AsyncStd::run(|runtime| run_on::<_, S>(Tasks::new(runtime), args)),
    }
}

async fn run_on<R: Runtime, S: Stop>(tasks: Tasks<R>, args: &Args) -> Run {
    let clients = args.clients.min(MOST);
    let lead = Duration::from_secs(args.seconds.into()).mul_f64(PART);
    let grace = lead.max(LEAST);
    let timeline = Arc::new(Timeline::new(clients));
    let referee = Referee::new(&timeline, clients, grace);
    let stop = S::new();
    let server = server::start(&tasks, &stop, &referee).expect("a socket on the loopback");
    let http = http::client(&tasks);
    let seen = Arc::new(Mutex::new(Seen::default()));
    for number in 0..clients {
        let asks = server::ask(number, server, http.clone(), Arc::clone(&referee));
        let all = Arc::clone(&seen);
        tasks.spawn(async move {
            let last = asks.await;
            all.lock().unwrap_or_else(PoisonError::into_inner).add(last);
        });
    }
    drop(http);
    let interrupt = signal::next().expect("SIGINT can be listened to");
    let signals = async {
        while !referee.is_busy() && timeline.elapsed() < ARRIVING {
            R::sleep(Duration::from_millis(10)).await;
        }
        R::sleep(lead).await;
        // Unless somebody was quicker.
        if !interrupt.is_cancelled() {
            signal::raise().expect("a signal to this process");
        }
    };
    let counts = async {
        interrupt.cx().cancelled().await;
        referee.signal();
    };
    let stopped = async {
        let said = stop.stop::<R>(interrupt.clone(), grace).await;
        (said, referee.down())
    };
    let (((), ()), (said, counts)) = zip(zip(signals, counts), stopped).await;
    println!(
        "{:<19} {:>4} in flight  {:>4} finished  {:>4} cancelled  {:>4} forced  {:>4} lost  {:>4} left",
        S::WAY.name,
        counts.in_flight,
        counts.finished,
        counts.cancelled,
        counts.forced,
        counts.lost,
        counts.left,
    );
    // The end of the process: what is left is ended now.
    let left = tasks.end().await;
    let seen = *seen.lock().unwrap_or_else(PoisonError::into_inner);
    Run {
        way: S::WAY,
        clients,
        grace,
        counts,
        seen,
        said,
        left,
        spans: timeline.take(),
    }
}
