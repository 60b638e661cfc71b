//! Single flights: one run, many results.
//!
//! Two cases of each, by what a flight is known by: a *cell*, which keeps its one value, and a *key* of
//! a table. `Flight` and `Relay` have neither: they are beside the cells, which cannot be used again,
//! and beside the tables, which do more.

use std::{hint::black_box, pin::pin, sync::atomic::Ordering};

use async_lock::OnceCell as AsyncLockCell;
use async_once_cell::OnceCell as OnceCellOfFutures;
use ecluse_core::{Once, StdMutex};
use tokio::sync::OnceCell as TokioCell;

use crate::{
    crowd::{Crowd, Gate, VALUE, leave, now, poll, size},
    measure::{Case, Row, Turns},
    peers::{
        Answer, AsyncOnce, AsyncOnceCell, AsyncSingleflight, Claims, Filled, Groups, MapOfKeys,
        Moka, OnceCell, OurFlight, QuickCache, Relays, RsSingleflight, SingleFlight,
        SingleflightAsync, TokioOnce,
    },
};

const OPERATIONS: usize = 5_000;

/// Work of those who follow: never asked for.
type Never = std::future::Pending<u64>;

fn never() -> Never {
    std::future::pending()
}

fn alone<S: SingleFlight>(case: &mut Case<'_>) {
    let mut flights = S::new(OPERATIONS);
    let future = size(|| flights.run(0, std::future::ready(VALUE)));
    case.timed(S::NAME, future, move |watch| {
        watch.lap(0, || {
            for flight in 0..OPERATIONS {
                let work = async { black_box(VALUE) };
                assert!(now(flights.run(black_box(flight), work)).is(VALUE));
            }
        });
        flights.forget(OPERATIONS);
    });
}

/// A call for a key, or a cell, that nobody else asks for.
pub fn keyed(turns: Turns, rows: &mut Vec<Row>) {
    let mut case = Case::new("keyed", "a flight alone, at a key", 0, OPERATIONS);
    let floor = MapOfKeys::default();
    case.add(MapOfKeys::NAME, 0, move || {
        for key in 0..OPERATIONS as u64 {
            black_box(&floor).take_and_free(black_box(key));
        }
    });
    case.floor();
    let claims = Claims::new();
    case.add(Claims::NAME, 0, move || {
        for key in 0..OPERATIONS as u64 {
            black_box(&claims).take_and_free(black_box(key));
        }
    });
    case.floor();
    let cache = <QuickCache as SingleFlight>::new(0);
    case.add(QuickCache::GUARD, 0, move || {
        for key in 0..OPERATIONS as u64 {
            black_box(&cache).claim_and_let_go(black_box(key));
        }
    });
    alone::<Groups>(&mut case);
    alone::<SingleflightAsync>(&mut case);
    alone::<AsyncSingleflight>(&mut case);
    alone::<RsSingleflight>(&mut case);
    alone::<QuickCache>(&mut case);
    alone::<Moka>(&mut case);
    case.run(turns, rows);

    let mut case = Case::new("keyed", "a flight alone, of a cell", 0, OPERATIONS);
    alone::<OurFlight>(&mut case);
    alone::<OnceCell>(&mut case);
    alone::<TokioOnce>(&mut case);
    alone::<AsyncOnce>(&mut case);
    alone::<AsyncOnceCell>(&mut case);
    case.run(turns, rows);
}

fn follow<S: SingleFlight>(case: &mut Case<'_>, n: usize, repeats: usize) {
    let mut flights = S::new(repeats);
    let future = size(|| flights.run(0, never()));
    case.timed(S::NAME, future, move |watch| {
        {
            let mut crowd = Crowd::new(n);
            watch.lap(0, || {
                for flight in 0..repeats {
                    Gate::set(false);
                    let mut leader = pin!(flights.run(flight, Gate));
                    assert!(poll(leader.as_mut()).is_pending());
                    crowd.register(|| flights.run(flight, never()));
                    Gate::set(true);
                    assert!(poll(leader.as_mut()).is_ready());
                    crowd.observe(|answer| answer.is(VALUE));
                }
            });
        }
        flights.forget(repeats);
    });
}

fn follow_relay(case: &mut Case<'_>, n: usize, repeats: usize) {
    let relays = Relays::new();
    let future = size(|| relays.run());
    case.timed(Relays::NAME, future, move |watch| {
        let mut crowd = Crowd::new(n);
        watch.lap(0, || {
            for _ in 0..repeats {
                relays.over.store(false, Ordering::Relaxed);
                let mut driver = pin!(relays.run());
                assert!(poll(driver.as_mut()).is_pending());
                crowd.register(|| relays.run());
                relays.over.store(true, Ordering::Relaxed);
                assert!(poll(driver.as_mut()).is_ready());
                crowd.observe(|answer| answer.is(VALUE));
            }
        });
    });
}

