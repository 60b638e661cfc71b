//! Flights and groups: one run at a time, results that are seen by those who joined, lost leaders.
//!
//! Each thread polls with a waker of its own: two that share one would be one task.

use core::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Poll, Waker},
};
use std::sync::Arc;

use ecluse_core::{
    DefaultLock, Flight, Group, NoAnswer,
    flight::{Answer, DefaultHash, Fail, NoClock, Orphans, Part, Promote},
};

use crate::kit::{Data, Wakes, block_on, models, poll_with, ready, spawn};

models!(
    one_run_at_a_time,
    leaders_change_under_a_newcomers_look,
    landing_publishes_the_value,
    landing_meets_newcomer,
    landing_meets_leaving_follower,
    landing_meets_leaving_followers_at_both_ends,
    served_follower_drops_its_clone,
    lost_leader_meets_joining_follower,
    lost_leader_meets_leaving_heir,
    lost_leader_meets_leaving_last,
    heir_is_ordered_after_the_lost,
    heir_changes_its_waker,
    heir_is_dropped_unpolled,
    failing_leader_meets_joining_follower,
    failing_leader_meets_leaving_follower,
    forget_meets_landing,
    forget_meets_lost_leader,
    forget_meets_newcomer_and_landing,
    keys_of_one_bucket_come_and_go,
    full_group_counts_its_flights,
);

/// A table with the data that its runs use in turn.
struct Shared<T> {
    table: Arc<T>,
    data: Data,
    runs: AtomicUsize,
}

type Answered = Result<Answer<u32>, NoAnswer>;

/// A call that can go to another thread.
type Call = Pin<Box<dyn Future<Output = Answered> + Send>>;

/// A table whose key, if it has any, is given by a number.
trait Runs: Send + Sync + Sized + 'static {
    fn call<F>(this: &Arc<Self>, key: u8, make: impl FnOnce() -> F + Send + 'static) -> Call
    where
        F: Future<Output = u32> + Send + 'static;
}

impl<P: Orphans + 'static> Runs for Flight<u32, P> {
    fn call<F>(this: &Arc<Self>, _: u8, make: impl FnOnce() -> F + Send + 'static) -> Call
    where
        F: Future<Output = u32> + Send + 'static,
    {
        Box::pin(Self::run_owned(this, make))
    }
}

/// Every key in the one bucket.
type OneBucket = Group<u8, u32, Promote, DefaultLock, DefaultHash, NoClock, 1>;

impl Runs for OneBucket {
    fn call<F>(this: &Arc<Self>, key: u8, make: impl FnOnce() -> F + Send + 'static) -> Call
    where
        F: Future<Output = u32> + Send + 'static,
    {
        Box::pin(Self::run_owned(this, key, make))
    }
}

fn shared<T>(table: T) -> Arc<Shared<T>> {
    Arc::new(Shared {
        table: Arc::new(table),
        data: Data::new(),
        runs: AtomicUsize::new(0),
    })
}

fn flight() -> Arc<Shared<Flight<u32>>> {
    shared(Flight::new())
}

impl<T: Runs> Shared<T> {
    /// A run that is over at its second poll: it touches the data in both, and at its end.
    fn slow(self: &Arc<Self>) -> Call {
        self.work(true)
    }

    /// A run that is over at once.
    fn quick(self: &Arc<Self>) -> Call {
        self.work(false)
    }

    fn work(self: &Arc<Self>, mut waits: bool) -> Call {
        let shared = self.clone();
        T::call(&self.table, 0, move || {
            let number = shared.runs.fetch_add(1, Ordering::SeqCst) + 1;
            let end = AtEnd(shared);
            poll_fn(move |_| {
                end.0.data.add();
                if core::mem::take(&mut waits) {
                    return Poll::Pending;
                }
                Poll::Ready(number as u32)
            })
        })
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }
}

/// Touches the data as the work's last act, whether it is over or lost.
struct AtEnd<T>(Arc<Shared<T>>);

impl<T> Drop for AtEnd<T> {
    fn drop(&mut self) {
        self.0.data.add();
    }
}

/// A caller that is polled by hand, with its waker.
struct Caller(Call, Arc<Wakes>, Waker);

impl Caller {
    fn new(call: Call) -> Self {
        let (wakes, waker) = Wakes::new();
        Self(call, wakes, waker)
    }

