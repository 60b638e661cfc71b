//! `Claim`: the right to do the work, from the instant of claiming to its one release.
//!
//! Invariants:
//! - **H1** A `Claim` exists exactly while its slot's word is `HELD` on its behalf.
//! - **H2** Its drop is its release. There is no other way out, but forgetting it.

use core::fmt;

use super::{
    SlotRef,
    guard::{Cause, Guard, Orphan},
    transitions::Ending,
};
use crate::Outcome;

/// The claim of a [`Slot`](super::Slot).
///
/// Dropping it releases the slot as [`Outcome::Abandoned`]: the next waiter gets the claim and
/// knows that the work was not done. [`release`](Claim::release) says that it was. Either never
/// blocks or awaits: it is a bounded list operation, fit for an interrupt handler if the slot's lock
/// is a critical section.
///
/// `R` is how the claim holds on to its slot: `&Slot`, `Arc<Slot>`, `Rc<Slot>`.
///
/// Forgetting a claim is memory-safe; the slot stays claimed until it is closed.
///
/// A claim does not outlive its slot:
/// ```compile_fail,E0597
/// let claim = {
///     let slot = ecluse_core::Slot::<ecluse_core::Handoff, ecluse_core::Local>::new();
///     slot.try_claim().unwrap()
/// };
/// ```
#[must_use = "a claim that is dropped at once is abandoned"]
pub struct Claim<R: SlotRef> {
    slot: R,
    /// How the holder before ended, if it handed the claim over.
    inherited: Option<Outcome>,
    done: bool,
    unwinding: Unwinding,
}

impl<R: SlotRef> Claim<R> {
    /// The word was just made `HELD` for this (H1).
    #[inline(always)]
    pub(super) fn new(slot: R, inherited: Option<Outcome>) -> Self {
        Self {
            slot,
            inherited,
            done: false,
            unwinding: Unwinding::now(),
        }
    }

    /// Releases the slot: the work is done. Those who wait for the release are told
    /// [`Outcome::Done`]; the first of those who wait for the claim gets it.
    #[inline(always)]
    pub fn release(mut self) {
        self.done = true;
    }

    /// How the holder before ended, if this claim came from one by way of the queue. `None` if the
    /// slot was found free. `Some(Abandoned)` makes this the heir of an orphaned piece of work.
    #[must_use]
    pub fn inherited(&self) -> Option<Outcome> {
        self.inherited
    }

    /// The slot.
    #[must_use]
    pub fn slot(&self) -> &R {
        &self.slot
    }

    /// Runs `body` under this claim; `on_orphan` learns of every end but success.
    ///
    /// On every exit, in this order, each step even if an earlier one panicked: the body is
    /// dropped, `on_orphan` runs (unless the body succeeded), the claim is released
    /// ([`Outcome::Done`] on success, else [`Outcome::Abandoned`]), the waiters are woken. So the
    /// next leader never overlaps this one's destructors. A panic or error of the body wins over a
    /// panic of `on_orphan`.
    ///
    /// # Cancellation
    /// Dropping the future, before its first poll or at any await, is an exit by
    /// [`Cause::Dropped`].
    ///
    /// # Panics
    /// A panic of the body goes on after the exit. Polling the future after `Ready` panics, as for
    /// a [`Wait`](crate::Wait).
    ///
    /// ```
    /// use ecluse_core::{Cause, Handoff, Local, Slot};
    /// # futures_executor::block_on(async {
    /// let slot = Slot::<Handoff, Local>::new();
    /// let claim = slot.try_claim().unwrap();
    /// let answer: Result<u32, &str> = claim.guard(async { Ok(42) }, |_cause| ()).await;
    /// assert_eq!(answer, Ok(42));
    ///
    /// let claim = slot.try_claim().unwrap();
    /// let mut orphaned = false;
    /// let failed: Result<u32, &str> = claim
    ///     .guard(async { Err("no network") }, |cause| {
    ///         orphaned = matches!(cause, Cause::Failed(&"no network"));
    ///     })
    ///     .await;
    /// assert_eq!(failed, Err("no network"));
    /// assert!(orphaned && !slot.is_claimed());
    /// # });
    /// ```
    pub fn guard<F, T, E, H>(self, body: F, on_orphan: H) -> Guard<F, T, E, H, R>
    where
        F: Future<Output = Result<T, E>>,
        H: FnOnce(Cause<'_, E>),
    {
        Guard::new(self, body, on_orphan)
    }

    /// [`guard`](Claim::guard) for a body that does not await.
    ///
    /// # Errors
    /// Those of the body.
    ///
    /// # Panics
    /// A panic of the body goes on after the exit.
    pub fn guard_sync<T, E, H>(
        self,
        body: impl FnOnce() -> Result<T, E>,
        on_orphan: H,
    ) -> Result<T, E>
    where
        H: FnOnce(Cause<'_, E>),
    {
        let mut orphan = Orphan::new(self, on_orphan);
        // If `body` unwinds, the orphan's drop is the exit.
        orphan.polling(true);
        let result = body();
        orphan.polling(false);
        orphan.settle(&result);
        result
    }

    /// Ends the hold as abandoned, whoever is unwinding.
    pub(crate) fn abandon(mut self, by_panic: bool) {
        self.unwinding = Unwinding::known(by_panic);
    }
}

impl<R: SlotRef> Drop for Claim<R> {
    #[inline(always)]
    fn drop(&mut self) {
        let outcome = if self.done {
            Outcome::Done
        } else {
            Outcome::Abandoned {
                by_panic: self.unwinding.has_begun(),
            }
        };
        self.slot.slot().end(Ending::Released(outcome));
    }
}

impl<R: SlotRef> fmt::Debug for Claim<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("inherited", &self.inherited)
            .finish_non_exhaustive()
    }
}

/// Whether this thread was unwinding at some point. Without `std` no thread knows, and nothing is
/// kept.
#[derive(Clone, Copy)]
pub(crate) struct Since(#[cfg(feature = "std")] bool);

impl Since {
    #[inline(always)]
    pub(crate) fn now() -> Self {
        Self(
            #[cfg(feature = "std")]
            std::thread::panicking(),
        )
    }

    /// Whether a panic has begun since then, and is unwinding here.
    #[inline(always)]
    pub(crate) fn has_panicked(self) -> bool {
        #[cfg(feature = "std")]
        {
            !self.0 && std::thread::panicking()
        }
        #[cfg(not(feature = "std"))]
        {
            false
        }
    }
}

/// Whether a hold ends by a panic: its thread tells, with `std`; elsewhere only a body that we poll.
#[derive(Clone, Copy)]
enum Unwinding {
    /// One that began after the hold did.
    #[cfg(feature = "std")]
    Since(Since),
    /// The end is known.
    Known(bool),
}

impl Unwinding {
    #[inline(always)]
    fn now() -> Self {
        #[cfg(feature = "std")]
        {
            Self::Since(Since::now())
        }
        #[cfg(not(feature = "std"))]
        {
            Self::Known(false)
        }
    }

    const fn known(by_panic: bool) -> Self {
        Self::Known(by_panic)
    }

    #[inline(always)]
    fn has_begun(self) -> bool {
        match self {
            #[cfg(feature = "std")]
            Self::Since(since) => since.has_panicked(),
            Self::Known(by_panic) => by_panic,
        }
    }
}
