//! r01–r06: a value with an expiry, on a clock that the case moves.

use core::future::pending;
use core::time::Duration;

use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::counter;
use super::super::subject::ListLock;
use super::super::subject::refresh::{Breaker, Minted, NoValue, Policy, Reader};
use super::flight_parts::Gate;
use crate::kit::{MockClock, Parked, TestWaker, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine refresh:
    r01_valid_value_is_served_while_one_refreshes,
    r01_failed_refresh_destroys_no_valid_value,
    r01_cancelled_refresh_destroys_no_valid_value,
    r01_reader_clones_only_what_is_new,
    r02_expired_callers_share_one_mint,
    r02_lost_minter_is_succeeded_by_exactly_one,
    r02_follower_decides_by_the_clock_after_its_wait,
    r02_tasks_never_mint_two_at_a_time,
    r03_due_value_is_refreshed_before_it_expires,
    r04_failures_open_the_breaker_and_one_probe_closes_it,
    r04_cancelled_probe_is_no_failure_and_no_lock_out,
    r04_value_that_expired_on_arrival_is_a_failure,
    r04_short_lives_are_minted_once_a_life,
    r05_late_refusal_of_an_older_value_renews_nothing,
    r06_value_without_an_expiry_is_never_refreshed,
}

type Cache = ecluse_core::Refresher<u32, &'static str, &'static MockClock, ListLock>;
type Mint = Result<Minted<u32>, &'static str>;

const MS: Duration = Duration::from_millis(1);
const LIFE: Duration = Duration::from_millis(100);
const POLICY: Policy = Policy::new()
    .early(Duration::from_millis(10))
    .back_off(Duration::from_millis(5), Duration::from_millis(20))
    .breaker(3, Duration::from_millis(100))
    .entropy(|| u64::MAX);

fn new<R: Runtime>(rt: R) -> (&'static MockClock, &'static Cache) {
    let clock: &'static MockClock = rt.put(MockClock::new());
    (clock, rt.put(Cache::new(clock, POLICY)))
}

async fn mint(value: u32) -> Mint {
    Ok(Minted::expires_in(value, LIFE))
}

async fn fails() -> Mint {
    Err("no")
}

async fn unneeded() -> Mint {
    panic!("nobody should mint")
}

/// A mint that is over when its gate is opened.
async fn gated(gate: &'static Gate) -> Mint {
    mint(gate.pass().await).await
}

/// The value that is served at once, without a mint.
#[track_caller]
fn served(cache: &'static Cache) -> u32 {
    cache.peek().expect("there is a valid value").value
}

async fn r01_valid_value_is_served_while_one_refreshes<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let (gate, waker, early) = (
        rt.put(Gate::new()),
        rt.put(TestWaker::new()),
        rt.put(Parked::new()),
    );
    assert!(cache.peek().is_none());
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    clock.advance(90 * MS);
    early.park(cache.get(|| gated(gate)));
    early.pending(&waker.waker());
    for _ in 0..10 {
        assert_eq!(cache.get(unneeded).await.map(|got| got.value), Ok(1));
    }
    gate.open(2);
    assert_eq!(early.ready().map(|got| got.value), Ok(2));
    assert_eq!((served(cache), cache.snapshot().successes), (2, 2));
    Verdict::Pass
}

async fn r01_failed_refresh_destroys_no_valid_value<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    clock.advance(90 * MS);
    // Its own mint fails, and it is served all the same; within the pause nobody tries.
    assert_eq!(cache.get(fails).await.map(|got| got.value), Ok(1));
    assert_eq!(cache.get(unneeded).await.map(|got| got.value), Ok(1));
    assert_eq!(cache.snapshot().failures, 1);
    clock.advance(8 * MS);
    assert_eq!(cache.get(|| mint(2)).await.map(|got| got.value), Ok(2));
    Verdict::Pass
}

async fn r01_cancelled_refresh_destroys_no_valid_value<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let (waker, early) = (rt.put(TestWaker::new()), rt.put(Parked::new()));
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    clock.advance(90 * MS);
    early.park(cache.get(pending::<Mint>));
    early.pending(&waker.waker());
    assert!(cache.snapshot().refreshing);
    early.leave();
    let snapshot = cache.snapshot();
    assert!(snapshot.valid && !snapshot.refreshing);
    assert_eq!((snapshot.failures, served(cache)), (0, 1));
    assert_eq!(cache.get(|| mint(2)).await.map(|got| got.value), Ok(2));
    assert_eq!(waker.live(), 0);
    Verdict::Pass
}

