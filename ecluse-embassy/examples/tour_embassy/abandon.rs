//! `within`, `try_abandon`: a wait that ends too early loses nothing. What was granted at the last moment is returned, since
//! "finished or given up" is decided once; `with_timeout` around it would have dropped that.

use core::pin::pin;

use ecluse_embassy::{Outcome, Slot, TimedOut, WaitExt};
use embassy_futures::poll_once;
use embassy_time::Duration;

static BUS: Slot = Slot::new();

pub(crate) async fn main() {
    let held = BUS.try_claim().expect("nobody has it");
    let late = BUS.claim().within(Duration::from_millis(1)).await;
    assert_eq!(late.err(), Some(TimedOut)); // it has left the queue

    let mut waits = pin!(BUS.claim());
    assert!(poll_once(waits.as_mut()).is_pending());
    held.release(); // to the one that waits, which has not seen it
    let claim = waits.as_mut().try_abandon().expect("it has been granted");
    let claim = claim.expect("nobody closes it");
    println!("one gave up too late, and has the claim all the same");
    assert_eq!(claim.inherited(), Some(Outcome::Done));
}
