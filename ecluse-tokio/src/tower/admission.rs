//! Load shedding by an `Admission`.
//!
//! Invariant: a request has its permit from its admission until its answer is there, or until its
//! future is dropped; the service's future goes first.

use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use ecluse_core::{
    Admission, Permit,
    admission::{Acquiring, AdmissionRef, ToPermit},
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::{AsAnswer, AsError, Shed, Tell};
use crate::{Deadline, WaitExt};

/// How much of the capacity a request takes: any `Fn(&Request) -> usize`, or [`One`].
pub trait Weigh<Q> {
    /// The weight. A request of weight 0 passes without a permit.
    fn weigh(&self, request: &Q) -> usize;
}

/// Each request takes one permit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct One;

impl<Q> Weigh<Q> for One {
    fn weigh(&self, _: &Q) -> usize {
        1
    }
}

impl<Q, F: Fn(&Q) -> usize> Weigh<Q> for F {
    fn weigh(&self, request: &Q) -> usize {
        self(request)
    }
}

/// Sheds load: a request is served with a permit of a shared [`Admission`], waits for one in order
/// while there is room to wait, and is refused at once otherwise.
///
/// - `R`, how the admission is shared: `&'static Admission` or `Arc<Admission>`.
/// - `W`, how much a request weighs: see [`weigh`](Self::weigh).
/// - `T`, how a refusal is told: as an error that knows its status ([`Shed::status`]), or
///   [`as_answer`](Self::as_answer).
///
/// ```
/// use std::time::Duration;
/// use ecluse_tokio::{Admission, tower::AdmissionLayer};
/// # use http::{Request, Response};
/// # use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
///
/// /// Two hundred requests at a time, and fifty that wait for their turn.
/// static LOAD: Admission = Admission::new(200, 50);
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let service = service_fn(async |_: Request<String>| {
/// #     Ok::<_, std::convert::Infallible>(Response::new(String::new()))
/// # });
/// // `service`: any; with an answer of 503 it is one of `http`.
/// let shed = AdmissionLayer::new(&LOAD).within(Duration::from_millis(100)).as_answer();
/// let service = ServiceBuilder::new().layer(shed).service(service);
/// # let answer = service.clone().oneshot(Request::new(String::new())).await.unwrap();
/// # assert_eq!((answer.status().as_u16(), LOAD.available()), (200, 200));
/// # LOAD.close();
/// # assert_eq!(service.oneshot(Request::new(String::new())).await.unwrap().status(), 503);
/// # }
/// ```
#[derive(Clone, Copy)]
#[must_use = "a layer does nothing by itself"]
pub struct AdmissionLayer<R, W = One, T = AsError> {
    admission: R,
    weigh: W,
    budget: Option<Duration>,
    tell: T,
}

impl<R> AdmissionLayer<R> {
    /// Permits of `admission`, one for each request; who waits, waits as long as it takes.
    pub const fn new(admission: R) -> Self {
        Self {
            admission,
            weigh: One,
            budget: None,
            tell: AsError,
        }
    }
}

impl<R, W, T> AdmissionLayer<R, W, T> {
    /// No request waits longer than this, which is then refused.
    pub const fn within(mut self, budget: Duration) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Weighs requests by this.
    pub fn weigh<N>(self, weigh: N) -> AdmissionLayer<R, N, T> {
        AdmissionLayer {
            admission: self.admission,
            weigh,
            budget: self.budget,
            tell: self.tell,
        }
    }

    /// Tells a refusal by an answer of HTTP without a body, not by an error.
    pub fn as_answer(self) -> AdmissionLayer<R, W, AsAnswer> {
        AdmissionLayer {
            admission: self.admission,
            weigh: self.weigh,
            budget: self.budget,
            tell: AsAnswer,
        }
    }
}

impl<R: fmt::Debug, W, T> fmt::Debug for AdmissionLayer<R, W, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdmissionLayer")
            .field("admission", &self.admission)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl<S, R: Clone, W: Clone, T: Clone> Layer<S> for AdmissionLayer<R, W, T> {
    type Service = AdmissionService<S, R, W, T>;

    fn layer(&self, inner: S) -> Self::Service {
        AdmissionService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service below an [`AdmissionLayer`]. It is always ready, so that nobody waits where nobody counts;
/// the service below is made ready for each request that was admitted.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionService<S, R, W = One, T = AsError> {
    inner: S,
    layer: AdmissionLayer<R, W, T>,
}

impl<S, Q, R, W, T> Service<Q> for AdmissionService<S, R, W, T>
where
    S: Service<Q> + Clone,
    R: AdmissionRef,
    W: Weigh<Q>,
    T: Tell<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = T::Error;
    type Future = Admitting<S, Q, R, T>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Q) -> Self::Future {
        let AdmissionLayer {
            admission,
            weigh,
            budget,
            ..
        } = &self.layer;
        let weight = weigh.weigh(&request);
        let acquire =
            || Admission::<R::Policy, R::Lock, R::Observer>::acquire_owned(admission, weight);
        Admitting {
            step: match budget {
                _ if weight == 0 => Step::Readying,
                Some(budget) => Step::Bounded {
                    wait: acquire().within(*budget),
                },
                None => Step::Waiting { wait: acquire() },
            },
            service: self.inner.clone(),
            request: Some(request),
            permit: None,
            tell: core::marker::PhantomData,
        }
    }
}

pin_project! {
    #[project = StepPinned]
    enum Step<F, R>
    where
        R: AdmissionRef,
    {
        Waiting { #[pin] wait: Acquiring<R> },
        Bounded { #[pin] wait: Deadline<ToPermit<R>> },
        Readying,
        Serving { #[pin] serving: F },
    }
}

pin_project! {
    /// A request on its way: it waits for its permit, then for the service, then for the answer.
    ///
    /// # Cancellation
    /// Safe at every point: its place or its permit is given back.
    #[must_use = "nothing is served unless it is awaited"]
    pub struct Admitting<S, Q, R, T = AsError>
    where
        S: Service<Q>,
        R: AdmissionRef,
    {
        // Before the permit, so that it is dropped before.
        #[pin]
        step: Step<S::Future, R>,
        service: S,
        request: Option<Q>,
        permit: Option<Permit<R>>,
        tell: core::marker::PhantomData<fn() -> T>,
    }
}

impl<S, Q, R, T> Future for Admitting<S, Q, R, T>
where
    S: Service<Q>,
    R: AdmissionRef,
    T: Tell<S::Response, S::Error>,
{
    type Output = Result<S::Response, T::Error>;

    /// # Panics
    /// If it is polled after its end.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let admitted = match this.step.as_mut().project() {
                StepPinned::Waiting { wait } => ready!(wait.poll(cx)).map_err(Shed::NotAdmitted),
                StepPinned::Bounded { wait } => match ready!(wait.poll(cx)) {
                    Ok(admitted) => admitted.map_err(Shed::NotAdmitted),
                    Err(_) => Err(Shed::TimedOut),
                },
                StepPinned::Readying => {
                    let ready = ready!(this.service.poll_ready(cx));
                    let request = this.request.take().expect("polled after its end");
                    if let Err(error) = ready {
                        *this.permit = None;
                        return Poll::Ready(Err(T::error(error)));
                    }
                    let serving = this.service.call(request);
                    this.step.set(Step::Serving { serving });
                    continue;
                }
                StepPinned::Serving { serving } => {
                    let answer = ready!(serving.poll(cx));
                    this.step.set(Step::Readying);
                    *this.permit = None;
                    return Poll::Ready(answer.map_err(T::error));
                }
            };
            this.step.set(Step::Readying);
            match admitted {
                Ok(permit) => *this.permit = Some(permit),
                Err(why) => {
                    *this.request = None;
                    return Poll::Ready(T::shed(why));
                }
            }
        }
    }
}

impl<S: Service<Q>, Q, R: AdmissionRef, T> fmt::Debug for Admitting<S, Q, R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admitting")
            .field("admitted", &self.permit.is_some())
            .finish_non_exhaustive()
    }
}
