//! `within`, `try_abandon`: a wait that ends too early loses nothing. What was granted at the last moment is returned, since
//! "finished or given up" is decided once; a `timeout` around it would have dropped that.

use std::{pin::pin, time::Duration};

use ecluse_tokio::{Outcome, Slot, TimedOut, WaitExt};
use tokio::time::timeout;

static LICENCE: Slot = Slot::new();
const SHORT: Duration = Duration::from_millis(1);

#[tokio::main]
pub(crate) async fn main() {
    let held = LICENCE.try_claim().expect("nobody has it");
    let late = LICENCE.claim().within(SHORT).await;
    assert_eq!(late.err(), Some(TimedOut)); // it has left the queue

    let mut waits = pin!(LICENCE.claim());
    assert!(timeout(SHORT, &mut waits).await.is_err()); // by reference: it is still queued
    held.release(); // to the one that waits, which has not seen it
    let claim = waits.as_mut().try_abandon().expect("it has been granted");
    let claim = claim.expect("nobody closes it");
    println!("one gave up too late, and has the claim all the same");
    assert_eq!(claim.inherited(), Some(Outcome::Done));
}
