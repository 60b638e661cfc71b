//! `Channel`: no item is lost with the task that was about to have it. A receiver that goes away leaves its item to the
//! next one, a sender that runs out of time has its own back.

use std::{pin::pin, time::Duration};

use ecluse_smol::{Channel, ChannelExt, channel::SendError};
use smol::{
    future::{poll_once, zip},
    stream::StreamExt,
};

static JOBS: Channel<&str, 1> = Channel::new();

pub(crate) fn main() {
    smol::block_on(async {
        {
            let mut worker = pin!(JOBS.receive());
            assert_eq!(poll_once(worker.as_mut()).await, None); // it waits, in the queue
            JOBS.send("resize cat.png").await.expect("it is open"); // and gets this …
        } // … but does not look any more
        assert_eq!(JOBS.len(), 1);

        let short = Duration::from_millis(1);
        let late = JOBS.send_timeout("resize dog.png", short).await; // there is room for one
        let Err(SendError::TimedOut(dog)) = late else {
            panic!("nobody has made room")
        };
        let (cat, sent) = zip(JOBS.receive(), JOBS.send(dog)).await;
        assert_eq!((cat, sent), (Ok("resize cat.png"), Ok(())));
        JOBS.close();
        let left: Vec<_> = JOBS.items().collect().await; // a stream, which ends with the channel
        assert_eq!(left, [dog]);
        println!("both jobs arrived, in spite of a receiver and a sender that gave up");
    });
}
