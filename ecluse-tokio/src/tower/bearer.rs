//! The bearer token of a `Refresher` on each request.
//!
//! Invariants:
//! - A refusal is answered by `invalidate` with the version that was refused, so that a late refusal
//!   of an older token renews nothing, and a hundred refusals of one token renew it once.
//! - A request is sent twice at most, and the second answer is passed on, whatever it is. Only the
//!   first refusal invalidates: a token that is refused right after its mint is not too old.

use core::{
    fmt,
    future::{Future, poll_fn},
    mem,
    pin::Pin,
    task::{Context, Poll},
};
use std::sync::Arc;

use ecluse_core::{
    Handle, Lock, Refresher,
    refresh::{Hear, Minted, NoValue},
    runtime::{Clock, Tally},
};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, InvalidHeaderValue},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{Cloned, Repeat};
use crate::TokioSpawn;

/// A bearer token, as it goes on a request: made ready once a mint, marked sensitive, and not shown by
/// its `Debug`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer(HeaderValue);

impl Bearer {
    /// A token as the token endpoint gave it, without the word `Bearer`.
    ///
    /// # Errors
    /// It has a character that no header may have.
    pub fn new(token: impl AsRef<str>) -> Result<Self, InvalidHeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.as_ref()))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The value of the header `Authorization`.
    #[must_use]
    pub const fn header(&self) -> &HeaderValue {
        &self.0
    }
}

/// Puts the token of a shared [`Refresher`](crate::Refresher) on each request. When it is refused, the
/// token is renewed, once for all whose requests it was on, and the request is sent once more.
///
/// - `R`, how the refresher is shared: `&'static Refresher` or `Arc<Refresher>`.
/// - `M`, the mint: asks the token endpoint. It runs as a task of the runtime in which a request is
///   made ([`get_in_background`](crate::Refresher::get_in_background)): a request that is cut off does
///   not end it, and while there is a valid token no request waits for one.
/// - `A`, which bodies can be sent again: those that are `Clone`; see [`repeat`](Self::repeat).
///
/// A refusal is a 401, or gRPC's `UNAUTHENTICATED` as an answer without a message.
///
/// ```
/// use std::time::Duration;
/// use ecluse_tokio::{Refresher, TokioTimer, refresh::{Minted, Policy}, tower::{Bearer, BearerLayer}};
/// # use http::{Request, Response};
/// # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// static TOKEN: Refresher<Bearer, &str> = Refresher::new(TokioTimer, Policy::new());
///
/// /// … asks the token endpoint …
/// async fn mint() -> Result<Minted<Bearer>, &'static str> {
///     let token = Bearer::new("secret").map_err(|_| "not a token")?;
///     Ok(Minted::expires_in(token, Duration::from_secs(3600)))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let client = service_fn(async |request: Request<String>| {
/// #     assert_eq!(request.headers()["authorization"], "Bearer secret");
/// #     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// # });
/// // `client`: hyper's, or any other service for `http::Request`.
/// let client = ServiceBuilder::new().layer(BearerLayer::new(&TOKEN, mint)).service(client);
/// # let answer = client.oneshot(Request::new(String::new())).await.unwrap();
/// # assert_eq!(answer.status(), 200);
/// # }
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing by itself"]
pub struct BearerLayer<R, M, A = Cloned> {
    refresher: R,
    mint: M,
    repeat: A,
    spawn: TokioSpawn,
    tally: Arc<Tally>,
}

impl<R, M> BearerLayer<R, M> {
    /// The token of `refresher`, minted by `mint()`'s future.
    pub fn new(refresher: R, mint: M) -> Self {
        Self {
            refresher,
            mint,
            repeat: Cloned,
            spawn: TokioSpawn::current(),
            tally: Arc::default(),
        }
    }
}

impl<R, M, A> BearerLayer<R, M, A> {
    /// Decides anew which bodies can be sent again: [`Never`](super::Never), or any
    /// `Fn(&B) -> Option<B>`. A refused request whose body cannot is not sent again, and the refusal
    /// passed on; the next request has a new token.
    pub fn repeat<N>(self, repeat: N) -> BearerLayer<R, M, N> {
        BearerLayer {
            refresher: self.refresher,
            mint: self.mint,
            repeat,
            spawn: self.spawn,
            tally: self.tally,
        }
    }

    /// Mints by this, and not on the runtime that a request is made in.
    pub fn spawn(mut self, spawn: TokioSpawn) -> Self {
        self.spawn = spawn;
        self
    }

    /// The mints that are under way: to cancel and join them when the program ends.
    pub const fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }
}

