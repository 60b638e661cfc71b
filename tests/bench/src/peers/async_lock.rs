//! async-lock: `Mutex`, `OnceCell`, `Semaphore`.

use std::future::Future;

use async_lock::{Mutex, MutexGuard, OnceCell, Semaphore};

use super::{Answer, Filled, GiveBack, Lock, Permits, SharedLock, SingleFlight};
use crate::crowd::VALUE;

impl GiveBack for MutexGuard<'_, ()> {}

pub struct AsyncMutex(Mutex<()>);

impl Lock for AsyncMutex {
    const NAME: &'static str = "async-lock Mutex";

    fn new() -> Self {
        Self(Mutex::new(()))
    }

    #[inline(always)]
    fn try_lock(&self) -> Option<impl GiveBack> {
        self.0.try_lock()
    }

    #[inline(always)]
    fn lock(&self) -> impl Future<Output = impl GiveBack> {
        self.0.lock()
    }
}

impl SharedLock for AsyncMutex {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send {
        self.0.lock()
    }
}

/// Nothing is forgotten in a cell, so there is a new one for each flight.
pub struct AsyncOnce(Vec<OnceCell<u64>>);

impl SingleFlight for AsyncOnce {
    const NAME: &'static str = "async-lock OnceCell";

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
    const NAME: &'static str = "async-lock OnceCell";

    fn filled() -> Self {
        Self::from(VALUE)
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

/// It has no weights: one permit at a time, whatever is asked for, so it is left out where that
/// matters.
pub struct AsyncSemaphore(Semaphore);

impl Permits for AsyncSemaphore {
    const NAME: &'static str = "async-lock Semaphore";

    fn new(permits: usize) -> Self {
        Self(Semaphore::new(permits))
    }

    #[inline(always)]
    fn try_acquire(&self, _: usize) -> Option<impl Sized> {
        self.0.try_acquire()
    }

    #[inline(always)]
    fn acquire(&self, _: usize) -> impl Future<Output = impl Sized> {
        self.0.acquire()
    }
}