/// Join n followers, land once, observe n.
pub fn followers(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let mut case = Case::new(
            "followers",
            "of a cell: join + land + observe",
            n,
            n * repeats,
        );
        follow::<OurFlight>(&mut case, n, repeats);
        follow_relay(&mut case, n, repeats);
        follow::<OnceCell>(&mut case, n, repeats);
        follow::<TokioOnce>(&mut case, n, repeats);
        follow::<AsyncOnce>(&mut case, n, repeats);
        follow::<AsyncOnceCell>(&mut case, n, repeats);
        case.run(turns, rows);

        let mut case = Case::new(
            "followers",
            "of a key: join + land + observe",
            n,
            n * repeats,
        );
        follow::<Groups>(&mut case, n, repeats);
        follow::<OurFlight>(&mut case, n, repeats);
        follow_relay(&mut case, n, repeats);
        follow::<SingleflightAsync>(&mut case, n, repeats);
        follow::<AsyncSingleflight>(&mut case, n, repeats);
        follow::<RsSingleflight>(&mut case, n, repeats);
        follow::<QuickCache>(&mut case, n, repeats);
        follow::<Moka>(&mut case, n, repeats);
        case.run(turns, rows);
    }
}

fn filled<F: Filled>(got: &mut Case<'_>) {
    let cell = F::filled();
    got.add(F::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            black_box(black_box(&cell).get());
        }
    });
}

fn filled_awaited<F: Filled>(case: &mut Case<'_>) {
    let cell = F::filled();
    let future = size(|| cell.get_or_make());
    case.add(F::NAME, future, move || {
        for _ in 0..OPERATIONS {
            black_box(now(black_box(&cell).get_or_make()));
        }
    });
}

/// A value that is there.
pub fn hit(turns: Turns, rows: &mut Vec<Row>) {
    let mut case = Case::new("hit", "get", 0, OPERATIONS);
    filled::<Once<u64, StdMutex>>(&mut case);
    filled::<TokioCell<u64>>(&mut case);
    filled::<AsyncLockCell<u64>>(&mut case);
    filled::<OnceCellOfFutures<u64>>(&mut case);
    filled::<QuickCache>(&mut case);
    filled::<Moka>(&mut case);
    case.run(turns, rows);

    let mut case = Case::new("hit", "get_or_init().await", 0, OPERATIONS);
    filled_awaited::<Once<u64, StdMutex>>(&mut case);
    filled_awaited::<TokioCell<u64>>(&mut case);
    filled_awaited::<AsyncLockCell<u64>>(&mut case);
    filled_awaited::<OnceCellOfFutures<u64>>(&mut case);
    filled_awaited::<QuickCache>(&mut case);
    filled_awaited::<Moka>(&mut case);
    case.run(turns, rows);
}

fn leaves<S: SingleFlight>(case: &mut Case<'_>, n: usize) {
    let flights: &'static S = Box::leak(Box::new(S::new(1)));
    let mut leader = Box::pin(flights.run(0, never()));
    assert!(poll(leader.as_mut()).is_pending());
    let mut crowd = Crowd::new(n);
    crowd.register(|| flights.run(0, never()));
    let future = size(|| flights.run(0, never()));
    // Followers first: nobody is to be promoted.
    let stay = (crowd, leader);
    case.add(S::NAME, future, move || {
        let _ = &stay;
        for _ in 0..OPERATIONS {
            leave(flights.run(0, never()));
        }
    });
}

/// With n followers queued, one more joins and leaves.
pub fn cancel(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let mut case = Case::new("follower-cancel", "of a cell: join + cancel", n, OPERATIONS);
        leaves::<OurFlight>(&mut case, n);
        leaves::<OnceCell>(&mut case, n);
        leaves::<TokioOnce>(&mut case, n);
        leaves::<AsyncOnce>(&mut case, n);
        leaves::<AsyncOnceCell>(&mut case, n);
        case.run(turns, rows);

        let mut case = Case::new("follower-cancel", "of a key: join + cancel", n, OPERATIONS);
        leaves::<Groups>(&mut case, n);
        leaves::<SingleflightAsync>(&mut case, n);
        leaves::<AsyncSingleflight>(&mut case, n);
        leaves::<RsSingleflight>(&mut case, n);
        // (Its cost grows with the crowd: a turn would take minutes.)
        if n <= 1_000 {
            leaves::<QuickCache>(&mut case, n);
        }
        leaves::<Moka>(&mut case, n);
        case.run(turns, rows);
    }
}
