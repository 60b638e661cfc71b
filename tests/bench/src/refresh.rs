//! A valid token, asked for: with the clock of the system, and net of it.
//!
//! Net is measured with a clock that costs nothing, not subtracted. The token is a number, or an
//! `Arc<str>`, whose clone and drop are two read-modify-writes of its own.

use std::{hint::black_box, sync::Arc, time::Duration};

use ecluse_core::{
    Refresher,
    refresh::{Minted, Policy, Reader},
    runtime::Clock,
};

use crate::{
    crowd::{now, size},
    measure::{Case, Row, Turns},
    tokens::{Aws, ByMutex, ByRwLock, Google},
};

const OPERATIONS: usize = 20_000;
const LIFE: Duration = Duration::from_secs(36_000);

/// The system's.
#[derive(Clone, Copy, Debug)]
struct System;

impl Clock for System {
    type Instant = std::time::Instant;

    fn now(&self) -> Self::Instant {
        std::time::Instant::now()
    }

    fn after(&self, from: Self::Instant, by: Duration) -> Self::Instant {
        from + by
    }
}

/// Always zero.
#[derive(Clone, Copy, Debug)]
struct Still;

impl Clock for Still {
    type Instant = u64;

    #[inline(always)]
    fn now(&self) -> u64 {
        0
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        from + by.as_secs()
    }
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    let secret = Arc::<str>::from("secret");
    hits(turns, rows, "a number, net", 7_u64, Still);
    hits(turns, rows, "an Arc<str>, net", secret.clone(), Still);
    hits(turns, rows, "a number", 7_u64, System);
    hits(turns, rows, "an Arc<str>", secret, System);
}

fn each<'a>(case: &mut Case<'a>, name: &'static str, future: usize, mut work: impl FnMut() + 'a) {
    case.add(name, future, move || {
        for _ in 0..OPERATIONS {
            work();
        }
    });
}

fn hits<T, C>(turns: Turns, rows: &mut Vec<Row>, what: &str, token: T, clock: C)
where
    T: Clone + 'static,
    C: Clock + Copy,
{
    let unneeded = || async { unreachable!("the token is valid") };
    let refresher = Refresher::<T, (), C>::new(clock, Policy::new());
    let mint = || async { Ok(Minted::expires_in(token.clone(), LIFE)) };
    assert!(now(refresher.get(mint)).is_ok());
    let mut reader = Reader::new(&refresher);
    assert!(now(reader.get(unneeded)).is_ok());
    let expires = clock.after(clock.now(), LIFE);
    let aws = Aws::new(token.clone(), expires, clock);
    let google = Google::new(token.clone(), expires, clock);
    let by_mutex = ByMutex::new(token.clone(), expires, clock);
    let by_lock = ByRwLock::new(token, expires, clock);

    let mut case = Case::new("refresh", format!("look, {what}"), 0, OPERATIONS);
    each(&mut case, "one clock read, floor", 0, || {
        black_box(clock.now());
    });
    case.floor();
    each(&mut case, "ecluse Reader", 0, || {
        black_box(black_box(&reader).peek());
    });
    each(&mut case, "ecluse &Refresher", 0, || {
        black_box(black_box(&refresher).peek());
    });
    each(&mut case, "watch (Google's shape)", 0, || {
        black_box(black_box(&google).get());
    });
    each(&mut case, "std Mutex, by hand", 0, || {
        black_box(black_box(&by_mutex).get());
    });
    each(&mut case, "std RwLock, by hand", 0, || {
        black_box(black_box(&by_lock).get());
    });
    case.run(turns, rows);

    let mut case = Case::new("refresh", format!("get().await, {what}"), 0, OPERATIONS);
    let future = size_of_val(&reader.get(unneeded));
    each(&mut case, "ecluse Reader", future, || {
        let _ = black_box(now(black_box(&mut reader).get(unneeded)));
    });
    let future = size(|| refresher.get(unneeded));
    each(&mut case, "ecluse &Refresher", future, || {
        let _ = black_box(now(black_box(&refresher).get(unneeded)));
    });
    let future = size(|| aws.get());
    each(&mut case, "async RwLock (AWS's shape)", future, || {
        black_box(now(black_box(&aws).get()));
    });
    case.run(turns, rows);
}
