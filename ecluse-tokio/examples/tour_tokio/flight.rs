//! `Flight`: many ask for the same thing while it is fetched: one fetches, all get the result. The one that fetches is
//! aborted; exactly one of the others goes on, and nobody is told of it.

use std::sync::atomic::{AtomicU32, Ordering};

use ecluse_tokio::{Flight, flight::Answer};
use tokio::sync::{Notify, Semaphore};

static RATE: Flight<u32> = Flight::new();
static QUERIES: AtomicU32 = AtomicU32::new(0);
static QUERIED: Notify = Notify::const_new();
static UPSTREAM: Semaphore = Semaphore::const_new(0);

/// The exchange rate, in hundredths: asked of upstream, which answers once for each permit.
async fn rate() -> Answer<u32> {
    let query = || async {
        QUERIES.fetch_add(1, Ordering::Relaxed);
        QUERIED.notify_one();
        UPSTREAM.acquire().await.expect("never closed").forget();
        108
    };
    RATE.run(query).await.expect("somebody goes on")
}

#[tokio::main]
pub(crate) async fn main() {
    let first = tokio::spawn(rate());
    QUERIED.notified().await;
    let (one, other, ()) = tokio::join!(rate(), rate(), async {
        first.abort();
        assert!(first.await.is_err_and(|error| error.is_cancelled()));
        UPSTREAM.add_permits(1);
    });
    let queries = QUERIES.load(Ordering::Relaxed);
    println!("the first was aborted; two have the rate by one query more: {queries} in all");
    assert_eq!((one.value, other.value, queries), (108, 108, 2));
    assert!(one.led() != other.led());
}
