//! Spawned children of a shared scope: counted, joined, forced to end.

use core::{fmt, future::Future};

use super::{
    keep::Keep,
    reason::{CANCEL, FORCE, Reason},
    shared::SharedScope,
    tree::Trunk,
};
use crate::{
    runtime::{Count, Counts, Joined, Spawn, SpawnError, Ticket, ToJoin},
    sync::{Lock, Locked, Ordering, Protected},
    wait::{Ring, Wait},
};

locked_type! {
    /// A child's place in the count of its scope: what its [`Ticket`] is counted by.
    ///
    /// [`SharedScope::spawn`] makes it. By hand ([`SharedScope::member`]) it is for what spawns on its own,
    /// and takes a [`TallyRef`](crate::runtime::TallyRef): the tasks of detached flights are then
    /// children of the scope.
    pub struct Member<L: Lock> {
        place: Keep<L>,
        /// What ends its future: the flag in the scope's word.
        ends_on: usize,
    }
}

impl<L: Lock> Member<L> {
    /// The scope.
    #[must_use]
    pub fn scope(&self) -> SharedScope<L> {
        SharedScope(self.place.clone())
    }

    /// The same place for a child that a mere cancel ends, not only force.
    #[must_use]
    pub fn guarded(self) -> Self {
        Self {
            ends_on: CANCEL,
            ..self
        }
    }
}

impl<L: Lock> Counts for Member<L> {
    type Lock = L;
    type Held = Trunk;
    type Told = Reason;

    fn guarded(&self) -> &Protected<L, Trunk> {
        &self.place.cx().tree.trunk
    }

    fn count<'h>(&'h self, trunk: &'h mut Locked<Trunk>) -> &'h mut Count {
        // SAFETY: Validity: our tree's. Aliasing: the lock is held.
        unsafe { &mut self.place.crew().hands(trunk).count }
    }

    fn tickets<'h>(&'h self, trunk: &'h mut Locked<Trunk>) -> &'h mut Ring<Reason> {
        // SAFETY: Validity: our tree's (T1). Aliasing: the lock is held.
        let lists = unsafe { self.place.cx().branch.get().lists(trunk) };
        if self.ends_on == CANCEL {
            &mut lists.waiters
        } else {
            &mut lists.force
        }
    }

    fn told(&self, _: &mut Locked<Trunk>) -> Option<Reason> {
        // Acquire: pairs with the store of the flag in `Branch::set` (T5).
        let word = self.place.cx().branch.word(Ordering::Acquire);
        Reason::of(word).filter(|_| word & self.ends_on != 0)
    }

    fn enter(&self) -> bool {
        self.place.enter()
    }

    fn leave(&self, lost: bool) {
        self.place.leave(lost);
    }
}

