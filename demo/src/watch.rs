//! Watches a run until all its clients have ended, and tells those that hang from those that are late.
//!
//! Invariants:
//! - The watch is bounded: by [`STILL`] when nothing moves any more, by [`PATIENCE`] when something does.
//! - **Hung** is a client that waits for what somebody does for all, while nobody does it and nothing at
//!   all has begun or ended for [`STILL`] looks. Before each look a task goes through the runtime, so
//!   on a loaded machine the looks come as late as everything else.
//! - **Late** is any other that has not ended: busy with the network (TCP repeats a lost packet after
//!   a second or more), or in a queue that still moves.

use std::{
    io::{IsTerminal, Write},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    load::{Outcomes, get},
    runtime::{Runtime, Tasks},
    timeline::Timeline,
};

const LOOK: Duration = Duration::from_millis(25);
/// So many looks: a second on an idle machine.
const STILL: u32 = 40;
/// How long the end of the clients is waited for after the end of the run: as long again, and at least this.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a run is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// The clients make no new request after this.
    pub(crate) within: Duration,
    /// They may be done before; and whoever hangs before is seen to hang.
    pub(crate) early: bool,
}

/// What became of the clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) hung: usize,
    pub(crate) late: usize,
    /// When the last thing happened.
    pub(crate) at: Duration,
}

pub(crate) async fn until_ended<R: Runtime>(
    tasks: &Tasks<R>,
    name: &str,
    end: End,
    outcomes: &Outcomes,
    timeline: &Timeline,
    extra: impl Fn() -> String,
) -> Ending {
    let End { within, early } = end;
    let patience = within + within.max(PATIENCE);
    let mut progress = Progress::new(name);
    let (mut steps, mut at, mut still) = (0, Duration::ZERO, 0);
    loop {
        R::sleep(LOOK).await;
        let (sender, through) = oneshot::channel::<()>();
        tasks.spawn(async move { drop(sender) });
        let _ = through.await;
        let now = timeline.elapsed();
        let (moved, left) = (timeline.steps(), outcomes.clients.load(Ordering::Relaxed));
        if moved == steps {
            still += 1;
        } else {
            (steps, at, still) = (moved, now, 0);
        }
        progress.show(outcomes, timeline, &extra, false);
        if !early && now < within {
            continue;
        }
        let doings = timeline.doings();
        let hung = if still >= STILL && doings.holding == 0 {
            doings.waiting
        } else {
            0
        };
        if left == 0 || hung > 0 || now > patience {
            progress.show(outcomes, timeline, &extra, true);
            return Ending {
                hung,
                late: left.saturating_sub(hung),
                at,
            };
        }
    }
}

/// One line that is written again and again; where nobody looks, once.
struct Progress<'a> {
    name: &'a str,
    live: bool,
    shown: Option<Instant>,
}

impl<'a> Progress<'a> {
    const EVERY: Duration = Duration::from_millis(100);

    fn new(name: &'a str) -> Self {
        Self {
            name,
            live: std::io::stdout().is_terminal(),
            shown: None,
        }
    }

    fn show(
        &mut self,
        outcomes: &Outcomes,
        timeline: &Timeline,
        extra: impl Fn() -> String,
        last: bool,
    ) {
        let due = self.live && self.shown.is_none_or(|at| at.elapsed() >= Self::EVERY);
        if !(last || due) {
            return;
        }
        self.shown = Some(Instant::now());
        let doings = timeline.doings();
        let line = format!(
            "{:<19} {:>4.1} s  {:>6} ok  {:>5} cut off  {:>5} failed  {:>4} in flight  {:>4} waiting  {}",
            self.name,
            timeline.elapsed().as_secs_f64(),
            get(&outcomes.ok),
            get(&outcomes.cut_off),
            outcomes.failures(),
            doings.requesting + doings.holding,
            doings.waiting,
            extra(),
        );
        if self.live {
            print!("\r\x1b[2K{line}");
            let _ = std::io::stdout().flush();
        }
        if last {
            println!("{}", if self.live { "" } else { &line });
        }
    }
}