async fn r01_reader_clones_only_what_is_new<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let mut reader = Reader::new(cache);
    assert!(reader.peek().is_none());
    assert_eq!(reader.get(|| mint(1)).await, Ok(&1));
    assert_eq!(reader.peek(), Some(&1));
    assert!(cache.invalidate(reader.version().expect("it has read")));
    assert!(reader.peek().is_none());
    assert_eq!(cache.get(|| mint(2)).await.map(|got| got.value), Ok(2));
    assert_eq!(reader.get(unneeded).await, Ok(&2));
    clock.advance(LIFE);
    assert!(reader.peek().is_none());
    Verdict::Pass
}

async fn r02_expired_callers_share_one_mint<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let (gate, waker) = (rt.put(Gate::new()), rt.put(TestWaker::new()));
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    clock.advance(LIFE);
    assert!(cache.peek().is_none());
    let first = rt.put(Parked::new());
    first.park(cache.get(|| gated(gate)));
    first.pending(&waker.waker());
    let others = core::array::from_fn::<_, 5, _>(|_| rt.put(Parked::new()));
    for other in others {
        other.park(cache.get(unneeded));
        other.pending(&waker.waker());
    }
    gate.open(2);
    assert_eq!(first.ready().map(|got| got.value), Ok(2));
    assert_eq!(waker.wakes(), 5);
    for other in others {
        assert_eq!(other.ready().map(|got| got.value), Ok(2));
    }
    assert_eq!(gate.begun(), 1);
    Verdict::Pass
}

async fn r02_lost_minter_is_succeeded_by_exactly_one<R: Runtime>(rt: R) -> Verdict {
    let (_, cache) = new(rt);
    let (gate, idle) = (rt.put(Gate::new()), rt.put(TestWaker::new()));
    let [heir_waker, last_waker] = [(); 2].map(|()| rt.put(TestWaker::new()));
    let (first, heir, last) = (
        rt.put(Parked::new()),
        rt.put(Parked::new()),
        rt.put(Parked::new()),
    );
    first.park(cache.get(pending::<Mint>));
    first.pending(&idle.waker());
    heir.park(cache.get(|| gated(gate)));
    heir.pending(&heir_waker.waker());
    last.park(cache.get(unneeded));
    last.pending(&last_waker.waker());
    // A client's time-out ends no load for the others.
    first.leave();
    assert_eq!((heir_waker.wakes(), last_waker.wakes()), (1, 0));
    heir.pending(&heir_waker.waker());
    gate.open(3);
    assert_eq!(heir.ready().map(|got| got.value), Ok(3));
    assert_eq!(last.ready().map(|got| got.value), Ok(3));
    assert_eq!((gate.begun(), cache.snapshot().failures), (1, 0));
    Verdict::Pass
}

async fn r02_follower_decides_by_the_clock_after_its_wait<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let (gate, waker) = (rt.put(Gate::new()), rt.put(TestWaker::new()));
    let (first, late) = (rt.put(Parked::new()), rt.put(Parked::new()));
    first.park(cache.get(|| gated(gate)));
    first.pending(&waker.waker());
    late.park(cache.get(|| mint(2)));
    late.pending(&waker.waker());
    gate.open(1);
    assert_eq!(first.ready().map(|got| got.value), Ok(1));
    // It is polled so late that what it waited for has expired.
    clock.advance(LIFE);
    assert_eq!(late.ready().map(|got| got.value), Ok(2));
    Verdict::Pass
}

async fn r02_tasks_never_mint_two_at_a_time<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    let (clock, cache) = new(rt);
    let (inside, mints) = (counter(rt), counter(rt));
    let rounds = rt.count(1_200) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                let got = cache.get(|| minting(inside, mints)).await;
                let got = got.expect("no mint fails");
                // Some refuse what they were given; late ones refuse an older value.
                if (task + round) % 7 == 0 {
                    cache.invalidate(got.version);
                }
                // Short steps: no mint takes longer than a value lives.
                if task == 0 && round % 4 == 0 {
                    clock.advance(10 * MS);
                }
                yield_now().await;
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    let snapshot = cache.snapshot();
    assert_eq!(snapshot.successes as usize, mints.load(Ordering::SeqCst));
    assert!(!snapshot.refreshing && snapshot.failures == 0);
    Verdict::Pass
}

/// A mint that sees that it is the only one.
async fn minting(inside: &'static AtomicUsize, mints: &'static AtomicUsize) -> Mint {
    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two mints");
    yield_now().await;
    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
    mint(mints.fetch_add(1, Ordering::SeqCst) as u32).await
}

