//! a01–a03: permits, the waiting room, and a capacity that changes while in use.

use core::time::Duration;

use super::super::subject::admission::{Acquiring, Bypass, Fifo, Policy};
use super::super::subject::{Admission, NotAdmitted, Permit, TimedOut};
use portable_atomic::Ordering;

use super::super::cases::parts::counter;
use crate::kit::{MockClock, Parked, TestWaker, eventually, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine admission:
    a01_admitted_queued_or_refused,
    a01_room_of_none_acquires_or_refuses,
    a01_what_can_never_be_is_refused,
    a01_wait_budget_gives_the_place_back,
    a01_permit_at_the_deadline_is_returned,
    a02_nobody_overtakes_a_heavy_head,
    a02_cancelled_head_lets_in_whoever_fits,
    a02_granted_and_dropped_comes_back,
    a02_abandoned_wait_keeps_what_had_come,
    a02_bypass_lets_so_many_past,
    a02_nothing_is_lost_among_tasks,
    a02_permits_are_split_and_merged,
    a02_owned_permit_is_returned_by_another_task needs ALLOC STD,
    a03_occupancy_never_exceeds_the_capacity,
    a03_shrinking_revokes_nothing,
    a03_growing_serves_at_once,
    a03_shrunk_below_its_weight_the_head_is_told,
    a03_close_tells_all_and_leaves_permits,
    c20_thread_waits_for_permits needs STD BLOCKING,
}

type Static<P = Fifo> = &'static Admission<P>;

/// One who waits for permits, polled by hand.
struct Seeker<P: Policy + 'static = Fifo> {
    wait: Parked<Acquiring<Static<P>>>,
    waker: TestWaker,
}

impl<P: Policy + 'static> Seeker<P> {
    const fn new() -> Self {
        Self {
            wait: Parked::new(),
            waker: TestWaker::new(),
        }
    }

    #[track_caller]
    fn enlist(&'static self, admission: Static<P>, weight: usize) {
        self.wait.park(admission.acquire(weight));
        self.wait.pending(&self.waker.waker());
    }

    #[track_caller]
    fn told(&'static self) -> Result<Permit<Static<P>>, NotAdmitted> {
        let told = self.wait.ready();
        self.wait.leave();
        told
    }

    #[track_caller]
    fn permit(&'static self) -> Permit<Static<P>> {
        self.told().expect("it was granted")
    }

    fn wakes(&self) -> usize {
        self.waker.wakes()
    }
}

fn new<R: Runtime, P: Policy + 'static>(rt: R, capacity: usize, room: usize) -> Static<P> {
    rt.put(Admission::new(capacity, room))
}

fn seekers<R: Runtime, P: Policy + 'static, const N: usize>(rt: R) -> &'static [Seeker<P>; N] {
    rt.put([const { Seeker::new() }; N])
}

/// Queues them up, by weight.
fn queue<P: Policy + 'static, const N: usize>(
    seekers: &'static [Seeker<P>; N],
    admission: Static<P>,
    weights: [usize; N],
) {
    for (seeker, weight) in seekers.iter().zip(weights) {
        seeker.enlist(admission, weight);
    }
}

/// Everything is back.
#[track_caller]
fn idle<P: Policy>(admission: &Admission<P>, capacity: usize) {
    let seen = admission.snapshot();
    let numbers = (seen.capacity, seen.target, seen.available, seen.waiting);
    assert_eq!(numbers, (capacity, capacity, capacity, 0));
    assert!(!admission.has_waiters());
}

async fn refused<P: Policy>(admission: &Admission<P>, weight: usize, why: NotAdmitted) {
    assert_eq!(admission.acquire(weight).await.map(drop), Err(why));
}

async fn a01_admitted_queued_or_refused<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 3, 2);
    let [a, b] = seekers(rt);
    let held = admission.acquire(2).await.expect("there is room");
    a.enlist(admission, 2);
    // One would fit, but somebody is in line.
    b.enlist(admission, 1);
    assert_eq!((admission.waiting(), admission.occupancy()), (2, 2));
    refused(admission, 1, NotAdmitted::RoomFull).await;
    assert_eq!(admission.try_acquire(1).map(drop), Err(NotAdmitted::Busy));
    drop(held);
    assert_eq!((a.wakes(), b.wakes(), admission.available()), (1, 1, 0));
    drop((b.permit(), a.permit()));
    idle(admission, 3);
    Verdict::Pass
}

