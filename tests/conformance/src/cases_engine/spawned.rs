//! j07, j09: spawned children, counted by tickets.

use core::future::pending;

use super::super::subject::ListLock;
use ecluse_core::runtime::{Tally, Ticket};
use portable_atomic::Ordering;

use super::super::cases::parts::{Droplet, OnDrop, counter};
use crate::kit::{TestWaker, eventually, poll_once, yield_now};
use crate::{Ended, Interrupt, Runtime, Task, Verdict};

cases! { engine spawned:
    j07_destructors_have_run_before_the_count_is_zero,
    j07_joiners_are_told_together,
    j07_cancelled_children_are_dropped_where_nobody_can_abort,
    j07_child_after_the_cancel_does_not_run,
    j07_panicking_child_is_counted_out needs UNWIND,
    j07_aborted_child_is_counted_out needs ABORT,
    j09_child_dropped_unrun_is_counted_out,
    j09_child_of_a_runtime_that_ended_is_counted_out needs SHUTDOWN,
    j09_child_given_back_is_whole_and_not_lost,
}

type StaticTally = &'static Tally<ListLock>;

fn new_tally<R: Runtime>(rt: R) -> StaticTally {
    rt.put(Tally::new())
}

const CHILDREN: usize = 6;

async fn j07_destructors_have_run_before_the_count_is_zero<R: Runtime>(rt: R) -> Verdict {
    let (tally, drops) = (new_tally(rt), counter(rt));
    for child in 0..CHILDREN {
        let ticket = tally.ticket(async move {
            let _droplet = Droplet(drops);
            // The count still has us while the destructors of our locals run.
            let _last = OnDrop(move || assert!(tally.live() > 0));
            for _ in 0..child {
                yield_now().await;
            }
        });
        drop(rt.spawn(ticket));
    }
    tally.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    assert_eq!((tally.live(), tally.lost()), (0, 0));
    // Empty: nothing to wait for.
    tally.joined().await;
    Verdict::Pass
}

async fn j07_joiners_are_told_together<R: Runtime>(rt: R) -> Verdict {
    let tally = new_tally(rt);
    let tickets = [(); 2].map(|()| tally.ticket(async {}));
    let joiners = [(); 3].map(|()| rt.spawn(tally.joined()));
    let waker = rt.put(TestWaker::new());
    let mut joined = core::pin::pin!(tally.joined());
    assert!(poll_once(joined.as_mut(), &waker.waker()).is_pending());
    let [one, other] = tickets;
    drop(rt.spawn(one));
    eventually(rt, "one is left", || tally.live() == 1).await;
    assert_eq!(waker.wakes(), 0);
    drop(rt.spawn(other));
    for joiner in joiners {
        assert_eq!(joiner.join().await, Ended::Finished);
    }
    // He may be the last of them who is told, by a thread that is still at it.
    eventually(rt, "he is told, too", || waker.wakes() == 1).await;
    assert!(poll_once(joined.as_mut(), &waker.waker()).is_ready());
    Verdict::Pass
}

async fn j07_cancelled_children_are_dropped_where_nobody_can_abort<R: Runtime>(rt: R) -> Verdict {
    let (tally, started, drops) = (new_tally(rt), counter(rt), counter(rt));
    let children = [(); CHILDREN].map(|()| {
        rt.spawn(tally.ticket(async move {
            let _droplet = Droplet(drops);
            started.fetch_add(1, Ordering::SeqCst);
            pending::<()>().await;
        }))
    });
    let all = || started.load(Ordering::SeqCst) == CHILDREN;
    eventually(rt, "all have started", all).await;
    assert!(tally.cancel() && !tally.cancel() && tally.is_cancelled());
    tally.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), CHILDREN);
    assert_eq!(tally.lost(), CHILDREN);
    for child in children {
        assert_eq!(
            child.join().await,
            Ended::Finished,
            "the task ends by itself"
        );
    }
    Verdict::Pass
}

async fn j07_child_after_the_cancel_does_not_run<R: Runtime>(rt: R) -> Verdict {
    let (tally, drops) = (new_tally(rt), counter(rt));
    tally.cancel();
    let droplet = Droplet(drops);
    let child = rt.spawn(tally.ticket(async move {
        let _droplet = droplet;
        unreachable!("it was cancelled before it began");
    }));
    assert_eq!(child.join().await, Ended::Finished);
    tally.joined().await;
    assert_eq!((drops.load(Ordering::SeqCst), tally.lost()), (1, 1));
    Verdict::Pass
}

async fn j07_panicking_child_is_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (tally, drops) = (new_tally(rt), counter(rt));
    let child = rt.spawn(tally.ticket(async move {
        let _droplet = Droplet(drops);
        yield_now().await;
        panic!("on purpose");
    }));
    tally.joined().await;
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!(child.join().await, Ended::Panicked);
    assert_eq!((tally.live(), tally.lost()), (0, 1));
    Verdict::Pass
}

async fn j07_aborted_child_is_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (tally, drops) = (new_tally(rt), counter(rt));
    let droplet = Droplet(drops);
    let child = rt.spawn(tally.ticket(async move {
        let _droplet = droplet;
        pending::<()>().await;
    }));
    let joiner = rt.spawn(tally.joined());
    assert_eq!(child.abort().await, Ended::Aborted);
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!((drops.load(Ordering::SeqCst), tally.lost()), (1, 1));
    Verdict::Pass
}

async fn j09_child_dropped_unrun_is_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (tally, drops) = (new_tally(rt), counter(rt));
    let droplet = Droplet(drops);
    let ticket = tally.ticket(async move { drop(droplet) });
    let joiner = rt.spawn(tally.joined());
    assert_eq!(tally.live(), 1);
    // What an executor does that is shut down, or swallows the task.
    drop(ticket);
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    assert_eq!((tally.live(), tally.lost()), (0, 1));
    Verdict::Pass
}

async fn j09_child_of_a_runtime_that_ended_is_counted_out<R: Runtime>(rt: R) -> Verdict {
    let (tally, drops) = (new_tally(rt), counter(rt));
    let droplet = Droplet(drops);
    let ticket = tally.ticket(async move {
        let _droplet = droplet;
        pending::<()>().await;
    });
    let joiner = rt.spawn(tally.joined());
    rt.interrupted(Interrupt::RuntimeShutdown, ticket).await;
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!((drops.load(Ordering::SeqCst), tally.lost()), (1, 1));
    Verdict::Pass
}

async fn j09_child_given_back_is_whole_and_not_lost<R: Runtime>(rt: R) -> Verdict {
    let (tally, ran) = (new_tally(rt), counter(rt));
    let ticket = tally.ticket(async move {
        ran.fetch_add(1, Ordering::SeqCst);
    });
    let joiner = rt.spawn(tally.joined());
    // What a pool without a free place does.
    let future = Ticket::into_inner(ticket).expect("it has not ended");
    assert_eq!(joiner.join().await, Ended::Finished);
    assert_eq!((tally.live(), tally.lost()), (0, 0));
    assert_eq!(rt.spawn(future).join().await, Ended::Finished);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
    Verdict::Pass
}
