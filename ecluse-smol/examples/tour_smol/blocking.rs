//! `claim_blocking`: a thread without a runtime waits in the same queue as tasks do, and hands on to them.

use ecluse_smol::{Outcome, Slot};
use smol::{
    channel::bounded,
    future::{yield_now, zip},
    unblock,
};

static TAPE: Slot = Slot::new();

pub(crate) fn main() {
    smol::block_on(async {
        let task = TAPE.claim().await.expect("nobody closes it");
        let (wound, winds) = bounded(1);
        let thread = unblock(move || {
            let claim = TAPE.claim_blocking().expect("nobody closes it");
            winds.recv_blocking().expect("main tells it"); // … wind it back, the slow way …
            claim.release();
        });
        while !TAPE.has_waiters() {
            yield_now().await;
        }
        task.release(); // to the thread
        assert!(TAPE.try_claim().is_err());
        let (end, sent) = zip(TAPE.released(), wound.send(())).await;
        sent.expect("the thread listens");
        thread.await;
        println!("from a task to a thread, and {end}");
        assert_eq!(end, Outcome::Done);
    });
}
