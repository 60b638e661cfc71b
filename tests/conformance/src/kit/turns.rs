//! Turns of the executor: polling once, yielding, and waiting for a condition without a clock.

use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::runtime::Runtime;

/// Polls a future once, by hand.
pub fn poll_once<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Lets every other ready task run once: pending a single time, woken at once.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Yields until `condition` holds. Not for a condition that takes time: a virtual clock stands still while somebody yields.
///
/// # Panics
/// If it does not within the runtime's patience.
pub async fn eventually<R: Runtime>(rt: R, what: &str, mut condition: impl FnMut() -> bool) {
    for _ in 0..R::PATIENCE {
        if condition() {
            return;
        }
        rt.relax();
        yield_now().await;
    }
    panic!("in vain: {what}");
}
