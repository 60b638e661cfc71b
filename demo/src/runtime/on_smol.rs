//! smol: an executor for each run, with a thread per core.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    num::NonZero,
    sync::Arc,
    thread,
    time::Duration,
};

use ecluse_smol::{
    SmolAbort, SmolSpawnOn, SmolTimer,
    runtime::{Clock, Spawn, TallyRef, Ticket, Timer},
};
use smol::{Async, Executor, channel};
use smol_hyper::rt::FuturesIo;

use super::{Runtime, client_end};

#[derive(Clone, Debug)]
pub(crate) struct Smol(SmolSpawnOn<Arc<Executor<'static>>>);

impl Runtime for Smol {
    type Abort = SmolAbort;
    type Listener = smol::net::TcpListener;
    type Stream = FuturesIo<smol::net::TcpStream>;

    fn run<F: Future>(main: impl FnOnce(Self) -> F) -> F::Output {
        let executor = Arc::new(Executor::new());
        let (running, ended) = channel::bounded::<()>(1);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
                let (executor, ended) = (&executor, ended.clone());
                // Whether by a message or by the sender's end: it is over.
                scope.spawn(move || smol::block_on(executor.run(ended.recv())).is_ok());
            }
            let output = smol::block_on(main(Self(SmolSpawnOn(Arc::clone(&executor)))));
            drop(running);
            output
        })
    }

    fn spawn<F, C: TallyRef>(&self, ticket: Ticket<F, C>) -> SmolAbort
    where
        Ticket<F, C>: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(ticket).expect("the executor is running")
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send + 'static {
        SmolTimer.sleep_until(SmolTimer.after(SmolTimer.now(), time))
    }

    async fn timeout<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        smol::future::or(async { Some(future.await) }, async {
            Self::sleep(limit).await;
            None
        })
        .await
    }

    fn listen(listener: TcpListener) -> io::Result<Self::Listener> {
        Ok(Async::new(listener)?.into())
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(FuturesIo::new(stream))
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = smol::net::TcpStream::connect(address).await?;
        client_end(&stream)?;
        Ok(FuturesIo::new(stream))
    }
}
