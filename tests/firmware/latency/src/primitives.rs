//! ecluse: flights, permits, scopes.

use core::future::{Future, pending, ready};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};

use ecluse_core::admission::{Admission, Fifo};
use ecluse_core::cancel::{Kind, Root};
use ecluse_core::flight::{Promote, Relay};
use ecluse_core::{CriticalSection, Flight, Group, Once};

use crate::meter::Meter;
use crate::ours::Crowd;
use crate::stub;

type Permits = Admission<Fifo, CriticalSection>;
type Single = Flight<u32, Promote, CriticalSection>;
type Keyed = Group<u32, u32, Promote, CriticalSection>;

const NAME: &str = "ecluse";

/// How many follow.
const CROWDS: [(usize, [&str; 4]); 2] = [
    (
        1,
        [
            "Flight: land, 1 follows",
            "Flight: lost, 1 follows",
            "Flight: leave 1 follower",
            "Scope: cancel, 1 waits",
        ],
    ),
    (
        64,
        [
            "Flight: land, 64 follow",
            "Flight: lost, 64 follow",
            "Flight: leave 64 followers",
            "Scope: cancel, 64 wait",
        ],
    ),
];

pub fn run(meter: &Meter) {
    permits(meter);
    alone(meter);
    for (size, names) in CROWDS {
        crowd(meter, size, names);
    }
}

fn permits(meter: &Meter) {
    let permits = Permits::new(2, 8);
    let permit = meter.print(NAME, "Admission: acquire", || permits.try_acquire(1));
    let permit = permit.expect("there are two");
    meter.print(NAME, "Admission: return", move || drop(permit));
    let all = permits.try_acquire(2).expect("there are two");
    let mut wait = pin!(permits.acquire(1));
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "Admission: enlist", wait.as_mut(), cx));
    });
    meter.print(NAME, "Admission: return, 1 waits", move || drop(all));
    stub::with(1, |cx| {
        assert!(!meter.poll(NAME, "Admission: woken poll", wait.as_mut(), cx));
    });
}

/// Pending at its first poll, over at its second.
struct Twice(bool);

impl Future for Twice {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        if core::mem::replace(&mut self.0, true) {
            Poll::Ready(7)
        } else {
            Poll::Pending
        }
    }
}

fn alone(meter: &Meter) {
    let flight = Single::new();
    let mut run = pin!(flight.run(|| ready(1)));
    stub::with(1, |cx| {
        assert!(!meter.poll(NAME, "Flight: lead and land, alone", run.as_mut(), cx));
    });
    let group = Keyed::new();
    let mut run = pin!(group.run(5, || ready(1)));
    stub::with(1, |cx| {
        assert!(!meter.poll(NAME, "Group: lead and land, alone", run.as_mut(), cx));
    });
    let mut leader = pin!(group.run(5, pending::<u32>));
    let mut follower = pin!(group.run(5, pending::<u32>));
    stub::with(1, |cx| assert!(leader.as_mut().poll(cx).is_pending()));
    stub::with(2, |cx| {
        assert!(meter.poll(NAME, "Group: join", follower.as_mut(), cx));
        assert!(meter.poll(NAME, "Group: pending re-poll", follower.as_mut(), cx));
    });
    let relay = Relay::<Twice, CriticalSection>::new();
    let mut driver = pin!(relay.run(|| Twice(false)));
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "Relay: lead", driver.as_mut(), cx));
        assert!(!meter.poll(NAME, "Relay: drive and land", driver.as_mut(), cx));
    });
    let once = Once::<u32, CriticalSection>::from(1);
    meter.print(NAME, "Once: get", || once.get().is_some());
    let root = Root::<CriticalSection>::new();
    let cx = root.cx();
    meter.print(NAME, "Scope: check", || cx.check().is_ok());
}

// Whoever stands in a crowd leaves at the end of its block: it must not be moved, not even to be dropped.

fn crowd(meter: &Meter, size: usize, names: [&str; 4]) {
    {
        let flight = Single::new();
        let mut leader = pin!(flight.run(|| Twice(false)));
        stub::with(1, |cx| assert!(leader.as_mut().poll(cx).is_pending()));
        let mut crowd = Crowd::new(size, || flight.run(pending::<u32>));
        crowd.queue();
        stub::with(1, |cx| {
            assert!(!meter.poll(NAME, names[0], leader.as_mut(), cx));
        });
    }
    {
        let flight = Single::new();
        let mut leader = Crowd::new(1, || flight.run(pending::<u32>));
        leader.queue();
        let mut crowd = Crowd::new(size, || flight.run(pending::<u32>));
        crowd.queue();
        meter.print(NAME, names[1], || leader.leave(0));
    }
    {
        let flight = Single::new();
        let mut leader = pin!(flight.run(pending::<u32>));
        stub::with(1, |cx| assert!(leader.as_mut().poll(cx).is_pending()));
        let mut crowd = Crowd::new(size, || flight.run(pending::<u32>));
        crowd.queue();
        meter.print(NAME, names[2], || crowd.leave(size / 2));
    }
    {
        let root = Root::<CriticalSection>::new();
        let cx = root.cx();
        let mut crowd = Crowd::new(size, || cx.cancelled());
        crowd.queue();
        meter.print(NAME, names[3], || cx.cancel(Kind::Explicit));
    }
}
