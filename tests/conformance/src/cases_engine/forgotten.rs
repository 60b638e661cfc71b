//! c13: forgotten futures on the heap, and an owner that moves while they are linked (for a sanitizer, too).

use core::task::Waker;

use super::super::subject::{Closed, Slot};

use crate::kit::{TestWaker, poll_once};
use crate::{Runtime, Verdict};

cases! { engine forgotten:
    c13_forgotten_boxed_wait_survives_a_move_of_its_slot needs ALLOC STD,
    c13_forgotten_boxed_leader_survives_a_move_of_its_slot needs ALLOC STD,
}

on_hosts! {
async fn c13_forgotten_boxed_wait_survives_a_move_of_its_slot<R: Runtime>(rt: R) -> Verdict {
    let waker = rt.put(TestWaker::new());
    let slot: Slot = Slot::new();
    {
        // Claim and wait end their borrows; the wait by being forgotten, still queued.
        core::mem::forget(slot.try_claim().expect("free"));
        for _ in 0..3 {
            let mut wait = std::boxed::Box::pin(slot.claim());
            assert!(poll_once(wait.as_mut(), &waker.waker()).is_pending());
            core::mem::forget(wait);
        }
    }
    let moved = std::boxed::Box::new(slot);
    assert!(moved.is_claimed() && moved.has_waiters());
    {
        // Newcomers are linked behind the forgotten, and leave.
        let mut wait = core::pin::pin!(moved.claim());
        assert!(poll_once(wait.as_mut(), Waker::noop()).is_pending());
        let mut other = core::pin::pin!(moved.claim());
        assert!(poll_once(other.as_mut(), Waker::noop()).is_pending());
        assert!(wait.as_mut().try_abandon().is_none());
    }
    let again = *moved;
    {
        let mut wait = core::pin::pin!(again.claim());
        assert!(poll_once(wait.as_mut(), Waker::noop()).is_pending());
        assert!(again.close());
        let told = poll_once(wait.as_mut(), Waker::noop());
        assert!(matches!(told, core::task::Poll::Ready(Err(Closed))));
    }
    assert_eq!(waker.wakes(), 3, "the forgotten were told, too");
    assert!(!again.has_waiters());
    Verdict::Pass
}
}

on_hosts! {
async fn c13_forgotten_boxed_leader_survives_a_move_of_its_slot<R: Runtime>(rt: R) -> Verdict {
    let waker = rt.put(TestWaker::new());
    let slot: Slot = Slot::new();
    {
        let leader = async {
            let claim = slot.claim().await.expect("free");
            let body = core::future::pending::<Result<(), ()>>();
            let _ = claim.guard(body, |_| ()).await;
        };
        let mut leader = std::boxed::Box::pin(leader);
        assert!(poll_once(leader.as_mut(), &waker.waker()).is_pending());
        core::mem::forget(leader);
    }
    let moved = std::boxed::Box::new(slot);
    assert!(moved.is_claimed());
    let mut follower = std::boxed::Box::pin(moved.claim());
    assert!(poll_once(follower.as_mut(), &waker.waker()).is_pending());
    moved.close();
    let told = poll_once(follower.as_mut(), &waker.waker());
    assert!(matches!(told, core::task::Poll::Ready(Err(Closed))));
    assert!(moved.is_claimed(), "by him who was forgotten");
    Verdict::Pass
}
}
