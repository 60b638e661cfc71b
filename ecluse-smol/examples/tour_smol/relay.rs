//! `Relay`: a download in three steps, whose driver is cancelled after the second. Another task drives it on from there, and
//! no step is done twice.

use std::{future::Future, pin::Pin, pin::pin, sync::Arc};

use ecluse_smol::Relay;
use smol::{channel::unbounded, future::poll_once, lock::Semaphore};

type Download = Pin<Box<dyn Future<Output = usize> + Send>>;

pub(crate) fn main() {
    smol::block_on(async {
        let relay: Arc<Relay<Download>> = Arc::new(Relay::new());
        let (done, steps) = unbounded();
        let chunks = Arc::new(Semaphore::new(2)); // two have come; the third is on its way
        let begin = {
            let chunks = Arc::clone(&chunks);
            move || -> Download {
                let (chunks, done) = (Arc::clone(&chunks), done.clone());
                Box::pin(async move {
                    for step in 1..=3 {
                        chunks.acquire().await.forget();
                        done.send(step).await.expect("main listens");
                    }
                    3
                })
            }
        };
        let driver = smol::spawn(Relay::run_owned(&relay, begin.clone()));
        assert_eq!((steps.recv().await, steps.recv().await), (Ok(1), Ok(2)));
        // Another one asks for it, and waits.
        let mut second = pin!(relay.run(begin));
        assert!(poll_once(second.as_mut()).await.is_none());

        assert!(driver.cancel().await.is_none());
        chunks.add_permits(4); // enough for a download from the start, if one were begun
        let answer = second.await.expect("nobody cancels this one");
        println!("the driver was cancelled after two steps, and another took the third alone");
        assert!(answer.led() && answer.value == 3);
        assert_eq!((steps.recv().await, steps.len()), (Ok(3), 0));
    });
}
