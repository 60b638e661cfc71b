//! `Channel`: each item that was taken arrives once, and none is left when the channel has gone.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use ecluse_core::Channel;

use crate::subject::{Call, Dice, Faults, Subject, pause};

#[derive(Default)]
struct Books {
    /// Items that are somewhere.
    alive: AtomicUsize,
    /// Whose senders were told that they were taken …
    taken: AtomicU64,
    /// … and which were received.
    received: AtomicU64,
}

pub(super) struct Item(Arc<Books>);

impl Item {
    fn new(books: &Arc<Books>) -> Self {
        books.alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(books))
    }

    fn received(self) {
        self.0.received.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) struct Channels<const N: usize> {
    channel: Option<Channel<Item, N>>,
    books: Arc<Books>,
    faults: Faults,
}

impl<const N: usize> Channels<N> {
    fn channel(&self) -> &Channel<Item, N> {
        self.channel.as_ref().expect("it goes in `check`")
    }

    async fn send(&self, how: usize, pauses: usize) {
        let (channel, item) = (self.channel(), Item::new(&self.books));
        let taken = match how {
            0 => channel.try_send(item).is_ok(),
            1 => match channel.reserve().await {
                Ok(permit) => {
                    pause(pauses).await;
                    permit.send(item);
                    true
                }
                Err(_) => false,
            },
            2 => {
                let mut place = Some(item);
                let sent = channel.send_from(&mut place).await.is_ok();
                self.faults
                    .note_if(sent == place.is_some(), "an item in two places, or none");
                sent
            }
            _ => channel.send(item).await.is_ok(),
        };
        if taken {
            self.books.taken.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn receive(&self, tries: bool) {
        let item = if tries {
            self.channel().try_receive().ok()
        } else {
            self.channel().receive().await.ok()
        };
        if let Some(item) = item {
            item.received();
        }
    }
}

impl<const N: usize> Subject for Channels<N> {
    fn new() -> Self {
        Self {
            channel: Some(Channel::new()),
            books: Arc::default(),
            faults: Faults::default(),
        }
    }

    fn call<'s>(&'s self, dice: &mut Dice) -> Call<'s> {
        if dice.once_in(2) {
            Box::pin(self.send(dice.below(5), dice.below(4)))
        } else {
            Box::pin(self.receive(dice.once_in(4)))
        }
    }

    fn finish(&self) {
        self.channel().close();
    }

    fn check(&mut self) {
        let Some(channel) = self.channel.take() else {
            return;
        };
        while let Ok(item) = channel.try_receive() {
            item.received();
        }
        let waits = channel.has_waiting_receivers() || channel.has_waiting_senders();
        self.faults.note_if(waits, "a waiter left");
        drop(channel);
        let taken = self.books.taken.load(Ordering::SeqCst);
        let received = self.books.received.load(Ordering::SeqCst);
        // (A sender may go after its item was received, before it knows.)
        self.faults.note_if(received < taken, "an item lost");
        let alive = self.books.alive.load(Ordering::SeqCst) > 0;
        self.faults.note_if(alive, "an item left");
    }

    fn faults(&self) -> &Faults {
        &self.faults
    }
}
