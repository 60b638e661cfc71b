//! async-channel, which smol's and async-std's users have.

use async_channel::{Receiver, Sender, bounded};

use super::pipe;

pub struct AsyncChannel<T>(Sender<T>, Receiver<T>);

pipe! { AsyncChannel<T>, "async-channel", |capacity| { let (sender, receiver) = bounded(capacity); Self(sender, receiver) };
    0.send gives sent if sent.is_ok();
    1.recv gives item as item.expect("one was sent");
    try_recv gives item as item.expect("one was sent")
}
