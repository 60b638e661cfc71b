//! A town on the simulator: a few tasks that use all primitives at once, a mayor who aborts some of
//! them, and a schedule. What each of them does and who goes next is what the bytes say.
//!
//! What must hold, whatever they say:
//! 1. One at a time has the slot's claim, one the line's token, one makes the group's value for a key.
//! 2. The permits out are never more than there are.
//! 3. An item is received once at most.
//! 4. The night comes: nobody waits for ever, whoever was aborted; the simulator would say `Deadlock`.
//! 5. In the morning nothing is left: no claim, waiter, permit, flight or scope.

use std::{
    collections::BTreeSet,
    future::poll_fn,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use ecluse_core::{
    AcquireOutcome, Admission, Channel, Group, Line, Once, SharedScope, Slot,
    cancel::Kind,
    runtime::{Clock, Timer},
};
use ecluse_sim::{Choices, Handle, Sim, SimClock, Sleep};

/// Steps of a task at most; tasks at most.
const STEPS: usize = 6;
const TASKS: usize = 7;
/// Polls of a run at most: far more than any that ends.
const PATIENCE: usize = 100_000;
const PERMITS: usize = 3;

#[derive(Clone, Debug)]
struct Hours(SimClock);

impl Clock for Hours {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.now()
    }

    fn after(&self, from: Duration, by: Duration) -> Duration {
        from.saturating_add(by)
    }
}

impl Timer for Hours {
    type Sleep = Sleep;

    fn sleep_until(&self, at: Duration) -> Sleep {
        self.0.sleep_until(at)
    }
}

/// How many are in a place.
#[derive(Default)]
struct Room(AtomicUsize);

impl Room {
    fn enter(&self, many: usize, most: usize) -> Inside<'_> {
        let before = self.0.fetch_add(many, Ordering::Relaxed);
        assert!(before + many <= most, "{} at a time", before + many);
        Inside(self, many)
    }
}

struct Inside<'a>(&'a Room, usize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

struct Town {
    slot: Slot,
    slot_room: Room,
    line: Line,
    line_room: Room,
    group: Group<u8, usize>,
    group_rooms: [Room; 2],
    once: Once<usize>,
    once_room: Room,
    permits: Admission,
    permits_room: Room,
    mail: Channel<usize, 2>,
    handed: Channel<usize, 0>,
    received: Mutex<BTreeSet<usize>>,
    sent: AtomicUsize,
}

