//! Contenders, which take turns; medians; rows.
//!
//! 1. All implementations of a case take turns in one loop, in an order that is rotated each turn, with
//!    the yardstick before and after each: whatever slows the machine for more than a millisecond slows
//!    them alike.
//! 2. A row's `x` is the median of its ratios to the two yardsticks beside it.
//! 3. Ours is compared with the best peer turn by turn: what is said of the two is the median of those
//!    ratios. Nothing is said where the quartiles are more than threefold apart. Within 3 % it is a tie; within 10 % it is one if parity lies in their middle half.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::heap::{self, Allocated};

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub group: &'static str,
    pub case: String,
    pub implementation: &'static str,
    /// How many waiters, items or others, where that matters.
    pub n: usize,
    /// Times one raw compare-and-swap plus swap.
    pub x: f64,
    /// The quartiles of `x`.
    pub x_low: f64,
    pub x_high: f64,
    pub ns: f64,
    /// Allocated an operation.
    pub heap_bytes: f64,
    pub allocations: f64,
    /// The size of the future, 0 where there is none.
    pub future_bytes: usize,
    /// No contender: it does less than is asked for, and shows what that costs.
    pub floor: bool,
    /// Of ours: the best peer, and how we stand.
    pub rival: Option<Rival>,
}

impl Row {
    pub fn is_ours(&self) -> bool {
        self.implementation.starts_with("ecluse")
    }
}

#[derive(Clone, Debug, Serialize)]
pub struct Rival {
    pub implementation: &'static str,
    /// Ours divided by theirs: the median, and the quartiles.
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
    pub standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    First,
    Tie,
    Behind,
    /// The ratios are too far apart for anything to be said.
    Unclear,
}

impl Rival {
    /// How ours stands that takes so much of what theirs takes.
    pub fn new(implementation: &'static str, mut ratios: Vec<f64>) -> Self {
        let [low, ratio, high] = quartiles(&mut ratios);
        let close = (0.97..=1.03).contains(&ratio);
        let tie = close || (0.9..=1.1).contains(&ratio) && (low..=high).contains(&1.0);
        Self {
            implementation,
            ratio,
            low,
            high,
            standing: match ratio {
                _ if high > 3.0 * low => Standing::Unclear,
                _ if tie => Standing::Tie,
                ratio if ratio < 1.0 => Standing::First,
                _ => Standing::Behind,
            },
        }
    }
}

#[derive(Clone, Copy)]
pub struct Turns {
    most: usize,
    /// For one case, after at least `LEAST` turns.
    time: Duration,
    pub crowds: &'static [usize],
}

const LEAST: usize = 11;

/// Steps of the yardstick before and after each turn.
const YARD: usize = 10_000;

static WORD: AtomicUsize = AtomicUsize::new(0);

/// The yardstick: one uncontended claim and release at its barest.
#[inline(never)]
pub fn raw(operations: usize) {
    for _ in 0..operations {
        let _ = black_box(WORD.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed));
        black_box(WORD.swap(0, Ordering::Release));
    }
}

fn yard() -> f64 {
    let start = Instant::now();
    raw(YARD);
    start.elapsed().as_secs_f64() / YARD as f64
}

impl Turns {
    pub fn new(quick: bool) -> Self {
        Self {
            most: if quick { LEAST } else { 401 },
            time: Duration::from_millis(if quick { 100 } else { 5000 }),
            crowds: if quick {
                &[10, 1_000]
            } else {
                &[10, 100, 1_000, 10_000, 100_000]
            },
        }
    }
}

/// Times the phases of one turn.
pub struct Watch {
    phases: Vec<(Duration, Allocated)>,
}

impl Watch {
    fn new(phases: usize) -> Self {
        Self {
            phases: vec![(Duration::ZERO, Allocated::default()); phases],
        }
    }

    /// Times a phase, or a part of it.
    #[inline]
    pub fn lap(&mut self, phase: usize, work: impl FnOnce()) {
        let before = heap::allocated();
        let start = Instant::now();
        work();
        let took = start.elapsed();
        let made = heap::allocated() - before;
        let (time, allocated) = &mut self.phases[phase];
        *time += took;
        allocated.bytes += made.bytes;
        allocated.times += made.times;
    }
}

/// One thing that several implementations do, `operations` times a turn.
pub struct Case<'a> {
    group: &'static str,
    phases: Vec<String>,
    n: usize,
    operations: usize,
    contenders: Vec<Contender<'a>>,
}

