//! Turns, medians, rows.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::heap;

/// One figure.
#[derive(Serialize)]
pub struct Row {
    pub group: &'static str,
    pub case: &'static str,
    pub implementation: &'static str,
    /// How many waiters, where that matters.
    pub n: usize,
    /// Times one raw compare-and-swap plus swap.
    pub x: f64,
    pub ns: f64,
    /// Allocated an operation.
    pub heap_bytes: f64,
    /// The size of the future, 0 where there is none.
    pub future_bytes: usize,
}

#[derive(Clone, Copy)]
pub struct Turns {
    turns: usize,
    pub crowds: &'static [usize],
}

/// Steps of the yardstick before and after each turn.
const YARD: usize = 20_000;

static WORD: AtomicUsize = AtomicUsize::new(0);

/// The yardstick: one uncontended claim and release at its barest.
#[inline(never)]
fn raw(operations: usize) {
    for _ in 0..operations {
        let _ = black_box(WORD.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed));
        black_box(WORD.swap(0, Ordering::Release));
    }
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

impl Turns {
    pub fn new(quick: bool) -> Self {
        Self {
            turns: if quick { 31 } else { 301 },
            crowds: if quick {
                &[10, 1_000]
            } else {
                &[10, 1_000, 100_000]
            },
        }
    }

    /// Times `work`, which does `operations` of something, in turns with the yardstick.
    pub fn row(
        self,
        (group, case, implementation, n): (&'static str, &'static str, &'static str, usize),
        future_bytes: usize,
        operations: usize,
        mut work: impl FnMut(),
    ) -> Row {
        work();
        let heap_bytes = heap::allocated(&mut work) as f64 / operations as f64;
        let turns = self.turns_for(operations);
        let mut ratios = Vec::with_capacity(turns);
        let mut times = Vec::with_capacity(turns);
        for _ in 0..turns {
            let before = time(|| raw(YARD)).as_secs_f64();
            let ours = time(&mut work).as_secs_f64() / operations as f64;
            let after = time(|| raw(YARD)).as_secs_f64();
            ratios.push(ours / ((before + after) / 2.0 / YARD as f64));
            times.push(ours * 1e9);
        }
        Row {
            group,
            case,
            implementation,
            n,
            x: median(ratios),
            ns: median(times),
            heap_bytes,
            future_bytes,
        }
    }
}

/// One turn's phases: how long each took, and what it allocated.
pub struct Laps<const P: usize> {
    times: [Duration; P],
    bytes: [usize; P],
}

impl<const P: usize> Laps<P> {
    /// Times one phase, or a part of it.
    pub fn lap(&mut self, phase: usize, work: impl FnOnce()) {
        let mut took = Duration::ZERO;
        self.bytes[phase] += heap::allocated(|| took = time(work));
        self.times[phase] += took;
    }
}

impl Turns {
    /// As [`row`](Turns::row) for work in phases, each of which does `operations` of something.
    pub fn phases<const P: usize>(
        self,
        (group, implementation, n): (&'static str, &'static str, usize),
        cases: [&'static str; P],
        future_bytes: usize,
        operations: usize,
        mut work: impl FnMut(&mut Laps<P>),
    ) -> Vec<Row> {
        let new = || Laps {
            times: [Duration::ZERO; P],
            bytes: [0; P],
        };
        work(&mut new());
        let turns = self.turns_for(operations);
        let mut figures = [const { (Vec::new(), Vec::new()) }; P];
        let mut bytes = [0; P];
        for _ in 0..turns {
            let mut laps = new();
            let before = time(|| raw(YARD)).as_secs_f64();
            work(&mut laps);
            let after = time(|| raw(YARD)).as_secs_f64();
            let yard = (before + after) / 2.0 / YARD as f64;
            for (phase, (ratios, times)) in figures.iter_mut().enumerate() {
                let ours = laps.times[phase].as_secs_f64() / operations as f64;
                ratios.push(ours / yard);
                times.push(ours * 1e9);
            }
            bytes = laps.bytes;
        }
        let row = |((case, (ratios, times)), bytes)| Row {
            group,
            case,
            implementation,
            n,
            x: median(ratios),
            ns: median(times),
            heap_bytes: bytes as f64 / operations as f64,
            future_bytes,
        };
        cases.into_iter().zip(figures).zip(bytes).map(row).collect()
    }

    /// Large crowds take long: fewer turns of more operations each.
    fn turns_for(self, operations: usize) -> usize {
        let turns = if operations > 50_000 {
            self.turns / 10
        } else {
            self.turns
        };
        turns.max(11)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn print(group: &str, rows: &[Row]) {
    println!("\n{group}: x = one raw compare-and-swap plus swap, timed in turns");
    println!(
        "  {:<34} {:<28} {:>8} {:>8} {:>10} {:>8} {:>8}",
        "case", "implementation", "n", "x", "ns", "heap B", "future B"
    );
    for row in rows {
        println!(
            "  {:<34} {:<28} {:>8} {:>8.2} {:>10.1} {:>8.1} {:>8}",
            row.case, row.implementation, row.n, row.x, row.ns, row.heap_bytes, row.future_bytes
        );
    }
}
