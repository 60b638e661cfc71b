//! tokio's `sync`: `Mutex`, `Notify`, `watch`, `OnceCell`, `Semaphore`, `mpsc`.

use std::future::Future;

use tokio::sync::{
    Mutex, MutexGuard, Notify, OnceCell, Semaphore,
    mpsc::{Receiver, Sender, channel},
    watch,
};

use super::{Answer, Filled, GiveBack, Lock, Permits, SharedLock, Signal, SingleFlight, pipe};
use crate::crowd::VALUE;

impl GiveBack for MutexGuard<'_, ()> {}

pub struct TokioMutex(Mutex<()>);

impl Lock for TokioMutex {
    const NAME: &'static str = "tokio Mutex";

    fn new() -> Self {
        Self(Mutex::new(()))
    }

    #[inline(always)]
    fn try_lock(&self) -> Option<impl GiveBack> {
        self.0.try_lock().ok()
    }

    #[inline(always)]
    fn lock(&self) -> impl Future<Output = impl GiveBack> {
        self.0.lock()
    }
}

impl SharedLock for TokioMutex {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send {
        self.0.lock()
    }
}

pub struct TokioNotify(Notify);

struct NotifyWaiters<'a>(&'a Notify);

impl GiveBack for NotifyWaiters<'_> {
    #[inline(always)]
    fn give_back(self) {
        self.0.notify_waiters();
    }
}

impl Signal for TokioNotify {
    const NAME: &'static str = "tokio Notify";

    fn new() -> Self {
        Self(Notify::new())
    }

    fn hold(&self) -> impl GiveBack {
        NotifyWaiters(&self.0)
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        self.0.notified()
    }
}

/// Each waiter subscribes, and waits for the value to change.
pub struct TokioWatch(watch::Sender<u64>);

struct Publish<'a>(&'a watch::Sender<u64>);

impl GiveBack for Publish<'_> {
    #[inline(always)]
    fn give_back(self) {
        self.0.send_replace(VALUE);
    }
}

impl Signal for TokioWatch {
    const NAME: &'static str = "tokio watch";

    fn new() -> Self {
        Self(watch::Sender::new(0))
    }

    fn hold(&self) -> impl GiveBack {
        Publish(&self.0)
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        let mut receiver = self.0.subscribe();
        async move { receiver.changed().await }
    }
}

/// Nothing is forgotten in a cell, so there is a new one for each flight.
pub struct TokioOnce(Vec<OnceCell<u64>>);

impl SingleFlight for TokioOnce {
    const NAME: &'static str = "tokio OnceCell";

    fn new(flights: usize) -> Self {
        Self((0..flights).map(|_| OnceCell::new()).collect())
    }

    #[inline(always)]
    fn run<F>(&self, flight: usize, work: F) -> impl Future<Output = impl Answer> + Send
    where
        F: Future<Output = u64> + Send,
    {
        self.0[flight].get_or_init(move || work)
    }

    fn forget(&mut self, _: usize) {
        for cell in &mut self.0 {
            *cell = OnceCell::new();
        }
    }
}

impl Filled for OnceCell<u64> {
    const NAME: &'static str = "tokio OnceCell";

    fn filled() -> Self {
        Self::new_with(Some(VALUE))
    }

    #[inline(always)]
    fn get(&self) -> Option<impl Answer> {
        self.get()
    }

    #[inline(always)]
    fn get_or_make(&self) -> impl Future<Output = impl Answer> {
        self.get_or_init(std::future::pending::<u64>)
    }
}

pub struct TokioSemaphore(Semaphore);

impl Permits for TokioSemaphore {
    const NAME: &'static str = "tokio Semaphore";

    fn new(permits: usize) -> Self {
        Self(Semaphore::new(permits))
    }

    #[inline(always)]
    fn try_acquire(&self, permits: usize) -> Option<impl Sized> {
        self.0.try_acquire_many(permits as u32).ok()
    }

    #[inline(always)]
    fn acquire(&self, permits: usize) -> impl Future<Output = impl Sized> {
        self.0.acquire_many(permits as u32)
    }
}

pub struct Mpsc<T>(Sender<T>, Receiver<T>);

pipe! { Mpsc<T>, "tokio mpsc", |capacity| { let (sender, receiver) = channel(capacity); Self(sender, receiver) };
    0.send gives sent if sent.is_ok();
    1.recv gives item as item.expect("one was sent");
    try_recv gives item as item.expect("one was sent")
}
