//! What flights are kept in, and what lies in a caller's node.
//!
//! A bucket is the chain of the leaders that can be found; a leader's ring, its followers. What
//! happens to them is in `transitions`.

use super::{
    Answer, NoAnswer, Part,
    context::Polled,
    policy::{Orphans, Stamp},
    transitions,
};
use crate::{
    Outcome,
    sync::Lock,
    wait::{self, Anchor, Node, Post},
};

/// What flights are kept in: a `Flight`, a `Group`, a `Relay`. Sealed.
pub trait Table: Sized + sealed::Sealed {
    /// What tells flights apart.
    type Key: Key;
    /// What they come to.
    type Value;
    /// What becomes of the followers of a lost leader.
    type Orphans: Orphans;
    /// The lock of a bucket.
    type Lock: Lock;
    /// What tells a flight's age.
    type Stamp: Stamp;

    /// Where a key's bucket is.
    #[doc(hidden)]
    type Place: Copy;

    #[doc(hidden)]
    fn bucket(&self, place: Self::Place) -> &Bucket<Self>;
    #[doc(hidden)]
    fn stamp(&self) -> &Self::Stamp;
    /// A leader is dropped. False if it does not lead any more.
    #[doc(hidden)]
    fn resign(at: At<'_, Self>, node: &Caller<Self>) -> bool {
        transitions::lose(at, node, false);
        true
    }
    /// Whether a leader may leave a waker while nobody else is about.
    #[doc(hidden)]
    const ARMS_ALONE: bool = false;
    /// Whether there may be too many flights, so that [`Table::admits`] must be asked.
    #[doc(hidden)]
    fn is_bounded(&self) -> bool {
        false
    }
    /// Somebody would lead a new flight: counts it, unless there are too many. Asked under the
    /// bucket's lock.
    #[doc(hidden)]
    fn admits(&self) -> bool {
        true
    }
    /// A leader is gone, and nobody leads in its place.
    #[doc(hidden)]
    fn vacated(&self) {}
    /// Whether callers for `key` do not wait for one another, for now.
    #[doc(hidden)]
    fn goes_alone(&self, _key: &Self::Key) -> bool {
        false
    }
    /// A result for `key` was not to be shared.
    #[doc(hidden)]
    fn went_alone(&self, _key: &Self::Key) {}
}

pub(crate) mod sealed {
    pub trait Sealed {}
}

/// What tells flights of a bucket apart.
pub trait Key {
    #[doc(hidden)]
    fn is(&self, other: &Self) -> bool;
}

impl Key for () {
    #[inline(always)]
    fn is(&self, (): &()) -> bool {
        true
    }
}

/// A bucket of a table.
pub(crate) type Bucket<T> =
    Bunch<<T as Table>::Lock, <T as Table>::Key, <T as Table>::Value, <T as Table>::Stamp>;

/// A bucket of flights for `K` that come to `V`.
pub(super) type Bunch<L, K, V, S> =
    wait::Bucket<L, Landing<V>, Entry<K>, Mark<<S as Stamp>::Moment>>;

/// What a bucket's lock protects.
pub(super) type Leaders<T> =
    Anchor<Landing<<T as Table>::Value>, Entry<<T as Table>::Key>, Mark<Moment<T>>>;

/// What lies in a caller's node.
pub(super) type Seat<T> = Post<Entry<<T as Table>::Key>, Mark<Moment<T>>>;

/// A caller's node.
pub(super) type Caller<T> = Node<Landing<<T as Table>::Value>, Seat<T>>;

pub(super) type Moment<T> = <<T as Table>::Stamp as Stamp>::Moment;

/// What everybody may read in a caller's node.
pub struct Entry<K> {
    pub(super) key: K,
    pub(super) polled: Polled,
}

/// What a leader's node says under the lock.
#[derive(Clone, Copy)]
pub struct Mark<M> {
    /// Flags in the low byte; above it, how many have joined.
    bits: u32,
    /// When the run began, where there is a clock.
    started: M,
}

