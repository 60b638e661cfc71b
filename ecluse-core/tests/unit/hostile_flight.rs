//! Foreign code that strikes a flight or a group: wakers that come back into it, and panics of
//! clones, wakers and keys. Afterwards nobody is kept waiting and nothing is left.

use std::{future::pending, pin::pin, sync::Mutex, time::Duration};

use ecluse_core::{DefaultLock, Flight, Group, flight::Promote};

use crate::{
    clock::Hand,
    kit::{Callback, Striker, poll, poll_with, ready, within},
    walks_flight::Gate,
};

/// What is gone on with when user code has panicked.
#[cfg(feature = "std")]
mod panics {
    use std::{
        cell::Cell,
        future::Pending,
        hash::{Hash, Hasher},
    };

    use ecluse_core::{
        NoAnswer, Outcome,
        flight::{DefaultHash, Part, Relay, Verdict},
    };

    use super::*;
    use crate::kit::{Wakes, panic_of};

    /// Panics at its `left`th clone.
    struct Fragile<'a>(&'a Cell<usize>);

    impl Clone for Fragile<'_> {
        fn clone(&self) -> Self {
            let left = self.0.get();
            assert!(left > 0, "no more clones");
            self.0.set(left - 1);
            Self(self.0)
        }
    }

    #[test]
    fn a_landing_that_panics_gives_back_its_place_in_a_full_group() {
        let left = Cell::new(0);
        let group = Group::<u8, Fragile<'_>>::new().with_limit(1);
        for round in 0..2 {
            let gate = Gate::default();
            let mut leader = Box::pin(group.run(1, || async {
                gate.passed().await;
                Fragile(&left)
            }));
            assert!(poll(leader.as_mut()).is_pending(), "full in round {round}");
            let mut follower = Box::pin(group.run(1, pending));
            assert!(poll(follower.as_mut()).is_pending());
            gate.open(0);
            assert_eq!(panic_of(|| poll(leader.as_mut())), "no more clones");
            let told = ready(poll(follower.as_mut())).map(|_| ());
            assert_eq!(told, Err(NoAnswer::Abandoned { by_panic: true }));
        }
    }

    /// A second panic within the first would end the program.
    #[test]
    fn clones_that_nobody_takes_may_all_panic_as_they_are_dropped() {
        struct Numbered<'a>(u32, &'a Cell<u32>);

        impl Clone for Numbered<'_> {
            fn clone(&self) -> Self {
                self.1.set(self.1.get() + 1);
                Self(self.1.get(), self.1)
            }
        }

        impl Drop for Numbered<'_> {
            fn drop(&mut self) {
                assert!(self.0 < 2, "dropped");
            }
        }

        let (clones, gate) = (Cell::new(0), Gate::default());
        let flight = Flight::<Numbered<'_>>::new();
        let mut leader = Box::pin(flight.run(|| async {
            gate.passed().await;
            Numbered(0, &clones)
        }));
        assert!(poll(leader.as_mut()).is_pending());
        let mut followers = [(); 3].map(|()| Box::pin(flight.run(pending)));
        for follower in &mut followers {
            assert!(poll(follower.as_mut()).is_pending());
        }
        let [mut stays, one, other] = followers;
        drop((one, other));
        gate.open(0);
        assert_eq!(panic_of(|| poll(leader.as_mut())), "dropped");
        assert_eq!(ready(poll(stays.as_mut())).unwrap().value.0, 1);
        assert_eq!(clones.get(), 3);
    }

    #[test]
    fn a_waker_that_panics_at_a_landing_gives_back_its_place_in_a_full_group() {
        let group = Group::<u8, u32>::new().with_limit(1);
        for round in 0..2 {
            let gate = Gate::default();
            let striker = Striker::new(Callback::Wake, || panic!("woken"));
            let mut leader = Box::pin(group.run(1, || gate.passed()));
            assert!(poll(leader.as_mut()).is_pending(), "full in round {round}");
            let mut follower = Box::pin(group.run(1, pending));
            assert!(poll_with(follower.as_mut(), &striker.waker()).is_pending());
            gate.open(5);
            assert_eq!(panic_of(|| poll(leader.as_mut())), "woken");
            assert_eq!(ready(poll(follower.as_mut())).unwrap().value, 5);
        }
    }

    /// A second panic while a thread unwinds would abort the process.
    #[test]
    fn a_waker_that_panics_while_a_lost_leader_unwinds_is_swallowed() {
        let flight = Flight::<u32>::new();
        let striker = Striker::new(Callback::Wake, || panic!("woken"));
        let mut heir = pin!(flight.run(|| async { 3 }));
        let words = panic_of(|| {
            let mut leader = pin!(flight.run(pending));
            assert!(poll(leader.as_mut()).is_pending());
            assert!(poll_with(heir.as_mut(), &striker.waker()).is_pending());
            panic!("on purpose");
        });
        assert_eq!((words.as_str(), striker.acted()), ("on purpose", 1));
        assert!(ready(poll(heir.as_mut())).unwrap().led());
        assert_eq!(striker.live(), 0);
    }

    /// It is no driver that is busy for ever: nobody could replace it.
    #[test]
    fn a_drivers_waker_that_panics_when_cloned_ends_the_run_and_tells_its_followers() {
        let relay = Relay::<Pending<u32>>::new();
        let striker = Striker::new(Callback::Clone, || panic!("cloned"));
        let mut driver = pin!(relay.run(pending));
        assert!(poll(driver.as_mut()).is_pending());
        let (wakes, waker) = Wakes::new();
        let mut follower = pin!(relay.run(pending));
        assert!(poll_with(follower.as_mut(), &waker).is_pending());
        let polled = panic_of(|| poll_with(driver.as_mut(), &striker.waker()));
        assert_eq!((polled.as_str(), wakes.count()), ("cloned", 1));
        let told = ready(poll(follower.as_mut())).map(|_| ());
        assert_eq!(told, Err(NoAnswer::Abandoned { by_panic: true }));
        assert!(!relay.is_running());
        assert_eq!((striker.live(), wakes.live()), (0, 1));
    }

    /// A key that may no longer be looked at.
    #[derive(PartialEq, Eq)]
    struct Shy<'a>(&'a Cell<bool>);

    impl Hash for Shy<'_> {
        fn hash<H: Hasher>(&self, _: &mut H) {
            assert!(!self.0.get(), "do not look");
        }
    }

    /// Its followers are not kept waiting until the leader is dropped.
    #[test]
    fn a_key_that_panics_where_it_would_be_remembered_loses_the_leader() {
        type Remembering<'a> = Group<Shy<'a>, u32, Promote, DefaultLock, DefaultHash, Hand, 1, 1>;
        let armed = Cell::new(false);
        let group = Remembering::with(DefaultHash, Hand::default());
        let gate = Gate::default();
        let judged = group.run(Shy(&armed), || gate.passed());
        let mut leader = pin!(judged.judge(|_| Verdict::GoAlone));
        assert!(poll(leader.as_mut()).is_pending());
        let mut follower = pin!(group.run(Shy(&armed), || async { 8 }));
        assert!(poll(follower.as_mut()).is_pending());
        armed.set(true);
        gate.open(1);
        assert_eq!(panic_of(|| poll(leader.as_mut())), "do not look");
        let inherited = Some(Outcome::Abandoned { by_panic: true });
        let answer = ready(poll(follower.as_mut())).unwrap();
        assert_eq!((answer.value, answer.part), (8, Part::Led { inherited }));
    }
}

