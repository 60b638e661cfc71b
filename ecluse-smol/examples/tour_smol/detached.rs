//! `run_detached`: a request that times out sooner than its fetch. The fetch is a task of its own, which is told to outlive
//! its callers: the next request gets what it comes to, and it is made once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_smol::{Flight, SmolSpawn, flight::Part, runtime::Tally};
use smol::{
    Timer,
    future::{or, zip},
    lock::Semaphore,
};

pub(crate) fn main() {
    smol::block_on(async {
        let (page, tally) = (Arc::<Flight<&str>>::default(), Arc::<Tally>::default());
        let (upstream, fetches) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
        let request = || {
            let (upstream, fetches) = (Arc::clone(&upstream), Arc::clone(&fetches));
            let fetch = move || async move {
                fetches.fetch_add(1, Ordering::Relaxed);
                upstream.acquire().await.forget();
                "its page"
            };
            Flight::run_detached(&page, SmolSpawn, Arc::clone(&tally), fetch).outlive()
        };
        // A handler with a time-out; upstream does not answer before it is over.
        let hasty = or(async { request().await.ok() }, async {
            Timer::after(Duration::from_millis(5)).await;
            None
        });
        assert_eq!(hasty.await, None);
        let (next, ()) = zip(request(), async { upstream.add_permits(1) }).await;
        let answer = next.expect("the fetch goes on");
        println!(
            "the first request timed out, the next one has {}",
            answer.value
        );
        assert_eq!((answer.value, answer.part), ("its page", Part::Joined));
        assert_eq!(fetches.load(Ordering::Relaxed), 1);
        tally.joined().await;
    });
}
