//! async-std: its one global executor, for programs that have not left it yet.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use ecluse_smol::{
    async_std::{AsyncStdAbort, AsyncStdSpawn, AsyncStdTimer},
    runtime::{Clock, Spawn, TallyRef, Ticket, Timer},
};
use smol_hyper::rt::FuturesIo;

use super::{Runtime, client_end};

#[derive(Clone, Debug)]
pub(crate) struct AsyncStd;

impl Runtime for AsyncStd {
    type Abort = AsyncStdAbort;
    type Listener = async_std::net::TcpListener;
    type Stream = FuturesIo<async_std::net::TcpStream>;

    fn run<F: Future>(main: impl FnOnce(Self) -> F) -> F::Output {
        async_std::task::block_on(main(Self))
    }

    fn spawn<F, C: TallyRef>(&self, ticket: Ticket<F, C>) -> AsyncStdAbort
    where
        Ticket<F, C>: Future<Output = ()> + Send + 'static,
    {
        AsyncStdSpawn
            .spawn(ticket)
            .expect("the executor never ends")
    }

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send + 'static {
        AsyncStdTimer.sleep_until(AsyncStdTimer.after(AsyncStdTimer.now(), time))
    }

    async fn timeout<F>(limit: Duration, future: F) -> Option<F::Output>
    where
        F: Future<Output: Send> + Send,
    {
        async_std::future::timeout(limit, future).await.ok()
    }

    fn listen(listener: TcpListener) -> io::Result<Self::Listener> {
        Ok(listener.into())
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(FuturesIo::new(stream))
    }

    async fn connect(address: SocketAddr) -> io::Result<Self::Stream> {
        let stream = async_std::net::TcpStream::connect(address).await?;
        client_end(&stream)?;
        Ok(FuturesIo::new(stream))
    }
}
