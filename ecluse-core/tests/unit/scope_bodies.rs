//! Scopes and what may cross threads: a body's future is `Send` when what it holds is.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, ready},
    pin::{Pin, pin},
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use ecluse_core::{
    Reason, Root, Slot, TimedOut,
    cancel::{Abandon, Grace, Kind, Limit},
    runtime::{Clock, Timer},
};
use futures_core::FusedFuture;

use crate::{
    clock::Hand,
    kit::{Wakes, poll, poll_with},
    spawned_walks::Gone,
};

fn sendable<T: Send>(value: T) -> T {
    value
}

#[test]
fn bodies_that_borrow_may_move_between_threads() {
    let root = <Root>::new();
    let slot = <Slot>::new();
    let clock = Hand::default();
    let task = sendable(async {
        let cx = root.cx();
        let mut count = 0;
        cx.within(async |cx| {
            count += 1;
            ready(()).await;
            cx.guard(ready(())).await
        })
        .await
        .unwrap();
        cx.protect(async |cx| cx.guard_wait(slot.claim()).await.map(drop))
            .await
            .unwrap();
        let grace = Grace::<_>::new(&clock, Duration::from_secs(1));
        cx.protect_for(&grace, async |cx| cx.guard(ready(())).await)
            .await
            .unwrap()
            .unwrap();
        let limit = Limit::<_>::after(&clock, Duration::from_secs(1));
        cx.deadline(&limit, async |cx| {
            cx.within(async |cx| cx.guard(ready(())).await).await
        })
        .await
        .unwrap()
        .unwrap();
        count
    });
    assert_eq!(futures_executor::block_on(task), 1);
}

const SECOND: Duration = Duration::from_secs(1);

/// Its value arrives while its owner ends it.
struct LastMoment;

impl Future for LastMoment {
    type Output = u8;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Pending
    }
}

impl Abandon for LastMoment {
    fn abandon(self: Pin<&mut Self>) -> Option<u8> {
        Some(7)
    }
}

#[test]
fn a_guard_finishes_or_is_cancelled() {
    let (root, slot) = (<Root>::new(), <Slot>::new());
    let held = slot.try_claim().unwrap();
    let mut late = pin!(root.cx().guard_wait(LastMoment));
    let mut claim = pin!(root.cx().guard_wait(slot.claim()));
    let mut timed = pin!(
        root.cx()
            .guard_wait(slot.claim().timeout(Hand::default(), SECOND))
    );
    let mut other = pin!(root.cx().guard(slot.claim()));
    assert!(poll(late.as_mut()).is_pending());
    assert!(poll(claim.as_mut()).is_pending() && !claim.is_terminated());
    assert!(poll(timed.as_mut()).is_pending());
    assert!(poll(other.as_mut()).is_pending());
    assert!(root.cancel(Kind::Shutdown));
    assert!(matches!(poll(late), Poll::Ready(Ok(7))));
    assert!(
        matches!(poll(claim.as_mut()), Poll::Ready(Err(cut)) if cut.reason().kind() == Kind::Shutdown)
    );
    assert!(matches!(poll(timed), Poll::Ready(Err(_))));
    assert!(matches!(poll(other), Poll::Ready(Err(_))));
    assert!(claim.is_terminated() && !slot.has_waiters());
    held.release();
    assert!(slot.try_claim().is_ok());
}

#[test]
fn the_value_wins_and_a_cancelled_scope_polls_nothing() {
    let (root, slot) = (<Root>::new(), <Slot>::new());
    let held = slot.try_claim().unwrap();
    let mut guarded = pin!(root.cx().guard_wait(slot.claim()));
    assert!(poll(guarded.as_mut()).is_pending());
    held.release();
    assert!(root.cancel(Kind::Explicit));
    let Poll::Ready(Ok(Ok(claim))) = poll(guarded) else {
        panic!("the claim was there");
    };
    claim.release();
    let (polled, gone) = (Cell::new(false), Rc::new(Cell::new(0)));
    let held = Gone(gone.clone());
    let mut guarded = pin!(root.cx().guard(async {
        let _held = held;
        polled.set(true);
    }));
    assert!(matches!(poll(guarded.as_mut()), Poll::Ready(Err(_))));
    assert_eq!((polled.get(), gone.get()), (false, 1));
    assert!(matches!(
        poll(pin!(root.cx().guard_wait(slot.claim()))),
        Poll::Ready(Err(_))
    ));
    assert!(!slot.is_claimed());
}

