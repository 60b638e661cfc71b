//! What the models share: data that is only right to touch in turn, counted wakers, polling.

use core::{
    future::Future,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};
use std::{sync::Arc, task::Wake};

use ecluse_core::{Barging, Handoff, Line, Revocable, Slot};
use loom::cell::UnsafeCell;

/// A list of models of this file.
macro_rules! models {
    ($($name:ident),* $(,)?) => {
        pub(crate) const MODELS: &[(&str, fn())] = &[
            $((concat!(module_path!(), "::", stringify!($name)), $name as fn()),)*
        ];
    };
}
pub(crate) use models;

/// Data that belongs to whoever holds the claim. Loom fails the model if two threads touch it
/// without one's touch happening before the other's.
pub(crate) struct Data(UnsafeCell<usize>);

// SAFETY: Validity: a number. Aliasing: the models are what shows that it is used in turn.
unsafe impl Sync for Data {}
// SAFETY: as above.
unsafe impl Send for Data {}

impl Data {
    pub(crate) fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    pub(crate) fn add(&self) {
        // SAFETY: Validity: a number. Aliasing: loom looks.
        self.0.with_mut(|data| unsafe { *data += 1 });
    }

    pub(crate) fn get(&self) -> usize {
        // SAFETY: Validity: a number. Aliasing: loom looks.
        self.0.with(|data| unsafe { *data })
    }
}

/// A slot or line with the data that it guards.
pub(crate) struct Shared<T> {
    pub(crate) lock: Arc<T>,
    pub(crate) data: Data,
}

pub(crate) fn slot() -> Arc<Shared<Slot<Handoff>>> {
    shared(Slot::new())
}

pub(crate) fn revocable() -> Arc<Shared<Slot<Revocable>>> {
    shared(Slot::new())
}

pub(crate) fn barging() -> Arc<Shared<Slot<Barging>>> {
    shared(Slot::new())
}

pub(crate) fn line() -> Arc<Shared<Line>> {
    shared(Line::new())
}

fn shared<T>(lock: T) -> Arc<Shared<T>> {
    Arc::new(Shared {
        lock: Arc::new(lock),
        data: Data::new(),
    })
}

/// Counts wakes; not seen by loom, so it adds no order.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (wakes.clone(), wakes.into())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// How many wakers are alive that lead here.
    pub(crate) fn live(self: &Arc<Self>) -> usize {
        Arc::strong_count(self) - 1
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// One poll by a waker that orders nothing.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

pub(crate) fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("still pending"),
    }
}

pub(crate) use loom::{future::block_on, thread::spawn};
