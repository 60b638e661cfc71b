//! g04: runs that are tasks of their own, and end with the last who is interested in them.

#[cfg(feature = "std")]
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
};
#[cfg(feature = "std")]
use std::boxed::Box;

use ecluse_core::runtime::{Spawn, SpawnError, Tally, TallyRef, Ticket};
use portable_atomic::{AtomicUsize, Ordering};

use super::super::cases::parts::Droplet;
use super::super::subject::flight::{Answer, NoAnswer, Part, Promote};
use super::super::subject::{Handoff, ListLock};
use super::flight_parts::abandoned;
use crate::kit::{Guarded, Parked, TestWaker, eventually, yield_now};
use crate::{Ended, Interrupt, Runtime, Task, Verdict};

cases! { engine detached:
    g04_last_caller_who_leaves_cancels_the_run needs ALLOC,
    g04_run_goes_on_while_anybody_is_interested needs ALLOC,
    g04_newcomer_never_joins_a_doomed_run needs ALLOC,
    g04_doomed_run_that_was_never_polled_does_not_begin needs ALLOC,
    g04_run_that_is_to_finish_outlives_its_callers needs ALLOC,
    g04_run_of_a_runtime_that_ended_is_begun_anew_by_one needs ALLOC SHUTDOWN,
    g04_run_without_callers_of_a_runtime_that_ended_leaves_nothing needs ALLOC SHUTDOWN,
    g04_run_without_a_place_runs_in_its_caller needs ALLOC,
    g04_callers_of_a_run_that_was_swallowed_are_told needs ALLOC,
    g04_callers_that_come_and_go_leave_nothing needs ALLOC,
}

type Group = ecluse_core::Group<u16, u32, Promote, ListLock>;
type Slot = ecluse_core::Slot<Handoff, ListLock>;
type StaticTally = &'static Tally<ListLock>;

/// Every spawned run as a task of the runtime.
#[derive(Clone, Copy)]
struct On<R>(R);

#[cfg(feature = "std")]
impl<R: Runtime, F: Future<Output = ()> + Send + 'static> Spawn<F, StaticTally> for On<R> {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, StaticTally>) -> Result<(), SpawnError<F>> {
        drop(self.0.spawn(ticket));
        Ok(())
    }
}

#[cfg(feature = "std")]
type Kept = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Keeps one task for the case, to run it where it likes.
#[cfg(feature = "std")]
#[derive(Clone, Copy)]
struct Keep(&'static Guarded<Option<Kept>>);

#[cfg(feature = "std")]
impl Keep {
    fn new<R: Runtime>(rt: R) -> Self {
        Self(rt.put(Guarded::new(None)))
    }

    fn take(self) -> Kept {
        self.0.with(Option::take).expect("a task was spawned")
    }
}

#[cfg(feature = "std")]
impl<F: Future<Output = ()> + Send + 'static> Spawn<F, StaticTally> for Keep {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, StaticTally>) -> Result<(), SpawnError<F>> {
        let task: Kept = Box::pin(ticket);
        let before = self.0.with(|kept| kept.replace(task));
        assert!(before.is_none(), "one at a time");
        Ok(())
    }
}

/// A pool without a place, or a runtime that is gone and swallows what it is given.
#[derive(Clone, Copy)]
enum Refuses {
    Busy,
    Closed,
}

#[cfg(feature = "std")]
impl<F: Future<Output = ()>, A: TallyRef> Spawn<F, A> for Refuses {
    type Abort = ();

    fn spawn(&self, ticket: Ticket<F, A>) -> Result<(), SpawnError<F>> {
        match self {
            Self::Busy => Err(SpawnError::Busy(ticket.into_inner().expect("not begun"))),
            Self::Closed => {
                drop(ticket);
                Err(SpawnError::Closed(None))
            }
        }
    }
}

/// A group, and the work that its runs do: each waits until the gate is opened, and gives its number.
struct World {
    group: Group,
    tally: Tally<ListLock>,
    gate: Slot,
    begun: AtomicUsize,
    gone: AtomicUsize,
    /// The last of these is the waker of whoever has none of its own.
    wakers: [TestWaker; 3],
}

