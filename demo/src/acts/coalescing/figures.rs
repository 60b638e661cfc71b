//! What a run says: its column of the table, its panels of the picture, and whether it kept the
//! promises of a `Group`.

use std::{iter, time::Duration};

use super::{HOTTEST, Scene, books::Counts};
use crate::{
    acts::record::{self, Moment, Record},
    args::Args,
    load::get,
    report::{
        Shown,
        picture::{Crowd, Panel, Words},
        table::Table,
        verdict::{Promise, Verdict},
    },
    timeline::Doing,
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
    bands: &[],
    sorted: false,
    hung: "… and so on for ever",
};

/// A run, when it is over.
pub(crate) struct Run {
    pub(crate) record: Record,
    pub(crate) counts: Counts,
    /// Documents on the list of what is being fetched, when nothing is fetched any more.
    pub(crate) entries: usize,
    /// From when to when the hottest document was in the cache.
    pub(crate) kept: Vec<(Duration, Duration)>,
}

impl AsRef<Record> for Run {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

impl Run {
    fn panel(&self) -> Panel {
        let summary = format!(
            "fetches: {} (needless: {}) · at once: {} · failures: {} · tasks hung: {} of {}",
            self.counts.begun,
            self.counts.needless,
            self.counts.at_once,
            self.record.outcomes.failures(),
            self.record.ending.hung,
            self.record.clients,
        );
        Panel {
            good: self.kept.clone(),
            ..self.record.panel(summary)
        }
    }

    fn shown(&self, close_up: Option<Panel>) -> Shown {
        Shown {
            way: self.record.way,
            panels: iter::once(self.panel()).chain(close_up).collect(),
        }
    }

    /// One fetch of the hottest document that was cut off and taken over, if there was one; else any.
    fn close_up(&self) -> Option<Panel> {
        const BACK: Duration = Duration::from_millis(600);
        let spans = self.record.spans.iter();
        let hottest = spans.filter(|span| span.about == HOTTEST);
        let moment = Moment::of(hottest.clone(), BACK)?;
        let what = if moment.taken_over {
            "the hottest page: a fetch begun, cut off, taken over by one; the others wait, and go on"
        } else {
            "the hottest page: one fetches; the others wait, and go on"
        };
        Some(Panel {
            name: "a fetch, close up".to_owned(),
            summary: what.to_owned(),
            close_up: Some(moment.window),
            spans: hottest.copied().collect(),
            ..self.panel()
        })
    }

    fn summary(&self) -> String {
        format!(
            "with {}: {} fetches for {} requests (needless: {}), cut off: {}, taken over: {}, hung: {}, left behind: {}",
            self.record.way.name,
            self.counts.begun,
            get(&self.record.outcomes.begun),
            self.counts.needless,
            self.counts.cut_off,
            self.record.taken_over(),
            self.record.ending.hung,
            self.entries,
        )
    }
}

fn table(runs: &[Run]) -> Table {
    let mut table = Table::new(runs.iter().map(|run| run.record.way.name));
    record::requests(&mut table, runs, "fetching or waiting, at most");
    let mut count = |question: &str, count: fn(&Counts) -> u64| {
        table.ask(question, runs, |run| count(&run.counts));
    };
    count("fetches from upstream", |all| all.begun);
    count("  needless", |all| all.needless);
    count("  at the same time, at most", |all| all.at_once);
    count("fetches cut off", |all| all.cut_off);
    table.ask("  taken over by waiters", runs, |run| {
        run.record.taken_over()
    });
    table.ask("entries left behind", runs, |run| run.entries);
    table.ask("failures that clients saw", runs, |run| {
        run.record.outcomes.failures()
    });
    record::endings(&mut table, runs);
    table
}

/// The promises of a `Group`. What the machine did is none: a lost packet.
const PROMISES: &[Promise<Run>] = &[
    Promise {
        what: "one fetch of a page at a time, none while there is a copy",
        broken: |run| {
            let needless = run.counts.needless;
            (needless > 0).then(|| format!("{needless} needless"))
        },
    },
    Promise {
        what: "nothing is left behind",
        broken: |run| (run.entries > 0).then(|| format!("{} entries left", run.entries)),
    },
    record::no_task_hangs(),
    record::requests_end(),
];

/// Everything of the act; the last run is the one with the `Group`.
pub(super) fn scene(args: &Args, runs: &[Run]) -> Scene {
    let mut table = table(runs);
    table.caption(format!(
        "{} documents; a fetch takes {} ms on average, of which upstream serves {} at a time; a copy is kept for {} ms",
        args.documents, args.upstream_ms, args.workers, args.keep_ms
    ));
    let (ours, others) = runs.split_last().expect("the act runs it");
    Scene {
        table,
        words: &WORDS,
        runs: others
            .iter()
            .map(|run| run.shown(None))
            .chain([ours.shown(ours.close_up())])
            .collect(),
        notes: runs.iter().flat_map(|run| run.record.notes()).collect(),
        verdict: Verdict::new(ours.summary(), PROMISES, runs, |run| run.record.way),
    }
}

#[cfg(test)]
pub(super) fn sample(hung: usize) -> Scene {
    use super::{Args, Coalesce, EachForItself, UnderGroup};
    let run = |way, hung| Run {
        record: record::sample(way, hung),
        counts: Counts::default(),
        entries: 0,
        kept: Vec::new(),
    };
    let args = <Args as clap::Parser>::parse_from(["demo"]);
    scene(
        &args,
        &[run(EachForItself::WAY, 1), run(UnderGroup::WAY, hung)],
    )
}
