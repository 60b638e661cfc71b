//! `Line`: a one-track line. Whoever has the token does what only one should do; the others wait
//! until it is over, and do *not* take the line in turn.
//!
//! The vocabulary is that of its seed, the `line_token` of the `operation-queue` crate.
//!
//! | bits of the word | name | means |
//! |---|---|---|
//! | 0 | `HELD` | a token is out |
//! | 1 | `WAITERS` | the ring is not empty |
//! | 2 | `DONE` | closed |
//! | 3–4 | ending | how the last hold ended: abandoned, abandoned by panic, released |
//! | 5… | generation | how many holds have ended (27 bits and more, wrapping) |
//!
//! Invariants:
//! - **L1** `WAITERS` implies `HELD`; both clear together at the end of a hold.
//! - **L2** Free writers are the acquiring swap (needs `HELD` and `DONE` clear) and the holder's
//!   releasing swap (needs the word as it was acquired). While `WAITERS` or `DONE` is set, whoever
//!   has the lock is the only one to write.
//! - **L3** A hold's end changes the generation in the same store that clears `HELD`. So a wait for
//!   hold *g* is over exactly when the word's generation is not *g*.
//! - **L4** A store over a word that others read without the lock is Release, by one who has loaded
//!   it with Acquire: it goes on with the release sequence of the last release.

mod outcome;
mod token;
mod wait;

pub use self::{
    outcome::{Acquire, AcquireIf, AcquireOutcome, ForeignToken, LineStatus, Status, TryAcquireIf},
    token::{Hold, Token},
    wait::{HoldEnd, ToHoldEnd},
};

#[cfg(all(feature = "alloc", target_has_atomic = "ptr"))]
pub use self::{outcome::OwnedAcquireOutcome, token::OwnedToken};

use core::fmt;

use crate::{
    Outcome,
    observe::{EventKind, Notes, Numbers, Observer, heard},
    sync::{DefaultLock, Handle, Lock, Ordering, Protected, Word},
    wait::{Drain, Link, Ring, Wait},
};

const HELD: usize = 1;
const WAITERS: usize = 2;
const DONE: usize = 4;
const ENDING_SHIFT: u32 = 3;
const ENDING: usize = 3 << ENDING_SHIFT;
const GENERATION_SHIFT: u32 = 5;
const ONE_GENERATION: usize = 1 << GENERATION_SHIFT;

/// A hold of a [`Line`], by number: how many holds had ended when it began. Compared by equality
/// only; wraps after 2^27 holds where a pointer has 32 bits, after 2^59 where it has 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Generation(usize);

impl Generation {
    fn of(word: usize) -> Self {
        Self(word >> GENERATION_SHIFT)
    }

    /// The one after this.
    fn next(self) -> Self {
        Self(self.0.wrapping_add(1) & (usize::MAX >> GENERATION_SHIFT))
    }
}

/// How the last hold of `word` ended.
fn ending(word: usize) -> Outcome {
    match (word & ENDING) >> ENDING_SHIFT {
        0 => Outcome::Abandoned { by_panic: false },
        1 => Outcome::Abandoned { by_panic: true },
        _ => Outcome::Done,
    }
}

/// The word after the end of the hold that acquired `word`.
#[inline(always)]
fn ended(word: usize, outcome: Outcome) -> usize {
    let ending = match outcome {
        Outcome::Abandoned { by_panic } => usize::from(by_panic),
        _ => 2,
    };
    (word & !(HELD | WAITERS | ENDING) | ending << ENDING_SHIFT).wrapping_add(ONE_GENERATION)
}

