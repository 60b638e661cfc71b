//! The books of the token endpoint, and the referee of a run. It sees both sides, which neither the
//! service nor a client can: whether a mint's requester is still there, and whether the clients had a
//! valid token when it set out.
//!
//! Invariants:
//! - An attempt is live from its making until its [`Attempt`] is dropped, however.
//! - A grant is an access token and the refresh token that goes with it, under one number. Number 0
//!   is none: signed out.
//! - A refresh token is good for one mint. It counts as used while a mint with it is under way, and
//!   once the answer has arrived. A mint whose requester has gone uses nothing: real endpoints forgive
//!   such a repetition within a grace period; a ledger can tell it exactly.
//! - Whoever uses one a second time revokes its whole family: what grew out of the same sign-in.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The number of a grant.
pub(crate) type Grant = u64;

/// No grant: a new one takes a sign-in.
pub(crate) const SIGNED_OUT: Grant = 0;

#[derive(Debug)]
pub(crate) struct Ledger {
    start: Instant,
    /// How long an access token is valid.
    life: Duration,
    /// From when to when the endpoint gives nothing.
    outage: Range<Duration>,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    attempts: u64,
    /// When each set out.
    live: BTreeMap<u64, Instant>,
    grants: BTreeMap<Grant, Entry>,
    revoked_families: BTreeSet<u64>,
    /// The last one whose answer arrived.
    latest: Grant,
    counts: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    family: u64,
    /// When its mint did.
    set_out: Instant,
    expires: Instant,
    ends: Instant,
    /// When its answer arrived.
    arrived: Option<Instant>,
    found_dead: bool,
    refresh: Refresh,
}

/// The state of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresh {
    Fresh,
    /// By this attempt. If that went before its answer arrived, it is as if there had been none.
    UsedBy(u64),
}

/// What was counted in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Access tokens that were refused for the first time since they had expired …
    pub(crate) expired: u64,
    /// … or since they, or their family, had been revoked.
    pub(crate) revoked: u64,
    /// Requests for a new grant that reached the endpoint.
    pub(crate) begun: u64,
    /// Those whose answer arrived: the mints.
    pub(crate) minted: u64,
    /// Mints for clients that had a valid token anyway, at their beginning or at their end.
    pub(crate) wasted: u64,
    /// Mints that replaced a valid token when about half of its life was over, one for each.
    pub(crate) early: u64,
    /// Requests for a grant while the endpoint was down …
    pub(crate) down: u64,
    /// … and requests for data that were served meanwhile.
    pub(crate) served: u64,
    /// Second uses of a refresh token, and what came after: `invalid_grant`.
    pub(crate) punished: u64,
}

/// A second use of a refresh token, or one of a revoked family.
#[derive(Debug)]
pub(crate) struct InvalidGrant;

impl Ledger {
    pub(crate) fn new(life: Duration, outage: Range<Duration>) -> Self {
        Self {
            start: Instant::now(),
            life,
            outage,
            book: Mutex::default(),
        }
    }

    /// The grant that the clients start with.
    pub(crate) fn sign_in(&self) -> Grant {
        let mut book = self.book();
        book.attempts += 1;
        let first = book.attempts;
        book.enter(first, first, self.life);
        book.arrive(first);
        first
    }

    /// Whether the endpoint is down.
    pub(crate) fn is_down(&self) -> bool {
        self.outage.contains(&self.start.elapsed())
    }

    /// Whether it is, or will be within the life of a token.
    pub(crate) fn is_down_soon(&self) -> bool {
        let now = self.start.elapsed();
        self.outage.contains(&now) || self.outage.contains(&(now + self.life))
    }

    /// A request for a grant that is not answered.
    pub(crate) fn turned_away(&self) {
        self.book().counts.down += 1;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.book().counts
    }

    /// A client sets out for a new grant; `current` is the one that it and its like have.
    pub(crate) fn attempt(self: &Arc<Self>, current: Grant) -> Attempt {
        let mut book = self.book();
        book.attempts += 1;
        let number = book.attempts;
        book.live.insert(number, Instant::now());
        let valid = book.is_valid(current);
        let early = valid && book.is_old(current, self.life);
        drop(book);
        Attempt {
            number,
            needless: valid && !early,
            early: early.then_some(current),
            ledger: Arc::clone(self),
        }
    }

    /// The endpoint begins a mint with the refresh token of `used`, or a sign-in.
    pub(crate) fn mint(self: &Arc<Self>, used: Grant, attempt: u64) -> Result<Mint, InvalidGrant> {
        let mut book = self.book();
        book.counts.begun += 1;
        let family = if used == SIGNED_OUT {
            attempt
        } else {
            book.use_refresh(used, attempt)?
        };
        drop(book);
        Ok(Mint {
            attempt,
            family,
            ledger: Arc::clone(self),
        })
    }

    /// Whether the service accepts the access token of `grant` now. Notes the first refusal.
    pub(crate) fn accepts(&self, grant: Grant) -> bool {
        let down = self.is_down();
        let mut book = self.book();
        let accepted = book.accepts(grant);
        book.counts.served += u64::from(down && accepted);
        accepted
    }

