//! How runs end: what is gone before who is told, which of two flights is meant, who may be replaced when.

use std::{
    cell::{Cell, RefCell},
    future::{Future, pending, poll_fn},
    pin::{Pin, pin},
    rc::Rc,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use ecluse_core::{
    DefaultLock, Flight, Group, NoAnswer, Once,
    flight::{Answer, DefaultHash, Part, Promote, Relay, Verdict},
    runtime::{Clock, Timer},
};

use crate::{
    clock::Hand,
    kit::{Callback, Diary, Striker, Wakes, panic_of, poll, poll_with, ready},
    walks_flight::Gate,
};

const BOUND: Duration = Duration::from_millis(10);

/// Work that ends as the test says, and notes when it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Dropped,
    Panics,
    Lands,
}

const ENDS: [End; 3] = [End::Dropped, End::Panics, End::Lands];

/// Pending once. (What it holds goes with it, not with its last poll.)
struct Work {
    diary: Diary,
    end: End,
    begun: bool,
}

fn work(diary: Diary, end: End) -> Work {
    Work {
        diary,
        end,
        begun: false,
    }
}

impl Future for Work {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        if !std::mem::replace(&mut self.begun, true) {
            return Poll::Pending;
        }
        assert_ne!(self.end, End::Panics, "on purpose");
        Poll::Ready(1)
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.diary.note("gone");
    }
}

/// Brings a call that has been polled once to its end.
fn bring_to<F: Future>(end: End, mut call: Pin<Box<F>>) {
    match end {
        End::Dropped => drop(call),
        End::Panics => {
            assert!(panic_of(|| poll(call.as_mut()).is_ready()).contains("on purpose"));
        }
        End::Lands => drop(ready(poll(call.as_mut()))),
    }
}

/// A successor never overlaps a destructor of the one before.
#[test]
fn a_flights_work_is_gone_before_anybody_is_told() {
    for end in ENDS {
        let (flight, diary) = (Flight::<u32>::new(), Diary::default());
        let mut leader = Box::pin(flight.run(|| work(diary.clone(), end)));
        assert!(poll(leader.as_mut()).is_pending());
        let mut follower = pin!(flight.run(pending));
        assert!(poll_with(follower.as_mut(), &diary.waker("woken")).is_pending());
        bring_to(end, leader);
        assert_eq!(diary.entries(), ["gone", "woken"], "{end:?}");
    }
}

#[test]
fn a_once_cells_work_is_gone_before_anybody_is_told() {
    for end in ENDS {
        let (once, diary) = (Once::<u32>::new(), Diary::default());
        let mut first = Box::pin(once.get_or_init(|| work(diary.clone(), end)));
        assert!(poll(first.as_mut()).is_pending());
        let mut second = pin!(once.get_or_init(pending));
        assert!(poll_with(second.as_mut(), &diary.waker("woken")).is_pending());
        bring_to(end, first);
        assert_eq!(diary.entries(), ["gone", "woken"], "{end:?}");
        assert_eq!(once.is_set(), end == End::Lands);
    }
}

#[test]
fn a_relays_work_is_gone_before_anybody_is_told() {
    for end in [End::Panics, End::Lands] {
        let (relay, diary) = (Relay::<_, DefaultLock>::new(), Diary::default());
        let make = || Box::pin(work(diary.clone(), end));
        let mut driver = Box::pin(relay.run(make));
        assert!(poll(driver.as_mut()).is_pending());
        let mut follower = Box::pin(relay.run(make));
        assert!(poll_with(follower.as_mut(), &diary.waker("woken")).is_pending());
        bring_to(end, driver);
        assert_eq!(diary.entries(), ["gone", "woken"], "{end:?}");
    }
}

#[cfg(feature = "alloc")]
mod tasks {
    use ecluse_core::runtime::{Spawn, SpawnError, Tally, Ticket};

    use super::*;

    type Kept = Rc<RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>>;

    /// Keeps the task.
    struct Keep(Kept);

    impl<F: Future<Output = ()> + 'static> Spawn<F, Rc<Tally>> for Keep {
        type Abort = ();

