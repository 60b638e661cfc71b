//! Children: what can be joined, and the place where one lies while it is.
//!
//! A child is told by its type: a future is droppable, a closure that takes a [`Cx`] cooperative.
//! The kinds are told apart by the marker parameter of [`Child`], so each has its blanket
//! implementation.
//!
//! Invariants:
//! - **J1** A child's future is dropped when it ends, before its outcome can be taken; so its
//!   destructors have run when the joined future is ready.
//! - **J2** A cooperative child's scope outlives its body, and is off the tree when the child is
//!   over.
//!
//! This file has `unsafe` of its own: a body and the scope that it borrows lie side by side.

use core::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;

use crate::{
    cancel::{Cx, Reason, Scope},
    sync::Lock,
};

/// What can be joined: a future, or a closure that takes a [`Cx`] and gives one, of
/// `Result<Value, Error>`.
///
/// | a child | `K` | when its siblings or its scope are cancelled |
/// |---|---|---|
/// | `Future` | [`Droppable`] | it is polled once more (a value that is ready wins), then dropped |
/// | `AsyncFnOnce(Cx<'_>)` | [`Cooperative`] | its own scope is cancelled; it is polled on until it ends |
///
/// The parameter of a closure is written out, since a closure is told from a future by its type:
/// `async |cx: Cx<'_>| …`.
pub trait Child<'s, L: Lock, K>: Sized {
    /// What it gives.
    type Value;
    /// What it fails with.
    type Error;
    /// The place where it lies.
    type Part: Part<Value = Self::Value, Error = Self::Error>;

    /// Puts it below `cx`. Nothing runs yet.
    fn place(self, cx: Cx<'s, L>) -> Self::Part;
}

/// The kind of a child that is a future: it is dropped when it is cancelled.
#[derive(Clone, Copy, Debug)]
pub enum Droppable {}

/// The kind of a child that is a closure: it is told when it is cancelled, and polled on until it
/// ends. `Fut` is what the closure gives.
#[derive(Clone, Copy, Debug)]
pub struct Cooperative<Fut>(PhantomData<fn() -> Fut>);

impl<'s, L, F, T, E> Child<'s, L, Droppable> for F
where
    L: Lock,
    F: Future<Output = Result<T, E>>,
{
    type Value = T;
    type Error = E;
    type Part = Plain<F>;

    fn place(self, _: Cx<'s, L>) -> Plain<F> {
        Plain {
            stage: Stage::Running { future: self },
            begun: false,
        }
    }
}

impl<'s, L, F, Fut, T, E> Child<'s, L, Cooperative<Fut>> for F
where
    L: Lock + 's,
    F: for<'x> AsyncFnOnce(Cx<'x, L>) -> Result<T, E>,
    F: FnOnce(Cx<'s, L>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Value = T;
    type Error = E;
    type Part = Body<'s, F, Fut, L>;

    fn place(self, cx: Cx<'s, L>) -> Body<'s, F, Fut, L> {
        Body {
            stage: Stage::Fresh { body: Some(self) },
            scope: Some(cx.child()),
            told: None,
        }
    }
}

/// How far a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// It was not polled yet.
    Fresh,
    /// It was polled.
    Running,
    /// It has ended, or was dropped.
    Over,
}

/// What the joined future does with a child, whatever it comes to. Sealed.
pub trait Run: sealed::Sealed {
    /// What it fails with.
    type Error;

    /// How far it is.
    fn at(&self) -> At;

    /// Whether it is dropped when it is cancelled.
    fn is_droppable(&self) -> bool;

    /// Polls it; ready when it has ended.
    fn advance(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>;

    /// Cancels its scope, if it is a running one with a scope. True if it did.
    fn tell(self: Pin<&mut Self>, reason: Reason) -> bool;

    /// Why it was cancelled by [`tell`](Run::tell).
    fn told(&self) -> Option<Reason>;

    /// Ends it: drops what is left of it, its outcome as well.
    fn cut(self: Pin<&mut Self>);

    /// Whether it ended well; `None` if it gave nothing, or was taken.
    fn outcome(&self) -> Option<Result<(), &Self::Error>>;

    /// Takes what it failed with.
    fn take_error(self: Pin<&mut Self>) -> Option<Self::Error>;
}

/// A place where a child lies. Sealed.
pub trait Part: Run {
    /// What it gives.
    type Value;

