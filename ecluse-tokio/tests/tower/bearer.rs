//! Bearer tokens on requests.

use std::{
    convert::Infallible,
    future::ready,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{
    Admission, Refresher, TokioTimer,
    refresh::{Minted, NoValue, Policy},
    tower::{AdmissionLayer, Bearer, BearerError, BearerLayer, Never, Repeat},
};
use http::{Request, Response, StatusCode, header::AUTHORIZATION};
use tokio::{
    sync::{Barrier, Notify, Semaphore},
    task::{JoinSet, yield_now},
};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::soon;

type Token = Refresher<Bearer, &'static str>;

fn answer(status: StatusCode) -> Response<String> {
    let mut answer = Response::default();
    *answer.status_mut() = status;
    answer
}

fn token_of<B>(request: &Request<B>) -> String {
    let token = request.headers()[AUTHORIZATION].to_str().unwrap();
    token.strip_prefix("Bearer ").unwrap().to_owned()
}

/// A token endpoint: its tokens are `t1`, `t2`, …
struct Mint {
    begun: AtomicU32,
    /// Where set, each mint takes a permit of it.
    gate: Option<Semaphore>,
}

impl Mint {
    const fn new() -> Self {
        Self {
            begun: AtomicU32::new(0),
            gate: None,
        }
    }

    const fn gated() -> Self {
        Self {
            begun: AtomicU32::new(0),
            gate: Some(Semaphore::const_new(0)),
        }
    }

    fn begun(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    async fn mint(&self) -> Result<Minted<Bearer>, &'static str> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        let token = Bearer::new(format!("t{number}")).unwrap();
        Ok(Minted::expires_in(token, Duration::from_secs(600)))
    }
}

/// A layer that mints by `mint`.
fn bearer(mint: &Arc<Mint>) -> BearerLayer<&'static str> {
    let token = Token::new(TokioTimer, Policy::new().early(Duration::ZERO));
    let mint = Arc::clone(mint);
    BearerLayer::new(Arc::new(token), move || {
        let mint = Arc::clone(&mint);
        async move { mint.mint().await }
    })
}

/// An API that accepts one token, and keeps count.
struct Api {
    accepts: &'static str,
    calls: AtomicU32,
}

