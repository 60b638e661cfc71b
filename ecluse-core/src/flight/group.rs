//! `Group`: flights by key.
//!
//! A group is a fixed table of buckets, each a lock and a pointer; a flight's entry is its leader's
//! own node, and owns its key. So nothing is allocated for a key, a call or a follower, there is no
//! limit to how many flights there are, and nothing is left behind by any of them.

use core::{
    borrow::Borrow,
    fmt,
    hash::{BuildHasher, Hash},
    marker::PhantomData,
    time::Duration,
};

#[cfg(feature = "alloc")]
use super::Detached;
use super::{
    hash::DefaultHash,
    policy::{NoClock, Orphans, Promote, Stamp},
    run::Run,
    table::{At, Bucket, Bunch, Key, Table, sealed},
    transitions,
};
#[cfg(feature = "alloc")]
use crate::sync::Handle;
use crate::{
    sync::{DefaultLock, Lock, Protected},
    wait::{self, Wait},
};

/// Flights by key: work for one key is run once for all who ask for that key while it runs.
///
/// - `K`, the keys; `T`, the results.
/// - `P`, what becomes of the followers of a lost leader: [`Promote`] unless chosen.
/// - `L`, the lock of a bucket: [`DefaultLock`] unless chosen.
/// - `S`, the hasher: [`DefaultHash`] unless chosen.
/// - `C`, a clock, for those who do not join what is too old ([`Run::max_age`]) and for keys that are
///   remembered as not to be shared.
/// - `BUCKETS`, 16 unless chosen. Keys of one bucket share its lock and are looked up one after
///   another: O(flights under way ÷ buckets), and O(flights under way) if somebody can choose keys
///   that collide.
/// - `ALONE`, how many keys are remembered as not to be shared ([`Group::alone_for`]): 0 unless
///   chosen.
///
/// No allocation; can be a `static`. A key is held by the calls that ask for it, and by nothing else.
/// `K::eq` runs under a bucket's lock: it must not call the group.
///
/// ```
/// use ecluse_core::flight::Group;
///
/// static PAGES: Group<u64, Result<String, u16>> = Group::new();
///
/// # futures_executor::block_on(async {
/// let page = PAGES.run(7, || async { Ok("…".to_owned()) /* … fetch it … */ }).await.unwrap();
/// assert_eq!(page.value.as_deref(), Ok("…"));
/// assert_eq!(PAGES.len(), 0);
/// # });
/// ```
pub struct Group<
    K,
    T,
    P: Orphans = Promote,
    L = DefaultLock,
    S = DefaultHash,
    C: Stamp = NoClock,
    const BUCKETS: usize = 16,
    const ALONE: usize = 0,
> {
    buckets: [Chained<K, T, L, C>; BUCKETS],
    hasher: S,
    clock: C,
    limit: usize,
    /// Flights under way, if there is a limit. Its lock is taken within a bucket's (S3).
    running: Protected<L, usize>,
    alone: Protected<L, [Known<C>; ALONE]>,
    alone_for: Duration,
    _orphans: PhantomData<fn() -> P>,
}

type Chained<K, T, L, C> = Bunch<L, Keyed<K>, T, C>;

/// The hash of a key that is not shared, and until when.
type Known<C> = Option<(u64, <C as Stamp>::Moment)>;

/// A key in a group.
#[derive(Clone)]
pub struct Keyed<K>(K);

impl<K: Eq> Key for Keyed<K> {
    #[inline(always)]
    fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K, T, P, L, const BUCKETS: usize> Group<K, T, P, L, DefaultHash, NoClock, BUCKETS>
where
    P: Orphans,
    L: Lock,
{
    const_fn! {
        /// A group without flights. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self::with(DefaultHash, NoClock)
        }
    }
}

impl<K, T, P, L, S, C, const BUCKETS: usize, const ALONE: usize>
    Group<K, T, P, L, S, C, BUCKETS, ALONE>
