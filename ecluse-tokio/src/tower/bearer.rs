//! The bearer token of a `Refresher` on each request.
//!
//! Invariants:
//! - A refusal is answered by `invalidate` with the version that was refused, so that a late refusal
//!   of an older token renews nothing, and a hundred refusals of one token renew it once.
//! - A request is sent twice at most, and the second answer is passed on, whatever it is. Only the
//!   first refusal invalidates: a token that is refused right after its mint is not too old.

use core::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::sync::Arc;

use ecluse_core::{
    Handle, Lock, Refresher,
    refresh::{Current, Hear, Minted, NoValue, Version},
    runtime::{Clock, Tally},
};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{AUTHORIZATION, InvalidHeaderValue},
};
use pin_project_lite::pin_project;
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

/// A refresher and its mint, whatever their types, and where mints run.
///
/// No type of these parts is a parameter of the service, and none of its bounds is `'static`: within an
/// `async` block the compiler forgets that a `&'static` is, and the block would not be `Send`.
struct Minting<E> {
    source: Arc<dyn Source<E>>,
    spawn: TokioSpawn,
    tally: Arc<Tally>,
}

impl<E> Minting<E> {
    fn token(&self) -> Token<E> {
        let (spawn, tally) = (self.spawn.clone(), Arc::clone(&self.tally));
        Arc::clone(&self.source).token(spawn, tally)
    }
}

impl<E> Clone for Minting<E> {
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            spawn: self.spawn.clone(),
            tally: Arc::clone(&self.tally),
        }
    }
}

trait Source<E>: Send + Sync {
    fn token(self: Arc<Self>, spawn: TokioSpawn, tally: Arc<Tally>) -> Token<E>;

    fn refused(&self, seen: Version);
}

type Token<E> = Pin<Box<dyn Future<Output = Result<Current<Bearer>, NoValue<E>>> + Send>>;

struct Shared<R, M> {
    refresher: R,
    mint: M,
}

impl<R, M, F, E, C, L, O> Source<E> for Shared<R, M>
where
    R: Handle<Target = Refresher<Bearer, E, C, L, O>> + Send + Sync + 'static,
    M: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<Minted<Bearer>, E>> + Send + 'static,
    E: Clone + Send + 'static,
    C: Clock<Instant: Send + Sync> + Send + Sync + 'static,
    L: Lock + Send + Sync + 'static,
    O: Hear + Send + Sync + 'static,
{
    fn token(self: Arc<Self>, spawn: TokioSpawn, tally: Arc<Tally>) -> Token<E> {
        Box::pin(async move {
            let shared = Arc::clone(&self);
            let mint = move || (shared.mint)();
            Refresher::get_in_background(&self.refresher, spawn, tally, mint).await
        })
    }

    fn refused(&self, seen: Version) {
        self.refresher.invalidate(seen);
    }
}

/// Puts the token of a shared [`Refresher`](crate::Refresher) on each request. When it is refused, the
/// token is renewed, once for all whose requests it was on, and the request is sent once more.
///
/// - `E`, the mint's error. It is `Clone`, as all who wait for a mint are told: a type of your own, or
///   `Arc<dyn Error + Send + Sync>`.
/// - `A`, which bodies can be sent again: those that are `Clone`; see [`repeat`](Self::repeat).
///
/// The mint runs as a task of the runtime in which a request is made
/// ([`get_in_background`](crate::Refresher::get_in_background)): a request that is cut off does not
/// end it, and while there is a valid token no request waits for one.
///
/// A refusal is a 401, or gRPC's `UNAUTHENTICATED` as an answer without a message. An `Authorization`
/// that a request has is replaced.
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
#[must_use = "a layer does nothing by itself"]
pub struct BearerLayer<E, A = Cloned> {
    minting: Minting<E>,
    repeat: A,
}

impl<E> BearerLayer<E> {
    /// The token of `refresher` (`&'static`, or `Arc`), minted by `mint()`'s future, which asks the
    /// token endpoint.
    pub fn new<R, M, F, C, L, O>(refresher: R, mint: M) -> Self
    where
        R: Handle<Target = Refresher<Bearer, E, C, L, O>> + Send + Sync + 'static,
        M: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<Minted<Bearer>, E>> + Send + 'static,
        E: Clone + Send + 'static,
        C: Clock<Instant: Send + Sync> + Send + Sync + 'static,
        L: Lock + Send + Sync + 'static,
        O: Hear + Send + Sync + 'static,
    {
        Self {
            minting: Minting {
                source: Arc::new(Shared { refresher, mint }),
                spawn: TokioSpawn::current(),
                tally: Arc::default(),
            },
            repeat: Cloned,
        }
    }
}

impl<E, A> BearerLayer<E, A> {
    /// Decides anew which bodies can be sent again: [`Never`](super::Never), or any
    /// `Fn(&B) -> Option<B>`. A refused request whose body cannot is not sent again, and the refusal
    /// passed on; the next request has a new token.
    pub fn repeat<N>(self, repeat: N) -> BearerLayer<E, N> {
        BearerLayer {
            minting: self.minting,
            repeat,
        }
    }

