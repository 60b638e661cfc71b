//! Waiting on a thread without a runtime: the same nodes in the same queues, woken by `unpark`.

use core::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::{
    sync::Arc,
    task::Wake,
    thread::{self, Thread},
    time::Instant,
};

use super::{Target, Wait};
use crate::TimedOut;

/// Wakes its thread. A thread that is unparked for another reason looks and parks again.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

std::thread_local! {
    /// One waker a thread, so that waiting allocates only the first time.
    static WAKER: Waker = Arc::new(Unpark(thread::current())).into();
}

impl<T: Target> Wait<T> {
    /// Blocks this thread until the wait is over. The thread stands in the same queue as tasks.
    ///
    /// Not for use inside a task: it blocks the task's executor.
    ///
    /// # Panics
    /// If called while this thread's local storage is being destroyed.
    pub fn block(self) -> T::Output {
        block(pin!(self))
    }

    /// As [`block`](Wait::block), for `limit` at most. A grant that arrives at the last moment is
    /// returned, not passed on. A limit of zero looks once.
    ///
    /// # Errors
    /// [`TimedOut`] when the limit is over; the wait has left the queue.
    pub fn block_timeout(self, limit: Duration) -> Result<T::Output, TimedOut> {
        let mut wait = pin!(self);
        match block_timeout(wait.as_mut(), limit) {
            Some(output) => Ok(output),
            None => wait.try_abandon().ok_or(TimedOut),
        }
    }
}

/// Polls `future` on this thread to its end.
pub(crate) fn block<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    WAKER.with(|waker| {
        loop {
            if let Poll::Ready(output) = poll(future.as_mut(), waker) {
                return output;
            }
            thread::park();
        }
    })
}

/// Polls `future` on this thread for `limit` at most, and once at least; `None` if it is not over.
pub(crate) fn block_timeout<F: Future>(
    mut future: Pin<&mut F>,
    limit: Duration,
) -> Option<F::Output> {
    let start = Instant::now();
    WAKER.with(|waker| {
        loop {
            if let Poll::Ready(output) = poll(future.as_mut(), waker) {
                return Some(output);
            }
            match limit.checked_sub(start.elapsed()) {
                Some(left) if !left.is_zero() => thread::park_timeout(left),
                _ => return None,
            }
        }
    })
}

fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}
