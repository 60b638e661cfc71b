//! The clock and the timer of embassy-time, whose driver the binary chooses.
//!
//! Invariant: the waker that a timer gets is the task's own, unchanged. (The timer queue of
//! embassy-executor refuses any other; so nothing here, nor in the core, wraps wakers.)

use core::time::Duration;

use ecluse_core::runtime::{Clock, Timer};
use embassy_time::{Instant, TICK_HZ};

const NANOS_PER_SEC: u64 = 1_000_000_000;

/// embassy's time.
///
/// With embassy-executor's own timer queue, waits with a bound must be polled by an embassy task
/// and not through a waker of another kind (as some `join` combinators make them); that is
/// embassy's rule for every `embassy_time::Timer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbassyTimer;

impl Clock for EmbassyTimer {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, from: Instant, by: Duration) -> Instant {
        ticks(by)
            .and_then(|ticks| from.as_ticks().checked_add(ticks))
            .map_or(Instant::MAX, Instant::from_ticks)
    }
}

impl Timer for EmbassyTimer {
    type Sleep = embassy_time::Timer;

    fn sleep_until(&self, at: Instant) -> Self::Sleep {
        embassy_time::Timer::at(at)
    }
}

/// A duration in ticks, rounded up. (embassy's own conversion goes by whole microseconds, rounds
/// down, and panics where they do not fit.)
fn ticks(by: Duration) -> Option<u64> {
    let whole = by.as_secs().checked_mul(TICK_HZ)?;
    let rest = (u64::from(by.subsec_nanos()) * TICK_HZ).div_ceil(NANOS_PER_SEC);
    whole.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_up() {
        let from = Instant::from_ticks(5);
        let tick = NANOS_PER_SEC / TICK_HZ;
        for (nanos, ticks) in [(0, 0), (1, 1), (tick, 1), (tick + 1, 2)] {
            let at = EmbassyTimer.after(from, Duration::from_nanos(nanos));
            assert_eq!(at, Instant::from_ticks(5 + ticks));
        }
        let at = EmbassyTimer.after(from, Duration::from_secs(3));
        assert_eq!(at, Instant::from_ticks(5 + 3 * TICK_HZ));
    }

    #[test]
    fn a_sum_beyond_the_clock_is_its_last_moment() {
        let last = EmbassyTimer.after(Instant::from_ticks(1), Duration::MAX);
        assert_eq!(last, Instant::MAX);
        assert_eq!(EmbassyTimer.after(last, Duration::from_nanos(1)), last);
        assert_eq!(EmbassyTimer.after(last, Duration::ZERO), last);
    }
}
