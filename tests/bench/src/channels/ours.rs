//! ecluse: with each of its locks.

use std::pin::pin;

use ecluse_core::{Channel, CriticalSection, Local, StdMutex};

use super::Pipe;
use crate::peers::{now, poll};

macro_rules! ours {
    ($name:ident, $lock:ty, $text:literal) => {
        pub struct $name<T, const N: usize>(Channel<T, N, $lock>);

        impl<T, const N: usize> $name<T, N> {
            pub fn new() -> Self {
                Self(Channel::new())
            }
        }

        impl<T, const N: usize> Pipe<T> for $name<T, N> {
            const NAME: &'static str = $text;

            fn send(&mut self, item: T) {
                assert!(now(self.0.send(item)).is_ok());
            }

            fn receive(&mut self) -> T {
                now(self.0.receive()).expect("one was sent")
            }

            fn try_send(&mut self, item: T) {
                assert!(self.0.try_send(item).is_ok());
            }

            fn try_receive(&mut self) -> T {
                self.0.try_receive().expect("one was sent")
            }

            fn meet(&mut self, item: T) -> T {
                let mut receive = pin!(self.0.receive());
                assert!(poll(receive.as_mut()).is_pending());
                assert!(now(self.0.send(item)).is_ok());
                now(receive).expect("one was sent")
            }
        }
    };
}

ours!(Std, StdMutex, "ecluse Channel");
ours!(
    Critical,
    CriticalSection,
    "ecluse Channel, critical section"
);
ours!(Bare, Local, "ecluse Channel, no lock");
