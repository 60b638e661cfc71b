//! Load that is admitted, queued or shed.

use std::{
    convert::Infallible,
    future::{Future, pending, poll_fn},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    task::Poll,
    time::Duration,
};

use ecluse_tokio::{
    Admission, NotAdmitted,
    tower::{AdmissionError, AdmissionLayer, Shed},
};
use http::{Request, Response};
use tokio::{sync::oneshot, task::yield_now};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::soon;

/// One poll.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// The requests that are under way, and how each is ended.
type UnderWay = Arc<Mutex<Vec<(u32, oneshot::Sender<()>)>>>;

/// A service that answers each request when it is told to.
fn held() -> (
    impl Service<u32, Response = u32, Error = Infallible, Future: Send> + Clone + Send,
    UnderWay,
) {
    let under_way = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&under_way);
    let service = service_fn(move |request| {
        let (end, ended) = oneshot::channel();
        noted.lock().unwrap().push((request, end));
        async move {
            // An end that is dropped is one.
            let _ = ended.await;
            Ok(request)
        }
    });
    (service, under_way)
}

#[tokio::test]
async fn a_burst_is_admitted_queued_and_shed() {
    let load = Arc::new(Admission::<ecluse_tokio::admission::Fifo>::new(2, 3));
    let (service, under_way) = held();
    let service = AdmissionLayer::new(Arc::clone(&load)).layer(service);
    let mut requests: Vec<_> = (0..8)
        .map(|number| Box::pin(service.clone().oneshot(number)))
        .collect();
    let full = Shed::NotAdmitted(NotAdmitted::RoomFull);
    assert_eq!(full.status(), 503);
    for (number, request) in requests.iter_mut().enumerate() {
        match poll_once(request).await {
            Poll::Ready(shed) => assert_eq!(shed, Err(AdmissionError::Shed(full))),
            Poll::Pending => assert!(number < 5, "{number}"),
        }
    }
    let snapshot = load.snapshot();
    assert_eq!((snapshot.occupancy, snapshot.waiting), (2, 3));
    // One that waits goes, one that is served goes.
    requests.truncate(5);
    drop(requests.remove(3));
    drop(requests.remove(0));
    let ended = under_way.lock().unwrap().remove(0);
    assert!(ended.0 == 0 && ended.1.is_closed());
    // In order; each ends only after it was told to.
    for (number, mut request) in [1, 2, 4].into_iter().zip(requests) {
        assert!(poll_once(&mut request).await.is_pending());
        let ended = {
            let mut under_way = under_way.lock().unwrap();
            let here = under_way.iter().position(|(it, _)| *it == number);
            under_way.remove(here.expect("it is admitted"))
        };
        drop(ended);
        assert_eq!(soon(request).await, Ok(number));
    }
    assert_eq!(load.available(), 2);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_budget() {
    static LOAD: Admission = Admission::new(1, 1);
    let (service, under_way) = held();
    let layer = AdmissionLayer::new(&LOAD).within(Duration::from_millis(100));
    let service = layer.layer(service);
    let first = tokio::spawn(service.clone().oneshot(1));
    soon(async {
        while under_way.lock().unwrap().is_empty() {
            yield_now().await;
        }
    })
    .await;
    let began = tokio::time::Instant::now();
    let late = service.clone().oneshot(2).await;
    assert_eq!(late, Err(AdmissionError::Shed(Shed::TimedOut)));
    assert_eq!(began.elapsed().as_millis(), 100);
    assert_eq!(LOAD.waiting(), 0);
    drop(under_way.lock().unwrap().pop());
    assert_eq!(soon(first).await.unwrap(), Ok(1));
}

#[tokio::test]
async fn requests_have_weights() {
    static LOAD: Admission = Admission::new(4, 0);
    let (service, under_way) = held();
    let layer = AdmissionLayer::new(&LOAD).weigh(|request: &u32| *request as usize);
    let service = layer.layer(service);
    let mut three = Box::pin(service.clone().oneshot(3));
    let polled = poll_once(&mut three).await.is_ready();
    assert_eq!((polled, LOAD.available()), (false, 1));
    let two = service.clone().oneshot(2).await.unwrap_err();
    let why = |why| AdmissionError::Shed(Shed::NotAdmitted(why));
    assert_eq!(two, why(NotAdmitted::RoomFull));
    let five = service.clone().oneshot(5).await.unwrap_err();
    assert_eq!(five, why(NotAdmitted::TooHeavy));
    assert_eq!(Shed::NotAdmitted(NotAdmitted::TooHeavy).status(), 413);
    // Weightless: served though nothing is free.
    LOAD.shrink(1);
    let mut health = Box::pin(service.oneshot(0));
    let polled = poll_once(&mut health).await.is_ready();
    assert!(!polled && under_way.lock().unwrap().iter().any(|(it, _)| *it == 0));
    drop(three);
    assert_eq!(LOAD.available(), 3);
}

/// A service that is not ready until it is let.
#[derive(Clone)]
struct Lazy(Arc<AtomicU32>);

impl Service<()> for Lazy {
    type Response = ();
    type Error = &'static str;
    type Future = std::future::Ready<Result<(), &'static str>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Self::Error>> {
        match self.0.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            1 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err("broken")),
        }
    }

    fn call(&mut self, (): ()) -> Self::Future {
        std::future::ready(Ok(()))
    }
}

#[tokio::test]
async fn the_service_is_made_ready_under_the_permit() {
    static LOAD: Admission = Admission::new(1, 0);
    let state = Arc::new(AtomicU32::new(0));
    let service = AdmissionLayer::new(&LOAD).layer(Lazy(Arc::clone(&state)));
    let mut first = Box::pin(service.clone().oneshot(()));
    let polled = poll_once(&mut first).await.is_ready();
    assert_eq!((polled, LOAD.available()), (false, 0));
    let second = service.clone().oneshot(()).await;
    assert!(matches!(second, Err(AdmissionError::Shed(_))));
    state.store(1, Ordering::Relaxed);
    assert_eq!(soon(first).await, Ok(()));
    state.store(2, Ordering::Relaxed);
    let broken = service.oneshot(()).await;
    assert_eq!(broken, Err(AdmissionError::Service("broken")));
    assert_eq!(LOAD.available(), 1);
}

#[tokio::test]
async fn a_refusal_may_be_an_answer() {
    static LOAD: Admission = Admission::new(1, 0);
    let _taken = LOAD.try_acquire(1).unwrap();
    let service = service_fn(async |_: Request<String>| {
        pending::<()>().await;
        Ok::<Response<String>, Infallible>(Response::default())
    });
    let service = AdmissionLayer::new(&LOAD).as_answer().layer(service);
    let Ok(answer) = soon(service.oneshot(Request::new(String::new()))).await;
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_str()),
        (503, "")
    );
}
