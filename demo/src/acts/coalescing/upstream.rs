//! The package index: documents of some size, each of which takes its time. It makes so many at the same
//! time; whoever comes when it is that busy waits for its turn, in order.

use std::{
    io,
    marker::PhantomData,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
};

use tokio::sync::Semaphore;

use crate::{
    args::Args,
    http::{self, Body, Handle},
    runtime::{Runtime, Tasks},
};

/// As large as the page of a package with many releases.
const DOCUMENT: usize = 32 << 10;

#[derive(Clone)]
struct Upstream<R> {
    /// Half of this to three halves.
    takes_ms: u64,
    workers: Arc<Semaphore>,
    random: Arc<Mutex<fastrand::Rng>>,
    _runtime: PhantomData<fn() -> R>,
}

pub(crate) fn start<R: Runtime>(tasks: &Tasks<R>, args: &Args) -> io::Result<SocketAddr> {
    let upstream: Upstream<R> = Upstream {
        takes_ms: args.upstream_ms,
        workers: Arc::new(Semaphore::new(args.workers as usize)),
        random: Arc::new(Mutex::new(fastrand::Rng::with_seed(args.seed))),
        _runtime: PhantomData,
    };
    http::serve(tasks, upstream)
}

impl<R: Runtime> Handle for Upstream<R> {
    async fn handle(self, _: Request<Incoming>) -> Response<Body> {
        let takes = {
            let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
            random.u64(self.takes_ms / 2..=self.takes_ms * 3 / 2)
        };
        let worker = self.workers.acquire().await;
        R::sleep(Duration::from_millis(takes)).await;
        drop(worker);
        Response::new(Body::new(Bytes::from(vec![b'.'; DOCUMENT])))
    }
}