/// A line that one task at a time holds the token of, while the others wait for its end.
///
/// It is the primitive for "only one of us re-authenticates": the first that meets the problem
/// takes the token and solves it; the others wait and then retry, without taking the token.
///
/// - `L`, the lock of the waiter list: [`DefaultLock`] unless chosen.
/// - `O`, an [`Observer`]: none unless chosen.
///
/// Acquiring and releasing with nobody waiting is one atomic instruction each. No allocation; can
/// be a `static`.
///
/// ```
/// use ecluse_core::{AcquireOutcome, Line, Outcome};
///
/// static LOGIN: Line = Line::new();
///
/// async fn log_in_again() -> Outcome {
///     match LOGIN.try_acquire_token() {
///         AcquireOutcome::Success(token) => {
///             // … fetch the new credential …
///             token.release();
///             Outcome::Done
///         }
///         AcquireOutcome::Failure(wait) => wait.await,
///     }
/// }
/// # assert_eq!(futures_executor::block_on(log_in_again()), Outcome::Done);
/// ```
pub struct Line<L = DefaultLock, O: Observer = ()> {
    word: Word,
    queue: Protected<L, Queue<O>>,
    observer: O,
}

/// What the line's lock protects.
pub struct Queue<O: Observer> {
    waiters: Ring<Outcome>,
    numbers: O::Numbers,
}

/// A handle on a line: `&Line`, and with `alloc` `Arc<Line>` and `Rc<Line>`. Sealed.
pub trait LineRef: Handle {
    /// The line's lock.
    type Lock: Lock;
    /// The line's observer.
    type Observer: Observer;

    /// The line.
    fn line(&self) -> &Line<Self::Lock, Self::Observer>;
}

impl<R, L: Lock, O: Observer> LineRef for R
where
    R: Handle<Target = Line<L, O>>,
{
    type Lock = L;
    type Observer = O;

    #[inline(always)]
    fn line(&self) -> &Line<L, O> {
        self
    }
}

impl<L: Lock> Line<L> {
    const_fn! {
        /// A free line. Can be a `static`.
        #[must_use]
        pub const fn new() -> Self {
            Self::with_observer(())
        }
    }
}

impl<L: Lock, O: Observer> Line<L, O> {
    const_fn! {
        /// A free line whose steps are told to `observer`.
        #[must_use]
        pub const fn with_observer(observer: O) -> Self {
            Self {
                word: Word::new(0),
                queue: Protected::new(Queue {
                    waiters: Ring::new(),
                    numbers: <O::Numbers as Numbers>::NEW,
                }),
                observer,
            }
        }
    }

    /// The observer that was given to [`with_observer`](Line::with_observer).
    pub const fn observer(&self) -> &O {
        &self.observer
    }

    /// Acquires the token if the line is free, else gives the wait for the end of the present hold.
    /// Synchronous; O(1), a load and one atomic instruction.
    ///
    /// On a closed line it gives a wait that is over at once, with [`Outcome::Closed`] (or with the
    /// outcome of the hold, if one was still running and ends first).
    #[inline]
    pub fn try_acquire_token(&self) -> Acquire<&Self> {
        self.acquire_by(&self)
    }

    /// [`try_acquire_token`](Line::try_acquire_token) for a token that keeps the line alive and may
    /// move to another task: `this` is an `Arc` or `Rc` of the line.
    #[cfg(feature = "alloc")]
    pub fn try_acquire_token_owned<R>(this: &R) -> Acquire<R>
    where
        R: LineRef<Lock = L, Observer = O>,
    {
        this.line().acquire_by(this)
    }

    /// Whether the line is free; if it is busy, with the wait for its release. One load, no lock.
    pub fn status(&self) -> Status<&Self> {
        // Acquire: pairs with the release, so that "free" comes with what the holder wrote.
        let word = self.word.load(Ordering::Acquire);
        if word & HELD == 0 {
            Status::Free
        } else {
            Status::Busy(Wait::new(ToHoldEnd::new(&self, word)))
        }
    }

    /// The line's present generation, to be remembered with whatever the line protects (a
    /// credential, say) and shown to [`acquire_if`](Line::acquire_if) later. One load.
    #[must_use]
    pub fn generation(&self) -> Generation {
        // Acquire: pairs with the release: who sees the generation sees what it made.
        Generation::of(self.word.load(Ordering::Acquire))
    }

