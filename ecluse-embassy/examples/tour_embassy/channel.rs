//! `Channel`: no item is lost with the task that was about to have it. A receiver that goes away leaves its item to the next
//! one, a sender that is out of time has its own back.

use core::{pin::pin, task::Poll};

use ecluse_embassy::{
    Channel, ChannelExt,
    channel::{Ended, SendError},
};
use embassy_futures::{join::join, poll_once};
use embassy_time::Duration;

/// Samples, from an interrupt to whoever sends them.
static SAMPLES: Channel<u16, 1> = Channel::new();

pub(crate) async fn main() {
    {
        let mut sender = pin!(SAMPLES.receive());
        assert_eq!(poll_once(sender.as_mut()), Poll::Pending); // it waits, in the queue
        SAMPLES.try_send(17).expect("there is room"); // and gets this …
    } // … but has lost its `select`
    assert_eq!(SAMPLES.len(), 1);

    let late = SAMPLES.send_timeout(18, Duration::from_millis(1)).await; // there is room for one
    let Err(SendError::TimedOut(sample)) = late else {
        panic!("nobody has made room")
    };
    let (first, sent) = join(SAMPLES.receive(), SAMPLES.send(sample)).await;
    assert_eq!((first, sent), (Ok(17), Ok(())));
    SAMPLES.close();
    assert_eq!(SAMPLES.receive().await, Ok(18));
    assert_eq!(SAMPLES.receive().await, Err(Ended));
    println!("both samples arrived, in spite of a receiver and a sender that gave up");
}
