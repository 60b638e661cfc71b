//! `Revocable`: a future that lost a race by reference is kept and not polled, and is granted the claim. The next in the queue
//! takes the grant back when its stall bound is over, and nobody is stuck; polled again, the sleeper is first.

use std::{pin::pin, time::Duration};

use ecluse_smol::{Revocable, Slot, SlotExt};
use smol::future::poll_once;

static PRINTER: Slot<Revocable> = Slot::new();

pub(crate) fn main() {
    smol::block_on(async {
        let held = PRINTER.try_claim().expect("nobody has it");
        let mut sleeper = pin!(PRINTER.claim());
        assert!(poll_once(sleeper.as_mut()).await.is_none()); // queued, and nobody polls it
        held.release(); // to the sleeper

        let bound = Duration::from_millis(1);
        let claim = PRINTER.claim_with_stall_bound(bound).await;
        println!("printing, in spite of a sleeper with the claim");
        assert!(poll_once(sleeper.as_mut()).await.is_none()); // it lost its grant, and queues
        claim.expect("nobody closes it").release();
        sleeper.await.expect("nobody closes it").release();
    });
}
