//! Requests in flight, and how their clients take them back: 9P's `Tflush`, JSON-RPC's cancellation,
//! and whatever else answers requests out of order by a tag.
//!
//! A server enters each request under its tag ([`begin`](Table::begin)) and asks before it answers
//! ([`Request::reply`]). A client that does not want the answer any more *flushes* the tag: the
//! request is told, through its scope, and once it was **settled** (answered, or never to be) the
//! flush is answered in its turn. After that the client may use the tag again, and nothing about
//! its old use may ever be sent.
//!
//! ```
//! use ecluse_core::flush::{FlushTable, Unanswered};
//!
//! static REQUESTS: FlushTable<u16, 16> = FlushTable::new();
//!
//! # async fn read() -> u32 { core::future::pending().await }
//! # let wire = std::sync::Mutex::new(Vec::new());
//! # futures_executor::block_on(async {
//! let request = REQUESTS.begin(1).unwrap();
//! let serve = async {
//!     match request.cx().guard(read()).await {
//!         Ok(data) => {
//!             let Ok(reply) = request.reply() else { return };
//!             wire.lock().unwrap().push(format!("data for 1: {data}"));
//!             reply.sent();
//!         }
//!         // Its client flushed it: dropped, it is settled without an answer.
//!         Err(_) => drop(request),
//!     }
//! };
//! let flush = REQUESTS.flush_as(2, 1).unwrap();
//! serve.await;
//! let answer = flush.await.unwrap();
//! wire.lock().unwrap().push("flushed, for 2".to_owned());
//! answer.sent();
//! # assert_eq!(*wire.lock().unwrap(), ["flushed, for 2"]);
//! # });
//! ```
//!
//! # The order on the wire
//!
//! A [`Reply`] is the right to send, and it is held until the message's **place on the wire is fixed**:
//! until it was written, or until it is in the one queue that a writer takes its messages from.
//! Whoever has to wait for it, waits until the `Reply` is dropped: a reply that is under way when its
//! flush arrives goes first, then the flush's answer (which is a `Reply`, too), then the next one's.
//! No lock of the writer is needed for that, and none is in the way: `reply()` may be asked before
//! the lock is taken or while it is held.
//!
//! A client may use a tag again as soon as it has *read* the answer, which can be before the server's
//! task has dropped the `Reply`. So the tag is free from the moment on at which the last answer about
//! it was allowed: [`begin`](Table::begin) takes it over from a use whose reply is being sent.
//!
//! # What a request does when it is flushed
//!
//! | it | then |
//! |---|---|
//! | sees its scope cancelled, undoes what it did, and is dropped | only the flush is answered |
//! | answers all the same ([`Request::reply`]) | its answer goes out, then the flush's |
//! | answers unless it was flushed ([`Request::reply_unless_flushed`]) | one or the other, decided at that moment |
//! | is dropped, panics | it is settled; the flush is answered |
//! | does nothing | the flush waits, and with it the client |
//!
//! What an answer *says* is no business of the table: an error that reads like an interruption is an
//! answer. A request that panics is settled, but its client, if it did not flush it, waits for an
//! answer: whoever polls the request's body keeps the [`Request`] outside of it, and answers for it
//! ([`Table::lost`] counts those that nobody answered for).
//!
//! # Examples
//!
//! - `ecluse-smol/examples/ninep.rs`: a 9P file server over TCP, each request a task in a scope. Linux mounts it, and
//!   `docs/ninep.md` shows what a kernel does when its readers are killed.
//! - `ecluse-tokio/examples/jsonrpc.rs`: `$/cancelRequest`, as language servers have it, where a cancelled request is
//!   answered and the cancellation is not.
//!
//! # Files
//!
//! | file | holds |
//! |---|---|
//! | here | `Table`, its forms `FlushTable` and `GrowingFlushTable`; entering and flushing |
//! | `ledger` | the entries and their transitions; invariants K1 to K5 |
//! | `places` | where entries and scopes lie |
//! | `request` | what a server has in hand: `Request`, `Reply` |
//! | `wait` | the waits: for a flush's turn, for what was flushed, for late replies |
//! | `session` | telling a request; the end of a session |

