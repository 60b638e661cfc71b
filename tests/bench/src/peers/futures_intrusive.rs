//! futures-intrusive: `Mutex` and `Semaphore`, both fair, `ManualResetEvent`, channels; with the
//! mutex of parking_lot, and without a lock.

use std::future::Future;

use futures_intrusive::{
    buffer::RealArray,
    channel::{
        LocalChannel,
        shared::{Receiver, Sender, channel},
    },
    sync::{LocalMutex, LocalMutexGuard, ManualResetEvent, Mutex, MutexGuard, Semaphore},
};

use super::{GiveBack, Lock, Permits, SharedLock, Signal, pipe};

impl GiveBack for MutexGuard<'_, ()> {}
impl GiveBack for LocalMutexGuard<'_, ()> {}

macro_rules! mutex {
    ($name:ident, $mutex:ty, $text:literal) => {
        pub struct $name($mutex);

        impl Lock for $name {
            const NAME: &'static str = $text;

            fn new() -> Self {
                Self(<$mutex>::new((), true))
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
    };
}

mutex!(IntrusiveMutex, Mutex<()>, "futures-intrusive Mutex");
mutex!(
    IntrusiveLocalMutex,
    LocalMutex<()>,
    "futures-intrusive LocalMutex"
);

impl SharedLock for IntrusiveMutex {
    fn lock_shared(&self) -> impl Future<Output = impl GiveBack + Send> + Send {
        self.0.lock()
    }
}

pub struct IntrusiveEvent(ManualResetEvent);

struct Set<'a>(&'a ManualResetEvent);

impl GiveBack for Set<'_> {
    #[inline(always)]
    fn give_back(self) {
        self.0.set();
    }
}

impl Signal for IntrusiveEvent {
    const NAME: &'static str = "futures-intrusive event";

    fn new() -> Self {
        Self(ManualResetEvent::new(false))
    }

    fn hold(&self) -> impl GiveBack {
        self.0.reset();
        Set(&self.0)
    }

    #[inline(always)]
    fn wait(&self) -> impl Future {
        self.0.wait()
    }
}

pub struct IntrusiveSemaphore(Semaphore);

impl Permits for IntrusiveSemaphore {
    const NAME: &'static str = "futures-intrusive Semaphore";

    fn new(permits: usize) -> Self {
        Self(Semaphore::new(true, permits))
    }

    #[inline(always)]
    fn try_acquire(&self, permits: usize) -> Option<impl Sized> {
        self.0.try_acquire(permits)
    }

    #[inline(always)]
    fn acquire(&self, permits: usize) -> impl Future<Output = impl Sized> {
        self.0.acquire(permits)
    }
}

pub struct IntrusiveChannel<T: 'static>(Sender<T>, Receiver<T>);

pipe! { IntrusiveChannel<T>, "futures-intrusive channel", |capacity| { let (sender, receiver) = channel(capacity); Self(sender, receiver) };
    0.send gives sent if sent.is_ok();
    1.receive gives item as item.expect("one was sent");
    try_receive gives item as item.expect("one was sent")
}

/// Its buffer is in itself.
pub struct IntrusiveLocalChannel<T: 'static, const N: usize>(LocalChannel<T, [T; N]>)
where
    [T; N]: RealArray<T>;

pipe! { IntrusiveLocalChannel<T, N> where [[T; N]: RealArray<T>], "futures-intrusive channel, local", |_| Self(LocalChannel::new());
    0.send gives sent if sent.is_ok();
    0.receive gives item as item.expect("one was sent");
    try_receive gives item as item.expect("one was sent")
}
