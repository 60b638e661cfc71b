//! `Group`, step by step; ages and bounds of flights, on a clock that the test moves.

use std::{
    cell::Cell,
    collections::HashSet,
    future::pending,
    hash::{BuildHasher, Hash, Hasher},
    pin::pin,
    time::Duration,
};

use ecluse_core::{
    DefaultLock, Flight, Group, NoAnswer,
    flight::{DefaultHash, NoClock, Part, Promote, Verdict},
};

use crate::{
    clock::Hand,
    kit::{Wakes, poll, poll_with, ready},
    walks_flight::Gate,
};

/// Everything collides.
#[derive(Default)]
struct Same;

impl BuildHasher for Same {
    type Hasher = Self;
    fn build_hasher(&self) -> Self {
        Self
    }
}

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}
    fn finish(&self) -> u64 {
        0
    }
}

type Colliding = Group<u32, u32, Promote, DefaultLock, Same>;
type Timed = Group<u32, u32, Promote, DefaultLock, DefaultHash, Hand, 4, 2>;

#[test]
fn keys_are_apart_even_in_one_bucket() {
    let group = Colliding::default();
    let gates: Vec<_> = (0..5).map(|_| Gate::default()).collect();
    let mut leaders: Vec<_> = gates
        .iter()
        .zip(0..)
        .map(|(gate, key)| Box::pin(group.run(key, || gate.passed())))
        .collect();
    let seats: Vec<_> = (0..5).map(|_| Wakes::new()).collect();
    let mut followers: Vec<_> = (0..5)
        .map(|key| Box::pin(group.run(key, pending)))
        .collect();
    for leader in &mut leaders {
        assert!(poll(leader.as_mut()).is_pending());
    }
    for (follower, (_, waker)) in followers.iter_mut().zip(&seats) {
        assert!(poll_with(follower.as_mut(), waker).is_pending());
    }
    assert_eq!(group.len(), 5);
    for (left, key) in [2, 0, 4, 1, 3].into_iter().enumerate() {
        gates[key].open(10 + key as u32);
        let answer = ready(poll(leaders[key].as_mut())).unwrap();
        assert_eq!(answer.value, 10 + key as u32);
        let woken: usize = seats.iter().map(|(wakes, _)| wakes.count()).sum();
        assert_eq!((woken, seats[key].0.count()), (left + 1, 1));
        let answer = ready(poll(followers[key].as_mut())).unwrap();
        assert_eq!((answer.value, answer.part), (10 + key as u32, Part::Joined));
        assert_eq!(group.len(), 4 - left);
        assert_eq!(group.peek(&(key as u32)), None);
    }
    assert!(group.is_empty());
}

#[test]
fn diagnostics_show_keys_and_how_many_joined() {
    let group = Group::<u32, u32>::new();
    let mut calls: Vec<_> = [3, 1, 3, 2, 3]
        .into_iter()
        .map(|key| Box::pin(group.run(key, pending)))
        .collect();
    for call in &mut calls {
        assert!(poll(call.as_mut()).is_pending());
    }
    let mut keys = [None; 8];
    assert_eq!(group.keys(&mut keys), 3);
    assert!(!group.is_empty());
    let keys: HashSet<_> = keys.into_iter().flatten().collect();
    assert_eq!(keys, HashSet::from([1, 2, 3]));
    assert_eq!(group.keys(&mut []), 3);
    assert_eq!(
        (group.peek(&3), group.peek(&1), group.peek(&9)),
        (Some(2), Some(0), None)
    );
    assert!(format!("{group:?}").contains("running: 3"));
    drop(calls);
    assert!(group.is_empty());
}

/// Otherwise each call is held up by all flights under way, not by a sixteenth of them.
#[test]
fn a_key_is_looked_for_in_its_own_bucket_only() {
    thread_local!(static COMPARED: Cell<usize> = const { Cell::new(0) });
    #[derive(Eq)]
    struct Compared(usize);
    impl PartialEq for Compared {
        fn eq(&self, other: &Self) -> bool {
            COMPARED.set(COMPARED.get() + 1);
            self.0 == other.0
        }
    }
    impl Hash for Compared {
        fn hash<H: Hasher>(&self, hasher: &mut H) {
            self.0.hash(hasher);
        }
    }
    const KEYS: usize = 160;
    let group = Group::<Compared, u32>::new();
    let mut calls: Vec<_> = (0..KEYS)
        .map(|key| Box::pin(group.run(Compared(key), pending)))
        .collect();
    for call in &mut calls {
        assert!(poll(call.as_mut()).is_pending());
    }
    assert_eq!(group.len(), KEYS);
    let (compared, in_one_bucket) = (COMPARED.get(), KEYS * (KEYS - 1) / 2);
    assert!(compared < in_one_bucket / 4, "{compared}");
}

