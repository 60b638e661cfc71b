//! What a run says: its column of the table, its panels of the picture, and whether it kept the
//! promises of a `Refresher`.

use std::{iter, ops::Range, time::Duration};

use super::{Scene, ledger::Counts};
use crate::{
    acts::record::{self, Moment, Record, outcome},
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
    bands: &[
        ("t", "the token endpoint is down"),
        ("x", "the breaker is open"),
    ],
    sorted: false,
    hung: "… and so on for ever",
};

/// A run, when it is over.
pub(crate) struct Run {
    pub(crate) record: Record,
    pub(crate) counts: Counts,
    /// From when to when the clients had a valid token.
    pub(crate) valid: Vec<(Duration, Duration)>,
    /// From when to when the token endpoint was down …
    pub(crate) outage: Range<Duration>,
    /// … and the breaker, if it has one, was not closed.
    pub(crate) opened: Option<Vec<(Duration, Duration)>>,
}

impl AsRef<Record> for Run {
    fn as_ref(&self) -> &Record {
        &self.record
    }
}

impl Run {
    fn ended_tokens(&self) -> u64 {
        self.counts.expired + self.counts.revoked
    }

    fn opened(&self) -> &[(Duration, Duration)] {
        self.opened.as_deref().unwrap_or_default()
    }

    fn panel(&self) -> Panel {
        let summary = format!(
            "tokens that ended: {} · mints: {} (early: {}, wasted: {}) · failures: {} · hung: {} of {}",
            self.ended_tokens(),
            self.counts.minted,
            self.counts.early,
            self.counts.wasted,
            self.record.outcomes.failures(),
            self.record.ending.hung,
            self.record.clients,
        );
        let open = self.opened().iter().map(|(from, to)| ("x", *from, *to));
        Panel {
            good: self.valid.clone(),
            bands: iter::once(("t", self.outage.start, self.outage.end))
                .chain(open)
                .collect(),
            ..self.record.panel(summary)
        }
    }

    fn shown(&self, panels: impl IntoIterator<Item = Panel>) -> Shown {
        Shown {
            way: self.record.way,
            panels: iter::once(self.panel()).chain(panels).collect(),
        }
    }

    /// One renewal that was cut off and taken over, if there was one; else any.
    fn close_up(&self) -> Option<Panel> {
        const BACK: Duration = Duration::from_millis(240);
        let moment = Moment::of(self.record.spans.iter(), BACK)?;
        let what = if moment.taken_over {
            "one renewal: begun, cut off, taken over by one; the others wait, and go on"
        } else {
            "one renewal; the others wait, and go on"
        };
        Some(Panel {
            name: "a renewal, close up".to_owned(),
            summary: what.to_owned(),
            close_up: Some(moment.window),
            ..self.panel()
        })
    }

    /// The outage, close up.
    fn outage(&self) -> Option<Panel> {
        const AROUND: Duration = Duration::from_millis(150);
        let Range { start, end } = self.outage;
        (self.record.ending.at > end).then(|| Panel {
            name: "the outage, close up".to_owned(),
            summary: format!(
                "the endpoint is down: {} requests served with the valid token; asked {} times; the breaker opened: {}",
                self.counts.served,
                self.counts.down,
                self.opened().len(),
            ),
            close_up: Some((start.saturating_sub(AROUND), end + AROUND)),
            ..self.panel()
        })
    }

    fn notes(&self) -> impl Iterator<Item = String> + '_ {
        let refused = get(&self.record.outcomes.refused);
        let slow = (refused > 0).then(|| {
            let name = self.record.way.name;
            format!("{name}: {refused} requests were refused 8 times: this machine is too slow for the life of a token")
        });
        self.record.notes().chain(slow)
    }

    fn summary(&self) -> String {
        format!(
            "with {}: mints: {}, of them {} early, and {} tokens that ended (wasted: {}), served while the endpoint was down: {}, renewers cut off: {}, taken over: {}, signed out: {}, hung: {}",
            self.record.way.name,
            self.counts.minted,
            self.counts.early,
            self.ended_tokens(),
            self.counts.wasted,
            self.counts.served,
            self.record.cut_off_holders(),
            self.record.taken_over(),
            get(&self.record.outcomes.signed_out),
            self.record.ending.hung,
        )
    }
}

