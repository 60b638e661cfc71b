//! Ten minutes without a token endpoint, and a thousand callers that each ask once a second: how
//! often is it asked, by the policy that nobody changed?

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
    time::Duration,
};

use ecluse_core::{
    Refresher,
    refresh::{Current, Minted, NoValue, Policy},
    runtime::Clock,
};

use crate::{clock::Hand, kit::poll};

const CALLERS: usize = if cfg!(miri) { 2 } else { 1_000 };
const SECOND: u64 = 1_000;
const OUTAGE: u64 = 600 * SECOND;
/// Those of `Policy::new()`.
const THRESHOLD: u64 = 3;
const COOL_DOWN: u64 = 30 * SECOND;

type Asking<'a> = Pin<Box<dyn Future<Output = Result<Current<u32>, NoValue<()>>> + 'a>>;

/// What an outage came to.
struct Seen {
    mints: u64,
    served: u64,
    refused: u64,
    /// How long after its end the first was served.
    recovered: u64,
}

/// An outage that begins when the token has `left` to live; each mint takes `slow` to fail.
fn outage(left: u64, slow: u64) -> Seen {
    let clock = Hand::default();
    let cache = Refresher::<u32, (), Hand>::new(clock.clone(), Policy::new());
    let mints = Cell::new(0);
    let begin = 3_600 * SECOND - left;
    let mint = || {
        mints.set(mints.get() + 1);
        let until = clock.now() + slow;
        let clock = clock.clone();
        poll_fn(move |_| {
            let now = clock.now();
            if now < until {
                return Poll::Pending;
            }
            let up = now < begin || now >= begin + OUTAGE;
            let token = Minted::expires_in(1, Duration::from_secs(3_600));
            Poll::Ready(if up { Ok(token) } else { Err(()) })
        })
    };
    let mut asking: Vec<Option<Asking<'_>>> = (0..CALLERS).map(|_| None).collect();
    let (mut served, mut refused, mut recovered) = (0, 0, None);
    let mut second = |now: u64| {
        clock.jump(now);
        for asks in &mut asking {
            let asked = asks.get_or_insert_with(|| Box::pin(cache.get(mint)));
            match poll(asked.as_mut()) {
                Poll::Pending => continue,
                Poll::Ready(Ok(_)) if now < begin + OUTAGE => served += 1,
                Poll::Ready(Ok(_)) => recovered = recovered.or(Some(now)),
                Poll::Ready(Err(_)) => refused += 1,
            }
            *asks = None;
        }
    };
    // The token of before.
    second(0);
    second(slow);
    mints.set(0);
    let mut now = begin;
    while now < begin + OUTAGE {
        second(now);
        now += SECOND;
    }
    let during = mints.get();
    for _ in 0..120 {
        second(now);
        now += SECOND;
    }
    Seen {
        mints: during,
        served,
        refused,
        recovered: recovered.unwrap() - begin - OUTAGE,
    }
}

/// The most that the policy allows: up to the threshold, then a probe a cool-down.
const BOUND: u64 = THRESHOLD + OUTAGE / COOL_DOWN;

#[test]
fn a_thousand_callers_ask_a_dead_endpoint_twenty_times_in_ten_minutes() {
    for (left, slow) in [
        (0, 0),
        (0, 5 * SECOND),
        (20 * SECOND, 0),
        (20 * SECOND, 5 * SECOND),
    ] {
        let seen = outage(left, slow);
        println!(
            "{left} ms left, a mint fails in {slow} ms: {} mints, {} served, {} refused, back after {} ms",
            seen.mints, seen.served, seen.refused, seen.recovered
        );
        assert!(seen.mints <= BOUND, "{}", seen.mints);
        // It is not forgotten either.
        assert!(seen.mints >= OUTAGE / (COOL_DOWN + slow + SECOND));
        assert!(seen.recovered <= COOL_DOWN + slow + SECOND);
    }
}

#[test]
fn an_outage_within_a_tokens_life_is_noticed_by_nobody() {
    // Early refreshes begin thirty seconds and a random part before the end, thirty seconds at least.
    let seen = outage(OUTAGE + 60 * SECOND, 0);
    assert_eq!(seen.refused, 0);
    assert!(seen.served >= 600 * CALLERS as u64);
    assert!(seen.mints <= BOUND);
}
