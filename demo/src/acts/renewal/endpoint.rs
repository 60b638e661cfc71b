//! The HTTP service: `GET /data` wants a valid bearer token; `POST /token` gives a new one for a
//! refresh token that was never used, `POST /login` for a sign-in, which takes longer.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http_body_util::{BodyExt, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, HeaderMap},
};

use super::ledger::{Grant, InvalidGrant, Ledger, SIGNED_OUT};
use crate::{
    args::Args,
    http::{self, Body, Handle},
    runtime::{Runtime, Tasks},
};

/// The header by which the referee knows an attempt again.
pub(crate) const ATTEMPT: &str = "x-attempt";

/// What stands before the refresh token in a body.
pub(crate) const REFRESH: &str = "grant_type=refresh_token&refresh_token=";

/// A sign-in takes so many times as long as a mint.
const SIGN_IN: u32 = 3;
/// `/data` takes a random time from here …
const WORK_FROM_MS: u64 = 20;
/// … to here.
const WORK_TO_MS: u64 = 80;

struct Endpoint<R> {
    ledger: Arc<Ledger>,
    mint: Duration,
    random: Arc<Mutex<fastrand::Rng>>,
    tasks: Tasks<R>,
}

impl<R: Runtime> Clone for Endpoint<R> {
    fn clone(&self) -> Self {
        Self {
            ledger: Arc::clone(&self.ledger),
            mint: self.mint,
            random: Arc::clone(&self.random),
            tasks: self.tasks.clone(),
        }
    }
}

/// Starts the service, and what revokes its tokens now and then.
pub(crate) fn start<R: Runtime>(
    tasks: &Tasks<R>,
    args: &Args,
    ledger: &Arc<Ledger>,
) -> io::Result<SocketAddr> {
    let endpoint = Endpoint {
        ledger: Arc::clone(ledger),
        mint: Duration::from_millis(args.mint_ms),
        random: Arc::new(Mutex::new(fastrand::Rng::with_seed(args.seed))),
        tasks: tasks.clone(),
    };
    let revoker = endpoint.clone();
    let life = args.token_ms;
    tasks.spawn(async move {
        loop {
            // While it is in use, at a moment that nobody expects.
            R::sleep(Duration::from_millis(revoker.random(life / 2, life * 3))).await;
            // While tokens cannot be had, rights are not changed.
            if !revoker.ledger.is_down_soon() {
                revoker.ledger.revoke_latest();
            }
        }
    });
    http::serve(tasks, endpoint)
}

impl<R: Runtime> Handle for Endpoint<R> {
    async fn handle(self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/data" => self.data(&head.headers).await,
            "/token" | "/login" if self.ledger.is_down() => {
                self.ledger.turned_away();
                answer(StatusCode::SERVICE_UNAVAILABLE, "")
            }
            path @ ("/token" | "/login") => {
                let sign_in = path == "/login";
                let minted = match number(&head.headers) {
                    Some(attempt) if sign_in => self.mint(SIGNED_OUT, attempt, SIGN_IN).await,
                    Some(attempt) => match refresh_token(body).await {
                        Some(grant) => self.mint(grant, attempt, 1).await,
                        None => return answer(StatusCode::BAD_REQUEST, "invalid_request"),
                    },
                    None => return answer(StatusCode::BAD_REQUEST, "invalid_request"),
                };
                match minted {
                    Ok(grant) => answer(StatusCode::OK, grant.to_string()),
                    Err(InvalidGrant) => answer(StatusCode::BAD_REQUEST, "invalid_grant"),
                }
            }
            _ => answer(StatusCode::NOT_FOUND, ""),
        }
    }
}

impl<R: Runtime> Endpoint<R> {
    async fn data(&self, headers: &HeaderMap) -> Response<Body> {
        // The work takes its time; a token that was valid at its beginning will do.
        let token = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Bearer ")?.parse().ok());
        if !token.is_some_and(|token| self.ledger.accepts(token)) {
            return answer(StatusCode::UNAUTHORIZED, "");
        }
        R::sleep(Duration::from_millis(self.random(WORK_FROM_MS, WORK_TO_MS))).await;
        answer(StatusCode::OK, "data")
    }

    async fn mint(&self, used: Grant, attempt: u64, times: u32) -> Result<Grant, InvalidGrant> {
        let mint = self.ledger.mint(used, attempt)?;
        R::sleep(self.mint * times).await;
        mint.answer()
    }

    fn random(&self, from: u64, to: u64) -> u64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.u64(from..=to)
    }
}

fn answer(status: StatusCode, text: impl Into<hyper::body::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::new(text.into()));
    *response.status_mut() = status;
    response
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(ATTEMPT)?.to_str().ok()?.parse().ok()
}

async fn refresh_token(body: Incoming) -> Option<Grant> {
    let body = Limited::new(body, 256).collect().await.ok()?.to_bytes();
    std::str::from_utf8(&body)
        .ok()?
        .strip_prefix(REFRESH)?
        .parse()
        .ok()
}
