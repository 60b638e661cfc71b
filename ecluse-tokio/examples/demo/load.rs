//! The clients of a run: hundreds of them, each with one request at a time, some of which are cut
//! off at a random moment in one of the ways in which tokio cuts off a future.
//!
//! Invariant: every wait for a client's end is bounded. A client counts as hung if it waits for a
//! renewal although nothing has moved in the whole run for [`STILL`]; as late if it is busy with
//! something else then (TCP repeats a lost packet after a second or more), or if the run is still
//! moving after [`PATIENCE`].

use std::{
    io::{IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    args::Args,
    call::{Call, Failed, Renewal, Route},
    ledger::{Ledger, Mints},
    service,
    timeline::{Doing, Span},
};

/// Nothing has moved for so long: what has not ended is hung.
const STILL: Duration = Duration::from_millis(1000);
/// A run's end is waited for so long at most.
const PATIENCE: Duration = Duration::from_secs(30);
/// A cut-off comes within this time: in the request, in a wait, or in a renewal. Most requests take
/// longer.
const CUT_WITHIN_MS: u64 = 30;
/// A client rests so long at most before its next request.
const REST_MS: u64 = 20;

/// What came of the requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    begun: AtomicU64,
    ok: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    cut_off: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
}

/// A run, when it is over.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) name: &'static str,
    pub(crate) clients: u32,
    pub(crate) requests: u64,
    pub(crate) ok: u64,
    /// Refused again and again: the machine is too slow for the life of a token.
    pub(crate) refused: u64,
    pub(crate) failed: u64,
    pub(crate) cut_off: u64,
    pub(crate) hung: usize,
    /// Clients that had not ended, but were not hung.
    pub(crate) late: usize,
    pub(crate) mints: Mints,
    /// Sorted.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) spans: Vec<Span>,
    pub(crate) took: Duration,
}

pub(crate) async fn run<R: Renewal>(args: &Args) -> Run {
    let ledger = Arc::new(Ledger::default());
    let address = service::start(args, Arc::clone(&ledger))
        .await
        .expect("a loopback socket");
    let route = Arc::new(Route::new(address, ledger));
    let renewal = Arc::new(R::default());
    let tally = Arc::new(Tally::default());
    let start = Instant::now();
    let end = start + Duration::from_secs(args.seconds.into());
    let mut clients: Vec<JoinHandle<()>> = (0..args.clients)
        .map(|client| {
            let call = Call {
                client,
                route: Arc::clone(&route),
            };
            let seed = args.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(client);
            let one = Client {
                call,
                renewal: Arc::clone(&renewal),
                tally: Arc::clone(&tally),
                random: fastrand::Rng::with_seed(seed),
                cut: args.cut,
            };
            tokio::spawn(one.run(end))
        })
        .collect();

    let left = all_ended(R::NAME, &mut clients, &tally, &route.ledger, end).await;
    let took = start.elapsed();
    // The hung ones are ended now; what they did until then comes into the timeline.
    for client in &mut clients {
        client.abort();
        let _ = timeout(STILL, client).await;
    }
    let spans = route.timeline.take();
    let waiting = |span: &&Span| span.to > took && span.doing == Doing::Waiting;
    let hung = match left {
        Left::Still(_) => spans.iter().filter(waiting).count(),
        Left::Moving(_) => 0,
    };
    let (Left::Still(left) | Left::Moving(left)) = left;
    let mut latencies = std::mem::take(&mut *lock(&tally.latencies));
    latencies.sort_unstable();
    Run {
        name: R::NAME,
        clients: args.clients,
        requests: tally.begun.load(Ordering::Relaxed),
        ok: tally.ok.load(Ordering::Relaxed),
        refused: tally.refused.load(Ordering::Relaxed),
        failed: tally.failed.load(Ordering::Relaxed),
        cut_off: tally.cut_off.load(Ordering::Relaxed),
        hung,
        late: left - hung,
        mints: route.ledger.mints(),
        latencies,
        spans,
        took,
    }
}

/// How many clients did not end.
enum Left {
    /// And nothing moves any more.
    Still(usize),
    /// Though they may yet.
    Moving(usize),
}

/// Waits for the end of all clients, showing how it goes.
async fn all_ended(
    name: &str,
    clients: &mut [JoinHandle<()>],
    tally: &Tally,
    ledger: &Ledger,
    end: Instant,
) -> Left {
    let show = std::io::stdout().is_terminal();
    let (mut last, mut moved) = (None, Instant::now());
    loop {
        let left = clients
            .iter()
            .filter(|client| !client.is_finished())
            .count();
        let ok = tally.ok.load(Ordering::Relaxed);
        let cut_off = tally.cut_off.load(Ordering::Relaxed);
        let mints = ledger.mints();
        if show {
            print!(
                "\r{name:<20} {ok:>7} ok {cut_off:>6} cut off {:>5} mints {:>4} wasted  {left:>5} clients ",
                mints.begun, mints.wasted
            );
            let _ = std::io::stdout().flush();
        }
        let now = Instant::now();
        let state = Some((left, ok, cut_off, mints.begun, mints.done));
        if state != last {
            (last, moved) = (state, now);
        }
        let still = now > end && now - moved > STILL;
        if left == 0 || still || now > end + PATIENCE {
            if show {
                println!();
            }
            return if still {
                Left::Still(left)
            } else {
                Left::Moving(left)
            };
        }
        sleep(Duration::from_millis(if show { 50 } else { 20 })).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Client<R> {
    call: Call,
    renewal: Arc<R>,
    tally: Arc<Tally>,
    random: fastrand::Rng,
    cut: f64,
}

impl<R: Renewal> Client<R> {
    async fn run(mut self, end: Instant) {
        // Not all at once.
        self.rest().await;
        while Instant::now() < end {
            let begun = Instant::now();
            self.tally.begun.fetch_add(1, Ordering::Relaxed);
            let ended = if self.random.f64() < self.cut {
                self.cut_off_request().await
            } else {
                Some(self.call.request(&*self.renewal).await)
            };
            let counter = match ended {
                Some(Ok(())) => {
                    lock(&self.tally.latencies).push(begun.elapsed());
                    &self.tally.ok
                }
                Some(Err(Failed::Refused)) => &self.tally.refused,
                Some(Err(Failed::Otherwise)) => &self.tally.failed,
                None => &self.tally.cut_off,
            };
            counter.fetch_add(1, Ordering::Relaxed);
            self.rest().await;
        }
    }

    async fn rest(&mut self) {
        sleep(Duration::from_millis(self.random.u64(0..=REST_MS))).await;
    }

    /// A request that is cut off if it takes longer than a random time: `None`.
    async fn cut_off_request(&mut self) -> Option<Result<(), Failed>> {
        let limit = Duration::from_micros(self.random.u64(0..CUT_WITHIN_MS * 1000));
        let way = self.random.u8(0..3);
        let (call, renewal) = (self.call.clone(), Arc::clone(&self.renewal));
        let request = async move { call.request(&*renewal).await };
        match way {
            // A task of its own that is aborted.
            0 => {
                let mut task = tokio::spawn(request);
                match timeout(limit, &mut task).await {
                    Ok(ended) => ended.ok(),
                    Err(_) => {
                        task.abort();
                        task.await.ok()
                    }
                }
            }
            // The loser of a select.
            1 => tokio::select! {
                ended = request => Some(ended),
                () = sleep(limit) => None,
            },
            // A time-out.
            _ => timeout(limit, request).await.ok(),
        }
    }
}