    fn poll(&mut self) -> Poll<Answered> {
        poll_with(self.0.as_mut(), &self.2)
    }

    /// Polled once: it leads or has joined.
    fn enlisted(call: Call) -> Self {
        let mut caller = Self::new(call);
        assert!(caller.poll().is_pending());
        caller
    }

    #[track_caller]
    fn answer(&mut self) -> Answer<u32> {
        ready(self.poll()).unwrap()
    }
}

fn one_run_at_a_time() {
    let shared = flight();
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        spawn(move || {
            let mut caller = Caller::new(shared.slow());
            let first = caller.poll();
            let answer = match first {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => match caller.poll() {
                    Poll::Ready(answer) => Some(answer),
                    Poll::Pending => None,
                },
            };
            if let Some(answer) = answer {
                assert!(answer.unwrap().value >= 1);
            }
        })
    });
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    // Each run touched the data thrice, or was lost after its first poll.
    shared.data.add();
    assert!(!shared.table.is_running());
}

/// One goes and another comes, both without the lock, while a newcomer looks under it: it must not
/// lead beside the other.
fn leaders_change_under_a_newcomers_look() {
    let shared = flight();
    let first = Caller::enlisted(shared.slow());
    let newcomer = spawn({
        let shared = shared.clone();
        move || {
            let mut caller = Caller::new(shared.slow());
            if caller.poll().is_pending() {
                let _ = caller.poll();
            }
        }
    });
    drop(first);
    let mut second = Caller::new(shared.slow());
    if second.poll().is_pending() {
        let _ = second.poll();
    }
    drop(second);
    newcomer.join().unwrap();
    assert!(!shared.table.is_running());
}

/// No parking: the node's state must order the data.
fn landing_publishes_the_value() {
    let shared = flight();
    let mut leader = Caller::enlisted(shared.slow());
    let follower = Caller::enlisted(shared.quick());
    let thread = spawn({
        let shared = shared.clone();
        move || {
            let mut follower = follower;
            for _ in 0..2 {
                if let Poll::Ready(answer) = follower.poll() {
                    let answer = answer.unwrap();
                    assert_eq!((answer.value, answer.part), (1, Part::Joined));
                    assert_eq!(shared.data.get(), 3);
                    return;
                }
            }
        }
    });
    assert!(leader.answer().led());
    thread.join().unwrap();
    assert_eq!(shared.runs(), 1);
}

/// F2: it joins and is served, or finds nothing and leads.
fn landing_meets_newcomer() {
    let shared = flight();
    let mut leader = Caller::enlisted(shared.slow());
    let newcomer = spawn({
        let shared = shared.clone();
        move || {
            let answer = block_on(shared.quick()).unwrap();
            let expected = if answer.led() { 2 } else { 1 };
            assert_eq!((answer.value, shared.runs()), (expected, expected as usize));
            assert!(shared.data.get() >= 3);
        }
    });
    assert_eq!(leader.answer().value, 1);
    newcomer.join().unwrap();
    assert!(!shared.table.is_running());
}

fn landing_meets_leaving_follower() {
    let shared = flight();
    let mut leader = Caller::enlisted(shared.slow());
    let [mut first, middle, mut last] = [(); 3].map(|()| Caller::enlisted(shared.quick()));
    let leaver = spawn(move || {
        let wakes = middle.1.clone();
        drop(middle);
        assert_eq!(wakes.live(), 0);
    });
    assert_eq!(leader.answer().joined, 3);
    assert_eq!(first.answer().part, Part::Joined);
    assert_eq!(last.answer().part, Part::Joined);
    leaver.join().unwrap();
    assert_eq!((first.1.count(), last.1.count()), (1, 1));
}

fn landing_meets_leaving_followers_at_both_ends() {
    let shared = flight();
    let mut leader = Caller::enlisted(shared.slow());
    let [first, mut middle, last] = [(); 3].map(|()| Caller::enlisted(shared.quick()));
    let leavers = [first, last].map(|leaver| spawn(move || drop(leaver)));
    assert_eq!(leader.answer().joined, 3);
    assert_eq!(middle.answer().part, Part::Joined);
    leavers
        .into_iter()
        .for_each(|leaver| leaver.join().unwrap());
    assert!(!shared.table.is_running());
}

