//! tokio's `mpsc`.

use std::pin::pin;

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::Pipe;
use crate::peers::{now, poll};

pub struct Tokio<T>(Sender<T>, Receiver<T>);

impl<T> Tokio<T> {
    pub fn new(capacity: usize) -> Self {
        let (sender, receiver) = channel(capacity);
        Self(sender, receiver)
    }
}

impl<T> Pipe<T> for Tokio<T> {
    const NAME: &'static str = "tokio mpsc";

    fn send(&mut self, item: T) {
        assert!(now(self.0.send(item)).is_ok());
    }

    fn receive(&mut self) -> T {
        now(self.1.recv()).expect("one was sent")
    }

    fn try_send(&mut self, item: T) {
        assert!(self.0.try_send(item).is_ok());
    }

    fn try_receive(&mut self) -> T {
        self.1.try_recv().expect("one was sent")
    }

    fn meet(&mut self, item: T) -> T {
        let Self(sender, receiver) = self;
        let mut receive = pin!(receiver.recv());
        assert!(poll(receive.as_mut()).is_pending());
        assert!(now(sender.send(item)).is_ok());
        now(receive).expect("one was sent")
    }
}
