//! ecluse: with each of its locks.

use ecluse_core::{Channel, CriticalSection, Local, StdMutex};

macro_rules! ours {
    ($name:ident, $lock:ty, $text:literal) => {
        pub struct $name<T, const N: usize>(Channel<T, N, $lock>);

        impl<T, const N: usize> $name<T, N> {
            pub fn new() -> Self {
                Self(Channel::new())
            }
        }

        pipe! { $name<T, N>, $text:
            0.send gives sent if sent.is_ok();
            0.receive gives item as item.expect("one was sent");
            try_receive gives item as item.expect("one was sent")
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