    /// Revokes the access token that the clients have, as a change of rights does.
    pub(crate) fn revoke_latest(&self) {
        let mut book = self.book();
        let latest = book.latest;
        if let Some(entry) = book.grants.get_mut(&latest) {
            entry.ends = entry.ends.min(Instant::now());
        }
    }

    /// From when to when the clients had a valid token, since the beginning.
    pub(crate) fn valid(&self) -> Vec<(Duration, Duration)> {
        let since = |at: Instant| at.saturating_duration_since(self.start);
        self.book()
            .grants
            .values()
            .filter_map(|entry| Some((since(entry.arrived?), since(entry.ends))))
            .collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn enter(&mut self, grant: Grant, family: u64, life: Duration) {
        let now = Instant::now();
        let expires = now + life;
        let entry = Entry {
            family,
            set_out: self.live.get(&grant).copied().unwrap_or(now),
            expires,
            ends: expires,
            arrived: None,
            found_dead: false,
            refresh: Refresh::Fresh,
        };
        self.grants.insert(grant, entry);
    }

    fn arrive(&mut self, grant: Grant) {
        self.latest = grant;
        if let Some(entry) = self.grants.get_mut(&grant) {
            entry.arrived = Some(Instant::now());
        }
    }

    fn is_valid(&self, grant: Grant) -> bool {
        self.grants
            .get(&grant)
            .is_some_and(|entry| Instant::now() < entry.ends)
    }

    /// Whether it is so old that it may be renewed early: a careful client counts its life from when the
    /// mint set out, and begins at half of that. (Two fifths: the clocks are read one after another.)
    fn is_old(&self, grant: Grant, life: Duration) -> bool {
        self.grants
            .get(&grant)
            .is_some_and(|entry| entry.set_out.elapsed() >= life * 2 / 5)
    }

    fn accepts(&mut self, grant: Grant) -> bool {
        if self.is_valid(grant) {
            return true;
        }
        if let Some(entry) = self
            .grants
            .get_mut(&grant)
            .filter(|entry| !entry.found_dead)
        {
            entry.found_dead = true;
            let end = if entry.ends < entry.expires {
                &mut self.counts.revoked
            } else {
                &mut self.counts.expired
            };
            *end += 1;
        }
        false
    }

    /// Uses the refresh token of `grant`: its family, unless this is the second use.
    fn use_refresh(&mut self, grant: Grant, attempt: u64) -> Result<u64, InvalidGrant> {
        let arrived = |grant: u64| {
            let entry = self.grants.get(&grant);
            entry.is_some_and(|entry| entry.arrived.is_some())
        };
        let entry = self.grants.get(&grant).copied();
        let valid = entry.filter(|entry| !self.revoked_families.contains(&entry.family));
        let Some(Entry {
            family, refresh, ..
        }) = valid
        else {
            self.counts.punished += 1;
            return Err(InvalidGrant);
        };
        // A request may come in when its requester has gone and another has set out.
        let here = self.live.contains_key(&attempt);
        match refresh {
            Refresh::UsedBy(other)
                if arrived(other) || (here && self.live.contains_key(&other)) =>
            {
                self.revoke_family(family);
                self.counts.punished += 1;
                return Err(InvalidGrant);
            }
            Refresh::UsedBy(other) if self.live.contains_key(&other) => {}
            _ => {
                if let Some(entry) = self.grants.get_mut(&grant) {
                    entry.refresh = Refresh::UsedBy(attempt);
                }
            }
        }
        Ok(family)
    }

    fn revoke_family(&mut self, family: u64) {
        self.revoked_families.insert(family);
        let now = Instant::now();
        for entry in self.grants.values_mut() {
            if entry.family == family {
                entry.ends = entry.ends.min(now);
            }
        }
    }
}

/// A client that wants a new grant and is still there.
pub(crate) struct Attempt {
    pub(crate) number: u64,
    /// The clients had a valid token when it set out.
    needless: bool,
    /// They had this one, which was valid, and old enough to be renewed.
    early: Option<Grant>,
    ledger: Arc<Ledger>,
}

impl Attempt {
    /// The answer is there.
    pub(crate) fn arrived(self) {
        let mut book = self.ledger.book();
        let latest = book.latest;
        let early = self.early == Some(latest) && book.is_valid(latest);
        let wasted = self.needless || (book.is_valid(latest) && !early);
        book.counts.early += u64::from(early);
        book.counts.minted += 1;
        book.counts.wasted += u64::from(wasted);
        book.arrive(self.number);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.ledger.book().live.remove(&self.number);
    }
}

/// A mint in the endpoint, until it is answered or the connection is found closed.
pub(crate) struct Mint {
    attempt: u64,
    family: u64,
    ledger: Arc<Ledger>,
}

impl Mint {
    /// The new grant, valid from now; unless its family was revoked meanwhile.
    pub(crate) fn answer(self) -> Result<Grant, InvalidGrant> {
        let mut book = self.ledger.book();
        if book.revoked_families.contains(&self.family) {
            book.counts.punished += 1;
            return Err(InvalidGrant);
        }
        book.enter(self.attempt, self.family, self.ledger.life);
        Ok(self.attempt)
    }
}

#[cfg(test)]
mod tests;
