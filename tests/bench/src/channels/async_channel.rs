//! async-channel, which smol's and async-std's users have.

use async_channel::{Receiver, Sender, bounded};

pub struct AsyncChannel<T>(Sender<T>, Receiver<T>);

impl<T> AsyncChannel<T> {
    pub fn new(capacity: usize) -> Self {
        let (sender, receiver) = bounded(capacity);
        Self(sender, receiver)
    }
}

pipe! { AsyncChannel<T>, "async-channel":
    0.send gives sent if sent.is_ok();
    1.recv gives item as item.expect("one was sent");
    try_recv gives item as item.expect("one was sent")
}
