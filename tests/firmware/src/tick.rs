//! The time driver: a tick every 100 µs, and embassy's queue of who waits for one.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use critical_section::Mutex;
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

use crate::chip::Act;

struct Ticks {
    now: Mutex<Cell<u64>>,
    /// When the queue is to be looked at.
    next: Mutex<Cell<u64>>,
    queue: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    now: Mutex::new(Cell::new(0)),
    next: Mutex::new(Cell::new(u64::MAX)),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Ticks {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now.borrow(cs).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.queue.borrow_ref_mut(cs).schedule_wake(at, waker) {
                self.next.borrow(cs).set(0);
            }
        });
    }
}

static ON_TICK: Mutex<Cell<Option<Act>>> = Mutex::new(Cell::new(None));

/// What runs at every tick, in its handler.
pub fn on_tick(act: Option<Act>) {
    critical_section::with(|cs| ON_TICK.borrow(cs).set(act));
}

/// One tick has passed.
pub fn tick() {
    critical_section::with(|cs| {
        let now = TICKS.now.borrow(cs).get() + 1;
        TICKS.now.borrow(cs).set(now);
        if TICKS.next.borrow(cs).get() <= now {
            let next = TICKS.queue.borrow_ref_mut(cs).next_expiration(now);
            TICKS.next.borrow(cs).set(next);
        }
    });
    if let Some(act) = critical_section::with(|cs| ON_TICK.borrow(cs).get()) {
        act();
    }
}
