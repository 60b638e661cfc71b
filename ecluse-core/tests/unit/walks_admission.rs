//! An admission's transitions: admit, queue, refuse, serve, leave, grow, shrink, close.

use std::{
    pin::{Pin, pin},
    sync::Mutex,
    task::Poll,
};

use ecluse_core::{
    Admission, DefaultLock, NotAdmitted, Outcome, Permit,
    admission::{Acquiring, Bypass, Fifo, Policy},
    observe::{Event, EventKind, Numbered, Observer},
};
use futures_core::FusedFuture;

use crate::kit::{Diary, Wakes, poll, poll_with, ready, within};

type Wait<'a, P = Fifo> = Pin<Box<Acquiring<&'a Admission<P>>>>;

/// A wait that is queued, and writes its weight when it is woken.
fn queued<'a, P: Policy>(admission: &'a Admission<P>, weight: usize, diary: &Diary) -> Wait<'a, P> {
    let mut wait = Box::pin(admission.acquire(weight));
    assert!(poll_with(wait.as_mut(), &diary.waker(weight.to_string())).is_pending());
    wait
}

fn permit<'a, P: Policy>(wait: &mut Wait<'a, P>) -> Permit<&'a Admission<P>> {
    ready(poll(wait.as_mut())).expect("it was granted")
}

/// Nothing is out, nobody waits.
#[track_caller]
fn idle<P: Policy>(admission: &Admission<P>, capacity: usize) {
    let seen = admission.snapshot();
    assert_eq!(
        (seen.capacity, seen.available, seen.occupancy, seen.waiting),
        (capacity, capacity, 0, 0)
    );
    assert!(!admission.has_waiters());
}

#[test]
fn a01_admitted_queued_or_refused_at_once() {
    within(|| {
        let admission = <Admission>::new(3, 2);
        let held = admission.try_acquire(2).unwrap();
        assert_eq!(admission.try_acquire(2).unwrap_err(), NotAdmitted::Busy);
        assert_eq!((admission.available(), admission.occupancy()), (1, 2));
        let diary = Diary::default();
        let (mut a, mut b) = (queued(&admission, 2, &diary), queued(&admission, 1, &diary));
        assert_eq!((admission.waiting(), admission.room()), (2, 2));
        assert!(admission.has_waiters());
        // One would fit, but somebody is in line.
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
        let mut full = pin!(admission.acquire(1));
        assert_eq!(
            ready(poll(full.as_mut())).unwrap_err(),
            NotAdmitted::RoomFull
        );
        assert!(full.is_terminated());
        drop(held);
        assert_eq!(diary.entries(), ["2", "1"]);
        assert_eq!((admission.available(), admission.waiting()), (0, 0));
        let (a, b) = (permit(&mut a), permit(&mut b));
        assert_eq!((a.weight(), b.weight()), (2, 1));
        a.release();
        drop(b);
        idle(&admission, 3);
    });
}

#[test]
fn a01_a_room_of_no_places_queues_nobody() {
    let admission = <Admission>::new(1, 0);
    let held = ready(poll(pin!(admission.acquire(1)))).unwrap();
    assert_eq!(
        ready(poll(pin!(admission.acquire(1)))).unwrap_err(),
        NotAdmitted::RoomFull
    );
    assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
    drop(held);
    idle(&admission, 1);
}

#[test]
fn a01_a_place_that_was_left_is_free_again() {
    within(|| {
        let admission = <Admission>::new(1, 1);
        let diary = Diary::default();
        let held = admission.try_acquire(1).unwrap();
        for abandon in [false, true] {
            let mut wait = queued(&admission, 1, &diary);
            let refused = ready(poll(pin!(admission.acquire(1))));
            assert_eq!(refused.unwrap_err(), NotAdmitted::RoomFull);
            if abandon {
                assert!(wait.as_mut().try_abandon().is_none());
            }
        }
        drop(queued(&admission, 1, &diary));
        drop(held);
        idle(&admission, 1);
        assert!(diary.entries().is_empty());
    });
}

