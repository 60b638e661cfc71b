//! The clock and the timer of tokio. A paused clock (`tokio::time::pause`) is followed.
//!
//! Invariant: no moment that the timer gives makes the runtime's own arithmetic overflow.

use core::time::Duration;

use ecluse_core::runtime::{Clock, Timer, instant_after};
use tokio::time::Instant;

/// tokio's time. Waits need a runtime whose time driver is enabled; reading the clock does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokioTimer;

impl Clock for TokioTimer {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, from: Instant, by: Duration) -> Instant {
        Instant::from_std(instant_after(from.into_std(), by))
    }
}

impl Timer for TokioTimer {
    type Sleep = tokio::time::Sleep;

    /// # Panics
    /// As `tokio::time::sleep_until`: outside of a runtime, or without its time driver.
    fn sleep_until(&self, at: Instant) -> Self::Sleep {
        tokio::time::sleep_until(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_beyond_the_clock_is_its_last_moment() {
        let now = Instant::now();
        let last = TokioTimer.after(now, Duration::MAX);
        assert!(last > now + Duration::from_secs(1 << 32));
        let later = now + Duration::from_millis(1234);
        assert_eq!(TokioTimer.after(later, Duration::MAX), last);
        assert_eq!(TokioTimer.after(last, Duration::from_nanos(1)), last);
        assert_eq!(TokioTimer.after(last, Duration::ZERO), last);
        assert_eq!(TokioTimer.after(now, last - now), last);
    }

    #[tokio::test]
    async fn the_last_moment_can_be_waited_for() {
        use core::{
            future::Future,
            pin::pin,
            task::{Context, Waker},
        };

        let at = TokioTimer.after(TokioTimer.now(), Duration::MAX);
        let sleep = pin!(TokioTimer.sleep_until(at));
        let polled = sleep.poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
}
