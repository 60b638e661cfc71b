//! The server, and its clients: what the ways to stop it have in common, so that they differ in nothing
//! but that.

use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use ecluse_tokio::SharedScope;
use futures_lite::future::or;
use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::client::legacy::Client;

use super::requests::{Live, Referee, Sort};
use crate::{
    http::{self, Body, Connector},
    report::Way,
    runtime::{Runtime, Tasks},
};

/// A way to stop a server.
pub(super) trait Stop: Clone + Send + Sync + 'static {
    /// What the report says of it.
    const WAY: Way;

    fn new() -> Self;

    /// Runs the acceptor, or a connection.
    fn spawn<R: Runtime>(&self, tasks: &Tasks<R>, task: impl Future<Output = ()> + Send + 'static);

    /// Runs a job that outlives its request, if it can.
    fn spawn_job<R: Runtime>(
        &self,
        tasks: &Tasks<R>,
        job: impl Future<Output = ()> + Send + 'static,
    ) -> impl Future<Output = ()> + Send;

    /// No more connections, and no more requests.
    fn closing(&self) -> impl Future<Output = ()> + Send;

    /// Serves one request: whether it was finished.
    fn serve<R: Runtime>(
        &self,
        request: Live<R>,
        tasks: &Tasks<R>,
    ) -> impl Future<Output = bool> + Send;

    /// Waits for the signal, and stops everything: when this is over, so is the process. What it has
    /// to say.
    fn stop<R: Runtime>(
        &self,
        signal: SharedScope,
        grace: Duration,
    ) -> impl Future<Output = Option<String>> + Send;
}

/// Works to the end, whoever says what.
pub(super) async fn worked<R: Runtime, S: Stop>(
    mut request: Live<R>,
    stop: &S,
    tasks: &Tasks<R>,
) -> bool {
    request.work().await;
    answered(request, stop, tasks).await
}

/// The request is done, and may leave a job behind.
pub(super) async fn answered<R: Runtime, S: Stop>(
    request: Live<R>,
    stop: &S,
    tasks: &Tasks<R>,
) -> bool {
    if let Some(job) = request.job() {
        stop.spawn_job(tasks, job).await;
    }
    request.finish();
    true
}

/// The header by which clients are told apart.
const CLIENT: &str = "x-client";

pub(super) fn start<R: Runtime, S: Stop>(
    tasks: &Tasks<R>,
    stop: &S,
    referee: &Arc<Referee>,
) -> io::Result<SocketAddr> {
    let (listener, address) = http::listener()?;
    let (own, connections, referee) = (tasks.clone(), stop.clone(), Arc::clone(referee));
    stop.spawn(tasks, async move {
        // Made here: some runtimes want to be running.
        let Ok(listener) = R::listen(listener) else {
            return;
        };
        loop {
            let accepted = async { Some(R::accept(&listener).await) };
            let closing = async {
                connections.closing().await;
                None
            };
            match or(closing, accepted).await {
                None => return,
                Some(Err(_)) => {}
                Some(Ok(stream)) => {
                    let connection =
                        connection(stream, own.clone(), connections.clone(), referee.clone());
                    connections.spawn(&own, connection);
                }
            }
        }
    });
    Ok(address)
}

async fn connection<R: Runtime, S: Stop>(
    stream: R::Stream,
    tasks: Tasks<R>,
    stop: S,
    referee: Arc<Referee>,
) {
    let service = service_fn(|request: Request<Incoming>| {
        let live = client(&request).map(|client| Live::arrives(client, &referee));
        let (stop, tasks) = (stop.clone(), tasks.clone());
        async move {
            let status = match live {
                None => StatusCode::BAD_REQUEST,
                Some(live) => match stop.serve(live, &tasks).await {
                    true => StatusCode::OK,
                    false => StatusCode::SERVICE_UNAVAILABLE,
                },
            };
            let mut response = Response::new(Body::default());
            *response.status_mut() = status;
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(stream, service));
    let ended = or(
        async {
            let _ = connection.as_mut().await;
            true
        },
        async {
            stop.closing().await;
            false
        },
    );
    if !ended.await {
        // The request in flight is answered, then the connection ends.
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn client<T>(request: &Request<T>) -> Option<u32> {
    request.headers().get(CLIENT)?.to_str().ok()?.parse().ok()
}

/// What the clients saw of their last requests, made before the signal.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) answered: u64,
    pub(super) told: u64,
}

impl Seen {
    pub(super) const fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.told += other.told;
    }
}

/// A client: the quick ones ask again and again, the others once. What became of its last request.
pub(super) async fn ask<R: Runtime>(
    number: u32,
    server: SocketAddr,
    http: Client<Connector<R>, Body>,
    referee: Arc<Referee>,
) -> Seen {
    let mut seen = Seen::default();
    while !referee.is_signalled() {
        let request = Request::builder()
            .uri(format!("http://{server}/"))
            .header(CLIENT, number)
            .body(Body::default())
            .expect("it is well-formed");
        let answer = match http.request(request).await {
            Ok(response) => {
                let status = response.status();
                response.into_body().collect().await.map(|_| status).ok()
            }
            Err(_) => None,
        };
        seen = match answer {
            Some(StatusCode::OK) => Seen {
                answered: 1,
                told: 0,
            },
            Some(_) => Seen {
                answered: 0,
                told: 1,
            },
            None => Seen::default(),
        };
        if Sort::of(number) != Sort::Quick {
            break;
        }
    }
    seen
}