    /// As [`try_acquire_token`](Line::try_acquire_token), unless the work was done since `seen`.
    ///
    /// A request that was refused for a credential of generation `seen` asks by this: if a hold has
    /// ended with [`Outcome::Done`] meanwhile, the answer is [`AcquireIf::Outdated`], and the
    /// request retries with the new credential instead of renewing it once more. (A single hold
    /// that was abandoned since `seen` does not count. Of several, only the last one's end is
    /// known; then the answer is `Outdated`, and the retry will tell.)
    ///
    /// The generation that goes with a value is read *before* the value, or written with it
    /// ([`Hold::next_generation`]): it may then be older than the value, which costs a retry, but
    /// never newer, which would cost a renewal.
    ///
    /// It is re-election, too: of *n* waiters that were told `Abandoned`, each asks with its
    /// [`generation`](Wait::generation); exactly one gets the token, the others wait for that one.
    pub fn acquire_if(&self, seen: Generation) -> TryAcquireIf<&Self> {
        // Acquire: pairs with the release of the hold that made it outdated.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let now = Generation::of(word);
            if now != seen && !(now == seen.next() && ending(word).is_abandoned()) {
                return TryAcquireIf::Outdated;
            }
            match self.acquire_at(&self, word) {
                Ok(Acquire::Success(token)) => return TryAcquireIf::Success(token),
                Ok(Acquire::Failure(wait)) => return TryAcquireIf::Failure(wait),
                Err(changed) => word = changed,
            }
        }
    }

    /// Closes the line: its waiters are told [`Outcome::Closed`], and no token is given out any
    /// more. The present holder finishes undisturbed. True for the one call that closed it.
    /// O(waiters), in bounded lock holds.
    pub fn close(&self) -> bool {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.queue, &sentinel, Outcome::Closed);
        let mut notes = Notes::<O>::default();
        let first = self.queue.with(|held| {
            // Relaxed: what matters is decided by the swap.
            let mut word = self.word.load(Ordering::Relaxed);
            loop {
                if word & DONE != 0 {
                    return false;
                }
                let closed = word & !WAITERS | DONE;
                // Release: what the closer did before happens before whatever sees `DONE`. (A swap
                // goes on with the release sequence that it finds, L4, without acquiring it.)
                let swap =
                    self.word
                        .swap_locked(held, word, closed, Ordering::Release, Ordering::Relaxed);
                match swap {
                    Ok(()) => break,
                    Err(now) => word = now,
                }
            }
            held.numbers.note(&mut notes, EventKind::Closed);
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe {
                drain.detach(&mut held.waiters);
                drain.begin();
            }
            true
        });
        drain.first(|| self.tell(notes));
        drain.run();
        first
    }

    /// Whether the line was closed. One load.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        // Acquire: pairs with the swap in `close`.
        self.word.load(Ordering::Acquire) & DONE != 0
    }

    /// Whether the token is out. One load.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        // Acquire: as in `status`.
        self.word.load(Ordering::Acquire) & HELD != 0
    }

    /// Whether anybody is queued. One load.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        self.word.load(Ordering::Relaxed) & WAITERS != 0
    }

    #[inline(always)]
    fn acquire_by<R>(&self, by: &R) -> Acquire<R>
    where
        R: LineRef<Lock = L, Observer = O>,
    {
        // Acquire: the wait in a `Failure` shows a generation, and who sees one sees what the hold
        // before it did.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            match self.acquire_at(by, word) {
                Ok(acquired) => return acquired,
                Err(changed) => word = changed,
            }
        }
    }

    /// Acquires the line if its word is still `word`, a free one; says what it is otherwise.
    #[inline(always)]
    fn acquire_at<R>(&self, by: &R, word: usize) -> Result<Acquire<R>, usize>
    where
        R: LineRef<Lock = L, Observer = O>,
    {
        if word & (HELD | DONE) != 0 {
            return Ok(Acquire::Failure(Wait::new(ToHoldEnd::new(by, word))));
        }
        if heard::<O>() {
            return self.acquire_heard(by, word);
        }
        // Acquire: pairs with the release of the hold before, as the load that gave `word` does:
        // one of the two would do. On failure its word becomes the answer, generation and all.
        self.word.swap_free(
            &self.queue,
            word,
            word | HELD,
            Ordering::Acquire,
            Ordering::Acquire,
        )?;
        Ok(Acquire::Success(Hold::new(by.clone(), word | HELD)))
    }

    /// With an observer every acquisition is numbered under the lock.
    fn acquire_heard<R>(&self, by: &R, word: usize) -> Result<Acquire<R>, usize>
    where
        R: LineRef<Lock = L, Observer = O>,
    {
        let mut notes = Notes::<O>::default();
        self.queue.with(|held| {
            // Acquire, twice: as in `acquire_at`.
            self.word.swap_locked(
                held,
                word,
                word | HELD,
                Ordering::Acquire,
                Ordering::Acquire,
            )?;
            held.numbers.note(&mut notes, EventKind::Claimed);
            Ok::<_, usize>(())
        })?;
        // The token first: a hook that panics must not keep the line.
        let token = Hold::new(by.clone(), word | HELD);
        self.tell(notes);
        Ok(Acquire::Success(token))
    }

    /// The end of the hold that acquired `word`.
    #[inline(always)]
    fn end(&self, word: usize, outcome: Outcome) {
        // Release: pairs with the Acquire of whoever sees the new generation. Relaxed: the slow
        // path looks again.
        if heard::<O>()
            || self
                .word
                .swap_free(
                    &self.queue,
                    word,
                    ended(word, outcome),
                    Ordering::Release,
                    Ordering::Relaxed,
                )
                .is_err()
        {
            self.end_slow(outcome);
        }
    }

    /// Somebody waits, or waited a moment ago, or the line is closed, or there is an observer; or
    /// the swap failed for nothing.
    #[cold]
    fn end_slow(&self, outcome: Outcome) {
        let sentinel = Link::new();
        let mut drain = Drain::new(&self.queue, &sentinel, outcome);
        let mut notes = Notes::<O>::default();
        self.queue.with(|held| {
            held.numbers.note(&mut notes, EventKind::Released(outcome));
            // SAFETY: Validity: the ring of this lock, detached once. Aliasing: it is held.
            unsafe { drain.detach(&mut held.waiters) };
            // Relaxed: the holder knows its own word, and the lock what was added to it. Release:
            // pairs with the Acquire of whoever sees the new generation. A store: L2; if a cancel
            // has just cleared `WAITERS`, the word is our own hold's.
            let word = self.word.load(Ordering::Relaxed);
            self.word
                .store_locked(held, ended(word, outcome), Ordering::Release);
            // SAFETY: Validity and Aliasing: the lock is held.
            unsafe { drain.begin() };
        });
        drain.first(|| self.tell(notes));
        drain.run();
    }

    fn tell(&self, notes: Notes<O>) {
        <O::Numbers as Numbers>::each(notes, |event| self.observer.event(event));
    }
}

impl<L: Lock> Default for Line<L> {
    fn default() -> Self {
        Self::new()
    }
}

impl<L, O: Observer> fmt::Debug for Line<L, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Relaxed: a picture, not a decision.
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Line")
            .field("busy", &(word & HELD != 0))
            .field("waiters", &(word & WAITERS != 0))
            .field("closed", &(word & DONE != 0))
            .field("generation", &Generation::of(word).0)
            .finish()
    }
}

impl<L, O: Observer> core::panic::UnwindSafe for Line<L, O> {}
impl<L, O: Observer> core::panic::RefUnwindSafe for Line<L, O> {}