struct Contender<'a> {
    implementation: &'static str,
    floor: bool,
    future_bytes: usize,
    work: Box<dyn FnMut(&mut Watch) + 'a>,
    /// A phase, a turn: seconds an operation, and times the yardstick.
    figures: Vec<Vec<(f64, f64)>>,
    allocated: Vec<Allocated>,
}

impl<'a> Case<'a> {
    pub fn new(group: &'static str, case: impl Into<String>, n: usize, operations: usize) -> Self {
        Self::of_phases(group, vec![case.into()], n, operations)
    }

    /// Work in phases, each of which does `operations` of something.
    pub fn of_phases(
        group: &'static str,
        phases: Vec<String>,
        n: usize,
        operations: usize,
    ) -> Self {
        Self {
            group,
            phases,
            n,
            operations,
            contenders: Vec::new(),
        }
    }

    /// An implementation whose work times itself.
    pub fn timed(
        &mut self,
        implementation: &'static str,
        future_bytes: usize,
        work: impl FnMut(&mut Watch) + 'a,
    ) -> &mut Self {
        let phases = self.phases.len();
        self.contenders.push(Contender {
            implementation,
            floor: false,
            future_bytes,
            work: Box::new(work),
            figures: vec![Vec::new(); phases],
            allocated: vec![Allocated::default(); phases],
        });
        self
    }

    /// An implementation whose work is timed as a whole.
    pub fn add(
        &mut self,
        implementation: &'static str,
        future_bytes: usize,
        mut work: impl FnMut() + 'a,
    ) -> &mut Self {
        self.timed(implementation, future_bytes, move |watch| {
            watch.lap(0, &mut work);
        })
    }

    /// The implementation that was added last does less than is asked for.
    pub fn floor(&mut self) {
        if let Some(last) = self.contenders.last_mut() {
            last.floor = true;
        }
    }

    /// Lets them take turns.
    pub fn run(mut self, turns: Turns, rows: &mut Vec<Row>) {
        let (phases, operations) = (self.phases.len(), self.operations as f64);
        for contender in &mut self.contenders {
            (contender.work)(&mut Watch::new(phases));
        }
        let (start, contenders) = (Instant::now(), self.contenders.len());
        let mut turn = 0;
        while turn < LEAST || turn < turns.most && start.elapsed() < turns.time {
            let mut before = yard();
            for place in 0..contenders {
                let contender = &mut self.contenders[(place + turn) % contenders];
                let mut watch = Watch::new(phases);
                (contender.work)(&mut watch);
                let after = yard();
                let yard = (before + after) / 2.0;
                before = after;
                for (phase, (time, allocated)) in watch.phases.into_iter().enumerate() {
                    let seconds = time.as_secs_f64() / operations;
                    contender.figures[phase].push((seconds, seconds / yard));
                    contender.allocated[phase] = allocated;
                }
            }
            turn += 1;
        }
        for phase in 0..phases {
            self.give(phase, rows);
        }
    }

    fn give(&self, phase: usize, rows: &mut Vec<Row>) {
        let start = rows.len();
        for contender in &self.contenders {
            let figures = &contender.figures[phase];
            let mut ratios: Vec<f64> = figures.iter().map(|figure| figure.1).collect();
            let mut times: Vec<f64> = figures.iter().map(|figure| figure.0 * 1e9).collect();
            let [x_low, x, x_high] = quartiles(&mut ratios);
            let [_, ns, _] = quartiles(&mut times);
            let allocated = contender.allocated[phase];
            rows.push(Row {
                group: self.group,
                case: self.phases[phase].clone(),
                implementation: contender.implementation,
                n: self.n,
                x,
                x_low,
                x_high,
                ns,
                heap_bytes: allocated.bytes as f64 / self.operations as f64,
                allocations: allocated.times as f64 / self.operations as f64,
                future_bytes: contender.future_bytes,
                floor: contender.floor,
                rival: None,
            });
        }
        let best = (0..self.contenders.len())
            .filter(|place| {
                let row = &rows[start + place];
                !row.is_ours() && !row.floor
            })
            .min_by(|one, two| rows[start + one].x.total_cmp(&rows[start + two].x));
        let Some(best) = best else { return };
        let theirs = &self.contenders[best];
        for (row, ours) in rows[start..].iter_mut().zip(&self.contenders) {
            if row.is_ours() && !row.floor {
                let turns = ours.figures[phase].iter().zip(&theirs.figures[phase]);
                let ratios = turns.map(|(ours, theirs)| ours.1 / theirs.1).collect();
                row.rival = Some(Rival::new(theirs.implementation, ratios));
            }
        }
    }
}

fn quartiles(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[(values.len() - 1) * quarter / 4])
}
