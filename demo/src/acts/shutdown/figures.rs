//! What a run says: its column of the table, its panel of the picture, and whether a scope kept its
//! promises.

use std::time::Duration;

use super::{
    Scene,
    requests::Counts,
    server::{Seen, Stop},
    with_scope::Scoped,
};
use crate::{
    acts::Verdict,
    report::{
        picture::{Crowd, Panel, Words},
        table::Table,
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
    bands: "violet: the grace",
    sorted: true,
    hung: "still running when the process ended",
};

/// A run, when it is over.
pub(super) struct Run {
    pub(super) name: &'static str,
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
            name: self.name.to_owned(),
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
}

fn table(runs: &[Run]) -> Table {
    let mut table = Table::new(runs.iter().map(|run| run.name));
    let mut row = |question: &str, answer: &dyn Fn(&Run) -> String| {
        table.row(question, runs.iter().map(answer));
    };
    let count = |count: fn(&Counts) -> u64| move |run: &Run| count(&run.counts).to_string();
    row(
        "requests in flight at the signal",
        &count(|all| all.in_flight),
    );
    row("  finished", &count(|all| all.finished));
    row("  cancelled cleanly", &count(|all| all.cancelled));
    row("    transactions undone", &count(|all| all.undone));
    row("  forced at the end of the grace", &count(|all| all.forced));
    row("  lost: dropped in the middle", &count(|all| all.lost));
    row("    transactions half done", &count(|all| all.half_done));
    row("  never ended: left at the exit", &count(|all| all.left));
    row("jobs behind finished requests", &count(|all| all.jobs));
    row("  lost", &|run| run.jobs_lost().to_string());
    row("clients answered", &|run| run.seen.answered.to_string());
    row("  told that it is over", &|run| run.seen.told.to_string());
    row("  without an answer", &|run| {
        let Seen { answered, told } = run.seen;
        (u64::from(run.clients) - answered - told).to_string()
    });
    row("time to empty", &|run| {
        if run.counts.left > 0 {
            return "never".to_owned();
        }
        format!("{:.2} s", run.took().as_secs_f64())
    });
    table
}

/// The promises of a scope that `run` did not keep. How much of the grace a busy machine takes from the
/// clean-ups is none of them: what is not done by then is forced, and shown.
fn broken(run: &Run) -> Vec<String> {
    let Counts {
        lost,
        left,
        in_flight,
        ..
    } = run.counts;
    // The executor may take its time with what is forced.
    let most = run.grace + Duration::from_secs(2);
    let promises = [
        (left > 0, format!("{left} requests hung")),
        (run.left > 0, format!("{} tasks hung", run.left)),
        (lost > 0, format!("{lost} requests were lost")),
        (in_flight == 0, "nothing was in flight".to_owned()),
        (run.took() > most, format!("it took {:?}", run.took())),
    ];
    let broken = promises.into_iter().filter(|(broken, _)| *broken);
    broken.map(|(_, what)| what).collect()
}

/// Everything of the act; the last run is the one with the scope.
pub(super) fn scene(runs: &[Run]) -> Scene {
    let mut table = table(runs);
    let scope = runs.iter().rfind(|run| run.name == Scoped::NAME);
    let scope = scope.expect("the act runs it");
    table.caption(format!(
        "{} clients, 4 of 10 with quick requests, 3 slow, 2 with transactions, 1 with a library that listens to nobody; grace {:.2} s",
        scope.clients,
        scope.grace.as_secs_f64()
    ));
    let said = |run: &Run| {
        run.said
            .as_ref()
            .map(|said| format!("{}: {said}", run.name))
    };
    Scene {
        table,
        words: &WORDS,
        panels: runs.iter().map(Run::panel).collect(),
        notes: runs.iter().filter_map(said).collect(),
        verdict: Verdict {
            summary: format!(
                "with {}: {} in flight, finished: {}, cancelled: {}, forced: {}, lost: {}, hung: {}, after {:.2} s",
                scope.name,
                scope.counts.in_flight,
                scope.counts.finished,
                scope.counts.cancelled,
                scope.counts.forced,
                scope.counts.lost,
                scope.counts.left,
                scope.took().as_secs_f64(),
            ),
            broken: broken(scope),
        },
    }
}
