//! `SharedScope` and `Shutdown`: tasks that somebody waits for. They are told to end, clean up, and are gone when the wait for
//! them is over; one that does not listen is dropped by force, and the report says so.

use std::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ecluse_smol::{
    SharedScope, SmolSpawn, SmolTimer,
    cancel::{Kind, Shutdown},
};
use smol::future::yield_now;

static FLUSHED: AtomicU32 = AtomicU32::new(0);

/// A connection, until it is told to end.
async fn connection(scope: SharedScope) {
    let told = scope.cx().guard(pending::<()>()).await;
    yield_now().await; // … flush what was written …
    FLUSHED.fetch_add(u32::from(told.is_err()), Ordering::Relaxed);
}

pub(crate) fn main() {
    smol::block_on(async {
        let server: SharedScope = SharedScope::named("server");
        for _ in 0..3 {
            server.spawn(&SmolSpawn, connection).expect("it is open");
        }
        let deaf = server.child();
        deaf.spawn(&SmolSpawn, |_| pending()).expect("it is open");

        server.cancel(Kind::Shutdown);
        let late = server.spawn(&SmolSpawn, |_| async {});
        assert!(late.is_err(), "who comes too late is given back");
        while server.live() > 1 {
            yield_now().await;
        }
        let report = Shutdown::new(&server, SmolTimer)
            .grace(Duration::from_millis(1))
            .patience(Duration::from_secs(60))
            .on(pending::<()>) // Ctrl-C, say; here it was cancelled already
            .await;
        let flushed = FLUSHED.load(Ordering::Relaxed);
        println!("{flushed} tasks ended when told; of the last one: {report}");
        assert_eq!((flushed, report.forced(), report.left()), (3, 1, 0));
    });
}
