//! What the adapter promises beyond the core: bounds by tokio's clock, refusals of a runtime that
//! is gone, futures that go where tokio sends them. Every wait is bounded.
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]

use std::{
    future::{Future, pending},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{
    Handoff, Line, Outcome, Reason, Revocable, Root, SharedScope, Slot, SlotExt, TimedOut,
    TokioSpawn, TokioTimer, WaitExt,
    cancel::Kind,
    line::{HoldEnd, OwnedToken},
    runtime::{Abort, Clock, Spawn, SpawnError, Tally, Ticket},
    token, under,
};
use tokio::{runtime::Runtime, time::timeout};
use tokio_util::sync::CancellationToken;

const BOUND: Duration = Duration::from_secs(20);

fn send<T: Send>(value: T) -> T {
    value
}

#[test]
fn what_tasks_need_can_be_sent() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Slot<Revocable>>();
    is_sync::<Slot<Revocable>>();
    is_send::<Arc<Line>>();
    is_send::<OwnedToken>();
    is_send::<HoldEnd<Arc<Line>>>();
    is_send::<TokioSpawn>();
    is_sync::<TokioSpawn>();
    is_send::<Ticket<core::future::Ready<()>, Arc<Tally>>>();
    let slot: Slot = Slot::new();
    drop(send(slot.claim_timeout(BOUND)));
    drop(send(slot.released_timeout(BOUND)));
    let slot: Slot<Revocable> = Slot::new();
    drop(send(slot.claim_with_stall_bound(BOUND)));
}

