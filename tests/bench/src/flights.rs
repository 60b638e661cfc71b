//! Single flights: one run, many results.
//!
//! | peer | used as its documents say |
//! |---|---|
//! | tokio `OnceCell`, async-lock `OnceCell` | `get_or_init` of a cell a flight; nothing is forgotten in them, so a new cell is made each time |
//! | singleflight-async | `SingleFlight::work` |
//! | quick_cache | `get_value_or_guard_async`; the guard is dropped, so that nothing is kept |
//! | `Mutex<HashMap>` | insert and remove of the key: what a table made by hand cannot be below |

use std::{
    cell::Cell,
    collections::HashMap,
    future::{Future, pending, poll_fn},
    hint::black_box,
    pin::{Pin, pin},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use ecluse_core::{
    Flight, Group, Once,
    flight::{Relay, ToTurn},
    wait::Wait,
};

use crate::{
    measure::{Row, Turns},
    peers::{now, poll},
    waiters::{Crowd, size},
};

const OPERATIONS: usize = 20_000;

/// A call for a key that nobody else asks for.
pub fn keyed(turns: Turns, rows: &mut Vec<Row>) {
    let case = |implementation| ("keyed", "claim + release of a key", implementation, 0);
    let mut one = |implementation, future, work: &mut dyn FnMut(u64)| {
        let row = turns.row(case(implementation), future, OPERATIONS, || {
            for key in 0..OPERATIONS as u64 {
                work(black_box(key));
            }
        });
        rows.push(row);
    };

    let group = Group::<u64, u64>::new();
    let future = size(|| group.run(1, || async { 1 }));
    one("ecluse Group", future, &mut |key| {
        let _ = black_box(now(group.run(key, || async { key })));
    });
    let flight = Flight::<u64>::new();
    let future = size(|| flight.run(|| async { 1 }));
    one("ecluse Flight (no key)", future, &mut |key| {
        let _ = black_box(now(flight.run(|| async { key })));
    });
    let map = Mutex::new(HashMap::new());
    one("Mutex<HashMap>, floor", 0, &mut |key| {
        map.lock().expect("unpoisoned").insert(key, ());
        map.lock().expect("unpoisoned").remove(&key);
    });
    let flights = singleflight_async::SingleFlight::<u64, u64>::new();
    let future = size(|| flights.work(1, || async { 1 }));
    one("singleflight-async", future, &mut |key| {
        black_box(now(flights.work(key, || async { key })));
    });
    let cache = quick_cache::sync::Cache::<u64, u64>::new(100);
    let future = size(|| cache.get_value_or_guard_async(&1));
    one("quick_cache guard", future, &mut |key| {
        drop(black_box(now(cache.get_value_or_guard_async(&key))));
    });
}

/// What a crowd waits for until the turn's leader may land.
fn gate(open: &Cell<bool>) -> impl Future<Output = u64> + '_ {
    poll_fn(|_| {
        if open.get() {
            Poll::Ready(7)
        } else {
            Poll::Pending
        }
    })
}

