//! A refresher whose value and clock come back to it in the middle of a step, or panic.

use std::{cell::RefCell, pin::pin, rc::Rc, time::Duration};

use ecluse_core::{
    Refresher,
    refresh::{Minted, NoValue, Version},
    runtime::Clock,
};

use crate::{
    kit::{Wakes, panic_of, poll, poll_with, ready},
    walks_flight::Gate,
    walks_refresh::{LIFE, POLICY, now},
};

thread_local! {
    /// What the next such step does.
    static STRIKES: RefCell<Vec<(At, Strike)>> = const { RefCell::new(Vec::new()) };
}

type Strike = Box<dyn FnOnce()>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Clone(u32),
    Drop(u32),
    Clock,
}

fn strike_at(at: At, strike: impl FnOnce() + 'static) {
    STRIKES.with_borrow_mut(|strikes| strikes.push((at, Box::new(strike))));
}

fn reach(at: At) {
    let strike = STRIKES.with_borrow_mut(|strikes| {
        let place = strikes.iter().position(|(other, _)| *other == at)?;
        Some(strikes.remove(place).1)
    });
    if let Some(strike) = strike {
        strike();
    }
}

fn struck() -> bool {
    STRIKES.with_borrow(Vec::is_empty)
}

/// Strikes when it is cloned or dropped.
#[derive(Debug, PartialEq)]
struct Hostile(u32);

impl Clone for Hostile {
    fn clone(&self) -> Self {
        reach(At::Clone(self.0));
        Self(self.0)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        reach(At::Drop(self.0));
    }
}

/// Strikes when it is read.
#[derive(Clone, Default)]
struct Moody(crate::clock::Hand);

impl Clock for Moody {
    type Instant = u64;

    fn now(&self) -> u64 {
        reach(At::Clock);
        self.0.now()
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        self.0.after(from, by)
    }
}

type Cache = Refresher<Hostile, &'static str, Moody>;

fn cache() -> (Moody, Rc<Cache>) {
    let clock = Moody::default();
    (clock.clone(), Rc::new(Refresher::new(clock, POLICY)))
}

async fn mint(value: u32) -> Result<Minted<Hostile>, &'static str> {
    Ok(Minted::expires_in(Hostile(value), LIFE))
}

async fn unneeded() -> Result<Minted<Hostile>, &'static str> {
    unreachable!("nobody should mint")
}

fn get(cache: &Cache, value: u32) -> Version {
    let got = now(cache.get(|| mint(value))).unwrap();
    assert_eq!(got.value.0, value);
    got.version
}

#[test]
fn a_caller_in_the_middle_of_a_clone_holds_up_no_refresh() {
    let (clock, cache) = cache();
    get(&cache, 1);
    clock.0.advance(95);
    let other = cache.clone();
    strike_at(At::Clone(1), move || {
        // One that would wait for the clone would never be over.
        get(&other, 2);
        get(&other, 2);
    });
    assert!(cache.peek().is_some());
    assert!(struck());
    clock.0.advance(95);
    get(&cache, 3);
}

/// The value would be replaced under the eyes of who clones it; or its minter would wait for ever.
#[test]
fn a_minter_waits_for_the_end_of_a_clone_and_is_woken_by_it() {
    let (clock, cache) = cache();
    get(&cache, 1);
    clock.0.advance(95);
    let late = Rc::new(RefCell::new(None));
    let (wakes, waker) = Wakes::new();
    let (other, place) = (cache.clone(), late.clone());
    strike_at(At::Clone(1), move || {
        // The one after the next comes where this one is.
        get(&other, 2);
        clock.0.advance(95);
        let mut third = Box::pin(async move { other.get(|| mint(3)).await.unwrap().value.0 });
        assert!(poll_with(third.as_mut(), &waker).is_pending());
        place.replace(Some(third));
    });
    assert_eq!(cache.peek().unwrap().value.0, 1);
    assert_eq!(wakes.count(), 1);
    let mut third = late.take().unwrap();
    assert_eq!(ready(poll(third.as_mut())), 3);
    assert_eq!(now(cache.get(unneeded)).unwrap().value.0, 3);
}

#[test]
fn the_drop_of_the_old_value_finds_the_new_one_served() {
    let (clock, cache) = cache();
    get(&cache, 1);
    clock.0.advance(95);
    let other = cache.clone();
    strike_at(At::Drop(1), move || {
        assert!(other.peek().is_some(), "neither the old value nor the new");
    });
    // (The value of this look is dropped, too; what is on the shelf is first.)
    get(&cache, 2);
    assert!(struck());
}

