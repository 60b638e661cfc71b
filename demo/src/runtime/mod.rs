//! What the demo wants of a runtime: tasks, time and TCP. All else is written once.
//!
//! The tasks and the time are those of ecluse's adapters; only the sockets are bound here.
//! Invariant: every task of a run is in the run's [`Tally`], so that a run ends with all its tasks;
//! but for the children of a scope, which is what the act about scopes is about.

mod on_async_std;
mod on_smol;
mod on_tokio;

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use ecluse_tokio::runtime::{Abort, Spawn, SpawnError, Tally, TallyRef, Ticket};
use hyper::rt;

pub(crate) use self::{on_async_std::AsyncStd, on_smol::Smol, on_tokio::Tokio};

/// What a run leaves behind is waited for so long.
const CLEARING: Duration = Duration::from_secs(5);

pub(crate) trait Runtime: Clone + Send + Sync + 'static {
    type Abort: Abort + Send + 'static;
    type Listener: Send + Sync + 'static;
    type Stream: rt::Read + rt::Write + Send + Unpin + 'static;

    /// Runs `main` on a thread per core, and waits for its end.
    fn run<F: Future>(main: impl FnOnce(Self) -> F) -> F::Output;

    fn spawn<F, C: TallyRef>(&self, ticket: Ticket<F, C>) -> Self::Abort
    where
        Ticket<F, C>: Future<Output = ()> + Send + 'static;

    fn sleep(time: Duration) -> impl Future<Output = ()> + Send + 'static;

    /// The output of `future`, unless it takes longer than `limit`; then it is dropped.
    fn timeout<F>(limit: Duration, future: F) -> impl Future<Output = Option<F::Output>> + Send
    where
        F: Future<Output: Send> + Send;

    /// `listener` does not block.
    fn listen(listener: TcpListener) -> io::Result<Self::Listener>;

    fn accept(
        listener: &Self::Listener,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send + '_;

    fn connect(
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Stream>> + Send + 'static;
}

/// The tasks of one run.
#[derive(Debug)]
pub(crate) struct Tasks<R> {
    runtime: R,
    tally: Arc<Tally>,
}

impl<R: Clone> Clone for Tasks<R> {
    fn clone(&self) -> Self {
        Self {
            runtime: self.runtime.clone(),
            tally: Arc::clone(&self.tally),
        }
    }
}

impl<R: Runtime> Tasks<R> {
    pub(crate) fn new(runtime: R) -> Self {
        Self {
            runtime,
            tally: Arc::default(),
        }
    }

    pub(crate) fn spawn<F>(&self, future: F) -> R::Abort
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.runtime.spawn(Tally::ticket_owned(&self.tally, future))
    }

    /// Ends every task, and waits for that, up to a limit: how many are left.
    pub(crate) async fn end(self) -> usize {
        self.tally.cancel();
        R::timeout(CLEARING, self.tally.joined()).await;
        self.tally.live()
    }
}

/// A scope spawns its children like this. They are in its count, not in the run's.
impl<R, F, C> Spawn<F, C> for Tasks<R>
where
    R: Runtime,
    C: TallyRef,
    Ticket<F, C>: Future<Output = ()> + Send + 'static,
{
    type Abort = R::Abort;

    fn spawn(&self, ticket: Ticket<F, C>) -> Result<R::Abort, SpawnError<F>> {
        Ok(self.runtime.spawn(ticket))
    }
}

/// hyper spawns its connections like this.
impl<R, F> rt::Executor<F> for Tasks<R>
where
    R: Runtime,
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, future: F) {
        self.spawn(future);
    }
}

/// A client's end of a connection. It is closed by a reset, as a process does that is killed: a cut-off
/// leaves nothing behind, and no port is kept from later connections.
fn client_end<'a>(socket: impl Into<socket2::SockRef<'a>>) -> io::Result<()> {
    let socket = socket.into();
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))
}
