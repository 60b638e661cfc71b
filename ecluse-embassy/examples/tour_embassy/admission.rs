//! `Admission`: a bus with two channels of DMA. Two transfers run, one waits for its place, the next is refused at once; one
//! that waits and loses its `select` gives its place back.

use core::pin::pin;

use ecluse_embassy::{Admission, NotAdmitted};
use embassy_futures::{join::join, poll_once, yield_now};

/// Two channels, and one transfer that waits.
static DMA: Admission = Admission::new(2, 1);

async fn transfer(channels: usize) -> Result<(), NotAdmitted> {
    let _permit = DMA.acquire(channels).await?; // … which is back on every way out
    yield_now().await;
    Ok(())
}

pub(crate) async fn main() {
    let busy = DMA.acquire(2).await.expect("both are idle");
    {
        let mut waits = pin!(DMA.acquire(1));
        assert!(poll_once(waits.as_mut()).is_pending());
        assert_eq!(transfer(1).await, Err(NotAdmitted::RoomFull));
    } // it gives up, and there is room again
    assert_eq!(transfer(3).await, Err(NotAdmitted::TooHeavy));

    let (waited, ()) = join(transfer(1), async {
        assert_eq!(DMA.waiting(), 1);
        drop(busy);
    })
    .await;
    println!("one was refused, one gave up, and one had its turn");
    assert_eq!((waited, DMA.available()), (Ok(()), 2));
}
