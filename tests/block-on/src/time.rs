//! A clock and a timer for threads: one thread for all of them sleeps until the next deadline, and wakes who waits for it.
//!
//! Invariants:
//! 1. A deadline's waker is in the map from the poll that was pending until it is woken or its sleep is dropped.
//! 2. No waker is cloned, called or dropped under the lock.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ecluse_core::runtime::{Clock, Timer, instant_after};

/// The standard library's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThreadTimer;

impl Clock for ThreadTimer {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, from: Instant, by: Duration) -> Instant {
        instant_after(from, by)
    }
}

impl Timer for ThreadTimer {
    type Sleep = Sleep;

    fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep { at, place: None }
    }
}

/// Who waits for when; the number tells two of the same moment apart.
#[derive(Debug)]
struct Waiting {
    wakers: BTreeMap<(Instant, u64), Waker>,
    registered: u64,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    wakers: BTreeMap::new(),
    registered: 0,
});
static EARLIER: Condvar = Condvar::new();

fn lock() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wait for a moment. Dropping it takes its waker out of the map.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep {
    at: Instant,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        static STARTED: Once = Once::new();

        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        STARTED.call_once(|| drop(thread::spawn(serve)));
        let waker = cx.waker().clone();
        let mut waiting = lock();
        let place = self.place.unwrap_or(waiting.registered);
        if self.place.is_none() {
            waiting.registered += 1;
        }
        let replaced = waiting.wakers.insert((self.at, place), waker);
        drop(waiting);
        drop(replaced);
        self.place = Some(place);
        EARLIER.notify_one();
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let removed = lock().wakers.remove(&(self.at, place));
            drop(removed);
        }
    }
}

/// The thread.
fn serve() {
    let mut waiting = lock();
    loop {
        let now = Instant::now();
        // Those due are the ones below the first place of the moment after.
        let later = waiting
            .wakers
            .split_off(&(now + Duration::from_nanos(1), 0));
        let due = std::mem::replace(&mut waiting.wakers, later);
        if !due.is_empty() {
            drop(waiting);
            for waker in due.into_values() {
                // Whose waker panics has had its chance; the others are woken all the same.
                let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
            }
            waiting = lock();
            continue;
        }
        let next = waiting.wakers.first_key_value().map(|((at, _), _)| *at);
        let left = next.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        let slept = EARLIER.wait_timeout(waiting, left.min(Duration::from_secs(3600)));
        waiting = slept.unwrap_or_else(PoisonError::into_inner).0;
    }
}
