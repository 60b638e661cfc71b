//! What was counted: a line on the way, a table at the end.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    time::Instant,
};

use crate::hand::Ends;

/// What a round came to.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) ends: Ends,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// Wakers that were alive when all was over.
    pub(crate) wakers: u64,
}

/// All rounds of a primitive.
#[derive(Debug)]
pub(crate) struct Report {
    name: &'static str,
    rounds: u64,
    ends: Ends,
    faults: BTreeMap<&'static str, u64>,
    wakers: u64,
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
            wakers: 0,
            heap: None,
        }
    }

    pub(crate) fn add(&mut self, tally: Tally, heap: usize) {
        self.rounds += 1;
        self.ends += tally.ends;
        self.wakers += tally.wakers;
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

    fn lost(&self) -> u64 {
        self.faults.values().sum()
    }

    fn is_good(&self) -> bool {
        self.lost() == 0 && self.wakers == 0 && self.ends.hung == 0 && self.growth() == 0
    }

    /// A line of the table. What is lost is whatever the primitive was found to have done wrong.
    fn line(&self) -> String {
        format!(
            "{:<22} {:>7} {:>11} {:>12} {:>11} {:>9} {:>5} {:>5} {:>7} {:>9}{}",
            self.name,
            self.rounds,
            self.calls(),
            self.ends.polls,
            self.ends.dropped,
            self.ends.panicked,
            self.ends.hung,
            self.lost(),
            self.wakers,
            self.growth(),
            if self.is_good() { "" } else { "  BROKEN" },
        )
    }

    /// All of them as one.
    fn sum(reports: &[Self]) -> Self {
        let mut sum = Self::new("all");
        for report in reports {
            sum.rounds += report.rounds;
            sum.ends += report.ends;
            sum.wakers += report.wakers;
            for (what, times) in &report.faults {
                *sum.faults.entry(what).or_insert(0) += times;
            }
        }
        let firsts = reports.iter().filter_map(|report| report.heap);
        sum.heap = firsts.reduce(|first, last| (first.0, last.1));
        sum
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

/// True if something was run, and no line is broken.
pub(crate) fn table(reports: &[Report]) -> bool {
    if std::io::stdout().is_terminal() {
        print!("\r\x1b[2K");
    }
    println!(
        "{:<22} {:>7} {:>11} {:>12} {:>11} {:>9} {:>5} {:>5} {:>7} {:>9}",
        "", "rounds", "calls", "polls", "dropped", "panicked", "hung", "lost", "wakers", "heap + B"
    );
    for report in reports {
        println!("{}", report.line());
        for (what, times) in &report.faults {
            println!("  {what}: {times} times");
        }
    }
    let sum = Report::sum(reports);
    println!("{}", sum.line());
    !reports.is_empty() && reports.iter().chain([&sum]).all(Report::is_good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(done: u64, hung: u64) -> Tally {
        Tally {
            ends: Ends {
                done,
                polls: 2 * done,
                hung,
                ..Ends::default()
            },
            faults: BTreeMap::new(),
            wakers: 0,
        }
    }

    #[test]
    fn the_last_line_sums_up() {
        let (mut one, mut two) = (Report::new("one"), Report::new("two"));
        one.add(tally(3, 0), 100);
        two.add(tally(4, 0), 200);
        one.add(tally(3, 0), 100);
        let sum = Report::sum(&[one, two]);
        assert_eq!((sum.rounds, sum.calls(), sum.ends.polls), (3, 10, 20));
        assert_eq!(sum.growth(), 100);
        assert!(!sum.is_good());
    }

    #[test]
    fn growth_between_two_primitives_breaks_the_table() {
        let (mut one, mut two) = (Report::new("one"), Report::new("two"));
        for (report, heap) in [(&mut one, 100), (&mut two, 101)] {
            report.add(tally(1, 0), heap);
            report.add(tally(1, 0), heap);
            assert!(report.is_good());
        }
        assert!(!table(&[one, two]));
    }

    #[test]
    fn a_table_of_good_lines_is_good() {
        let (mut one, mut two) = (Report::new("one"), Report::new("two"));
        one.add(tally(1, 0), 100);
        two.add(tally(1, 0), 100);
        assert!(table(&[one, two]));
        assert!(!table(&[]), "nothing was run");
    }

    #[test]
    fn whatever_is_wrong_breaks_it() {
        let broken = |change: fn(&mut Tally)| {
            let mut report = Report::new("one");
            let mut tally = tally(1, 0);
            change(&mut tally);
            report.add(tally, 0);
            !report.is_good() && report.line().ends_with("BROKEN")
        };
        assert!(broken(|tally| tally.ends.hung = 1));
        assert!(broken(|tally| tally.wakers = 1));
        assert!(broken(|tally| {
            tally.faults.insert("x", 1);
        }));
        assert!(!broken(|_| ()));
    }

    #[test]
    fn a_heap_that_grows_breaks_it() {
        let mut report = Report::new("one");
        report.add(tally(1, 0), 100);
        report.add(tally(1, 0), 100);
        assert!(report.is_good());
        report.add(tally(1, 0), 101);
        assert!(!report.is_good());
    }
}
