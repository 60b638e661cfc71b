//! `FusedFuture`: a future is not over before it is polled to its end, and is from there on.

use std::{
    future::{Future, Ready, ready},
    pin::pin,
    time::Duration,
};

use ecluse_core::{
    Channel, Flight, FlushTable, Revocable, Root, Slot,
    flight::{Once, Relay},
    runtime::Tally,
};
use futures_core::FusedFuture;

use crate::{
    clock::Hand,
    kit::{poll, ready as over},
    walks_refresh,
};

const BOUND: Duration = Duration::from_millis(10);

/// What it gives, at its first poll.
#[track_caller]
fn fused<F: Future + FusedFuture>(future: F) -> F::Output {
    let mut future = pin!(future);
    assert!(!future.is_terminated(), "over before it has begun");
    let output = over(poll(future.as_mut()));
    assert!(future.is_terminated(), "not over, but ready");
    output
}

#[test]
fn a_future_is_over_when_it_was_ready_and_not_before() {
    let clock = Hand::default();

    let slot = <Slot>::new();
    drop(fused(slot.claim()).unwrap());
    drop(fused(slot.claim().timeout(clock.clone(), BOUND)).unwrap());
    let revocable = Slot::<Revocable>::new();
    drop(fused(revocable.claim_stall_bound(&clock, BOUND)).unwrap());
    let claim = slot.try_claim().unwrap();
    fused(claim.guard(ready(Ok::<_, ()>(())), |_| {})).unwrap();

    let channel = Channel::<u8, 4>::new();
    fused(channel.send(1)).unwrap();
    fused(channel.send(2).timeout(&clock, BOUND)).unwrap();
    fused(channel.receive()).unwrap();

    let tally = <Tally>::new();
    fused(tally.ticket(ready(())));
    fused(tally.joined());

    let flight = Flight::<u32>::new();
    assert!(fused(flight.run(|| ready(1))).is_ok());
    assert!(fused(flight.run(|| ready(1)).timeout(clock.clone(), BOUND)).is_ok());

    let relay = Relay::<Ready<u32>>::new();
    assert!(fused(relay.run(|| ready(1))).is_ok());
    assert!(fused(relay.run(|| ready(1)).stall_bound(&clock, BOUND)).is_ok());

    let once = Once::<u32>::new();
    assert_eq!(*fused(once.get_or_init(|| ready(3))).unwrap(), 3);

    let table = FlushTable::<u16, 4>::new();
    fused(table.flush(1).unwrap()).unwrap().sent();
    let _request = table.begin(1).unwrap();
    table.cancel(1);
    assert_eq!(fused(table.flushed()), Ok(1));

    let (_clock, cache) = walks_refresh::cache();
    assert!(fused(cache.get(|| walks_refresh::mint(1))).is_ok());

    let root = <Root>::new();
    drop(fused(root.cx().guard(slot.claim())).unwrap());
    fused(root.cx().guard(ready(()))).unwrap();
    fused(root.cx().on_cancel(ready(()), |_| ()));
    fused(root.tend(ready(())));
    root.cancel(ecluse_core::cancel::Kind::Shutdown);
    fused(root.cx().cancelled());
}