async fn a01_room_of_none_acquires_or_refuses<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 1, 0);
    for _ in 0..rt.count(1000) {
        let held = admission.acquire(1).await.expect("it is back");
        refused(admission, 1, NotAdmitted::RoomFull).await;
        drop(held);
    }
    idle(admission, 1);
    Verdict::Pass
}

async fn a01_what_can_never_be_is_refused<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 2, 2);
    for busy in [false, true] {
        let held = busy.then(|| admission.try_acquire(2));
        refused(admission, 0, NotAdmitted::ZeroWeight).await;
        refused(admission, 3, NotAdmitted::TooHeavy).await;
        refused(admission, usize::MAX, NotAdmitted::TooHeavy).await;
        let now = admission.try_acquire(usize::MAX).map(drop);
        assert_eq!(now, Err(NotAdmitted::TooHeavy));
        drop(held);
    }
    idle(admission, 2);
    let none = new::<_, Fifo>(rt, 0, 2);
    refused(none, 1, NotAdmitted::TooHeavy).await;
    none.grow(1);
    drop(none.acquire(1).await.expect("it has grown"));
    Verdict::Pass
}

const MS: Duration = Duration::from_millis(1);

async fn a01_wait_budget_gives_the_place_back<R: Runtime>(rt: R) -> Verdict {
    let (admission, clock) = (new::<_, Fifo>(rt, 2, 2), rt.put(MockClock::new()));
    let (waker, [behind]) = (rt.put(TestWaker::new()), seekers(rt));
    let held = admission.try_acquire(1).expect("free");
    let bounded = rt.put(Parked::new());
    bounded.park(admission.acquire(2).timeout(clock, 5 * MS));
    bounded.pending(&waker.waker());
    behind.enlist(admission, 1);
    refused(admission, 1, NotAdmitted::RoomFull).await;
    clock.advance(5 * MS);
    assert_eq!(waker.wakes(), 1);
    assert_eq!(bounded.ready().map(drop), Err(TimedOut));
    // The heavy one has gone, and who stood behind it fits.
    assert_eq!((behind.wakes(), admission.waiting()), (1, 0));
    drop((behind.permit(), held));
    idle(admission, 2);
    bounded.leave();
    assert_eq!((waker.live(), clock.sleepers()), (0, 0));
    Verdict::Pass
}

async fn a01_permit_at_the_deadline_is_returned<R: Runtime>(rt: R) -> Verdict {
    let (admission, clock) = (new::<_, Fifo>(rt, 1, 1), rt.put(MockClock::new()));
    let (waker, bounded) = (rt.put(TestWaker::new()), rt.put(Parked::new()));
    let held = admission.try_acquire(1).expect("free");
    bounded.park(admission.acquire(1).timeout(clock, 5 * MS));
    bounded.pending(&waker.waker());
    clock.advance(5 * MS);
    drop(held);
    let permit = bounded.ready().expect("the grant wins").expect("open");
    assert_eq!(admission.occupancy(), 1);
    drop(permit);
    idle(admission, 1);
    bounded.leave();
    Verdict::Pass
}

async fn a02_nobody_overtakes_a_heavy_head<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 4, 9);
    let [heavy, light] = seekers(rt);
    let mut held = admission.try_acquire(4).expect("free");
    heavy.enlist(admission, 3);
    light.enlist(admission, 1);
    for _ in 0..2 {
        drop(held.split(1));
        assert_eq!((heavy.wakes(), light.wakes()), (0, 0));
        assert_eq!(admission.try_acquire(1).map(drop), Err(NotAdmitted::Busy));
    }
    drop(held.split(1));
    assert_eq!((heavy.wakes(), light.wakes()), (1, 0));
    drop(held);
    assert_eq!((heavy.wakes(), light.wakes()), (1, 1));
    drop((light.permit(), heavy.permit()));
    idle(admission, 4);
    Verdict::Pass
}

async fn a02_cancelled_head_lets_in_whoever_fits<R: Runtime>(rt: R) -> Verdict {
    for abandoned in [false, true] {
        let admission = new::<_, Fifo>(rt, 4, 9);
        let all = seekers::<_, Fifo, 4>(rt);
        let held = admission.try_acquire(2).expect("free");
        queue(all, admission, [4, 1, 1, 1]);
        if abandoned {
            let told = all[0].wait.with_pin(|wait| wait.try_abandon());
            assert!(told.is_none());
        }
        all[0].wait.leave();
        assert_eq!([1, 2, 3].map(|i: usize| all[i].wakes()), [1, 1, 0]);
        drop(held);
        drop([1, 2, 3].map(|i: usize| all[i].permit()));
        idle(admission, 4);
    }
    Verdict::Pass
}