/// Not in the chain (any more).
pub(super) const FORGOTTEN: u32 = 1;
/// It succeeded another leader, that was lost …
pub(super) const INHERITED: u32 = 2;
/// … by a panic.
pub(super) const BY_PANIC: u32 = 4;
/// It is to end when the last follower leaves …
pub(super) const FOLLOWED: u32 = 8;
/// … which has happened.
pub(super) const DOOMED: u32 = 16;
/// Its waker cell is full: it can be woken.
pub(super) const ARMED: u32 = 32;
/// It is inside a poll, and must not be replaced.
pub(super) const BUSY: u32 = 64;
const ONE: u32 = 1 << 8;

impl<M: Copy + Default> Mark<M> {
    pub(super) fn new(flags: u32) -> Self {
        Self {
            bits: flags,
            started: M::default(),
        }
    }

    pub(super) fn has(self, flag: u32) -> bool {
        self.bits & flag != 0
    }

    pub(super) fn with(self, flag: u32) -> Self {
        Self {
            bits: self.bits | flag,
            ..self
        }
    }

    pub(super) fn without(self, flag: u32) -> Self {
        Self {
            bits: self.bits & !flag,
            ..self
        }
    }

    /// Counts one more, up to 2^24.
    pub(super) fn one_more(self) -> Self {
        let bits = self.bits.checked_add(ONE).unwrap_or(self.bits);
        Self { bits, ..self }
    }

    /// The same, of a run that began then.
    pub(super) fn since(self, started: M) -> Self {
        Self { started, ..self }
    }

    /// What one of its followers has when that leads: all who joined, but itself.
    pub(super) fn passed_on(self) -> Self {
        let joined = self.joined().saturating_sub(1) * ONE;
        Self {
            bits: joined | (self.bits & FORGOTTEN),
            ..self
        }
    }

    pub(super) fn begun(self) -> M {
        self.started
    }

    pub(super) fn joined(self) -> u32 {
        self.bits / ONE
    }

    pub(super) fn inherited(self) -> Option<Outcome> {
        self.has(INHERITED).then_some(Outcome::Abandoned {
            by_panic: self.has(BY_PANIC),
        })
    }
}

/// What a follower is granted.
pub enum Landing<T> {
    /// The result.
    Landed {
        /// A clone of it.
        value: T,
        /// How many had joined.
        joined: u32,
    },
    /// No result, and none to wait for.
    Failed(NoAnswer),
    /// Run alone.
    Alone,
}

impl<T> Landing<T> {
    pub(super) fn into_answer(self) -> Result<Answer<T>, NoAnswer> {
        match self {
            Self::Landed { value, joined } => Ok(Answer {
                value,
                part: Part::Joined,
                joined,
            }),
            Self::Failed(why) => Err(why),
            // (Told by a flight's verdict only, and taken before.)
            Self::Alone => Err(NoAnswer::Abandoned { by_panic: false }),
        }
    }
}

/// A node for a caller who asks for `key`.
#[inline(always)]
pub(super) fn seat<T: Table>(key: T::Key) -> Seat<T> {
    Post::new(
        Entry {
            key,
            polled: Polled::new(),
        },
        Mark::new(0),
    )
}

/// Where a caller's flight is, or would be.
pub struct At<'t, T: Table> {
    table: &'t T,
    bucket: &'t Bucket<T>,
}

impl<'t, T: Table> At<'t, T> {
    pub(super) fn new(table: &'t T, place: T::Place) -> Self {
        Self {
            table,
            bucket: table.bucket(place),
        }
    }

    pub(super) fn table(self) -> &'t T {
        self.table
    }

    pub(super) fn bucket(self) -> &'t Bucket<T> {
        self.bucket
    }
}

impl<T: Table> Clone for At<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Table> Copy for At<'_, T> {}
