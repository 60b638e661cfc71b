//! What a run says: its column of the table, its panel of the picture, and whether it kept the
//! promises of a `Refresher`.

use std::{
    iter,
    ops::Range,
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use super::{Scene, call::Renew, ledger::Counts, with_refresher::ByRefresher};
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
    strip: "token",
    crowd: &[
        Crowd {
            class: "w",
            name: "waiting",
            has: |doing| matches!(doing, Doing::Waiting),
        },
        Crowd {
            class: "m",
            name: "renewing",
            has: Doing::holds,
        },
    ],
    legend: &[
        ("r", "request"),
        ("w", "waits"),
        ("m", "renews"),
        ("o", "took over from one cut off"),
        ("h", "nothing moves"),
        ("v", "token valid"),
        ("d", "token dead"),
    ],
    cut_off: "cut off",
    bands: "violet: the token endpoint is down; below, orange: the breaker is open",
    sorted: false,
    hung: "… and so on for ever",
};

/// A run, when it is over.
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) clients: u32,
    pub(crate) outcomes: Arc<Outcomes>,
    pub(crate) counts: Counts,
    pub(crate) ending: Ending,
    /// What ended after this was ended by force.
    pub(crate) open: Duration,
    /// Heap at its peak, in bytes.
    pub(crate) memory: usize,
    /// Tasks that could not be ended.
    pub(crate) left: usize,
    /// From when to when the clients had a valid token.
    pub(crate) valid: Vec<(Duration, Duration)>,
    /// From when to when the token endpoint was down …
    pub(crate) outage: Range<Duration>,
    /// … and the breaker was not closed.
    pub(crate) opened: Vec<(Duration, Duration)>,
    pub(crate) most_busy: u32,
    pub(crate) spans: Vec<Span>,
}

impl Run {
    fn count(&self, kind: impl Fn(&Span) -> bool) -> usize {
        let ended = |span: &&Span| span.to() <= self.open;
        let kind = |span: &&Span| kind(span);
        self.spans.iter().filter(ended).filter(kind).count()
    }

    fn cut_off_holders(&self) -> usize {
        self.count(|span| span.cut_off && span.doing.holds())
    }

    fn taken_over(&self) -> usize {
        self.count(|span| span.doing == Doing::TakingOver)
    }

    fn ended_tokens(&self) -> u64 {
        self.counts.expired + self.counts.revoked
    }

