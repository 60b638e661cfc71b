//! A value with an expiry, refreshed by one at a time, and served while it is valid: credentials,
//! configuration with a lease, readings of a slow sensor.
//!
//! | file | holds |
//! |---|---|
//! | here | `Refresher`: looking, minting, publishing |
//! | `value` | what is minted and served |
//! | `policy` | when to refresh early, pauses, the breaker's limits; the arithmetic |
//! | `health` | the breaker and the counts |
//! | `reader` | a handle with a clone of its own |
//! | `shelf` | the cell of the value (B1) |
//!
//! Invariants:
//! - **X1** A mint runs in the refresher's only flight, so there is one at a time. It looks at the
//!   value once more when it begins: another may have been quicker.
//! - **X2** The value is replaced by a later one only. No failure, cancellation or panic touches it.
//! - **X3** `version` is that of the valid value; after an invalidation it is a number that no value
//!   has. It is stored under the health's lock, after the value (Release), and loaded with Acquire.
//! - **X4** Each decision about time is made by a reading of the clock that was taken after the last
//!   wait.

#[cfg(feature = "alloc")]
mod background;
mod health;
mod policy;
mod reader;
mod shelf;
mod value;

#[cfg(feature = "alloc")]
pub use self::background::{Minting, Refresh};
pub use self::{
    health::{Breaker, Snapshot},
    policy::Policy,
    reader::{Reader, RefresherRef},
    value::{Current, Get, Minted, NoValue, Version},
};

use core::{fmt, future::Future};

use self::{health::Health, shelf::Shelf};
use crate::{
    flight::{Flight, Promote},
    runtime::Clock,
    sync::{AtomicUsize, DefaultLock, Lock, Ordering, Protected},
};

/// What happens to a refresher, for metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Step {
    /// A mint begins; early: while there is a valid value.
    Minting {
        /// There is a valid value meanwhile.
        early: bool,
    },
    /// A mint gave this value.
    Minted(Version),
    /// A mint failed, the so-manieth in a row.
    Failed {
        /// How many in a row.
        in_a_row: u32,
    },
    /// The breaker opened.
    Opened,
    /// The breaker closed.
    Closed,
    /// This value was refused, and is not served any more.
    Invalidated(Version),
}

/// Hears what happens to a refresher. `()` hears nothing; a function or closure may do anything
/// but panic: it runs outside every lock, in the task that did the step.
pub trait Hear {
    /// Called after each step.
    fn hear(&self, step: Step);
}

impl Hear for () {
    #[inline(always)]
    fn hear(&self, _: Step) {}
}

impl<F: Fn(Step)> Hear for F {
    fn hear(&self, step: Step) {
        self(step);
    }
}

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
    expires: Option<I>,
    refreshes: Option<I>,
}

