//! One client's calls over HTTP. What the ways of renewal have in common is here, so that they differ
//! in nothing but how they renew.

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper::{
    Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
    http::request,
};
use hyper_util::client::legacy::Client;

use super::{
    endpoint::{ATTEMPT, REFRESH},
    ledger::{Grant, Ledger, SIGNED_OUT},
};
use crate::{
    http::{Body, Connector},
    load::Failed,
    report::Way,
    runtime::Runtime,
    timeline::{Doing, Open, Timeline},
};

/// How often a request is made again after a refusal before it counts as failed.
const ATTEMPTS: usize = 8;

/// A way to renew the grant that all clients share.
pub(crate) trait Renew: Send + Sync + 'static {
    /// What the report says of it.
    const WAY: Way;
    /// What is remembered with a grant, for when it is refused.
    type Seen: Send;

    /// With the grant that the clients start with, and how long one is good.
    fn new(first: Grant, life: Duration) -> Self;

    /// The grant for a request.
    fn token<R: Runtime>(
        &self,
        call: &Call<R>,
    ) -> impl Future<Output = Result<(Grant, Self::Seen), Failed>> + Send;

    /// `refused` was refused: returns when there may be another.
    fn renew<R: Runtime>(
        &self,
        call: &Call<R>,
        refused: Grant,
        seen: Self::Seen,
    ) -> impl Future<Output = Result<(), Failed>> + Send;

    /// From when to when its breaker was not closed, if it has one.
    fn opened(&self) -> Option<Vec<(Duration, Duration)>> {
        None
    }
}

/// What all clients of a run share.
#[derive(Debug)]
pub(crate) struct Route<R> {
    pub(crate) address: SocketAddr,
    pub(crate) http: Client<Connector<R>, Body>,
    pub(crate) ledger: Arc<Ledger>,
    /// How long a grant is good, as the endpoint says.
    pub(crate) life: Duration,
    pub(crate) timeline: Arc<Timeline>,
}

/// One client's way to the service.
#[derive(Debug)]
pub(crate) struct Call<R> {
    pub(crate) client: u32,
    pub(crate) route: Arc<Route<R>>,
}

impl<R: Runtime> Call<R> {
    /// One request with the shared grant, made again when that was renewed.
    pub(crate) async fn request(&self, renewal: &impl Renew) -> Result<(), Failed> {
        for _ in 0..ATTEMPTS {
            let (grant, seen) = renewal.token(self).await?;
            let open = self.begin(Doing::Requesting);
            let status = self.get(grant).await?;
            open.end();
            match status {
                StatusCode::OK => return Ok(()),
                StatusCode::UNAUTHORIZED => renewal.renew(self, grant, seen).await?,
                _ => return Err(Failed::Transport),
            }
        }
        Err(Failed::Refused)
    }

    async fn get(&self, grant: Grant) -> Result<StatusCode, Failed> {
        let request = self
            .http(Method::GET, "/data")
            .header(AUTHORIZATION, format!("Bearer {grant}"))
            .body(Body::default())?;
        let response = self.route.http.request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }

    /// A new grant. `current` is the one that the clients have.
    pub(crate) async fn mint(&self, doing: Doing, current: Grant) -> Result<Grant, Failed> {
        let open = self.begin(doing);
        let attempt = self.route.ledger.attempt(current);
        let request = if current == SIGNED_OUT {
            self.http(Method::POST, "/login").body(Body::default())
        } else {
            self.http(Method::POST, "/token")
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(format!("{REFRESH}{current}").into())
        };
        let mut request = request?;
        request.headers_mut().insert(ATTEMPT, attempt.number.into());
        let response = self.route.http.request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        open.end();
        match status {
            StatusCode::OK => {
                let grant = std::str::from_utf8(&body)?.parse()?;
                attempt.arrived();
                Ok(grant)
            }
            StatusCode::BAD_REQUEST => Err(Failed::SignedOut),
            StatusCode::SERVICE_UNAVAILABLE => Err(Failed::Down),
            _ => Err(Failed::Transport),
        }
    }

    /// From here on this client does that.
    pub(crate) fn begin(&self, doing: Doing) -> Open {
        self.route.timeline.begin(self.client, doing, 0)
    }

    fn http(&self, method: Method, path: &str) -> request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.route.address))
    }
}
