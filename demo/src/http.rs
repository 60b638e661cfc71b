//! HTTP/1.1 by hyper over the TCP of whichever runtime: a server and a pooled client.

use std::{
    convert::Infallible,
    future::Future,
    io,
    marker::PhantomData,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    pin::Pin,
    task::{Context, Poll},
};

use http_body_util::Full;
use hyper::{
    Request, Response, Uri,
    body::{Bytes, Incoming},
    rt::{Read, ReadBufCursor, Write},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::client::legacy::{
    Client,
    connect::{Connected, Connection},
};
use tower_service::Service;

use crate::runtime::{Runtime, Tasks};

/// A body that is there at once.
pub(crate) type Body = Full<Bytes>;

/// More connections than this wait only where the system allows it.
const BACKLOG: i32 = 16_384;

/// What a server does with a request.
pub(crate) trait Handle: Clone + Send + Sync + 'static {
    fn handle(self, request: Request<Incoming>) -> impl Future<Output = Response<Body>> + Send;
}

/// A socket on a free port of the loopback, and its address. It does not block.
pub(crate) fn listener() -> io::Result<(TcpListener, SocketAddr)> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    // All clients may come at once.
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves on a free port of the loopback, until the tasks are ended.
pub(crate) fn serve<R: Runtime>(tasks: &Tasks<R>, handler: impl Handle) -> io::Result<SocketAddr> {
    let (listener, address) = listener()?;
    let connections = tasks.clone();
    tasks.spawn(async move {
        // Made here: some runtimes want to be running.
        let Ok(listener) = R::listen(listener) else {
            return;
        };
        loop {
            // A connection that was lost before it was accepted is none.
            let Ok(stream) = R::accept(&listener).await else {
                continue;
            };
            let handler = handler.clone();
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let handler = handler.clone();
                    async move { Ok::<_, Infallible>(handler.handle(request).await) }
                });
                // An error is a client that has gone: that is what the demo is about.
                let _ = http1::Builder::new()
                    .serve_connection(stream, service)
                    .await;
            });
        }
    });
    Ok(address)
}

/// A client whose connections are kept for the next request, except those that were cut off.
pub(crate) fn client<R: Runtime>(tasks: &Tasks<R>) -> Client<Connector<R>, Body> {
    Client::builder(tasks.clone()).build(Connector(PhantomData))
}

/// Connects by TCP of the runtime; the authority is an address.
#[derive(Debug)]
pub(crate) struct Connector<R>(PhantomData<fn() -> R>);

impl<R> Clone for Connector<R> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<R: Runtime> Service<Uri> for Connector<R> {
    type Response = Wire<R::Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(async move {
            let address = uri
                .authority()
                .and_then(|authority| authority.as_str().parse().ok())
                .ok_or(io::ErrorKind::InvalidInput)?;
            R::connect(address).await.map(Wire)
        })
    }
}

/// A stream that can tell hyper's client about itself: there is nothing to tell.
#[derive(Debug)]
pub(crate) struct Wire<S>(S);

impl<S> Connection for Wire<S> {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl<S: Read + Unpin> Read for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: Write + Unpin> Write for Wire<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
