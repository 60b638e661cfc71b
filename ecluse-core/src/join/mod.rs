//! Structured concurrency: children that run together, in place, and are all over when the call is.
//!
//! ```
//! use ecluse_core::{Cancelled, Cx, Root, join::JoinError};
//!
//! async fn page(cx: Cx<'_>) -> Result<String, Cancelled> {
//!     let mut log = Vec::new(); // children may borrow
//!     let (head, body) = cx
//!         .concurrently(
//!             async { Ok("head") }, // a future: dropped when it is cancelled
//!             // A closure: told when it is cancelled, and polled on until it has cleaned up.
//!             async |cx: Cx<'_>| {
//!                 let got = cx.guard(async { "body" }).await;
//!                 log.push("closed");
//!                 got
//!             },
//!         )
//!         .await
//!         .map_err(JoinError::into_error)?;
//!     assert_eq!(log, ["closed"]);
//!     Ok([head, body].join(", "))
//! }
//!
//! # futures_executor::block_on(async {
//! let root = <Root>::new();
//! assert_eq!(page(root.cx()).await.as_deref(), Ok("head, body"));
//! # });
//! ```
//!
//! # Children
//!
//! What a child is told by is its type:
//!
//! - A future of `Result<T, E>` is *droppable*. When it is cancelled it is polled once more, since a
//!   value that is ready wins, and then dropped, as by [`Cx::guard`].
//! - A closure `async |cx: Cx<'_>| …` of the same is *cooperative*. It has a scope of its own below
//!   the one that it is joined in; when it is cancelled, that scope is, and it is polled on until it
//!   ends. Only [force](Cx::force) drops it. The type of its parameter is written out.
//!
//! Both run in place: they may borrow, are polled by the task that awaits, allocate nothing, and go
//! with the future that they are in. A child that has not begun when it is cancelled never begins.
//!
//! # What comes out
//!
//! In this order: a child's panic, when all the others are over; the first error, with the number of
//! later ones, which can be [collected](Joining::collecting); the cancel of the outer scope. A value
//! is not replaced: if all finished in spite of a cancel, that is success, and the next checkpoint
//! reports the cancel.
//!
//! A child that was cancelled says so by an error of its own type, so that has to be told from
//! others: [`AsCancelled`] finds a [`Cancelled`] in the sources of an error. It counts as such if it
//! has the kind and the code of what the child was cancelled with, by its siblings or from outside.
//! One that nobody caused is an error like any other. If a child fails and the outer scope is
//! cancelled, both are to be seen ([`JoinError::cancelled`]).
//!
//! # Costs
//!
//! A child costs its own future and a few words; a cooperative one a scope in addition, which is
//! entered and left in one lock hold each. A wake polls all children that are not over, in their
//! order: O(children). A waker for each would need a place that outlives the child, thus an
//! allocation or a lock of its own; for many children, spawn them. The future waits for the outer
//! scope (one lock hold) only if it is pending.
//!
//! | file | holds |
//! |---|---|
//! | `child` | the two kinds of children and their places; invariants J1, J2 |
//! | `parts` | tuples and arrays of them |
//! | `joining` | the future: rounds, who is ended when; invariants N1 to N3 |
//! | `rule` | `all`, `race`, `first`, `settle`: who ends the others, what comes out |
//! | `error` | errors, sinks, telling a cancellation from another error |

mod child;
mod error;
mod joining;
mod parts;
mod rule;

pub use self::{
    child::{At, Body, Child, Cooperative, Droppable, Part, Plain, Run},
    error::{AsCancelled, BySource, ErrorSink, Failed, JoinError, Stopped, Tell},
    joining::Joining,
    parts::{Alike, Children, Parts},
    rule::{All, Combine, End, First, Judge, Race, Raced, Rule, Settle},
};

#[cfg(doc)]
use crate::cancel::Cancelled;
use crate::{cancel::Cx, sync::Lock};

impl<'s, L: Lock> Cx<'s, L> {
    /// Runs two children together, until both have given their values, or one fails. Then the other
    /// one is cancelled, and its clean-up is over before this is ready.
    ///
    /// ```
    /// use core::fmt::Error;
    /// use ecluse_core::{Cx, Root};
    ///
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let mut closed = false;
    /// let both = root.cx().concurrently(
    ///     async |cx: Cx<'_>| {
    ///         cx.cancelled().await;
    ///         closed = true;
    ///         Ok(())
    ///     },
    ///     async { Err::<(), _>(Error) },
    /// );
    /// assert_eq!(both.await.unwrap_err().first(), Some(&Error));
    /// assert!(closed);
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// When the outer scope is cancelled, both are; [`JoinError::Cancelled`] is given when they are
    /// over, unless both finished in spite of it. A scope that is cancelled already polls nothing.
    /// Dropping it drops both at once.
    ///
    /// # Errors
    /// [`JoinError`]: the first error, or the cancel of the outer scope.
    ///
    /// # Panics
    /// With a child's panic, when the other one is over. (Without `std` it goes on at once, and the
    /// others are dropped.)
    pub fn concurrently<A, B, KA, KB>(
        self,
        a: A,
        b: B,
    ) -> Joining<'s, (A::Part, B::Part), All, (), BySource, L>
    where
        A: Child<'s, L, KA>,
        B: Child<'s, L, KB, Error = A::Error>,
    {
        self.all((a, b))
    }