#[cfg(feature = "std")]
impl World {
    fn new<R: Runtime>(rt: R) -> &'static Self {
        let world = rt.put(Self {
            group: Group::new(),
            tally: Tally::new(),
            gate: Slot::new(),
            begun: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
            wakers: [const { TestWaker::new() }; 3],
        });
        // Held for ever; it is opened by a close.
        core::mem::forget(world.gate.try_claim().expect("a new one is free"));
        world
    }

    async fn work(&'static self) -> u32 {
        let _droplet = Droplet(&self.gone);
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(self.gate.claim().await.is_err(), "it is never let go");
        number as u32
    }

    fn open(&'static self) {
        self.gate.close();
    }

    fn call<S>(
        &'static self,
        spawn: S,
    ) -> impl Future<Output = Result<Answer<u32>, NoAnswer>> + Send + 'static
    where
        S: Spawning + Send + 'static,
    {
        spawn.detached(self, false)
    }

    /// One whose run finishes without it.
    fn leaves_it<S>(
        &'static self,
        spawn: S,
    ) -> impl Future<Output = Result<Answer<u32>, NoAnswer>> + Send + 'static
    where
        S: Spawning + Send + 'static,
    {
        spawn.detached(self, true)
    }

    /// How many runs began, how many are gone.
    fn runs(&self) -> (usize, usize) {
        let [begun, gone] = [&self.begun, &self.gone].map(|count| count.load(Ordering::SeqCst));
        (begun, gone)
    }

    async fn begins<R: Runtime>(&'static self, rt: R, number: usize) {
        eventually(rt, "the run begins", || self.runs().0 == number).await;
    }

    /// Every task is over, and nothing is left.
    async fn settles(&'static self) {
        self.tally.joined().await;
        assert!(self.group.is_empty());
        let (begun, gone) = self.runs();
        assert_eq!(begun, gone);
        for waker in &self.wakers {
            assert_eq!(waker.live(), 0, "a waker is left");
        }
    }
}

/// What makes a detached call: each way to spawn has a type of its own.
#[cfg(feature = "std")]
trait Spawning: Sized {
    fn detached(
        self,
        world: &'static World,
        outlive: bool,
    ) -> impl Future<Output = Result<Answer<u32>, NoAnswer>> + Send + 'static;
}

#[cfg(feature = "std")]
macro_rules! spawning {
    ($([$($bound:tt)*] $spawn:ty),+ $(,)?) => {$(
        impl<$($bound)*> Spawning for $spawn {
            fn detached(
                self,
                world: &'static World,
                outlive: bool,
            ) -> impl Future<Output = Result<Answer<u32>, NoAnswer>> + Send + 'static {
                let work = || world.work();
                let call = Group::run_detached(&&world.group, self, &world.tally, 1, work);
                if outlive { call.outlive() } else { call }
            }
        }
    )+};
}

#[cfg(feature = "std")]
spawning!([R: Runtime] On<R>, [] Keep, [] Refuses);

const LOST: NoAnswer = abandoned(false);

/// Given the result of run `number`, which `joined` have joined.
const fn result_of(number: u32, joined: u32) -> Result<Answer<u32>, NoAnswer> {
    Ok(Answer {
        value: number,
        part: Part::Joined,
        joined,
    })
}

/// Lets the tasks go on for a while.
#[cfg(feature = "std")]
async fn some_turns() {
    for _ in 0..8 {
        yield_now().await;
    }
}

