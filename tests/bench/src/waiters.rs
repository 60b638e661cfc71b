//! One holder and a crowd: register, wake and observe a waiter; hand on from one to the next; cancel
//! one of many; poll one again.

use std::hint::black_box;

use crate::{
    crowd::{Crowd, leave, poll, size},
    measure::{Case, Row, Turns},
    peers::{
        AsyncMutex, BareSlot, EmbassyBareMutex, GiveBack, IntrusiveEvent, IntrusiveLocalMutex,
        IntrusiveMutex, LineLock, Listeners, Lock, MaitakeMutex, MaitakeQueue, OperationLine,
        Released, Signal, SlotLock, TokioMutex, TokioNotify, TokioWatch,
    },
};

const OPERATIONS: usize = 10_000;

fn told<S: Signal>(case: &mut Case<'_>, n: usize, repeats: usize) {
    let signal = S::new();
    let held = signal.hold();
    let future = size(|| signal.wait());
    held.give_back();
    case.timed(S::NAME, future, move |watch| {
        let mut crowd = Crowd::new(n);
        watch.lap(0, || {
            for _ in 0..repeats {
                let held = signal.hold();
                crowd.register(|| signal.wait());
                held.give_back();
                crowd.observe(|_| true);
            }
        });
    });
}

/// Register n waiters, release once, observe n.
pub fn broadcast(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let mut case = Case::new("broadcast", "register + wake + observe", n, n * repeats);
        told::<LineLock>(&mut case, n, repeats);
        told::<Released>(&mut case, n, repeats);
        told::<TokioNotify>(&mut case, n, repeats);
        told::<TokioWatch>(&mut case, n, repeats);
        told::<Listeners>(&mut case, n, repeats);
        told::<MaitakeQueue>(&mut case, n, repeats);
        told::<IntrusiveEvent>(&mut case, n, repeats);
        told::<OperationLine>(&mut case, n, repeats);
        case.run(turns, rows);
    }
}

fn handed_on<L: Lock>(case: &mut Case<'_>, n: usize, repeats: usize) {
    let lock = L::new();
    let future = size(|| lock.lock());
    case.timed(L::NAME, future, move |watch| {
        let mut crowd = Crowd::new(n);
        watch.lap(0, || {
            for _ in 0..repeats {
                let held = lock.try_lock().expect("free");
                crowd.register(|| lock.lock());
                held.give_back();
                crowd.observe(|held| {
                    held.give_back();
                    true
                });
            }
        });
    });
}

/// Register n claimers; the claim goes through all of them, one by one.
pub fn chain(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let repeats = (2_000 / n).max(1);
        let mut case = Case::new("chain", "register + hand on + observe", n, n * repeats);
        handed_on::<SlotLock>(&mut case, n, repeats);
        handed_on::<TokioMutex>(&mut case, n, repeats);
        handed_on::<AsyncMutex>(&mut case, n, repeats);
        handed_on::<MaitakeMutex>(&mut case, n, repeats);
        handed_on::<IntrusiveMutex>(&mut case, n, repeats);
        case.run(turns, rows);
    }
}

fn left<S: Signal + 'static>(case: &mut Case<'_>, n: usize) {
    // (Kept for as long as the case runs.)
    let signal: &'static S = Box::leak(Box::new(S::new()));
    let held = signal.hold();
    let mut crowd = Crowd::new(n);
    crowd.register(|| signal.wait());
    let future = size(|| signal.wait());
    // The crowd goes before what it waits for is given back.
    let mut stay = Some((crowd, held));
    case.add(S::NAME, future, move || {
        let _ = &mut stay;
        for _ in 0..OPERATIONS {
            leave(signal.wait());
        }
    });
}