#[test]
fn a_guarded_time_out_is_told_as_such() {
    let (root, slot, clock) = (<Root>::new(), <Slot>::new(), Hand::default());
    let _held = slot.try_claim().unwrap();
    let mut timed = pin!(root.cx().guard_wait(slot.claim().timeout(&clock, SECOND)));
    assert!(poll(timed.as_mut()).is_pending());
    clock.advance(1000);
    assert!(matches!(poll(timed), Poll::Ready(Ok(Err(TimedOut)))));
}

#[test]
fn a_hook_is_called_once_and_not_after_the_end() {
    let (root, slot, calls) = (<Root>::new(), <Slot>::new(), Cell::new(0));
    let held = slot.try_claim().unwrap();
    let count = |_| calls.set(calls.get() + 1);
    let mut ended = pin!(root.cx().on_cancel(slot.released(), count));
    let mut told = pin!(root.cx().on_cancel(slot.claim(), count));
    let mut left = Box::pin(root.cx().on_cancel(pending::<()>(), count));
    assert!(poll(told.as_mut()).is_pending() && poll(ended.as_mut()).is_pending());
    assert!(poll(left.as_mut()).is_pending());
    assert!(root.cancel(Kind::Explicit));
    assert_eq!(calls.get(), 0);
    drop(left);
    assert!(poll(told.as_mut()).is_pending());
    assert!(poll(told.as_mut()).is_pending());
    assert_eq!(calls.get(), 1);
    held.release();
    assert!(poll(ended.as_mut()).is_ready() && ended.is_terminated());
    assert!(poll(told).is_ready());
    assert_eq!(calls.get(), 1);
    // A hook may end what it is for: no further wake is needed.
    let done = Cell::new(false);
    let work = std::future::poll_fn(|_| {
        if done.get() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    assert!(poll(pin!(root.cx().on_cancel(work, |_| done.set(true)))).is_ready());
}

#[test]
fn a_bridge_passes_both_levels_on_and_unties_at_the_end() {
    let (server, seen) = (<Root>::new().named("server"), Cell::new(0));
    let (wakes, waker) = Wakes::new();
    let mut bridge = pin!(server.cx().bridge(async |cx| {
        assert_eq!(cx.name(), "server");
        let reason = cx.protect(async |_| cx.cancelled().await).await;
        seen.set(1);
        assert!(!reason.is_inherited() && !cx.is_forced());
        cx.protect(async |cx| cx.forced().await).await;
        seen.set(2);
        reason.code()
    }));
    assert!(poll_with(bridge.as_mut(), &waker).is_pending());
    assert_eq!(server.attached(), 0);
    server.cancel(Reason::default().with_code(7));
    assert_eq!((wakes.count(), seen.get()), (1, 0));
    assert!(poll_with(bridge.as_mut(), &waker).is_pending());
    assert!(poll_with(bridge.as_mut(), &waker).is_pending());
    assert_eq!(seen.get(), 1);
    // One by the server's cancel, one by that of the tree behind the bridge.
    assert_eq!(wakes.count(), 2);
    server.force(Kind::Limit);
    assert_eq!(wakes.count(), 3);
    assert_eq!(poll_with(bridge.as_mut(), &waker), Poll::Ready(7));
    // What is over, or gone, is not told; nor does it leave a wait behind.
    let (outer, inner) = (<Root>::new(), <Root>::new());
    let mut tied = Box::pin(outer.cx().tie(inner.cx(), pending::<()>()));
    assert!(poll(tied.as_mut()).is_pending());
    assert!(outer.tree().to_string().contains("2 waiting"));
    drop(tied);
    assert_eq!(outer.tree().to_string(), "(no name): running\n");
    assert!(poll(pin!(outer.cx().tie(inner.cx(), async {}))).is_ready());
    outer.force(Kind::Explicit);
    assert!(!inner.is_cancelled());
    let forced = pin!(outer.cx().tie(inner.cx(), async { inner.cx().is_forced() }));
    assert_eq!(
        poll(forced),
        Poll::Ready(true),
        "before what is to be told is polled"
    );
    // It is passed on once, however long the other goes on.
    let mut deaf = Box::pin(outer.cx().tie(inner.cx(), pending::<()>()));
    assert!((0..2).all(|_| poll(deaf.as_mut()).is_pending()));
}

#[test]
fn a_deadline_is_its_scopes_own() {
    let (root, clock) = (<Root>::new(), Hand::default());
    let limit = Limit::<_>::after(&clock, SECOND);
    let (wakes, waker) = Wakes::new();
    let mut body = pin!(root.cx().deadline(&limit, async |cx| {
        let inner = cx.deadline_in(&clock, 3 * SECOND, async |cx| cx.cancelled().await);
        inner
            .await
            .expect("the outer one comes first")
            .is_inherited()
    }));
    assert!(poll_with(body.as_mut(), &waker).is_pending());
    limit.set_after(2 * SECOND);
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(body.as_mut(), &waker).is_pending());
    // Moved, and where it was when that is seen.
    limit.set_after(3 * SECOND);
    limit.set_after(2 * SECOND);
    assert!(poll_with(body.as_mut(), &waker).is_pending());
    clock.advance(1000);
    assert!(poll_with(body.as_mut(), &waker).is_pending());
    clock.advance(1000);
    let Poll::Ready(Err(elapsed)) = poll_with(body.as_mut(), &waker) else {
        panic!("not elapsed");
    };
    assert!(elapsed.into_inner());
    assert!(root.cx().check().is_ok());
    // One that has passed: before the first step.
    let past = root
        .cx()
        .deadline_at(&clock, 0, async |cx| cx.check().is_err());
    assert!(matches!(poll(pin!(past)), Poll::Ready(Err(elapsed)) if elapsed.into_inner()));
    assert_eq!(root.attached(), 0);
}

/// A clock that strikes as the next timer is set.
struct Striking(Hand, RefCell<Option<Box<dyn FnOnce()>>>);

impl Clock for Striking {
    type Instant = u64;

    fn now(&self) -> u64 {
        self.0.now()
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        self.0.after(from, by)
    }
}

impl Timer for Striking {
    type Sleep = <Hand as Timer>::Sleep;

    fn sleep_until(&self, at: u64) -> Self::Sleep {
        if let Some(strike) = self.1.take() {
            strike();
        }
        self.0.sleep_until(at)
    }
}

#[test]
fn a_limit_that_is_moved_as_its_timer_is_set_is_not_overslept() {
    let clock = Hand::default();
    let striking = Striking(clock.clone(), RefCell::new(None));
    let limit = Rc::new(Limit::<_>::after(striking, 2 * SECOND));
    let mover = limit.clone();
    let strike = move || mover.set_after(SECOND);
    limit.timer().1.replace(Some(Box::new(strike)));
    let mut reached = pin!(limit.reached());
    assert!(poll(reached.as_mut()).is_pending());
    clock.advance(1000);
    assert!(poll(reached).is_ready());
}

#[test]
fn clean_ups_share_a_grace_and_are_dropped_at_its_end() {
    let (root, clock) = (<Root>::new(), Hand::default());
    let grace = Grace::<_>::new(&clock, SECOND);
    root.cancel(Kind::Shutdown);
    let mut deaf = pin!(
        root.cx()
            .protect_for(&grace, async |_| pending::<()>().await)
    );
    let mut hears = pin!(
        root.cx()
            .protect_for(&grace, async |cx| cx.cancelled().await.kind())
    );
    assert!(poll(deaf.as_mut()).is_pending());
    clock.advance(999);
    assert!(poll(hears.as_mut()).is_pending() && poll(deaf.as_mut()).is_pending());
    clock.advance(1);
    assert!(matches!(poll(hears), Poll::Ready(Ok(Kind::Limit))));
    assert!(matches!(poll(deaf), Poll::Ready(Err(cut)) if cut.reason().is_forced()));
    // A shield that is not a clean-up's has no end but force.
    let mut body = pin!(
        root.cx()
            .protect(async |cx| cx.cancelled().await.is_forced())
    );
    assert!(poll(body.as_mut()).is_pending());
    root.force(Kind::Shutdown);
    assert!(matches!(poll(body), Poll::Ready(true)));
}