mod ledger;
mod places;
mod request;
mod session;
mod wait;

#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
pub use self::places::Growing;
pub use self::{
    places::{Fixed, Places},
    request::{NotReplied, Reply, Request},
    session::{Over, Unanswered},
    wait::{Cleared, Flush, Flushed, ToClear, ToHear, ToTurn},
};

use core::fmt;

use self::{
    ledger::{Entered, Entry, Ledger, Refusal, Retired},
    request::Seat,
    session::Telling,
};
#[cfg(ecluse_loom)]
use crate::cancel::Root;
use crate::{
    cancel::{Kind, Reason},
    sync::{DefaultLock, Handle, Lock, Protected},
    wait::{Drain, UserCode, Wait},
};

/// Why a scope was cancelled whose request was flushed.
const FLUSHED: Reason = Reason::new(Kind::Explicit);

/// The requests in flight of one session, by tag. See the [module](self).
///
/// It has two forms: [`FlushTable`], with a fixed number of places and no allocation, which can be a
/// `static`; and `GrowingFlushTable`. `P` says which.
///
/// Entering, replying, flushing are a lock hold each, of O(places in use) where a tag is looked up or a
/// flush is served, else O(1). `Tag::eq` runs under the lock: it must not call the table.
pub struct Table<P: Places> {
    ledger: Protected<P::Lock, Ledger<P>>,
    scopes: P::Scopes,
    reserve: usize,
    limit: usize,
}

/// A table of `N` requests in flight, flushes that wait for their answers included.
///
/// - `T`, what a protocol tells requests apart by: `Copy + Eq`.
/// - `L`, the table's lock: [`DefaultLock`] unless chosen.
///
/// ```
/// use ecluse_core::flush::{FlushTable, NotBegun};
///
/// static REQUESTS: FlushTable<u16, 2> = FlushTable::new();
///
/// let first = REQUESTS.begin(7).unwrap();
/// assert_eq!(REQUESTS.begin(7).unwrap_err(), NotBegun::InUse(7));
/// let second = REQUESTS.begin(8).unwrap();
/// assert_eq!(REQUESTS.begin(9).unwrap_err(), NotBegun::Full);
/// # drop((first, second));
/// ```
pub type FlushTable<T, const N: usize, L = DefaultLock> = Table<Fixed<T, N, L>>;

/// A table that grows with the number of requests in flight, up to a [limit](Table::with_limit) if it
/// has one. It allocates for each request (its scope), and where it grows.
///
/// ```
/// use ecluse_core::flush::GrowingFlushTable;
///
/// let requests: GrowingFlushTable<i64> = GrowingFlushTable::new().with_limit(1000);
/// let request = requests.begin(7).unwrap();
/// assert!(requests.cancel(7));
/// assert!(request.is_flushed());
/// request.reply().unwrap().sent();
/// ```
#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
pub type GrowingFlushTable<T, L = DefaultLock> = Table<Growing<T, L>>;

/// A handle on a table: `&Table`, and with `alloc` `Arc<Table>` and `Rc<Table>`. Sealed.
pub trait TableRef: Handle {
    /// Where the table's entries lie.
    type Places: Places;

    /// The table.
    fn table(&self) -> &Table<Self::Places>;
}

impl<R, P: Places> TableRef for R
where
    R: Handle<Target = Table<P>>,
{
    type Places = P;

    #[inline(always)]
    fn table(&self) -> &Table<P> {
        self
    }
}

/// The tags of a handle's table.
pub(crate) type TagOf<R> = <<R as TableRef>::Places as Places>::Tag;

impl<T: Copy + Eq, const N: usize, L: Lock> FlushTable<T, N, L> {
    const_fn! {
        /// A table without requests. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                ledger: Protected::new(Ledger::new([const { Entry::FREE }; N])),
                #[cfg(not(ecluse_loom))]
                scopes: [const { crate::cancel::Root::new() }; N],
                #[cfg(ecluse_loom)]
                scopes: core::array::from_fn(|_| Root::new()),
                reserve: 0,
                limit: N,
            }
        }
    }
}

