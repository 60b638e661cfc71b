//! `Revocable`: a future that lost a `select!` by reference is kept and not polled, and is granted the claim. The next in the
//! queue takes the grant back when its stall bound is over; polled again, the sleeper is first.

use std::{pin::pin, time::Duration};

use ecluse_tokio::{Revocable, Slot, SlotExt};
use tokio::time::timeout;

static PRINTER: Slot<Revocable> = Slot::new();
const SHORT: Duration = Duration::from_millis(1);

#[tokio::main]
pub(crate) async fn main() {
    let held = PRINTER.try_claim().expect("nobody has it");
    let mut sleeper = pin!(PRINTER.claim());
    assert!(timeout(SHORT, &mut sleeper).await.is_err()); // queued, and nobody polls it
    held.release(); // to the sleeper

    let claim = PRINTER.claim_with_stall_bound(SHORT).await;
    println!("printing, in spite of a sleeper with the claim");
    assert!(timeout(SHORT, &mut sleeper).await.is_err()); // it lost its grant, and queues
    claim.expect("nobody closes it").release();
    sleeper.await.expect("nobody closes it").release();
}
