//! `Slot`: a job that one worker may do at a time. Its worker is aborted in the middle; the job goes to exactly one of
//! those who wait for it, in order, who learns that it is half done.

use std::future::pending;

use ecluse_tokio::{Outcome, Slot};
use tokio::{sync::oneshot, task::yield_now};

static REINDEX: Slot = Slot::new();

#[tokio::main]
pub(crate) async fn main() {
    let (begun, begins) = oneshot::channel();
    let worker = tokio::spawn(async move {
        let claim = REINDEX.try_claim().expect("nobody has it yet");
        begun.send(()).expect("main waits for it");
        pending::<()>().await; // a long job
        claim.release();
    });
    begins.await.expect("the worker begins");
    assert!(REINDEX.try_claim().is_err(), "one at a time");
    let next = tokio::spawn(async {
        let claim = REINDEX.claim().await.expect("nobody closes it");
        let before = claim.inherited();
        // … look what is there already, go on from that …
        claim.release();
        before
    });
    while !REINDEX.has_waiters() {
        yield_now().await;
    }
    worker.abort();
    let before = next.await.expect("it is woken").expect("it was handed on");
    assert_eq!(before, Outcome::Abandoned { by_panic: false });
    println!("the worker was aborted; the next one has the job, {before}");
}
