//! g01–g03, g05–g07: flights by key.

use core::hash::{BuildHasher, Hasher};
use core::time::Duration;

use portable_atomic::{AtomicBool, AtomicUsize, Ordering};

use super::super::cases::parts::counter;
use super::super::subject::ListLock;
use super::super::subject::flight::{
    DefaultHash, NoAnswer, NoClock, Part, Promote, Verdict as Judgement,
};
use super::flight_parts::{Gate, LED, callers, inherited, wakes};
use crate::kit::{MockClock, Parked, TestWaker, poll_once, yield_now};
use crate::{Ended, Runtime, Task, Verdict};

cases! { engine group:
    g01_keys_are_isolated,
    g01_keys_are_isolated_among_tasks,
    g01_group_is_static_and_has_no_limit,
    g01_key_is_held_by_its_calls_and_nothing_else,
    g01_full_group_refuses_and_loses_nothing,
    g01_owned_call_keeps_its_group needs ALLOC STD,
    g02_forgotten_flight_serves_its_own_and_the_next_runs_afresh,
    g02_end_of_a_forgotten_flight_does_not_remove_the_next,
    g02_lost_forgotten_flight_is_succeeded_out_of_sight,
    g03_cancelled_keys_leave_nothing,
    g05_result_is_published_while_the_flight_can_be_joined,
    g05_cache_in_front_has_no_gap,
    g06_keys_of_one_bucket_wake_nobody_else,
    g06_leaders_of_one_bucket_go_from_every_place,
    g06_bucket_of_colliding_keys_finds_each,
    g07_followers_of_one_that_goes_alone_run_at_once,
    g07_key_that_goes_alone_is_remembered_until_its_deadline,
    g07_newest_key_takes_the_place_that_is_free_first,
    g07_nothing_is_remembered_unless_asked,
}

const MS: Duration = Duration::from_millis(1);

type Group<K = u16, T = u32> = ecluse_core::Group<K, T, Promote, ListLock>;

/// Every key in one bucket, by one hash.
type Colliding = ecluse_core::Group<u16, u32, Promote, ListLock, Same>;

/// A hash of nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Same;

impl BuildHasher for Same {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self
    }
}

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        7
    }
}

async fn g01_keys_are_isolated<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group = rt.put(Group::new());
    let leaders = callers::<_, _, 4>(rt);
    let followers = callers::<_, _, 4>(rt);
    for (key, leader) in leaders.iter().enumerate() {
        leader.asks(rt, |make| group.run(key as u16, make));
        assert!(leader.runs());
    }
    for (key, follower) in followers.iter().enumerate() {
        follower.asks(rt, |make| group.run(key as u16, make));
        assert_eq!(group.peek(&(key as u16)), Some(1));
    }
    assert_eq!(group.len(), 4);
    // One lands, one is lost, one is forgotten: the last does not notice.
    leaders[0].lands(10);
    leaders[1].leave();
    assert!(group.forget(&2));
    assert_eq!(wakes(followers), [1, 1, 0, 0]);
    followers[0].joined(10);
    followers[1].waits();
    followers[1].lands(11);
    leaders[2].lands(12);
    followers[2].joined(12);
    assert_eq!((group.len(), group.peek(&3)), (1, Some(1)));
    assert_eq!(leaders[3].lands(13).joined, 1);
    followers[3].joined(13);
    assert!(group.is_empty());
    Verdict::Pass
}

