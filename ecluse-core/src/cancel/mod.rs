//! Scopes: a cancellation tree without allocation.
//!
//! A scope is a place in a tree that can be cancelled, with all that is below it. The tree's
//! [`Root`] owns the one lock; a [`Scope`] lies in the future of its owner and borrows its parent; a
//! body is handed its scope as a [`Cx`], and passes it on explicitly.
//!
//! ```
//! use ecluse_core::cancel::{Cancelled, Cx, Kind, Root};
//!
//! static PROGRAM: Root = Root::new();
//!
//! async fn request(cx: Cx<'_>) -> Result<(), Cancelled> {
//!     cx.guard(async { /* anything that may be dropped */ }).await?;
//!     // What must not be stopped half-way:
//!     cx.protect(async |cx| cx.guard(async { /* … */ }).await).await
//! }
//!
//! # futures_executor::block_on(async {
//! assert!(request(PROGRAM.cx()).await.is_ok());
//! PROGRAM.cancel(Kind::Shutdown);
//! assert_eq!(request(PROGRAM.cx()).await.unwrap_err().reason().kind(), Kind::Shutdown);
//! # });
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `reason` | the bits of a scope's word: flag, reason, user's code; how a word is inherited |
//! | `branch` | what a scope is of its tree: flags, lists, what lies behind them |
//! | `tree` | the work list, the steps of a cancel; invariants T1 to T8 |
//! | `walk` | a walk over the tree, a scope a lock hold; invariants V1 to V3 |
//! | `view` | the tree, printed: who is there, who was cancelled and why, who waits |
//! | `wait` | the waits for a cancel, for force, for deferred work |
//! | `scope` | `Root`, `Scope`, the carrier of deferred cancels |
//! | `shared` | `SharedScope`: what tasks share that are spawned |
//! | `keep` | where those lie: behind an `Arc` (feature `alloc`), or in a `ScopePlace` in a `static` |
//! | `crew` | the count of spawned children, under the tree's lock; invariants C1 to C5 |
//! | `spawn` | spawning into a scope, joining it |
//! | `run` | a body with a scope that spawns |
//! | `shutdown` | told, waited for, forced, counted |
//! | `cx` | what a body can ask of its scope |
//! | `guard` | futures under a scope: dropped or abandoned when it is cancelled |
//! | `body` | bodies with a scope of their own: shields, grace, deadlines |
//! | `bridge` | a tree of its own that hangs on another one |
//! | `limit` | a deadline that can be moved |
//!
//! # Two levels
//!
//! A *cancel* asks everybody to end; a shielded scope does not see it, and a body may clean up as
//! long as it likes. *Force* means now: it reaches shielded scopes, and bounded clean-ups are dropped.
//! A task that ignores both is woken once for each.
//!
//! # Costs
//!
//! `is_cancelled` is one load, whatever happens elsewhere. Entering, leaving, registering a wait and
//! leaving one are O(1) in one lock hold. A cancel is O(what is below), a bounded number of steps a
//! hold; it neither recurses nor allocates. One tree has one lock: give each connection of a large
//! server a tree of its own, behind a [`Cx::bridge`].
//!
//! # Wakers
//!
//! They are woken outside the lock and may do anything with the tree; one that panics keeps nobody
//! from being flagged or woken. One that cancels *another* scope makes a nested call, which does all
//! the work that is listed; only the depth of such calls is bounded by the stack.

mod body;
mod branch;
mod bridge;
mod crew;
mod cx;
mod guard;
mod keep;
mod limit;
mod reason;
mod run;
mod scope;
mod shared;
mod shutdown;
mod spawn;
mod tree;
mod view;
mod wait;
mod walk;

pub use self::{
    body::{Elapsed, Grace},
    branch::Name,
    cx::Cx,
    guard::{Abandon, Dropped, Guarded, OnCancel},
    keep::ScopePlace,
    limit::Limit,
    reason::{Cancelled, Kind, Reason},
    run::ScopeFuture,
    scope::{Root, Scope, Tended},
    shared::SharedScope,
    shutdown::{Report, Shutdown},
    spawn::Member,
    view::{Status, TreeView},
    wait::{CancelWait, ForceWait, ToCancel, ToForce},
};

pub use crate::error::PlaceTaken;