#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
impl<T: Copy + Eq, L: Lock> GrowingFlushTable<T, L> {
    const_fn! {
        /// A table without requests, and without memory for any.
        #[must_use]
        pub const fn new() -> Self {
            Self {
                ledger: Protected::new(Ledger::new(alloc::vec::Vec::new())),
                scopes: (),
                reserve: 0,
                limit: usize::MAX,
            }
        }
    }

    /// Allows `limit` requests and flushes in flight at a time: what a hostile client can make the
    /// table grow to.
    #[must_use]
    pub const fn with_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }
}

impl<P: Places> Table<P> {
    /// Keeps `places` of the table for flushes: requests are refused with [`NotBegun::Full`] when no
    /// more than these are left, so that a client that has too many can still take one back.
    #[must_use]
    pub const fn with_reserve(mut self, places: usize) -> Self {
        self.reserve = places;
        self
    }

    /// Enters a request under `tag`.
    ///
    /// # Errors
    /// [`NotBegun`], with nothing changed: the tag is in use, that is its request is not settled, or a
    /// flush of it has not been allowed to answer; the table is full; the session was ended.
    #[inline]
    pub fn begin(&self, tag: P::Tag) -> Result<Request<&Self>, NotBegun<P::Tag>> {
        Self::begin_by(&self, tag)
    }

    /// [`begin`](Table::begin) for a request that keeps the table alive and may move to another task:
    /// `this` is an `Arc` or `Rc` of it.
    ///
    /// # Errors
    /// As [`begin`](Table::begin).
    #[cfg(feature = "alloc")]
    pub fn begin_owned<R>(this: &R, tag: P::Tag) -> Result<Request<R>, NotBegun<P::Tag>>
    where
        R: TableRef<Places = P>,
    {
        Self::begin_by(this, tag)
    }

    fn begin_by<R>(by: &R, tag: P::Tag) -> Result<Request<R>, NotBegun<P::Tag>>
    where
        R: TableRef<Places = P>,
    {
        let table = by.table();
        let scope = P::scope();
        let mut given = Some(scope.clone());
        let place = table.enter(tag, |ledger, _| {
            ledger.begin(tag, &mut given, table.reserve)
        })?;
        Ok(Request::new(Seat::new(by, place), scope))
    }

    /// Flushes `old` for a client who is to be answered by its tag `own`: 9P's `Tflush`.
    ///
    /// The request is told at once, and this flush has its place behind those that were called
    /// before. The [`Flush`] is ready when it may be answered: when `old` was settled and the earlier
    /// flushes of it were answered; at once if `old` is unknown, finished, or `own` itself.
    ///
    /// `own` is in use until then, and can be flushed, too: a flush that is flushed is not to be
    /// answered ([`Unanswered::Flushed`]), and neither its request nor the other flushes of that are
    /// affected.
    ///
    /// # Errors
    /// [`NotBegun`], with nobody told: `own` is in use; the table is full; the session was ended.
    ///
    /// # Panics
    /// If a waker of those who are told panics, with its panic, when all is done.
    pub fn flush_as(&self, own: P::Tag, old: P::Tag) -> Result<Flush<&Self>, NotBegun<P::Tag>> {
        Self::flush_by(&self, Some(own), old)
    }

    /// [`flush_as`](Table::flush_as) where flushes have no tag of their own, and are not flushed.
    ///
    /// # Errors
    /// [`NotBegun`], with nobody told: the table is full; the session was ended.
    ///
    /// # Panics
    /// As [`flush_as`](Table::flush_as).
    pub fn flush(&self, old: P::Tag) -> Result<Flush<&Self>, NotBegun<P::Tag>> {
        Self::flush_by(&self, None, old)
    }

