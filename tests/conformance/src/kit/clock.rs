//! A clock that moves when a case says so.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use atomic_waker::AtomicWaker;
use portable_atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use crate::{Clock, Timer};

/// How many can sleep at a time.
const BEDS: usize = 8;

/// A clock that stands still until it is advanced. Microseconds; `&'static MockClock` is the timer.
pub struct MockClock {
    now: AtomicU32,
    sleeps: AtomicUsize,
    beds: [Bed; BEDS],
}

struct Bed {
    taken: AtomicBool,
    due: AtomicU32,
    waker: AtomicWaker,
}

impl MockClock {
    /// A clock at 0.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            now: AtomicU32::new(0),
            sleeps: AtomicUsize::new(0),
            beds: [const {
                Bed {
                    taken: AtomicBool::new(false),
                    due: AtomicU32::new(u32::MAX),
                    waker: AtomicWaker::new(),
                }
            }; BEDS],
        }
    }

    /// Lets time pass, and wakes those whose time has come.
    pub fn advance(&self, by: Duration) {
        let by = u32::try_from(by.as_micros()).expect("a short time");
        let now = self.now.fetch_add(by, Ordering::SeqCst) + by;
        for bed in &self.beds {
            if bed.due.load(Ordering::SeqCst) <= now {
                bed.waker.wake();
            }
        }
    }

    /// How many sleep at present.
    pub fn sleepers(&self) -> usize {
        let taken = |bed: &&Bed| bed.taken.load(Ordering::SeqCst);
        self.beds.iter().filter(taken).count()
    }

    /// How many timers were ever made.
    pub fn sleeps(&self) -> usize {
        self.sleeps.load(Ordering::SeqCst)
    }
}

impl Default for MockClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MockClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockClock").finish_non_exhaustive()
    }
}

impl Clock for MockClock {
    type Instant = u32;

    fn now(&self) -> u32 {
        self.now.load(Ordering::SeqCst)
    }

    fn after(&self, from: u32, by: Duration) -> u32 {
        let micros = by.as_nanos().div_ceil(1000);
        from.saturating_add(u32::try_from(micros).unwrap_or(u32::MAX))
    }
}

/// A sleep in one of the clock's beds.
#[derive(Debug)]
pub struct MockSleep {
    clock: &'static MockClock,
    at: u32,
    bed: Option<usize>,
}

/// `&'static MockClock`, since a sleep keeps it.
impl Timer for &'static MockClock {
    type Sleep = MockSleep;

    fn sleep_until(&self, at: u32) -> MockSleep {
        self.sleeps.fetch_add(1, Ordering::SeqCst);
        MockSleep {
            clock: self,
            at,
            bed: None,
        }
    }
}

impl Future for MockSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock;
        let at = self.at;
        let bed = *self.bed.get_or_insert_with(|| {
            let free = |bed: &Bed| !bed.taken.swap(true, Ordering::SeqCst);
            let bed = clock.beds.iter().position(free).expect("a free bed");
            clock.beds[bed].due.store(at, Ordering::SeqCst);
            bed
        });
        // Registered first: a clock that is advanced after the look wakes it.
        clock.beds[bed].waker.register(cx.waker());
        if clock.now() >= at {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for MockSleep {
    fn drop(&mut self) {
        if let Some(bed) = self.bed {
            let bed = &self.clock.beds[bed];
            bed.due.store(u32::MAX, Ordering::SeqCst);
            drop(bed.waker.take());
            bed.taken.store(false, Ordering::SeqCst);
        }
    }
}
