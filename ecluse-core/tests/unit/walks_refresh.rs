//! `Refresher`, step by step, on a clock that the test moves. The faults of credential caches in the
//! field are tests here, each named after what went wrong.

use std::{
    cell::RefCell,
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};

use ecluse_core::{
    Refresher,
    refresh::{Breaker, Current, Minted, NoValue, Policy, Reader, Step},
    runtime::Clock,
};

use crate::{
    clock::Hand,
    kit::{Wakes, poll, poll_with, ready, within},
    walks_flight::Gate,
};

pub(crate) type Cache = Refresher<u32, &'static str, Hand>;

pub(crate) const POLICY: Policy = Policy::new()
    .early(Duration::from_millis(10))
    .back_off(Duration::from_millis(5), Duration::from_millis(20))
    .breaker(3, Duration::from_millis(100))
    .entropy(|| u64::MAX);
pub(crate) const LIFE: Duration = Duration::from_millis(100);

pub(crate) fn cache() -> (Hand, Cache) {
    let clock = Hand::default();
    (clock.clone(), Refresher::new(clock, POLICY))
}

/// One that must be over at its first poll.
pub(crate) fn now<T>(question: impl Future<Output = T>) -> T {
    ready(poll(pin!(question)))
}

/// A mint that succeeds at once.
pub(crate) async fn mint(value: u32) -> Result<Minted<u32>, &'static str> {
    Ok(Minted::expires_in(value, LIFE))
}

pub(crate) async fn fails() -> Result<Minted<u32>, &'static str> {
    Err("no")
}

pub(crate) async fn unneeded() -> Result<Minted<u32>, &'static str> {
    unreachable!("nobody should mint")
}

pub(crate) fn value<E: std::fmt::Debug>(got: Result<Current<u32>, E>) -> u32 {
    got.unwrap().value
}

type Got = Result<Current<u32>, NoValue<&'static str>>;