async fn turns(count: u8) {
    let mut left = count;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Town {
    fn receive(&self, item: usize) {
        let first = self.received.lock().unwrap().insert(item);
        assert!(first && item < self.sent.load(Ordering::Relaxed), "{item}");
    }

    /// One step of a task.
    async fn step(&self, who: usize, what: u8, clock: &Hours, scope: &SharedScope) {
        let (kind, count) = (what % 16, (what / 16) % 4);
        let bound = Duration::from_millis(u64::from(what / 64));
        match kind {
            0 | 1 => {
                let Ok(claim) = self.slot.claim().await else {
                    return;
                };
                let _inside = self.slot_room.enter(1, 1);
                turns(count).await;
                if kind == 0 {
                    claim.release();
                }
            }
            2 => {
                if let Ok(Ok(claim)) = self.slot.claim().timeout(clock.clone(), bound).await {
                    let _inside = self.slot_room.enter(1, 1);
                    turns(count).await;
                    claim.release();
                }
            }
            3 => drop(self.slot.released().await),
            4 | 5 => match self.line.try_acquire_token() {
                AcquireOutcome::Success(token) => {
                    let inside = self.line_room.enter(1, 1);
                    turns(count).await;
                    drop(inside);
                    token.release();
                }
                AcquireOutcome::Failure(wait) => drop(wait.await),
            },
            6 | 7 => {
                let room = &self.group_rooms[usize::from(kind - 6)];
                let make = || async move {
                    let _inside = room.enter(1, 1);
                    turns(count).await;
                    who
                };
                let answer = self.group.run(kind, make).await;
                assert!(answer.is_ok(), "{answer:?}");
            }
            8 => {
                let make = || async move {
                    let _inside = self.once_room.enter(1, 1);
                    turns(count).await;
                    if count == 3 { Err(()) } else { Ok(who) }
                };
                let _ = self.once.get_or_try_init(make).await;
            }
            9 | 10 => {
                let weight = 1 + usize::from(count) % PERMITS;
                if let Ok(permit) = self.permits.acquire(weight).await {
                    let _inside = self.permits_room.enter(weight, PERMITS);
                    turns(count).await;
                    drop(permit);
                }
            }
            11 => self.send(&self.mail).await,
            12 => {
                let sent = async { self.send(&self.handed).await };
                let _ = scope.cx().guard(sent).await;
            }
            13 => {
                if let Ok(Ok(item)) = self.mail.receive().timeout(clock.clone(), bound).await {
                    self.receive(item);
                }
            }
            14 => {
                if let Ok(Ok(item)) = scope.cx().guard_wait(self.handed.receive()).await {
                    self.receive(item);
                }
            }
            _ => {
                scope
                    .cx()
                    .cancelled()
                    .timeout(clock.clone(), bound)
                    .await
                    .ok();
            }
        }
    }

    async fn send<const N: usize>(&self, to: &Channel<usize, N>) {
        let item = self.sent.fetch_add(1, Ordering::Relaxed);
        let _ = to.send(item).await;
    }
}

/// How many tasks, whom the mayor aborts and when, the steps of each, and then the schedule.
pub(crate) fn run(bytes: &[u8]) {
    let mut rest = bytes.iter().copied();
    let mut next = || rest.next().unwrap_or(0);
    let tasks = 1 + usize::from(next()) % TASKS;
    let aborts = [next(), next(), next()];
    let programs: Vec<Vec<u8>> = (0..tasks)
        .map(|_| {
            (0..1 + usize::from(next()) % STEPS)
                .map(|_| next())
                .collect()
        })
        .collect();
    let schedule: Vec<u8> = rest.collect();
    let mut sim = Sim::new(Choices::from_bytes(&schedule)).max_steps(PATIENCE);
    let town = Arc::new(Town {
        slot: Slot::new(),
        slot_room: Room::default(),
        line: Line::new(),
        line_room: Room::default(),
        group: Group::new(),
        group_rooms: Default::default(),
        once: Once::new(),
        once_room: Room::default(),
        permits: Admission::new(PERMITS, 4),
        permits_room: Room::default(),
        mail: Channel::new(),
        handed: Channel::new(),
        received: Mutex::default(),
        sent: AtomicUsize::new(0),
    });
    let scope = SharedScope::new();
    let day = live(sim.handle(), town.clone(), scope.clone(), programs, aborts);
    if let Err(stuck) = sim.block_on(day) {
        panic!("{stuck}");
    }
    drop(sim);
    morning(&town, &scope);
}

async fn live(
    handle: Handle,
    town: Arc<Town>,
    scope: SharedScope,
    programs: Vec<Vec<u8>>,
    aborts: [u8; 3],
) {
    let clock = Hours(handle.clock());
    let people = programs.into_iter().enumerate().map(|(who, program)| {
        let (town, clock, scope) = (town.clone(), clock.clone(), scope.child());
        handle.spawn_named(format!("{who}: {program:?}"), async move {
            for what in program {
                town.step(who, what, &clock, &scope).await;
            }
        })
    });
    let people: Vec<_> = people.collect();
    for abort in aborts {
        turns(abort % 16).await;
        if abort >= 128 {
            people[usize::from(abort / 16) % people.len()].abort();
        }
    }
    // The night: who waits for mail, or for an order, is sent home. The others have to come to an end.
    turns(32).await;
    scope.cancel(Kind::Shutdown);
    turns(8).await;
    town.mail.close();
    town.handed.close();
    for person in people {
        person.await;
    }
}

fn morning(town: &Town, scope: &SharedScope) {
    assert!(!town.slot.is_claimed() && !town.slot.has_waiters());
    assert!(!town.line.is_busy() && !town.line.has_waiters());
    assert!(town.group.is_empty());
    let permits = town.permits.snapshot();
    assert_eq!((permits.occupancy, permits.waiting), (0, 0));
    assert!(!town.mail.has_waiting_senders() && !town.mail.has_waiting_receivers());
    assert!(!town.handed.has_waiting_senders() && !town.handed.has_waiting_receivers());
    let rooms = [
        &town.slot_room,
        &town.line_room,
        &town.once_room,
        &town.permits_room,
        &town.group_rooms[0],
        &town.group_rooms[1],
    ];
    assert!(rooms.iter().all(|room| room.0.load(Ordering::Relaxed) == 0));
    assert_eq!(scope.attached(), 0, "a child is left");
}