where
    P: Orphans,
    L: Lock,
    C: Stamp,
{
    const_fn! {
        /// A group without flights, with this hasher and clock. No buckets at all, or more than
        /// 65,536, is a compile error.
        #[must_use]
        pub const fn with(hasher: S, clock: C) -> Self {
            const { assert!(BUCKETS > 0 && BUCKETS <= 1 << 16, "1 to 65,536 buckets") };
            Self {
                #[cfg(not(ecluse_loom))]
                buckets: [const { wait::Bucket::new() }; BUCKETS],
                #[cfg(ecluse_loom)]
                buckets: core::array::from_fn(|_| wait::Bucket::new()),
                hasher,
                clock,
                limit: usize::MAX,
                running: Protected::new(0),
                alone: Protected::new([None; ALONE]),
                alone_for: Duration::ZERO,
                _orphans: PhantomData,
            }
        }
    }

    /// Allows `limit` flights at a time; a caller that would lead one more gets
    /// [`Full`](super::NoAnswer::Full), and nothing is lost by it. (There is no limit unless set:
    /// flights live in their callers.)
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Remembers for how long a key is not shared after a leader ended with
    /// [`GoAlone`](super::Verdict::GoAlone): its callers do not wait for one another meanwhile.
    /// Needs a clock and places (`ALONE`); a newer key takes the place that would be free first.
    #[must_use]
    pub const fn alone_for(mut self, time: Duration) -> Self {
        self.alone_for = time;
        self
    }
}

impl<K, T, P, L, S, C, const BUCKETS: usize, const ALONE: usize>
    Group<K, T, P, L, S, C, BUCKETS, ALONE>
where
    K: Eq + Hash,
    P: Orphans,
    L: Lock,
    S: BuildHasher,
    C: Stamp,
{
    /// Joins the run that is under way for `key`, or runs `make()`'s future and shares its result
    /// with all who ask for `key` meanwhile.
    ///
    /// `make` is called only by a caller that leads (or goes alone). Give it what it needs of the
    /// key: the key itself stays in the call.
    ///
    /// # Cancellation
    /// See [`Run`].
    ///
    /// # Errors
    /// Gives [`NoAnswer`](super::NoAnswer): as [`Flight::run`](super::Flight::run), and `Full` where
    /// there is a [limit](Group::with_limit).
    #[inline]
    pub fn run<M, F>(&self, key: K, make: M) -> Run<&Self, M, F>
    where
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        Run::new(Wait::turn(self, self.place(&key), Keyed(key)), make)
    }

    /// [`run`](Group::run) for a call that keeps the group alive: `this` is an `Arc` or `Rc` of it.
    #[cfg(feature = "alloc")]
    pub fn run_owned<R, M, F>(this: &R, key: K, make: M) -> Run<R, M, F>
    where
        R: Handle<Target = Self>,
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        Run::new(Wait::turn(this.clone(), this.place(&key), Keyed(key)), make)
    }

    /// [`Flight::run_detached`](super::Flight::run_detached) for `key`.
    ///
    /// # Errors
    /// As [`run`](Group::run), and [`NotSpawned`](super::NoAnswer::NotSpawned) where the runtime
    /// swallowed the task.
    #[cfg(feature = "alloc")]
    pub fn run_detached<R, W, A, M, F>(
        this: &R,
        spawn: W,
        tally: A,
        key: K,
        make: M,
    ) -> Detached<R, W, A, M, F>
    where
        R: Handle<Target = Self>,
        M: FnOnce() -> F,
        F: Future<Output = T>,
    {
        let wait = Wait::turn(this.clone(), this.place(&key), Keyed(key));
        Detached::new(wait, spawn, tally, make)
    }

    /// Forgets the run that is under way for `key`: it goes on for those who joined it; the next
    /// caller runs afresh. True if there was one.
    pub fn forget<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        transitions::forget(self.at(key), |other| other.0.borrow() == key, |_| true)
    }

    /// How many have joined the run that is under way for `key`, besides its leader; `None` if there
    /// is none.
    #[must_use]
    pub fn peek<Q>(&self, key: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        transitions::joined(self.at(key), |other| other.0.borrow() == key)
    }

    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    #[inline]
    fn place<Q: Hash + ?Sized>(&self, key: &Q) -> u16 {
        if BUCKETS == 1 {
            return 0;
        }
        // The high half times the number: every bucket alike, without a division.
        let high = self.hash(key) >> 32;
        ((high * BUCKETS as u64) >> 32) as u16
    }

    fn at<Q: Hash + ?Sized>(&self, key: &Q) -> At<'_, Self> {
        At::new(self, self.place(key))
    }
}

impl<K, T, P, L, S, C, const BUCKETS: usize, const ALONE: usize>
    Group<K, T, P, L, S, C, BUCKETS, ALONE>