fn left_lock<L: Lock + 'static>(case: &mut Case<'_>, n: usize) {
    let lock: &'static L = Box::leak(Box::new(L::new()));
    let held = lock.try_lock();
    let mut crowd = Crowd::new(n);
    crowd.register(|| lock.lock());
    let future = size(|| lock.lock());
    let mut stay = Some((crowd, held));
    case.add(L::NAME, future, move || {
        let _ = &mut stay;
        for _ in 0..OPERATIONS {
            leave(lock.lock());
        }
    });
}

/// With n waiters queued, enlist one more and cancel it.
pub fn cancel(turns: Turns, rows: &mut Vec<Row>) {
    for &n in turns.crowds {
        let mut case = Case::new(
            "cancel-one",
            "of a broadcast: enlist + cancel",
            n,
            OPERATIONS,
        );
        left::<LineLock>(&mut case, n);
        left::<Released>(&mut case, n);
        left::<TokioNotify>(&mut case, n);
        left::<TokioWatch>(&mut case, n);
        left::<Listeners>(&mut case, n);
        left::<MaitakeQueue>(&mut case, n);
        left::<IntrusiveEvent>(&mut case, n);
        case.run(turns, rows);

        let mut case = Case::new("cancel-one", "of a lock: enlist + cancel", n, OPERATIONS);
        left_lock::<SlotLock>(&mut case, n);
        left_lock::<TokioMutex>(&mut case, n);
        left_lock::<AsyncMutex>(&mut case, n);
        left_lock::<MaitakeMutex>(&mut case, n);
        left_lock::<IntrusiveMutex>(&mut case, n);
        case.run(turns, rows);
    }
}

fn polled_again<L: Lock + 'static>(case: &mut Case<'_>) {
    let lock: &'static L = Box::leak(Box::new(L::new()));
    let held = lock.try_lock();
    let mut wait = Box::pin(lock.lock());
    assert!(poll(wait.as_mut()).is_pending());
    let future = size(|| lock.lock());
    case.add(L::NAME, future, move || {
        let _ = &held;
        for _ in 0..OPERATIONS {
            assert!(black_box(poll(wait.as_mut())).is_pending());
        }
    });
}

fn polled_again_of<S: Signal + 'static>(case: &mut Case<'_>) {
    let signal: &'static S = Box::leak(Box::new(S::new()));
    let held = signal.hold();
    let mut wait = Box::pin(signal.wait());
    assert!(poll(wait.as_mut()).is_pending());
    let future = size(|| signal.wait());
    case.add(S::NAME, future, move || {
        let _ = &held;
        for _ in 0..OPERATIONS {
            assert!(black_box(poll(wait.as_mut())).is_pending());
        }
    });
}

/// A spurious poll of a queued waiter.
pub fn repoll(turns: Turns, rows: &mut Vec<Row>) {
    let mut case = Case::new("repoll", "of a lock: pending re-poll", 1, OPERATIONS);
    polled_again::<SlotLock>(&mut case);
    polled_again::<TokioMutex>(&mut case);
    polled_again::<AsyncMutex>(&mut case);
    polled_again::<MaitakeMutex>(&mut case);
    polled_again::<IntrusiveMutex>(&mut case);
    case.run(turns, rows);

    let mut case = Case::new(
        "repoll",
        "of one thread's lock: pending re-poll",
        1,
        OPERATIONS,
    );
    polled_again::<BareSlot>(&mut case);
    polled_again::<EmbassyBareMutex>(&mut case);
    polled_again::<IntrusiveLocalMutex>(&mut case);
    case.run(turns, rows);

    let mut case = Case::new("repoll", "of a broadcast: pending re-poll", 1, OPERATIONS);
    polled_again_of::<LineLock>(&mut case);
    polled_again_of::<Released>(&mut case);
    polled_again_of::<TokioNotify>(&mut case);
    polled_again_of::<TokioWatch>(&mut case);
    polled_again_of::<Listeners>(&mut case);
    polled_again_of::<MaitakeQueue>(&mut case);
    polled_again_of::<IntrusiveEvent>(&mut case);
    case.run(turns, rows);
}
