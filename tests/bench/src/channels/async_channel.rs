//! async-channel, which smol's and async-std's users have.

use std::pin::pin;

use async_channel::{Receiver, Sender, bounded};

use super::Pipe;
use crate::peers::{now, poll};

pub struct AsyncChannel<T>(Sender<T>, Receiver<T>);

impl<T> AsyncChannel<T> {
    pub fn new(capacity: usize) -> Self {
        let (sender, receiver) = bounded(capacity);
        Self(sender, receiver)
    }
}

impl<T> Pipe<T> for AsyncChannel<T> {
    const NAME: &'static str = "async-channel";

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
        let mut receive = pin!(self.1.recv());
        assert!(poll(receive.as_mut()).is_pending());
        assert!(now(self.0.send(item)).is_ok());
        now(receive).expect("one was sent")
    }
}
