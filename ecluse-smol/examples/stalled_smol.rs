//! A future that is kept and not polled is granted the claim. Under `Revocable` the next in the queue takes the grant back
//! when its stall bound is over, and nobody is stuck; polled again, the sleeper is first.
//!
//! `cargo run -p ecluse-smol --example stalled_smol`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{pin::pin, time::Duration};

use ecluse_smol::{Revocable, Slot, SlotExt};
use smol::future::{or, poll_once};

static PRINTER: Slot<Revocable> = Slot::new();

fn main() {
    smol::block_on(async {
        let held = PRINTER.try_claim().expect("nobody has it");
        // Lost a race by reference: it is queued, and nobody polls it.
        let mut sleeper = pin!(PRINTER.claim());
        assert!(poll_once(sleeper.as_mut()).await.is_none());
        held.release(); // to the sleeper

        let claim = or(
            async {
                PRINTER
                    .claim_with_stall_bound(Duration::from_millis(20))
                    .await
                    .ok()
            },
            async {
                smol::Timer::after(Duration::from_secs(60)).await;
                None
            },
        );
        let claim = claim.await.expect("the grant was taken back");
        println!("printing, in spite of the sleeper");

        assert!(poll_once(sleeper.as_mut()).await.is_none()); // it lost its grant, and queues
        claim.release();
        sleeper.await.expect("never closed").release();
        println!("and then the sleeper");
    });
}
