//! What the adapter promises beyond the core, on embassy's host platform. Every wait is bounded.
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use ecluse_embassy::{
    AcquireOutcome, EmbassyTimer, Flight, Group, Line, LineStatus, Outcome, Pool, Revocable, Root,
    ScopePlace, ScopePool, SharedScope, Slot, SlotExt, Tally, Ticket, TimedOut, Token, WaitExt,
    cancel::Kind,
    runtime::{Clock, Inline, Spawn, SpawnError},
};
use embassy_executor::{Executor, SendSpawner, raw::TaskStorage};
use embassy_futures::{
    select::{Either, select},
    yield_now,
};
use embassy_time::{Duration, Instant, Timer, with_timeout};

const BOUND: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(2);

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs `test` as a task of an executor of its own, for a bounded time.
fn run<F: Future<Output = ()> + 'static>(test: impl FnOnce(SendSpawner) -> F) {
    let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    let init = |spawner: embassy_executor::Spawner| {
        let test = test(spawner.make_send());
        let task: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move {
            with_timeout(BOUND, test).await.expect("in time");
            told.store(true, Ordering::Release);
        });
        let place: &'static TaskStorage<_> = Box::leak(Box::new(TaskStorage::new()));
        spawner.spawn(place.spawn(|| task).unwrap());
    };
    executor.run_until(init, || over.load(Ordering::Acquire));
}

#[test]
fn statics_are_shared_and_tasks_are_sent() {
    fn is_send<T: Send>(_: T) {}
    fn is_sync<T: Sync>() {}
    static SLOT: Slot<Revocable> = Slot::new();
    static LINE: Line = Line::new();
    static TALLY: Tally = Tally::new();
    static FLIGHT: Flight<u8> = Flight::new();
    static GROUP: Group<u8, u8> = Group::new();
    is_sync::<Pool<Inline<64>, 2>>();
    is_send(FLIGHT.run(|| async { 1 }));
    is_send(GROUP.run(1, || async { 2 }));
    is_send(SLOT.claim_timeout(BOUND));
    is_send(SLOT.claim_with_stall_bound(BOUND));
    let ticket: Ticket<_> = TALLY.ticket(Inline::<64>::new(pending()));
    is_send(ticket);
    let token: Token = LINE.try_acquire_token().success().unwrap();
    assert!(matches!(LINE.status(), LineStatus::Busy(_)));
    assert!(matches!(
        LINE.try_acquire_token(),
        AcquireOutcome::Failure(_)
    ));
    token.release();
    #[cfg(target_pointer_width = "64")]
    assert_eq!(size_of::<Line>(), 16, "no lock inside");
}

#[test]
fn a_bound_ends_a_wait() {
    run(|_| async {
        let slot: Slot = Slot::new();
        let held = slot.try_claim().unwrap();
        let start = EmbassyTimer.now();
        assert!(matches!(slot.claim_timeout(SHORT).await, Err(TimedOut)));
        assert!(start.elapsed() >= SHORT);
        assert_eq!(slot.released_timeout(SHORT).await, Err(TimedOut));
        assert!(!slot.has_waiters());
        let released = slot.released_timeout(Duration::MAX);
        held.release();
        assert_eq!(released.await, Ok(Outcome::Passed));
        assert!(slot.claim_timeout(BOUND).await.unwrap().is_ok());
    });
}

#[test]
fn a_timeout_that_races_a_grant_keeps_it() {
    run(|_| async {
        let slot: Slot = Slot::new();
        let held = slot.try_claim().unwrap();
        let claim = slot.claim().until(Instant::now() + SHORT);
        // Both before the waiter looks again: its time is over, and the claim is its.
        let mut claim = pin!(claim);
        assert!(poll_in_task(claim.as_mut()).await.is_pending());
        Timer::after(SHORT * 2).await;
        held.release();
        claim.await.expect("the grant came").unwrap().release();
        assert!(!slot.is_claimed());
    });
}

/// One poll with the task's own waker, which is the only one that embassy's timers take.
async fn poll_in_task<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    core::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

#[test]
fn a_stalled_grantee_is_passed_over() {
    run(|_| async {
        let slot: Slot<Revocable> = Slot::new();
        let held = slot.try_claim().unwrap();
        let mut stalled = pin!(slot.claim());
        assert!(poll_once(stalled.as_mut()).is_pending());
        let mut next = pin!(slot.claim_with_stall_bound(SHORT));
        assert!(poll_in_task(next.as_mut()).await.is_pending());
        held.release();
        next.await.unwrap().release();
        assert!(poll_once(stalled).is_ready());
    });
}