/// A result that counts how many of it there are, in a way that loom looks at.
struct Counted(Arc<Data>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.get();
        Self(self.0.clone())
    }
}

fn served_follower_drops_its_clone() {
    let flight = Arc::new(Flight::<Counted>::new());
    let data = Arc::new(Data::new());
    let (_, waker) = Wakes::new();
    let mut leader = Box::pin(Flight::run_owned(&flight, {
        let (data, mut waits) = (data.clone(), true);
        move || {
            poll_fn(move |_| {
                if core::mem::take(&mut waits) {
                    return Poll::Pending;
                }
                data.add();
                Poll::Ready(Counted(data.clone()))
            })
        }
    }));
    assert!(poll_with(leader.as_mut(), &waker).is_pending());
    let (_, other) = Wakes::new();
    let mut follower = Box::pin(Flight::run_owned(&flight, core::future::pending));
    assert!(poll_with(follower.as_mut(), &other).is_pending());
    let leaver = spawn(move || drop(follower));
    drop(ready(poll_with(leader.as_mut(), &waker)));
    leaver.join().unwrap();
    drop(leader);
    assert_eq!(Arc::strong_count(&data), 1, "every clone is gone");
}

fn lost_leader_meets_joining_follower() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let follower = spawn({
        let shared = shared.clone();
        move || {
            let answer = block_on(shared.quick()).unwrap();
            assert!(answer.led(), "nobody else had a result");
        }
    });
    drop(leader);
    follower.join().unwrap();
    assert_eq!((shared.runs(), shared.data.get()), (2, 4));
    assert!(!shared.table.is_running());
}

fn lost_leader_meets_leaving_heir() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let [heir, mut next] = [(); 2].map(|()| Caller::enlisted(shared.quick()));
    let leaver = spawn(move || drop(heir));
    drop(leader);
    leaver.join().unwrap();
    assert_eq!(next.1.count(), 1, "it leads, in whatever order they went");
    assert!(next.answer().led());
    assert_eq!(next.1.live(), 1);
    assert!(!shared.table.is_running());
}

fn lost_leader_meets_leaving_last() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let [mut heir, last] = [(); 2].map(|()| Caller::enlisted(shared.quick()));
    let leaver = spawn(move || drop(last));
    drop(leader);
    assert!(heir.answer().led());
    leaver.join().unwrap();
    assert_eq!(heir.1.count(), 1);
    assert!(!shared.table.is_running());
}

/// No parking: the hand-on must order what the lost one's work did, its end included.
fn heir_is_ordered_after_the_lost() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let heir = Caller::enlisted(shared.quick());
    let thread = spawn(move || {
        let mut heir = heir;
        for _ in 0..2 {
            if let Poll::Ready(answer) = heir.poll() {
                assert!(answer.unwrap().led());
                return;
            }
        }
    });
    drop(leader);
    thread.join().unwrap();
    assert!(!shared.table.is_running());
}

fn heir_changes_its_waker() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let mut heir = Caller::enlisted(shared.quick());
    let (wakes, waker) = Wakes::new();
    let thread = spawn(move || {
        let polled = poll_with(heir.0.as_mut(), &waker);
        (heir, polled)
    });
    drop(leader);
    let (mut heir, polled) = thread.join().unwrap();
    if polled.is_pending() {
        assert_eq!(heir.1.count() + wakes.count(), 1);
        assert!(heir.answer().led());
    }
    let Caller(call, old, waker) = heir;
    drop((call, waker));
    assert_eq!((old.live(), wakes.live()), (0, 0));
}

fn heir_is_dropped_unpolled() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let heir = Caller::enlisted(shared.quick());
    let joins = spawn({
        let shared = shared.clone();
        move || assert!(block_on(shared.quick()).unwrap().led())
    });
    drop(leader);
    drop(heir);
    joins.join().unwrap();
    assert!(!shared.table.is_running());
}

fn failing_leader_meets_joining_follower() {
    let shared = shared(Flight::<u32, Fail>::new());
    let leader = Caller::enlisted(shared.slow());
    let follower = spawn({
        let shared = shared.clone();
        move || match block_on(shared.quick()) {
            Ok(answer) => assert!(answer.led()),
            Err(why) => {
                assert_eq!(why, NoAnswer::Abandoned { by_panic: false });
                assert_eq!(shared.data.get(), 2);
            }
        }
    });
    drop(leader);
    follower.join().unwrap();
    assert!(!shared.table.is_running());
}