/// Else whoever wants a young flight would wait for an heir that nobody polls.
#[test]
fn an_heir_that_is_never_polled_grows_old_too() {
    let clock = Hand::default();
    let flight = Flight::<u32, Promote, DefaultLock, Hand>::with_clock(clock.clone());
    let mut leader = Box::pin(flight.run(pending));
    assert!(poll(leader.as_mut()).is_pending());
    let mut heir = Box::pin(flight.run(pending));
    assert!(poll(heir.as_mut()).is_pending());
    drop(leader);
    let limit = Duration::from_millis(5);
    let mut patient = pin!(flight.run(|| async { 1 }).max_age(limit));
    assert!(poll(patient.as_mut()).is_pending());
    clock.advance(6);
    let mut second = pin!(flight.run(|| async { 2 }).max_age(limit));
    assert_eq!(ready(poll(second.as_mut())).unwrap().value, 2);
    drop(heir);
    assert_eq!(ready(poll(patient.as_mut())).unwrap().value, 1);
}

#[test]
fn an_heir_is_as_young_as_its_own_run() {
    let clock = Hand::default();
    let flight = Flight::<u32, Promote, DefaultLock, Hand>::with_clock(clock.clone());
    let mut leader = Box::pin(flight.run(pending));
    assert!(poll(leader.as_mut()).is_pending());
    let mut heir = pin!(flight.run(pending));
    assert!(poll(heir.as_mut()).is_pending());
    drop(leader);
    clock.advance(4);
    assert!(poll(heir.as_mut()).is_pending());
    clock.advance(3);
    let mut joins = pin!(flight.run(pending).max_age(Duration::from_millis(5)));
    assert!(poll(joins.as_mut()).is_pending());
    assert!(!joins.is_running());
}

