//! `Flight`, step by step.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    task::{Poll, Waker},
};

use ecluse_core::{
    Flight, NoAnswer, Outcome,
    flight::{Answer, Fail, Part, Verdict},
};

use crate::kit::{Wakes, panic_of, poll, poll_with, ready};

/// A gate: the future is over once it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Rc<Cell<Option<u32>>>);

impl Gate {
    pub(crate) fn open(&self, value: u32) {
        self.0.set(Some(value));
    }

    pub(crate) fn passed(&self) -> impl Future<Output = u32> + use<> {
        let gate = self.0.clone();
        poll_fn(move |_| gate.get().map_or(Poll::Pending, Poll::Ready))
    }
}

const LED: Part = Part::Led { inherited: None };

#[test]
fn a_clone_for_one_who_has_left_is_dropped() {
    let flight = Flight::<Rc<()>>::new();
    let (value, gate) = (Rc::new(()), Gate::default());
    let mut leader = pin!(flight.run(|| async {
        gate.passed().await;
        value.clone()
    }));
    assert!(poll(leader.as_mut()).is_pending());
    let [mut stays, mut leaves] = [(); 2].map(|()| Box::pin(flight.run(pending)));
    assert!(poll(stays.as_mut()).is_pending() && poll(leaves.as_mut()).is_pending());
    drop(leaves);
    gate.open(0);
    let answers = [ready(poll(leader)), ready(poll(stays.as_mut()))];
    assert!(answers.iter().all(|answer| answer.is_ok()));
    assert_eq!(Rc::strong_count(&value), 1 + answers.len());
}

#[test]
fn the_first_leads_and_all_get_its_result() {
    let flight = Flight::<u32>::new();
    let gate = Gate::default();
    assert_eq!(flight.peek(), None);
    let mut leader = pin!(flight.run(|| gate.passed()));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(flight.is_running());
    assert_eq!(flight.peek(), Some(0));
    let (wakes, waker) = Wakes::new();
    let mut follower = pin!(flight.run(|| async { unreachable!("it does not lead") }));
    let follower_run: &mut Pin<&mut _> = &mut follower;
    assert!(poll_with(follower_run.as_mut(), &waker).is_pending());
    assert_eq!(flight.peek(), Some(1));
    gate.open(7);
    let answer = ready(poll(leader.as_mut())).unwrap();
    assert_eq!(
        answer,
        Answer {
            value: 7,
            part: LED,
            joined: 1
        }
    );
    assert_eq!(wakes.count(), 1);
    let answer = ready(poll(follower_run.as_mut())).unwrap();
    assert_eq!(
        answer,
        Answer {
            value: 7,
            part: Part::Joined,
            joined: 1
        }
    );
    assert!(!flight.is_running());
    assert_eq!(flight.peek(), None);
}

#[test]
fn a_finished_flight_serves_nobody() {
    let flight = Flight::<u32>::new();
    assert_eq!(
        ready(poll(pin!(flight.run(|| async { 1 })))).unwrap().value,
        1
    );
    assert_eq!(
        ready(poll(pin!(flight.run(|| async { 2 })))).unwrap().value,
        2
    );
}

