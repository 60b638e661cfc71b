//! `Slot`: a job that one worker may do at a time. Its worker is cancelled in the middle; the job goes to exactly one of those
//! who wait for it, in order, who learns that it is half done.

use std::future::pending;

use ecluse_smol::{Outcome, Slot};
use smol::{channel::bounded, future::yield_now};

static REINDEX: Slot = Slot::new();

pub(crate) fn main() {
    smol::block_on(async {
        let (begun, begins) = bounded(1);
        let worker = smol::spawn(async move {
            let claim = REINDEX.try_claim().expect("nobody has it yet");
            begun.send(()).await.expect("main waits for it");
            pending::<()>().await; // a long job
            claim.release();
        });
        begins.recv().await.expect("the worker begins");
        assert!(REINDEX.try_claim().is_err(), "one at a time");
        let next = smol::spawn(async {
            let claim = REINDEX.claim().await.expect("nobody closes it");
            let before = claim.inherited();
            // … look what is there already, go on from that …
            claim.release();
            before
        });
        while !REINDEX.has_waiters() {
            yield_now().await;
        }
        drop(worker); // as smol cancels
        let before = next.await.expect("it was handed on");
        assert_eq!(before, Outcome::Abandoned { by_panic: false });
        println!("the worker was cancelled; the next one has the job, {before}");
    });
}
