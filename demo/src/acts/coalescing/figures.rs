//! What a run says: its column of the table, its panel of the picture, and whether it kept the
//! promises of a `Group`.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{HOTTEST, Scene, books::Counts, proxy::Coalesce, with_group::UnderGroup};
use crate::{
    acts::Verdict,
    args::Args,
    load::{Outcomes, get},
    report::{
        picture::{Crowd, Panel, Words},
        table::{Table, percentile},
    },
    timeline::{Doing, Span},
    watch::Ending,
};

/// The words of its picture.
static WORDS: Words = Words {
    strip: "hottest page",
    crowd: &[
        Crowd {
            class: "w",
            name: "waiting",
            has: |doing| matches!(doing, Doing::Waiting),
        },
        Crowd {
            class: "m",
            name: "fetching",
            has: Doing::holds,
        },
    ],
    legend: &[
        ("r", "from the cache"),
        ("w", "waits"),
        ("m", "fetches"),
        ("o", "took over from one cut off"),
        ("h", "nothing moves"),
        ("v", "in the cache"),
        ("d", "not in the cache"),
    ],
    cut_off: "cut off",
    bands: "",
    sorted: false,
    hung: "… and so on for ever",
};

/// A run, when it is over.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) clients: u32,
    pub(crate) outcomes: Arc<Outcomes>,
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) counts: Counts,
    pub(crate) ending: Ending,
    /// What ended after this was ended by force.
    pub(crate) open: Duration,
    /// Heap at its peak, in bytes.
    pub(crate) memory: usize,
    /// Tasks that could not be ended.
    pub(crate) left: usize,
    /// Documents on the list of what is being fetched, when nothing is fetched any more.
    pub(crate) entries: usize,
    /// From when to when the hottest document was in the cache.
    pub(crate) kept: Vec<(Duration, Duration)>,
    pub(crate) most_busy: u32,
    pub(crate) spans: Vec<Span>,
}

impl Run {
    fn taken_over(&self) -> usize {
        let taking_over = |span: &&Span| span.doing == Doing::TakingOver && span.to() <= self.open;
        self.spans.iter().filter(taking_over).count()
    }

    fn panel(&self) -> Panel {
        Panel {
            name: self.name.to_owned(),
            summary: format!(
                "fetches: {} (needless: {}) · at once: {} · failures: {} · tasks hung: {} of {}",
                self.counts.begun,
                self.counts.needless,
                self.counts.at_once,
                self.outcomes.failures(),
                self.ending.hung,
                self.clients,
            ),
            clients: self.clients,
            spans: self.spans.clone(),
            good: self.kept.clone(),
            bands: Vec::new(),
            hung: (self.ending.hung > 0).then_some(self.ending.at),
            end: if self.ending.hung > 0 {
                self.open
            } else {
                self.ending.at
            },
            open: self.open,
            close_up: None,
        }
    }

    /// One fetch of the hottest document that was cut off and taken over, if there was one; else any.
    fn close_up(&self) -> Option<Panel> {
        const BEFORE: Duration = Duration::from_millis(30);
        const AFTER: Duration = Duration::from_millis(60);
        let hottest = self.spans.iter().filter(|span| span.about == HOTTEST);
        let fetches = hottest.clone().filter(|span| span.doing.holds());
        let mut whole = fetches.clone().filter(|span| !span.cut_off);
        let shown = whole
            .clone()
            .find(|span| span.doing == Doing::TakingOver)
            .or_else(|| whole.next())?;
        // Back to the first of those that were cut off before it.
        let before = |span: &&Span| span.cut_off && span.to() <= shown.from();
        let from = fetches
            .filter(before)
            .map(Span::from)
            .filter(|from| *from + BEFORE * 20 > shown.from())
            .min()
            .unwrap_or(shown.from());
        let what = if shown.doing == Doing::TakingOver {
            "the hottest page: a fetch begun, cut off, taken over by one; the others wait, and go on"
        } else {
            "the hottest page: one fetches; the others wait, and go on"
        };
        Some(Panel {
            name: format!("{}, close up", self.name),
            summary: what.to_owned(),
            close_up: Some((from.saturating_sub(BEFORE), shown.to() + AFTER)),
            spans: hottest.copied().collect(),
            ..self.panel()
        })
    }
}