fn table(runs: &[Run]) -> Table {
    let mut table = Table::new(runs.iter().map(|run| run.record.way.name));
    record::requests(&mut table, runs, "busy or waiting, at most");
    let mut count = |question: &str, count: fn(&Counts) -> u64| {
        table.ask(question, runs, |run| count(&run.counts));
    };
    count("tokens that ended in use", |all| all.expired + all.revoked);
    count("  expired", |all| all.expired);
    count("  revoked", |all| all.revoked);
    count("mints", |all| all.minted);
    count("  early, beside a valid token", |all| all.early);
    count("  wasted", |all| all.wasted);
    count("refused: refresh token reused", |all| all.punished);
    table.ask("renewers cut off", runs, |run| run.record.cut_off_holders());
    table.ask("  taken over by a waiter", runs, |run| {
        run.record.taken_over()
    });
    table.ask("token endpoint down: it was asked", runs, |run| {
        run.counts.down
    });
    table.ask("  requests served meanwhile", runs, |run| run.counts.served);
    table.ask("  breaker opened", runs, |run| match &run.opened {
        None => "–".to_owned(),
        Some(opened) => opened.len().to_string(),
    });
    table.ask("failures that clients saw", runs, |run| {
        run.record.outcomes.failures()
    });
    table.ask("  signed out", runs, outcome(|all| &all.signed_out));
    table.ask("  refused 8 times", runs, outcome(|all| &all.refused));
    table.ask("  no token to be had", runs, outcome(|all| &all.down));
    table.ask("  network", runs, outcome(|all| &all.transport));
    record::endings(&mut table, runs);
    table
}

/// The promises of a `Refresher`. What the machine did is none: a lost packet, a token that ends faster than a
/// request is made, or before anybody uses it again. (That each mint replaces a token that has ended or is
/// about to is one of them: any other is wasted.)
const PROMISES: &[Promise<Run>] = &[
    Promise {
        what: "one mint for each token: none is wasted",
        broken: |run| {
            let wasted = run.counts.wasted;
            (wasted > 0).then(|| format!("{wasted} wasted"))
        },
    },
    Promise {
        what: "no refresh token is used twice, nobody is signed out",
        broken: |run| {
            let used = run.counts.punished;
            let signed_out = get(&run.record.outcomes.signed_out);
            (used > 0 || signed_out > 0)
                .then(|| format!("{used} used twice, {signed_out} signed out"))
        },
    },
    record::no_task_hangs(),
    record::requests_end(),
];

/// Everything of the act; the last run is the one with the `Refresher`.
pub(super) fn scene(args: &Args, runs: &[Run]) -> Scene {
    let mut table = table(runs);
    table.caption(format!(
        "a token lives {} ms, a mint takes {} ms, the token endpoint is down for {} % of a token's life",
        args.token_ms,
        args.mint_ms,
        super::OUTAGE_PERCENT,
    ));
    let (ours, others) = runs.split_last().expect("the act runs it");
    Scene {
        table,
        words: &WORDS,
        runs: others
            .iter()
            .map(|run| run.shown([]))
            .chain([ours.shown(ours.close_up().into_iter().chain(ours.outage()))])
            .collect(),
        notes: runs.iter().flat_map(Run::notes).collect(),
        verdict: Verdict::new(ours.summary(), PROMISES, runs, |run| run.record.way),
    }
}

#[cfg(test)]
pub(super) fn sample(hung: usize) -> Scene {
    use super::{Args, ByRefresher, EachForItself, Renew};
    let run = |way, hung| Run {
        record: record::sample(way, hung),
        counts: Counts::default(),
        valid: vec![(Duration::ZERO, Duration::from_secs(1))],
        outage: Duration::ZERO..Duration::from_nanos(1),
        opened: None,
    };
    let args = <Args as clap::Parser>::parse_from(["demo"]);
    scene(
        &args,
        &[run(EachForItself::WAY, 1), run(ByRefresher::WAY, hung)],
    )
}
