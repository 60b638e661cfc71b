//! The time driver: SysTick counts milliseconds for embassy-time. A board's HAL has a better one, which can sleep.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use cortex_m::peripheral::{SYST, syst::SystClkSource};
use critical_section::Mutex;
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

struct Ticks {
    now: Mutex<Cell<u64>>,
    timers: Mutex<RefCell<Queue>>,
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks {
    now: Mutex::new(Cell::new(0)),
    timers: Mutex::new(RefCell::new(Queue::new())),
});

impl Driver for Ticks {
    fn now(&self) -> u64 {
        critical_section::with(|cs| self.now.borrow(cs).get())
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        // Whether it is the next one to expire is no matter: every tick looks.
        critical_section::with(|cs| self.timers.borrow_ref_mut(cs).schedule_wake(at, waker));
    }
}

/// Starts the ticks, on a core of `core_hz`.
pub fn start(mut clock: SYST, core_hz: u32) {
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(core_hz / TICK_HZ as u32 - 1);
    clock.clear_current();
    clock.enable_counter();
    clock.enable_interrupt();
}

/// A tick has passed: wakes whose time has come, and says what time it is.
pub fn tick() -> u64 {
    critical_section::with(|cs| {
        let now = TICKS.now.borrow(cs).get() + 1;
        TICKS.now.borrow(cs).set(now);
        TICKS.timers.borrow_ref_mut(cs).next_expiration(now);
        now
    })
}
