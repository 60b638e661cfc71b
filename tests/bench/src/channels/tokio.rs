//! tokio's `mpsc`.

use tokio::sync::mpsc::{Receiver, Sender, channel};

pub struct Tokio<T>(Sender<T>, Receiver<T>);

impl<T> Tokio<T> {
    pub fn new(capacity: usize) -> Self {
        let (sender, receiver) = channel(capacity);
        Self(sender, receiver)
    }
}

pipe! { Tokio<T>, "tokio mpsc":
    0.send gives sent if sent.is_ok();
    1.recv gives item as item.expect("one was sent");
    try_recv gives item as item.expect("one was sent")
}