on_hosts! {
async fn g04_last_caller_who_leaves_cancels_the_run<R: Runtime>(rt: R) -> Verdict {
    let world = World::new(rt);
    let [first, second, third] = [(); 3].map(|()| rt.put(Parked::new()));
    for (call, waker) in [first, second, third].iter().zip(&world.wakers) {
        call.park(world.call(On(rt)));
        call.pending(&waker.waker());
    }
    world.begins(rt, 1).await;
    // In whatever order: the one that began it, then one of the others.
    first.leave();
    third.leave();
    some_turns().await;
    assert_eq!((world.runs(), world.group.peek(&1)), ((1, 0), Some(3)));
    second.leave();
    assert_eq!(world.group.peek(&1), None, "out of sight at once");
    world.settles().await;
    assert_eq!((world.runs(), world.tally.lost()), ((1, 1), 0));
    assert!(world.wakers.iter().all(|waker| waker.wakes() == 0));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_run_goes_on_while_anybody_is_interested<R: Runtime>(rt: R) -> Verdict {
    let world = World::new(rt);
    let (first, second) = (rt.put(Parked::new()), rt.put(Parked::new()));
    first.park(world.call(On(rt)));
    first.pending(&world.wakers[0].waker());
    world.begins(rt, 1).await;
    second.park(world.call(On(rt)));
    second.pending(&world.wakers[1].waker());
    let third = rt.spawn(async move {
        assert_eq!(world.call(On(rt)).await.map(|answer| answer.value), Ok(1));
    });
    let joined = || world.group.peek(&1) == Some(3);
    eventually(rt, "the third has joined", joined).await;
    first.leave();
    some_turns().await;
    world.open();
    assert_eq!(third.join().await, Ended::Finished);
    let woken = || world.wakers[1].wakes() == 1;
    eventually(rt, "the second is told", woken).await;
    assert_eq!(second.ready(), result_of(1, 3));
    world.settles().await;
    assert_eq!((world.runs(), world.wakers[0].wakes()), ((1, 1), 0));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_newcomer_never_joins_a_doomed_run<R: Runtime>(rt: R) -> Verdict {
    let world = World::new(rt);
    let (first, newcomer) = (rt.put(Parked::new()), rt.put(Parked::new()));
    first.park(world.call(On(rt)));
    first.pending(&world.wakers[0].waker());
    world.begins(rt, 1).await;
    first.leave();
    // At once: on one thread the doomed task has not run since.
    newcomer.park(world.call(On(rt)));
    newcomer.pending(&world.wakers[1].waker());
    assert_eq!(world.group.peek(&1), Some(1));
    world.begins(rt, 2).await;
    eventually(rt, "the doomed one is gone", || world.runs().1 == 1).await;
    // It takes nothing with it.
    assert_eq!(world.group.peek(&1), Some(1));
    world.open();
    let woken = || world.wakers[1].wakes() == 1;
    eventually(rt, "the newcomer is told", woken).await;
    assert_eq!(newcomer.ready(), result_of(2, 1));
    world.settles().await;
    assert_eq!(world.runs(), (2, 2));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_doomed_run_that_was_never_polled_does_not_begin<R: Runtime>(rt: R) -> Verdict {
    let (world, keep) = (World::new(rt), Keep::new(rt));
    let (first, newcomer) = (rt.put(Parked::new()), rt.put(Parked::new()));
    first.park(world.call(keep));
    first.pending(&world.wakers[0].waker());
    first.leave();
    let doomed = keep.take();
    newcomer.park(world.call(keep));
    newcomer.pending(&world.wakers[1].waker());
    assert_eq!(rt.spawn(doomed).join().await, Ended::Finished);
    assert_eq!((world.runs(), world.group.peek(&1)), ((0, 0), Some(1)));
    world.open();
    assert_eq!(rt.spawn(keep.take()).join().await, Ended::Finished);
    assert_eq!(newcomer.ready(), result_of(1, 1));
    world.settles().await;
    Verdict::Pass
}
}

on_hosts! {
async fn g04_run_that_is_to_finish_outlives_its_callers<R: Runtime>(rt: R) -> Verdict {
    let world = World::new(rt);
    let (first, late) = (rt.put(Parked::new()), rt.put(Parked::new()));
    first.park(world.leaves_it(On(rt)));
    first.pending(&world.wakers[0].waker());
    first.leave();
    world.begins(rt, 1).await;
    some_turns().await;
    assert_eq!((world.runs(), world.group.peek(&1)), ((1, 0), Some(1)));
    // It is joined by whoever comes, and does not end when that one leaves, either.
    late.park(world.call(On(rt)));
    late.pending(&world.wakers[1].waker());
    late.leave();
    some_turns().await;
    assert_eq!((world.runs(), world.group.peek(&1)), ((1, 0), Some(2)));
    world.open();
    world.settles().await;
    assert_eq!((world.runs(), world.tally.lost()), ((1, 1), 0));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_run_of_a_runtime_that_ended_is_begun_anew_by_one<R: Runtime>(rt: R) -> Verdict {
    let (world, keep) = (World::new(rt), Keep::new(rt));
    let first = rt.put(Parked::new());
    let [second, third] = [(); 2].map(|()| rt.put(Parked::new()));
    first.park(world.call(keep));
    first.pending(&world.wakers[0].waker());
    for (call, waker) in [second, third].iter().zip(&world.wakers[1..]) {
        call.park(world.call(On(rt)));
        call.pending(&waker.waker());
    }
    // Half-done there, and gone with it.
    rt.interrupted(Interrupt::RuntimeShutdown, keep.take()).await;
    assert_eq!((world.runs(), world.tally.lost()), ((1, 1), 1));
    let wakes = || world.wakers.each_ref().map(TestWaker::wakes);
    assert_eq!(wakes(), [1, 0, 0]);
    // The first in the queue has spent its own work on it: the next one begins anew.
    assert_eq!(first.ready(), Err(LOST));
    assert_eq!(wakes(), [1, 1, 0]);
    second.pending(&world.wakers[1].waker());
    world.begins(rt, 2).await;
    world.open();
    eventually(rt, "both are told", || wakes() == [1, 2, 1]).await;
    for call in [second, third] {
        assert_eq!(call.ready().map(|answer| answer.value), Ok(2));
    }
    world.settles().await;
    assert_eq!(world.runs(), (2, 2));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_run_without_callers_of_a_runtime_that_ended_leaves_nothing<R: Runtime>(rt: R) -> Verdict {
    let (world, keep) = (World::new(rt), Keep::new(rt));
    let call = rt.put(Parked::new());
    call.park(world.leaves_it(keep));
    call.pending(&world.wakers[0].waker());
    call.leave();
    assert_eq!(world.group.peek(&1), Some(1));
    rt.interrupted(Interrupt::RuntimeShutdown, keep.take()).await;
    world.settles().await;
    assert_eq!((world.runs(), world.tally.lost()), ((1, 1), 1));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_run_without_a_place_runs_in_its_caller<R: Runtime>(rt: R) -> Verdict {
    let world = World::new(rt);
    let (first, second) = (rt.put(Parked::new()), rt.put(Parked::new()));
    first.park(world.call(Refuses::Busy));
    first.pending(&world.wakers[0].waker());
    assert_eq!((world.runs(), world.tally.live()), ((1, 0), 0));
    second.park(world.call(On(rt)));
    second.pending(&world.wakers[1].waker());
    // It goes with its caller, and the next begins anew, where there is a place.
    first.leave();
    assert_eq!((world.runs(), world.wakers[1].wakes()), ((1, 1), 1));
    second.pending(&world.wakers[1].waker());
    world.begins(rt, 2).await;
    world.open();
    let woken = || world.wakers[1].wakes() == 2;
    eventually(rt, "the second is told", woken).await;
    assert_eq!(second.ready().map(|answer| answer.value), Ok(2));
    world.settles().await;
    // To its end.
    let call = world.call(Refuses::Busy);
    assert_eq!(call.await, result_of(3, 1));
    world.settles().await;
    Verdict::Pass
}
}

on_hosts! {
async fn g04_callers_of_a_run_that_was_swallowed_are_told<R: Runtime>(rt: R) -> Verdict {
    let (world, keep) = (World::new(rt), Keep::new(rt));
    assert_eq!(world.call(Refuses::Closed).await, Err(NoAnswer::NotSpawned));
    world.settles().await;
    // One after another tries, and is told.
    let first = rt.put(Parked::new());
    let others = [(); 2].map(|()| rt.put(Parked::new()));
    first.park(world.call(keep));
    first.pending(&world.wakers[0].waker());
    for (call, waker) in others.iter().zip(&world.wakers[1..]) {
        call.park(world.call(Refuses::Closed));
        call.pending(&waker.waker());
    }
    drop(keep.take());
    assert_eq!(first.ready(), Err(LOST));
    for call in others {
        assert_eq!(call.ready(), Err(NoAnswer::NotSpawned));
    }
    world.settles().await;
    assert_eq!(world.runs(), (0, 0));
    Verdict::Pass
}
}

on_hosts! {
async fn g04_callers_that_come_and_go_leave_nothing<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 4;
    let world = World::new(rt);
    world.open();
    let rounds = rt.count(2_000) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                let mut call = pin!(world.call(On(rt)));
                // Not polled, polled once, or to its end.
                match (task + round) % 3 {
                    0 => {}
                    1 => {
 let _: Poll<_> = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx))).await;
 }
                    _ => assert!(call.await.is_ok(), "somebody was interested"),
                }
                yield_now().await;
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    world.settles().await;
    assert_eq!(world.tally.lost(), 0);
    Verdict::Pass
}
}
