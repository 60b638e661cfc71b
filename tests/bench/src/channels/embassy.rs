//! embassy-sync's `Channel`: under a critical section, and with a mutex that is none.

use embassy_sync::{
    blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex},
    channel::Channel,
};

macro_rules! embassy {
    ($name:ident, $mutex:ty, $text:literal) => {
        pub struct $name<T, const N: usize>(Channel<$mutex, T, N>);

        impl<T, const N: usize> $name<T, N> {
            pub fn new() -> Self {
                Self(Channel::new())
            }
        }

        pipe! { $name<T, N>, $text:
            0.send gives sent if matches!(sent, ());
            0.receive gives item as item;
            try_receive gives item as item.unwrap_or_else(|_| unreachable!("one was sent"))
        }
    };
}

embassy!(
    Critical,
    CriticalSectionRawMutex,
    "embassy-sync Channel, critical section"
);
embassy!(Bare, NoopRawMutex, "embassy-sync Channel, no lock");
