//! `Slot`: claim, release, orphan handoff.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::thread;

use ecluse_core::{Cause, Closed, Outcome, Refused};

use crate::guard::{Guard, Orphan};
use crate::waiter::{Queue, Target, Wait, lock, wake};

/// The wait for a claim.
pub type Claiming<R> = Wait<ToClaim<R>>;

/// The wait for the end of the present hold.
pub type Released<R> = Wait<ToRelease<R>>;

/// What a claimer is granted: the claim with what its last holder left, or the news that there is none.
type ClaimGrant = Result<Option<Outcome>, Closed>;

struct State {
    held: bool,
    closed: bool,
    claimers: Queue<ClaimGrant>,
    observers: Queue<Outcome>,
}

/// A piece of work that one task at a time may claim.
pub struct Slot(Mutex<State>);

/// How a claim or wait holds on to its slot.
pub trait SlotRef: Deref<Target = Slot> + Clone {}

impl SlotRef for &Slot {}
impl SlotRef for Arc<Slot> {}

impl Default for Slot {
    fn default() -> Self {
        Self::new()
    }
}

impl Slot {
    /// A free slot.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(State {
            held: false,
            closed: false,
            claimers: Queue::new(),
            observers: Queue::new(),
        }))
    }

    fn take(&self) -> Result<(), Refused> {
        let mut state = lock(&self.0);
        if state.closed {
            Err(Refused::Closed)
        } else if std::mem::replace(&mut state.held, true) {
            Err(Refused::Busy)
        } else {
            Ok(())
        }
    }

    /// Claims the slot if it is free.
    ///
    /// # Errors
    /// If it is not, or was closed.
    pub fn try_claim(&self) -> Result<Claim<&Self>, Refused> {
        Self::try_claim_owned(&self)
    }

    /// Waits for the claim, in order.
    pub fn claim(&self) -> Claiming<&Self> {
        Wait::new(ToClaim(self))
    }

    /// Waits for the end of the present hold.
    pub fn released(&self) -> Released<&Self> {
        Wait::new(ToRelease(self))
    }

    /// As [`try_claim`](Self::try_claim), owned.
    ///
    /// # Errors
    /// As [`try_claim`](Self::try_claim).
    pub fn try_claim_owned<R: SlotRef>(this: &R) -> Result<Claim<R>, Refused> {
        this.take()?;
        Ok(Claim::new(this.clone(), None))
    }

    /// As [`claim`](Self::claim), owned.
    pub fn claim_owned<R: SlotRef>(this: &R) -> Claiming<R> {
        Wait::new(ToClaim(this.clone()))
    }

    /// As [`released`](Self::released), owned.
    pub fn released_owned<R: SlotRef>(this: &R) -> Released<R> {
        Wait::new(ToRelease(this.clone()))
    }

    /// Closes the slot; true for the call that did.
    pub fn close(&self) -> bool {
        let mut state = lock(&self.0);
        if std::mem::replace(&mut state.closed, true) {
            return false;
        }
        let claimers = state.claimers.grant_all(Err(Closed));
        let observers = state.observers.grant_all(Outcome::Closed);
        drop(state);
        both(|| wake(claimers), || wake(observers));
        true
    }

    /// Whether it was closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.0).closed
    }

    /// Whether somebody holds the claim, or has been granted it.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        lock(&self.0).held
    }

    /// Whether anybody is queued.
    #[must_use]
    pub fn has_waiters(&self) -> bool {
        let state = lock(&self.0);
        !state.claimers.is_empty() || !state.observers.is_empty()
    }

    /// The end of a hold, or of one that never began.
    fn end(&self, outcome: Outcome, inherited: Option<Outcome>) {
        let mut state = lock(&self.0);
        let next = state.claimers.grant_first(Ok(inherited)).ok();
        state.held = next.is_some();
        let observers = state.observers.grant_all(outcome);
        drop(state);
        both(|| wake(next), || wake(observers));
    }
}

