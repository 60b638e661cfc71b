//! One client's calls over HTTP. What the renewals have in common is here, so that they differ in
//! nothing but how they renew.

use std::{future::Future, net::SocketAddr, sync::Arc};

use axum::{
    body::Bytes,
    http::{Method, Request, StatusCode, header::AUTHORIZATION},
};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::{
    ledger::{Ledger, Token},
    service::ATTEMPT,
    timeline::{Doing, Open, Timeline},
};

/// How often a request is made again after a refusal before it counts as failed.
const ATTEMPTS: usize = 8;

/// A way to renew the token that all clients share.
pub(crate) trait Renewal: Default + Send + Sync + 'static {
    /// What it is called in the report.
    const NAME: &str;
    /// What is remembered with a token, for when it is refused.
    type Seen: Send;

    /// The present token.
    fn current(&self) -> (Token, Self::Seen);

    /// `refused` was refused: returns when there may be another.
    fn renew(
        &self,
        call: &Call,
        refused: Token,
        seen: Self::Seen,
    ) -> impl Future<Output = Result<(), Failed>> + Send;
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Refused again and again: each token had expired when it was looked at.
    Refused,
    /// Something else: no connection, another answer.
    Otherwise,
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(_: E) -> Self {
        Self::Otherwise
    }
}

/// What all clients of a run share.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) address: SocketAddr,
    pub(crate) http: Client<HttpConnector, Empty<Bytes>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) timeline: Arc<Timeline>,
}

impl Route {
    pub(crate) fn new(address: SocketAddr, ledger: Arc<Ledger>) -> Self {
        Self {
            address,
            http: Client::builder(TokioExecutor::new()).build_http(),
            ledger,
            timeline: Arc::new(Timeline::new()),
        }
    }
}

/// One client's way to the service.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) client: u32,
    pub(crate) route: Arc<Route>,
}

impl Call {
    /// One request with the shared token, made again when that was renewed.
    pub(crate) async fn request<R: Renewal>(&self, renewal: &R) -> Result<(), Failed> {
        for _ in 0..ATTEMPTS {
            let (token, seen) = renewal.current();
            let open = self.begin(Doing::Requesting);
            let status = self.get(token).await?;
            open.end();
            match status {
                StatusCode::OK => return Ok(()),
                StatusCode::UNAUTHORIZED => renewal.renew(self, token, seen).await?,
                _ => return Err(Failed::Otherwise),
            }
        }
        Err(Failed::Refused)
    }

    async fn get(&self, token: Token) -> Result<StatusCode, Failed> {
        let request = self
            .http(Method::GET, "/data")
            .header(AUTHORIZATION, format!("Bearer {token}"))
            .body(Empty::new())?;
        let response = self.route.http.request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }

    /// A new token. `current` is the one that the clients have.
    pub(crate) async fn mint(&self, doing: Doing, current: Token) -> Result<Token, Failed> {
        let open = self.begin(doing);
        let attempt = self.route.ledger.attempt(current);
        let request = self
            .http(Method::POST, "/token")
            .header(ATTEMPT, attempt.number)
            .body(Empty::new())?;
        let response = self.route.http.request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(Failed::Otherwise);
        }
        let body = response.into_body().collect().await?.to_bytes();
        let token = std::str::from_utf8(&body)?.parse()?;
        open.end();
        Ok(token)
    }

    /// From here on this client does that.
    pub(crate) fn begin(&self, doing: Doing) -> Open {
        self.route.timeline.begin(self.client, doing)
    }

    fn http(&self, method: Method, path: &str) -> axum::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.route.address))
    }
}