    /// [`flush_as`](Table::flush_as) for a flush that keeps the table alive: `this` is an `Arc` or
    /// `Rc` of it.
    ///
    /// # Errors
    /// As [`flush_as`](Table::flush_as).
    ///
    /// # Panics
    /// As [`flush_as`](Table::flush_as).
    #[cfg(feature = "alloc")]
    pub fn flush_as_owned<R>(
        this: &R,
        own: P::Tag,
        old: P::Tag,
    ) -> Result<Flush<R>, NotBegun<P::Tag>>
    where
        R: TableRef<Places = P>,
    {
        Self::flush_by(this, Some(own), old)
    }

    /// [`flush`](Table::flush) for a flush that keeps the table alive.
    ///
    /// # Errors
    /// As [`flush`](Table::flush).
    ///
    /// # Panics
    /// As [`flush_as`](Table::flush_as).
    #[cfg(feature = "alloc")]
    pub fn flush_owned<R>(this: &R, old: P::Tag) -> Result<Flush<R>, NotBegun<P::Tag>>
    where
        R: TableRef<Places = P>,
    {
        Self::flush_by(this, None, old)
    }

    fn flush_by<R>(by: &R, own: Option<P::Tag>, old: P::Tag) -> Result<Flush<R>, NotBegun<P::Tag>>
    where
        R: TableRef<Places = P>,
    {
        let table = by.table();
        let Entered { place, told } = table.enter(own.unwrap_or(old), |ledger, retired| {
            ledger.flush(own, old, retired)
        })?;
        let flush = Flush::new(by, place);
        table.spread(told.map(|told| Telling::new(table, told, FLUSHED)));
        Ok(flush)
    }

    /// Tells the request of `old` that its answer is not wanted any more, for protocols that do not
    /// answer that: JSON-RPC's `$/cancelRequest`. True if there is one that is not settled.
    ///
    /// # Panics
    /// As [`flush_as`](Table::flush_as).
    pub fn cancel(&self, old: P::Tag) -> bool {
        let mut retired = Retired::new(&self.scopes);
        let (found, told) = self.ledger.with(|ledger| ledger.cancel(old, &mut retired));
        self.clean(retired);
        self.spread(told.map(|told| Telling::new(self, told, FLUSHED)));
        found
    }

    /// The next tag whose request was flushed, for a listener that is told about many requests: each
    /// is told to one listener, once, in the order of the flushes, while its request is unsettled.
    ///
    /// # Cancellation
    /// Dropping it is safe: what it was woken for is told to another one, or to the next.
    pub fn flushed(&self) -> Flushed<&Self> {
        Flushed::new(&self)
    }

    /// [`flushed`](Table::flushed) for a wait that keeps the table alive.
    #[cfg(feature = "alloc")]
    pub fn flushed_owned<R: TableRef<Places = P>>(this: &R) -> Flushed<R> {
        Flushed::new(this)
    }

    /// Begins another session: the version reset of a protocol, or the next connection of a `static`
    /// table. Every tag is free; every request of the session before is told, and gets no reply any
    /// more; every flush ends unanswered. Those that are being answered just now go on:
    /// [`cleared`](Table::cleared) waits for them.
    ///
    /// The places of the session before come free as its requests are dropped.
    ///
    /// # Panics
    /// If a waker panics, with its panic, when all is done.
    pub fn reset(&self, reason: impl Into<Reason>) {
        self.turn_over(false, reason.into());
    }

    /// Ends the session: as [`reset`](Table::reset), and nothing is begun from here on.
    ///
    /// # Panics
    /// As [`reset`](Table::reset).
    pub fn end(&self, reason: impl Into<Reason>) {
        self.turn_over(true, reason.into());
    }

    /// Waits until no reply of an earlier session is under way: after that an answer to the reset may
    /// be sent.
    ///
    /// # Cancellation
    /// As every [`Wait`]: dropping it leaves the queue.
    pub fn cleared(&self) -> Cleared<&Self> {
        Wait::new(ToClear(self))
    }