/// One that waits for a mint of 1, which has ended meanwhile; and what its leader got.
fn follower<'c, M, F>(
    cache: &'c Cache,
    make: M,
) -> (Current<u32>, Pin<Box<impl Future<Output = Got> + 'c>>)
where
    M: FnOnce() -> F + 'c,
    F: Future<Output = Result<Minted<u32>, &'static str>> + 'c,
{
    let gate = Gate::default();
    let mut leader = Box::pin(cache.get(|| async {
        gate.passed().await;
        mint(1).await
    }));
    assert!(poll(leader.as_mut()).is_pending());
    let mut follower = Box::pin(cache.get(make));
    assert!(poll(follower.as_mut()).is_pending());
    gate.open(0);
    (ready(poll(leader.as_mut())).unwrap(), follower)
}

#[test]
fn a_valid_value_is_served_until_it_is_due_and_refreshed_by_one() {
    let (clock, cache) = cache();
    assert_eq!(value(now(cache.get(|| mint(1)))), 1);
    clock.advance(89);
    assert_eq!(value(now(cache.get(unneeded))), 1);
    clock.advance(1);
    // Due, and one refreshes in line …
    let gate = Gate::default();
    let mut early = pin!(cache.get(|| async {
        gate.passed().await;
        mint(2).await
    }));
    assert!(poll(early.as_mut()).is_pending());
    // … while the others are served.
    assert_eq!(value(now(cache.get(unneeded))), 1);
    gate.open(0);
    assert_eq!(value(ready(poll(early.as_mut()))), 2);
    assert_eq!(value(now(cache.get(unneeded))), 2);
    assert_eq!(cache.snapshot().successes, 2);
}

#[test]
fn a_failed_early_refresh_destroys_no_valid_value() {
    let (clock, cache) = cache();
    assert_eq!(value(now(cache.get(|| mint(1)))), 1);
    clock.advance(90);
    assert_eq!(value(now(cache.get(fails))), 1);
    // Within the pause, which is half as long again by its jitter, nobody tries again.
    assert_eq!(value(now(cache.get(unneeded))), 1);
    clock.advance(7);
    assert_eq!(value(now(cache.get(unneeded))), 1);
    clock.advance(1);
    assert_eq!(value(now(cache.get(|| mint(2)))), 2);
}

#[test]
fn a_success_ends_the_pause_of_the_failure_before() {
    let (clock, cache) = cache();
    assert!(now(cache.get(fails)).is_err());
    let first = cache.get(|| async { Ok(Minted::expires_in(1, Duration::from_millis(10))) });
    assert_eq!(value(now(first)), 1);
    clock.advance(6);
    assert_eq!(value(now(cache.get(|| mint(2)))), 2);
}

#[test]
fn early_failures_are_no_further_apart_than_the_longest_pause_with_its_jitter() {
    let (clock, second) = (Hand::default(), Duration::from_secs(1));
    let policy = POLICY.early(4 * second).breaker(u32::MAX, second);
    let cache = Cache::new(clock.clone(), policy);
    let first = cache.get(|| async { Ok(Minted::expires_in(1, 10 * second)) });
    assert_eq!(value(now(first)), 1);
    clock.advance(6000);
    for failures in 1..=8 {
        assert_eq!(value(now(cache.get(fails))), 1);
        assert_eq!(cache.snapshot().failures, failures);
        clock.advance(30);
    }
}

/// The holders of like values would all refresh them at once.
#[test]
fn like_values_are_due_at_moments_of_their_own() {
    let (clock, second, life) = (Hand::default(), 1000, 3_600_000);
    let policy = Policy::new().early(Duration::from_secs(1));
    let cache = Cache::new(clock.clone(), policy);
    let mut leads = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let got = cache.get(|| async { Ok(Minted::expires_in(1, Duration::from_millis(life))) });
        assert_eq!(value(now(got)), 1);
        let (snapshot, began) = (cache.snapshot(), clock.now());
        assert_eq!(snapshot.minted, Some(began));
        assert_eq!(snapshot.expires, Some(began + life));
        let due = snapshot.refreshes.unwrap();
        assert!((began..=began + life - second).contains(&due));
        leads.insert(began + life - due);
        clock.advance(life);
    }
    // In milliseconds; few may be alike by chance.
    assert!(leads.len() >= 5, "{leads:?}");
}

#[test]
fn a_cancelled_refresh_is_no_failure_and_destroys_no_valid_value() {
    let (clock, cache) = cache();
    assert_eq!(value(now(cache.get(|| mint(1)))), 1);
    clock.advance(90);
    let mut early = Box::pin(cache.get(std::future::pending::<Result<_, _>>));
    assert!(poll(early.as_mut()).is_pending());
    assert!(cache.snapshot().refreshing);
    drop(early);
    let snapshot = cache.snapshot();
    assert_eq!(
        (snapshot.failures, snapshot.valid, snapshot.refreshing),
        (0, true, false)
    );
    assert_eq!(value(now(cache.get(|| mint(2)))), 2);
}