/// Children.
impl<L: Lock> SharedScope<L> {
    /// Spawns a child on `spawn`: `body` is called with a handle on this scope, and its future runs as a
    /// task that the scope counts, from here until its destructor has run.
    ///
    /// The child is *cooperative*: a cancel of the scope tells it ([`cx`](SharedScope::cx)), and it ends
    /// when it likes; by [force](SharedScope::force) its future is dropped. Whether it must be `Send` is
    /// for `spawn` to say.
    ///
    /// ```
    /// use core::task::{Context, Poll, Waker};
    /// use ecluse_core::{cancel::{Kind, Root, ScopePlace}, runtime::{Spawn, SpawnError, TallyRef, Ticket}};
    ///
    /// /// An adapter has one for its runtime. This one runs the task until it first waits.
    /// struct Now;
    /// impl<F: Future<Output = ()>, R: TallyRef> Spawn<F, R> for Now {
    ///     type Abort = ();
    ///     fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
    ///         let mut task = core::pin::pin!(ticket);
    ///         let _ = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// static PROGRAM: Root = Root::new();
    /// static SERVER: ScopePlace = ScopePlace::new();
    /// # futures_executor::block_on(async {
    /// let server = PROGRAM.child_in(&SERVER).unwrap();
    /// server.spawn(&Now, |scope| async move {
    ///     assert_eq!(scope.live(), 1);
    ///     let _ = scope.cx().guard(async { /* … */ }).await;
    /// }).unwrap();
    /// server.joined().await;
    ///
    /// server.cancel(Kind::Shutdown);
    /// let late = server.spawn(&Now, |_| async {}).unwrap_err();
    /// assert!(matches!(late, SpawnError::Refused(_)));
    /// # });
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::Refused`] with the future, if the scope is cancelled, closed or over, or has no
    /// child and is below one that is closed or over. [`SpawnError::Busy`] and [`SpawnError::Closed`] as
    /// `spawn` says. In every case nothing of it is counted when this returns.
    ///
    /// # Panics
    /// If `body`, the drop of a future that the executor refused, or a waker does.
    pub fn spawn<S, M, F>(&self, spawn: &S, body: M) -> Result<S::Abort, SpawnError<F>>
    where
        S: Spawn<F, Member<L>>,
        M: FnOnce(Self) -> F,
        F: Future<Output = ()>,
    {
        let future = body(self.clone());
        Self::spawn_as(self.member(), spawn, future)
    }

    /// Spawns a child that ends when the scope is cancelled: its future is dropped at its next poll,
    /// which the cancel wakes. One that was not polled yet is never polled.
    ///
    /// # Errors
    /// As [`spawn`](SharedScope::spawn).
    ///
    /// # Panics
    /// As [`spawn`](SharedScope::spawn).
    pub fn spawn_guarded<S, F>(&self, spawn: &S, future: F) -> Result<S::Abort, SpawnError<F>>
    where
        S: Spawn<F, Member<L>>,
        F: Future<Output = ()>,
    {
        Self::spawn_as(self.member().guarded(), spawn, future)
    }

    fn spawn_as<S, F>(member: Member<L>, spawn: &S, future: F) -> Result<S::Abort, SpawnError<F>>
    where
        S: Spawn<F, Member<L>>,
    {
        match Ticket::new(member, future) {
            Ok(ticket) => spawn.spawn(ticket),
            Err(future) => Err(SpawnError::Refused(future)),
        }
    }

    /// What a child of this scope is counted by.
    #[must_use]
    pub fn member(&self) -> Member<L> {
        Member {
            place: self.0.clone(),
            ends_on: FORCE,
        }
    }

    /// How many children there are: those of this scope, and each scope right below it that has any as
    /// one. (Scopes count as scopes here, whatever they lie in: [`attached`](SharedScope::attached)
    /// counts those without children, too.)
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.look(|hands| hands.count.live())
    }

    /// How many children of this scope itself ended before their futures did: forced, dropped by an
    /// executor, panicked.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.0.look(|hands| hands.count.lost())
    }

    /// Waits until no child is left, in this scope or anywhere below it: the destructors of all their
    /// futures have run. Cancels nobody.
    ///
    /// A child that waits for a scope it is in waits for itself.
    ///
    /// # Cancellation
    /// Leaves the queue; the children are not affected.
    pub fn joined(&self) -> Joined<Member<L>> {
        Wait::new(ToJoin(self.member()))
    }

    /// The scope takes no more children from here on; nor does a scope below it that has none.
    pub fn close(&self) {
        self.0.look(|hands| hands.close());
    }

    /// Whether the scope was closed, or its [future](SharedScope::run) is over.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.look(|hands| hands.is_closed())
    }

    /// How many children of this tree nobody is bound to wait for: the [future](SharedScope::run) of
    /// their scope was dropped while they ran, and no scope above it has one. They go off this count
    /// when they end, or when another future begins of their scope or of one above; and are back on it
    /// if that is dropped. Whoever [joins](SharedScope::joined) a scope above waits for them all the
    /// same. Counted as by [`live`](SharedScope::live), by the topmost scope that was given up.
    ///
    /// # Costs
    /// A lock hold for each scope that is below the tree's root, or below a scope with children. Counts
    /// as a [`TreeView`](super::TreeView) looks: each scope at one moment, the scopes at different ones.
    #[must_use]
    pub fn orphans(&self) -> usize {
        self.0.orphans()
    }
}

impl<L: Lock> Clone for Member<L> {
    fn clone(&self) -> Self {
        Self {
            place: self.place.clone(),
            ends_on: self.ends_on,
        }
    }
}

impl<L: Lock> fmt::Debug for Member<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("guarded", &(self.ends_on == CANCEL))
            .finish_non_exhaustive()
    }
}

impl<L: Lock> core::panic::UnwindSafe for Member<L> {}
impl<L: Lock> core::panic::RefUnwindSafe for Member<L> {}
