//! The proxy: an HTTP server that answers from its cache, or else by a way of coalescing. What the ways
//! have in common is here, so that they differ in nothing but how they coalesce.
//!
//! A request whose client is cut off is dropped where it is: so do hyper and what is built on it.

use std::{future::Future, io, net::SocketAddr, sync::Arc};

use http_body_util::BodyExt;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
};
use hyper_util::client::legacy::Client;

use super::books::{Books, Document};
use crate::{
    args::Args,
    http::{self, Body, Connector, Handle},
    load::Failed,
    report::Way,
    runtime::{Runtime, Tasks},
    timeline::{Doing, Open, Timeline},
};

/// The header by which the proxy tells its clients apart, for the timeline.
pub(crate) const CLIENT: &str = "x-client";

/// A page, or why there is none. Shared with all who ask for it.
pub(crate) type Page = Result<Bytes, Failed>;

/// A way to let one request fetch for all who want the same.
pub(crate) trait Coalesce: Default + Send + Sync + 'static {
    /// What the report says of it.
    const WAY: Way;

    /// The page of `call`, which the cache had not when it was asked.
    fn page<R: Runtime>(&self, call: &Call<R>) -> impl Future<Output = Page> + Send;

    /// How many documents it has on its list.
    fn entries(&self) -> usize;
}

/// What all requests of a run share.
#[derive(Debug)]
pub(crate) struct Route<R> {
    pub(crate) upstream: SocketAddr,
    pub(crate) http: Client<Connector<R>, Body>,
    pub(crate) books: Arc<Books>,
    pub(crate) timeline: Arc<Timeline>,
}

/// One request to the proxy.
#[derive(Debug)]
pub(crate) struct Call<R> {
    pub(crate) document: Document,
    client: u32,
    route: Arc<Route<R>>,
}

impl<R: Runtime> Call<R> {
    /// From the cache.
    pub(crate) fn copy(&self) -> Option<Bytes> {
        self.route.books.copy(self.document)
    }

    /// Into the cache.
    pub(crate) fn keep(&self, page: &Page) {
        if let Ok(page) = page {
            self.route.books.keep(self.document, page);
        }
    }

    /// From upstream.
    pub(crate) async fn fetch(&self, doing: Doing) -> Page {
        let open = self.begin(doing);
        let fetch = self.route.books.fetch(self.document);
        let uri = format!("http://{}/{}", self.route.upstream, self.document);
        let request = Request::builder().uri(uri).body(Body::default())?;
        let response = self.route.http.request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(Failed::Transport);
        }
        let page = response.into_body().collect().await?.to_bytes();
        fetch.arrived();
        open.end();
        Ok(page)
    }

    /// From here on this request's client has that done for it.
    pub(crate) fn begin(&self, doing: Doing) -> Open {
        let timeline = &self.route.timeline;
        timeline.begin(self.client, doing, self.document)
    }
}

struct Proxy<R, C> {
    coalescing: Arc<C>,
    clients: u32,
    documents: u32,
    route: Arc<Route<R>>,
}

impl<R, C> Clone for Proxy<R, C> {
    fn clone(&self) -> Self {
        Self {
            coalescing: Arc::clone(&self.coalescing),
            clients: self.clients,
            documents: self.documents,
            route: Arc::clone(&self.route),
        }
    }
}

pub(crate) fn start<R: Runtime>(
    tasks: &Tasks<R>,
    args: &Args,
    coalescing: &Arc<impl Coalesce>,
    route: Arc<Route<R>>,
) -> io::Result<SocketAddr> {
    let proxy = Proxy {
        coalescing: Arc::clone(coalescing),
        clients: args.clients,
        documents: args.documents,
        route,
    };
    http::serve(tasks, proxy)
}

impl<R: Runtime, C: Coalesce> Handle for Proxy<R, C> {
    async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let Some(call) = self.call(&request) else {
            return answer(StatusCode::NOT_FOUND, Bytes::new());
        };
        let page = match call.copy() {
            Some(page) => {
                call.begin(Doing::Requesting).end();
                Ok(page)
            }
            None => self.coalescing.page(&call).await,
        };
        match page {
            Ok(page) => answer(StatusCode::OK, page),
            Err(_) => answer(StatusCode::BAD_GATEWAY, Bytes::new()),
        }
    }
}

impl<R: Runtime, C> Proxy<R, C> {
    fn call(&self, request: &Request<Incoming>) -> Option<Call<R>> {
        let document = request.uri().path().strip_prefix('/')?.parse().ok()?;
        let client = request.headers().get(CLIENT)?.to_str().ok()?.parse().ok()?;
        (document < self.documents && client < self.clients).then(|| Call {
            document,
            client,
            route: Arc::clone(&self.route),
        })
    }
}

fn answer(status: StatusCode, page: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::new(page));
    *response.status_mut() = status;
    response
}