#[test]
fn a_client_time_out_does_not_fail_the_load_for_those_who_wait() {
    let (_, cache) = cache();
    let mut first = Box::pin(cache.get(std::future::pending::<Result<_, _>>));
    assert!(poll(first.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    let mut second = Box::pin(cache.get(|| mint(2)));
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    let mut third = Box::pin(cache.get(unneeded));
    assert!(poll(third.as_mut()).is_pending());
    drop(first);
    assert_eq!(wakes.count(), 1);
    assert_eq!(value(ready(poll(second.as_mut()))), 2);
    assert_eq!(value(ready(poll(third.as_mut()))), 2);
}

#[test]
fn failures_open_the_breaker_and_one_probe_closes_it() {
    let steps = RefCell::new(Vec::new());
    let clock = Hand::default();
    let cache = Refresher::<u32, &str, Hand, ecluse_core::DefaultLock, _>::with_observer(
        clock.clone(),
        POLICY,
        |step| steps.borrow_mut().push(step),
    );
    for _ in 0..3 {
        assert_eq!(now(cache.get(fails)).unwrap_err(), NoValue::Failed("no"));
    }
    assert_eq!(cache.snapshot().breaker, Breaker::Open);
    assert_eq!(now(cache.get(unneeded)).unwrap_err(), NoValue::Open);
    clock.advance(100);
    assert_eq!(cache.snapshot().breaker, Breaker::HalfOpen);
    // A probe that is cancelled is no failure and no lock-out.
    let mut probe = Box::pin(cache.get(std::future::pending::<Result<_, _>>));
    assert!(poll(probe.as_mut()).is_pending());
    let mut waits = Box::pin(cache.get(fails));
    assert!(poll(waits.as_mut()).is_pending());
    drop(probe);
    assert_eq!(
        ready(poll(waits.as_mut())).unwrap_err(),
        NoValue::Failed("no")
    );
    assert_eq!(now(cache.get(unneeded)).unwrap_err(), NoValue::Open);
    clock.advance(100);
    assert_eq!(value(now(cache.get(|| mint(1)))), 1);
    assert_eq!(cache.snapshot().breaker, Breaker::Closed);
    let steps = steps.borrow();
    let count = |wanted: Step| steps.iter().filter(|step| **step == wanted).count();
    assert_eq!((count(Step::Opened), count(Step::Closed)), (2, 1));
    assert_eq!(count(Step::Minting { early: false }), 6);
    assert!(steps.contains(&Step::Failed { in_a_row: 4 }));
}

#[test]
fn values_that_expire_on_arrival_make_no_busy_loop() {
    let (_, cache) = cache();
    for _ in 0..3 {
        let got = now(cache.get(|| async { Ok(Minted::expires_in(1, Duration::ZERO)) }));
        assert_eq!(got.unwrap_err(), NoValue::Expired);
    }
    assert_eq!(now(cache.get(unneeded)).unwrap_err(), NoValue::Open);
}

#[test]
fn a_value_of_a_short_life_is_minted_once_a_life() {
    let (clock, cache) = cache();
    let mut mints = 0;
    for _ in 0..100 {
        let got = now(cache.get(|| {
            mints += 1;
            async { Ok(Minted::expires_in(1, Duration::from_millis(10))) }
        }));
        assert_eq!(value(got), 1);
        clock.advance(1);
    }
    assert!((10..=20).contains(&mints), "{mints}");
}

#[test]
fn a_late_refusal_of_an_older_value_renews_nothing() {
    let (_, cache) = cache();
    let first = now(cache.get(|| mint(1))).unwrap();
    assert!(cache.invalidate(first.version));
    assert!(!cache.snapshot().valid);
    assert_eq!(cache.peek(), None);
    let second = now(cache.get(|| mint(2))).unwrap();
    assert_eq!(second.value, 2);
    assert!(!cache.invalidate(first.version));
    assert_eq!(value(now(cache.get(unneeded))), 2);
    assert!(cache.snapshot().valid);
}

#[test]
fn a_value_without_an_expiry_is_never_refreshed() {
    let (clock, cache) = cache();
    assert_eq!(
        value(now(cache.get(|| async { Ok(Minted::for_ever(1)) }))),
        1
    );
    clock.advance(u64::MAX / 2);
    assert_eq!(value(now(cache.get(unneeded))), 1);
}

#[test]
fn a_follower_decides_by_the_clock_after_its_wait() {
    let (clock, cache) = cache();
    let (first, mut follower) = follower(&cache, || mint(2));
    assert_eq!(first.value, 1);
    // It is polled so late that what it waited for has expired.
    clock.advance(100);
    assert_eq!(value(ready(poll(follower.as_mut()))), 2);
}

#[test]
fn a_follower_that_comes_too_late_tries_nothing_while_the_breaker_is_open() {
    let (clock, cache) = cache();
    let (first, mut follower) = follower(&cache, unneeded);
    assert_eq!(first.value, 1);
    clock.advance(100);
    for _ in 0..3 {
        assert_eq!(now(cache.get(fails)).unwrap_err(), NoValue::Failed("no"));
    }
    assert_eq!(ready(poll(follower.as_mut())).unwrap_err(), NoValue::Open);
}

#[test]
fn a_value_that_was_replaced_is_not_kept() {
    let clock = Hand::default();
    let cache = Refresher::<Arc<()>, (), Hand>::new(clock.clone(), POLICY);
    let mint = || async { Ok(Minted::expires_in(Arc::new(()), LIFE)) };
    let first = now(cache.get(mint)).unwrap().value;
    assert_eq!(Arc::strong_count(&first), 2);
    clock.advance(90);
    now(cache.get(mint)).unwrap();
    assert_eq!(Arc::strong_count(&first), 1);
}

/// A value is read by several threads at once, none of which is forgotten, or counted for another: a
/// later value would wait for a reader that has left.
#[test]
fn readers_of_several_threads_hold_up_no_later_value() {
    struct Stopped;
    impl Clock for Stopped {
        type Instant = u64;
        fn now(&self) -> u64 {
            0
        }
        fn after(&self, from: u64, _: Duration) -> u64 {
            from
        }
    }
    const TIMES: usize = if cfg!(miri) { 10 } else { 100_000 };
    within(|| {
        let cache = Refresher::<u32, &'static str, Stopped>::new(Stopped, POLICY);
        for round in 0..4 {
            // Twice: the second goes to where the readers of the round before were.
            for number in [2 * round, 2 * round + 1] {
                let got = now(cache.get(async || Ok(Minted::for_ever(number)))).unwrap();
                assert_eq!(got.value, number);
                if number % 2 == 1 {
                    let start = Barrier::new(2);
                    thread::scope(|scope| {
                        for _ in 0..2 {
                            scope.spawn(|| {
                                start.wait();
                                for _ in 0..TIMES {
                                    assert_eq!(value(now(cache.get(unneeded))), number);
                                }
                            });
                        }
                    });
                }
                assert!(cache.invalidate(got.version));
            }
        }
    });
}

#[test]
fn a_reader_clones_only_what_is_new() {
    let (clock, cache) = cache();
    let mut reader = Reader::new(&cache);
    assert_eq!(reader.peek(), None);
    assert_eq!(now(reader.get(|| mint(1))), Ok(&1));
    assert_eq!(reader.peek(), Some(&1));
    assert_eq!(now(reader.get(unneeded)), Ok(&1));
    assert!(cache.invalidate(reader.version().unwrap()));
    assert_eq!(reader.peek(), None);
    assert_eq!(value(now(cache.get(|| mint(2)))), 2);
    assert_eq!(now(reader.get(unneeded)), Ok(&2));
    clock.advance(100);
    assert_eq!((reader.peek(), *reader.last().unwrap().value), (None, 2));
    assert!(!cache.snapshot().valid);
    assert_eq!(reader.refresher().snapshot().successes, 2);
}

#[test]
fn priming_fails_loudly() {
    let (_, cache) = cache();
    assert_eq!(now(cache.prime(fails)).unwrap_err(), NoValue::Failed("no"));
    let (_, cache) = self::cache();
    let cache = now(cache.prime(|| mint(1))).unwrap();
    assert_eq!(cache.peek().unwrap().value, 1);
    assert!(format!("{cache:?}").contains("valid: true"));
}

#[test]
fn a_mint_that_asks_for_its_own_value_is_told_so() {
    let (_, cache) = cache();
    let got = now(cache.get(|| async {
        let own = cache.get(unneeded).await;
        assert!(matches!(own, Err(NoValue::NoRun(_))), "{own:?}");
        mint(1).await
    }));
    assert_eq!(value(got), 1);
}

#[test]
fn a_refused_value_is_not_given_to_a_late_follower() {
    let (_, cache) = cache();
    let (first, mut follower) = follower(&cache, || mint(2));
    assert!(cache.invalidate(first.version));
    assert_eq!(value(ready(poll(follower.as_mut()))), 2);
}

#[test]
fn what_was_no_value_is_not_invalidated() {
    let (_, cache) = cache();
    assert!(!cache.invalidate(cache.snapshot().version));
    let first = now(cache.get(|| mint(1))).unwrap();
    assert_eq!(cache.snapshot().version, first.version);
    assert!(cache.invalidate(first.version));
    assert!(!cache.invalidate(cache.snapshot().version));
    let second = now(cache.get(|| mint(2))).unwrap();
    assert_ne!(first.version, second.version);
    assert_eq!(cache.peek(), Some(second));
}

#[test]
fn a_clock_that_jumps_back_locks_nobody_out() {
    let (clock, cache) = cache();
    clock.jump(1_000_000);
    for _ in 0..3 {
        assert!(now(cache.get(fails)).is_err());
    }
    assert_eq!(now(cache.get(unneeded)).unwrap_err(), NoValue::Open);
    // Open until 1,000,100, by the clock of then.
    clock.jump(5);
    assert_eq!(cache.snapshot().breaker, Breaker::HalfOpen);
    assert_eq!(now(cache.get(fails)).unwrap_err(), NoValue::Failed("no"));
    // One try a jump, no storm.
    assert_eq!(now(cache.get(unneeded)).unwrap_err(), NoValue::Open);
    clock.advance(100);
    assert_eq!(value(now(cache.get(|| mint(1)))), 1);
}

#[test]
fn a_clock_that_jumps_back_makes_a_value_due_once() {
    let (clock, cache) = cache();
    clock.jump(1_000_000);
    assert_eq!(value(now(cache.get(|| mint(1)))), 1);
    clock.jump(5);
    // Nobody knows how long it is good for; it is served while nothing better is there.
    assert_eq!(value(now(cache.get(fails))), 1);
    assert_eq!(value(now(cache.get(unneeded))), 1);
    clock.advance(10);
    assert_eq!(value(now(cache.get(|| mint(2)))), 2);
    assert_eq!(value(now(cache.get(unneeded))), 2);
    // Back within a mint: counted from the earlier moment.
    let got = now(cache.get(|| async { unreachable!("it is fresh") }));
    assert_eq!(value(got), 2);
    clock.jump(1_000_000);
    let got = now(cache.get(|| {
        clock.jump(50);
        mint(3)
    }));
    assert_eq!(value(got), 3);
    assert_eq!(value(now(cache.get(unneeded))), 3);
    assert_eq!(cache.snapshot().expires, Some(150));
}

#[test]
fn a_clock_that_jumps_to_and_fro_makes_no_storm() {
    let (clock, cache) = cache();
    let (mut mints, mut state) = (0, 7_u64);
    for _ in 0..if cfg!(miri) { 20 } else { 1000 } {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        clock.jump(state >> 54);
        for _ in 0..100 {
            let _ = now(cache.get(|| {
                mints += 1;
                let fails = mints % 2 == 0;
                async move { if fails { Err("no") } else { mint(1).await } }
            }));
        }
    }
    // A jump can cost the failures up to the breaker's threshold, and then nothing.
    assert!(mints <= 4 * 1000, "{mints}");
}

#[test]
fn each_reason_says_what_it_is() {
    use std::error::Error;
    let text = |why: NoValue<std::fmt::Error>| why.to_string();
    let failed = NoValue::Failed(std::fmt::Error);
    assert!(text(failed).starts_with("the refresh failed: "));
    assert!(failed.source().is_some());
    assert!(text(NoValue::Expired).contains("expired on arrival"));
    assert!(text(NoValue::Open).contains("none is tried"));
    assert!(NoValue::<std::fmt::Error>::Open.source().is_none());
    let own = NoValue::<std::fmt::Error>::NoRun(ecluse_core::NoAnswer::Recursive);
    assert!(text(own).starts_with("no refresh to wait for: "));
    assert!(own.source().is_some());
}