    /// Mints by this, and not on the runtime that a request is made in.
    pub fn spawn(mut self, spawn: TokioSpawn) -> Self {
        self.minting.spawn = spawn;
        self
    }

    /// The mints that are under way: to cancel and join them when the program ends.
    pub const fn tally(&self) -> &Arc<Tally> {
        &self.minting.tally
    }
}

impl<E, A: Clone> Clone for BearerLayer<E, A> {
    fn clone(&self) -> Self {
        Self {
            minting: self.minting.clone(),
            repeat: self.repeat.clone(),
        }
    }
}

impl<E, A> fmt::Debug for BearerLayer<E, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerLayer")
            .field("spawn", &self.minting.spawn)
            .field("tally", &self.minting.tally)
            .finish_non_exhaustive()
    }
}

impl<S, E, A: Clone> Layer<S> for BearerLayer<E, A> {
    type Service = BearerService<S, E, A>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service below a [`BearerLayer`].
#[derive(Debug)]
pub struct BearerService<S, E, A = Cloned> {
    inner: S,
    layer: BearerLayer<E, A>,
}

impl<S: Clone, E, A: Clone> Clone for BearerService<S, E, A> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            layer: self.layer.clone(),
        }
    }
}

impl<S, B, Q, E, A> Service<Request<B>> for BearerService<S, E, A>
where
    S: Service<Request<B>, Response = Response<Q>> + Clone,
    A: Repeat<B>,
{
    type Response = Response<Q>;
    type Error = BearerError<E, S::Error>;
    type Future = Authorized<S, B, E>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(BearerError::Service)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let again = self.layer.repeat.copy(request.body()).map(|body| {
            let mut again = Request::new(body);
            *again.method_mut() = request.method().clone();
            *again.uri_mut() = request.uri().clone();
            *again.version_mut() = request.version();
            *again.headers_mut() = request.headers().clone();
            *again.extensions_mut() = request.extensions().clone();
            again
        });
        // The one that is ready is the one that is called.
        let other = self.inner.clone();
        let minting = self.layer.minting.clone();
        Authorized {
            step: Step::Asking {
                token: minting.token(),
            },
            service: mem::replace(&mut self.inner, other),
            minting,
            request: Some(request),
            again: Some(again),
            version: None,
        }
    }
}

pin_project! {
    #[project = StepPinned]
    enum Step<F, E> {
        Asking { token: Token<E> },
        Readying,
        Sent { #[pin] response: F },
    }
}

pin_project! {
    /// A request on its way, with a token on it: it waits for that, then for the answer, and, if that
    /// is a refusal, does so once more.
    ///
    /// # Cancellation
    /// Safe at every point: a mint that this request began goes on, for the others.
    #[must_use = "nothing is sent unless it is awaited"]
    pub struct Authorized<S, B, E>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        step: Step<S::Future, E>,
        service: S,
        minting: Minting<E>,
        // What is sent next.
        request: Option<Request<B>>,
        // Until the first answer is there: what is sent if it is a refusal, if anything can be.
        again: Option<Option<Request<B>>>,
        // Of the token that was sent last.
        version: Option<Version>,
    }
}

impl<S, B, Q, E> Future for Authorized<S, B, E>
where
    S: Service<Request<B>, Response = Response<Q>>,
{
    type Output = Result<Response<Q>, BearerError<E, S::Error>>;

    /// # Panics
    /// If it is polled after its end.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.step.as_mut().project() {
                StepPinned::Asking { token } => {
                    let bearer = ready!(token.as_mut().poll(cx)).map_err(BearerError::NoToken)?;
                    *this.version = Some(bearer.version);
                    if let Some(request) = this.request {
                        let Bearer(value) = bearer.value;
                        request.headers_mut().insert(AUTHORIZATION, value);
                    }
                    this.step.set(Step::Readying);
                }
                StepPinned::Readying => {
                    ready!(this.service.poll_ready(cx)).map_err(BearerError::Service)?;
                    let request = this.request.take().expect("polled after its end");
                    let response = this.service.call(request);
                    this.step.set(Step::Sent { response });
                }
                StepPinned::Sent { response } => {
                    let response = ready!(response.poll(cx)).map_err(BearerError::Service);
                    this.step.set(Step::Readying);
                    let response = response?;
                    let first = this.again.take().filter(|_| is_refusal(&response));
                    let (Some(again), Some(seen)) = (first, *this.version) else {
                        return Poll::Ready(Ok(response));
                    };
                    this.minting.source.refused(seen);
                    if again.is_none() {
                        return Poll::Ready(Ok(response));
                    }
                    *this.request = again;
                    let token = this.minting.token();
                    this.step.set(Step::Asking { token });
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B, E> fmt::Debug for Authorized<S, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorized")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
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
