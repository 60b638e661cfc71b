//! What was counted: a line on the way, a table at the end.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    time::Instant,
};

use crate::hand::Ends;

/// Caches of the runtime library may grow by this.
const SLACK: usize = 64 << 10;

/// What a round came to.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) ends: Ends,
    pub(crate) faults: BTreeMap<&'static str, u64>,
}

/// All rounds of a primitive.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    rounds: u64,
    ends: Ends,
    faults: BTreeMap<&'static str, u64>,
    /// The heap in bytes after the first round, and after the last.
    heap: Option<(usize, usize)>,
}

impl Report {
    pub(crate) fn new(name: &'static str) -> Self {
        Self {
            name,
            rounds: 0,
            ends: Ends::default(),
            faults: BTreeMap::new(),
            heap: None,
        }
    }

    pub(crate) fn add(&mut self, tally: Tally, heap: usize) {
        self.rounds += 1;
        self.ends.done += tally.ends.done;
        self.ends.dropped += tally.ends.dropped;
        self.ends.panicked += tally.ends.panicked;
        self.ends.hung += tally.ends.hung;
        for (what, times) in tally.faults {
            *self.faults.entry(what).or_insert(0) += times;
        }
        let first = self.heap.map_or(heap, |(first, _)| first);
        self.heap = Some((first, heap));
    }

    fn calls(&self) -> u64 {
        self.ends.done + self.ends.dropped + self.ends.panicked
    }

    fn growth(&self) -> usize {
        self.heap
            .map_or(0, |(first, last)| last.saturating_sub(first))
    }

    fn is_good(&self) -> bool {
        self.faults.is_empty() && self.ends.hung == 0 && self.growth() <= SLACK
    }
}

/// One line that is written again and again; where nobody looks, not at all.
pub(crate) fn progress(reports: &[Report], end: Instant) {
    if std::io::stdout().is_terminal() {
        let calls: u64 = reports.iter().map(Report::calls).sum();
        let faults = reports.iter().filter(|report| !report.is_good()).count();
        let left = end.saturating_duration_since(Instant::now());
        print!(
            "\r\x1b[2K{calls} calls, {faults} primitives with faults, {} s left",
            left.as_secs()
        );
        let _ = std::io::stdout().flush();
    }
}

/// True if all is well.
pub(crate) fn table(reports: &[Report]) -> bool {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[2K");
    }
    println!(
        "{:<22} {:>7} {:>12} {:>12} {:>10} {:>6} {:>12}",
        "", "rounds", "calls", "dropped", "panicked", "hung", "heap grew B"
    );
    for report in reports {
        println!(
            "{:<22} {:>7} {:>12} {:>12} {:>10} {:>6} {:>12}{}",
            report.name,
            report.rounds,
            report.calls(),
            report.ends.dropped,
            report.ends.panicked,
            report.ends.hung,
            report.growth(),
            if report.is_good() { "" } else { "  BROKEN" },
        );
        for (what, times) in &report.faults {
            println!("  {what}: {times} times");
        }
    }
    !reports.is_empty() && reports.iter().all(Report::is_good)
}