async fn a02_granted_and_dropped_comes_back<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 2, 9);
    let all = seekers::<_, Fifo, 4>(rt);
    let held = admission.try_acquire(2).expect("free");
    queue(all, admission, [2, 1, 1, 2]);
    drop(held);
    assert_eq!(all.each_ref().map(|one| one.wakes()), [1, 0, 0, 0]);
    all[0].wait.leave();
    assert_eq!(all.each_ref().map(|one| one.wakes()), [1, 1, 1, 0]);
    all[2].wait.leave();
    drop(all[1].permit());
    assert_eq!(all[3].wakes(), 1);
    all[3].wait.leave();
    idle(admission, 2);
    assert!(all.iter().all(|one| one.waker.live() == 0));
    Verdict::Pass
}

async fn a02_abandoned_wait_keeps_what_had_come<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 1, 9);
    let [one, next] = seekers(rt);
    let held = admission.try_acquire(1).expect("free");
    one.enlist(admission, 1);
    next.enlist(admission, 1);
    drop(held);
    let permit = one.wait.with_pin(|wait| wait.try_abandon());
    let permit = permit.expect("it had come").expect("open");
    assert_eq!(next.wakes(), 0);
    drop(permit);
    assert_eq!(next.wakes(), 1);
    drop(next.permit());
    one.wait.leave();
    idle(admission, 1);
    Verdict::Pass
}

async fn a02_bypass_lets_so_many_past<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Bypass<2>>(rt, 4, 9);
    let all = seekers::<_, Bypass<2>, 4>(rt);
    let mut held = admission.try_acquire(4).expect("free");
    queue(all, admission, [4, 1, 1, 1]);
    for passed in [[0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0]] {
        drop(held.split(1));
        assert_eq!(all.each_ref().map(|one| one.wakes()), passed);
    }
    assert_eq!(admission.try_acquire(1).map(drop), Err(NotAdmitted::Busy));
    drop((held, all[1].permit(), all[2].permit()));
    assert_eq!((all[0].wakes(), all[3].wakes()), (1, 0));
    drop(all[0].permit());
    drop(all[3].permit());
    idle(admission, 4);
    Verdict::Pass
}

/// Tasks that take, wait, give up and go, in every order that the runtime comes to.
async fn a02_nothing_is_lost_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 4;
    let admission = new::<_, Fifo>(rt, 3, TASKS);
    let rounds = rt.count(20_000) / TASKS;
    let tasks: [_; TASKS] = core::array::from_fn(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                let weight = 1 + (task + round) % 3;
                if round % 3 == 0 {
                    let mut wait = core::pin::pin!(admission.acquire(weight));
                    let first = crate::kit::poll_once(wait.as_mut(), core::task::Waker::noop());
                    if round % 64 == 0 {
                        yield_now().await;
                    }
                    // Dropped queued, granted, or with the permit.
                    drop(first);
                } else {
                    drop(
                        admission
                            .acquire(weight)
                            .await
                            .expect("there is room for all"),
                    );
                }
                if round % 16 == 0 {
                    yield_now().await;
                }
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    idle(admission, 3);
    Verdict::Pass
}

async fn a02_permits_are_split_and_merged<R: Runtime>(rt: R) -> Verdict {
    let (admission, other) = (new::<_, Fifo>(rt, 5, 0), new::<_, Fifo>(rt, 5, 0));
    let mut permit = admission.try_acquire(4).expect("free");
    let part = permit.split(3).expect("something is left on both sides");
    assert!(permit.split(1).is_none());
    let foreign = other.try_acquire(1).expect("free");
    let foreign = permit.merge(foreign).expect_err("of another admission");
    assert!(permit.merge(part).is_ok());
    assert_eq!((permit.weight(), admission.occupancy()), (4, 4));
    drop((permit, foreign));
    idle(admission, 5);
    idle(other, 5);
    Verdict::Pass
}

on_hosts! {
async fn a02_owned_permit_is_returned_by_another_task<R: Runtime>(rt: R) -> Verdict {
    let admission = std::sync::Arc::new(Admission::<Fifo>::new(1, 1));
    let permit = Admission::try_acquire_owned(&admission, 1).expect("free");
    let wait = Admission::acquire_owned(&admission, 1);
    let task = rt.spawn(async move { drop(wait.await.expect("open")) });
    eventually(rt, "the task waits", || admission.waiting() == 1).await;
    let other = rt.spawn(async move { drop(permit) });
    assert_eq!(other.join().await, Ended::Finished);
    assert_eq!(task.join().await, Ended::Finished);
    idle(&admission, 1);
    Verdict::Pass
}
}

