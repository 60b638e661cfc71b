//! `Revocable`: a future that lost a `select` by reference is kept and not polled, and is granted the claim. The next in the
//! queue takes the grant back when its stall bound is over, and nobody is stuck; polled again, the sleeper is first.

use core::pin::pin;

use ecluse_embassy::{Revocable, Slot, SlotExt};
use embassy_futures::poll_once;
use embassy_time::Duration;

static PRINTER: Slot<Revocable> = Slot::new();

pub(crate) async fn main() {
    let held = PRINTER.try_claim().expect("nobody has it");
    let mut sleeper = pin!(PRINTER.claim());
    assert!(poll_once(sleeper.as_mut()).is_pending()); // queued, and nobody polls it
    held.release(); // to the sleeper

    let bound = Duration::from_millis(1);
    let claim = PRINTER.claim_with_stall_bound(bound).await;
    println!("printing, in spite of a sleeper with the claim");
    assert!(poll_once(sleeper.as_mut()).is_pending()); // it lost its grant, and queues
    claim.expect("nobody closes it").release();
    sleeper.await.expect("nobody closes it").release();
}