impl<T, I: Copy + Ord> Held<T, I> {
    fn has_expired(&self, now: I) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn is_due(&self, now: I) -> bool {
        self.refreshes.is_some_and(|due| due <= now)
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

/// How a look at the shelf ends.
enum Look<T, I> {
    Fresh(Held<T, I>),
    /// Valid, and due to be refreshed.
    Due(Held<T, I>),
    Nothing,
}

impl<T, E, C: Clock, L, O> Refresher<T, E, C, L, O> {
    fn is_valid(&self, held: &Held<T, C::Instant>, now: C::Instant) -> bool {
        // Acquire: X3.
        held.version == self.version.load(Ordering::Acquire) && !held.has_expired(now)
    }
}

impl<T, E, C, L, O> Refresher<T, E, C, L, O>
where
    T: Clone,
    E: Clone,
    C: Clock,
    L: Lock,
    O: Hear,
{
    /// The valid value; minted by `make()`'s future if there is none and nobody else is minting.
    ///
    /// A value that is due is refreshed by one of those who ask, in line; the others are served the
    /// old one at once, and so is that one if its mint fails.
    ///
    /// # Cancellation
    /// Safe at every point. A caller that mints and is dropped is no failure: one of those who wait
    /// mints next, with its own `make`.
    ///
    /// # Errors
    /// [`NoValue`], only where there is no valid value.
    ///
    /// # Panics
    /// A panic of the mint goes on in the caller that led it; the value and the breaker are as before.
    pub fn get<M, F>(&self, make: M) -> Get<impl Future<Output = Result<Current<T>, NoValue<E>>>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        Get::new(async move { self.ask(make).await.map(Current::from) })
    }

    async fn ask<M, F>(&self, make: M) -> Result<Held<T, C::Instant>, NoValue<E>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        let old = match self.look().await {
            Look::Fresh(held) => return Ok(held),
            Look::Due(held) if !self.may_be_early() => return Ok(held),
            Look::Due(held) => Some(held),
            Look::Nothing => None,
        };
        let seen = old.as_ref().map(|old| old.version);
        let mut make = Some(make);
        let mut rounds = 3;
        loop {
            let minted = match self.flight.run(|| self.mint(make.take(), seen)).await {
                Ok(answer) => answer.value,
                Err(why) => Err(NoValue::NoRun(why)),
            };
            // X4.
            let now = self.clock.now();
            let missed = match minted {
                Ok(held) if !held.has_expired(now) => return Ok(held),
                Ok(_) => None,
                Err(why) => Some(why),
            };
            // X2: the old one is as good as it was.
            if let Some(old) = old.as_ref().filter(|old| self.is_valid(old, now)) {
                return Ok(old.clone());
            }
            // A follower that was polled so late that what it waited for has expired again goes
            // round; one that led does not.
            rounds -= 1;
            if let Some(why) = missed {
                return Err(why);
            }
            if make.is_none() || rounds == 0 {
                return Err(NoValue::Expired);
            }
        }
    }

    /// The valid value, if there is one; never mints, and waits for nobody but a writer at the shelf.
    pub fn peek(&self) -> Get<impl Future<Output = Option<Current<T>>>> {
        Get::new(async move {
            match self.look().await {
                Look::Fresh(held) | Look::Due(held) => Some(held.into()),
                Look::Nothing => None,
            }
        })
    }

