//! Where a table's entries and scopes lie: in the table, or in memory that grows.

use core::marker::PhantomData;

use super::ledger::Entry;
use crate::{
    cancel::{Cx, Root},
    sync::Lock,
};

/// Where the entries of a [`Table`](super::Table) lie: [`Fixed`], or with `alloc` `Growing`. Sealed.
pub trait Places: Sized + sealed::Sealed {
    /// What tells requests apart.
    type Tag: Copy + Eq;
    /// The table's lock.
    type Lock: Lock;
    #[doc(hidden)]
    type Entries;
    /// The scopes that lie in the table.
    #[doc(hidden)]
    type Scopes;
    /// What a request and its entry have of its scope.
    #[doc(hidden)]
    type Scope: Clone;

    #[doc(hidden)]
    fn entries(entries: &Self::Entries) -> &[Entry<Self::Tag, Self::Scope>];
    #[doc(hidden)]
    fn entries_mut(entries: &mut Self::Entries) -> &mut [Entry<Self::Tag, Self::Scope>];
    /// More places than `now`, all of them free, if there may be more. Allocates.
    #[doc(hidden)]
    fn more(now: usize, limit: usize) -> Option<Self::Entries>;
    /// A scope for a request. Allocates.
    #[doc(hidden)]
    fn scope() -> Self::Scope;
    #[doc(hidden)]
    fn cx<'s>(scopes: &'s Self::Scopes, place: usize, scope: &'s Self::Scope)
    -> Cx<'s, Self::Lock>;
    /// Whether the scope at this place can be used again as it is.
    #[doc(hidden)]
    fn is_fresh(scopes: &Self::Scopes, place: usize) -> bool;
    /// Makes it so. Nobody has a `Cx` of it.
    #[doc(hidden)]
    fn renew(scopes: &Self::Scopes, place: usize);
}

pub(super) mod sealed {
    pub trait Sealed {}
}

/// `N` places, in the table itself.
pub struct Fixed<T, const N: usize, L>(PhantomData<fn() -> (T, L)>);

impl<T, const N: usize, L> sealed::Sealed for Fixed<T, N, L> {}

impl<T: Copy + Eq, const N: usize, L: Lock> Places for Fixed<T, N, L> {
    type Tag = T;
    type Lock = L;
    type Entries = [Entry<T, ()>; N];
    type Scopes = [Root<L>; N];
    type Scope = ();

    fn entries(entries: &Self::Entries) -> &[Entry<T, ()>] {
        entries
    }

    fn entries_mut(entries: &mut Self::Entries) -> &mut [Entry<T, ()>] {
        entries
    }

    fn more(_: usize, _: usize) -> Option<Self::Entries> {
        None
    }

    fn scope() {}

    fn cx<'s>(scopes: &'s Self::Scopes, place: usize, (): &'s ()) -> Cx<'s, L> {
        scopes[place].cx()
    }

    fn is_fresh(scopes: &Self::Scopes, place: usize) -> bool {
        scopes.get(place).is_none_or(|scope| !scope.is_cancelled())
    }

    fn renew(scopes: &Self::Scopes, place: usize) {
        if let Some(scope) = scopes.get(place) {
            scope.renew();
        }
    }
}

#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
pub use self::growing::Growing;

#[cfg(any(
    all(feature = "alloc", target_has_atomic = "ptr"),
    feature = "portable-atomic"
))]
mod growing {
    #[cfg(target_has_atomic = "ptr")]
    use alloc::sync::Arc;
    use alloc::vec::Vec;
    use core::marker::PhantomData;

    #[cfg(not(target_has_atomic = "ptr"))]
    use portable_atomic_util::Arc;

    use super::{Entry, Places, sealed};
    use crate::{
        cancel::{Cx, Root},
        sync::Lock,
    };

    /// The first places of a table that grows.
    const FIRST: usize = 16;

    /// Places in memory that grows; each request's scope is allocated when it begins.
    pub struct Growing<T, L>(PhantomData<fn() -> (T, L)>);

    impl<T, L> sealed::Sealed for Growing<T, L> {}

    impl<T: Copy + Eq, L: Lock> Places for Growing<T, L> {
        type Tag = T;
        type Lock = L;
        type Entries = Vec<Entry<T, Self::Scope>>;
        type Scopes = ();
        type Scope = Arc<Root<L>>;

        fn entries(entries: &Self::Entries) -> &[Entry<T, Self::Scope>] {
            entries
        }

        fn entries_mut(entries: &mut Self::Entries) -> &mut [Entry<T, Self::Scope>] {
            entries
        }

        fn more(now: usize, limit: usize) -> Option<Self::Entries> {
            let more = now.saturating_mul(2).max(FIRST).min(limit);
            (more > now).then(|| (0..more).map(|_| Entry::FREE).collect())
        }

        fn scope() -> Self::Scope {
            Arc::new(Root::new())
        }

        fn cx<'s>((): &'s (), _: usize, scope: &'s Self::Scope) -> Cx<'s, L> {
            scope.cx()
        }

        fn is_fresh((): &(), _: usize) -> bool {
            true
        }

        fn renew((): &(), _: usize) {}
    }
}