    /// [`cleared`](Table::cleared) for a wait that keeps the table alive.
    #[cfg(feature = "alloc")]
    pub fn cleared_owned<R: TableRef<Places = P>>(this: &R) -> Cleared<R> {
        Wait::new(ToClear(this.clone()))
    }

    /// How many requests and flushes have a place in the table: unsettled, being answered, or kept for
    /// flushes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ledger.with(|ledger| ledger.used())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which session this is: how many were begun before. (Wraps after 2^32.)
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.ledger.with(|ledger| ledger.session())
    }

    /// Whether the session was [ended](Table::end).
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.ledger.with(|ledger| ledger.has_ended())
    }

    /// How many requests were dropped that nobody had flushed: their clients wait for an answer.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.ledger.with(|ledger| ledger.lost())
    }

    /// Makes an entry, in a table that grows if need be. `tag` is for the error.
    fn enter<E>(
        &self,
        tag: P::Tag,
        mut enter: impl FnMut(&mut Ledger<P>, &mut Retired<'_, P>) -> Result<E, Refusal>,
    ) -> Result<E, NotBegun<P::Tag>> {
        loop {
            let mut retired = Retired::new(&self.scopes);
            let (entered, places) = self.ledger.with(|ledger| {
                let entered = enter(ledger, &mut retired);
                (entered, ledger.capacity())
            });
            self.clean(retired);
            return match entered {
                Ok(entered) => Ok(entered),
                Err(Refusal::InUse) => Err(NotBegun::InUse(tag)),
                Err(Refusal::Over) => Err(NotBegun::Over),
                Err(Refusal::Full) => {
                    let Some(more) = P::more(places, self.limit) else {
                        return Err(NotBegun::Full);
                    };
                    let spare = self.ledger.with(|ledger| {
                        // Somebody may have been quicker.
                        if ledger.capacity() == places {
                            ledger.grow(more)
                        } else {
                            more
                        }
                    });
                    drop(spare);
                    continue;
                }
            };
        }
    }

    /// Makes the places free whose scopes must be renewed first.
    fn clean(&self, retired: Retired<'_, P>) {
        if retired.has_any() {
            for place in retired.unclean.into_iter().flatten() {
                P::renew(&self.scopes, place);
                self.ledger.with(|ledger| ledger.free(place));
            }
        }
    }

    /// Wakes whoever is concerned by what was done under the lock, and tells a request.
    fn spread(&self, telling: Option<Telling<'_, P>>) {
        let mut user = UserCode::new();
        user.call(|| self.wake());
        user.call(|| drop(telling));
        user.rethrow();
    }

    /// Wakes all who are due (K5).
    fn wake(&self) {
        if self.ledger.with(|ledger| ledger.has_news()) {
            Drain::of(&self.ledger, ledger::Due { open: true }).run();
        }
    }
}

impl<T: Copy + Eq, const N: usize, L: Lock> Default for FlushTable<T, N, L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
impl<T: Copy + Eq, L: Lock> Default for GrowingFlushTable<T, L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Places> fmt::Debug for Table<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (len, session, ended) = self
            .ledger
            .with(|ledger| (ledger.used(), ledger.session(), ledger.has_ended()));
        f.debug_struct("FlushTable")
            .field("len", &len)
            .field("session", &session)
            .field("ended", &ended)
            .finish()
    }
}

impl<P: Places> core::panic::UnwindSafe for Table<P> {}
impl<P: Places> core::panic::RefUnwindSafe for Table<P> {}

/// Why a request or a flush was not entered; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum NotBegun<T> {
    /// This tag is in use.
    InUse(T),
    /// No place is left.
    Full,
    /// The session was ended.
    Over,
}

impl<T: fmt::Debug> fmt::Display for NotBegun<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(tag) => write!(f, "the tag {tag:?} is in use"),
            Self::Full => f.write_str("too many requests in flight"),
            Self::Over => f.write_str("the session is over"),
        }
    }
}

impl<T: fmt::Debug> core::error::Error for NotBegun<T> {}
