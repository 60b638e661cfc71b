//! `SharedScope`: a task that is stopped, joined and started again, which embassy has no handle for. Its scope lies in a
//! `static`, and so does the pool that it is spawned in; one that does not listen is dropped by force.

use core::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
};

use ecluse_embassy::{Root, ScopePlace, ScopePool, SharedScope, cancel::Kind, runtime::Inline};
use embassy_executor::Spawner;
use embassy_futures::yield_now;

static PROGRAM: Root = Root::new();
static RADIO: ScopePlace = ScopePlace::new();
static TASKS: ScopePool<Inline<256>, 2> = ScopePool::new();
static CLEANED: AtomicU32 = AtomicU32::new(0);

/// Listens until it is told to stop.
async fn radio(scope: SharedScope) {
    let told = scope.cx().guard(pending::<()>()).await;
    CLEANED.fetch_add(u32::from(told.is_err()), Ordering::Relaxed);
}

pub(crate) async fn main(spawner: Spawner) {
    let tasks = TASKS.on(spawner.make_send());
    let mut forced = 0;
    for deaf in [false, true] {
        let scope = PROGRAM.child_in(&RADIO).expect("the one before has ended");
        let spawned = scope.spawn(&tasks, |scope| Inline::new(radio(scope)));
        spawned.expect("there is a place");
        if deaf {
            let spawned = scope.spawn(&tasks, |_| Inline::new(pending()));
            spawned.expect("there is a place");
        }
        scope.cancel(Kind::Explicit);
        while scope.live() > usize::from(deaf) {
            yield_now().await;
        }
        if deaf {
            scope.force(Kind::Limit); // after a while (`joined().within(…)`): its future is dropped
        }
        scope.joined().await;
        forced += scope.lost();
    }
    let cleaned = CLEANED.load(Ordering::Relaxed);
    println!("{cleaned} tasks ended when told, {forced} by force, all in one place");
    assert_eq!((cleaned, forced), (2, 1));
}
