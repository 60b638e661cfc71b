//! Permits: acquire and return with nobody waiting; a refusal; a crowd that is served.

use std::hint::black_box;

use ecluse_core::Admission;

use crate::{
    crowd::{Crowd, now, size},
    measure::{Case, Row, Turns},
    peers::{
        Admit, AdmitBypass, AsyncSemaphore, EmbassyFair, EmbassyGreedy, IntrusiveSemaphore,
        MaitakeSemaphore, Permits, TokioSemaphore,
    },
};

const GROUP: &str = "permits";
const OPERATIONS: usize = 20_000;

fn tried<P: Permits>(case: &mut Case<'_>, many: usize) {
    let permits = P::new(8);
    case.add(P::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            drop(black_box(&permits).try_acquire(many));
        }
    });
}

fn awaited<P: Permits>(case: &mut Case<'_>) {
    let permits = P::new(8);
    let future = size(|| permits.acquire(1));
    case.add(P::NAME, future, move || {
        for _ in 0..OPERATIONS {
            drop(now(black_box(&permits).acquire(1)));
        }
    });
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    let mut one = Case::new(GROUP, "acquire + return", 0, OPERATIONS);
    tried::<Admit>(&mut one, 1);
    tried::<AdmitBypass>(&mut one, 1);
    tried::<TokioSemaphore>(&mut one, 1);
    tried::<AsyncSemaphore>(&mut one, 1);
    tried::<MaitakeSemaphore>(&mut one, 1);
    tried::<IntrusiveSemaphore>(&mut one, 1);
    tried::<EmbassyGreedy>(&mut one, 1);
    tried::<EmbassyFair>(&mut one, 1);
    one.run(turns, rows);

    let mut three = Case::new(GROUP, "acquire 3 + return", 0, OPERATIONS);
    tried::<Admit>(&mut three, 3);
    tried::<AdmitBypass>(&mut three, 3);
    tried::<TokioSemaphore>(&mut three, 3);
    tried::<MaitakeSemaphore>(&mut three, 3);
    tried::<IntrusiveSemaphore>(&mut three, 3);
    tried::<EmbassyGreedy>(&mut three, 3);
    tried::<EmbassyFair>(&mut three, 3);
    three.run(turns, rows);

    let mut waits = Case::new(GROUP, "acquire().await + return", 0, OPERATIONS);
    awaited::<Admit>(&mut waits);
    awaited::<AdmitBypass>(&mut waits);
    awaited::<TokioSemaphore>(&mut waits);
    awaited::<AsyncSemaphore>(&mut waits);
    awaited::<MaitakeSemaphore>(&mut waits);
    awaited::<IntrusiveSemaphore>(&mut waits);
    awaited::<EmbassyGreedy>(&mut waits);
    awaited::<EmbassyFair>(&mut waits);
    waits.run(turns, rows);

    static FULL: Admission = Admission::new(1, 0);
    let held = FULL.try_acquire(1);
    let mut refused = Case::new(GROUP, "refused, the room is full", 0, OPERATIONS);
    refused.add("ecluse Admission", 0, || {
        for _ in 0..OPERATIONS {
            drop(black_box(now(black_box(&FULL).acquire(1))));
        }
    });
    refused.run(turns, rows);
    drop(held);
    crowds(turns, rows);
}

fn served<P: Permits>(case: &mut Case<'_>, n: usize, repeats: usize, all: usize) {
    let permits = P::new(all);
    let future = size(|| permits.acquire(1));
    case.timed(P::NAME, future, move |watch| {
        let mut crowd = Crowd::new(n);
        watch.lap(0, || {
            for _ in 0..repeats {
                let held = permits.try_acquire(all);
                crowd.register(|| permits.acquire(1));
                drop(held);
                crowd.observe(|_| true);
            }
        });
    });
}

/// Register n waiters of one permit, return all of it, observe n.
fn crowds(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let mut case = Case::new(GROUP, "register + serve + observe", n, n * repeats);
        served::<Admit>(&mut case, n, repeats, n);
        served::<TokioSemaphore>(&mut case, n, repeats, n);
        // It has no weights: a permit each, and a chain of wakes.
        served::<AsyncSemaphore>(&mut case, n, repeats, 1);
        // (It counts to 2^15 - 1.)
        if n <= 10_000 {
            served::<MaitakeSemaphore>(&mut case, n, repeats, n);
        }
        served::<IntrusiveSemaphore>(&mut case, n, repeats, n);
        case.run(turns, rows);
    }
}
