//! A value with an expiry, refreshed by one at a time, and served while it is valid: credentials,
//! configuration with a lease, readings of a slow sensor.
//!
//! | file | holds |
//! |---|---|
//! | here | `Refresher`: looking, refusing |
//! | `ask` | what a caller does |
//! | `asking` | its future, which makes room for a mint only where there is one |
//! | `background` | … whose mints are tasks |
//! | `mint` | the work of a refresh |
//! | `value` | what is minted and served |
//! | `policy` | when to refresh early, pauses, the breaker's limits; the arithmetic |
//! | `hear` | what happens, and who is told |
//! | `health` | the breaker and the counts |
//! | `reader` | a handle with a clone of its own |
//! | `shelf` | the two places of the value (B1 to B3) |
//!
//! Invariants:
//! - **X1** A mint runs in the refresher's only flight, so there is one at a time. It looks at the
//!   value once more when it begins: another may have been quicker.
//! - **X2** The value is replaced by a later one only. No failure, cancellation or panic touches it.
//! - **X3** `version` is that of the last value, odd; or one less once that was refused. Its second bit
//!   says where on the shelf the value is. It is stored under the health's lock, after the value was
//!   put where nobody looks yet. A load of it is a hint: what is found there says which it is, and who
//!   finds another, or nothing that is valid, loads it again under that lock before it believes that.
//!   So each turn of a reader is a publication. All accesses are Relaxed: what a value says is passed on
//!   by its side's gate (B2); that a refused version does not come back to who knows of that, and that
//!   nobody goes back, is coherence; and a minter comes after the one before by the flight.
//! - **X4** Each decision about time is made by a reading of the clock that was taken after the last
//!   wait.
//! - **X5** Whoever can be served waits for no mint but its own.

mod ask;
mod asking;
#[cfg(feature = "alloc")]
mod background;
mod health;
mod hear;
mod mint;
mod policy;
mod reader;
mod shelf;
mod value;

#[cfg(feature = "alloc")]
pub use self::background::{Minting, Refresh};
pub use self::{
    health::{Breaker, Snapshot},
    hear::{Hear, Step},
    policy::Policy,
    reader::{Reader, RefresherRef},
    value::{Current, Get, Minted, NoValue, Version},
};

use core::fmt;

use self::{health::Health, shelf::Shelf};
use crate::{
    flight::{Flight, Promote},
    runtime::Clock,
    sync::{AtomicUsize, DefaultLock, Lock, Ordering, Protected},
};

/// A value with an expiry that is refreshed by one caller at a time and served while it is valid.
///
/// Whoever asks brings the way to mint it ([`get`](Refresher::get)); it is used by one of them at a
/// time. A failed or cancelled refresh never destroys a valid value.
///
/// - `T`, the value; cloned for each who asks (see [`Reader`] for a handle that need not).
/// - `E`, the mint's error; cloned for all who waited for the same mint.
/// - `C`, the clock. An adapter's is its timer.
/// - `L`, the lock: [`DefaultLock`] unless chosen.
/// - `O`, who hears what happens: nobody unless chosen.
///
/// No allocation; can be a `static`.
///
/// ```
/// use core::time::Duration;
/// use ecluse_core::refresh::{Minted, Policy, Refresher};
/// # use ecluse_core::runtime::Clock;
/// # struct Uptime;
/// # impl Clock for Uptime {
/// #     type Instant = u64;
/// #     fn now(&self) -> u64 { 0 }
/// #     fn after(&self, from: u64, by: Duration) -> u64 { from + by.as_secs() }
/// # }
///
/// static TOKEN: Refresher<String, &str, Uptime> = Refresher::new(Uptime, Policy::new());
///
/// # futures_executor::block_on(async {
/// let token = TOKEN.get(|| async {
///     // … ask the token endpoint …
///     Ok(Minted::expires_in("secret".to_owned(), Duration::from_secs(3600)))
/// }).await.unwrap();
/// assert_eq!(*token, "secret");
///
/// // A late 401 for an older token changes nothing; one for this token does.
/// assert!(TOKEN.invalidate(token.version));
/// assert!(!TOKEN.invalidate(token.version));
/// # });
/// ```
pub struct Refresher<T, E, C: Clock, L = DefaultLock, O = ()> {
    flight: Flight<Mint<T, E, C::Instant>, Promote, L>,
    shelf: Shelf<Held<T, C::Instant>, L>,
    health: Protected<L, Health<C::Instant>>,
    version: AtomicUsize,
    clock: C,
    policy: Policy,
    observer: O,
}