fn table(runs: &[Run]) -> Table {
    let mut table = Table::new(runs.iter().map(|run| run.name));
    let mut row = |question: &str, answer: &dyn Fn(&Run) -> String| {
        table.row(question, runs.iter().map(answer));
    };
    let outcome = |counter: fn(&Outcomes) -> &AtomicU64| {
        move |run: &Run| get(counter(&run.outcomes)).to_string()
    };
    row("requests", &outcome(|all| &all.begun));
    row("  ok", &outcome(|all| &all.ok));
    row("  cut off, as drawn by lot", &outcome(|all| &all.cut_off));
    row("fetching or waiting, at most", &|run| {
        run.most_busy.to_string()
    });
    row("fetches from upstream", &|run| run.counts.begun.to_string());
    row("  needless", &|run| run.counts.needless.to_string());
    row("  at the same time, at most", &|run| {
        run.counts.at_once.to_string()
    });
    row("fetches cut off", &|run| run.counts.cut_off.to_string());
    row("  taken over by waiters", &|run| {
        run.taken_over().to_string()
    });
    row("failures that clients saw", &|run| {
        run.outcomes.failures().to_string()
    });
    for percent in [50, 99] {
        row(&format!("p{percent} of the ok ones"), &|run| {
            percentile(&run.latencies, percent)
        });
    }
    row("tasks hung", &|run| {
        format!("{} of {}", run.ending.hung, run.clients)
    });
    row("tasks late", &|run| run.ending.late.to_string());
    row("entries left behind", &|run| run.entries.to_string());
    row("heap at its peak", &|run| {
        format!("{:.1} MB", run.memory as f64 / 1e6)
    });
    row("last client done after", &|run| {
        if run.ending.hung > 0 {
            "never".to_owned()
        } else {
            let more = if run.ending.late > 0 { "> " } else { "" };
            format!("{more}{:.1} s", run.ending.at.as_secs_f64())
        }
    });
    table
}

/// The promises of a `Group` that `run` did not keep. What the machine did is none: a lost packet.
fn broken(run: &Run) -> Vec<String> {
    let promises = [
        (
            run.counts.needless > 0,
            format!("{} fetches were needless", run.counts.needless),
        ),
        (
            run.ending.hung > 0,
            format!("{} tasks hung", run.ending.hung),
        ),
        (
            run.entries > 0,
            format!("{} entries were left behind", run.entries),
        ),
        (
            get(&run.outcomes.ok) + get(&run.outcomes.cut_off) == 0,
            "no request came to an end".to_owned(),
        ),
    ];
    let broken = promises.into_iter().filter(|(broken, _)| *broken);
    broken.map(|(_, what)| what).collect()
}

fn notes(run: &Run) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |number: u64, what: &str| {
        if number > 0 {
            notes.push(format!("{}: {number} {what}", run.name));
        }
    };
    note(
        get(&run.outcomes.transport),
        "requests failed in the network: not enough sockets, or packets lost",
    );
    note(
        run.ending.late as u64,
        "tasks had not ended when the patience had: late, still moving",
    );
    note(run.left as u64, "tasks of the run could not be ended");
    notes
}

/// Everything of the act; the last run is the one with the `Group`.
pub(super) fn scene(args: &Args, runs: &[Run]) -> Scene {
    let mut table = table(runs);
    table.caption(format!(
        "{} documents; a fetch takes {} ms on average, of which upstream serves {} at a time; a copy is kept for {} ms",
        args.documents, args.upstream_ms, args.workers, args.keep_ms
    ));
    let group = runs.iter().rfind(|run| run.name == UnderGroup::NAME);
    let group = group.expect("the act runs it");
    Scene {
        table,
        words: &WORDS,
        panels: runs
            .iter()
            .map(Run::panel)
            .chain(group.close_up())
            .collect(),
        notes: runs.iter().flat_map(notes).collect(),
        verdict: Verdict {
            summary: format!(
                "with {}: {} fetches for {} requests (needless: {}), cut off: {}, taken over: {}, hung: {}, left behind: {}",
                group.name,
                group.counts.begun,
                get(&group.outcomes.begun),
                group.counts.needless,
                group.counts.cut_off,
                group.taken_over(),
                group.ending.hung,
                group.entries,
            ),
            broken: broken(group),
        },
    }
}