#[test]
fn a_lost_leader_is_succeeded_by_exactly_one() {
    let flight = Flight::<u32>::new();
    let mut leader = Box::pin(flight.run(pending));
    assert!(poll(leader.as_mut()).is_pending());
    let seats: Vec<_> = (0..3).map(|_| Wakes::new()).collect();
    let gate = Gate::default();
    let mut followers: Vec<_> = (0..3)
        .map(|_| {
            let gate = gate.clone();
            Box::pin(flight.run(move || gate.passed()))
        })
        .collect();
    for (follower, (_, waker)) in followers.iter_mut().zip(&seats) {
        assert!(poll_with(follower.as_mut(), waker).is_pending());
    }
    drop(leader);
    let woken = || {
        seats
            .iter()
            .map(|(wakes, _)| wakes.count())
            .collect::<Vec<_>>()
    };
    assert_eq!(woken(), [1, 0, 0]);
    // The heir goes unpolled: the next leads.
    drop(followers.remove(0));
    assert_eq!(woken(), [1, 1, 0]);
    assert!(poll_with(followers[0].as_mut(), &seats[1].1).is_pending());
    gate.open(5);
    let answer = ready(poll_with(followers[0].as_mut(), &seats[1].1)).unwrap();
    assert_eq!(answer.value, 5);
    let inherited = Some(Outcome::Abandoned { by_panic: false });
    assert_eq!(answer.part, Part::Led { inherited });
    assert_eq!(woken(), [1, 1, 1]);
    assert_eq!(ready(poll(followers[1].as_mut())).unwrap().value, 5);
    assert!(!flight.is_running());
}

#[test]
fn under_fail_a_lost_leader_fails_them_all() {
    let flight = Flight::<u32, Fail>::new();
    let mut leader = Box::pin(flight.run(pending));
    assert!(poll(leader.as_mut()).is_pending());
    let mut follower = pin!(flight.run(pending));
    assert!(poll(follower.as_mut()).is_pending());
    drop(leader);
    assert_eq!(
        ready(poll(follower.as_mut())).unwrap_err(),
        NoAnswer::Abandoned { by_panic: false }
    );
    assert!(!flight.is_running());
}

#[test]
fn a_panic_of_the_work_is_told_to_the_heir_and_goes_on_in_the_leader() {
    let flight = Flight::<u32>::new();
    let fuse = Gate::default();
    let passed = fuse.passed();
    let mut leader = Box::pin(flight.run(|| async {
        passed.await;
        panic!("broken")
    }));
    assert!(poll(leader.as_mut()).is_pending());
    let mut follower = pin!(flight.run(|| async { 3 }));
    assert!(poll(follower.as_mut()).is_pending());
    fuse.open(0);
    assert_eq!(panic_of(|| poll(leader.as_mut())), "broken");
    let answer = ready(poll(follower.as_mut())).unwrap();
    let inherited = Some(Outcome::Abandoned { by_panic: true });
    assert_eq!(answer.part, Part::Led { inherited });
    drop(leader);
    assert!(!flight.is_running());
}

#[test]
fn a_follower_leaves_without_effect_on_the_others() {
    let flight = Flight::<u32>::new();
    let gate = Gate::default();
    let mut leader = pin!(flight.run(|| gate.passed()));
    assert!(poll(leader.as_mut()).is_pending());
    let mut followers: Vec<_> = (0..5).map(|_| Box::pin(flight.run(pending))).collect();
    for follower in &mut followers {
        assert!(poll(follower.as_mut()).is_pending());
    }
    for at in [4, 2, 0] {
        drop(followers.remove(at));
    }
    gate.open(1);
    assert_eq!(ready(poll(leader.as_mut())).unwrap().joined, 5);
    for follower in &mut followers {
        assert_eq!(ready(poll(follower.as_mut())).unwrap().value, 1);
    }
}

#[test]
fn a_body_that_asks_for_its_own_flight_is_told_so() {
    let outer = Flight::<Result<u32, NoAnswer>>::new();
    let inner = Flight::<Result<u32, NoAnswer>>::new();
    let mut run = pin!(outer.run(|| async {
        let through = inner.run(|| async {
            let own = outer.run(|| async { Ok(1) }).await;
            own.and_then(|answer| answer.value)
        });
        through.await.and_then(|answer| answer.value)
    }));
    let answer = ready(poll(run.as_mut())).unwrap();
    assert_eq!(answer.value, Err(NoAnswer::Recursive));
}

