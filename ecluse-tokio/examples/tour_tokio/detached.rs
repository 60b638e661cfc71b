//! `run_detached`: a request that times out sooner than its fetch. The fetch is a task of its own, which is told to outlive
//! its callers: the next request gets what it comes to, and it is made once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{Flight, TokioSpawn, flight::Part, runtime::Tally};
use tokio::{sync::Semaphore, time::timeout};

#[tokio::main]
pub(crate) async fn main() {
    let (page, tally) = (Arc::<Flight<&str>>::default(), Arc::<Tally>::default());
    let (upstream, fetches) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    let request = || {
        let (upstream, fetches) = (Arc::clone(&upstream), Arc::clone(&fetches));
        let fetch = move || async move {
            fetches.fetch_add(1, Ordering::Relaxed);
            upstream.acquire().await.expect("never closed").forget();
            "its page"
        };
        Flight::run_detached(&page, TokioSpawn::current(), Arc::clone(&tally), fetch).outlive()
    };
    // A handler with a time-out; upstream does not answer before it is over.
    assert!(timeout(Duration::from_millis(5), request()).await.is_err());
    let (next, ()) = tokio::join!(request(), async { upstream.add_permits(1) });
    let answer = next.expect("the fetch goes on");
    println!(
        "the first request timed out, the next one has {}",
        answer.value
    );
    assert_eq!((answer.value, answer.part), ("its page", Part::Joined));
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
    tally.joined().await;
}