/// Leads, joins, leaves, is told, is handed on, with the striker's waker in every place.
fn walk(group: &Group<u8, u32>, striker: &'static Striker) {
    let waker = striker.waker();
    for step in 0..6 {
        let gate = Gate::default();
        let mut calls: Vec<_> = (0..4)
            .map(|_| {
                let gate = gate.clone();
                Box::pin(group.run(1, move || gate.passed()))
            })
            .collect();
        for call in &mut calls {
            let _ = poll_with(call.as_mut(), &waker);
        }
        match step {
            0 => {
                gate.open(1);
                let _ = poll_with(calls[0].as_mut(), &waker);
            }
            1 => drop(calls.remove(0)),
            2 => drop(calls.remove(2)),
            3 => {
                let _ = poll_with(calls[2].as_mut(), std::task::Waker::noop());
                let _ = poll_with(calls[2].as_mut(), &striker.waker());
            }
            4 => {
                // The heir goes unpolled.
                drop(calls.remove(0));
                drop(calls.remove(0));
            }
            _ => {
                group.forget(&1);
                gate.open(2);
                let _ = poll_with(calls[0].as_mut(), &waker);
            }
        }
    }
}

/// The leader is lost while a follower's new waker is cloned: it leads in that poll.
#[test]
fn a_follower_that_comes_to_lead_while_it_looks_leads_at_once() {
    within(|| {
        let flight: &'static Flight<u32> = Box::leak(Box::new(Flight::new()));
        let mut leader = Box::pin(flight.run(pending));
        assert!(poll(leader.as_mut()).is_pending());
        let mut follower = Box::pin(flight.run(|| async { 7 }));
        assert!(poll(follower.as_mut()).is_pending());
        let leader = Mutex::new(Some(leader));
        let striker = Striker::new(Callback::Clone, move || *leader.lock().unwrap() = None);
        let answer = ready(poll_with(follower.as_mut(), &striker.waker())).unwrap();
        assert_eq!((answer.value, answer.led()), (7, true));
        assert_eq!((striker.acted(), striker.live()), (1, 0));
        assert!(!flight.is_running());
    });
}

/// Every call from inside of a waker.
fn use_group(group: &Group<u8, u32>) {
    let _ = format!("{group:?}");
    let _ = (group.peek(&1), group.len(), group.keys(&mut [None; 2]));
    let mut joins = Box::pin(group.run(1, || async { 7 }));
    let _ = poll(joins.as_mut());
    let mut other = Box::pin(group.run(2, pending));
    let _ = poll(other.as_mut());
    group.forget(&1);
    group.forget(&2);
}

#[test]
fn wakers_that_come_back_find_a_group_in_order() {
    within(|| {
        let mut acted = 0;
        for callback in Callback::ALL {
            let group: &'static Group<u8, u32> = Box::leak(Box::new(Group::new()));
            let striker = Striker::new(callback, || use_group(group));
            walk(group, striker);
            assert!(group.is_empty(), "{callback:?}");
            assert_eq!(striker.live(), 0, "{callback:?}");
            acted += usize::from(striker.acted() > 0);
        }
        // It never wakes by reference.
        assert_eq!(acted, 3);
    });
}
