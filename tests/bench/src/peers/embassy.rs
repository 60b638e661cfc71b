//! embassy-sync: `Mutex`, `Channel`, and its two semaphores; under a critical section, and with a
//! mutex that is none.

use std::future::Future;

use embassy_sync::{
    blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex},
    channel::Channel,
    mutex::{Mutex, MutexGuard},
    semaphore::{FairSemaphore, GreedySemaphore, Semaphore},
};

use super::{GiveBack, Lock, Permits, pipe};

impl GiveBack for MutexGuard<'_, CriticalSectionRawMutex, ()> {}
impl GiveBack for MutexGuard<'_, NoopRawMutex, ()> {}

macro_rules! mutex {
    ($name:ident, $raw:ty, $text:literal) => {
        pub struct $name(Mutex<$raw, ()>);

        impl Lock for $name {
            const NAME: &'static str = $text;

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
    };
}

mutex!(
    CriticalMutex,
    CriticalSectionRawMutex,
    "embassy-sync Mutex, critical section"
);
mutex!(BareMutex, NoopRawMutex, "embassy-sync Mutex, local");

macro_rules! semaphore {
    ($name:ident, $semaphore:ty, $text:literal) => {
        pub struct $name($semaphore);

        impl Permits for $name {
            const NAME: &'static str = $text;

            fn new(permits: usize) -> Self {
                Self(<$semaphore>::new(permits))
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
    };
}

semaphore!(
    Greedy,
    GreedySemaphore<CriticalSectionRawMutex>,
    "embassy-sync GreedySemaphore"
);
semaphore!(Fair, FairSemaphore<CriticalSectionRawMutex, 8>, "embassy-sync FairSemaphore");

macro_rules! channel {
    ($name:ident, $raw:ty, $text:literal) => {
        pub struct $name<T, const N: usize>(Channel<$raw, T, N>);

        pipe! { $name<T, N>, $text, |_| Self(Channel::new());
            0.send gives sent if matches!(sent, ());
            0.receive gives item as item;
            try_receive gives item as item.unwrap_or_else(|_| unreachable!("one was sent"))
        }
    };
}

channel!(
    CriticalChannel,
    CriticalSectionRawMutex,
    "embassy-sync Channel, critical section"
);
channel!(BareChannel, NoopRawMutex, "embassy-sync Channel, local");
