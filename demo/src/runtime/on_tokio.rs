//! tokio: its multi-threaded runtime, a new one for each run.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use ecluse_tokio::{
    TokioAbort, TokioSpawn, TokioTimer,
    runtime::{Clock, Spawn, TallyRef, Ticket, Timer},
};
use hyper_util::rt::TokioIo;

use super::{Runtime, client_end};

#[derive(Clone, Debug)]
pub(crate) struct Tokio(TokioSpawn);

impl Runtime for Tokio {
    type Abort = TokioAbort;
    type Listener = tokio::net::TcpListener;
    type Stream = TokioIo<tokio::net::TcpStream>;

    fn run<F: Future>(main: impl FnOnce(Self) -> F) -> F::Output {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime of tokio");
        let this = Self(TokioSpawn::on(runtime.handle().clone()));
        let output = runtime.block_on(main(this));
        runtime.shutdown_background();
        output
    }

    fn spawn<F, C: TallyRef>(&self, ticket: Ticket<F, C>) -> TokioAbort
    where
        Ticket<F, C>: Future<Output = ()> + Send + 'static,
    {
        self.0.spawn(ticket).expect("the runtime is running")
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send + 'static {
        TokioTimer.sleep_until(TokioTimer.after(TokioTimer.now(), time))
    }

    async fn timeout<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        tokio::time::timeout(limit, future).await.ok()
    }

    fn listen(listener: TcpListener) -> io::Result<Self::Listener> {
        tokio::net::TcpListener::from_std(listener)
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(stream))
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        client_end(&stream)?;
        Ok(TokioIo::new(stream))
    }
}
