//! An HTTP client whose bearer token is refreshed early, in the background, and stays in use while the
//! token endpoint is down. When the token is revoked, a crowd of refused requests renews it once.
//!
//! `cargo run -p ecluse-tokio --example bearer`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{
    DefaultLock, Refresher, TokioTimer,
    refresh::{Breaker, Minted, Policy, Step},
    tower::{Bearer, BearerLayer},
};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, header::AUTHORIZATION, server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tower::{Layer, ServiceExt};

type Failed = Box<dyn Error + Send + Sync>;
/// Told to all who waited for the same mint.
type SharedFailure = Arc<dyn Error + Send + Sync>;
type Web = Client<HttpConnector, Full<Bytes>>;

const LIFE: Duration = Duration::from_secs(3);
/// Early by as much as may be, which is half of a token's life; tried again soon.
const POLICY: Policy = Policy::new()
    .early(LIFE)
    .back_off(Duration::from_millis(20), Duration::from_millis(100))
    .breaker(3, Duration::from_millis(100));

/// The token of the program. What happens to it is printed.
static TOKEN: Refresher<Bearer, SharedFailure, DefaultLock, fn(Step)> =
    Refresher::with_observer(TokioTimer, POLICY, |step| println!("  {step:?}"));

/// Asks the token endpoint.
async fn mint(web: Web, at: SocketAddr) -> Result<Minted<Bearer>, Failed> {
    let request = Request::post(format!("http://{at}/token")).body(Full::default())?;
    let answer = web.request(request).await?;
    if answer.status() != StatusCode::OK {
        return Err(answer.status().to_string().into());
    }
    let token = answer.into_body().collect().await?.to_bytes();
    let token = Bearer::new(std::str::from_utf8(&token)?)?;
    Ok(Minted::expires_in(token, LIFE))
}

/// The other side: `GET /data` wants the latest token, `POST /token` gives a new one.
#[derive(Default)]
struct Service {
    latest: AtomicU32,
    /// So many of the next questions for a token are not answered.
    outage: AtomicU32,
    minted: AtomicU32,
}

impl Service {
    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let mut answer = Response::default();
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/token") => {
                let less = |left: u32| left.checked_sub(1);
                let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
                if self.outage.fetch_update(set, fetch, less).is_ok() {
                    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                } else {
                    self.minted.fetch_add(1, Ordering::Relaxed);
                    let token = self.latest.fetch_add(1, Ordering::Relaxed) + 1;
                    *answer.body_mut() = token.to_string().into();
                }
            }
            (&Method::GET, "/data") => {
                let wanted = format!("Bearer {}", self.latest.load(Ordering::Relaxed));
                if request.headers().get(AUTHORIZATION) != wanted.parse().ok().as_ref() {
                    *answer.status_mut() = StatusCode::UNAUTHORIZED;
                }
            }
            _ => *answer.status_mut() = StatusCode::NOT_FOUND,
        }
        answer
    }

    fn minted(&self) -> u32 {
        self.minted.load(Ordering::Relaxed)
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue; // A connection that was lost before it was accepted.
            };
            let this = Arc::clone(&self);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = this.answer(&request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                let stream = TokioIo::new(stream);
                // An error is a client that has gone.
                let _ = http1::Builder::new()
                    .serve_connection(stream, service)
                    .await;
            });
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    timeout(Duration::from_secs(20), show()).await?
}

async fn show() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let service = Arc::new(Service::default());
    tokio::spawn(Arc::clone(&service).serve(listener));

    let web: Web = Client::builder(TokioExecutor::new()).build_http();
    let own = web.clone();
    let mint = move || {
        let token = mint(own.clone(), at);
        async { token.await.map_err(Arc::from) }
    };
    let client = BearerLayer::new(&TOKEN, mint).layer(web);

    let get = || {
        let request = Request::get(format!("http://{at}/data")).body(Full::default());
        let client = client.clone();
        async move { Ok::<_, Failed>(client.oneshot(request?).await?.status()) }
    };
    let crowd = async |size: usize| {
        let answers: JoinSet<_> = (0..size).map(|_| get()).collect();
        let answers = answers.join_all().await;
        answers
            .into_iter()
            .all(|it| matches!(it, Ok(StatusCode::OK)))
    };

    println!("64 requests, and no token:");
    assert!(crowd(64).await && service.minted() == 1);

    println!("the token endpoint is down, and the token half through its life:");
    service.outage.store(4, Ordering::Relaxed);
    let (mut served, mut opened) = (0, false);
    while service.minted() == 1 {
        assert_eq!(get().await?, StatusCode::OK);
        served += 1;
        opened |= TOKEN.snapshot().breaker != Breaker::Closed;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("{served} requests meanwhile, all served");
    assert!(opened && TOKEN.snapshot().failures == 4);

    println!("the token is revoked, and 64 requests are under way:");
    service.latest.fetch_add(1, Ordering::Relaxed);
    assert!(crowd(64).await && service.minted() == 3);

    let snapshot = TOKEN.snapshot();
    println!(
        "bearer on tokio: mints: {}, failed: {}, requests: {} and none failed",
        snapshot.successes,
        snapshot.failures,
        served + 128,
    );
    Ok(())
}
