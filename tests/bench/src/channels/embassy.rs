//! embassy-sync's `Channel`: under a critical section, and with a mutex that is none.

use std::pin::pin;

use embassy_sync::{
    blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex},
    channel::Channel,
};

use super::Pipe;
use crate::peers::{now, poll};

macro_rules! embassy {
    ($name:ident, $mutex:ty, $text:literal) => {
        pub struct $name<T, const N: usize>(Channel<$mutex, T, N>);

        impl<T, const N: usize> $name<T, N> {
            pub fn new() -> Self {
                Self(Channel::new())
            }
        }

        impl<T, const N: usize> Pipe<T> for $name<T, N> {
            const NAME: &'static str = $text;

            fn send(&mut self, item: T) {
                now(self.0.send(item));
            }

            fn receive(&mut self) -> T {
                now(self.0.receive())
            }

            fn try_send(&mut self, item: T) {
                assert!(self.0.try_send(item).is_ok());
            }

            fn try_receive(&mut self) -> T {
                self.0
                    .try_receive()
                    .unwrap_or_else(|_| unreachable!("one was sent"))
            }

            fn meet(&mut self, item: T) -> T {
                let mut receive = pin!(self.0.receive());
                assert!(poll(receive.as_mut()).is_pending());
                now(self.0.send(item));
                now(receive)
            }
        }
    };
}

embassy!(
    Critical,
    CriticalSectionRawMutex,
    "embassy-sync Channel, critical section"
);
embassy!(Bare, NoopRawMutex, "embassy-sync Channel, no lock");
