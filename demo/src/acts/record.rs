//! What there is of every run under load, whatever its act: how the requests and the clients ended, what it took, what
//! everybody did when. And its part of an act's figures.

use std::{sync::Arc, sync::atomic::AtomicU64, time::Duration};

use crate::{
    load::{Outcomes, get},
    report::{
        Way,
        picture::Panel,
        table::{Table, percentile},
        verdict::Promise,
    },
    runtime::{Runtime, Tasks},
    timeline::{Doing, Span, Timeline},
    watch::Ending,
};

/// A run, when it is over.
pub(super) struct Record {
    pub(super) way: Way,
    pub(super) clients: u32,
    pub(super) outcomes: Arc<Outcomes>,
    /// How long the successful requests took, sorted.
    pub(super) latencies: Vec<Duration>,
    pub(super) ending: Ending,
    /// What ended after this was ended by force.
    pub(super) open: Duration,
    /// Heap at its peak, in bytes.
    pub(super) memory: usize,
    /// Tasks that could not be ended.
    pub(super) left: usize,
    pub(super) most_busy: u32,
    pub(super) spans: Vec<Span>,
}

/// How the requests ended, and what the heap was at its peak until then.
pub(super) struct Ended {
    pub(super) ending: Ending,
    /// In bytes.
    pub(super) memory: usize,
}

impl Record {
    /// What has not ended is ended now; what it did until then comes into the timeline.
    pub(super) async fn of<R: Runtime>(
        way: Way,
        clients: u32,
        outcomes: Arc<Outcomes>,
        timeline: &Timeline,
        Ended { ending, memory }: Ended,
        tasks: Tasks<R>,
    ) -> Self {
        let open = timeline.elapsed();
        let left = tasks.end().await;
        Self {
            way,
            clients,
            latencies: outcomes.latencies(),
            outcomes,
            ending,
            open,
            memory,
            left,
            most_busy: timeline.most_busy(),
            spans: timeline.take(),
        }
    }

    fn count(&self, kind: impl Fn(&Span) -> bool) -> usize {
        let spans = self.spans.iter();
        spans
            .filter(|span| span.to() <= self.open && kind(span))
            .count()
    }

    /// How many were cut off while they did it for all.
    pub(super) fn cut_off_holders(&self) -> usize {
        self.count(|span| span.cut_off && span.doing.holds())
    }

    /// How many did it in the place of one that was cut off.
    pub(super) fn taken_over(&self) -> usize {
        self.count(|span| span.doing == Doing::TakingOver)
    }

    /// The whole run; what the clients need is for the act to add.
    pub(super) fn panel(&self, summary: String) -> Panel {
        let hung = self.ending.hung > 0;
        Panel {
            name: self.way.name.to_owned(),
            summary,
            clients: self.clients,
            spans: self.spans.clone(),
            good: Vec::new(),
            bands: Vec::new(),
            hung: hung.then_some(self.ending.at),
            end: if hung { self.open } else { self.ending.at },
            open: self.open,
            close_up: None,
        }
    }

    /// What the machine did to the numbers.
    pub(super) fn notes(&self) -> impl Iterator<Item = String> + '_ {
        let notes = [
            (
                get(&self.outcomes.transport),
                "requests failed in the network: not enough sockets, or packets lost",
            ),
            (
                self.ending.late as u64,
                "tasks had not ended when the patience had: late, still moving",
            ),
            (self.left as u64, "tasks of the run could not be ended"),
        ];
        let some = notes.into_iter().filter(|(number, _)| *number > 0);
        let spared = (self.cut_off_holders() == 0).then(|| {
            format!(
                "{}: nobody was cut off while others waited for them: what this run shows is luck",
                self.way.name
            )
        });
        some.map(|(number, what)| format!("{}: {number} {what}", self.way.name))
            .chain(spared)
    }
}

/// Whatever is shown, no task hangs …
pub(super) const fn no_task_hangs<R: AsRef<Record>>() -> Promise<R> {
    Promise {
        what: "no task hangs",
        broken: |run| {
            let hung = run.as_ref().ending.hung;
            (hung > 0).then(|| format!("{hung} hung"))
        },
    }
}

/// … and there was something to see.
pub(super) const fn requests_end<R: AsRef<Record>>() -> Promise<R> {
    Promise {
        what: "requests come to an end",
        broken: |run| {
            let outcomes = &run.as_ref().outcomes;
            let ended = get(&outcomes.ok) + get(&outcomes.cut_off);
            (ended == 0).then(|| "none did".to_owned())
        },
    }
}

