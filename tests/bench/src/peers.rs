//! Polling by hand, without a runtime: the same for us and for the peers.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that is ready at its first poll. Inlined, so that nobody pays for moving a future into a
/// function, which no program does.
#[inline(always)]
pub fn now<F: Future>(future: F) -> F::Output {
    let future = std::pin::pin!(future);
    match poll(future) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the caller has made sure that it need not wait"),
    }
}