/// What a mint comes to, as those who wait for it are told.
pub type Mint<T, E, I> = Result<Held<T, I>, NoValue<E>>;

/// A value with its times.
#[derive(Clone, Debug)]
pub struct Held<T, I> {
    value: T,
    version: usize,
    minted: I,
    expires: Option<I>,
    refreshes: Option<I>,
}

impl<T, I: Copy + Ord> Held<T, I> {
    fn has_expired(&self, now: I) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_due(&self, now: I) -> bool {
        // (Before it was minted: the clock has gone back, and its times say nothing any more.)
        self.refreshes
            .is_some_and(|due| due <= now || now < self.minted)
    }
}

impl<T, I> From<Held<T, I>> for Current<T> {
    fn from(held: Held<T, I>) -> Self {
        Self {
            value: held.value,
            version: Version(held.version),
        }
    }
}

impl<T, E, C: Clock, L: Lock> Refresher<T, E, C, L> {
    const_fn! {
        /// Without a value: the first who asks mints it. Can be a `static`.
        #[must_use]
        pub const fn new(clock: C, policy: Policy) -> Self {
            Self::with_observer(clock, policy, ())
        }
    }
}

impl<T, E, C: Clock, L: Lock, O> Refresher<T, E, C, L, O> {
    const_fn! {
        /// As [`new`](Refresher::new), and what happens is told to `observer`.
        #[must_use]
        pub const fn with_observer(clock: C, policy: Policy, observer: O) -> Self {
            Self {
                flight: Flight::new(),
                shelf: Shelf::new(),
                health: Protected::new(Health::new()),
                version: AtomicUsize::new(0),
                clock,
                policy,
                observer,
            }
        }
    }

    /// The observer that was given to [`with_observer`](Refresher::with_observer).
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// The clock.
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}

/// There is a value of this version: its low bit.
const VALID: usize = 1;

/// Where on the shelf the value of a version is.
#[inline(always)]
const fn side(version: usize) -> bool {
    version & 2 != 0
}

/// The version after.
const fn next(version: usize) -> usize {
    (version | VALID).wrapping_add(2)
}

/// How a look at the shelf ends.
enum Look<T, I> {
    Fresh(Held<T, I>),
    /// Valid, and due to be refreshed.
    Due(Held<T, I>),
    Nothing,
}

impl<T, E, C: Clock, L, O> Refresher<T, E, C, L, O> {
    fn is_valid(&self, held: &Held<T, C::Instant>, now: C::Instant) -> bool {
        // Relaxed: the value is at hand (X3).
        held.version == self.version.load(Ordering::Relaxed) && !held.has_expired(now)
    }
}

impl<T: Clone, E, C: Clock, L: Lock, O> Refresher<T, E, C, L, O> {
    /// A look at the shelf, by the clock of this moment.
    #[inline]
    fn look(&self) -> Look<T, C::Instant> {
        let now = self.clock.now();
        // Relaxed: a hint (X3).
        let mut version = self.version.load(Ordering::Relaxed);
        loop {
            let found = if version & VALID == 0 {
                Some(None)
            } else {
                let looked = self.shelf.read(side(version), |held| {
                    let held = held.filter(|held| held.version == version)?;
                    Some(if held.has_expired(now) {
                        None
                    } else if held.is_due(now) {
                        Some(Look::Due(held.clone()))
                    } else {
                        Some(Look::Fresh(held.clone()))
                    })
                });
                looked.flatten()
            };
            if let Some(Some(look)) = found {
                return look;
            }
            let latest = self.reload();
            if found.is_some() && latest == version {
                return Look::Nothing;
            }
            version = latest;
        }
    }

