//! `within`, `try_abandon`: a wait that ends too early loses nothing. What was granted at the last moment is returned, since
//! "finished or given up" is decided once; an `or` with a timer would have dropped that.

use std::{pin::pin, time::Duration};

use ecluse_smol::{Outcome, Slot, TimedOut, WaitExt};
use smol::future::poll_once;

static LICENCE: Slot = Slot::new();

pub(crate) fn main() {
    smol::block_on(async {
        let held = LICENCE.try_claim().expect("nobody has it");
        let late = LICENCE.claim().within(Duration::from_millis(1)).await;
        assert_eq!(late.err(), Some(TimedOut)); // it has left the queue

        let mut waits = pin!(LICENCE.claim());
        assert!(poll_once(waits.as_mut()).await.is_none());
        held.release(); // to the one that waits, which has not seen it
        let claim = waits.as_mut().try_abandon().expect("it has been granted");
        let claim = claim.expect("nobody closes it");
        println!("one gave up too late, and has the claim all the same");
        assert_eq!(claim.inherited(), Some(Outcome::Done));
    });
}