#[test]
fn keys_are_looked_up_borrowed() {
    let group = Group::<String, u32>::new();
    let mut call = pin!(group.run("a".to_owned(), pending));
    assert!(poll(call.as_mut()).is_pending());
    assert_eq!(group.peek("a"), Some(0));
    assert!(group.forget("a"));
    assert!(!group.forget("a"));
}

#[test]
fn a_forgotten_key_belongs_to_the_next_and_stays_so() {
    let group = Colliding::default();
    let (old, new) = (Gate::default(), Gate::default());
    let mut first = Box::pin(group.run(1, || old.passed()));
    assert!(poll(first.as_mut()).is_pending());
    let mut heir = Box::pin(group.run(1, || old.passed()));
    assert!(poll(heir.as_mut()).is_pending());
    assert!(group.forget(&1));
    let mut second = pin!(group.run(1, || new.passed()));
    assert!(poll(second.as_mut()).is_pending());
    // Lost, the old flight is handed on out of sight.
    drop(first);
    assert!(poll(heir.as_mut()).is_pending());
    let mut third = pin!(group.run(1, pending));
    assert!(poll(third.as_mut()).is_pending());
    old.open(1);
    assert!(ready(poll(heir.as_mut())).unwrap().led());
    assert!(poll(third.as_mut()).is_pending());
    new.open(2);
    assert_eq!(ready(poll(second.as_mut())).unwrap().value, 2);
    assert_eq!(ready(poll(third.as_mut())).unwrap().value, 2);
}

#[test]
fn a_full_group_refuses_and_loses_nothing() {
    let group = Group::<u32, u32>::new().with_limit(2);
    let gate = Gate::default();
    let mut one = Box::pin(group.run(1, || gate.passed()));
    let mut two = Box::pin(group.run(2, || gate.passed()));
    assert!(poll(one.as_mut()).is_pending());
    assert!(poll(two.as_mut()).is_pending());
    let mut three = Box::pin(group.run(3, pending));
    assert_eq!(ready(poll(three.as_mut())).unwrap_err(), NoAnswer::Full);
    // Joining takes no place, nor does succeeding a lost leader.
    let mut joined = Box::pin(group.run(1, || gate.passed()));
    assert!(poll(joined.as_mut()).is_pending());
    drop(one);
    assert!(poll(joined.as_mut()).is_pending());
    let mut three = Box::pin(group.run(3, pending));
    assert_eq!(ready(poll(three.as_mut())).unwrap_err(), NoAnswer::Full);
    gate.open(1);
    assert!(ready(poll(joined.as_mut())).unwrap().led());
    let mut three = Box::pin(group.run(3, || gate.passed()));
    assert!(ready(poll(three.as_mut())).unwrap().led());
    drop(two);
    let mut both = [4, 5].map(|key| Box::pin(group.run(key, pending)));
    for call in &mut both {
        assert!(poll(call.as_mut()).is_pending());
    }
}

#[test]
fn a_key_that_may_not_be_shared_is_remembered_for_a_while() {
    let clock = Hand::default();
    let group = Timed::with(DefaultHash, clock.clone()).alone_for(Duration::from_millis(10));
    let alone = |key| {
        let mut run = Box::pin(group.run(key, || async { key }));
        ready(poll(run.as_mut())).unwrap().part == Part::Alone
    };
    let uncacheable = |key| {
        let run = group.run(key, || async { 0 }).judge(|_| Verdict::GoAlone);
        ready(poll(pin!(run))).unwrap();
    };
    uncacheable(1);
    assert!(alone(1) && !alone(2));
    clock.advance(5);
    uncacheable(2);
    assert!(alone(1) && alone(2));
    // Two places: the third takes that of the first, the fourth that of the second.
    clock.advance(1);
    uncacheable(3);
    assert!(!alone(1) && alone(2) && alone(3));
    uncacheable(4);
    assert!(!alone(2) && alone(3) && alone(4));
    clock.advance(10);
    assert!(!alone(3) && !alone(4));
}