impl<R: fmt::Debug, M, A> fmt::Debug for BearerLayer<R, M, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerLayer")
            .field("refresher", &self.refresher)
            .finish_non_exhaustive()
    }
}

impl<S, R: Clone, M: Clone, A: Clone> Layer<S> for BearerLayer<R, M, A> {
    type Service = BearerService<S, R, M, A>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service below a [`BearerLayer`].
#[derive(Clone, Debug)]
pub struct BearerService<S, R, M, A = Cloned> {
    inner: S,
    layer: BearerLayer<R, M, A>,
}

impl<S, B, Q, R, M, F, A, E, C, L, O> Service<Request<B>> for BearerService<S, R, M, A>
where
    S: Service<Request<B>, Response = Response<Q>, Future: Send> + Clone + Send + 'static,
    B: Send + 'static,
    A: Repeat<B>,
    R: Handle<Target = Refresher<Bearer, E, C, L, O>> + Send + Sync + 'static,
    M: Fn() -> F + Clone + Send + 'static,
    F: Future<Output = Result<Minted<Bearer>, E>> + Send + 'static,
    E: Clone + Send + 'static,
    C: Clock<Instant: Send + Sync> + Send + Sync + 'static,
    L: Lock + Send + Sync + 'static,
    O: Hear + Send + Sync + 'static,
{
    type Response = Response<Q>;
    type Error = BearerError<E, S::Error>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(BearerError::Service)
    }

    /// # Cancellation
    /// Safe at every point: a mint that this request began goes on, for the others.
    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that is ready is the one that is called.
        let other = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, other);
        let BearerLayer {
            refresher,
            mint,
            repeat,
            spawn,
            tally,
        } = &self.layer;
        let again = repeat.copy(request.body()).map(|body| {
            let mut again = Request::new(body);
            *again.method_mut() = request.method().clone();
            *again.uri_mut() = request.uri().clone();
            *again.version_mut() = request.version();
            *again.headers_mut() = request.headers().clone();
            *again.extensions_mut() = request.extensions().clone();
            again
        });
        let (refresher, mint) = (refresher.clone(), mint.clone());
        let (spawn, tally) = (spawn.clone(), Arc::clone(tally));
        let shared = refresher.clone();
        let token = move || {
            let (refresher, mint) = (shared.clone(), mint.clone());
            let (spawn, tally) = (spawn.clone(), Arc::clone(&tally));
            async move {
                let token = Refresher::get_in_background(&refresher, spawn, tally, mint);
                token.await.map_err(BearerError::NoToken)
            }
        };
        Box::pin(async move {
            let bearer = token().await?;
            authorize(&mut request, bearer.value);
            let mut again = {
                let response = inner.call(request).await.map_err(BearerError::Service)?;
                let refused = is_refusal(&response);
                if refused {
                    refresher.invalidate(bearer.version);
                }
                match again {
                    // The answer goes first: its connection is wanted again.
                    Some(again) if refused => again,
                    _ => return Ok(response),
                }
            };
            let bearer = token().await?;
            authorize(&mut again, bearer.value);
            poll_fn(|cx| inner.poll_ready(cx))
                .await
                .map_err(BearerError::Service)?;
            inner.call(again).await.map_err(BearerError::Service)
        })
    }
}

fn authorize<B>(request: &mut Request<B>, bearer: Bearer) {
    request.headers_mut().insert(AUTHORIZATION, bearer.0);
}

fn is_refusal<Q>(response: &Response<Q>) -> bool {
    /// In the head only where there is no message.
    const UNAUTHENTICATED: &[u8] = b"16";
    let grpc = response.headers().get("grpc-status");
    response.status() == StatusCode::UNAUTHORIZED
        || grpc.is_some_and(|status| status.as_bytes() == UNAUTHENTICATED)
}

/// Why there is no answer to an authorized request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError<E, S> {
    /// There is no valid token. The request was not sent, or was refused with the one before.
    NoToken(NoValue<E>),
    /// What the service below said.
    Service(S),
}

impl<E: fmt::Display, S: fmt::Display> fmt::Display for BearerError<E, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoToken(why) => write!(f, "no bearer token: {why}"),
            Self::Service(error) => error.fmt(f),
        }
    }
}

impl<E, S> core::error::Error for BearerError<E, S>
where
    E: core::error::Error + 'static,
    S: core::error::Error + 'static,
{
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NoToken(why) => Some(why),
            // It is shown as that error, so what is below is that error's.
            Self::Service(error) => error.source(),
        }
    }
}