    /// [`concurrently`](Cx::concurrently) for a tuple of two to eight, or an array: all values, in
    /// the order of the children.
    ///
    /// ```
    /// use ecluse_core::{Cancelled, Root};
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let squares = [1, 2, 3].map(|n| async move { Ok::<_, Cancelled>(n * n) });
    /// assert_eq!(root.cx().all(squares).await, Ok([1, 4, 9]));
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// As [`concurrently`](Cx::concurrently).
    ///
    /// # Errors
    /// As [`concurrently`](Cx::concurrently).
    ///
    /// # Panics
    /// As [`concurrently`](Cx::concurrently).
    pub fn all<C, K>(self, children: C) -> Joining<'s, C::Parts, All, (), BySource, L>
    where
        C: Children<'s, L, K>,
    {
        Joining::new(self, children.place(self), ())
    }

    /// Runs children together until the first of them settles, with a value or an error; that is
    /// what comes out, when the others have been cancelled and are over. Of those that are ready in
    /// one poll the first in order wins.
    ///
    /// What a loser finished with in spite of that is dropped, and its error goes to the sink;
    /// [`combine`](Joining::combine) gives both. Nobody at all to race: pending until the outer scope
    /// is cancelled.
    ///
    /// ```
    /// use ecluse_core::{Cancelled, Cx, Root};
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let race = root.cx().race((
    ///     async |cx: Cx<'_>| cx.guard(core::future::pending()).await,
    ///     async { Ok::<_, Cancelled>("hare") },
    /// ));
    /// assert_eq!(race.await, Ok("hare"));
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// As [`concurrently`](Cx::concurrently). A winner's value is given although the outer scope is
    /// cancelled while the losers clean up.
    ///
    /// # Errors
    /// [`JoinError`]: the error of the first to settle, or the cancel of the outer scope.
    ///
    /// # Panics
    /// As [`concurrently`](Cx::concurrently).
    pub fn race<C, K>(self, children: C) -> Joining<'s, C::Parts, Race, (), BySource, L>
    where
        C: Children<'s, L, K>,
    {
        Joining::new(self, children.place(self), ())
    }

    /// Runs children together until the first of them has a value; the others are cancelled, and
    /// over before it is given. An error ends nobody.
    ///
    /// ```
    /// use core::fmt::Error;
    /// use ecluse_core::Root;
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let mirrors = [Err(Error), Ok("page")].map(|got| async move { got });
    /// assert_eq!(root.cx().first(mirrors).await, Ok("page"));
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// As [`race`](Cx::race).
    ///
    /// # Errors
    /// [`JoinError`]: all errors, if none had a value: the first, and the later ones in
    /// [`Failed::others`]; or the cancel of the outer scope.
    ///
    /// # Panics
    /// As [`concurrently`](Cx::concurrently).
    pub fn first<C, K>(self, children: C) -> Joining<'s, C::Parts, First, C::Errors, BySource, L>
    where
        C: Children<'s, L, K>,
    {
        Joining::new(self, children.place(self), C::no_errors())
    }

    /// Runs children together until each has ended, well or not, and gives how. None ends another,
    /// not by a panic either.
    ///
    /// ```
    /// use core::fmt::Error;
    /// use ecluse_core::{Root, join::Stopped};
    /// # futures_executor::block_on(async {
    /// let root = <Root>::new();
    /// let settled = root.cx().settle((async { Err::<(), _>(Error) }, async { Ok(1) }));
    /// assert_eq!(settled.await, (Err(Stopped::Failed(Error)), Ok(1)));
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// When the outer scope is cancelled, all children are; what ended by that is
    /// [`Stopped::Cancelled`]. Dropping it drops all at once.
    ///
    /// # Panics
    /// With the first panic of a child, when all are over.
    pub fn settle<C, K>(self, children: C) -> Joining<'s, C::Parts, Settle, (), BySource, L>
    where
        C: Children<'s, L, K>,
    {
        Joining::new(self, children.place(self), ())
    }
}