    /// Mints the first value now, so that a program that cannot start without one fails loudly.
    /// Nothing but a [`get`](Refresher::get) that goes by its name.
    ///
    /// # Errors
    /// Those of [`get`](Refresher::get).
    pub fn prime<M, F>(self, make: M) -> Get<impl Future<Output = Result<Self, NoValue<E>>>>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        Get::new(async move {
            self.ask(make).await?;
            Ok(self)
        })
    }

    /// A look at the shelf, by the clock of this moment.
    async fn look(&self) -> Look<T, C::Instant> {
        let now = self.clock.now();
        self.shelf
            .read(|held| match held {
                Some(held) if self.is_valid(held, now) => {
                    if held.is_due(now) {
                        Look::Due(held.clone())
                    } else {
                        Look::Fresh(held.clone())
                    }
                }
                _ => Look::Nothing,
            })
            .await
    }

    /// Whether a due value may be refreshed now: nobody else is at it, and no pause is on.
    fn may_be_early(&self) -> bool {
        let now = self.clock.now();
        let (paused, open) = self.health.with(|health| (health.paused, health.open));
        !self.flight.is_running()
            && paused.is_none_or(|paused| paused <= now)
            && open.is_none_or(|open| open <= now)
    }

    /// The work of a flight (X1). `seen` is the valid value that its leader wants replaced.
    async fn mint<M, F>(&self, make: Option<M>, seen: Option<usize>) -> Mint<T, E, C::Instant>
    where
        M: FnOnce() -> F,
        F: Future<Output = Result<Minted<T>, E>>,
    {
        match self.look().await {
            Look::Fresh(held) => return Ok(held),
            Look::Due(held) if seen != Some(held.version) => return Ok(held),
            Look::Due(_) | Look::Nothing => {}
        }
        let Some(make) = make else {
            // (A caller leads once.)
            return Err(NoValue::Expired);
        };
        let began = self.clock.now();
        let health = self.health.with(|health| (health.in_a_row, health.open));
        if self.policy.opens(health.0) && health.1.is_some_and(|open| began < open) {
            return Err(NoValue::Open);
        }
        self.observer.hear(Step::Minting {
            early: seen.is_some(),
        });
        match make().await {
            Ok(minted) => self.publish(minted, began).await,
            Err(error) => {
                self.fail();
                Err(NoValue::Failed(error))
            }
        }
    }

    /// Puts a new value on the shelf.
    async fn publish(&self, minted: Minted<T>, began: C::Instant) -> Mint<T, E, C::Instant> {
        let now = self.clock.now();
        let expires = minted
            .lifetime
            .map(|lifetime| self.clock.after(began, lifetime));
        if expires.is_some_and(|expires| expires <= now) {
            self.fail();
            return Err(NoValue::Expired);
        }
        let random = self.random();
        let refreshes = minted.lifetime.map(|lifetime| {
            let after = self.policy.refresh_after(lifetime, random);
            self.clock.after(began, after)
        });
        // (An invalidation that comes between is for an older value, and is met by the store below.)
        // Relaxed: a number that only this flight makes valid.
        let version = self.version.load(Ordering::Relaxed).wrapping_add(1);
        let held = Held {
            value: minted.value,
            version,
            expires,
            refreshes,
        };
        self.shelf.write(held.clone()).await;
        let closes = self.health.with(|health| {
            let closes = self.policy.opens(health.in_a_row);
            health.valid = version;
            health.minted = Some(began);
            health.expires = expires;
            health.refreshes = refreshes;
            health.successes = health.successes.wrapping_add(1);
            health.in_a_row = 0;
            health.paused = None;
            health.open = None;
            // Release: X3.
            self.version.store(version, Ordering::Release);
            closes
        });
        self.observer.hear(Step::Minted(Version(version)));
        if closes {
            self.observer.hear(Step::Closed);
        }
        Ok(held)
    }

    fn fail(&self) {
        let now = self.clock.now();
        let random = self.random();
        let in_a_row = self.health.with(|health| health.in_a_row).saturating_add(1);
        let opens = self.policy.opens(in_a_row);
        let paused = self.clock.after(now, self.policy.pause(in_a_row, random));
        let open = opens.then(|| self.clock.after(now, self.policy.cool_down()));
        self.health.with(|health| {
            health.failures = health.failures.wrapping_add(1);
            health.in_a_row = in_a_row;
            health.paused = Some(paused);
            health.open = open;
        });
        self.observer.hear(Step::Failed { in_a_row });
        if opens {
            self.observer.hear(Step::Opened);
        }
    }

    fn random(&self) -> u64 {
        let mut state = self.health.with(|health| health.random);
        let salt = core::ptr::from_ref(self).addr() as u64;
        let random = self.policy.random(&mut state, salt);
        self.health.with(|health| health.random = state);
        random
    }
}

impl<T, E, C: Clock, L: Lock, O: Hear> Refresher<T, E, C, L, O> {
    /// The value of version `seen` was refused (a 401): it is not served any more. True if it was the
    /// valid one until now; a later value is not touched. O(1).
    pub fn invalidate(&self, seen: Version) -> bool {
        let valid = self.health.with(|_| {
            // Relaxed: all stores are made under this lock.
            let valid = self.version.load(Ordering::Relaxed) == seen.0;
            if valid {
                // Release: X3.
                self.version
                    .store(seen.0.wrapping_add(1), Ordering::Release);
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
        // Acquire: X3.
        let version = self.version.load(Ordering::Acquire);
        let refreshing = self.flight.is_running();
        self.health.with(|health| Snapshot {
            version: Version(version),
            valid: version == health.valid
                && health.minted.is_some()
                && health.expires.is_none_or(|expires| now < expires),
            minted: health.minted,
            expires: health.expires,
            refreshes: health.refreshes,
            successes: health.successes,
            failures: health.failures,
            failures_in_a_row: health.in_a_row,
            breaker: health.breaker(&self.policy, now),
            refreshing,
        })
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