async fn a03_occupancy_never_exceeds_the_capacity<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 3;
    let (admission, inside) = (new::<_, Fifo>(rt, 4, 9), counter(rt));
    let rounds = rt.count(9_000) / TASKS;
    let tasks: [_; TASKS] = core::array::from_fn(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                let weight = 1 + (task + round) % 2;
                let permit = admission
                    .acquire(weight)
                    .await
                    .expect("the goal is two or more");
                let out = inside.fetch_add(weight, Ordering::SeqCst) + weight;
                let seen = admission.snapshot();
                assert!(out <= 4 && seen.occupancy <= seen.capacity, "{seen:?}");
                assert!(
                    seen.capacity == seen.target || seen.available == 0,
                    "{seen:?}"
                );
                if round % 8 == 0 {
                    yield_now().await;
                }
                inside.fetch_sub(weight, Ordering::SeqCst);
                drop(permit);
            }
        })
    });
    for _ in 0..rounds {
        assert_eq!(admission.shrink(2), 2);
        yield_now().await;
        assert_eq!(admission.grow(2), 4);
        yield_now().await;
    }
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    idle(admission, 4);
    Verdict::Pass
}

async fn a03_shrinking_revokes_nothing<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 4, 9);
    let [one] = seekers(rt);
    let mut held = admission.try_acquire(3).expect("free");
    assert_eq!(admission.shrink(3), 1);
    assert_eq!((admission.capacity(), admission.target()), (3, 1));
    one.enlist(admission, 1);
    drop(held.split(2));
    assert_eq!((admission.capacity(), one.wakes()), (1, 0));
    drop(held);
    assert_eq!(one.wakes(), 1);
    drop(one.permit());
    idle(admission, 1);
    Verdict::Pass
}

async fn a03_growing_serves_at_once<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 1, 40);
    let all = seekers::<_, Fifo, 20>(rt);
    let held = admission.try_acquire(1).expect("free");
    queue(all, admission, [1; 20]);
    assert_eq!(admission.grow(19), 20);
    let woken = all.iter().filter(|one| one.wakes() == 1).count();
    assert_eq!((woken, all[19].wakes()), (19, 0));
    drop(held);
    all.iter().for_each(|one| drop(one.permit()));
    idle(admission, 20);
    Verdict::Pass
}

async fn a03_shrunk_below_its_weight_the_head_is_told<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 4, 9);
    let [heavy, light] = seekers(rt);
    let held = admission.try_acquire(2).expect("free");
    heavy.enlist(admission, 4);
    light.enlist(admission, 1);
    assert_eq!(admission.shrink(1), 3);
    assert_eq!(heavy.told().map(drop), Err(NotAdmitted::TooHeavy));
    assert_eq!(light.wakes(), 1);
    drop((light.permit(), held));
    idle(admission, 3);
    Verdict::Pass
}

async fn a03_close_tells_all_and_leaves_permits<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 2, 40);
    let all = seekers::<_, Fifo, 20>(rt);
    let held = admission.try_acquire(2).expect("free");
    queue(all, admission, [1; 20]);
    assert!(admission.close() && !admission.close());
    for one in all {
        assert_eq!(
            (one.wakes(), one.told().map(drop)),
            (1, Err(NotAdmitted::Closed))
        );
    }
    assert_eq!(admission.occupancy(), 2);
    drop(held);
    idle(admission, 2);
    refused(admission, 1, NotAdmitted::Closed).await;
    Verdict::Pass
}

on_hosts! {
async fn c20_thread_waits_for_permits<R: Runtime>(rt: R) -> Verdict {
    let admission = new::<_, Fifo>(rt, 2, 9);
    let [behind] = seekers(rt);
    let held = admission.try_acquire(2).expect("free");
    let thread = std::thread::spawn(move || {
        admission.acquire_blocking(1).map(|permit| permit.weight())
    });
    eventually(rt, "the thread queues up", || admission.has_waiters()).await;
    behind.enlist(admission, 2);
    drop(held);
    eventually(rt, "the thread lets go", || behind.wakes() == 1).await;
    assert_eq!(thread.join().expect("no panic"), Ok(1));
    let held = behind.permit();
    let thread = std::thread::spawn(move || admission.acquire_blocking_timeout(1, MS).map(drop));
    assert_eq!(thread.join().expect("no panic"), Err(TimedOut));
    assert!(!admission.has_waiters());
    drop(held);
    idle(admission, 2);
    Verdict::Pass
}
}
