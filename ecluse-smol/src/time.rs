//! The clock of the standard library and the timer of async-io, which smol and async-std share.
//!
//! Invariant: no moment that the timer gives makes the runtime's own arithmetic overflow.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use std::time::Instant;

use ecluse_core::runtime::{Clock, Timer, instant_after};

/// smol's time. It needs no executor: where none drives the reactor, async-io's own thread does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmolTimer;

impl Clock for SmolTimer {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, from: Instant, by: Duration) -> Instant {
        instant_after(from, by)
    }
}

impl Timer for SmolTimer {
    type Sleep = Sleep;

    fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep(smol::Timer::at(at))
    }
}

/// The wait for a moment. Dropping it takes the timer out of the reactor.
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct Sleep(smol::Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use core::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    #[test]
    fn a_sum_beyond_the_clock_is_its_last_moment() {
        let now = Instant::now();
        let last = SmolTimer.after(now, Duration::MAX);
        assert!(last > now + Duration::from_secs(1 << 32));
        let later = now + Duration::from_millis(1234);
        assert_eq!(SmolTimer.after(later, Duration::MAX), last);
        assert_eq!(SmolTimer.after(last, Duration::from_nanos(1)), last);
        assert_eq!(SmolTimer.after(last, Duration::ZERO), last);
        assert_eq!(SmolTimer.after(now, last - now), last);
    }

    #[test]
    fn the_last_moment_can_be_waited_for() {
        let at = SmolTimer.after(SmolTimer.now(), Duration::MAX);
        let mut forever = pin!(SmolTimer.sleep_until(at));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(forever.as_mut().poll(&mut cx).is_pending());
        // The reactor goes on beside it.
        smol::block_on(SmolTimer.sleep_until(SmolTimer.now()));
        assert!(forever.as_mut().poll(&mut cx).is_pending());
    }
}
