//! A token and its expiry behind a lock, by hand, in the shapes that cloud clients have: what asking
//! for a valid token costs there.
//!
//! | shape | as in |
//! |---|---|
//! | an async `RwLock` over the value and its expiry, cloned out | the AWS SDK's expiring cache |
//! | a `watch` channel that a task writes, borrowed and cloned | Google's token cache |
//! | a `Mutex` or `RwLock` of std | what is written by hand |
//!
//! Each is its hit path alone: no refresh, no single flight, no breaker.

use std::sync::{Mutex, PoisonError, RwLock};

use ecluse_core::runtime::Clock;

/// A token, and until when it is good.
type Entry<T, C> = Option<(T, <C as Clock>::Instant)>;

/// The token, if it is good by this clock.
fn valid<T: Clone, C: Clock>(entry: &Entry<T, C>, clock: &C) -> Option<T> {
    let (token, expires) = entry.as_ref()?;
    (clock.now() < *expires).then(|| token.clone())
}

pub struct Aws<T, C: Clock>(tokio::sync::RwLock<Entry<T, C>>, C);

impl<T: Clone, C: Clock> Aws<T, C> {
    pub fn new(token: T, expires: C::Instant, clock: C) -> Self {
        Self(tokio::sync::RwLock::new(Some((token, expires))), clock)
    }

    pub async fn get(&self) -> Option<T> {
        valid(&*self.0.read().await, &self.1)
    }
}

pub struct Google<T, C: Clock>(tokio::sync::watch::Sender<Entry<T, C>>, C);

impl<T: Clone, C: Clock> Google<T, C> {
    pub fn new(token: T, expires: C::Instant, clock: C) -> Self {
        Self(
            tokio::sync::watch::Sender::new(Some((token, expires))),
            clock,
        )
    }

    pub fn get(&self) -> Option<T> {
        valid(&*self.0.borrow(), &self.1)
    }
}

pub struct ByMutex<T, C: Clock>(Mutex<Entry<T, C>>, C);

impl<T: Clone, C: Clock> ByMutex<T, C> {
    pub fn new(token: T, expires: C::Instant, clock: C) -> Self {
        Self(Mutex::new(Some((token, expires))), clock)
    }

    pub fn get(&self) -> Option<T> {
        let entry = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        valid(&entry, &self.1)
    }
}

pub struct ByRwLock<T, C: Clock>(RwLock<Entry<T, C>>, C);

impl<T: Clone, C: Clock> ByRwLock<T, C> {
    pub fn new(token: T, expires: C::Instant, clock: C) -> Self {
        Self(RwLock::new(Some((token, expires))), clock)
    }

    pub fn get(&self) -> Option<T> {
        let entry = self.0.read().unwrap_or_else(PoisonError::into_inner);
        valid(&entry, &self.1)
    }
}
