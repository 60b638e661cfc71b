//! `SharedScope`: tasks that somebody waits for. They are told to end, clean up, and are gone when the wait for them is over;
//! one that does not listen is dropped by force. (`examples/shutdown.rs` does this at Ctrl-C, with times.)

use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

use ecluse_tokio::{SharedScope, TokioSpawn, WaitExt, cancel::Kind};
use tokio::{task::yield_now, time::Duration};

static FLUSHED: AtomicU32 = AtomicU32::new(0);

/// A connection, until it is told to end.
async fn connection(scope: SharedScope) {
    let told = scope.cx().guard(pending::<()>()).await;
    yield_now().await; // … flush what was written …
    FLUSHED.fetch_add(u32::from(told.is_err()), Ordering::Relaxed);
}

#[tokio::main]
pub(crate) async fn main() {
    let (server, tasks) = (SharedScope::named("server"), TokioSpawn::current());
    for _ in 0..3 {
        server.spawn(&tasks, connection).expect("it is open");
    }
    let deaf = server.child();
    deaf.spawn(&tasks, |_| pending()).expect("it is open");

    server.cancel(Kind::Shutdown);
    let late = server.spawn(&tasks, |_| async {});
    assert!(late.is_err(), "who comes too late is given back");
    while server.live() > 1 {
        yield_now().await;
    }
    let waited = server.joined().within(Duration::from_millis(1)).await;
    assert!(waited.is_err(), "one does not listen");
    server.force(Kind::Limit);
    server.joined().await;
    let flushed = FLUSHED.load(Ordering::Relaxed);
    println!("{flushed} tasks ended when told, {} by force", deaf.lost());
    assert_eq!((flushed, deaf.lost(), server.live()), (3, 1, 0));
}
