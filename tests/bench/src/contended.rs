//! Two threads that want the same thing again and again, each with a waker that unparks it.
//!
//! What is timed is the time of both together, an operation: it depends on how often they meet, and
//! that on the machine. An operation holds what it has for a few steps of arithmetic.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    sync::{Arc, Barrier},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
};

use crate::{
    measure::{Case, Row, Turns},
    peers::{
        Admit, AsyncMutex, AsyncSemaphore, GiveBack, IntrusiveMutex, IntrusiveSemaphore,
        MaitakeMutex, MaitakeSemaphore, Permits, SharedLock, SlotBarging, SlotLock, StdMutex,
        TokioMutex, TokioSemaphore,
    },
};

const GROUP: &str = "contended";
const EACH: usize = 5_000;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// One waker a thread, made once.
fn block_on<F: Future>(future: F, waker: &Waker) -> F::Output {
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Lets two threads do it, `EACH` times each.
fn two_threads(once: impl Fn(&Waker) + Sync) {
    let barrier = Barrier::new(2);
    let one = || {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        barrier.wait();
        for _ in 0..EACH {
            once(&waker);
        }
    };
    thread::scope(|threads| {
        threads.spawn(one);
        one();
    });
}

fn hold() {
    for step in 0..8_u32 {
        black_box(step);
    }
}

fn lock<L: SharedLock>(case: &mut Case<'_>) {
    let lock = L::new();
    case.add(L::NAME, 0, move || {
        two_threads(|waker| {
            let held = block_on(lock.lock(), waker);
            hold();
            held.give_back();
        });
    });
}

fn permits<P: Permits>(case: &mut Case<'_>) {
    let permits = P::new(1);
    case.add(P::NAME, 0, move || {
        two_threads(|waker| {
            let permit = block_on(permits.acquire(1), waker);
            hold();
            drop(permit);
        });
    });
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    let mut locks = Case::new(GROUP, "claim().await + release", 2, 2 * EACH);
    let std = StdMutex::new();
    locks.add(StdMutex::NAME, 0, || {
        two_threads(|_| {
            let held = std.lock();
            hold();
            held.give_back();
        });
    });
    locks.floor();
    lock::<SlotLock>(&mut locks);
    lock::<SlotBarging>(&mut locks);
    lock::<TokioMutex>(&mut locks);
    lock::<AsyncMutex>(&mut locks);
    lock::<MaitakeMutex>(&mut locks);
    lock::<IntrusiveMutex>(&mut locks);
    locks.run(turns, rows);

    let mut semaphores = Case::new(GROUP, "acquire().await + return, one permit", 2, 2 * EACH);
    permits::<Admit>(&mut semaphores);
    permits::<TokioSemaphore>(&mut semaphores);
    permits::<AsyncSemaphore>(&mut semaphores);
    permits::<MaitakeSemaphore>(&mut semaphores);
    permits::<IntrusiveSemaphore>(&mut semaphores);
    semaphores.run(turns, rows);
}