#[test]
fn the_loser_of_a_select_passes_its_claim_on() {
    run(|_| async {
        static SLOT: Slot = Slot::new();
        let holder = async {
            let _claim = SLOT.claim().await.unwrap();
            pending::<()>().await;
        };
        match select(holder, Timer::after(SHORT)).await {
            Either::First(()) => panic!("the holder never ends"),
            Either::Second(()) => assert!(!SLOT.is_claimed()),
        }
    });
}

#[test]
fn a_full_pool_gives_the_future_back() {
    static POOL: Pool<Inline<64>, 2> = Pool::new();
    static TALLY: Tally = Tally::new();
    static SLOT: Slot = Slot::new();
    run(|spawner| async move {
        let pool = POOL.on(spawner);
        let work = || TALLY.ticket(Inline::new(async { drop(SLOT.claim().await) }));
        let held = SLOT.try_claim().unwrap();
        pool.spawn(work()).unwrap();
        pool.spawn(work()).unwrap();
        let Err(SpawnError::Busy(work)) = pool.spawn(work()) else {
            panic!("there are two places");
        };
        assert_eq!((TALLY.live(), TALLY.lost()), (2, 0));
        held.release();
        TALLY.joined().within(BOUND).await.unwrap();
        // The same future, now that there is a place.
        pool.spawn(TALLY.ticket(work)).unwrap();
        TALLY.joined().within(BOUND).await.unwrap();
        assert_eq!((TALLY.live(), TALLY.lost()), (0, 0));
    });
}

#[test]
fn a_cancelled_tally_ends_tasks_without_an_abort() {
    static POOL: Pool<Inline<64>, 2> = Pool::new();
    static TALLY: Tally = Tally::new();
    static SLOT: Slot = Slot::new();
    run(|spawner| async move {
        let claim = SLOT.try_claim().unwrap();
        let holds = async move {
            let _claim = claim;
            pending().await
        };
        POOL.on(spawner)
            .spawn(TALLY.ticket(Inline::new(holds)))
            .unwrap();
        assert!(SLOT.is_claimed());
        let next = SLOT.claim_timeout(BOUND);
        assert!(TALLY.cancel());
        next.await.unwrap().unwrap().release();
        TALLY.joined().within(BOUND).await.unwrap();
        assert!(!SLOT.is_claimed());
        assert_eq!(TALLY.lost(), 1);
    });
}

/// What embassy's own tasks cannot: be cancelled, joined and started again (their issue #3197).
#[test]
fn pooled_tasks_are_cancelled_joined_and_started_again() {
    static PROGRAM: Root = Root::new();
    static RADIO: ScopePlace = ScopePlace::new();
    static TASKS: ScopePool<Inline<256>, 2> = ScopePool::new();
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    static ENDED: AtomicUsize = AtomicUsize::new(0);

    /// Counts its end, however it comes.
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            ENDED.fetch_add(1, Ordering::SeqCst);
        }
    }

    run(|spawner| async move {
        let tasks = TASKS.on(spawner);
        for round in 1..=3 {
            let radio = PROGRAM.child_named_in(&RADIO, "radio").unwrap();
            let listens = |scope: SharedScope| {
                Inline::new(async move {
                    let _ends = Ends;
                    STARTED.fetch_add(1, Ordering::SeqCst);
                    scope.cx().cancelled().await;
                })
            };
            let deaf = |_| {
                Inline::new(async {
                    let _ends = Ends;
                    STARTED.fetch_add(1, Ordering::SeqCst);
                    pending().await
                })
            };
            radio.spawn(&tasks, listens).unwrap();
            radio.spawn(&tasks, deaf).unwrap();
            let refused = radio.spawn(&tasks, listens);
            assert!(matches!(refused, Err(SpawnError::Busy(_))), "two places");
            assert_eq!((radio.live(), radio.lost()), (2, 0));
            while STARTED.load(Ordering::SeqCst) < 2 * round {
                yield_now().await;
            }
            assert!(radio.cancel(Kind::Explicit));
            while ENDED.load(Ordering::SeqCst) < 2 * round - 1 {
                yield_now().await;
            }
            assert_eq!(radio.live(), 1, "one does not listen");
            let late = radio.spawn(&tasks, listens);
            assert!(matches!(late, Err(SpawnError::Refused(_))));
            assert!(radio.force(Kind::Limit));
            radio.joined().within(BOUND).await.unwrap();
            assert_eq!(ENDED.load(Ordering::SeqCst), 2 * round);
            assert_eq!((radio.live(), radio.lost()), (0, 1));
            // The last handle, and those in what was given back: the place is free for the next round.
            drop((radio, refused, late));
            assert!(!RADIO.is_taken());
        }
        assert_eq!(PROGRAM.attached(), 0);
    });
}
