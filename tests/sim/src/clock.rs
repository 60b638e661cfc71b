//! The virtual clock: it stands still while anybody has something to do.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::run::Shared;

/// Who waits for when. Time is the span since the simulation began.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    now: Duration,
    registered: u64,
    waiting: BTreeMap<(Duration, u64), Waker>,
}

impl Timers {
    /// Moves the clock to the earliest deadline and takes the wakers that are due, in the order of deadline, then registration.
    pub(crate) fn advance(&mut self) -> Option<Vec<Waker>> {
        let (&(due, _), _) = self.waiting.first_key_value()?;
        self.now = self.now.max(due);
        let later = self.waiting.split_off(&(due, u64::MAX));
        let due = std::mem::replace(&mut self.waiting, later);
        Some(due.into_values().collect())
    }
}

/// The simulation's clock.
#[derive(Clone, Debug)]
pub struct SimClock(pub(crate) Arc<Shared>);

impl SimClock {
    /// The time since the simulation began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.lock().timers.now
    }

    /// Resolves when the clock has come to `at`.
    pub fn sleep_until(&self, at: Duration) -> Sleep {
        Sleep {
            clock: self.clone(),
            at,
            place: None,
        }
    }
}

/// A wait for a point in virtual time.
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is polled"]
pub struct Sleep {
    clock: SimClock,
    at: Duration,
    place: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut inner = self.clock.0.lock();
        let timers = &mut inner.timers;
        if timers.now >= self.at {
            drop(inner);
            return Poll::Ready(());
        }
        let place = self.place.unwrap_or(timers.registered);
        if self.place.is_none() {
            timers.registered += 1;
        }
        let replaced = timers.waiting.insert((self.at, place), waker);
        drop(inner);
        // Dropped without the lock.
        drop(replaced);
        self.place = Some(place);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let removed = {
                let mut inner = self.clock.0.lock();
                inner.timers.waiting.remove(&(self.at, place))
            };
            drop(removed);
        }
    }
}
