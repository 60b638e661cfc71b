//! `Relay`: the work goes from hand to hand, one at a time, and none of its steps is missing.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use ecluse_core::flight::Relay;

use crate::subject::{Call, Dice, Faults, Inside, Subject};

const STEPS: u64 = 10;

#[derive(Default)]
struct Books {
    at_it: Inside,
    faults: Faults,
    begun: AtomicU64,
    ended: AtomicU64,
}

/// Work in ten steps.
pub(super) struct Steps {
    at: u64,
    books: Arc<Books>,
}

impl Steps {
    fn new(books: &Arc<Books>) -> Self {
        books.begun.fetch_add(1, Ordering::SeqCst);
        Self {
            at: 0,
            books: Arc::clone(books),
        }
    }
}

impl Future for Steps {
    type Output = u64;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u64> {
        let books = Arc::clone(&self.books);
        let _stay = books.at_it.enter(1, 1, &books.faults);
        self.at += 1;
        if self.at == STEPS {
            return Poll::Ready(self.at);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.books.ended.fetch_add(1, Ordering::SeqCst);
    }
}

pub(super) struct Relays {
    relay: Relay<Steps>,
    books: Arc<Books>,
}

impl Subject for Relays {
    fn new() -> Self {
        Self {
            relay: Relay::new(),
            books: Arc::default(),
        }
    }

    fn call<'s>(&'s self, _: &mut Dice) -> Call<'s> {
        Box::pin(async {
            let answer = self.relay.run(|| Steps::new(&self.books)).await;
            let wrong = answer.is_ok_and(|answer| answer.value != STEPS);
            self.books.faults.note_if(wrong, "a step that is missing");
        })
    }

    fn check(&mut self) {
        let books = &self.books;
        let left = self.relay.is_running()
            || books.begun.load(Ordering::SeqCst) != books.ended.load(Ordering::SeqCst);
        books.faults.note_if(left, "work left");
    }

    fn faults(&self) -> &Faults {
        &self.books.faults
    }
}