        fn spawn(&self, ticket: Ticket<F, Rc<Tally>>) -> Result<(), SpawnError<F>> {
            *self.0.borrow_mut() = Some(Box::pin(ticket));
            Ok(())
        }
    }

    #[test]
    fn a_tasks_work_is_gone_before_anybody_is_told() {
        for end in ENDS {
            let (flight, diary) = (Rc::new(Flight::<u32>::new()), Diary::default());
            let (kept, tally) = (Kept::default(), Rc::<Tally>::default());
            let keep = Keep(kept.clone());
            let make = {
                let diary = diary.clone();
                move || work(diary, end)
            };
            let mut call = pin!(Flight::run_detached(&flight, keep, tally, make));
            assert!(poll_with(call.as_mut(), &diary.waker("woken")).is_pending());
            let mut task = kept.take().unwrap();
            assert!(poll(task.as_mut()).is_pending());
            match end {
                End::Dropped => drop(task),
                End::Panics => drop(panic_of(|| poll(task.as_mut()))),
                End::Lands => ready(poll(task.as_mut())),
            }
            assert_eq!(diary.entries(), ["gone", "woken"], "{end:?}");
        }
    }
}

/// Only a task ends with its last follower.
#[test]
fn the_last_follower_who_leaves_does_not_end_a_callers_own_run() {
    let (flight, gate) = (Flight::<u32>::new(), Gate::default());
    let (wakes, waker) = Wakes::new();
    let mut leader = pin!(flight.run(|| gate.passed()));
    assert!(poll_with(leader.as_mut(), &waker).is_pending());
    let mut follower = Box::pin(flight.run(pending));
    assert!(poll(follower.as_mut()).is_pending());
    drop(follower);
    assert!(flight.is_running());
    let mut next = pin!(flight.run(pending));
    assert!(poll(next.as_mut()).is_pending());
    gate.open(2);
    assert_eq!(ready(poll(leader.as_mut())).unwrap().joined, 2);
    assert_eq!(ready(poll(next.as_mut())).unwrap().part, Part::Joined);
    assert_eq!((wakes.count(), wakes.live()), (0, 1));
}

/// A clock that does something when it is read.
#[derive(Default)]
struct Meddling {
    now: Cell<u64>,
    act: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Clock for &'static Meddling {
    type Instant = u64;

    fn now(&self) -> u64 {
        let act = self.act.borrow_mut().take();
        if let Some(act) = act {
            act();
        }
        self.now.get()
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        from + by.as_millis() as u64
    }
}

#[test]
fn a_newer_flight_than_the_one_found_too_old_is_not_superseded() {
    type Timed = Flight<u32, Promote, DefaultLock, &'static Meddling>;
    let clock: &'static Meddling = Box::leak(Box::default());
    let flight: &'static Timed = Box::leak(Box::new(Timed::with_clock(clock)));
    let mut old = pin!(flight.run(pending));
    assert!(poll(old.as_mut()).is_pending());
    clock.now.set(20);
    // Between the look at its age and its being forgotten another takes its place.
    let newer = Rc::new(RefCell::new(None));
    *clock.act.borrow_mut() = Some(Box::new({
        let newer = newer.clone();
        move || {
            assert!(flight.forget());
            let mut run = Box::pin(flight.run(|| async { pending::<u32>().await }));
            assert!(poll(run.as_mut()).is_pending());
            *newer.borrow_mut() = Some(run);
        }
    }));
    let mut young = pin!(flight.run(|| async { 3 }).max_age(BOUND));
    assert!(poll(young.as_mut()).is_pending(), "it joins the newer one");
    assert!(newer.borrow().is_some() && !young.is_running());
}

#[test]
fn an_heir_that_is_never_polled_is_as_old_as_its_promotion() {
    let clock = Hand::default();
    let flight = Flight::<u32, Promote, DefaultLock, Hand>::with_clock(clock.clone());
    let mut leader = Box::pin(flight.run(pending));
    assert!(poll(leader.as_mut()).is_pending());
    let mut heir = pin!(flight.run(pending));
    assert!(poll(heir.as_mut()).is_pending());
    clock.advance(8);
    drop(leader);
    clock.advance(8);
    let mut joins = pin!(flight.run(|| async { 1 }).max_age(BOUND));
    assert!(poll(joins.as_mut()).is_pending());
    clock.advance(8);
    let mut late = pin!(flight.run(|| async { 2 }).max_age(BOUND));
    assert!(ready(poll(late.as_mut())).unwrap().led());
}

