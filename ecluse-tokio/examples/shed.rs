//! A server under a burst: so many requests are served at a time, so many wait for their turn, and
//! the rest is answered by a 503 at once. A client that goes gives back its permit or its place.
//!
//! `cargo run -p ecluse-tokio --example shed`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{
    convert::Infallible,
    error::Error,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use ecluse_tokio::{Admission, tower::AdmissionLayer};
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Bytes, server::conn::http1};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::yield_now,
    time::timeout,
};
use tower::{Layer, service_fn};

const AT_A_TIME: usize = 4;
const ROOM: usize = 8;
const BURST: usize = 40;

/// What the server can carry.
static LOAD: Admission = Admission::new(AT_A_TIME, ROOM);
/// The work: a request is done when it has a permit of this.
static DONE: Semaphore = Semaphore::const_new(0);
/// How many were let in.
static SERVED: AtomicU32 = AtomicU32::new(0);

async fn work<B>(_: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    SERVED.fetch_add(1, Ordering::Relaxed);
    if let Ok(done) = DONE.acquire().await {
        done.forget();
    }
    Ok(Response::new("done".into()))
}

async fn serve(listener: TcpListener) {
    let layer = AdmissionLayer::new(&LOAD).within(Duration::from_secs(5));
    let service = layer.as_answer().layer(service_fn(work));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue; // A connection that was lost before it was accepted.
        };
        let service = TowerToHyperService::new(service);
        tokio::spawn(async move {
            // An error is a client that has gone.
            let stream = TokioIo::new(stream);
            let _ = http1::Builder::new()
                .serve_connection(stream, service)
                .await;
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    timeout(Duration::from_secs(20), show()).await?
}

async fn show() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let page: hyper::Uri = format!("http://{}/", listener.local_addr()?).parse()?;
    tokio::spawn(serve(listener));

    let web: Client<HttpConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build_http();
    let (answered, mut answers) = mpsc::unbounded_channel();
    let burst: Vec<_> = (0..BURST)
        .map(|_| {
            let (request, answered) = (web.get(page.clone()), answered.clone());
            tokio::spawn(async move {
                let answer = request.await.map(|answer| answer.status());
                let _ = answered.send(answer);
            })
        })
        .collect();

    // The server is full, and so is its waiting room: the rest need not wait for that to hear it.
    let mut refused = 0;
    while refused < BURST - AT_A_TIME - ROOM {
        let answer = answers.recv().await.ok_or("an answer")??;
        assert_eq!(answer, StatusCode::SERVICE_UNAVAILABLE);
        refused += 1;
    }
    let load = LOAD.snapshot();
    println!(
        "a burst of {BURST}: {} admitted, {} queued, {refused} refused",
        load.occupancy, load.waiting
    );
    assert_eq!((load.occupancy, load.waiting), (AT_A_TIME, ROOM));

    // All work is done, one after another, by whoever has a permit.
    let mut served = 0;
    while served < AT_A_TIME + ROOM {
        DONE.add_permits(1);
        assert_eq!(answers.recv().await.ok_or("an answer")??, StatusCode::OK);
        served += 1;
    }
    for request in burst {
        request.await?;
    }

    // A client that is cut off: its permit comes back, though its work was never done.
    let gone = tokio::spawn(web.get(page.clone()));
    while SERVED.load(Ordering::Relaxed) as usize <= served {
        yield_now().await;
    }
    gone.abort();
    while LOAD.available() < AT_A_TIME {
        yield_now().await;
    }
    println!("shed on tokio: {served} served, {refused} refused, and all permits are back");
    Ok(())
}