/// An executor's interrupt may come within a body's poll: its tasks would be refused at random.
#[cfg(not(feature = "std"))]
#[test]
fn another_task_that_asks_in_the_middle_of_a_bodys_poll_joins() {
    let flight = Flight::<u32>::new();
    let [task, other] = [Wakes::new().1, Wakes::new().1];
    let mut joins = pin!(flight.run(pending));
    let joined: &mut Pin<&mut _> = &mut joins;
    let mut leader = pin!(flight.run(|| async {
        assert!(poll_with(joined.as_mut(), &other).is_pending());
        3
    }));
    assert!(ready(poll_with(leader.as_mut(), &task)).unwrap().led());
    assert_eq!(ready(poll_with(joins, &other)).unwrap().value, 3);
}

#[test]
fn two_calls_joined_in_one_task_are_no_recursion() {
    let flight = Flight::<u32>::new();
    let gate = Gate::default();
    let (mut one, mut two) = (
        pin!(flight.run(|| gate.passed())),
        pin!(flight.run(|| gate.passed())),
    );
    let waker = Waker::noop();
    assert!(poll_with(one.as_mut(), waker).is_pending());
    assert!(poll_with(two.as_mut(), waker).is_pending());
    gate.open(4);
    assert!(ready(poll_with(one.as_mut(), waker)).unwrap().led());
    let joined = ready(poll_with(two.as_mut(), waker)).unwrap();
    assert_eq!((joined.part, joined.led()), (Part::Joined, false));
}

#[test]
fn the_judge_decides_what_becomes_of_a_result() {
    for verdict in [
        Verdict::Share,
        Verdict::Retry,
        Verdict::Refuse,
        Verdict::GoAlone,
    ] {
        let flight = Flight::<u32>::new();
        let gate = Gate::default();
        let published = Cell::new(None);
        let mut leader = pin!(
            flight
                .run(|| gate.passed())
                .judge(move |_| verdict)
                .publish(|value| published.set(Some(*value)))
        );
        assert!(poll(leader.as_mut()).is_pending());
        let mut followers: Vec<_> = (10..12)
            .map(|own| Box::pin(flight.run(move || async move { own })))
            .collect();
        for follower in &mut followers {
            assert!(poll(follower.as_mut()).is_pending());
        }
        gate.open(1);
        assert_eq!(ready(poll(leader.as_mut())).unwrap().value, 1);
        assert_eq!(published.get(), (verdict == Verdict::Share).then_some(1));
        let answers: Vec<_> = followers
            .iter_mut()
            .map(|follower| ready(poll(follower.as_mut())).map(|answer| answer.value))
            .collect();
        let refused = Err(NoAnswer::Abandoned { by_panic: false });
        match verdict {
            Verdict::Share => assert_eq!(answers, [Ok(1), Ok(1)]),
            Verdict::Retry => assert_eq!(answers, [Ok(10), Ok(10)]),
            Verdict::Refuse => assert_eq!(answers, [refused, refused]),
            Verdict::GoAlone => assert_eq!(answers, [Ok(10), Ok(11)]),
        }
        assert!(!flight.is_running());
    }
}

#[test]
fn a_forgotten_flight_serves_those_who_joined_and_nobody_else() {
    let flight = Flight::<u32>::new();
    assert!(!flight.forget());
    let (old, new) = (Gate::default(), Gate::default());
    let mut first = pin!(flight.run(|| old.passed()));
    assert!(poll(first.as_mut()).is_pending());
    let mut joined = pin!(flight.run(pending));
    assert!(poll(joined.as_mut()).is_pending());
    assert!(flight.forget());
    assert!(!flight.forget());
    // Who has joined leads no other, though nobody leads any more.
    let (wakes, waker) = Wakes::new();
    assert!(poll_with(joined.as_mut(), &waker).is_pending());
    assert!(!flight.is_running());
    let mut second = pin!(flight.run(|| new.passed()));
    assert!(poll(second.as_mut()).is_pending());
    // The old one ends, and does not remove the new one.
    old.open(1);
    assert_eq!(ready(poll(first.as_mut())).unwrap().value, 1);
    assert_eq!(wakes.count(), 1);
    assert_eq!(ready(poll(joined.as_mut())).unwrap().value, 1);
    assert!(flight.is_running());
    new.open(2);
    assert_eq!(ready(poll(second.as_mut())).unwrap().value, 2);
    assert!(!flight.is_running());
}