#[test]
fn what_can_never_be_is_refused_and_takes_nothing() {
    let admission = <Admission>::new(2, 2);
    let never = [
        (0, NotAdmitted::ZeroWeight),
        (3, NotAdmitted::TooHeavy),
        (usize::MAX, NotAdmitted::TooHeavy),
        (usize::MAX / 8, NotAdmitted::TooHeavy),
    ];
    for (weight, why) in never {
        assert_eq!(admission.try_acquire(weight).unwrap_err(), why);
        assert_eq!(
            ready(poll(pin!(admission.acquire(weight)))).unwrap_err(),
            why
        );
        let held = admission.try_acquire(2).unwrap();
        assert_eq!(admission.try_acquire(weight).unwrap_err(), why);
        assert_eq!(
            ready(poll(pin!(admission.acquire(weight)))).unwrap_err(),
            why
        );
        drop(held);
        idle(&admission, 2);
    }
    let none = <Admission>::new(0, 5);
    assert_eq!(none.try_acquire(1).unwrap_err(), NotAdmitted::TooHeavy);
    assert_eq!(
        ready(poll(pin!(none.acquire(1)))).unwrap_err(),
        NotAdmitted::TooHeavy
    );
    let most = <Admission>::new(usize::MAX, 0);
    assert_eq!(most.capacity(), <Admission>::MAX_CAPACITY);
    assert_eq!(most.grow(1), <Admission>::MAX_CAPACITY);
    drop(most.try_acquire(<Admission>::MAX_CAPACITY).unwrap());
    idle(&most, <Admission>::MAX_CAPACITY);
}

#[test]
fn a02_nobody_overtakes_a_heavy_head() {
    within(|| {
        let admission = <Admission>::new(4, 9);
        let mut out: Vec<_> = (0..4).map(|_| admission.try_acquire(1).unwrap()).collect();
        let diary = Diary::default();
        let mut heavy = queued(&admission, 3, &diary);
        let mut light = queued(&admission, 1, &diary);
        for _ in 0..2 {
            drop(out.pop());
            assert!(diary.entries().is_empty());
            assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
        }
        drop(out.pop());
        assert_eq!(diary.entries(), ["3"]);
        drop(out.pop());
        assert_eq!(diary.entries(), ["3", "1"]);
        drop((permit(&mut light), permit(&mut heavy)));
        idle(&admission, 4);
    });
}

/// Whoever stood behind a heavy head is served when it goes, by whichever way.
#[test]
fn a02_a_head_that_leaves_lets_in_whoever_fits() {
    for way in 0..3 {
        within(move || {
            let admission = <Admission>::new(4, 9);
            let held = admission.try_acquire(2).unwrap();
            let diary = Diary::default();
            let mut heavy = queued(&admission, 4, &diary);
            let mut waits: Vec<_> = [1, 1, 1].map(|n| queued(&admission, n, &diary)).into();
            match way {
                0 => drop(heavy),
                1 => assert!(heavy.as_mut().try_abandon().is_none()),
                // Shrunk below its weight, it is refused.
                _ => {
                    assert_eq!(admission.shrink(1), 3);
                    let told = ready(poll(heavy.as_mut()));
                    assert_eq!(told.unwrap_err(), NotAdmitted::TooHeavy);
                }
            }
            let entries = diary.entries();
            let expected: &[&str] = if way == 2 { &["4", "1"] } else { &["1", "1"] };
            assert_eq!(entries, expected);
            drop(held);
            let permits: Vec<_> = waits.iter_mut().map(permit).collect();
            drop(permits);
            idle(&admission, if way == 2 { 3 } else { 4 });
        });
    }
}