/// There is nothing to tell by when it would be forgotten.
#[test]
fn without_a_clock_no_key_is_remembered() {
    type Timeless = Group<u32, u32, Promote, DefaultLock, DefaultHash, NoClock, 4, 2>;
    let group = Timeless::with(DefaultHash, NoClock);
    let run = group.run(1, || async { 0 }).judge(|_| Verdict::GoAlone);
    ready(poll(pin!(run))).unwrap();
    let mut run = Box::pin(group.run(1, || async { 1 }));
    assert!(ready(poll(run.as_mut())).unwrap().led());
}

#[test]
fn a_flight_that_is_too_old_is_superseded() {
    let clock = Hand::default();
    let flight = Flight::<u32, Promote, DefaultLock, Hand>::with_clock(clock.clone());
    let (old, new) = (Gate::default(), Gate::default());
    let mut first = pin!(flight.run(|| old.passed()));
    assert!(poll(first.as_mut()).is_pending());
    clock.advance(5);
    let limit = Duration::from_millis(5);
    let mut joined = pin!(flight.run(pending).max_age(limit));
    assert!(poll(joined.as_mut()).is_pending());
    clock.advance(1);
    let mut second = pin!(flight.run(|| new.passed()).max_age(limit));
    assert!(poll(second.as_mut()).is_pending());
    assert!(second.is_running());
    old.open(1);
    assert_eq!(ready(poll(first.as_mut())).unwrap().value, 1);
    assert_eq!(ready(poll(joined.as_mut())).unwrap().value, 1);
    new.open(2);
    assert_eq!(ready(poll(second.as_mut())).unwrap().value, 2);
}

#[test]
fn without_a_clock_no_flight_is_too_old() {
    let flight = Flight::<u32>::new();
    let mut first = pin!(flight.run(pending));
    assert!(poll(first.as_mut()).is_pending());
    let mut second = pin!(flight.run(|| async { 2 }).max_age(Duration::ZERO));
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(flight.peek(), Some(1));
}

#[test]
fn a_followers_bound_is_its_own() {
    let clock = Hand::default();
    let flight = Flight::<u32>::new();
    let gate = Gate::default();
    let limit = Duration::from_millis(5);
    let mut leader = pin!(flight.run(|| gate.passed()).timeout(clock.clone(), limit));
    assert!(poll(leader.as_mut()).is_pending());
    let mut follower = pin!(flight.run(pending).timeout(clock.clone(), limit));
    assert!(poll(follower.as_mut()).is_pending());
    clock.advance(5);
    assert_eq!(
        ready(poll(follower.as_mut())).unwrap_err(),
        NoAnswer::TimedOut
    );
    assert!(poll(leader.as_mut()).is_pending());
    // What arrives at the last moment is taken.
    let mut late = pin!(flight.run(pending).timeout(clock.clone(), limit));
    assert!(poll(late.as_mut()).is_pending());
    clock.advance(5);
    gate.open(8);
    assert_eq!(ready(poll(leader.as_mut())).unwrap().value, 8);
    assert_eq!(ready(poll(late.as_mut())).unwrap().value, 8);
    assert_eq!(clock.set(), 2);
}

#[test]
fn the_default_hash_spreads_keys() {
    let hash = DefaultHash;
    let buckets: HashSet<_> = (0_u64..1000)
        .map(|key| (hash.hash_one(key) >> 60) as u8)
        .collect();
    assert_eq!(buckets.len(), 16);
    let _: Group<u8, u8, Promote, DefaultLock, DefaultHash, NoClock, 1> = Group::new();
}

/// Its own bytes are all that a group ever has.
#[test]
fn a_hundred_thousand_cancelled_keys_leave_nothing() {
    const KEYS: u32 = if cfg!(miri) { 200 } else { 100_000 };
    let group = Group::<u32, u32>::new();
    let (wakes, waker) = Wakes::new();
    let alive = wakes.live();
    for key in 0..KEYS {
        let mut calls = [(); 2].map(|()| Box::pin(group.run(key, pending)));
        for call in &mut calls {
            assert!(poll_with(call.as_mut(), &waker).is_pending());
        }
        let [leader, follower] = calls;
        // The follower leads before it goes, or goes first.
        if key % 2 == 0 {
            drop((leader, follower));
        } else {
            drop((follower, leader));
        }
    }
    assert!(group.is_empty());
    assert_eq!((wakes.live(), wakes.count()), (alive, KEYS as usize / 2));
}
