//! `Tally` and `Ticket`: tasks counted by a number in a `static`, joined without a handle of each, cancelled together. An
//! abort by their own handle is counted, too.

use std::future::pending;

use ecluse_tokio::{
    TokioSpawn,
    runtime::{Abort, Spawn, Tally},
};

static UPLOADS: Tally = Tally::new();

#[tokio::main]
pub(crate) async fn main() {
    let tasks = TokioSpawn::current();
    let upload = |work| tasks.spawn(UPLOADS.ticket(work)).expect("the runtime runs");
    let aborts = [(); 3].map(|()| upload(pending()));
    assert_eq!(UPLOADS.live(), 3);
    let [first, ..] = aborts;
    first.abort();
    UPLOADS.cancel();
    UPLOADS.joined().await; // their destructors have run
    println!(
        "three uploads, {} of them cut off, all gone",
        UPLOADS.lost()
    );
    assert_eq!((UPLOADS.live(), UPLOADS.lost()), (0, 3));
}
