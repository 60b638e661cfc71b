//! The referee of a run. It sees both sides, which neither the service nor a client can: whether a
//! mint's requester is still there, and whether the clients had a valid token when it began.
//!
//! Invariant: an attempt is live from its making until its [`Attempt`] is dropped, however.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What the service hands out. Numbers are enough here.
pub(crate) type Token = u64;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    attempts: u64,
    live: BTreeSet<u64>,
    in_service: BTreeSet<u64>,
    expiry: BTreeMap<Token, Instant>,
    mints: Mints,
}

/// What was minted in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mints {
    /// Requests for a new token that reached the service.
    pub(crate) begun: u64,
    /// Those that were answered.
    pub(crate) done: u64,
    /// Those that began while the clients had a valid token.
    pub(crate) wasted: u64,
    /// Those that began while another was under way, both for somebody who was still there.
    pub(crate) concurrent: u64,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mints(&self) -> Mints {
        self.book().mints
    }

    /// A client sets out for a new token; `current` is the one that it and its like have.
    pub(crate) fn attempt(self: &Arc<Self>, current: Token) -> Attempt {
        let mut book = self.book();
        book.attempts += 1;
        let number = book.attempts;
        book.live.insert(number);
        book.mints.wasted += u64::from(book.is_valid(current));
        drop(book);
        Attempt {
            number,
            ledger: Arc::clone(self),
        }
    }

    /// The service begins the mint that was asked for by `attempt`.
    pub(crate) fn mint(self: &Arc<Self>, attempt: u64) -> Minting {
        let mut book = self.book();
        // A request may arrive when its requester is gone and another has set out.
        let still_there = |attempt: &u64| book.live.contains(attempt);
        let concurrent = still_there(&attempt) && book.in_service.iter().any(still_there);
        book.mints.begun += 1;
        book.mints.concurrent += u64::from(concurrent);
        book.in_service.insert(attempt);
        drop(book);
        Minting {
            attempt,
            ledger: Arc::clone(self),
        }
    }

    /// Whether the service accepts `token` now.
    pub(crate) fn is_valid(&self, token: Token) -> bool {
        self.book().is_valid(token)
    }
}

impl Book {
    fn is_valid(&self, token: Token) -> bool {
        self.expiry
            .get(&token)
            .is_some_and(|expiry| Instant::now() < *expiry)
    }
}

/// A client that wants a new token and is still there.
pub(crate) struct Attempt {
    pub(crate) number: u64,
    ledger: Arc<Ledger>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.ledger.book().live.remove(&self.number);
    }
}

/// A mint in the service. It ends when it is answered, or when the connection is found closed.
pub(crate) struct Minting {
    attempt: u64,
    ledger: Arc<Ledger>,
}

impl Minting {
    /// The new token, valid from now.
    pub(crate) fn answer(self, life: Duration) -> Token {
        let mut book = self.ledger.book();
        book.mints.done += 1;
        book.expiry.insert(self.attempt, Instant::now() + life);
        self.attempt
    }
}

impl Drop for Minting {
    fn drop(&mut self) {
        self.ledger.book().in_service.remove(&self.attempt);
    }
}
