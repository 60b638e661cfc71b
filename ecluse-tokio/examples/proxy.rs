//! A coalescing reverse proxy: while a page is being fetched from upstream, all who ask for it wait for
//! that one fetch. If the client whose request fetches is cut off, exactly one of the others takes over.
//!
//! `cargo run -p ecluse-tokio --example proxy -- --upstream 127.0.0.1:8000 --listen 127.0.0.1:8080`
//!
//! Without arguments it shows that on an upstream of its own, and ends.
//!
//! No header of the client's goes upstream, so what comes back is for everybody. It keeps nothing: for
//! a cache in front see the example `cached`.
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{convert::Infallible, error::Error, future::Future, net::SocketAddr, time::Duration};

use ecluse_tokio::{Group, TokioTimer};
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode, Version,
    body::{Bytes, Incoming},
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
    http::uri::PathAndQuery,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use tokio::{net::TcpListener, sync::mpsc, time::timeout};

type Web = Client<HttpConnector, Full<Bytes>>;
type Page = Response<Full<Bytes>>;

/// What is being fetched. A failure is shared like a page: an upstream that is down is down for all.
static FETCHES: Group<PathAndQuery, Result<Page, StatusCode>> = Group::new();
/// Nobody waits longer for another's fetch.
const PATIENCE: Duration = Duration::from_secs(30);

/// Answers a request: fetches the page, or waits for who does.
async fn proxy(request: Request<Incoming>, web: Web, upstream: SocketAddr) -> Page {
    let (&Method::GET, Some(path)) = (request.method(), request.uri().path_and_query()) else {
        return empty(StatusCode::METHOD_NOT_ALLOWED);
    };
    let answer = FETCHES
        .run(path.clone(), || fetch(&web, upstream, path))
        .timeout(TokioTimer, PATIENCE)
        .await;
    match answer {
        Ok(answer) => answer.value.unwrap_or_else(empty),
        Err(_) => empty(StatusCode::GATEWAY_TIMEOUT),
    }
}

async fn fetch(web: &Web, upstream: SocketAddr, path: &PathAndQuery) -> Result<Page, StatusCode> {
    let uri = format!("http://{upstream}{path}");
    let uri = uri.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let page = async {
        let (head, body) = web.get(uri).await.ok()?.into_parts();
        Some((head, body.collect().await.ok()?))
    };
    let (mut head, body) = page.await.ok_or(StatusCode::BAD_GATEWAY)?;
    head.version = Version::HTTP_11;
    for of_the_connection in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        head.headers.remove(of_the_connection);
    }
    Ok(Response::from_parts(head, Full::new(body.to_bytes())))
}

fn empty(status: StatusCode) -> Page {
    let mut page = Page::default();
    *page.status_mut() = status;
    page
}

/// Serves each connection in a task. If a client goes, hyper drops the future of its request.
async fn serve<F>(
    listener: TcpListener,
    handle: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Page> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue; // A connection that was lost before it was accepted.
        };
        let handle = handle.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let page = handle(request);
                async move { Ok::<_, Infallible>(page.await) }
            });
            // An error is a client that has gone.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let web = Client::builder(TokioExecutor::new()).build_http();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--upstream", upstream, "--listen", listen] => {
            let upstream = upstream.parse()?;
            let listener = TcpListener::bind(listen).await?;
            println!("http://{} for {upstream}", listener.local_addr()?);
            serve(listener, move |it| proxy(it, web.clone(), upstream)).await;
            Ok(())
        }
        [] => timeout(Duration::from_secs(10), show(web)).await?,
        _ => Err("usage: proxy --upstream ADDRESS --listen ADDRESS".into()),
    }
}

/// Eight clients want one page. The one whose request fetches it is cut off.
async fn show(web: Web) -> Result<(), Box<dyn Error>> {
    let (asked, mut fetching) = mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let upstream = listener.local_addr()?;
    tokio::spawn(serve(listener, move |_| {
        let (answer, answered) = tokio::sync::oneshot::channel();
        asked.send(answer).unwrap();
        async { answered.await.unwrap_or_default() }
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let page = format!("http://{}/simple/serde", listener.local_addr()?);
    let (page, at_proxy): (hyper::Uri, _) = (page.parse()?, web.clone());
    let handle = move |it| proxy(it, at_proxy.clone(), upstream);
    tokio::spawn(serve(listener, handle));

    let get = || tokio::spawn(web.get(page.clone()));
    let first = get();
    let _unanswered = fetching.recv().await;
    let others: Vec<_> = (0..7).map(|_| get()).collect();
    let path = page.path_and_query().ok_or("a path")?;
    while FETCHES.peek(path) != Some(7) {
        tokio::task::yield_now().await;
    }
    first.abort();
    let again = fetching.recv().await.ok_or("taken over")?;
    again.send(Response::new("a page".into())).unwrap();
    for other in others {
        let body = other.await??.into_body().collect().await?;
        assert_eq!(body.to_bytes(), "a page");
    }
    assert!(fetching.is_empty() && FETCHES.is_empty());
    println!("proxy on tokio: 8 clients, the one that fetched cut off, 7 served, fetches: 2");
    Ok(())
}
