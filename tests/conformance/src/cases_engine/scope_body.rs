//! s06, s07: shields, graces, deadlines.

use core::future::{Future, ready};
use core::pin::pin;
use core::task::Waker;
use core::time::Duration;

use super::super::subject::ListLock;
use super::super::subject::cancel::{Cancelled, Grace, Kind, Limit};
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::counter;
use super::scope::{cause, child, code, root};
use crate::kit::{MockClock, poll_once};
use crate::{Clock, Ended, Runtime, Task, Verdict};

cases! { engine scope_body:
    s06_shielded_body_finishes_and_its_value_is_returned,
    s06_own_cancel_works_inside_a_shield,
    s06_own_deadline_works_inside_a_shield,
    s06_force_reaches_a_shielded_body,
    s06_children_below_a_shield_are_not_reached,
    s06_dropped_body_leaves_the_tree,
    s06_cleanups_share_one_grace,
    s06_grace_starts_with_the_cancel,
    s06_forced_body_is_polled_once_more_then_dropped,
    s07_own_deadline_gives_elapsed,
    s07_outer_deadline_comes_first,
    s07_both_due_at_once_is_the_outer_ones,
    s07_past_deadline_cancels_before_the_first_poll,
    s07_deadline_moves_later_and_earlier,
    s07_body_that_ends_in_time_sets_nothing_off,
    s07_deadlines_on_the_runtimes_clock,
}

const MS: Duration = Duration::from_millis(1);

/// Polls a body's future that must go on.
macro_rules! pending {
    ($future:ident) => {
        assert!(poll_once($future.as_mut(), Waker::noop()).is_pending())
    };
}

/// Polls a body's future that must be over.
macro_rules! over {
    ($future:ident) => {
        match poll_once($future.as_mut(), Waker::noop()) {
            core::task::Poll::Ready(value) => value,
            core::task::Poll::Pending => panic!("still going on"),
        }
    };
}

/// Goes on for `turns` polls.
fn turns(turns: usize) -> impl Future<Output = ()> {
    let mut left = turns;
    core::future::poll_fn(move |_| {
        if left == 0 {
            return core::task::Poll::Ready(());
        }
        left -= 1;
        core::task::Poll::Pending
    })
}

async fn s06_shielded_body_finishes_and_its_value_is_returned<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let cx = root.cx();
    let mut body = pin!(cx.protect(async |cx| {
        turns(1).await;
        cx.guard(turns(1)).await?;
        cx.check()?;
        Ok::<_, Cancelled>("saved")
    }));
    pending!(body);
    assert!(root.cancel(code(1)));
    pending!(body);
    assert_eq!(over!(body), Ok("saved"));
    assert_eq!(cause(cx), (1, false));
    assert!(
        cx.guard(ready(())).await.is_err(),
        "the outer checkpoint, at once"
    );
    // A shield that is made when the outer scope is cancelled already.
    assert!(
        cx.protect(async |cx| cx.guard(ready(())).await)
            .await
            .is_ok()
    );
    assert_eq!(root.attached(), 0);
    Verdict::Pass
}

async fn s06_own_cancel_works_inside_a_shield<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    assert!(root.cancel(code(1)));
    let inner = root.cx().protect(async |cx| {
        assert!(cx.check().is_ok());
        assert!(cx.cancel(code(2)));
        cause(cx)
    });
    assert_eq!(inner.await, (2, false));
    assert_eq!(cause(root.cx()), (1, false));
    Verdict::Pass
}

async fn s06_own_deadline_works_inside_a_shield<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    assert!(root.cancel(code(1)));
    let mut body = pin!(root.cx().protect(async |cx| {
        cx.deadline_in(clock, 5 * MS, async |cx| cx.guard(turns(9)).await)
            .await
    }));
    pending!(body);
    clock.advance(5 * MS);
    let elapsed = over!(body).expect_err("its own deadline");
    let cancelled = elapsed.into_inner().expect_err("cancelled by that");
    assert_eq!(cancelled.reason().kind(), Kind::Deadline);
    assert!(!cancelled.reason().is_inherited());
    assert_eq!(clock.sleepers(), 0);
    Verdict::Pass
}

async fn s06_force_reaches_a_shielded_body<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let mut body = pin!(root.cx().protect(async |cx| {
        let ended = cx.guard(turns(9)).await.expect_err("forced");
        (ended.reason().is_forced(), cause(cx))
    }));
    pending!(body);
    assert!(root.cancel(code(1)));
    pending!(body);
    assert!(root.force(code(2)));
    assert_eq!(over!(body), (true, (1, true)));
    Verdict::Pass
}

async fn s06_children_below_a_shield_are_not_reached<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let mut body = pin!(root.cx().protect(async |cx| {
        cx.within(async |cx| {
            turns(1).await;
            cx.check()
        })
        .await
    }));
    pending!(body);
    assert_eq!(root.attached(), 2);
    assert!(root.cancel(code(1)));
    assert_eq!(over!(body), Ok(()));
    Verdict::Pass
}