where
    P: Orphans,
    L: Lock,
    C: Stamp,
{
    /// How many flights can be joined now. O(buckets + flights), a lock hold a bucket.
    #[must_use]
    pub fn len(&self) -> usize {
        let mut len = 0;
        self.each(|_| len += 1);
        len
    }

    /// Whether no flight can be joined now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies the keys of flights that can be joined now, for diagnostics. Gives how many there are,
    /// which may be more than `keys` has room for. O(buckets + flights), a lock hold a bucket.
    pub fn keys(&self, keys: &mut [Option<K>]) -> usize
    where
        K: Copy,
    {
        let mut len = 0;
        self.each(|key| {
            if let Some(place) = keys.get_mut(len) {
                *place = Some(key.0);
            }
            len += 1;
        });
        len
    }

    /// Looks at every key, under its bucket's lock.
    fn each(&self, mut look: impl FnMut(&Keyed<K>)) {
        for bucket in &self.buckets {
            transitions::look::<L, Keyed<K>, T, C>(bucket, &mut look);
        }
    }
}

impl<K, T, P: Orphans, L, S, C: Stamp, const BUCKETS: usize, const ALONE: usize> sealed::Sealed
    for Group<K, T, P, L, S, C, BUCKETS, ALONE>
{
}

impl<K, T, P, L, S, C, const BUCKETS: usize, const ALONE: usize> Table
    for Group<K, T, P, L, S, C, BUCKETS, ALONE>
where
    K: Eq + Hash,
    P: Orphans,
    L: Lock,
    S: BuildHasher,
    C: Stamp,
{
    type Key = Keyed<K>;
    type Value = T;
    type Orphans = P;
    type Lock = L;
    type Stamp = C;
    type Place = u16;

    #[inline(always)]
    fn bucket(&self, place: u16) -> &Bucket<Self> {
        // (In bounds, and said so without a panic.)
        &self.buckets[usize::from(place) % BUCKETS]
    }

    fn stamp(&self) -> &C {
        &self.clock
    }

    fn is_bounded(&self) -> bool {
        self.limit != usize::MAX
    }

    fn admits(&self) -> bool {
        let limit = self.limit;
        limit == usize::MAX
            || self.running.with(|running| {
                let admits = **running < limit;
                **running += usize::from(admits);
                admits
            })
    }

    fn vacated(&self) {
        if self.limit != usize::MAX {
            self.running.with(|running| **running -= 1);
        }
    }

    fn goes_alone(&self, key: &Keyed<K>) -> bool {
        if ALONE == 0 {
            return false;
        }
        let hash = self.hash(&key.0);
        let known = self.alone.with(|known| **known);
        known
            .into_iter()
            .flatten()
            .any(|(other, until)| other == hash && !self.clock.is_past(until))
    }

    fn went_alone(&self, key: &Keyed<K>) {
        if ALONE == 0 {
            return;
        }
        let new = (self.hash(&key.0), self.clock.later(self.alone_for));
        let known = self.alone.with(|known| **known);
        let place = known
            .iter()
            .position(|place| {
                place.is_none_or(|(hash, until)| hash == new.0 || self.clock.is_past(until))
            })
            .or_else(|| C::first(known.iter().map(|place| place.map(|(_, until)| until))));
        self.alone.with(|known| {
            if let Some(place) = place.and_then(|place| known.get_mut(place)) {
                *place = Some(new);
            }
        });
    }
}

impl<K, T, P, L, S, C, const BUCKETS: usize, const ALONE: usize> Default
    for Group<K, T, P, L, S, C, BUCKETS, ALONE>
where
    P: Orphans,
    L: Lock,
    S: Default,
    C: Stamp + Default,
{
    fn default() -> Self {
        Self::with(S::default(), C::default())
    }
}

impl<K, T, P, L, S, C, const BUCKETS: usize, const ALONE: usize> fmt::Debug
    for Group<K, T, P, L, S, C, BUCKETS, ALONE>
where
    P: Orphans,
    L: Lock,
    C: Stamp,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("running", &self.len())
            .finish_non_exhaustive()
    }
}

impl<K, T, P: Orphans, L, S, C: Stamp, const BUCKETS: usize, const ALONE: usize>
    core::panic::UnwindSafe for Group<K, T, P, L, S, C, BUCKETS, ALONE>
{
}
impl<K, T, P: Orphans, L, S, C: Stamp, const BUCKETS: usize, const ALONE: usize>
    core::panic::RefUnwindSafe for Group<K, T, P, L, S, C, BUCKETS, ALONE>
{
}