/// Join n followers, land once, observe n.
pub fn followers(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let open = Cell::new(false);
        let case = |implementation| ("followers", "join + land + observe", implementation, n);

        let flight = Flight::<u64>::new();
        let mut crowd = Crowd::new(n);
        let future = size_of::<Wait<ToTurn<&Flight<u64>>>>();
        rows.push(turns.row(case("ecluse Flight"), future, n * repeats, || {
            for _ in 0..repeats {
                open.set(false);
                let mut leader = pin!(flight.run(|| gate(&open)));
                assert!(poll(leader.as_mut()).is_pending());
                crowd.register(|| flight.run(pending::<u64>));
                open.set(true);
                assert!(poll(leader.as_mut()).is_ready());
                crowd.observe();
            }
        }));

        let group = Group::<u64, u64>::new();
        let mut crowd = Crowd::new(n);
        let future = size_of::<Wait<ToTurn<&Group<u64, u64>>>>();
        rows.push(turns.row(case("ecluse Group"), future, n * repeats, || {
            for _ in 0..repeats {
                open.set(false);
                let mut leader = pin!(group.run(5, || gate(&open)));
                assert!(poll(leader.as_mut()).is_pending());
                crowd.register(|| group.run(5, pending::<u64>));
                open.set(true);
                assert!(poll(leader.as_mut()).is_ready());
                crowd.observe();
            }
        }));

        let ready = AtomicBool::new(false);
        let ready: &'static _ = Box::leak(Box::new(ready));
        let relay = Relay::<Steps>::new();
        let make = || Steps(ready);
        let mut crowd = Crowd::new(n);
        let future = size(|| relay.run(make));
        rows.push(turns.row(case("ecluse Relay"), future, n * repeats, || {
            for _ in 0..repeats {
                ready.store(false, Ordering::Relaxed);
                let mut driver = pin!(relay.run(make));
                assert!(poll(driver.as_mut()).is_pending());
                crowd.register(|| relay.run(make));
                ready.store(true, Ordering::Relaxed);
                assert!(poll(driver.as_mut()).is_ready());
                crowd.observe();
            }
        }));

        let work = || {
            let cell = Once::<u64>::new();
            open.set(false);
            let mut crowd = Crowd::new(n);
            let mut leader = pin!(cell.get_or_init(|| gate(&open)));
            assert!(poll(leader.as_mut()).is_pending());
            crowd.register(|| cell.get_or_init(pending::<u64>));
            open.set(true);
            assert!(poll(leader.as_mut()).is_ready());
            crowd.observe();
        };
        let future = {
            let cell = Once::<u64>::new();
            size(|| cell.get_or_init(pending::<u64>))
        };
        rows.push(turns.row(case("ecluse Once"), future, n * repeats, || {
            (0..repeats).for_each(|_| work());
        }));

        let work = || {
            let cell = tokio::sync::OnceCell::<u64>::new();
            open.set(false);
            let mut crowd = Crowd::new(n);
            let mut leader = pin!(cell.get_or_init(|| gate(&open)));
            assert!(poll(leader.as_mut()).is_pending());
            crowd.register(|| cell.get_or_init(pending::<u64>));
            open.set(true);
            assert!(poll(leader.as_mut()).is_ready());
            crowd.observe();
        };
        let future = {
            let cell = tokio::sync::OnceCell::<u64>::new();
            size(|| cell.get_or_init(pending::<u64>))
        };
        rows.push(turns.row(case("tokio OnceCell"), future, n * repeats, || {
            (0..repeats).for_each(|_| work());
        }));

        let work = || {
            let cell = async_lock::OnceCell::<u64>::new();
            open.set(false);
            let mut crowd = Crowd::new(n);
            let mut leader = pin!(cell.get_or_init(|| gate(&open)));
            assert!(poll(leader.as_mut()).is_pending());
            crowd.register(|| cell.get_or_init(pending::<u64>));
            open.set(true);
            assert!(poll(leader.as_mut()).is_ready());
            crowd.observe();
        };
        let future = {
            let cell = async_lock::OnceCell::<u64>::new();
            size(|| cell.get_or_init(pending::<u64>))
        };
        rows.push(
            turns.row(case("async-lock OnceCell"), future, n * repeats, || {
                (0..repeats).for_each(|_| work());
            }),
        );

        let flights = singleflight_async::SingleFlight::<u64, u64>::new();
        let mut crowd = Crowd::new(n);
        let future = size(|| flights.work(5, pending::<u64>));
        rows.push(
            turns.row(case("singleflight-async"), future, n * repeats, || {
                for _ in 0..repeats {
                    open.set(false);
                    let mut leader = pin!(flights.work(5, || gate(&open)));
                    assert!(poll(leader.as_mut()).is_pending());
                    crowd.register(|| flights.work(5, pending::<u64>));
                    open.set(true);
                    assert!(poll(leader.as_mut()).is_ready());
                    crowd.observe();
                }
            }),
        );
    }
}

/// A run with a name: over when it is told so.
struct Steps(&'static AtomicBool);

impl Future for Steps {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        if self.0.load(Ordering::Relaxed) {
            Poll::Ready(7)
        } else {
            Poll::Pending
        }
    }
}

/// A value that is there.
pub fn hit(turns: Turns, rows: &mut Vec<Row>) {
    let case = |implementation| ("hit", "get of a value that is there", implementation, 0);
    let mut one = |implementation, work: &mut dyn FnMut()| {
        rows.push(turns.row(case(implementation), 0, OPERATIONS, || {
            for _ in 0..OPERATIONS {
                work();
            }
        }));
    };
    let once = Once::<u64>::from(1);
    one("ecluse Once", &mut || {
        black_box(black_box(&once).get());
    });
    let cell = tokio::sync::OnceCell::new_with(Some(1_u64));
    one("tokio OnceCell", &mut || {
        black_box(black_box(&cell).get());
    });
    let cell = async_lock::OnceCell::from(1_u64);
    one("async-lock OnceCell", &mut || {
        black_box(black_box(&cell).get());
    });
    one("ecluse Once, awaited", &mut || {
        let _ = black_box(now(black_box(&once).get_or_init(pending::<u64>)));
    });
}

/// With n followers queued, one more joins and leaves.
pub fn cancel(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let flight = Flight::<u64>::new();
        let mut leader = pin!(flight.run(pending::<u64>));
        assert!(poll(leader.as_mut()).is_pending());
        let mut crowd = Crowd::new(n);
        crowd.register(|| flight.run(pending::<u64>));
        let future = size_of::<Wait<ToTurn<&Flight<u64>>>>();
        rows.push(turns.row(
            ("follower-cancel", "join + cancel", "ecluse Flight", n),
            future,
            OPERATIONS,
            || {
                for _ in 0..OPERATIONS {
                    let wait = pin!(flight.run(pending::<u64>));
                    assert!(poll(wait).is_pending());
                }
            },
        ));
        drop(crowd);
    }
}