#[test]
fn a_key_that_is_remembered_anew_keeps_its_own_place() {
    type Timed = Group<u32, u32, Promote, DefaultLock, DefaultHash, Hand, 4, 2>;
    let clock = Hand::default();
    let group = Timed::with(DefaultHash, clock.clone()).alone_for(BOUND);
    let gate = Gate::default();
    let not_shared = |key| {
        let gate = gate.clone();
        let run = group.run(key, move || gate.passed());
        Box::pin(run.judge(|_| Verdict::GoAlone))
    };
    let mut calls = vec![not_shared(1)];
    assert!(poll(calls[0].as_mut()).is_pending());
    // Two flights for the second, one after another.
    for _ in 0..2 {
        let mut call = not_shared(2);
        assert!(poll(call.as_mut()).is_pending());
        calls.push(call);
        group.forget(&2);
    }
    gate.open(0);
    for call in &mut calls {
        ready(poll(call.as_mut())).unwrap();
        clock.advance(1);
    }
    let alone = |key| {
        let mut run = Box::pin(group.run(key, || async { key }));
        ready(poll(run.as_mut())).unwrap().part == Part::Alone
    };
    assert!(alone(1) && alone(2));
}

/// What is done once.
type Deed = Rc<RefCell<Option<Box<dyn FnOnce()>>>>;

/// A timer that does something when it is over, which is at its second poll.
struct Last(Deed);

struct LastSleep(Deed, bool);

impl Clock for Last {
    type Instant = u64;

    fn now(&self) -> u64 {
        0
    }

    fn after(&self, from: u64, _: Duration) -> u64 {
        from
    }
}

impl Timer for Last {
    type Sleep = LastSleep;

    fn sleep_until(&self, _: u64) -> LastSleep {
        LastSleep(self.0.clone(), false)
    }
}

impl Future for LastSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if !std::mem::replace(&mut self.1, true) {
            return Poll::Pending;
        }
        let act = self.0.borrow_mut().take();
        if let Some(act) = act {
            act();
        }
        Poll::Ready(())
    }
}

