//! `Admission`: a server that knows its limits. Two requests are served, one waits for a place, the next is told "503" at
//! once; a client that hangs up gives its place back.

use ecluse_smol::{Admission, NotAdmitted};
use smol::future::yield_now;

/// Two units of work at a time, and one request that waits.
static LOAD: Admission = Admission::new(2, 1);

async fn request(cost: usize) -> u16 {
    match LOAD.acquire(cost).await {
        Ok(_permit) => 200, // … and the permit is back, on every way out
        Err(NotAdmitted::RoomFull) => 503,
        Err(_) => 413,
    }
}

pub(crate) fn main() {
    smol::block_on(async {
        let busy = LOAD.acquire(2).await.expect("it is idle");
        let queued = smol::spawn(request(1));
        while LOAD.waiting() == 0 {
            yield_now().await;
        }
        let (shed, too_much) = (request(1).await, request(3).await);

        assert_eq!(queued.cancel().await, None); // its client hangs up …
        let next = smol::spawn(request(1)); // … so that there is room for another
        while LOAD.waiting() == 0 {
            yield_now().await;
        }
        drop(busy);
        let served = next.await;
        println!("room full: {shed}, too much: {too_much}, waited for a place: {served}");
        assert_eq!((shed, too_much, served), (503, 413, 200));
        assert_eq!((LOAD.available(), LOAD.waiting()), (2, 0));
    });
}
