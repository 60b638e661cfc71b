//! s01 to s04, s12 with scopes that tasks share.

use super::super::subject::ListLock;
use super::super::subject::cancel::Kind;
use portable_atomic::Ordering;

use super::super::cases::parts::{counter, slot};
use super::scope::{cause, code};
use crate::kit::{eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

#[cfg(feature = "std")]
type Shared = super::super::subject::cancel::SharedScope<ListLock>;

cases! { engine scope_shared:
    s01_shared_scope_tells_its_tasks needs ALLOC STD,
    s02_shared_children_made_during_a_cancel needs ALLOC STD,
    s03_shared_chain_goes_from_either_end_on_a_small_stack needs ALLOC STD,
    s04_tasks_under_a_shared_scope_lose_no_claim needs ALLOC STD,
    s12_shared_children_leave_nothing needs ALLOC STD,
}

on_hosts! {
async fn s01_shared_scope_tells_its_tasks<R: Runtime>(rt: R) -> Verdict {
    let server = Shared::new();
    let begun = counter(rt);
    let tasks = [(); 8].map(|()| {
        let connection = server.child();
        rt.spawn(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            let ended = connection.cx().guard(core::future::pending::<()>()).await;
            let reason = ended.expect_err("cancelled").reason();
            assert_eq!((reason.kind(), reason.is_inherited()), (Kind::Shutdown, true));
            // Its own handle is the last one: the scope goes with the task.
        })
    });
    eventually(rt, "all tasks run", || begun.load(Ordering::SeqCst) == 8).await;
    assert_eq!(server.attached(), 8);
    let stays = server.shielded();
    assert!(server.clone().cancel(Kind::Shutdown) && !server.cancel(Kind::Explicit));
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(!stays.is_cancelled());
    assert!(server.force(Kind::Shutdown) && stays.is_cancelled());
    assert_eq!(server.attached(), 1);
    Verdict::Pass
}
}

on_hosts! {
async fn s02_shared_children_made_during_a_cancel<R: Runtime>(rt: R) -> Verdict {
    for _ in 0..rt.count(200).div_ceil(4) {
        let server = Shared::new();
        let tasks: [R::Task; 4] = core::array::from_fn(|turns| {
            let server = server.clone();
            rt.spawn(async move {
                for _ in 0..turns {
                    yield_now().await;
                }
                let below = server.child().child();
                drop(server);
                assert_eq!(below.cx().cancelled().await.code(), 1);
                assert_eq!(cause(below.cx()), (1, true));
            })
        });
        assert!(server.cancel(code(1)));
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert_eq!(server.attached(), 0);
    }
    Verdict::Pass
}
}

on_hosts! {
async fn s03_shared_chain_goes_from_either_end_on_a_small_stack<R: Runtime>(rt: R) -> Verdict {
    use std::{thread, vec::Vec};

    let depth = rt.count(1_000_000);
    let work = move || {
        for keep_all in [false, true] {
            let root = Shared::new();
            let mut chain: Vec<Shared> = Vec::new();
            let mut deepest = root.child();
            for _ in 1..depth {
                let below = deepest.child();
                if keep_all {
                    chain.push(deepest);
                }
                deepest = below;
            }
            assert_eq!(root.attached(), depth);
            assert!(root.cancel(code(1)));
            assert_eq!(cause(deepest.cx()), (1, true));
            // The root's handles first: nothing goes. Then the deepest, and all others with it.
            drop(chain);
            assert_eq!(root.attached(), depth);
            drop(deepest);
            assert_eq!(root.attached(), 0);
        }
    };
    let small = thread::Builder::new().stack_size(64 << 10).spawn(work);
    assert!(small.expect("a thread").join().is_ok());
    Verdict::Pass
}
}

on_hosts! {
async fn s04_tasks_under_a_shared_scope_lose_no_claim<R: Runtime>(rt: R) -> Verdict {
    let slot = slot(rt);
    for _ in 0..rt.count(200).div_ceil(8) {
        let server = Shared::new();
        let tasks: [R::Task; 6] = core::array::from_fn(|task| {
            let scope = server.child();
            rt.spawn(async move {
                for _ in 0..task % 3 {
                    yield_now().await;
                }
                if let Ok(claim) = scope.cx().guard_wait(slot.claim()).await {
                    yield_now().await;
                    claim.expect("open").release();
                }
            })
        });
        yield_now().await;
        assert!(server.cancel(code(1)));
        for task in tasks {
            assert_eq!(task.join().await, Ended::Finished);
        }
        assert!(!slot.is_claimed() && !slot.has_waiters());
        assert_eq!(server.attached(), 0);
    }
    Verdict::Pass
}
}

on_hosts! {
async fn s12_shared_children_leave_nothing<R: Runtime>(rt: R) -> Verdict {
    let server = Shared::new();
    for turn in 0..rt.count(100_000) {
        let below = server.child().child();
        assert!(!below.is_cancelled());
        if turn % 1000 == 0 {
            assert_eq!(server.attached(), 2);
        }
    }
    assert_eq!(server.attached(), 0);
    // A handle on the root is not needed by those below it.
    let below = server.child();
    drop(server);
    assert!(below.cancel(code(1)) && below.attached() == 1);
    Verdict::Pass
}
}