async fn g01_keys_are_isolated_among_tasks<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    const KEYS: usize = 3;
    let group: &'static Group<u16, usize> = rt.put(Group::new());
    let inside = rt.put([const { AtomicUsize::new(0) }; KEYS]);
    let rounds = rt.count(3_000) / TASKS;
    let tasks = core::array::from_fn::<_, TASKS, _>(|task| {
        rt.spawn(async move {
            for round in 0..rounds {
                let key = (task + round * 2) % KEYS;
                let work = || async move {
                    assert_eq!(inside[key].fetch_add(1, Ordering::SeqCst), 0, "two runs");
                    yield_now().await;
                    inside[key].fetch_sub(1, Ordering::SeqCst);
                    key
                };
                let answer = group.run(key as u16, work).await;
                assert_eq!(answer.map(|answer| answer.value), Ok(key));
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    assert!(group.is_empty());
    Verdict::Pass
}

async fn g01_group_is_static_and_has_no_limit<R: Runtime>(rt: R) -> Verdict {
    // One for each column: cases of a process may run side by side.
    static BIG: Group<u16, u32> = Group::new();
    const FEW: usize = 40;
    let calls = rt.put([const { Parked::new() }; FEW]);
    let own = rt.put(AtomicBool::new(false));
    let group: &'static Group = if BIG.is_empty() {
        &BIG
    } else {
        rt.put(Group::new())
    };
    for (key, call) in calls.iter().enumerate() {
        call.park(group.run(key as u16, move || async move {
            if own.load(Ordering::SeqCst) {
                key as u32
            } else {
                core::future::pending().await
            }
        }));
        call.pending(core::task::Waker::noop());
        assert!(call.with_pin(|call| call.is_running()));
    }
    assert!(group.len() >= FEW);
    let mut keys = [None; FEW];
    assert!(group.keys(&mut keys) >= FEW);
    let mut seen = [false; FEW];
    keys.iter()
        .flatten()
        .for_each(|key| seen[usize::from(*key)] = true);
    assert_eq!(seen, [true; FEW]);
    for (key, call) in calls.iter().enumerate() {
        call.leave();
        assert_eq!(group.peek(&(key as u16)), None);
    }
    assert!(group.is_empty());
    Verdict::Pass
}

/// A key that counts how many of it there are.
#[derive(Debug)]
struct Precious(u16, &'static AtomicUsize);

impl Precious {
    fn new(key: u16, alive: &'static AtomicUsize) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(key, alive)
    }
}

impl Drop for Precious {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl PartialEq for Precious {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Precious {}

impl core::borrow::Borrow<u16> for Precious {
    fn borrow(&self) -> &u16 {
        &self.0
    }
}

impl core::hash::Hash for Precious {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

async fn g01_key_is_held_by_its_calls_and_nothing_else<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group<Precious> = rt.put(Group::new());
    let alive = counter(rt);
    let calls = callers::<_, _, 3>(rt);
    for call in calls {
        call.asks(rt, |make| group.run(Precious::new(5, alive), make));
    }
    // Looked up by what is borrowed from a key.
    assert_eq!(group.peek(&5), Some(2));
    assert_eq!(alive.load(Ordering::SeqCst), 3);
    calls[0].leave();
    assert_eq!(alive.load(Ordering::SeqCst), 2);
    assert_eq!(group.peek(&5), Some(1), "its heir's key is as good");
    calls[1].waits();
    calls[1].lands(1);
    calls[2].joined(1);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    Verdict::Pass
}

async fn g01_full_group_refuses_and_loses_nothing<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group = rt.put(Group::new().with_limit(2));
    let [one, two, joins, last, more] = callers(rt);
    one.asks(rt, |make| group.run(1, make));
    two.asks(rt, |make| group.run(2, make));
    let made = counter(rt);
    let refused = group.run(3, || async { made.fetch_add(1, Ordering::SeqCst) as u32 });
    assert_eq!(refused.await.unwrap_err(), NoAnswer::Full);
    assert_eq!(made.load(Ordering::SeqCst), 0);
    // To join takes no place, nor does it to succeed somebody.
    joins.asks(rt, |make| group.run(1, make));
    one.leave();
    joins.waits();
    let refused = group.run(3, || async { 0 }).await;
    assert_eq!(refused.unwrap_err(), NoAnswer::Full);
    joins.lands(1);
    last.asks(rt, |make| group.run(3, make));
    last.leave();
    // A forgotten flight keeps its place to its end.
    assert!(group.forget(&2));
    last.asks(rt, |make| group.run(2, make));
    let refused = group.run(4, || async { 0 }).await;
    assert_eq!(refused.unwrap_err(), NoAnswer::Full);
    two.leave();
    more.asks(rt, |make| group.run(4, make));
    assert_eq!(group.len(), 2);
    Verdict::Pass
}

on_hosts! {
async fn g01_owned_call_keeps_its_group<R: Runtime>(rt: R) -> Verdict {
    let gate = rt.put(Gate::new());
    let group = std::sync::Arc::new(Group::<u16, u32>::new());
    let weak = std::sync::Arc::downgrade(&group);
    let mut leader = std::boxed::Box::pin(Group::run_owned(&group, 1, || gate.pass()));
    let mut follower = std::boxed::Box::pin(Group::run_owned(&group, 1, || gate.pass()));
    drop(group);
    let waker = rt.put(TestWaker::new());
    assert!(poll_once(leader.as_mut(), &waker.waker()).is_pending());
    assert!(poll_once(follower.as_mut(), &waker.waker()).is_pending());
    drop(leader);
    assert_eq!(weak.strong_count(), 1);
    gate.open(4);
    let core::task::Poll::Ready(answer) = poll_once(follower.as_mut(), &waker.waker()) else {
        panic!("it leads, and its work is over");
    };
    assert_eq!(answer.map(|answer| answer.part), Ok(inherited(false)));
    drop(follower);
    assert_eq!((weak.strong_count(), waker.live()), (0, 0));
    Verdict::Pass
}
}

async fn g02_forgotten_flight_serves_its_own_and_the_next_runs_afresh<R: Runtime>(
    rt: R,
) -> Verdict {
    let group: &'static Group = rt.put(Group::new());
    assert!(!group.forget(&1));
    let [old, joined, new, late] = callers(rt);
    old.asks(rt, |make| group.run(1, make));
    joined.asks(rt, |make| group.run(1, make));
    assert!(group.forget(&1) && !group.forget(&1));
    assert_eq!((group.peek(&1), group.len()), (None, 0));
    assert_eq!((old.wakes(), joined.wakes()), (0, 0), "it goes on");
    new.asks(rt, |make| group.run(1, make));
    late.asks(rt, |make| group.run(1, make));
    assert!(new.runs() && !late.runs());
    new.lands(2);
    late.joined(2);
    assert_eq!(joined.wakes(), 0);
    assert_eq!(old.lands(1).joined, 1);
    joined.joined(1);
    Verdict::Pass
}

async fn g02_end_of_a_forgotten_flight_does_not_remove_the_next<R: Runtime>(rt: R) -> Verdict {
    // By landing, by being lost with an heir, and without one.
    for how in 0..3 {
        let group: &'static Colliding = rt.put(Colliding::default());
        let [old, joined, new, late] = callers(rt);
        old.asks(rt, |make| group.run(1, make));
        if how == 1 {
            joined.asks(rt, |make| group.run(1, make));
        }
        assert!(group.forget(&1));
        new.asks(rt, |make| group.run(1, make));
        match how {
            0 => drop(old.lands(1)),
            _ => old.leave(),
        }
        assert_eq!(group.peek(&1), Some(0), "the new one");
        late.asks(rt, |make| group.run(1, make));
        assert!(!late.runs());
        if how == 1 {
            joined.waits();
            joined.lands(1);
        }
        assert_eq!(new.lands(2).joined, 1);
        late.joined(2);
        assert!(group.is_empty());
    }
    Verdict::Pass
}

async fn g02_lost_forgotten_flight_is_succeeded_out_of_sight<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group = rt.put(Group::new());
    let [old, heir, behind, new] = callers(rt);
    for caller in [old, heir, behind] {
        caller.asks(rt, |make| group.run(1, make));
    }
    assert!(group.forget(&1));
    old.leave();
    assert_eq!((heir.wakes(), group.peek(&1)), (1, None));
    assert!(!group.forget(&1), "it stays forgotten");
    new.asks(rt, |make| group.run(1, make));
    assert!(new.runs());
    heir.waits();
    assert_eq!(heir.lands(1).part, inherited(false));
    behind.joined(1);
    assert_eq!(group.peek(&1), Some(0));
    new.lands(2);
    Verdict::Pass
}

async fn g03_cancelled_keys_leave_nothing<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group<Precious> = rt.put(Group::new());
    let (alive, waker) = (counter(rt), rt.put(TestWaker::new()));
    let [leader, follower] = [(); 2].map(|()| rt.put(Parked::new()));
    let keys = rt.count(10_000);
    for key in 0..keys {
        let key = key as u16;
        for call in [leader, follower] {
            call.park(group.run(Precious::new(key, alive), core::future::pending));
            call.pending(&waker.waker());
        }
        // In either order: the follower goes first, or leads before it goes.
        let (first, second) = match key % 2 {
            0 => (leader, follower),
            _ => (follower, leader),
        };
        first.leave();
        second.leave();
    }
    assert_eq!((group.len(), alive.load(Ordering::SeqCst)), (0, 0));
    assert_eq!((waker.live(), waker.wakes()), (0, keys.div_ceil(2)));
    Verdict::Pass
}

async fn g05_result_is_published_while_the_flight_can_be_joined<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group = rt.put(Group::new());
    let (gate, leader) = (rt.put(Gate::new()), rt.put(Parked::new()));
    let seen = counter(rt);
    let [follower, during, newcomer] = callers(rt);
    let publish = move |value: &u32| {
        // Whoever comes now still joins, and gets the same.
        assert_eq!((*value, group.peek(&1)), (6, Some(1)));
        during.asks(rt, |make| group.run(1, make));
        assert_eq!(follower.wakes(), 0);
        seen.fetch_add(1, Ordering::SeqCst);
    };
    leader.park(group.run(1, || gate.pass()).publish(publish));
    leader.pending(core::task::Waker::noop());
    follower.asks(rt, |make| group.run(1, make));
    gate.open(6);
    let answer = leader.ready().expect("its own");
    assert_eq!((answer.part, answer.joined), (LED, 2));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    follower.joined(6);
    during.joined(6);
    newcomer.asks(rt, |make| group.run(1, make));
    assert!(newcomer.runs());
    newcomer.lands(7);
    Verdict::Pass
}

async fn g05_cache_in_front_has_no_gap<R: Runtime>(rt: R) -> Verdict {
    const TASKS: usize = 6;
    const KEYS: usize = 64;
    let group: &'static Group<u16, usize> = rt.put(Group::new());
    // One more than the value; 0 while it is not known.
    let cache = rt.put([const { AtomicUsize::new(0) }; KEYS]);
    let fetched = rt.put([const { AtomicUsize::new(0) }; KEYS]);
    let tasks = core::array::from_fn::<_, TASKS, _>(|_| {
        rt.spawn(async move {
            for key in 0..KEYS {
                // The work looks again: it may lead after somebody else's flight.
                let work = || async move {
                    match cache[key].load(Ordering::SeqCst) {
                        0 => {
                            yield_now().await;
                            fetched[key].fetch_add(1, Ordering::SeqCst);
                            key
                        }
                        known => known - 1,
                    }
                };
                let publish = |value: &usize| cache[key].store(value + 1, Ordering::SeqCst);
                let answer = group.run(key as u16, work).publish(publish).await;
                assert_eq!(answer.map(|answer| answer.value), Ok(key));
                assert_eq!(cache[key].load(Ordering::SeqCst), key + 1);
            }
        })
    });
    for task in tasks {
        assert_eq!(task.join().await, Ended::Finished);
    }
    for fetched in fetched {
        assert_eq!(fetched.load(Ordering::SeqCst), 1, "a gap");
    }
    Verdict::Pass
}

async fn g06_keys_of_one_bucket_wake_nobody_else<R: Runtime>(rt: R) -> Verdict {
    const N: usize = 5;
    let group: &'static Colliding = rt.put(Colliding::default());
    let (leaders, followers) = (callers::<_, _, N>(rt), callers::<_, _, N>(rt));
    for callers in [leaders, followers] {
        for (key, caller) in callers.iter().enumerate() {
            caller.asks(rt, |make| group.run(key as u16, make));
        }
    }
    let mut woken = [0; N];
    for (key, lands) in [(2, true), (0, false), (4, true), (3, false), (1, true)] {
        if lands {
            leaders[key].lands(key as u32);
        } else {
            leaders[key].leave();
        }
        woken[key] = 1;
        assert_eq!(wakes(followers), woken);
        assert_eq!(wakes(leaders), [0; N]);
        if lands {
            followers[key].joined(key as u32);
        } else {
            followers[key].waits();
            followers[key].lands(key as u32);
        }
    }
    assert!(group.is_empty());
    Verdict::Pass
}

async fn g06_leaders_of_one_bucket_go_from_every_place<R: Runtime>(rt: R) -> Verdict {
    for gone in 0..4 {
        let group: &'static Colliding = rt.put(Colliding::default());
        let leaders = callers::<_, _, 4>(rt);
        for (key, leader) in leaders.iter().enumerate() {
            leader.asks(rt, |make| group.run(key as u16, make));
        }
        leaders[gone].leave();
        for key in 0..4 {
            assert_eq!(group.peek(&(key as u16)), (key != gone).then_some(0));
        }
        // It comes back, newest of them.
        leaders[gone].asks(rt, |make| group.run(gone as u16, make));
        assert!(leaders[gone].runs());
        leaders.iter().for_each(|leader| leader.leave());
        assert!(group.is_empty());
    }
    Verdict::Pass
}

async fn g06_bucket_of_colliding_keys_finds_each<R: Runtime>(rt: R) -> Verdict {
    const KEYS: usize = 40;
    let group: &'static Colliding = rt.put(Colliding::default());
    let (calls, gate) = (rt.put([const { Parked::new() }; KEYS]), rt.put(Gate::new()));
    for (key, call) in calls.iter().enumerate() {
        call.park(group.run(key as u16, || gate.pass()));
        call.pending(core::task::Waker::noop());
    }
    assert_eq!(group.len(), KEYS);
    let [follower] = callers(rt);
    for key in [0, KEYS / 2, KEYS - 1] {
        follower.asks(rt, |make| group.run(key as u16, make));
        assert!(!follower.runs());
        assert_eq!(group.peek(&(key as u16)), Some(1));
        follower.leave();
    }
    gate.open(1);
    for call in calls {
        assert_eq!(call.ready().map(|answer| answer.value), Ok(1));
    }
    assert!(group.is_empty());
    Verdict::Pass
}

async fn g07_followers_of_one_that_goes_alone_run_at_once<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group = rt.put(Group::new());
    let (gate, leader) = (rt.put(Gate::new()), rt.put(Parked::new()));
    let followers = callers::<_, _, 4>(rt);
    let call = group.run(1, || gate.pass());
    leader.park(call.judge(|_| Judgement::GoAlone));
    leader.pending(core::task::Waker::noop());
    for follower in followers {
        follower.asks(rt, |make| group.run(1, make));
    }
    gate.open(0);
    assert_eq!(leader.ready().map(|answer| answer.joined), Ok(4));
    assert_eq!(wakes(followers), [1; 4], "all of them");
    followers.iter().for_each(|follower| follower.waits());
    // Beside one another, and nobody joins them.
    assert!(followers.iter().all(|follower| follower.runs()));
    assert!(group.is_empty());
    // To lose one is its own matter.
    followers[0].leave();
    assert_eq!(wakes(followers), [1; 4]);
    for (i, follower) in followers.iter().enumerate().skip(1) {
        follower.gate.open(i as u32);
        let answer = follower.answered();
        let expected = (i as u32, Part::Alone, 0);
        assert_eq!((answer.value, answer.part, answer.joined), expected);
    }
    Verdict::Pass
}

type Remembering =
    ecluse_core::Group<u16, u32, Promote, ListLock, DefaultHash, &'static MockClock, 4, 2>;

/// A group that remembers two keys for 10 ms.
fn remembering<R: Runtime>(rt: R, clock: &'static MockClock) -> &'static Remembering {
    rt.put(Remembering::with(DefaultHash, clock).alone_for(10 * MS))
}

/// Runs for `key`; its result may not be shared.
async fn may_not_be_shared(group: &'static Remembering, key: u16) {
    let call = group.run(key, || async { 0 });
    let answer = call.judge(|_| Judgement::GoAlone).await;
    assert!(answer.is_ok());
}

/// Whether callers for `key` go alone.
async fn goes_alone(group: &'static Remembering, key: u16) -> bool {
    let answer = group.run(key, || async { 0 }).await;
    answer.map(|answer| answer.part) == Ok(Part::Alone)
}

async fn g07_key_that_goes_alone_is_remembered_until_its_deadline<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let group = remembering(rt, clock);
    let [one, two, leads, joins] = callers(rt);
    may_not_be_shared(group, 1).await;
    // Two at a time: neither waits for the other, though neither was there when it was judged.
    for caller in [one, two] {
        caller.asks(rt, |make| group.run(1, make));
        assert!(caller.runs());
    }
    assert!(group.is_empty());
    assert!(!goes_alone(group, 2).await, "another key");
    clock.advance(9 * MS);
    assert!(goes_alone(group, 1).await);
    clock.advance(MS);
    assert!(!goes_alone(group, 1).await);
    one.leave();
    two.leave();
    leads.asks(rt, |make| group.run(1, make));
    joins.asks(rt, |make| group.run(1, make));
    assert!(leads.runs() && !joins.runs());
    leads.lands(1);
    joins.joined(1);
    Verdict::Pass
}

async fn g07_newest_key_takes_the_place_that_is_free_first<R: Runtime>(rt: R) -> Verdict {
    let clock: &'static MockClock = rt.put(MockClock::new());
    let group = remembering(rt, clock);
    may_not_be_shared(group, 1).await;
    clock.advance(MS);
    may_not_be_shared(group, 2).await;
    clock.advance(MS);
    may_not_be_shared(group, 3).await;
    assert!(!goes_alone(group, 1).await);
    assert!(goes_alone(group, 2).await && goes_alone(group, 3).await);
    clock.advance(9 * MS);
    assert!(!goes_alone(group, 2).await && goes_alone(group, 3).await);
    // The place of one that is past is taken before that of one that is not.
    may_not_be_shared(group, 4).await;
    assert!(goes_alone(group, 3).await && goes_alone(group, 4).await);
    Verdict::Pass
}

async fn g07_nothing_is_remembered_unless_asked<R: Runtime>(rt: R) -> Verdict {
    let group: &'static Group = rt.put(Group::with(DefaultHash, NoClock).alone_for(MS));
    let call = group.run(1, || async { 0 });
    let judged = call.judge(|_| Judgement::GoAlone).await;
    assert_eq!(judged.map(|answer| answer.part), Ok(LED));
    let again = group.run(1, || async { 1 }).await;
    assert_eq!(again.map(|answer| answer.part), Ok(LED));
    Verdict::Pass
}
