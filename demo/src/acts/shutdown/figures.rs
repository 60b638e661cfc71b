//! What a run says: its column of the table, its panel of the picture, and whether a scope kept its
//! promises.

use std::time::Duration;

use super::{Scene, requests::Counts, server::Seen};
use crate::{
    report::{
        Shown, Way,
        picture::{Crowd, Panel, Words},
        table::Table,
        verdict::{Promise, Verdict},
    },
    timeline::{Doing, Span},
};

/// The words of its picture.
static WORDS: Words = Words {
    strip: "accepts",
    crowd: &[
        Crowd {
            class: "r",
            name: "alive",
            has: |doing| doing != Doing::Waiting,
        },
        Crowd {
            class: "m",
            name: "cleaning up",
            has: Doing::holds,
        },
    ],
    legend: &[
        ("r", "a request"),
        ("m", "cleans up"),
        ("w", "a job that goes on"),
        ("h", "the process has ended"),
        ("v", "accepts"),
        ("d", "was told to stop"),
    ],
    cut_off: "dropped",
    bands: &[("t", "the grace")],
    sorted: true,
    hung: "still running when the process ended",
};

/// A run, when it is over.
pub(super) struct Run {
    pub(super) way: Way,
    pub(super) clients: u32,
    pub(super) grace: Duration,
    pub(super) counts: Counts,
    pub(super) seen: Seen,
    /// What the way had to say.
    pub(super) said: Option<String>,
    /// Tasks that could not be ended.
    pub(super) left: usize,
    pub(super) spans: Vec<Span>,
}

impl Run {
    /// From the signal until the server said that it is down.
    fn took(&self) -> Duration {
        self.counts.down.saturating_sub(self.counts.signal)
    }

    fn jobs_lost(&self) -> u64 {
        self.counts.jobs - self.counts.jobs_done
    }

    fn panel(&self) -> Panel {
        let Counts { signal, down, .. } = self.counts;
        Panel {
            name: self.way.name.to_owned(),
            summary: format!(
                "finished: {} · cancelled: {} · forced: {} · lost: {} · left running: {} · jobs lost: {}",
                self.counts.finished,
                self.counts.cancelled,
                self.counts.forced,
                self.counts.lost,
                self.counts.left,
                self.jobs_lost(),
            ),
            clients: self.clients,
            spans: self.spans.clone(),
            good: vec![(Duration::ZERO, signal)],
            bands: vec![("t", signal, signal + self.grace)],
            hung: Some(down).filter(|_| self.counts.left > 0),
            end: down,
            open: down,
            close_up: None,
        }
    }

    fn summary(&self) -> String {
        format!(
            "with {}: {} in flight, finished: {}, cancelled: {}, forced: {}, lost: {}, hung: {}, after {:.2} s",
            self.way.name,
            self.counts.in_flight,
            self.counts.finished,
            self.counts.cancelled,
            self.counts.forced,
            self.counts.lost,
            self.counts.left,
            self.took().as_secs_f64(),
        )
    }
}

fn table(runs: &[Run]) -> Table {
    let mut table = Table::new(runs.iter().map(|run| run.way.name));
    let mut count = |question: &str, count: fn(&Counts) -> u64| {
        table.ask(question, runs, |run| count(&run.counts));
    };
    count("requests in flight at the signal", |all| all.in_flight);
    count("  finished", |all| all.finished);
    count("  cancelled cleanly", |all| all.cancelled);
    count("    transactions undone", |all| all.undone);
    count("  forced at the end of the grace", |all| all.forced);
    count("  lost: dropped in the middle", |all| all.lost);
    count("    transactions half done", |all| all.half_done);
    count("  never ended: left at the exit", |all| all.left);
    count("jobs behind finished requests", |all| all.jobs);
    table.ask("  lost", runs, Run::jobs_lost);
    table.ask("clients answered", runs, |run| run.seen.answered);
    table.ask("  told that it is over", runs, |run| run.seen.told);
    table.ask("  without an answer", runs, |run| {
        let Seen { answered, told } = run.seen;
        u64::from(run.clients) - answered - told
    });
    table.ask("time to empty", runs, |run| {
        if run.counts.left > 0 {
            return "never".to_owned();
        }
        format!("{:.2} s", run.took().as_secs_f64())
    });
    table
}

/// The promises of a scope. How much of the grace a busy machine takes from the clean-ups is none of them: what is
/// not done by then is forced, and shown.
const PROMISES: &[Promise<Run>] = &[
    Promise {
        what: "every request ends",
        broken: |run| {
            let left = run.counts.left;
            (left > 0).then(|| format!("{left} left"))
        },
    },
    Promise {
        what: "every task ends",
        broken: |run| (run.left > 0).then(|| format!("{} left", run.left)),
    },
    Promise {
        what: "none is dropped in the middle before the grace is over",
        broken: |run| {
            let lost = run.counts.lost;
            (lost > 0).then(|| format!("{lost} lost"))
        },
    },
    Promise {
        what: "the end comes soon after the grace",
        broken: |run| {
            // The executor may take its time with what is forced.
            let most = run.grace + Duration::from_secs(2);
            (run.took() > most).then(|| format!("after {:.1} s", run.took().as_secs_f64()))
        },
    },
    Promise {
        what: "requests were in flight",
        broken: |run| (run.counts.in_flight == 0).then(|| "none was".to_owned()),
    },
];

/// Everything of the act; the last run is the one with the scope.
pub(super) fn scene(runs: &[Run]) -> Scene {
    let mut table = table(runs);
    let ours = runs.last().expect("the act runs it");
    table.caption(format!(
        "{} clients, 4 of 10 with quick requests, 3 slow, 2 with transactions, 1 with a library that listens to nobody; grace {:.2} s",
        ours.clients,
        ours.grace.as_secs_f64()
    ));
    let said = |run: &Run| {
        let said = run.said.as_ref()?;
        Some(format!("{}: {said}", run.way.name))
    };
    let shown = |run: &Run| Shown {
        way: run.way,
        panels: vec![run.panel()],
    };
    Scene {
        table,
        words: &WORDS,
        runs: runs.iter().map(shown).collect(),
        notes: runs.iter().filter_map(said).collect(),
        verdict: Verdict::new(ours.summary(), PROMISES, runs, |run| run.way),
    }
}

#[cfg(test)]
pub(super) fn sample(hung: usize) -> Scene {
    use super::{Drained, Scoped, Stop};
    let run = |way, left| {
        let mut counts = Counts::default();
        (counts.in_flight, counts.left) = (4, left);
        (counts.signal, counts.down) = (Duration::from_secs(1), Duration::from_secs(2));
        Run {
            way,
            clients: 4,
            grace: Duration::from_secs(1),
            counts,
            seen: Seen::default(),
            said: Some("it is down".to_owned()),
            left: 0,
            spans: Vec::new(),
        }
    };
    scene(&[run(Drained::WAY, 1), run(Scoped::WAY, hung as u64)])
}