async fn s06_dropped_body_leaves_the_tree<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    {
        let grace = rt.put(Grace::<_, ListLock>::new(clock, MS));
        let mut body = pin!(root.cx().protect_for(grace, async |cx| {
            cx.deadline_in(clock, MS, async |cx| cx.guard(turns(9)).await)
                .await
        }));
        pending!(body);
        assert!(root.cancel(code(1)));
        pending!(body);
        assert_eq!((root.attached(), clock.sleepers()), (2, 2));
    }
    assert_eq!((root.attached(), clock.sleepers()), (0, 0));
    Verdict::Pass
}

async fn s06_cleanups_share_one_grace<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let grace = rt.put(Grace::<_, ListLock>::new(clock, 10 * MS));
    let cx = root.cx();
    assert!(root.cancel(code(1)));
    let mut first = pin!(cx.protect_for(grace, async |cx| cx.guard(turns(1)).await));
    pending!(first);
    clock.advance(6 * MS);
    assert_eq!(over!(first), Ok(Ok(())));
    // What is left of the budget, not the whole of it again.
    let mut second = pin!(cx.protect_for(grace, async |cx| cx.guard(turns(9)).await));
    pending!(second);
    clock.advance(3 * MS);
    pending!(second);
    clock.advance(MS);
    let ended = over!(second).expect("it ended itself").expect_err("forced");
    assert_eq!(
        (ended.reason().kind(), ended.reason().is_forced()),
        (Kind::Limit, true)
    );
    // Nothing left: forced before its first step.
    let third = cx.protect_for(grace, async |cx| cx.guard(ready(())).await);
    assert!(third.await.expect("it ended itself").is_err());
    assert_eq!((root.attached(), clock.sleepers()), (0, 0));
    Verdict::Pass
}

async fn s06_grace_starts_with_the_cancel<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let grace = rt.put(Grace::<_, ListLock>::new(clock, 5 * MS));
    let mut body = pin!(
        root.cx()
            .protect_for(grace, async |cx| cx.guard(turns(9)).await)
    );
    pending!(body);
    clock.advance(100 * MS);
    pending!(body);
    assert_eq!(clock.sleeps(), 0, "no timer before there is a cancel");
    assert!(root.cancel(code(1)));
    pending!(body);
    clock.advance(4 * MS);
    pending!(body);
    clock.advance(MS);
    assert!(over!(body).expect("it ended itself").is_err());
    Verdict::Pass
}

/// Counts its end.
struct Gone(&'static AtomicUsize);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn s06_forced_body_is_polled_once_more_then_dropped<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let (polls, gone) = (counter(rt), counter(rt));
    let grace = rt.put(Grace::<_, ListLock>::new(clock, 5 * MS));
    let mut body = pin!(root.cx().protect_for(grace, async |_| {
        let _gone = Gone(gone);
        loop {
            // Deaf to it.
            polls.fetch_add(1, Ordering::SeqCst);
            turns(1).await;
        }
    }));
    pending!(body);
    assert!(root.cancel(code(1)));
    pending!(body);
    clock.advance(5 * MS);
    let before = polls.load(Ordering::SeqCst);
    let ended: Result<(), Cancelled> = over!(body);
    let reason = ended.expect_err("dropped").reason();
    assert_eq!((reason.kind(), reason.is_forced()), (Kind::Limit, true));
    assert_eq!(polls.load(Ordering::SeqCst), before + 1);
    assert_eq!((gone.load(Ordering::SeqCst), root.attached()), (1, 0));
    Verdict::Pass
}

async fn s07_own_deadline_gives_elapsed<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let cx = child(rt, root.cx());
    let mut body = pin!(cx.deadline_in(clock, 5 * MS, async |cx| {
        let cut_off = cx.guard(turns(99)).await;
        // Cooperative: polled on until its clean-up is over.
        turns(1).await;
        (
            cut_off.map_err(|cancelled| cancelled.reason().kind()),
            cx.reason(),
        )
    }));
    pending!(body);
    clock.advance(4 * MS);
    pending!(body);
    clock.advance(MS);
    pending!(body);
    let (cut_off, reason) = over!(body).expect_err("elapsed").into_inner();
    assert_eq!(cut_off, Err(Kind::Deadline));
    assert!(!reason.expect("cancelled").is_inherited());
    assert!(cx.check().is_ok(), "the inner scope only");
    assert_eq!((clock.sleepers(), root.attached()), (0, 1));
    Verdict::Pass
}