#[test]
fn a02_an_unobserved_grant_comes_back_and_serves_the_next() {
    within(|| {
        let admission = <Admission>::new(2, 9);
        let held = admission.try_acquire(2).unwrap();
        let diary = Diary::default();
        let granted = queued(&admission, 2, &diary);
        let mut next: Vec<_> = [1, 1, 2].map(|n| queued(&admission, n, &diary)).into();
        drop(held);
        assert_eq!(diary.entries(), ["2"]);
        assert_eq!((admission.available(), admission.occupancy()), (0, 2));
        drop(granted);
        assert_eq!(diary.entries(), ["2", "1", "1"]);
        let mut last = next.pop().unwrap();
        // One observed, one not.
        drop(permit(&mut next[0]));
        drop(next);
        assert_eq!(diary.entries(), ["2", "1", "1", "2"]);
        // Abandoned after the grant, it is told of it.
        let late = last.as_mut().try_abandon();
        assert_eq!(late.unwrap().unwrap().weight(), 2);
        idle(&admission, 2);
    });
}

#[test]
fn one_return_serves_more_than_a_batch() {
    within(|| {
        let admission = <Admission>::new(50, 60);
        let held = admission.try_acquire(50).unwrap();
        let diary = Diary::default();
        let mut waits: Vec<_> = (0..60).map(|_| queued(&admission, 1, &diary)).collect();
        drop(held);
        assert_eq!(diary.entries().len(), 50);
        assert_eq!((admission.waiting(), admission.occupancy()), (10, 50));
        let permits: Vec<_> = waits
            .drain(..50)
            .map(|mut wait| permit(&mut wait))
            .collect();
        drop(permits);
        let permits: Vec<_> = waits.iter_mut().map(permit).collect();
        drop(permits);
        idle(&admission, 50);
    });
}

#[test]
fn a02_bypass_lets_so_many_past_and_no_more() {
    within(|| {
        let admission = Admission::<Bypass<2>>::new(4, 9);
        let mut out: Vec<_> = (0..4).map(|_| admission.try_acquire(1).unwrap()).collect();
        let diary = Diary::default();
        let mut heavy = queued(&admission, 4, &diary);
        let mut waits: Vec<_> = [2, 1, 1].map(|n| queued(&admission, n, &diary)).into();
        // Of the two behind the head the second fits; the third is out of reach until it has gone.
        drop(out.pop());
        assert_eq!(diary.entries(), ["1"]);
        drop(out.pop());
        assert_eq!(diary.entries(), ["1", "1"]);
        // Two have passed.
        drop(out.pop());
        drop(out.pop());
        assert_eq!(diary.entries(), ["1", "1"]);
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
        drop((permit(&mut waits[1]), permit(&mut waits[2])));
        assert_eq!(diary.entries(), ["1", "1", "4"]);
        drop(permit(&mut heavy));
        assert_eq!(diary.entries(), ["1", "1", "4", "2"]);
        drop(permit(&mut waits[0]));
        idle(&admission, 4);
    });
}

#[test]
fn a02_a_newcomer_passes_as_a_waiter_would() {
    within(|| {
        // Room for the head alone: who passes needs none.
        let admission = Admission::<Bypass<1>>::new(4, 1);
        let held = admission.try_acquire(2).unwrap();
        let diary = Diary::default();
        let mut heavy = queued(&admission, 4, &diary);
        assert_eq!(admission.try_acquire(3).unwrap_err(), NotAdmitted::Busy);
        let passed = ready(poll(pin!(admission.acquire(1)))).unwrap();
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
        let refused = ready(poll(pin!(admission.acquire(1))));
        assert_eq!(refused.unwrap_err(), NotAdmitted::RoomFull);
        assert!(heavy.as_mut().try_abandon().is_none());
        // The next head begins anew.
        let heavy = queued(&admission, 4, &diary);
        let second = admission.try_acquire(1).unwrap();
        assert_eq!(admission.available(), 0);
        drop((held, passed, second));
        assert_eq!(diary.entries(), ["4"]);
        drop(heavy);
        idle(&admission, 4);
        // Beyond the reach of one nobody passes.
        let admission = Admission::<Bypass<1>>::new(4, 9);
        let held = admission.try_acquire(2).unwrap();
        let waits = [4, 3].map(|n| queued(&admission, n, &diary));
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
        drop((waits, held));
        idle(&admission, 4);
    });
}

