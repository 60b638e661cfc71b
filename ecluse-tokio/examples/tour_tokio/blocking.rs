//! `claim_blocking`: a thread without a runtime waits in the same queue as tasks do, and hands on to them.

use ecluse_tokio::{Outcome, Slot};
use tokio::{
    sync::oneshot,
    task::{spawn_blocking, yield_now},
};

static TAPE: Slot = Slot::new();

#[tokio::main]
pub(crate) async fn main() {
    let task = TAPE.claim().await.expect("nobody closes it");
    let (wound, winds) = oneshot::channel();
    let thread = spawn_blocking(move || {
        let claim = TAPE.claim_blocking().expect("nobody closes it");
        winds.blocking_recv().expect("main tells it"); // … wind it back, the slow way …
        claim.release();
    });
    while !TAPE.has_waiters() {
        yield_now().await;
    }
    task.release(); // to the thread
    assert!(TAPE.try_claim().is_err());
    let wind = async { wound.send(()).expect("the thread listens") };
    let (end, ()) = tokio::join!(TAPE.released(), wind);
    thread.await.expect("it has ended");
    println!("from a task to a thread, and {end}");
    assert_eq!(end, Outcome::Done);
}