fn failing_leader_meets_leaving_follower() {
    let shared = shared(Flight::<u32, Fail>::new());
    let leader = Caller::enlisted(shared.slow());
    let [first, mut other] = [(); 2].map(|()| Caller::enlisted(shared.quick()));
    let leaver = spawn(move || drop(first));
    drop(leader);
    let told = ready(other.poll());
    assert_eq!(told, Err(NoAnswer::Abandoned { by_panic: false }));
    assert_eq!(other.1.count(), 1);
    leaver.join().unwrap();
}

fn forget_meets_landing() {
    let shared = flight();
    let mut leader = Caller::enlisted(shared.slow());
    let mut follower = Caller::enlisted(shared.quick());
    let forgets = spawn({
        let shared = shared.clone();
        move || {
            shared.table.forget();
        }
    });
    assert_eq!(leader.answer().joined, 1);
    assert_eq!(follower.answer().value, 1);
    forgets.join().unwrap();
    assert!(!shared.table.is_running());
}

/// Forgotten before or after the hand-on, it is not found, and its heir leads.
fn forget_meets_lost_leader() {
    let shared = flight();
    let leader = Caller::enlisted(shared.slow());
    let mut heir = Caller::enlisted(shared.quick());
    let forgets = spawn({
        let shared = shared.clone();
        move || assert!(shared.table.forget())
    });
    drop(leader);
    forgets.join().unwrap();
    assert!(!shared.table.is_running());
    assert!(heir.answer().led());
}

/// Identity: the old one's end does not remove the new one.
fn forget_meets_newcomer_and_landing() {
    let table = Arc::new(Flight::<u32>::new());
    let gated = |waits: bool, value: u32| {
        let mut waits = waits;
        <Flight<u32> as Runs>::call(&table, 0, move || {
            poll_fn(move |_| {
                if core::mem::take(&mut waits) {
                    return Poll::Pending;
                }
                Poll::Ready(value)
            })
        })
    };
    let mut old = Caller::enlisted(gated(true, 1));
    let newcomer = gated(true, 2);
    let thread = spawn({
        let table = table.clone();
        move || {
            table.forget();
            Caller::enlisted(newcomer)
        }
    });
    assert!(old.answer().led());
    let mut new = thread.join().unwrap();
    assert!(table.is_running(), "the new one can be joined");
    assert_eq!(new.answer().value, 2);
    assert!(!table.is_running());
}

fn keys_of_one_bucket_come_and_go() {
    let group = Arc::new(OneBucket::new());
    let call = |key, waits: bool| {
        let mut waits = waits;
        OneBucket::call(&group, key, move || {
            poll_fn(move |_| {
                if core::mem::take(&mut waits) {
                    return Poll::Pending;
                }
                Poll::Ready(u32::from(key))
            })
        })
    };
    let [lost, mut lands] = [1, 2].map(|key| Caller::enlisted(call(key, true)));
    let [mut heir, mut joined] = [1, 2].map(|key| Caller::enlisted(call(key, false)));
    let third = call(3, false);
    let thread = spawn(move || {
        drop(lost);
        assert_eq!(block_on(third).unwrap().value, 3);
    });
    assert_eq!(lands.answer().value, 2);
    assert_eq!(joined.answer().value, 2);
    thread.join().unwrap();
    assert_eq!((heir.1.count(), joined.1.count()), (1, 1));
    assert_eq!(heir.answer().value, 1);
    assert!(group.is_empty());
}

fn full_group_counts_its_flights() {
    let group = Arc::new(OneBucket::new().with_limit(1));
    let call = |key| OneBucket::call(&group, key, move || async move { u32::from(key) });
    let other = call(2);
    let thread = spawn(move || match block_on(other) {
        Ok(answer) => assert_eq!(answer.value, 2),
        Err(why) => assert_eq!(why, NoAnswer::Full),
    });
    match Caller::new(call(1)).poll() {
        Poll::Ready(Ok(answer)) => assert_eq!(answer.value, 1),
        Poll::Ready(Err(why)) => assert_eq!(why, NoAnswer::Full),
        Poll::Pending => panic!("nobody else asks for it"),
    }
    thread.join().unwrap();
    assert_eq!(Caller::new(call(3)).answer().value, 3);
}
