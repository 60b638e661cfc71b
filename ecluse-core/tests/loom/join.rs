//! Joined children: an outer cancel from another thread meets the end of a child.

use core::{future::pending, pin::pin};
use std::sync::Arc;

use ecluse_core::{
    Cancelled, Claim, Cx, Reason, Root, Slot,
    cancel::Kind,
    join::{AsCancelled, JoinError},
};

use crate::kit::{Data, block_on, models, spawn};

models!(
    outer_cancel_meets_an_error,
    outer_cancel_meets_the_last_value,
    force_meets_a_deaf_child,
);

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Own,
    Cancelled(Cancelled),
}

impl AsCancelled for Fault {
    fn as_cancelled(&self) -> Option<Cancelled> {
        match self {
            Self::Own => None,
            Self::Cancelled(cancelled) => Some(*cancelled),
        }
    }
}

/// A root with the data that its canceller writes, and a slot that is claimed.
struct Shared {
    root: Root,
    slot: Slot,
    data: Data,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            root: Root::new(),
            slot: Slot::new(),
            data: Data::new(),
        })
    }

    fn cancels(self: &Arc<Self>) -> loom::thread::JoinHandle<()> {
        let shared = self.clone();
        spawn(move || {
            shared.data.add();
            assert!(shared.root.cancel(Reason::new(Kind::Explicit).with_code(1)));
        })
    }

    fn held(&self) -> Claim<&'static Slot> {
        // SAFETY: Validity: the models join their threads before the slot goes. Aliasing: shared.
        let slot: &'static Slot = unsafe { &*core::ptr::from_ref(&self.slot) };
        slot.try_claim().unwrap()
    }

    /// Over, and nothing left behind.
    fn is_clean(&self) {
        assert_eq!(self.root.attached(), 0);
        assert!(self.slot.try_claim().is_ok());
    }
}

/// j06: the error is never lost in the cancel, nor the cancel in the error; whoever sees the cancel
/// sees what was before it.
fn outer_cancel_meets_an_error() {
    let shared = Shared::new();
    let held = shared.held();
    let releaser = spawn(move || held.release());
    let canceller = shared.cancels();
    let ended = block_on(shared.root.cx().concurrently(
        async |cx: Cx<'_>| {
            let cancelled = cx.guard(pending::<()>()).await.unwrap_err();
            Err::<(), _>(Fault::Cancelled(cancelled))
        },
        async {
            drop(shared.slot.claim().await);
            Err::<(), _>(Fault::Own)
        },
    ));
    let error = ended.unwrap_err();
    if let Some(reason) = error.cancelled() {
        assert_eq!((reason.code(), shared.data.get()), (1, 1));
    }
    match error {
        JoinError::Failed(failed) => assert_eq!((failed.first, failed.later), (Fault::Own, 0)),
        JoinError::Cancelled(cancelled) => assert_eq!(cancelled.reason().code(), 1),
    }
    releaser.join().unwrap();
    canceller.join().unwrap();
    shared.is_clean();
}

/// j02: all values, or the reason, and then nobody keeps what it was granted.
fn outer_cancel_meets_the_last_value() {
    let shared = Shared::new();
    let held = shared.held();
    let releaser = spawn(move || held.release());
    let canceller = shared.cancels();
    let ended = block_on(
        shared
            .root
            .cx()
            .concurrently(async |_: Cx<'_>| Ok::<_, Cancelled>(()), async {
                Ok(shared.slot.claim().await.unwrap())
            }),
    );
    match ended {
        Ok(((), claim)) => {
            assert!(shared.slot.is_claimed());
            claim.release();
        }
        Err(JoinError::Cancelled(cancelled)) => {
            assert_eq!((cancelled.reason().code(), shared.data.get()), (1, 1));
        }
        Err(other) => panic!("{other:?}"),
    }
    releaser.join().unwrap();
    canceller.join().unwrap();
    shared.is_clean();
}

/// A child that hears neither cancel nor force: the joined future hears both, in whatever state its
/// own wait is.
fn force_meets_a_deaf_child() {
    let shared = Shared::new();
    let canceller = {
        let shared = shared.clone();
        spawn(move || shared.root.cancel(Kind::Explicit))
    };
    let forcer = {
        let shared = shared.clone();
        spawn(move || assert!(shared.root.force(Kind::Limit)))
    };
    let ended = block_on(pin!(shared.root.cx().concurrently(
        async |_: Cx<'_>| pending::<Result<(), Cancelled>>().await,
        pending::<Result<(), _>>(),
    )));
    assert!(matches!(ended, Err(JoinError::Cancelled(_))));
    canceller.join().unwrap();
    forcer.join().unwrap();
    shared.is_clean();
}
