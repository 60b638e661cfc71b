//! What the adapter promises beyond the core, on smol and on async-std. Every wait is bounded.
#![allow(clippy::std_instead_of_core, reason = "these run on hosts only")]

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use ecluse_smol::{
    Cancelled, Cx, First, Line, Outcome, Revocable, Root, Slot, SlotExt, SmolSpawn, SmolSpawnOn,
    SmolTimer, TimedOut, WaitExt,
    async_std::AsyncStdSpawn,
    cancel::Kind,
    line::{HoldEnd, OwnedToken},
    or_event,
    runtime::{Abort, Clock, Spawn, Tally, Ticket},
    under,
};
use event_listener::{Event, Listener};
use smol::Executor;

const BOUND: Duration = Duration::from_secs(20);

fn send<T: Send>(value: T) -> T {
    value
}

fn poll_once<F: Future>(future: core::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_tasks_need_can_be_sent() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<Slot<Revocable>>();
    is_sync::<Slot<Revocable>>();
    is_send::<OwnedToken>();
    is_send::<HoldEnd<Arc<Line>>>();
    is_send::<SmolSpawnOn<Arc<Executor<'static>>>>();
    is_send::<ecluse_smol::SmolAbort>();
    is_send::<ecluse_smol::async_std::AsyncStdAbort>();
    is_send::<Ticket<core::future::Ready<()>, Arc<Tally>>>();
    let slot: Slot<Revocable> = Slot::new();
    drop(send(slot.claim_timeout(BOUND)));
    drop(send(slot.released_timeout(BOUND)));
    drop(send(slot.claim_with_stall_bound(BOUND)));
    drop(send(or_event(slot.claim(), Event::new().listen())));
}

#[test]
fn a_bound_ends_a_wait() {
    smol::block_on(async {
        let slot: Slot = Slot::new();
        let held = slot.try_claim().unwrap();
        let short = Duration::from_millis(2);
        let start = SmolTimer.now();
        assert!(matches!(slot.claim_timeout(short).await, Err(TimedOut)));
        assert!(start.elapsed() >= short);
        assert!(matches!(slot.released_timeout(short).await, Err(TimedOut)));
        assert!(!slot.has_waiters());
        held.release();
        assert!(slot.claim_timeout(BOUND).await.unwrap().is_ok());
    });
}

#[test]
fn a_timeout_that_races_a_grant_keeps_it() {
    let slot: Slot = Slot::new();
    let held = slot.try_claim().unwrap();
    // Its time is over before it is polled first: only the grant can make it succeed.
    let mut claim = pin!(
        slot.claim()
            .until(SmolTimer.now() + Duration::from_millis(1))
    );
    assert!(poll_once(claim.as_mut()).is_pending());
    smol::block_on(smol::Timer::after(Duration::from_millis(2)));
    held.release();
    let claim = smol::block_on(claim).expect("the grant came");
    claim.unwrap().release();
    assert!(!slot.is_claimed());
}

#[test]
fn a_stalled_grantee_is_passed_over() {
    let slot: Slot<Revocable> = Slot::new();
    let held = slot.try_claim().unwrap();
    let mut stalled = pin!(slot.claim());
    assert!(poll_once(stalled.as_mut()).is_pending());
    let mut next = pin!(slot.claim_with_stall_bound(Duration::from_millis(1)));
    assert!(poll_once(next.as_mut()).is_pending());
    held.release();
    smol::block_on(next).unwrap().release();
    assert!(poll_once(stalled).is_ready());
}

/// Aborting releases, dropping the abort handle does not.
fn aborts<S: Spawn<Body, Arc<Tally>>>(spawn: &S) {
    let slot: Arc<Slot> = Arc::new(Slot::new());
    let tally: Arc<Tally> = Arc::default();
    let spawn_holder = |tally: &Arc<Tally>| {
        let claim = Slot::try_claim_owned(&slot).unwrap();
        let body: Body = Box::pin(async move {
            let _claim = claim;
            pending().await
        });
        spawn.spawn(Tally::ticket_owned(tally, body)).unwrap()
    };
    drop(spawn_holder(&tally));
    let released = slot.released_blocking_timeout(Duration::from_millis(20));
    assert_eq!(released, Err(TimedOut), "the task goes on");
    assert!(tally.cancel());
    tally.joined().block_timeout(BOUND).unwrap();
    assert!(!slot.is_claimed());

    let tally: Arc<Tally> = Arc::default();
    let abort = spawn_holder(&tally);
    let next = slot.claim_timeout(BOUND);
    abort.abort();
    let claim = smol::block_on(next).unwrap().unwrap();
    let abandoned = Outcome::Abandoned { by_panic: false };
    assert!(claim.inherited().is_none_or(|how| how == abandoned));
    tally.joined().block_timeout(BOUND).unwrap();
    assert_eq!(tally.lost(), 1);
}

type Body = core::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[test]
fn tasks_of_smol_abort() {
    aborts(&SmolSpawn);
}

#[test]
fn tasks_of_async_std_abort() {
    aborts(&AsyncStdSpawn);
}

