//! maitake-sync with the mutex of std: `Mutex`, `WaitQueue`, and its `Semaphore`, whose lock is a
//! spinlock.

use std::future::Future;

use maitake_sync::{Mutex, MutexGuard, Semaphore, WaitQueue, blocking::DefaultMutex};

use super::{GiveBack, Lock, Permits, SharedLock, Signal};

impl GiveBack for MutexGuard<'_, (), DefaultMutex> {}

pub struct MaitakeMutex(Mutex<()>);

impl Lock for MaitakeMutex {
    const NAME: &'static str = "maitake-sync Mutex";

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

impl SharedLock for MaitakeMutex {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send {
        self.0.lock()
    }
}

pub struct MaitakeQueue(WaitQueue);

struct WakeAll<'a>(&'a WaitQueue);

impl GiveBack for WakeAll<'_> {
    #[inline(always)]
    fn give_back(self) {
        self.0.wake_all();
    }
}

impl Signal for MaitakeQueue {
    const NAME: &'static str = "maitake-sync WaitQueue";

    fn new() -> Self {
        Self(WaitQueue::new())
    }

    fn hold(&self) -> impl GiveBack {
        WakeAll(&self.0)
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        self.0.wait()
    }
}

pub struct MaitakeSemaphore(Semaphore);

impl Permits for MaitakeSemaphore {
    const NAME: &'static str = "maitake-sync Semaphore";

    fn new(permits: usize) -> Self {
        Self(Semaphore::new(permits))
    }

    #[inline(always)]
    fn try_acquire(&self, permits: usize) -> Option<impl Sized> {
        self.0.try_acquire(permits).ok()
    }

    #[inline(always)]
    fn acquire(&self, permits: usize) -> impl Future<Output = impl Sized> {
        self.0.acquire(permits)
    }
}
