//! `Channel`: no item is lost with the task that was about to have it. A receiver that goes away leaves its item to the
//! next one, a sender that runs out of time has its own back.

use std::{pin::pin, time::Duration};

use ecluse_tokio::{Channel, ChannelExt, channel::SendError};
use tokio::time::timeout;

static JOBS: Channel<&str, 1> = Channel::new();
const SHORT: Duration = Duration::from_millis(1);

#[tokio::main]
pub(crate) async fn main() {
    {
        let mut worker = pin!(JOBS.receive());
        assert!(timeout(SHORT, &mut worker).await.is_err()); // it waits, in the queue
        JOBS.send("resize cat.png").await.expect("it is open"); // and gets this …
    } // … but does not look any more
    assert_eq!(JOBS.len(), 1);

    let late = JOBS.send_timeout("resize dog.png", SHORT).await; // there is room for one
    let Err(SendError::TimedOut(dog)) = late else {
        panic!("nobody has made room")
    };
    let (cat, sent) = tokio::join!(JOBS.receive(), JOBS.send(dog));
    assert_eq!((cat, sent), (Ok("resize cat.png"), Ok(())));
    JOBS.close();
    let left = JOBS.receive().await;
    assert_eq!((left, JOBS.receive().await.is_err()), (Ok(dog), true));
    println!("both jobs arrived, in spite of a receiver and a sender that gave up");
}