#[test]
fn tasks_of_an_executor_of_ones_own_abort() {
    let executor = Arc::new(Executor::new());
    let running = Arc::clone(&executor);
    let (stop, stopped) = smol::channel::bounded::<()>(1);
    let runner = std::thread::spawn(move || smol::block_on(running.run(stopped.recv())));
    aborts(&SmolSpawnOn(executor));
    drop(stop);
    assert!(runner.join().unwrap().is_err());
}

#[test]
fn an_executor_that_is_dropped_releases_what_its_tasks_held() {
    let slot: Arc<Slot> = Arc::new(Slot::new());
    let tally: Arc<Tally> = Arc::default();
    let executor = Arc::new(Executor::new());
    let spawn = SmolSpawnOn(Arc::clone(&executor));
    let claim = Slot::try_claim_owned(&slot).unwrap();
    let ticket = Tally::ticket_owned(&tally, async move { drop(claim) });
    drop(spawn.spawn(ticket).unwrap());
    assert!(slot.is_claimed());
    drop((spawn, executor));
    assert!(!slot.is_claimed());
    assert_eq!((tally.live(), tally.lost()), (0, 1));
}

#[test]
fn of_a_wait_and_an_event_neither_is_lost() {
    let slot: Slot = Slot::new();
    let event = Event::new();

    // Both before it looks: the claim is observed, and the notification used up.
    let held = slot.try_claim().unwrap();
    let mut both = pin!(or_event(slot.claim(), event.listen()));
    assert!(poll_once(both.as_mut()).is_pending());
    event.notify(1);
    held.release();
    let Poll::Ready(First::Wait(claim)) = poll_once(both.as_mut()) else {
        panic!("granted");
    };
    let other = event.listen();
    drop(claim);
    assert!(other.wait_timeout(Duration::ZERO).is_none());

    // The wait wins: the notification goes on to the next listener.
    let held = slot.try_claim().unwrap();
    let mut first = pin!(or_event(slot.claim(), event.listen()));
    assert!(poll_once(first.as_mut()).is_pending());
    let second = event.listen();
    event.notify(1);
    held.release();
    assert!(matches!(
        poll_once(first.as_mut()),
        Poll::Ready(First::Wait(Ok(_)))
    ));
    assert!(second.wait_timeout(BOUND).is_some());

    // The event wins: the claim goes to the next waiter.
    let held = slot.try_claim().unwrap();
    let mut first = pin!(or_event(slot.claim(), event.listen()));
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = pin!(slot.claim());
    assert!(poll_once(second.as_mut()).is_pending());
    event.notify(1);
    assert!(matches!(
        poll_once(first.as_mut()),
        Poll::Ready(First::Event)
    ));
    held.release();
    assert!(poll_once(second.as_mut()).is_ready());

    // Dropped with a grant that it had not seen: passed on.
    let slot: Slot = Slot::new();
    let held = slot.try_claim().unwrap();
    {
        let mut dropped = pin!(or_event(slot.claim(), event.listen()));
        assert!(poll_once(dropped.as_mut()).is_pending());
        held.release();
    }
    assert!(!slot.is_claimed());
}

/// Says that it was dropped.
struct Said(Arc<AtomicBool>);

impl Drop for Said {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A body that never ends, and what says that it was dropped.
fn endless() -> (impl Future<Output = ()> + Send + 'static, Arc<AtomicBool>) {
    let dropped = Arc::new(AtomicBool::new(false));
    let said = Said(dropped.clone());
    let body = async move {
        let _said = said;
        pending::<()>().await;
    };
    (body, dropped)
}

/// The same of both executors: what `join` joins under a scope is cancelled with it.
async fn is_cancelled_and_its_end_waited_for<J, F>(join: J)
where
    J: Fn(Cx<'static>, Pin<Box<dyn Future<Output = ()> + Send>>) -> F,
    F: Future<Output = Result<(), Cancelled>>,
{
    let root: &'static Root = Box::leak(Box::default());
    let (body, dropped) = endless();
    let joined = join(root.cx(), Box::pin(body));
    let cancels = async {
        smol::future::yield_now().await;
        root.cancel(Kind::Shutdown);
    };
    let (ended, ()) = smol::future::zip(joined, cancels).await;
    assert_eq!(ended.unwrap_err().reason().kind(), Kind::Shutdown);
    assert!(dropped.load(Ordering::SeqCst));
    // Dropped itself, it cancels the task.
    let root: &'static Root = Box::leak(Box::default());
    let (body, dropped) = endless();
    drop(join(root.cx(), Box::pin(body)));
    while !dropped.load(Ordering::SeqCst) {
        smol::future::yield_now().await;
    }
    assert_eq!(join(root.cx(), Box::pin(async {})).await, Ok(()));
}

fn bounded(test: impl Future<Output = ()>) {
    let over = async {
        smol::Timer::after(BOUND).await;
        panic!("it hangs");
    };
    smol::block_on(smol::future::or(test, over));
}

#[test]
fn a_task_under_a_scope_is_cancelled_and_its_end_waited_for() {
    bounded(is_cancelled_and_its_end_waited_for(|cx, body| {
        let task = smol::spawn(body);
        send(under(cx, task))
    }));
    bounded(is_cancelled_and_its_end_waited_for(|cx, body| {
        let task = async_std::task::spawn(body);
        send(ecluse_smol::async_std::under(cx, task))
    }));
}
