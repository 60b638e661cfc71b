//! The table at the end.

use std::time::Duration;

use crate::{
    load::Run,
    timeline::{Doing, Span},
};

/// How many spans of that kind there were.
fn count(run: &Run, kind: impl Fn(&Span) -> bool) -> usize {
    run.spans.iter().filter(|span| kind(span)).count()
}

fn taken_over(run: &Run) -> usize {
    count(run, |span| span.doing == Doing::TakingOver)
}

fn waited(run: &Run) -> usize {
    count(run, |span| span.doing == Doing::Waiting)
}

fn cut_while_renewing(run: &Run) -> usize {
    count(run, |span| {
        // What was ended after the run was hung, not cut off.
        span.cut_off
            && span.to <= run.took
            && matches!(span.doing, Doing::Minting | Doing::TakingOver)
    })
}

/// The latency that `percent` of the requests did not exceed.
fn percentile(run: &Run, percent: usize) -> String {
    let last = run.latencies.len().saturating_sub(1);
    run.latencies.get(last * percent / 100).map_or_else(
        || "–".to_owned(),
        |latency| format!("{:.0} ms", latency.as_secs_f64() * 1e3),
    )
}

type Row = (&'static str, fn(&Run) -> String);

const ROWS: &[Row] = &[
    ("requests", |run| run.requests.to_string()),
    ("ok", |run| run.ok.to_string()),
    ("refused 8 times", |run| run.refused.to_string()),
    ("failed", |run| run.failed.to_string()),
    ("cut off", |run| run.cut_off.to_string()),
    ("  while renewing", |run| {
        cut_while_renewing(run).to_string()
    }),
    ("mints", |run| run.mints.begun.to_string()),
    ("  wasted", |run| run.mints.wasted.to_string()),
    ("  two at a time", |run| run.mints.concurrent.to_string()),
    ("waited", |run| waited(run).to_string()),
    ("taken over", |run| taken_over(run).to_string()),
    ("latency p50", |run| percentile(run, 50)),
    ("latency p99", |run| percentile(run, 99)),
    ("tasks hung", |run| {
        format!("{} of {}", run.hung, run.clients)
    }),
    ("tasks late", |run| run.late.to_string()),
    ("time", |run| seconds(run.took)),
];

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

pub(crate) fn print(runs: &[Run]) {
    println!();
    print!("{:<18}", "");
    for run in runs {
        print!("{:>20}", run.name);
    }
    println!();
    for (name, cell) in ROWS {
        print!("{name:<18}");
        for run in runs {
            print!("{:>20}", cell(run));
        }
        println!();
    }
    println!();
}

/// The run in one line.
pub(crate) fn closing(run: &Run) -> String {
    format!(
        "with {}: mints: {} (wasted: {}, two at a time: {}), waited: {}, cut off: {}, taken over: {}, failed: {}, hung: {}",
        run.name,
        run.mints.begun,
        run.mints.wasted,
        run.mints.concurrent,
        waited(run),
        run.cut_off,
        taken_over(run),
        run.failed,
        run.hung,
    )
}

/// Whether the run kept the promises of a `Line`.
pub(crate) fn is_clean(run: &Run) -> bool {
    run.mints.wasted == 0
        && run.mints.concurrent == 0
        && run.hung == 0
        && run.failed == 0
        && run.ok + run.cut_off > 0
}