    /// Its name, where there is little room.
    fn short(&self) -> &'static str {
        self.name.trim_start_matches("ecluse ")
    }

    fn panel(&self) -> Panel {
        Panel {
            name: self.name.to_owned(),
            summary: format!(
                "tokens that ended: {} · mints: {} (early: {}, wasted: {}) · failures: {} · hung: {} of {}",
                self.ended_tokens(),
                self.counts.minted,
                self.counts.early,
                self.counts.wasted,
                self.outcomes.failures(),
                self.ending.hung,
                self.clients,
            ),
            clients: self.clients,
            spans: self.spans.clone(),
            good: self.valid.clone(),
            bands: iter::once(("t", self.outage.start, self.outage.end))
                .chain(self.opened.iter().map(|(from, to)| ("x", *from, *to)))
                .collect(),
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

    /// One renewal that was cut off and taken over, if there was one; else any.
    fn close_up(&self) -> Option<Panel> {
        const BEFORE: Duration = Duration::from_millis(30);
        const AFTER: Duration = Duration::from_millis(60);
        let ended = |span: &&Span| span.doing.holds() && !span.cut_off;
        let mut renewals = self.spans.iter().filter(ended);
        let shown = renewals
            .clone()
            .find(|span| span.doing == Doing::TakingOver)
            .or_else(|| renewals.next())?;
        // Back to the first of those that were cut off before it.
        let near = |span: &&Span| span.doing.holds() && span.cut_off && span.to() <= shown.from();
        let from = self
            .spans
            .iter()
            .filter(near)
            .map(Span::from)
            .filter(|from| *from + BEFORE * 8 > shown.from())
            .min()
            .unwrap_or(shown.from());
        let what = if shown.doing == Doing::TakingOver {
            "one renewal: begun, cut off, taken over by one; the others wait, and go on"
        } else {
            "one renewal; the others wait, and go on"
        };
        let window = (from.saturating_sub(BEFORE), shown.to() + AFTER);
        Some(Panel {
            name: format!("{}, close up", self.short()),
            summary: what.to_owned(),
            close_up: Some(window),
            ..self.panel()
        })
    }
}

impl Run {
    /// The outage, close up.
    fn outage(&self) -> Option<Panel> {
        const AROUND: Duration = Duration::from_millis(150);
        let Range { start, end } = self.outage;
        (self.ending.at > end).then(|| Panel {
            name: format!("{}, the outage", self.short()),
            summary: format!(
                "the endpoint is down: {} requests served with the valid token; asked {} times; the breaker opened: {}",
                self.counts.served,
                self.counts.down,
                self.opened.len(),
            ),
            close_up: Some((start.saturating_sub(AROUND), end + AROUND)),
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
    row("busy or waiting, at most", &|run| run.most_busy.to_string());
    row("tokens that ended in use", &|run| {
        run.ended_tokens().to_string()
    });
    row("  expired + revoked", &|run| {
        format!("{} + {}", run.counts.expired, run.counts.revoked)
    });
    row("mints", &|run| run.counts.minted.to_string());
    row("  early, beside a valid token", &|run| {
        run.counts.early.to_string()
    });
    row("  wasted", &|run| run.counts.wasted.to_string());
    row("refused: refresh token reused", &|run| {
        run.counts.punished.to_string()
    });
    row("renewers cut off", &|run| run.cut_off_holders().to_string());
    row("  taken over by a waiter", &|run| {
        run.taken_over().to_string()
    });
    row("token endpoint down: it was asked", &|run| {
        run.counts.down.to_string()
    });
    row("  requests served meanwhile", &|run| {
        run.counts.served.to_string()
    });
    row("  breaker opened", &|run| match run.opened.len() {
        0 if run.name != ByRefresher::NAME => "–".to_owned(),
        opened => opened.to_string(),
    });
    row("failures that clients saw", &|run| {
        run.outcomes.failures().to_string()
    });
    row("  signed out", &outcome(|all| &all.signed_out));
    row("  refused 8 times", &outcome(|all| &all.refused));
    row("  no token to be had", &outcome(|all| &all.down));
    row("  network", &outcome(|all| &all.transport));
    let latencies: Vec<_> = runs.iter().map(|run| run.outcomes.latencies()).collect();
    for percent in [50, 99] {
        table.row(
            &format!("p{percent} of the ok ones"),
            latencies.iter().map(|sorted| percentile(sorted, percent)),
        );
    }
    let mut row = |question: &str, answer: &dyn Fn(&Run) -> String| {
        table.row(question, runs.iter().map(answer));
    };
    row("tasks hung", &|run| {
        format!("{} of {}", run.ending.hung, run.clients)
    });
    row("tasks late", &|run| run.ending.late.to_string());
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

/// The promises of a `Refresher` that `run` did not keep. What the machine did is none: a lost packet, a token
/// that ends faster than a request is made, or before anybody uses it again. (That each mint replaces a
/// token that has ended or is about to is one of them: any other is wasted.)
fn broken(run: &Run) -> Vec<String> {
    let promises = [
        (
            run.counts.wasted > 0,
            format!("{} mints were wasted", run.counts.wasted),
        ),
        (
            run.counts.punished > 0 || get(&run.outcomes.signed_out) > 0,
            format!(
                "{} refresh tokens were used twice, {} clients signed out",
                run.counts.punished,
                get(&run.outcomes.signed_out)
            ),
        ),
        (
            run.ending.hung > 0,
            format!("{} tasks hung", run.ending.hung),
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
        get(&run.outcomes.refused),
        "requests were refused 8 times: this machine is too slow for the life of a token",
    );
    note(
        run.ending.late as u64,
        "tasks had not ended when the patience had: late, still moving",
    );
    note(run.left as u64, "tasks of the run could not be ended");
    notes
}

/// Everything of the act; the last run is the one with the `Refresher`.
pub(super) fn scene(args: &Args, runs: &[Run]) -> Scene {
    let mut table = table(runs);
    table.caption(format!(
        "a token lives {} ms, a mint takes {} ms, the token endpoint is down for {} % of a token's life",
        args.token_ms,
        args.mint_ms,
        super::OUTAGE_PERCENT,
    ));
    let ours = runs.iter().rfind(|run| run.name == ByRefresher::NAME);
    let ours = ours.expect("the act runs it");
    Scene {
        table,
        words: &WORDS,
        panels: runs
            .iter()
            .map(Run::panel)
            .chain(ours.close_up())
            .chain(ours.outage())
            .collect(),
        notes: runs.iter().flat_map(notes).collect(),
        verdict: Verdict {
            summary: format!(
                "with {}: mints: {}, of them {} early, and {} tokens that ended (wasted: {}), served while the endpoint was down: {}, renewers cut off: {}, taken over: {}, signed out: {}, hung: {}",
                ours.name,
                ours.counts.minted,
                ours.counts.early,
                ours.ended_tokens(),
                ours.counts.wasted,
                ours.counts.served,
                ours.cut_off_holders(),
                ours.taken_over(),
                get(&ours.outcomes.signed_out),
                ours.ending.hung,
            ),
            broken: broken(ours),
        },
    }
}