#[test]
fn a_value_that_expires_within_its_publication_is_not_served() {
    let (clock, cache) = cache();
    get(&cache, 1);
    clock.0.advance(100);
    strike_at(At::Drop(1), move || clock.0.advance(100));
    let got = now(cache.get(|| mint(2)));
    assert_eq!(got.unwrap_err(), NoValue::Expired);
    assert!(struck());
}

#[test]
fn a_refusal_within_the_publication_is_not_forgotten() {
    let (clock, cache) = cache();
    let first = get(&cache, 1);
    clock.0.advance(100);
    let refused = Rc::new(RefCell::new(None));
    let (early, late) = (cache.clone(), cache.clone());
    let seen = refused.clone();
    // Between the choice of the new version and its publication …
    strike_at(At::Clone(2), move || {
        early.invalidate(first);
    });
    // … and right after the old value has gone.
    strike_at(At::Drop(1), move || {
        if let Some(new) = late.peek() {
            seen.replace(Some(late.invalidate(new.version)));
        }
    });
    get(&cache, 2);
    assert!(struck());
    assert_eq!(*refused.borrow(), Some(true));
    assert!(!cache.snapshot().valid);
    assert_eq!(cache.peek(), None);
    get(&cache, 3);
}

#[test]
fn a_panic_in_the_drop_of_the_old_value_loses_no_value() {
    let (clock, cache) = cache();
    get(&cache, 1);
    clock.0.advance(100);
    strike_at(At::Drop(1), || panic!("at the drop"));
    let text = panic_of(|| now(cache.get(|| mint(2))));
    assert_eq!(text, "at the drop");
    assert_eq!(cache.peek().unwrap().value.0, 2);
    assert!(!cache.snapshot().refreshing);
    assert_eq!(now(cache.get(unneeded)).unwrap().value.0, 2);
}

#[test]
fn a_panic_in_a_clone_loses_no_value() {
    let (clock, cache) = cache();
    get(&cache, 1);
    strike_at(At::Clone(1), || panic!("at the clone"));
    assert_eq!(panic_of(|| cache.peek()), "at the clone");
    assert_eq!(cache.peek().unwrap().value.0, 1);
    clock.0.advance(95);
    // That of the new one, before it is published.
    strike_at(At::Clone(2), || panic!("at the clone"));
    assert_eq!(panic_of(|| now(cache.get(|| mint(2)))), "at the clone");
    assert_eq!(cache.peek().unwrap().value.0, 1);
    get(&cache, 3);
}

/// Two tries within one pause, by one who had looked before the first began.
#[test]
fn who_finds_that_another_has_failed_meanwhile_tries_no_more() {
    let (clock, cache) = cache();
    get(&cache, 1);
    clock.0.advance(95);
    let other = cache.clone();
    // What it has found is dropped before it leads.
    strike_at(At::Drop(1), move || {
        let failed = now(other.get(|| async { Err("no") }));
        assert_eq!(failed.unwrap().value.0, 1);
    });
    assert_eq!(now(cache.get(unneeded)).unwrap().value.0, 1);
    assert!(struck());
    assert_eq!(cache.snapshot().failures, 1);
}

#[test]
fn two_that_find_a_value_due_at_once_do_not_wait_for_each_other() {
    // The first begins before the second has looked; or after that has found nobody at it, and drops
    // what it saw.
    for at in [At::Clock, At::Drop(1)] {
        let (clock, cache) = cache();
        get(&cache, 1);
        clock.0.advance(95);
        let gate = Gate::default();
        let slow = Rc::new(RefCell::new(Some(Box::pin({
            let (cache, gate) = (cache.clone(), gate.clone());
            async move {
                let make = || async {
                    gate.passed().await;
                    mint(2).await
                };
                cache.get(make).await.unwrap().value.0
            }
        }))));
        let other = slow.clone();
        strike_at(at, move || {
            let mut first = other.borrow_mut().take().unwrap();
            assert!(poll(first.as_mut()).is_pending());
            other.replace(Some(first));
        });
        let second = now(cache.get(unneeded)).unwrap();
        assert_eq!(second.value.0, 1);
        assert!(struck());
        gate.open(0);
        let mut first = pin!(slow.borrow_mut().take().unwrap());
        assert_eq!(ready(poll(first.as_mut())), 2);
    }
}
