//! A clock that the test moves.

use std::{
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::Duration,
};

use ecluse_core::runtime::{Clock, Timer};

/// A clock of whole milliseconds.
#[derive(Clone, Default)]
pub(crate) struct Hand(Arc<Mutex<Dial>>);

#[derive(Default)]
struct Dial {
    now: u64,
    sleepers: Vec<(u64, Waker)>,
    set: usize,
}

impl Hand {
    pub(crate) fn advance(&self, by: u64) {
        let mut dial = self.0.lock().unwrap();
        dial.now += by;
        let now = dial.now;
        let (due, later) = dial.sleepers.drain(..).partition(|(at, _)| *at <= now);
        dial.sleepers = later;
        drop(dial);
        let due: Vec<(u64, Waker)> = due;
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Jumps, perhaps back; whoever sleeps is not told.
    pub(crate) fn jump(&self, to: u64) {
        self.0.lock().unwrap().now = to;
    }

    /// How many timers were made.
    pub(crate) fn set(&self) -> usize {
        self.0.lock().unwrap().set
    }
}

impl Clock for Hand {
    type Instant = u64;

    fn now(&self) -> u64 {
        self.0.lock().unwrap().now
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        let millis = by.as_nanos().div_ceil(1_000_000);
        from.saturating_add(millis.try_into().unwrap_or(u64::MAX))
    }
}

pub(crate) struct Sleep(Hand, u64);

impl Timer for Hand {
    type Sleep = Sleep;

    fn sleep_until(&self, at: u64) -> Sleep {
        self.0.lock().unwrap().set += 1;
        Sleep(self.clone(), at)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut dial = self.0.0.lock().unwrap();
        if dial.now >= self.1 {
            return Poll::Ready(());
        }
        dial.sleepers.push((self.1, cx.waker().clone()));
        Poll::Pending
    }
}
