//! Polling by hand, without a runtime, the same for all; crowds of futures.
//!
//! Futures lie side by side in one allocation that is made before the clock starts, as they would
//! inside their tasks.

use std::{
    cell::Cell,
    future::Future,
    hint::black_box,
    mem::size_of_val,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A future that is ready at its first poll. Inlined, so that nobody pays for moving a future into a
/// function, which no program does.
#[inline(always)]
pub fn now<F: Future>(future: F) -> F::Output {
    let future = pin!(future);
    match poll(future) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("the caller has made sure that it need not wait"),
    }
}

/// A future that has to wait: it is polled once, and dropped.
#[inline(always)]
pub fn leave<F: Future>(future: F) {
    let future = pin!(future);
    assert!(poll(future).is_pending());
}

pub fn size<F>(make: impl FnOnce() -> F) -> usize {
    size_of_val(&make())
}

/// Room for `n` futures that are made, polled and dropped in place.
pub struct Crowd<F> {
    room: Vec<Option<F>>,
}

impl<F: Future> Crowd<F> {
    pub fn new(n: usize) -> Self {
        Self {
            room: (0..n).map(|_| None).collect(),
        }
    }

    fn all(&mut self) -> impl Iterator<Item = Pin<&mut Option<F>>> {
        // SAFETY: Validity: the vector is not grown, and its futures are dropped in place.
        // Aliasing: one reference to each at a time.
        self.room
            .iter_mut()
            .map(|place| unsafe { Pin::new_unchecked(place) })
    }

    /// Each is made and polled once.
    pub fn register(&mut self, make: impl Fn() -> F) {
        for mut place in self.all() {
            place.set(Some(make()));
            let waits = poll(place.as_pin_mut().expect("just made"));
            assert!(black_box(waits).is_pending());
        }
    }

    /// Each is polled, now ready, and dropped.
    pub fn observe(&mut self, mut is_right: impl FnMut(F::Output) -> bool) {
        for mut place in self.all() {
            match poll(place.as_mut().as_pin_mut().expect("registered")) {
                Poll::Ready(output) => assert!(is_right(black_box(output))),
                Poll::Pending => unreachable!("it has been told"),
            }
            place.set(None);
        }
    }
}

thread_local! {
    static OPEN: Cell<bool> = const { Cell::new(false) };
}

/// The value that all flights give.
pub const VALUE: u64 = 7;

/// A leader's work: ready once the gate is open. It is polled by hand, so it keeps no waker.
pub struct Gate;

impl Gate {
    pub fn set(open: bool) {
        OPEN.set(open);
    }
}

impl Future for Gate {
    type Output = u64;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u64> {
        if OPEN.get() {
            Poll::Ready(VALUE)
        } else {
            Poll::Pending
        }
    }
}
