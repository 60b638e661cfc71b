//! Bridges between trees: a tree of its own, with its own lock, that hangs on another one.

use core::{
    future::{Future, poll_fn},
    pin::pin,
};

use super::{cx::Cx, scope::Root};
use crate::sync::Lock;

impl<L: Lock> Cx<'_, L> {
    /// Runs `body` in a tree of its own, with its own lock, which is cancelled and forced with this
    /// scope. For each connection of a large server: what a connection's scopes do is then under a
    /// lock that no other connection takes; the server's own holds two waits for each.
    ///
    /// A cancel of this scope wakes the bridge and no more: the tree behind it is cancelled in the
    /// next poll of this future, with the same reason, which is not marked as inherited.
    ///
    /// ```
    /// use ecluse_core::cancel::{Cx, Kind, Root};
    ///
    /// async fn connection(cx: Cx<'_>) -> Kind {
    ///     let request = core::pin::pin!(cx.child());
    ///     request.as_ref().enter().cancelled().await.kind()
    /// }
    ///
    /// # futures_executor::block_on(async {
    /// let server = <Root>::new();
    /// let both = (server.cx().bridge(connection), server.cx().bridge(connection));
    /// # let both = async { (both.0.await, both.1.await) };
    /// server.cancel(Kind::Shutdown);
    /// assert_eq!(both.await, (Kind::Shutdown, Kind::Shutdown));
    /// # });
    /// ```
    ///
    /// # Cancellation
    /// Dropping it drops the body.
    pub async fn bridge<F, T>(self, body: F) -> T
    where
        F: AsyncFnOnce(Cx<'_, L>) -> T,
    {
        let root = Root::new().named(self.name());
        self.tie(root.cx(), body(root.cx())).await
    }

    /// Runs `future` to its end, while `other`, a scope of another tree, is cancelled and forced
    /// with this one: each in the poll that follows. [`bridge`](Cx::bridge) is this with a tree that
    /// it makes.
    ///
    /// # Cancellation
    /// Dropping it drops the future and unties the two.
    pub async fn tie<M: Lock, F: Future>(self, other: Cx<'_, M>, future: F) -> F::Output {
        // The second level first: a force seen in the same poll is one, and wakes nobody twice.
        let mut forced = pin!(async { other.force(self.forced().await) });
        let mut force = true;
        let mut future = pin!(self.on_cancel(future, |reason| {
            other.cancel(reason);
        }));
        poll_fn(|cx| {
            if force && forced.as_mut().poll(cx).is_ready() {
                force = false;
            }
            future.as_mut().poll(cx)
        })
        .await
    }
}