/// Both, also if the first panics.
fn both(first: impl FnOnce(), second: impl FnOnce()) {
    struct Then<F: FnOnce()>(Option<F>);
    impl<F: FnOnce()> Drop for Then<F> {
        fn drop(&mut self) {
            if let Some(second) = self.0.take() {
                second();
            }
        }
    }
    let _then = Then(Some(second));
    first();
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// The claim of a slot; its drop is its release.
#[must_use = "a claim that is dropped at once is abandoned"]
pub struct Claim<R: SlotRef> {
    slot: R,
    inherited: Option<Outcome>,
    /// Known, if it does not follow from how the drop comes.
    outcome: Option<Outcome>,
    unwinding: bool,
}

impl<R: SlotRef> Claim<R> {
    fn new(slot: R, inherited: Option<Outcome>) -> Self {
        Self {
            slot,
            inherited,
            outcome: None,
            unwinding: thread::panicking(),
        }
    }

    /// Releases it: the work is done.
    pub fn release(self) {
        self.end(Outcome::Done);
    }

    pub(crate) fn end(mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    /// How the last holder ended, if this claim came from one.
    #[must_use]
    pub fn inherited(&self) -> Option<Outcome> {
        self.inherited
    }

    /// The slot.
    #[must_use]
    pub fn slot(&self) -> &R {
        &self.slot
    }

    /// Runs `body` under this claim.
    pub fn guard<F, T, E, H>(self, body: F, on_orphan: H) -> Guard<F, E, H, R>
    where
        F: Future<Output = Result<T, E>>,
        H: FnOnce(Cause<'_, E>),
    {
        Guard::new(body, Orphan::new(self, on_orphan))
    }

    /// Runs a `body` that does not await under this claim.
    ///
    /// # Errors
    /// The body's own.
    pub fn guard_sync<T, E, H>(
        self,
        body: impl FnOnce() -> Result<T, E>,
        on_orphan: H,
    ) -> Result<T, E>
    where
        H: FnOnce(Cause<'_, E>),
    {
        let mut orphan = Orphan::new(self, on_orphan);
        orphan.running = true;
        let result = body();
        orphan.running = false;
        orphan.settle(&result);
        result
    }
}

impl<R: SlotRef> Drop for Claim<R> {
    fn drop(&mut self) {
        let by_panic = !self.unwinding && thread::panicking();
        let outcome = self.outcome.unwrap_or(Outcome::Abandoned { by_panic });
        self.slot.end(outcome, Some(outcome));
    }
}

impl<R: SlotRef> fmt::Debug for Claim<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").finish_non_exhaustive()
    }
}

/// What [`Slot::claim`] waits for.
#[derive(Debug)]
pub struct ToClaim<R: SlotRef>(R);

impl<R: SlotRef> Target for ToClaim<R> {
    type Grant = ClaimGrant;
    type Output = Result<Claim<R>, Closed>;

    fn begin(&self, enlist: impl FnOnce(&mut Queue<ClaimGrant>)) -> Option<ClaimGrant> {
        let mut state = lock(&self.0.0);
        if state.closed {
            Some(Err(Closed))
        } else if std::mem::replace(&mut state.held, true) {
            enlist(&mut state.claimers);
            None
        } else {
            Some(Ok(None))
        }
    }

    fn leave(&self, leave: impl FnOnce(&mut Queue<ClaimGrant>)) {
        leave(&mut lock(&self.0.0).claimers);
    }

    fn over(&self) -> Option<ClaimGrant> {
        None
    }

    fn observe(&self, grant: ClaimGrant) -> Self::Output {
        grant.map(|inherited| Claim::new(self.0.clone(), inherited))
    }

    fn pass_on(&self, grant: ClaimGrant) {
        if let Ok(inherited) = grant {
            self.0
                .end(Outcome::Abandoned { by_panic: false }, inherited);
        }
    }
}

/// What [`Slot::released`] waits for.
#[derive(Debug)]
pub struct ToRelease<R: SlotRef>(R);

impl<R: SlotRef> Target for ToRelease<R> {
    type Grant = Outcome;
    type Output = Outcome;

    fn begin(&self, enlist: impl FnOnce(&mut Queue<Outcome>)) -> Option<Outcome> {
        let mut state = lock(&self.0.0);
        if state.closed {
            Some(Outcome::Closed)
        } else if state.held {
            enlist(&mut state.observers);
            None
        } else {
            Some(Outcome::Passed)
        }
    }

    fn leave(&self, leave: impl FnOnce(&mut Queue<Outcome>)) {
        leave(&mut lock(&self.0.0).observers);
    }

    fn over(&self) -> Option<Outcome> {
        None
    }

    fn observe(&self, grant: Outcome) -> Outcome {
        grant
    }

    fn pass_on(&self, _: Outcome) {}
}