    /// Takes what it ended with.
    fn take(self: Pin<&mut Self>) -> Option<Result<Self::Value, Self::Error>>;
}

mod sealed {
    pub trait Sealed {}
}

pin_project! {
    #[project = StageProj]
    enum Stage<B, F: Future> {
        Fresh { body: Option<B> },
        Running { #[pin] future: F },
        Over { outcome: Option<F::Output> },
    }
}

impl<B, F, T, E> Stage<B, F>
where
    F: Future<Output = Result<T, E>>,
{
    fn at(&self) -> At {
        match self {
            Self::Fresh { .. } => At::Fresh,
            Self::Running { .. } => At::Running,
            Self::Over { .. } => At::Over,
        }
    }

    fn advance(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let StageProj::Running { future } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        future.poll(cx).map(|outcome| {
            // J1.
            self.set(Self::Over {
                outcome: Some(outcome),
            });
        })
    }

    fn cut(mut self: Pin<&mut Self>) {
        self.set(Self::Over { outcome: None });
    }

    fn outcome(&self) -> Option<Result<(), &E>> {
        match self {
            Self::Over {
                outcome: Some(Ok(_)),
            } => Some(Ok(())),
            Self::Over {
                outcome: Some(Err(error)),
            } => Some(Err(error)),
            _ => None,
        }
    }

    fn take(self: Pin<&mut Self>) -> Option<Result<T, E>> {
        match self.project() {
            StageProj::Over { outcome } => outcome.take(),
            _ => None,
        }
    }

    fn take_error(self: Pin<&mut Self>) -> Option<E> {
        match self.project() {
            StageProj::Over { outcome } => match outcome.take()? {
                Err(error) => Some(error),
                ended => {
                    *outcome = Some(ended);
                    None
                }
            },
            _ => None,
        }
    }
}

/// What both kinds of place do with their stage.
macro_rules! stage {
    () => {
        fn outcome(&self) -> Option<Result<(), &E>> {
            self.stage.outcome()
        }

        fn take_error(self: Pin<&mut Self>) -> Option<E> {
            self.project().stage.take_error()
        }
    };
}

pin_project! {
    /// The place of a [`Droppable`] child.
    pub struct Plain<F: Future> {
        #[pin]
        stage: Stage<(), F>,
        begun: bool,
    }
}

impl<F: Future> sealed::Sealed for Plain<F> {}

impl<T, E, F: Future<Output = Result<T, E>>> Run for Plain<F> {
    type Error = E;

    fn at(&self) -> At {
        match self.stage.at() {
            At::Running if !self.begun => At::Fresh,
            at => at,
        }
    }

    fn is_droppable(&self) -> bool {
        true
    }

    fn advance(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        *this.begun = true;
        this.stage.advance(cx)
    }

    fn tell(self: Pin<&mut Self>, _: Reason) -> bool {
        false
    }

    fn told(&self) -> Option<Reason> {
        None
    }

    fn cut(self: Pin<&mut Self>) {
        self.project().stage.cut();
    }

    stage!();
}

impl<T, E, F: Future<Output = Result<T, E>>> Part for Plain<F> {
    type Value = T;

    fn take(self: Pin<&mut Self>) -> Option<Result<T, E>> {
        self.project().stage.take()
    }
}

pin_project! {
    /// The place of a [`Cooperative`] child, with its scope.
    pub struct Body<'s, F, Fut: Future, L: Lock> {
        // Before the scope, which it borrows (J2).
        #[pin]
        stage: Stage<F, Fut>,
        // `None` once the child is over.
        #[pin]
        scope: Option<Scope<'s, L>>,
        // Why we cancelled it.
        told: Option<Reason>,
    }
}

impl<F, Fut: Future, L: Lock> sealed::Sealed for Body<'_, F, Fut, L> {}

impl<'s, F, Fut, L, T, E> Run for Body<'s, F, Fut, L>
where
    F: FnOnce(Cx<'s, L>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    L: Lock,
{
    type Error = E;

    fn at(&self) -> At {
        self.stage.at()
    }

    fn is_droppable(&self) -> bool {
        false
    }

    fn advance(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let fresh = match this.stage.as_mut().project() {
            StageProj::Fresh { body } => body.take(),
            _ => None,
        };
        if let (Some(body), Some(scope)) = (fresh, this.scope.as_ref().as_pin_ref()) {
            // SAFETY: Validity: the scope is pinned beside the body, which is dropped before it
            // (J2), and the body is the same for every lifetime, so it keeps this `Cx` nowhere but
            // in its future. Aliasing: shared.
            let own = unsafe { scope.enter_unbound() };
            let future = body(own);
            this.stage.set(Stage::Running { future });
        }
        let ready = this.stage.advance(cx);
        if ready.is_ready() {
            this.scope.set(None);
        }
        ready
    }

    fn tell(self: Pin<&mut Self>, reason: Reason) -> bool {
        let this = self.project();
        let Some(scope) = this.scope.as_ref().as_pin_ref() else {
            return false;
        };
        if this.stage.at() != At::Running {
            return false;
        }
        let first = scope.enter().cancel(reason);
        if first {
            *this.told = Some(reason);
        }
        first
    }

    fn told(&self) -> Option<Reason> {
        self.told
    }

    fn cut(self: Pin<&mut Self>) {
        let mut this = self.project();
        // The scope goes although the body's drop panics.
        let _scope = Leaving(this.scope.as_mut());
        this.stage.cut();
    }

    stage!();
}

impl<'s, F, Fut, L, T, E> Part for Body<'s, F, Fut, L>
where
    F: FnOnce(Cx<'s, L>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    L: Lock,
{
    type Value = T;

    fn take(self: Pin<&mut Self>) -> Option<Result<T, E>> {
        self.project().stage.take()
    }
}

/// A scope that is taken off its tree at the end of a block.
struct Leaving<'a, 's, L: Lock>(Pin<&'a mut Option<Scope<'s, L>>>);

impl<L: Lock> Drop for Leaving<'_, '_, L> {
    fn drop(&mut self) {
        self.0.set(None);
    }
}
