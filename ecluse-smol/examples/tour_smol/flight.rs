//! `Flight`: many ask for the same thing while it is fetched: one fetches, all get the result. The one that fetches is
//! cancelled; exactly one of the others goes on, and nobody is told of it.

use std::sync::atomic::{AtomicU32, Ordering};

use ecluse_smol::{Flight, flight::Answer};
use smol::{
    future::{yield_now, zip},
    lock::Semaphore,
};

static RATE: Flight<u32> = Flight::new();
static QUERIES: AtomicU32 = AtomicU32::new(0);
static UPSTREAM: Semaphore = Semaphore::new(0);

/// The exchange rate, in hundredths: asked of upstream, which answers once for each permit.
async fn rate() -> Answer<u32> {
    let query = || async {
        QUERIES.fetch_add(1, Ordering::Relaxed);
        UPSTREAM.acquire().await.forget();
        108
    };
    RATE.run(query).await.expect("somebody goes on")
}

pub(crate) fn main() {
    smol::block_on(async {
        let first = smol::spawn(rate());
        while !RATE.is_running() {
            yield_now().await;
        }
        let others = zip(rate(), rate());
        let ((one, other), ()) = zip(others, async {
            first.cancel().await;
            UPSTREAM.add_permits(1);
        })
        .await;
        let queries = QUERIES.load(Ordering::Relaxed);
        println!("the first was cancelled; two have the rate by one query more: {queries} in all");
        assert_eq!((one.value, other.value, queries), (108, 108, 2));
        assert!(one.led() != other.led());
    });
}