async fn r03_due_value_is_refreshed_before_it_expires<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    let due = cache.snapshot().refreshes.expect("it expires");
    let expires = cache.snapshot().expires.expect("it expires");
    assert!(due < expires);
    clock.advance(89 * MS);
    assert_eq!(cache.get(unneeded).await.map(|got| got.value), Ok(1));
    clock.advance(MS);
    assert_eq!(cache.get(|| mint(2)).await.map(|got| got.value), Ok(2));
    assert!(cache.snapshot().expires > Some(expires));
    Verdict::Pass
}

async fn r04_failures_open_the_breaker_and_one_probe_closes_it<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    for _ in 0..3 {
        assert_eq!(cache.get(fails).await.err(), Some(NoValue::Failed("no")));
    }
    assert_eq!(cache.snapshot().breaker, Breaker::Open);
    assert_eq!(cache.get(unneeded).await.err(), Some(NoValue::Open));
    clock.advance(LIFE);
    assert_eq!(cache.snapshot().breaker, Breaker::HalfOpen);
    assert_eq!(cache.get(fails).await.err(), Some(NoValue::Failed("no")));
    assert_eq!(cache.get(unneeded).await.err(), Some(NoValue::Open));
    clock.advance(LIFE);
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    let snapshot = cache.snapshot();
    assert_eq!(snapshot.breaker, Breaker::Closed);
    assert_eq!((snapshot.failures, snapshot.failures_in_a_row), (4, 0));
    Verdict::Pass
}

async fn r04_cancelled_probe_is_no_failure_and_no_lock_out<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let (waker, probe) = (rt.put(TestWaker::new()), rt.put(Parked::new()));
    for _ in 0..3 {
        assert!(cache.get(fails).await.is_err());
    }
    clock.advance(LIFE);
    probe.park(cache.get(pending::<Mint>));
    probe.pending(&waker.waker());
    probe.leave();
    assert_eq!(cache.snapshot().failures, 3);
    assert_eq!(cache.get(|| mint(1)).await.map(|got| got.value), Ok(1));
    Verdict::Pass
}

async fn r04_value_that_expired_on_arrival_is_a_failure<R: Runtime>(rt: R) -> Verdict {
    let (_, cache) = new(rt);
    for _ in 0..3 {
        let got = cache.get(|| async { Ok(Minted::expires_in(1, Duration::ZERO)) });
        assert_eq!(got.await.err(), Some(NoValue::Expired));
    }
    // No busy loop: nobody tries for a while.
    assert_eq!(cache.get(unneeded).await.err(), Some(NoValue::Open));
    Verdict::Pass
}

async fn r04_short_lives_are_minted_once_a_life<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let mints = counter(rt);
    for _ in 0..100 {
        let short = || async {
            mints.fetch_add(1, Ordering::SeqCst);
            Ok(Minted::expires_in(1, 10 * MS))
        };
        assert_eq!(cache.get(short).await.map(|got| got.value), Ok(1));
        clock.advance(MS);
    }
    let mints = mints.load(Ordering::SeqCst);
    assert!((10..=20).contains(&mints), "{mints} mints");
    Verdict::Pass
}

async fn r05_late_refusal_of_an_older_value_renews_nothing<R: Runtime>(rt: R) -> Verdict {
    let (_, cache) = new(rt);
    let first = cache.get(|| mint(1)).await.expect("it mints");
    assert!(cache.invalidate(first.version));
    assert!(!cache.invalidate(first.version));
    assert!(cache.peek().is_none() && !cache.snapshot().valid);
    let second = cache.get(|| mint(2)).await.expect("it mints");
    assert_ne!(first.version, second.version);
    // The 401s of requests that were sent with the first one arrive now.
    for _ in 0..5 {
        assert!(!cache.invalidate(first.version));
        assert_eq!(cache.get(unneeded).await.map(|got| got.value), Ok(2));
    }
    Verdict::Pass
}

async fn r06_value_without_an_expiry_is_never_refreshed<R: Runtime>(rt: R) -> Verdict {
    let (clock, cache) = new(rt);
    let got = cache.get(|| async { Ok(Minted::for_ever(1)) });
    assert_eq!(got.await.map(|got| got.value), Ok(1));
    for _ in 0..100 {
        clock.advance(Duration::from_secs(10));
        assert_eq!(cache.get(unneeded).await.map(|got| got.value), Ok(1));
    }
    assert_eq!(cache.snapshot().successes, 1);
    Verdict::Pass
}
