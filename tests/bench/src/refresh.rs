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
    measure::{Row, Turns},
    peers::now,
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
    rows.push(turns.row(
        ("refresh", "one clock read", "std Instant", 0),
        0,
        OPERATIONS,
        || {
            for _ in 0..OPERATIONS {
                black_box(System.now());
            }
        },
    ));
    hits(turns, rows, "hit, a number, net", 7_u64, Still);
    hits(
        turns,
        rows,
        "hit, an Arc<str>, net",
        Arc::<str>::from("secret"),
        Still,
    );
    hits(turns, rows, "hit, a number", 7_u64, System);
    hits(
        turns,
        rows,
        "hit, an Arc<str>",
        Arc::<str>::from("secret"),
        System,
    );
}

fn hits<T, C>(turns: Turns, rows: &mut Vec<Row>, case: &'static str, token: T, clock: C)
where
    T: Clone + 'static,
    C: Clock + Copy,
{
    let mut one = |implementation, work: &mut dyn FnMut()| {
        let place = ("refresh", case, implementation, 0);
        rows.push(turns.row(place, 0, OPERATIONS, || {
            for _ in 0..OPERATIONS {
                work();
            }
        }));
    };
    let unneeded = || async { unreachable!("the token is valid") };
    let refresher = Refresher::<T, (), C>::new(clock, Policy::new());
    let mint = || async { Ok(Minted::expires_in(token.clone(), LIFE)) };
    assert!(now(refresher.get(mint)).is_ok());

    let mut reader = Reader::new(&refresher);
    assert!(now(reader.get(unneeded)).is_ok());
    one("ecluse Reader, peek", &mut || {
        black_box(black_box(&reader).peek());
    });
    one("ecluse Reader, get().await", &mut || {
        let _ = black_box(now(black_box(&mut reader).get(unneeded)));
    });
    one("ecluse &Refresher, peek", &mut || {
        black_box(black_box(&refresher).peek());
    });
    one("ecluse &Refresher, get().await", &mut || {
        let _ = black_box(now(black_box(&refresher).get(unneeded)));
    });
    let expires = clock.after(clock.now(), LIFE);
    let aws = Aws::new(token.clone(), expires, clock);
    one("async RwLock (AWS's shape)", &mut || {
        black_box(now(black_box(&aws).get()));
    });
    let google = Google::new(token.clone(), expires, clock);
    one("watch (Google's shape)", &mut || {
        black_box(black_box(&google).get());
    });
    let by_hand = ByMutex::new(token.clone(), expires, clock);
    one("std Mutex, by hand", &mut || {
        black_box(black_box(&by_hand).get());
    });
    let by_hand = ByRwLock::new(token, expires, clock);
    one("std RwLock, by hand", &mut || {
        black_box(black_box(&by_hand).get());
    });
}
