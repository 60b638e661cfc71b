//! Claim and release, one thread, nobody waiting.

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::{
    crowd::{now, size},
    measure::{Case, Row, Turns},
    peers::{
        AsyncMutex, BareSlot, CriticalSlot, EmbassyBareMutex, EmbassyCriticalMutex, GiveBack,
        IntrusiveLocalMutex, IntrusiveMutex, LineLock, Lock, MaitakeMutex, OperationLine, Signal,
        SlotBarging, SlotLock, SlotRevocable, StdMutex, TokioMutex,
    },
};

const GROUP: &str = "uncontended";
const OPERATIONS: usize = 20_000;

fn tried<L: Lock>(case: &mut Case<'_>) {
    let lock = L::new();
    case.add(L::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            if let Some(held) = black_box(&lock).try_lock() {
                held.give_back();
            }
        }
    });
}

fn dropped<L: Lock>(case: &mut Case<'_>) {
    let lock = L::new();
    case.add(L::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            drop(black_box(&lock).try_lock());
        }
    });
}

fn awaited<L: Lock>(case: &mut Case<'_>) {
    let lock = L::new();
    let future = size(|| lock.lock());
    case.add(L::NAME, future, move || {
        for _ in 0..OPERATIONS {
            now(black_box(&lock).lock()).give_back();
        }
    });
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    static RAW: AtomicUsize = AtomicUsize::new(0);
    let case = |name: &str| Case::new(GROUP, name, 0, OPERATIONS);

    let mut threads = case("claim + release");
    threads.add("raw CAS + swap, floor", 0, || {
        for _ in 0..OPERATIONS {
            let _ = black_box(RAW.compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed));
            black_box(RAW.swap(0, Ordering::Release));
        }
    });
    threads.floor();
    let std = StdMutex::new();
    threads.add(StdMutex::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            black_box(&std).lock().give_back();
        }
    });
    threads.floor();
    tried::<SlotLock>(&mut threads);
    tried::<SlotRevocable>(&mut threads);
    let line = LineLock::new();
    threads.add(<LineLock as Signal>::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            if let Some(token) = black_box(&line).try_lock() {
                token.give_back();
            }
        }
    });
    tried::<TokioMutex>(&mut threads);
    tried::<AsyncMutex>(&mut threads);
    tried::<MaitakeMutex>(&mut threads);
    tried::<IntrusiveMutex>(&mut threads);
    let line = OperationLine::new();
    threads.add(OperationLine::NAME, 0, move || {
        for _ in 0..OPERATIONS {
            drop(black_box(&line).try_lock());
        }
    });
    threads.run(turns, rows);

    let mut drops = case("claim + drop");
    dropped::<SlotLock>(&mut drops);
    dropped::<SlotRevocable>(&mut drops);
    dropped::<TokioMutex>(&mut drops);
    dropped::<AsyncMutex>(&mut drops);
    dropped::<MaitakeMutex>(&mut drops);
    dropped::<IntrusiveMutex>(&mut drops);
    drops.run(turns, rows);

    let mut waits = case("claim().await + release");
    awaited::<SlotLock>(&mut waits);
    awaited::<SlotBarging>(&mut waits);
    awaited::<SlotRevocable>(&mut waits);
    awaited::<TokioMutex>(&mut waits);
    awaited::<AsyncMutex>(&mut waits);
    awaited::<MaitakeMutex>(&mut waits);
    awaited::<IntrusiveMutex>(&mut waits);
    waits.run(turns, rows);

    let mut critical = case("claim + release, critical section");
    tried::<CriticalSlot>(&mut critical);
    tried::<EmbassyCriticalMutex>(&mut critical);
    critical.run(turns, rows);
    let mut critical = case("claim().await + release, critical section");
    awaited::<CriticalSlot>(&mut critical);
    awaited::<EmbassyCriticalMutex>(&mut critical);
    critical.run(turns, rows);

    let mut local = case("claim + release, one thread");
    tried::<BareSlot>(&mut local);
    tried::<EmbassyBareMutex>(&mut local);
    tried::<IntrusiveLocalMutex>(&mut local);
    local.run(turns, rows);
    let mut local = case("claim().await + release, one thread");
    awaited::<BareSlot>(&mut local);
    awaited::<EmbassyBareMutex>(&mut local);
    awaited::<IntrusiveLocalMutex>(&mut local);
    local.run(turns, rows);
}