#[tokio::test(start_paused = true)]
async fn a_bound_follows_the_paused_clock() {
    let slot: Slot = Slot::new();
    let held = slot.try_claim().unwrap();
    let start = TokioTimer.now();
    let hour = Duration::from_secs(3600);
    assert!(matches!(slot.claim_timeout(hour).await, Err(TimedOut)));
    assert!(TokioTimer.now() - start >= hour);
    assert!(matches!(slot.released_timeout(hour).await, Err(TimedOut)));
    assert!(!slot.has_waiters());
    held.release();
    assert!(slot.claim_timeout(hour).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_races_a_grant_keeps_it() {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    let slot: Slot = Slot::new();
    let held = slot.try_claim().unwrap();
    let mut claim = pin!(slot.claim_timeout(Duration::from_secs(1)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(claim.as_mut().poll(&mut cx).is_pending());
    // Both before the waiter looks again: its time is over, and the claim is its.
    tokio::time::advance(Duration::from_secs(2)).await;
    held.release();
    let claim = timeout(BOUND, claim).await.unwrap();
    claim.expect("the grant came").unwrap().release();
    assert!(!slot.is_claimed());
}

#[tokio::test(start_paused = true)]
async fn a_stalled_grantee_is_passed_over() {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    let slot: Slot<Revocable> = Slot::new();
    let held = slot.try_claim().unwrap();
    let mut stalled = pin!(slot.claim());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stalled.as_mut().poll(&mut cx).is_pending());
    let mut next = pin!(slot.claim_with_stall_bound(Duration::from_secs(1)));
    assert!(next.as_mut().poll(&mut cx).is_pending());
    held.release();
    timeout(BOUND, next).await.unwrap().unwrap().release();
    timeout(BOUND, stalled).await.unwrap().unwrap().release();
}

#[tokio::test]
async fn a_line_waits_until_a_moment() {
    let line: Line = Line::new();
    let token = line.try_acquire_token().success().unwrap();
    let wait = || match line.status() {
        ecluse_tokio::LineStatus::Busy(wait) => wait,
        ecluse_tokio::LineStatus::Free => panic!("the token is out"),
    };
    let now = TokioTimer.now();
    assert_eq!(wait().until(now).await, Err(TimedOut));
    let wait = wait().within(BOUND);
    token.release();
    assert_eq!(wait.await, Ok(Outcome::Done));
}

#[test]
fn a_runtime_that_is_gone_says_closed() {
    for runtime in [
        tokio::runtime::Builder::new_current_thread().build(),
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build(),
    ] {
        let runtime = runtime.unwrap();
        let tally: Arc<Tally> = Arc::default();
        let spawn = TokioSpawn::on(runtime.handle().clone());
        drop(runtime);
        let token = Arc::new(());
        let kept = Arc::clone(&token);
        let ticket = Tally::ticket_owned(&tally, async move { drop(kept) });
        let Err(SpawnError::Closed(None)) = spawn.spawn(ticket) else {
            panic!("spawned on a runtime that was shut down");
        };
        assert_eq!(Arc::strong_count(&token), 1, "the future was dropped");
        assert_eq!((tally.live(), tally.lost()), (0, 1));
    }
}

#[test]
fn outside_of_a_runtime_the_future_comes_back() {
    let tally: Arc<Tally> = Arc::default();
    let ticket = Tally::ticket_owned(&tally, core::future::ready(()));
    let refused = TokioSpawn::current().spawn(ticket).unwrap_err();
    assert!(matches!(refused, SpawnError::Closed(Some(_))));
    assert_eq!((tally.live(), tally.lost()), (0, 0));
}

#[test]
fn a_shutdown_releases_what_its_tasks_held() {
    let runtime = Runtime::new().unwrap();
    let tally: Arc<Tally> = Arc::default();
    let slot: Arc<Slot> = Arc::new(Slot::new());
    let claim = Slot::try_claim_owned(&slot).unwrap();
    let body = async move {
        let _claim = claim;
        core::future::pending().await
    };
    let ticket = Tally::ticket_owned(&tally, body);
    TokioSpawn::from(runtime.handle().clone())
        .spawn(ticket)
        .unwrap();
    drop(runtime);
    let released = slot.released_blocking_timeout(BOUND);
    assert!(released.is_ok());
    assert_eq!((tally.live(), tally.lost()), (0, 1));
}

#[tokio::test]
async fn an_abort_releases_and_a_dropped_handle_does_not() {
    let tally: Arc<Tally> = Arc::default();
    let slot: Arc<Slot> = Arc::new(Slot::new());
    let hold = || {
        let claim = Slot::try_claim_owned(&slot).unwrap();
        let body = async move {
            let _claim = claim;
            core::future::pending().await
        };
        let ticket = Tally::ticket_owned(&tally, body);
        TokioSpawn::current().spawn(ticket).unwrap()
    };
    drop(hold());
    tokio::task::yield_now().await;
    assert!(slot.is_claimed(), "the task goes on");
    assert!(tally.cancel());
    tally.joined().within(BOUND).await.unwrap();
    assert!(!slot.is_claimed());

    let tally: Arc<Tally> = Arc::default();
    let claim = Slot::try_claim_owned(&slot).unwrap();
    let body = async move {
        let _claim = claim;
        core::future::pending().await
    };
    let ticket = Tally::ticket_owned(&tally, body);
    let abort = TokioSpawn::current().spawn(ticket).unwrap();
    let next = slot.claim_timeout(BOUND);
    abort.abort();
    let claim = next.await.unwrap().unwrap();
    assert_eq!(
        claim.inherited(),
        Some(Outcome::Abandoned { by_panic: false })
    );
    tally.joined().within(BOUND).await.unwrap();
}

#[tokio::test]
async fn a_spent_budget_does_not_hide_a_refusal() {
    let runtime = Runtime::new().unwrap();
    let spawn = TokioSpawn::on(runtime.handle().clone());
    runtime.shutdown_background();
    while tokio::task::coop::has_budget_remaining() {
        tokio::task::coop::consume_budget().await;
    }
    let tally: Arc<Tally> = Arc::default();
    let spawned = spawn.spawn(Tally::ticket_owned(&tally, core::future::pending()));
    drop(spawned);
    tally.joined().within(BOUND).await.unwrap();
}

#[test]
fn a_slot_is_a_static() {
    static SLOT: Slot<Handoff> = Slot::new();
    SLOT.try_claim().unwrap().release();
}

/// Says that it was dropped.
struct Said(Arc<AtomicBool>);

impl Drop for Said {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_task_under_a_scope_is_aborted_and_its_end_waited_for() {
    let root = <Root>::new();
    let dropped = Arc::new(AtomicBool::new(false));
    let said = Said(dropped.clone());
    let task = tokio::spawn(async move {
        let _said = said;
        pending::<()>().await;
    });
    let cancels = async {
        tokio::task::yield_now().await;
        root.cancel(Kind::Shutdown);
    };
    let (ended, ()) = timeout(BOUND, async {
        tokio::join!(send(under(root.cx(), task)), cancels)
    })
    .await
    .unwrap();
    assert_eq!(ended.unwrap_err().reason().kind(), Kind::Shutdown);
    assert!(dropped.load(Ordering::SeqCst));
    // What has ended gives its output, also under a cancelled scope.
    let task = tokio::spawn(async { 7 });
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
    assert_eq!(under(root.cx(), task).await.unwrap().unwrap(), 7);
    // Dropped itself, it aborts the task.
    let root = <Root>::new();
    let dropped = Arc::new(AtomicBool::new(false));
    let said = Said(dropped.clone());
    drop(under(
        root.cx(),
        tokio::spawn(async move {
            let _said = said;
            pending::<()>().await;
        }),
    ));
    timeout(BOUND, async {
        while !dropped.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[test]
fn a_token_follows_a_scope_until_it_is_untied() {
    let root = <Root>::new();
    let (first, untied) = (token::follow(root.cx()), token::follow(root.cx()));
    let clone = first.token().clone();
    let left = untied.token().clone();
    drop(untied);
    assert!(root.tree().to_string().contains("1 waiting"));
    root.cancel(Kind::Shutdown);
    assert!(clone.is_cancelled() && first.is_cancelled() && !left.is_cancelled());
    assert!(token::follow(root.cx()).is_cancelled());
}

#[test]
fn a_scope_is_cancelled_with_a_token_until_it_is_untied() {
    let token = CancellationToken::new();
    let below = token.child_token();
    let [tied, untied, late] = [(); 3].map(|()| <SharedScope>::new());
    let tie = token::cancels(&below, &tied, Reason::new(Kind::Limit).with_code(3));
    drop(token::cancels(&below, &untied, Kind::Limit));
    assert!(!tied.is_cancelled());
    token.cancel();
    assert_eq!(tied.cx().reason().unwrap().code(), 3);
    assert!(!untied.is_cancelled());
    drop(token::cancels(&token, &late, Kind::Limit));
    assert!(late.is_cancelled());
    drop(tie);
}

/// Both ways round, and from within a task whose budget is spent.
#[tokio::test]
async fn a_token_and_a_scope_may_be_tied_in_a_circle() {
    let (token, scope) = (CancellationToken::new(), <SharedScope>::new());
    while tokio::task::coop::has_budget_remaining() {
        tokio::task::coop::consume_budget().await;
    }
    let tie = token::cancels(&token, &scope, Kind::Explicit);
    let follower = token::follow(scope.cx());
    let back: SharedScope = SharedScope::new();
    let other = token::cancels(follower.token(), &back, Kind::Explicit);
    assert!(!scope.is_cancelled() && !follower.is_cancelled());
    token.cancel();
    assert!(scope.is_cancelled() && follower.is_cancelled() && back.is_cancelled());
    drop((tie, other));
}