/// A count of outcomes, for a table.
pub(super) fn outcome<R: AsRef<Record>>(
    counter: fn(&Outcomes) -> &AtomicU64,
) -> impl Fn(&R) -> u64 {
    move |run| get(counter(&run.as_ref().outcomes))
}

/// The first rows of a table: what was asked for.
pub(super) fn requests<R: AsRef<Record>>(table: &mut Table, runs: &[R], busy: &str) {
    table.ask("requests", runs, outcome(|all| &all.begun));
    table.ask("  ok", runs, outcome(|all| &all.ok));
    table.ask(
        "  cut off, as drawn by lot",
        runs,
        outcome(|all| &all.cut_off),
    );
    table.ask(busy, runs, |run| run.as_ref().most_busy);
}

/// The last ones: how long it took, and whether it came to an end.
pub(super) fn endings<R: AsRef<Record>>(table: &mut Table, runs: &[R]) {
    for percent in [50, 99] {
        table.ask(&format!("p{percent} of the ok ones"), runs, |run| {
            percentile(&run.as_ref().latencies, percent)
        });
    }
    table.ask("tasks hung", runs, |run| {
        let Record {
            ending, clients, ..
        } = run.as_ref();
        format!("{} of {clients}", ending.hung)
    });
    table.ask("tasks late", runs, |run| run.as_ref().ending.late);
    table.ask("heap at its peak", runs, |run| {
        format!("{:.1} MB", run.as_ref().memory as f64 / 1e6)
    });
    table.ask("last client done after", runs, |run| {
        let ending = run.as_ref().ending;
        if ending.hung > 0 {
            return "never".to_owned();
        }
        let more = if ending.late > 0 { "> " } else { "" };
        format!("{more}{:.1} s", ending.at.as_secs_f64())
    });
}

/// A moment to be shown close up: one that did it to the end.
pub(super) struct Moment {
    /// In the place of one that was cut off.
    pub(super) taken_over: bool,
    /// From a bit before, with those that were cut off before it, to a bit after.
    pub(super) window: (Duration, Duration),
}

impl Moment {
    const BEFORE: Duration = Duration::from_millis(30);
    const AFTER: Duration = Duration::from_millis(60);

    /// The first in which one was taken over, if there was one; else the first. Those that were cut off before it are
    /// looked for so far `back`.
    pub(super) fn of<'a>(
        spans: impl Iterator<Item = &'a Span> + Clone,
        back: Duration,
    ) -> Option<Self> {
        let holding = spans.filter(|span| span.doing.holds());
        let mut whole = holding.clone().filter(|span| !span.cut_off);
        let taking_over = |span: &&Span| span.doing == Doing::TakingOver;
        let shown = whole.clone().find(taking_over).or_else(|| whole.next())?;
        let before = holding
            .filter(|span| span.cut_off && span.to() <= shown.from())
            .map(Span::from)
            .filter(|from| *from + back > shown.from());
        let from = before.min().unwrap_or(shown.from());
        Some(Self {
            taken_over: taking_over(&shown),
            window: (from.saturating_sub(Self::BEFORE), shown.to() + Self::AFTER),
        })
    }
}

/// One of a few clients that took an instant for a request, for tests.
#[cfg(test)]
pub(super) fn sample(way: Way, hung: usize) -> Record {
    use crate::timeline::Timeline;

    let timeline = Arc::new(Timeline::new(4));
    drop(timeline.begin(0, Doing::Holding, 0));
    timeline.begin(1, Doing::TakingOver, 0).end();
    timeline.begin(2, Doing::Waiting, 0).end();
    let outcomes = Outcomes::default();
    let counts = [
        (&outcomes.begun, 4),
        (&outcomes.ok, 3),
        (&outcomes.cut_off, 1),
    ];
    for (counter, count) in counts {
        counter.store(count, std::sync::atomic::Ordering::Relaxed);
    }
    let at = timeline.elapsed();
    Record {
        way,
        clients: 4,
        outcomes: Arc::new(outcomes),
        latencies: vec![Duration::from_millis(7)],
        ending: Ending { hung, late: 0, at },
        open: at + Duration::from_millis(20),
        memory: 1_000_000,
        left: 0,
        most_busy: 2,
        spans: timeline.take(),
    }
}
