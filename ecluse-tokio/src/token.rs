//! Bridges from and to tokio-util's `CancellationToken`: no task, no polling.
//!
//! Either way a waker does it: it stands where a waiter's would, and cancels the other side in its
//! `wake`, before the `cancel` that woke it returns. What ties the two is dropped to untie them.
//!
//! Invariants:
//! - **K1** A tie that is dropped has no waiter on the other side any more; what its waker then still
//!   does, if it was just being woken, is a cancel that was on its way.
//! - **K2** A waker that is woken for nothing cancels nothing.

use core::{
    fmt,
    future::Future,
    ops::Deref,
    pin::Pin,
    task::{Context, Waker},
};
use std::{sync::Arc, task::Wake};

use ecluse_core::{Cx, DefaultLock, Lock, Reason, SharedScope, cancel::CancelWait};
use tokio::task::coop;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A token that is cancelled with a scope, for code that takes tokio-util's: [`follow`].
///
/// Dropping it unties the two. The token, and clones of it, live on.
#[must_use = "dropping it unties the token from its scope"]
pub struct Follower<'s, L: Lock = DefaultLock> {
    token: CancellationToken,
    _wait: Pin<Box<CancelWait<'s, L>>>,
}

/// A token that is cancelled with the scope of `cx`: it is when the call that cancels the scope
/// returns. Cancelling the token does not cancel the scope; [`cancels`] does that.
///
/// Two allocations beside the token's own; O(1) in one lock hold. A token has no reason: it stays
/// with the scope.
///
/// ```
/// use ecluse_tokio::{Root, cancel::Kind, token};
///
/// let server = <Root>::new();
/// let token = token::follow(server.cx());
/// let task = token.run_until_cancelled(async { /* what takes or awaits a token */ });
/// server.cancel(Kind::Shutdown);
/// assert!(token.is_cancelled());
/// # drop(task);
/// ```
pub fn follow<L: Lock>(cx: Cx<'_, L>) -> Follower<'_, L> {
    struct CancelToken(CancellationToken);

    impl Wake for CancelToken {
        fn wake(self: Arc<Self>) {
            self.0.cancel();
        }
    }

    let token = CancellationToken::new();
    let mut wait = Box::pin(cx.cancelled());
    // (The wait never wakes for nothing, so K2 holds.)
    let waker = Waker::from(Arc::new(CancelToken(token.clone())));
    if wait
        .as_mut()
        .poll(&mut Context::from_waker(&waker))
        .is_ready()
    {
        token.cancel();
    }
    Follower { token, _wait: wait }
}

impl<L: Lock> Follower<'_, L> {
    /// The token, to be cloned.
    #[must_use]
    pub const fn token(&self) -> &CancellationToken {
        &self.token
    }
}

impl<L: Lock> Deref for Follower<'_, L> {
    type Target = CancellationToken;

    fn deref(&self) -> &CancellationToken {
        &self.token
    }
}

impl<L: Lock> fmt::Debug for Follower<'_, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// A scope that is cancelled with a token: [`cancels`]. Dropping it unties the two.
#[must_use = "dropping it unties the scope from the token"]
pub struct Tie {
    _wait: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Cancels `scope` with `token`, as long as the [`Tie`] lives: it is when the call that cancels the
/// token returns. Cancelling the scope does not cancel the token; [`follow`] does that.
///
/// Two allocations; O(1). The tie keeps the scope and the token alive.
///
/// ```
/// use ecluse_tokio::{SharedScope, cancel::Kind, token};
/// use tokio_util::sync::CancellationToken;
///
/// let token = CancellationToken::new();
/// let scope: SharedScope = SharedScope::new();
/// let tie = token::cancels(&token, &scope, Kind::Shutdown);
/// token.cancel();
/// assert_eq!(scope.cx().reason().unwrap().kind(), Kind::Shutdown);
/// # drop(tie);
/// ```
pub fn cancels<L: Lock + Send + Sync + 'static>(
    token: &CancellationToken,
    scope: &SharedScope<L>,
    reason: impl Into<Reason>,
) -> Tie {
    struct CancelScope<L: Lock> {
        token: CancellationToken,
        scope: SharedScope<L>,
        reason: Reason,
    }

    impl<L: Lock + Send + Sync + 'static> Wake for CancelScope<L> {
        fn wake(self: Arc<Self>) {
            // K2.
            if self.token.is_cancelled() {
                self.scope.cancel(self.reason);
            }
        }
    }

    let reason = reason.into();
    let waker = Waker::from(Arc::new(CancelScope {
        token: token.clone(),
        scope: scope.clone(),
        reason,
    }));
    // It is polled once, here: that must not depend on the budget of the task that ties.
    let wait: WaitForCancellationFutureOwned = token.clone().cancelled_owned();
    let mut wait = Box::pin(coop::unconstrained(wait));
    if wait
        .as_mut()
        .poll(&mut Context::from_waker(&waker))
        .is_ready()
    {
        scope.cancel(reason);
    }
    Tie { _wait: wait }
}

impl fmt::Debug for Tie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tie").finish_non_exhaustive()
    }
}
