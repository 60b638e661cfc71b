//! `ScopeFuture`: a body with a scope that spawns, over when the body and all children have ended.
//!
//! Invariants:
//! - **R1** From its making until its end a run is *bound to wait*: the scope counts it as such, and its
//!   drop gives that up (`crew`, C4).
//! - **R2** A run that ends leaves its scope closed and without children, decided in one lock hold: by the
//!   end of the body if there are none, else by the end of the last.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::FusedFuture;
use pin_project_lite::pin_project;

use super::{reason::Kind, shared::SharedScope, spawn::Member};
use crate::{
    runtime::Joined,
    sync::Lock,
    wait::{UserCode, polled_again},
};

pin_project! {
    /// A scope with its body: [`SharedScope::run`].
    ///
    /// # Cancellation
    /// Dropping it drops the body, then cancels the scope ([`Kind::Dropped`]). What was spawned goes on to
    /// its end; the scopes above wait for it, as they did all along.
    #[must_use = "futures do nothing unless they are polled"]
    pub struct ScopeFuture<F, L: Lock>
    where
        F: Future,
    {
        // Before the bond: dropped first.
        #[pin]
        body: Option<F>,
        value: Option<F::Output>,
        panic: UserCode,
        #[pin]
        joined: Joined<Member<L>>,
        bond: Bond<L>,
    }
}

/// R1.
struct Bond<L: Lock>(Option<SharedScope<L>>);

impl<L: Lock> Drop for Bond<L> {
    fn drop(&mut self) {
        if let Some(scope) = self.0.take() {
            scope.0.give_up();
            scope.cancel(Kind::Dropped);
        }
    }
}

impl<L: Lock> SharedScope<L> {
    /// Runs `body` with this scope; is over when the body *and all children* of the scope have ended,
    /// those in scopes below it, too. Then the scope is closed.
    ///
    /// While children are left they may spawn more; a cancel of the scope, by whomever, tells body and
    /// children alike. If the body panics, the scope is cancelled ([`Kind::Panic`]), its children are
    /// waited for, and then the panic goes on. (Without the feature `std` it goes on at once, as a drop
    /// of this future.)
    ///
    /// If the future is dropped instead, nobody waits here any more, but the scopes above do: their
    /// `run` and [`joined`](SharedScope::joined) are not over before these children are. If there is
    /// none, the children are [orphans](SharedScope::orphans).
    ///
    /// A scope has one run.
    ///
    /// ```
    /// # use core::task::{Context, Waker};
    /// # use ecluse_core::runtime::{Spawn, SpawnError, TallyRef, Ticket};
    /// # struct Now;
    /// # impl<F: Future<Output = ()>, R: TallyRef> Spawn<F, R> for Now {
    /// #     type Abort = ();
    /// #     fn spawn(&self, ticket: Ticket<F, R>) -> Result<(), SpawnError<F>> {
    /// #         let _ = core::pin::pin!(ticket).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    /// #         Ok(())
    /// #     }
    /// # }
    /// use ecluse_core::cancel::{Root, ScopePlace};
    ///
    /// static PROGRAM: Root = Root::new();
    /// static BATCH: ScopePlace = ScopePlace::new();
    /// # let spawn = Now;
    /// # futures_executor::block_on(async {
    /// let batch = PROGRAM.child_in(&BATCH).unwrap();
    /// let sent = batch.run(async |scope| {
    ///     for _item in 0..3 {
    ///         scope.spawn(&spawn, |_| async { /* … */ }).unwrap();
    ///     }
    ///     3
    /// });
    /// assert_eq!(sent.await, 3); // and the three have ended
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// See [`ScopeFuture`].
    ///
    /// # Panics
    /// If `body` or its future does. Polling it after `Ready` panics.
    pub fn run<B, F>(self, body: B) -> ScopeFuture<F, L>
    where
        B: FnOnce(Self) -> F,
        F: Future,
    {
        self.0.begin();
        let joined = self.joined();
        let bond = Bond(Some(self.clone()));
        ScopeFuture {
            body: Some(body(self)),
            value: None,
            panic: UserCode::new(),
            joined,
            bond,
        }
    }
}

impl<F: Future, L: Lock> Future for ScopeFuture<F, L> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        let Some(scope) = &this.bond.0 else {
            return polled_again("a `ScopeFuture`");
        };
        if let Some(body) = this.body.as_mut().as_pin_mut() {
            match this.panic.call(|| body.poll(cx)) {
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(value)) => *this.value = Some(value),
                None => {}
            }
            // Its destructor is part of it.
            if this.panic.call(|| this.body.set(None)).is_none() {
                this.panic.call(|| *this.value = None);
            }
            if this.value.is_none() {
                this.panic.call(|| scope.cancel(Kind::Panic));
            }
            // R2.
            scope.0.look(|hands| hands.close_when_empty());
        }
        ready!(this.joined.poll(cx));
        scope.0.give_up();
        let scope = this.bond.0.take();
        this.panic.call(|| drop(scope));
        this.panic.rethrow();
        match this.value.take() {
            Some(value) => Poll::Ready(value),
            // Without a value there was a panic, which has gone on.
            None => polled_again("a `ScopeFuture`"),
        }
    }
}

impl<F: Future, L: Lock> FusedFuture for ScopeFuture<F, L> {
    fn is_terminated(&self) -> bool {
        self.bond.0.is_none()
    }
}

impl<F: Future, L: Lock> fmt::Debug for ScopeFuture<F, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFuture")
            .field("body", &self.body.is_some())
            .field("scope", &self.bond.0)
            .finish_non_exhaustive()
    }
}