async fn s07_outer_deadline_comes_first<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let mut body = pin!(root.cx().deadline_in(clock, 5 * MS, async |cx| {
        let inner = cx.deadline_in(clock, 8 * MS, async |cx| {
            let ended = cx.guard(turns(99)).await.expect_err("cancelled");
            assert!(ended.reason().is_inherited());
            // Long enough for its own deadline to pass, too.
            turns(1).await;
            ended.reason().kind()
        });
        inner.await.expect("not its own deadline")
    }));
    pending!(body);
    clock.advance(5 * MS);
    pending!(body);
    clock.advance(5 * MS);
    let kind = over!(body).expect_err("the outer one's").into_inner();
    assert_eq!((kind, clock.sleepers()), (Kind::Deadline, 0));
    Verdict::Pass
}

async fn s07_both_due_at_once_is_the_outer_ones<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let at = clock.after(clock.now(), 5 * MS);
    let mut body = pin!(root.cx().deadline_at(clock, at, async |cx| {
        let inner = cx.deadline_at(clock, at, async |cx| cx.guard(turns(99)).await);
        let ended = inner.await.expect("not its own deadline");
        ended.expect_err("cancelled").reason().is_inherited()
    }));
    pending!(body);
    clock.advance(7 * MS);
    assert!(over!(body).expect_err("the outer one's").into_inner());
    Verdict::Pass
}

async fn s07_past_deadline_cancels_before_the_first_poll<R: Runtime>(rt: R) -> Verdict {
    let (root, clock, polls) = (root(rt), rt.put(MockClock::new()), counter(rt));
    let at = clock.now();
    clock.advance(MS);
    let body = root.cx().deadline_at(clock, at, async |cx| {
        assert!(cx.is_cancelled());
        let guarded = async {
            polls.fetch_add(1, Ordering::SeqCst);
        };
        cx.guard(guarded).await
    });
    let ended = body.await.expect_err("elapsed").into_inner();
    assert!(ended.is_err() && polls.load(Ordering::SeqCst) == 0);
    Verdict::Pass
}

async fn s07_deadline_moves_later_and_earlier<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let limit = rt.put(Limit::<_, ListLock>::after(clock, 5 * MS));
    let waker = rt.put(crate::kit::TestWaker::new());
    let mut body = pin!(
        root.cx()
            .deadline(limit, async |cx| cx.guard(turns(99)).await)
    );
    assert!(poll_once(body.as_mut(), &waker.waker()).is_pending());
    // Later: the time it was first set to passes, and nothing happens.
    limit.set_after(20 * MS);
    assert_eq!(waker.wakes(), 1);
    clock.advance(10 * MS);
    assert!(poll_once(body.as_mut(), &waker.waker()).is_pending());
    assert!(root.cx().check().is_ok());
    // Earlier, from outside: its task is woken to set the timer anew.
    let wakes = waker.wakes();
    limit.set_after(2 * MS);
    assert_eq!(waker.wakes(), wakes + 1);
    assert!(poll_once(body.as_mut(), &waker.waker()).is_pending());
    clock.advance(2 * MS);
    assert_eq!(waker.wakes(), wakes + 2);
    assert!(over!(body).expect_err("elapsed").into_inner().is_err());
    // From inside, into the past.
    let limit = rt.put(Limit::<_, ListLock>::after(clock, 5 * MS));
    let mut body = pin!(root.cx().deadline(limit, async |cx| {
        limit.set(0);
        cx.guard(turns(99)).await
    }));
    pending!(body);
    assert!(over!(body).expect_err("elapsed").into_inner().is_err());
    assert_eq!((clock.sleepers(), root.attached(), waker.live()), (0, 0, 0));
    Verdict::Pass
}

async fn s07_body_that_ends_in_time_sets_nothing_off<R: Runtime>(rt: R) -> Verdict {
    let (root, clock) = (root(rt), rt.put(MockClock::new()));
    let body = root
        .cx()
        .deadline_in(clock, 5 * MS, async |cx| cx.guard(ready(3)).await);
    assert_eq!(body.await.map(|ended| ended.ok()).ok(), Some(Some(3)));
    clock.advance(10 * MS);
    assert!(root.cx().check().is_ok());
    assert_eq!((clock.sleepers(), root.attached()), (0, 0));
    Verdict::Pass
}

async fn s07_deadlines_on_the_runtimes_clock<R: Runtime>(rt: R) -> Verdict {
    let root = root(rt);
    let late = rt.spawn(async move {
        let start = rt.timer().now();
        let body = root.cx().deadline_in(rt.timer(), 3 * MS, async |cx| {
            cx.guard(core::future::pending::<()>()).await
        });
        assert!(body.await.expect_err("elapsed").into_inner().is_err());
        assert!(rt.timer().now() >= rt.timer().after(start, 3 * MS));
    });
    let in_time = rt.spawn(async move {
        let body = root
            .cx()
            .deadline_in(rt.timer(), Duration::MAX, async |cx| {
                cx.guard(ready(())).await
            });
        assert!(body.await.is_ok_and(|ended| ended.is_ok()));
    });
    assert_eq!(late.join().await, Ended::Finished);
    assert_eq!(in_time.join().await, Ended::Finished);
    assert_eq!(root.attached(), 0);
    Verdict::Pass
}
