//! The clients of a run: each with one request at a time, some of which are cut off at a random
//! moment in one of the ways in which a future is cut off.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ecluse_tokio::runtime::Abort;

use crate::{
    args::Args,
    runtime::{Runtime, Tasks},
};

/// The clients rest so long between two requests, on average, at least.
const REST_MS: u64 = 20;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// `invalid_grant`: the session is over, for all.
    SignedOut,
    /// The service would not: it refused again and again, or had nothing to give.
    Refused,
    /// There is no token, and the endpoint gives none at present.
    Down,
    /// No connection, or an answer that nobody expects. This is the machine's doing.
    Transport,
}

impl<E: std::error::Error> From<E> for Failed {
    fn from(_: E) -> Self {
        Self::Transport
    }
}

/// What the clients of an act do again and again.
pub(crate) trait Work: Send + Sync + 'static {
    fn request(
        self: Arc<Self>,
        client: u32,
    ) -> impl Future<Output = Result<(), Failed>> + Send + 'static;
}

/// How long the clients go on, and how hasty they are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// They rest so that all together make about so many requests a second: what two cores serve.
    pub(crate) a_second: u64,
    /// No new request after this …
    pub(crate) end: Instant,
    /// … nor when all have made so many together.
    pub(crate) requests: u64,
    /// A cut-off comes within this time, if the request is still under way.
    pub(crate) cut_within: Duration,
}

/// What came of the requests.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    pub(crate) begun: AtomicU64,
    pub(crate) ok: AtomicU64,
    pub(crate) signed_out: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) down: AtomicU64,
    pub(crate) transport: AtomicU64,
    pub(crate) cut_off: AtomicU64,
    /// Clients that have not ended.
    pub(crate) clients: AtomicUsize,
    latencies: Mutex<Vec<Duration>>,
}

impl Outcomes {
    /// All its memory is taken here, so that it does not count as the run's.
    pub(crate) fn new(args: &Args, a_second: u64) -> Self {
        let most = u64::from(args.seconds) * a_second * 3;
        Self {
            latencies: Mutex::new(Vec::with_capacity(most.min(1 << 20) as usize)),
            ..Self::default()
        }
    }

    /// How long the successful requests took, sorted.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        let mut latencies = self
            .latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut latencies = std::mem::take(&mut *latencies);
        latencies.sort_unstable();
        latencies
    }

    /// Counts a request as begun, unless that would be more than `most`.
    fn one_more(&self, most: u64) -> bool {
        let more = |begun| (begun < most).then_some(begun + 1);
        self.begun
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    pub(crate) fn failures(&self) -> u64 {
        let all = [&self.signed_out, &self.refused, &self.down, &self.transport];
        all.into_iter().map(get).sum()
    }

    fn count(&self, ended: Option<Result<(), Failed>>, took: Duration) {
        let counter = match ended {
            Some(Ok(())) => {
                let mut latencies = self
                    .latencies
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                latencies.push(took);
                &self.ok
            }
            Some(Err(Failed::SignedOut)) => &self.signed_out,
            Some(Err(Failed::Refused)) => &self.refused,
            Some(Err(Failed::Down)) => &self.down,
            Some(Err(Failed::Transport)) => &self.transport,
            None => &self.cut_off,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A count, when it has been counted.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// Spawns all clients.
pub(crate) fn spawn<R: Runtime>(
    tasks: &Tasks<R>,
    args: &Args,
    pace: Pace,
    outcomes: &Arc<Outcomes>,
    work: &Arc<impl Work>,
) {
    let cycle = u64::from(args.clients) * 1000 / pace.a_second;
    outcomes
        .clients
        .store(args.clients as usize, Ordering::Relaxed);
    for client in 0..args.clients {
        let seed = args.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(client);
        let one = Client {
            number: client,
            tasks: tasks.clone(),
            work: Arc::clone(work),
            outcomes: Arc::clone(outcomes),
            random: fastrand::Rng::with_seed(seed),
            cut: args.cut,
            rest_ms: 2 * cycle.max(REST_MS),
            pace,
        };
        tasks.spawn(one.run());
    }
}

struct Client<R, W> {
    number: u32,
    tasks: Tasks<R>,
    work: Arc<W>,
    outcomes: Arc<Outcomes>,
    random: fastrand::Rng,
    cut: f64,
    rest_ms: u64,
    pace: Pace,
}

/// Counts a client as ended, whatever ends it.
struct Alive(Arc<Outcomes>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<R: Runtime, W: Work> Client<R, W> {
    async fn run(mut self) {
        let _alive = Alive(Arc::clone(&self.outcomes));
        loop {
            let rest = Duration::from_millis(self.random.u64(0..=self.rest_ms));
            R::sleep(rest.min(self.pace.end.saturating_duration_since(Instant::now()))).await;
            let begun = Instant::now();
            if begun >= self.pace.end || !self.outcomes.one_more(self.pace.requests) {
                return;
            }
            let request = Arc::clone(&self.work).request(self.number);
            let ended = if self.random.f64() < self.cut {
                self.cut_off(request).await
            } else {
                Some(request.await)
            };
            self.outcomes.count(ended, begun.elapsed());
        }
    }

    /// The request, cut off if it takes longer than a random time: `None`.
    async fn cut_off<F>(&mut self, request: F) -> Option<Result<(), Failed>>
    where
        F: Future<Output = Result<(), Failed>> + Send + 'static,
    {
        let limit =
            Duration::from_micros(self.random.u64(0..self.pace.cut_within.as_micros() as u64));
        match self.random.u8(0..3) {
            // A task of its own that is aborted.
            0 => {
                let (sender, receiver) = tokio::sync::oneshot::channel();
                let task = self.tasks.spawn(async move {
                    // Nobody may be there any more.
                    let _ = sender.send(request.await);
                });
                let mut receiver = std::pin::pin!(receiver);
                match R::timeout(limit, receiver.as_mut()).await {
                    Some(ended) => ended.ok(),
                    None => {
                        task.abort();
                        receiver.await.ok()
                    }
                }
            }
            // The loser of a race.
            1 => {
                let request = async { Some(request.await) };
                let limit = async {
                    R::sleep(limit).await;
                    None
                };
                futures_lite::future::or(request, limit).await
            }
            // A time-out.
            _ => R::timeout(limit, request).await,
        }
    }
}
