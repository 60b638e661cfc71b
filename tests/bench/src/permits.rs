//! Permits: acquire and return with nobody waiting; a refusal; a crowd that is served.

use std::{hint::black_box, mem::size_of_val};

use ecluse_core::{
    Admission,
    admission::{Bypass, Fifo},
};

use crate::{
    measure::{Row, Turns},
    peers::now,
    waiters::Crowd,
};

const OPERATIONS: usize = 20_000;

macro_rules! case {
    ($turns:ident, $rows:ident, $case:literal, $implementation:literal, $body:expr) => {
        $rows.push($turns.row(
            ("permits", $case, $implementation, 0),
            0,
            OPERATIONS,
            || {
                for _ in 0..OPERATIONS {
                    $body;
                }
            },
        ));
    };
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    static ADMISSION: Admission = Admission::new(8, 1024);
    static BYPASS: Admission<Bypass<4>> = Admission::new(8, 1024);
    static SEMAPHORE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(8);
    let semaphore = async_lock::Semaphore::new(8);
    case!(turns, rows, "acquire + return", "ecluse Admission", {
        drop(black_box(&ADMISSION).try_acquire(1))
    });
    case!(
        turns,
        rows,
        "acquire + return",
        "ecluse Admission, bypass",
        { drop(black_box(&BYPASS).try_acquire(1)) }
    );
    case!(turns, rows, "acquire + return", "tokio Semaphore", {
        drop(black_box(&SEMAPHORE).try_acquire())
    });
    case!(turns, rows, "acquire + return", "async-lock Semaphore", {
        drop(black_box(&semaphore).try_acquire())
    });
    case!(turns, rows, "acquire 3 + return", "ecluse Admission", {
        drop(black_box(&ADMISSION).try_acquire(3))
    });
    case!(turns, rows, "acquire 3 + return", "tokio Semaphore", {
        drop(black_box(&SEMAPHORE).try_acquire_many(3))
    });
    case!(
        turns,
        rows,
        "acquire().await + return",
        "ecluse Admission",
        { drop(now(black_box(&ADMISSION).acquire(1))) }
    );
    case!(
        turns,
        rows,
        "acquire().await + return",
        "tokio Semaphore",
        { drop(now(black_box(&SEMAPHORE).acquire())) }
    );
    case!(
        turns,
        rows,
        "acquire().await + return",
        "async-lock Semaphore",
        { drop(now(black_box(&semaphore).acquire())) }
    );
    static FULL: Admission = Admission::new(1, 0);
    let held = FULL.try_acquire(1);
    case!(
        turns,
        rows,
        "refused, the room is full",
        "ecluse Admission",
        { drop(black_box(now(black_box(&FULL).acquire(1)))) }
    );
    drop(held);
    crowds(turns, rows);
}

/// Register n waiters of one permit, return all of it, observe n.
fn crowds(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let case = |implementation| ("permits", "register + serve + observe", implementation, n);

        let admission = Admission::<Fifo>::new(n, n);
        let mut crowd = Crowd::new(n);
        let future = size_of_val(&admission.acquire(1));
        rows.push(
            turns.row(case("ecluse Admission"), future, n * repeats, || {
                for _ in 0..repeats {
                    let all = admission.try_acquire(n);
                    crowd.register(|| admission.acquire(1));
                    drop(all);
                    crowd.observe();
                }
            }),
        );

        let semaphore = tokio::sync::Semaphore::new(n);
        let mut crowd = Crowd::new(n);
        let future = size_of_val(&semaphore.acquire());
        let many = u32::try_from(n).expect("a small crowd");
        rows.push(turns.row(case("tokio Semaphore"), future, n * repeats, || {
            for _ in 0..repeats {
                let all = semaphore.try_acquire_many(many);
                crowd.register(|| semaphore.acquire());
                drop(all);
                crowd.observe();
            }
        }));

        // It has no weights: a permit each, and a chain of wakes.
        let semaphore = async_lock::Semaphore::new(1);
        let mut crowd = Crowd::new(n);
        let future = size_of_val(&semaphore.acquire());
        rows.push(
            turns.row(case("async-lock Semaphore"), future, n * repeats, || {
                for _ in 0..repeats {
                    let held = semaphore.try_acquire();
                    crowd.register(|| semaphore.acquire());
                    drop(held);
                    crowd.observe();
                }
            }),
        );
    }
}