#[test]
fn a02_one_that_leaves_behind_the_head_lets_no_more_past_it() {
    within(|| {
        let admission = Admission::<Bypass<2>>::new(6, 9);
        let held = admission.try_acquire(2).unwrap();
        let diary = Diary::default();
        let mut heavy = queued(&admission, 5, &diary);
        let passed = [1, 1].map(|weight| admission.try_acquire(weight).unwrap());
        drop(queued(&admission, 1, &diary));
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Busy);
        drop((held, passed));
        assert_eq!(diary.entries(), ["5"]);
        drop(permit(&mut heavy));
        idle(&admission, 6);
    });
}

#[test]
fn a03_a_smaller_goal_revokes_nothing() {
    within(|| {
        let admission = <Admission>::new(4, 9);
        let (two, one) = (
            admission.try_acquire(2).unwrap(),
            admission.try_acquire(1).unwrap(),
        );
        assert_eq!(admission.shrink(3), 1);
        let seen = admission.snapshot();
        assert_eq!((seen.capacity, seen.target), (3, 1));
        assert_eq!((seen.available, seen.occupancy), (0, 3));
        let diary = Diary::default();
        let mut wait = queued(&admission, 1, &diary);
        drop(two);
        assert_eq!((admission.capacity(), admission.occupancy()), (1, 1));
        assert!(
            diary.entries().is_empty(),
            "over the goal nobody is admitted"
        );
        drop(one);
        assert_eq!(diary.entries(), ["1"]);
        drop(permit(&mut wait));
        idle(&admission, 1);
        assert_eq!(admission.shrink(5), 0);
        idle(&admission, 0);
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::TooHeavy);
    });
}

#[test]
fn a03_what_is_too_much_goes_as_it_comes_back() {
    let admission = <Admission>::new(4, 9);
    let mut held = admission.try_acquire(3).unwrap();
    assert_eq!(admission.shrink(2), 2);
    drop(held.split(2));
    assert_eq!((admission.capacity(), admission.available()), (2, 1));
    drop(held);
    idle(&admission, 2);
}

#[test]
fn a03_every_head_that_is_too_heavy_is_told() {
    within(|| {
        let admission = <Admission>::new(3, 9);
        let held = admission.try_acquire(3).unwrap();
        let diary = Diary::default();
        let mut waits: Vec<_> = [2, 3, 1].map(|n| queued(&admission, n, &diary)).into();
        admission.shrink(2);
        assert_eq!(diary.entries(), ["2", "3"]);
        for wait in &mut waits[..2] {
            let told = ready(poll(wait.as_mut()));
            assert_eq!(told.unwrap_err(), NotAdmitted::TooHeavy);
        }
        drop(held);
        drop(permit(&mut waits[2]));
        idle(&admission, 1);
    });
}

#[test]
fn a03_a_larger_goal_serves_at_once_and_ends_a_smaller_one() {
    within(|| {
        let admission = <Admission>::new(2, 9);
        let held = admission.try_acquire(2).unwrap();
        let diary = Diary::default();
        let mut waits: Vec<_> = [1, 2, 1].map(|n| queued(&admission, n, &diary)).into();
        assert_eq!(admission.grow(2), 4);
        assert_eq!(diary.entries(), ["1"]);
        assert_eq!(admission.shrink(2), 2);
        assert_eq!((admission.capacity(), admission.occupancy()), (3, 3));
        // Two of these three only make up for what was too much.
        assert_eq!(admission.grow(3), 5);
        assert_eq!(diary.entries(), ["1", "2"]);
        assert_eq!((admission.capacity(), admission.available()), (5, 0));
        drop(held);
        let permits: Vec<_> = waits.iter_mut().map(permit).collect();
        drop(permits);
        idle(&admission, 5);
    });
}