impl Api {
    fn accepting(accepts: &'static str) -> Arc<Self> {
        Arc::new(Self {
            accepts,
            calls: AtomicU32::new(0),
        })
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    fn serve<B>(&self, request: &Request<B>) -> Response<String> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        answer(if token_of(request) == self.accepts {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_refusals_of_one_token_mint_once() {
    const CALLERS: u32 = 100;
    let (mint, api) = (Arc::new(Mint::new()), Api::accepting("t2"));
    let all_here = Arc::new(Barrier::new(CALLERS as usize));
    let layer = bearer(&mint);
    let service = layer.layer(service_fn({
        let api = Arc::clone(&api);
        move |request: Request<String>| {
            let (api, all_here) = (Arc::clone(&api), Arc::clone(&all_here));
            async move {
                if token_of(&request) == "t1" {
                    all_here.wait().await;
                }
                Ok::<_, Infallible>(api.serve(&request))
            }
        }
    }));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        callers.spawn(service.clone().oneshot(Request::new("body".to_owned())));
    }
    let answers = soon(callers.join_all()).await;
    assert!(
        answers
            .iter()
            .all(|it| it.as_ref().unwrap().status() == 200)
    );
    assert_eq!((mint.begun(), api.calls()), (2, 2 * CALLERS));
    soon(layer.tally().joined()).await;
}

#[tokio::test]
async fn a_late_refusal_of_an_older_token_renews_nothing() {
    let (mint, api) = (Arc::new(Mint::new()), Api::accepting("t2"));
    let (late, first) = (Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
    let service = bearer(&mint).layer(service_fn({
        let (api, late) = (Arc::clone(&api), Arc::clone(&late));
        move |request: Request<String>| {
            let (api, late, first) = (Arc::clone(&api), Arc::clone(&late), Arc::clone(&first));
            async move {
                let answer = api.serve(&request);
                if first.fetch_add(1, Ordering::Relaxed) == 0 {
                    late.notified().await;
                }
                Ok::<_, Infallible>(answer)
            }
        }
    }));
    let slow = tokio::spawn(service.clone().oneshot(Request::new(String::new())));
    soon(async {
        while api.calls() == 0 {
            yield_now().await;
        }
    })
    .await;
    let quick = soon(service.oneshot(Request::new(String::new()))).await;
    assert_eq!(quick.unwrap().status(), 200);
    assert_eq!(mint.begun(), 2);
    late.notify_one();
    assert_eq!(soon(slow).await.unwrap().unwrap().status(), 200);
    assert_eq!((mint.begun(), api.calls()), (2, 4));
}

#[tokio::test]
async fn a_refusal_after_the_retry_is_passed_on() {
    let (mint, api) = (Arc::new(Mint::new()), Api::accepting("none"));
    let layer = bearer(&mint);
    let served = Arc::clone(&api);
    let mut service = layer.layer(service_fn(move |request: Request<String>| {
        ready(Ok::<_, Infallible>(served.serve(&request)))
    }));
    let refused = soon(service.call(Request::new(String::new()))).await;
    assert_eq!(refused.unwrap().status(), 401);
    assert_eq!((mint.begun(), api.calls()), (2, 2));
}

#[tokio::test]
async fn the_second_try_is_the_first_but_for_the_token() {
    let mint = Arc::new(Mint::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let service = bearer(&mint).layer(service_fn(move |request: Request<String>| {
        let token = token_of(&request);
        let bearer = &request.headers()[AUTHORIZATION];
        assert!(bearer.is_sensitive() && !format!("{bearer:?}").contains(&token));
        noted.lock().unwrap().push((
            token.clone(),
            request.method().clone(),
            request.uri().clone(),
            request.version(),
            request.headers()["x-a"].clone(),
            request.extensions().get::<u8>().copied(),
            request.into_body(),
        ));
        async move {
            Ok::<_, Infallible>(answer(if token == "t2" {
                StatusCode::OK
            } else {
                StatusCode::UNAUTHORIZED
            }))
        }
    }));
    let mut request = Request::put("/things?x=1")
        .version(http::Version::HTTP_2)
        .header("x-a", "b")
        .header(AUTHORIZATION, "Basic replaced")
        .body("thing".to_owned())
        .unwrap();
    request.extensions_mut().insert(7_u8);
    assert_eq!(soon(service.oneshot(request)).await.unwrap().status(), 200);
    let mut seen = seen.lock().unwrap();
    let (mut second, first) = (seen.pop().unwrap(), seen.pop().unwrap());
    assert_eq!((&*first.0, &*second.0), ("t1", "t2"));
    second.0.clone_from(&first.0);
    assert_eq!(first, second);
}

/// A body that cannot be cloned.
struct Stream(u8);

async fn unrepeated(repeat: impl Repeat<Stream> + Clone + Send + 'static) -> (u16, u32, u32, u16) {
    let (mint, api) = (Arc::new(Mint::new()), Api::accepting("t2"));
    let served = Arc::clone(&api);
    let service =
        bearer(&mint)
            .repeat(repeat)
            .layer(service_fn(move |request: Request<Stream>| {
                assert_eq!(request.body().0, 5);
                ready(Ok::<_, Infallible>(served.serve(&request)))
            }));
    let first = soon(service.clone().oneshot(Request::new(Stream(5)))).await;
    let (calls, mints) = (api.calls(), mint.begun());
    let next = soon(service.oneshot(Request::new(Stream(5)))).await;
    let status = |answer: Result<Response<String>, _>| {
        answer.map_or_else(
            |error: BearerError<&str, Infallible>| panic!("{error:?}"),
            |answer| answer.status().as_u16(),
        )
    };
    (status(first), calls, mints, status(next))
}

#[tokio::test]
async fn a_body_that_cannot_be_sent_again_is_not_and_the_next_request_has_a_new_token() {
    assert_eq!(unrepeated(Never).await, (401, 1, 1, 200));
    let not_this_one = |_: &Stream| None;
    assert_eq!(unrepeated(not_this_one).await, (401, 1, 1, 200));
    let this_one = |body: &Stream| Some(Stream(body.0));
    assert_eq!(unrepeated(this_one).await, (200, 2, 2, 200));
}

#[tokio::test]
async fn a_cancelled_caller_ends_no_mint() {
    let (mint, api) = (Arc::new(Mint::gated()), Api::accepting("t1"));
    let layer = bearer(&mint);
    let served = Arc::clone(&api);
    let service = layer.layer(service_fn(move |request: Request<String>| {
        ready(Ok::<_, Infallible>(served.serve(&request)))
    }));
    let begins = tokio::spawn(service.clone().oneshot(Request::new(String::new())));
    soon(async {
        while mint.begun() == 0 {
            yield_now().await;
        }
    })
    .await;
    let waits = tokio::spawn(service.oneshot(Request::new(String::new())));
    yield_now().await;
    begins.abort();
    assert!(soon(begins).await.unwrap_err().is_cancelled());
    mint.gate.as_ref().unwrap().add_permits(1);
    assert_eq!(soon(waits).await.unwrap().unwrap().status(), 200);
    assert_eq!((mint.begun(), api.calls()), (1, 1));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    static TOKEN: Token = Refresher::new(TokioTimer, Policy::new());
    let layer = BearerLayer::new(&TOKEN, || async { Err("down") });
    let service = layer.layer(service_fn(async |_: Request<String>| {
        Err::<Response<String>, _>("must not be called")
    }));
    let refused = soon(service.oneshot(Request::new(String::new()))).await;
    let error = refused.unwrap_err();
    assert_eq!(error, BearerError::NoToken(NoValue::Failed("down")));
    assert_eq!(
        error.to_string(),
        "no bearer token: the refresh failed: down"
    );
    assert!(Bearer::new("two\nlines").is_err());
}

#[tokio::test]
async fn a_refusal_of_grpc_is_one() {
    let (mint, api) = (Arc::new(Mint::new()), Api::accepting("t2"));
    let served = Arc::clone(&api);
    let service = bearer(&mint).layer(service_fn(move |request: Request<String>| {
        let mut answer = served.serve(&request);
        if answer.status() == 401 {
            *answer.status_mut() = StatusCode::OK;
            answer
                .headers_mut()
                .insert("grpc-status", "16".parse().unwrap());
        }
        ready(Ok::<_, Infallible>(answer))
    }));
    let served = soon(service.oneshot(Request::new(String::new())))
        .await
        .unwrap();
    assert!(!served.headers().contains_key("grpc-status"));
    assert_eq!((mint.begun(), api.calls()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statics_go_into_tasks() {
    static TOKEN: Token = Refresher::new(TokioTimer, Policy::new());
    static LOAD: Admission = Admission::new(1, 0);
    static MINT: Mint = Mint::new();
    let service =
        service_fn(|_: Request<String>| ready(Ok::<_, Infallible>(answer(StatusCode::OK))));
    let service = BearerLayer::new(&TOKEN, || MINT.mint()).layer(service);
    let service = AdmissionLayer::new(&LOAD).layer(service);
    // In an `async` block, where the compiler forgets that they are `'static`.
    let served = tokio::spawn(async move { service.oneshot(Request::new(String::new())).await });
    assert_eq!(soon(served).await.unwrap().unwrap().status(), 200);
    assert_eq!(MINT.begun(), 1);
}
