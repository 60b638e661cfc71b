//! `Relay`: a download in three steps, whose driver is aborted after the second. Another task drives it on from there, and
//! no step is done twice.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
};

use ecluse_tokio::Relay;
use tokio::sync::{Semaphore, mpsc};

type Download = Pin<Box<dyn Future<Output = usize> + Send>>;

#[tokio::main]
pub(crate) async fn main() {
    let relay: Arc<Relay<Download>> = Arc::new(Relay::new());
    let (done, mut steps) = mpsc::unbounded_channel();
    let chunks = Arc::new(Semaphore::new(2)); // two have come; the third is on its way
    let begin = {
        let chunks = Arc::clone(&chunks);
        move || -> Download {
            let (chunks, done) = (Arc::clone(&chunks), done.clone());
            Box::pin(async move {
                for step in 1..=3 {
                    chunks.acquire().await.expect("never closed").forget();
                    done.send(step).expect("main listens");
                }
                3
            })
        }
    };
    let driver = tokio::spawn(Relay::run_owned(&relay, begin.clone()));
    assert_eq!((steps.recv().await, steps.recv().await), (Some(1), Some(2)));
    // Another one asks for it, and waits.
    let mut second = pin!(relay.run(begin));
    let waits = poll_fn(|cx| Poll::Ready(second.as_mut().poll(cx).is_pending())).await;
    assert!(waits);

    driver.abort();
    assert!(driver.await.is_err_and(|error| error.is_cancelled()));
    chunks.add_permits(4); // enough for a download from the start, if one were begun
    let answer = second.await.expect("nobody aborts this one");
    println!("the driver was aborted after two steps, and another took the third alone");
    assert!(answer.led() && answer.value == 3);
    assert_eq!((steps.recv().await, steps.try_recv().ok()), (Some(3), None));
}