#[test]
fn a_close_tells_all_who_wait_and_leaves_permits_alone() {
    within(|| {
        let admission = <Admission>::new(2, 60);
        let held = admission.try_acquire(2).unwrap();
        let diary = Diary::default();
        let mut waits: Vec<_> = (0..40).map(|_| queued(&admission, 1, &diary)).collect();
        assert!(admission.close() && !admission.close());
        assert!(admission.is_closed() && !admission.has_waiters());
        assert_eq!(diary.entries().len(), 40);
        for wait in &mut waits {
            let told = ready(poll(wait.as_mut()));
            assert_eq!(told.unwrap_err(), NotAdmitted::Closed);
        }
        assert_eq!(admission.occupancy(), 2);
        drop(held);
        idle(&admission, 2);
        assert_eq!(admission.try_acquire(1).unwrap_err(), NotAdmitted::Closed);
        assert_eq!(
            ready(poll(pin!(admission.acquire(1)))).unwrap_err(),
            NotAdmitted::Closed
        );
        assert!(admission.snapshot().closed);
        // An unobserved refusal has nothing to give back.
        admission.grow(1);
        idle(&admission, 3);
    });
}

#[test]
fn a_permit_is_split_and_merged() {
    let admission = <Admission>::new(5, 0);
    let other = <Admission>::new(5, 0);
    let mut permit = admission.try_acquire(4).unwrap();
    assert!(permit.split(0).is_none() && permit.split(4).is_none() && permit.split(5).is_none());
    let part = permit.split(3).unwrap();
    assert_eq!(
        (permit.weight(), part.weight(), admission.occupancy()),
        (1, 3, 4)
    );
    let foreign = permit.merge(other.try_acquire(2).unwrap()).unwrap_err();
    assert_eq!((foreign.weight(), other.occupancy()), (2, 2));
    drop(foreign);
    idle(&other, 5);
    permit.merge(part).unwrap();
    assert_eq!((permit.weight(), admission.occupancy()), (4, 4));
    drop(permit.split(1));
    assert_eq!((permit.weight(), admission.occupancy()), (3, 3));
    drop(permit);
    idle(&admission, 5);
}

#[test]
#[cfg(feature = "alloc")]
fn owned_permits_and_waits_keep_the_admission() {
    within(|| {
        let admission = std::sync::Arc::new(<Admission>::new(2, 9));
        let held = Admission::try_acquire_owned(&admission, 2).unwrap();
        let mut wait = Box::pin(Admission::acquire_owned(&admission, 1));
        assert!(poll(wait.as_mut()).is_pending());
        assert_eq!((wait.weight(), wait.admission().waiting()), (1, 1));
        let watching = std::sync::Arc::downgrade(&admission);
        drop(admission);
        std::thread::spawn(move || drop(held)).join().unwrap();
        let mut permit = ready(poll(wait.as_mut())).unwrap();
        drop(wait);
        assert_eq!(permit.admission().occupancy(), 1);
        assert!(permit.split(1).is_none());
        drop(permit);
        assert!(watching.upgrade().is_none());
        let here = std::rc::Rc::new(Admission::<Fifo, ecluse_core::Local>::new(1, 0));
        let permit = Admission::try_acquire_owned(&here, 1).unwrap();
        assert_eq!(here.available(), 0);
        drop((permit, here));
    });
}

#[test]
fn the_last_waker_counts_and_none_is_kept() {
    within(|| {
        let admission = <Admission>::new(1, 9);
        let held = admission.try_acquire(1).unwrap();
        let mut wait = Box::pin(admission.acquire(1));
        let ((early, early_waker), (late, late_waker)) = (Wakes::new(), Wakes::new());
        assert!(poll_with(wait.as_mut(), &early_waker).is_pending());
        assert!(poll_with(wait.as_mut(), &late_waker).is_pending());
        drop(early_waker);
        assert_eq!(early.live(), 0);
        drop(held);
        assert_eq!((early.count(), late.count()), (0, 1));
        drop(late_waker);
        assert_eq!(late.live(), 0);
        assert!(matches!(poll(wait.as_mut()), Poll::Ready(Ok(_))));
    });
}

#[derive(Default)]
struct Log(Mutex<Vec<Event>>);