    /// The value, if nothing at all is to be done about it.
    #[inline(always)]
    fn hit(&self) -> Option<Current<T>> {
        let now = self.clock.now();
        // Relaxed: a hint (X3).
        let version = self.version.load(Ordering::Relaxed);
        let hit = self.shelf.read(side(version), |held| {
            let held = held.filter(|held| held.version == version)?;
            (!held.has_expired(now) && !held.is_due(now)).then(|| Current {
                value: held.value.clone(),
                version: Version(version),
            })
        });
        hit.flatten()
    }

    /// The version, after whatever made the last load stale.
    #[cold]
    fn reload(&self) -> usize {
        // Relaxed: its stores are made under this lock.
        self.health.with(|_| self.version.load(Ordering::Relaxed))
    }

    /// Whether no early refresh is tried for now.
    fn is_paused(&self) -> bool {
        let now = self.clock.now();
        let health = self.health.with(|health| **health);
        health.is_paused(&self.policy, now)
    }

    /// Whether nothing at all is tried for now.
    fn is_open(&self) -> bool {
        let now = self.clock.now();
        let health = self.health.with(|health| **health);
        health.breaker(&self.policy, now) == Breaker::Open
    }
}

impl<T, E, C: Clock, L: Lock, O: Hear> Refresher<T, E, C, L, O> {
    /// The value of version `seen` was refused (a 401): it is not served any more. True if it was the
    /// valid one until now; a later value is not touched. O(1).
    pub fn invalidate(&self, seen: Version) -> bool {
        let valid = self.health.with(|_| {
            // Relaxed: its stores are made under this lock. (Zero is no value's.)
            let valid = seen.0 & VALID != 0 && self.version.load(Ordering::Relaxed) == seen.0;
            if valid {
                // Relaxed: that there is no value says nothing about anything else.
                self.version.store(seen.0 & !VALID, Ordering::Relaxed);
            }
            valid
        });
        if valid {
            self.observer.hear(Step::Invalidated(seen));
        }
        valid
    }
}

impl<T, E, C: Clock, L: Lock, O> Refresher<T, E, C, L, O> {
    /// A picture for diagnostics. Two short lock holds.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot<C::Instant> {
        let now = self.clock.now();
        let refreshing = self.flight.is_running();
        // Relaxed: its stores are made under this lock.
        let (health, version) = self
            .health
            .with(|health| (**health, self.version.load(Ordering::Relaxed)));
        Snapshot {
            version: Version(health.last),
            valid: version & VALID != 0 && health.expires.is_none_or(|expires| now < expires),
            minted: health.minted,
            expires: health.expires,
            refreshes: health.refreshes,
            successes: health.successes,
            failures: health.failures,
            failures_in_a_row: health.in_a_row,
            breaker: health.breaker(&self.policy, now),
            refreshing,
        }
    }
}

impl<T, E, C: Clock + Default, L: Lock, O: Default> Default for Refresher<T, E, C, L, O> {
    fn default() -> Self {
        Self::with_observer(C::default(), Policy::new(), O::default())
    }
}

impl<T, E, C: Clock, L: Lock, O> fmt::Debug for Refresher<T, E, C, L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let snapshot = self.snapshot();
        f.debug_struct("Refresher")
            .field("version", &snapshot.version.0)
            .field("valid", &snapshot.valid)
            .field("breaker", &snapshot.breaker)
            .field("refreshing", &snapshot.refreshing)
            .finish_non_exhaustive()
    }
}