/// Counts clones; panics at one of them.
struct Costly<'a> {
    log: &'a RefCell<Vec<&'static str>>,
    left: &'a Cell<usize>,
}

impl Clone for Costly<'_> {
    fn clone(&self) -> Self {
        let left = self.left.get();
        assert!(left > 0, "no more clones");
        self.left.set(left - 1);
        self.log.borrow_mut().push("clone");
        Self { ..*self }
    }
}

impl Drop for Costly<'_> {
    fn drop(&mut self) {
        self.log.borrow_mut().push("drop");
    }
}

#[cfg(feature = "std")]
#[test]
fn a_panicking_clone_fails_those_not_yet_served() {
    for clones in [0, 1, 2, 17] {
        let (log, left) = (RefCell::default(), Cell::new(clones));
        let flight = Flight::<Costly<'_>>::new();
        let gate = Gate::default();
        let mut leader = pin!(flight.run(|| async {
            gate.passed().await;
            Costly {
                log: &log,
                left: &left,
            }
        }));
        assert!(poll(leader.as_mut()).is_pending());
        let mut followers: Vec<_> = (0..20).map(|_| Box::pin(flight.run(pending))).collect();
        for follower in &mut followers {
            assert!(poll(follower.as_mut()).is_pending());
        }
        gate.open(0);
        assert_eq!(panic_of(|| poll(leader.as_mut())), "no more clones");
        let served = followers
            .iter_mut()
            .map(|follower| ready(poll(follower.as_mut())))
            .filter(|answer| match answer {
                Ok(_) => true,
                Err(why) => {
                    assert_eq!(*why, NoAnswer::Abandoned { by_panic: true });
                    false
                }
            })
            .count();
        assert_eq!(served, clones);
        drop(followers);
        let log = log.borrow();
        let count = |what| log.iter().filter(|step| **step == what).count();
        assert_eq!(count("clone") + 1, count("drop"));
        assert!(!flight.is_running());
    }
}

#[test]
fn a_landing_clones_once_for_each_follower_and_not_once_more() {
    for joined in [0, 1, 2, 15, 16, 17, 32, 33] {
        let (log, left) = (RefCell::default(), Cell::new(100));
        let flight = Flight::<Costly<'_>>::new();
        let gate = Gate::default();
        let mut leader = pin!(flight.run(|| async {
            gate.passed().await;
            Costly {
                log: &log,
                left: &left,
            }
        }));
        assert!(poll(leader.as_mut()).is_pending());
        let mut followers: Vec<_> = (0..joined).map(|_| Box::pin(flight.run(pending))).collect();
        for follower in &mut followers {
            assert!(poll(follower.as_mut()).is_pending());
        }
        gate.open(0);
        let _answer = ready(poll(leader.as_mut())).unwrap();
        assert_eq!(100 - left.get(), joined);
    }
}

#[test]
fn spare_clones_are_dropped_when_followers_have_left() {
    let (log, left) = (RefCell::default(), Cell::new(100));
    let flight = Flight::<Costly<'_>>::new();
    let gate = Gate::default();
    let mut leader = pin!(flight.run(|| async {
        gate.passed().await;
        Costly {
            log: &log,
            left: &left,
        }
    }));
    assert!(poll(leader.as_mut()).is_pending());
    let mut followers: Vec<_> = (0..4).map(|_| Box::pin(flight.run(pending))).collect();
    for follower in &mut followers {
        assert!(poll(follower.as_mut()).is_pending());
    }
    followers.truncate(1);
    gate.open(0);
    let answer = ready(poll(leader.as_mut())).unwrap();
    drop((answer, followers));
    let log = log.borrow();
    let count = |what| log.iter().filter(|step| **step == what).count();
    assert_eq!(count("clone") + 1, count("drop"));
}