impl Observer for Log {
    type Numbers = Numbered;

    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

#[test]
fn an_observer_sees_the_history() {
    within(|| {
        type Heard = Admission<Fifo, DefaultLock, Log>;
        let admission = Heard::with_observer(2, 2, Log::default());
        let held = admission.try_acquire(2).unwrap();
        assert!(admission.try_acquire(1).is_err());
        let mut waits: Vec<_> = [1, 1]
            .map(|weight| Box::pin(admission.acquire(weight)))
            .into();
        for wait in &mut waits {
            assert!(poll(wait.as_mut()).is_pending());
        }
        assert!(ready(poll(pin!(admission.acquire(1)))).is_err());
        drop(held);
        let permit = ready(poll(waits[0].as_mut())).unwrap();
        let mut cancelled = Box::pin(admission.acquire(2));
        assert!(poll(cancelled.as_mut()).is_pending());
        drop(cancelled);
        drop(waits);
        drop(permit);
        admission.grow(1);
        admission.close();
        let mut log = admission.observer().0.lock().unwrap().clone();
        log.sort_by_key(|event| event.number);
        let numbers: Vec<u32> = log.iter().map(|event| event.number).collect();
        assert_eq!(numbers, (0..numbers.len() as u32).collect::<Vec<_>>());
        let kinds: Vec<EventKind> = log.iter().map(|event| event.kind).collect();
        use EventKind::{
            Cancelled, Claimed, Closed, Enlisted, Granted, Observed, PassedOn, Refused, Released,
            Resized,
        };
        assert_eq!(
            kinds,
            [
                Claimed,
                Refused,
                Enlisted,
                Enlisted,
                Refused,
                Released(Outcome::Done),
                Granted,
                Granted,
                Observed,
                Enlisted,
                Cancelled,
                PassedOn,
                Released(Outcome::Done),
                Resized,
                Closed,
            ]
        );
        assert_eq!(admission.snapshot().available, 3);
    });
}

#[test]
fn it_shows_what_it_is() {
    let admission = <Admission>::new(2, 3);
    let permit = admission.try_acquire(1).unwrap();
    assert_eq!(
        format!("{admission:?}"),
        "Admission { available: 1, target: 2, room: 3, waiters: false, closed: false }"
    );
    assert_eq!(format!("{permit:?}"), "Permit { weight: 1, .. }");
    for why in [
        NotAdmitted::Busy,
        NotAdmitted::RoomFull,
        NotAdmitted::TooHeavy,
        NotAdmitted::ZeroWeight,
        NotAdmitted::Closed,
    ] {
        assert!(!why.to_string().is_empty());
    }
}

#[cfg(feature = "std")]
#[test]
fn c20_threads_wait_for_permits() {
    use std::time::Duration;
    within(|| {
        let admission = <Admission>::new(3, 9);
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (admission, inside) = (&admission, &inside);
                scope.spawn(move || {
                    for round in 0..if cfg!(miri) { 20 } else { 500 } {
                        let weight = 1 + (thread + round) % 3;
                        let permit = admission.acquire_blocking(weight).unwrap();
                        use std::sync::atomic::Ordering::SeqCst;
                        assert!(inside.fetch_add(weight, SeqCst) + weight <= 3);
                        inside.fetch_sub(weight, SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        idle(&admission, 3);
        let held = admission.try_acquire(3).unwrap();
        let late = admission.acquire_blocking_timeout(1, Duration::from_millis(1));
        assert_eq!(late.map(drop), Err(ecluse_core::TimedOut));
        assert_eq!(admission.waiting(), 0);
        drop(held);
        let now = admission.acquire_blocking_timeout(1, Duration::ZERO);
        assert_eq!(now.unwrap().unwrap().weight(), 1);
    });
}

#[test]
fn a_wait_says_for_how_many_and_where() {
    let admission = <Admission>::new(3, 1);
    assert!(!admission.is_closed());
    let wait = admission.acquire(2);
    assert_eq!(wait.weight(), 2);
    assert!(std::ptr::eq(*wait.admission(), &admission));
    admission.close();
    assert!(admission.is_closed());
}