#[test]
fn a_flight_that_ends_at_the_last_moment_is_not_missed() {
    type Call = Pin<Box<dyn Future<Output = Result<Answer<u32>, NoAnswer>>>>;
    // Its result, its lead, its verdict to go alone.
    for case in 0..3 {
        let flight: &'static Flight<u32> = Box::leak(Box::default());
        let gate = Gate::default();
        let own = gate.clone();
        let mut leader: Call = Box::pin(flight.run(move || own.passed()).judge(move |_| {
            if case == 2 {
                Verdict::GoAlone
            } else {
                Verdict::Share
            }
        }));
        assert!(poll(leader.as_mut()).is_pending());
        let at_last = Deed::default();
        let mut follower = pin!(
            flight
                .run(|| async { 9 })
                .timeout(Last(at_last.clone()), BOUND)
        );
        assert!(poll(follower.as_mut()).is_pending());
        *at_last.borrow_mut() = Some(Box::new(move || {
            if case != 1 {
                gate.open(4);
                let _ = ready(poll(leader.as_mut()));
            }
            drop(leader);
        }));
        let answer = ready(poll(follower.as_mut())).unwrap();
        let led = matches!(answer.part, Part::Led { inherited: Some(_) });
        let expected = [(4, false), (9, true), (9, false)];
        assert_eq!((answer.value, led), expected[case]);
        assert!(!flight.is_running());
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;
type Others = Rc<RefCell<Option<Boxed<Result<Answer<u32>, NoAnswer>>>>>;

/// Nobody else may touch the half-done run while its driver does.
#[test]
fn a_driver_inside_a_poll_is_not_replaced() {
    let relay: &'static Relay<Boxed<u32>> = Box::leak(Box::default());
    let (clock, other) = (Hand::default(), Others::default());
    let begun = Rc::new(Cell::new(0));
    let make = {
        let (clock, other, begun) = (clock.clone(), other.clone(), begun.clone());
        move || -> Boxed<u32> {
            let (clock, other) = (clock.clone(), other.clone());
            begun.set(begun.get() + 1);
            let mut inside = false;
            Box::pin(poll_fn(move |_| {
                assert!(
                    !std::mem::replace(&mut inside, true),
                    "polled within its poll"
                );
                // It looks, and time passes.
                for _ in 0..3 {
                    if let Some(other) = &mut *other.borrow_mut() {
                        assert!(poll(other.as_mut()).is_pending());
                    }
                    clock.advance(10);
                }
                inside = false;
                Poll::Pending
            }))
        }
    };
    let mut driver = Box::pin(relay.run(make.clone()));
    assert!(poll(driver.as_mut()).is_pending());
    let mut call: Boxed<_> = Box::pin(relay.run(make).stall_bound(clock.clone(), BOUND));
    assert!(poll(call.as_mut()).is_pending());
    *other.borrow_mut() = Some(call);
    assert!(poll(driver.as_mut()).is_pending());
    assert_eq!(begun.get(), 1);
    let call = other.borrow_mut().take();
    drop(call);
    drop(driver);
    assert!(!relay.is_running());
}

/// Whoever comes meanwhile starts afresh after it, however impatient.
#[test]
fn one_who_leaves_is_not_replaced_while_it_drops_what_is_half_done() {
    struct Leaves(Box<dyn FnMut()>);
    impl Drop for Leaves {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let relay: &'static Relay<Boxed<u32>> = Box::leak(Box::default());
    let (clock, other, begun) = (Hand::default(), Others::default(), Rc::new(Cell::new(0)));
    let mut driver = Box::pin(relay.run({
        let (clock, other, begun) = (clock.clone(), other.clone(), begun.clone());
        move || -> Boxed<u32> {
            let (clock, other, begun) = (clock.clone(), other.clone(), begun.clone());
            let leaves = Leaves(Box::new(move || {
                let begun = begun.clone();
                let afresh = move || -> Boxed<u32> {
                    begun.set(begun.get() + 1);
                    Box::pin(async { 5 })
                };
                let run = relay.run(afresh).stall_bound(clock.clone(), BOUND);
                let mut run: Boxed<_> = Box::pin(run);
                for _ in 0..3 {
                    assert!(poll(run.as_mut()).is_pending());
                    clock.advance(10);
                }
                *other.borrow_mut() = Some(run);
            }));
            Box::pin(async move {
                let _leaves = leaves;
                pending().await
            })
        }
    }));
    assert!(poll(driver.as_mut()).is_pending());
    drop(driver);
    assert_eq!(begun.get(), 0);
    let mut late = other.take().unwrap();
    assert_eq!(ready(poll(late.as_mut())).unwrap().value, 5);
    assert!(!relay.is_running());
}

#[test]
fn a_new_driver_is_not_taken_for_the_one_before() {
    let clock = Hand::default();
    let relay = Relay::<std::future::Pending<u32>>::new();
    let mut first = Box::pin(relay.run(pending));
    assert!(poll(first.as_mut()).is_pending());
    let mut second = Box::pin(relay.run(pending));
    assert!(poll(second.as_mut()).is_pending());
    let (wakes, waker) = Wakes::new();
    let mut other = Box::pin(relay.run(pending).stall_bound(clock.clone(), BOUND));
    assert!(poll_with(other.as_mut(), &waker).is_pending());
    clock.advance(9);
    // It has been polled as often as the one before, a moment ago.
    drop(first);
    assert!(poll(second.as_mut()).is_pending());
    clock.advance(1);
    assert!(poll_with(other.as_mut(), &waker).is_pending());
    let before = wakes.count();
    drop(second);
    assert_eq!(wakes.count(), before + 1, "it drove until now");
}

/// The value is there before anybody can claim the making of it.
#[test]
fn a_waiter_that_is_polled_as_it_is_woken_finds_the_value() {
    type Waits = Pin<Box<dyn Future<Output = bool> + Send>>;
    static ONCE: Once<u32> = Once::new();
    static WAITS: Mutex<Option<Waits>> = Mutex::new(None);
    let open: &AtomicBool = Box::leak(Box::default());
    let mut first = pin!(ONCE.get_or_init(|| poll_fn(move |_| {
        if open.load(Ordering::SeqCst) {
            Poll::Ready(3)
        } else {
            Poll::Pending
        }
    })));
    assert!(poll(first.as_mut()).is_pending());
    let striker = Striker::new(Callback::Wake, || {
        let mut waits = WAITS.lock().unwrap().take().expect("it waits");
        assert!(ready(poll(waits.as_mut())));
    });
    let mut waits: Waits = Box::pin(async {
        let own = ONCE.get_or_init(|| async { 4 }).await;
        own == Ok(&3)
    });
    assert!(poll_with(waits.as_mut(), &striker.waker()).is_pending());
    *WAITS.lock().unwrap() = Some(waits);
    open.store(true, Ordering::SeqCst);
    assert_eq!(ready(poll(first.as_mut())), Ok(&3));
    assert_eq!((striker.acted(), ONCE.get()), (1, Some(&3)));
}
