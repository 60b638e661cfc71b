//! Act two: a proxy before a slow package index. A few documents are hot; each is to be fetched once,
//! however many ask for it at the same time, while a part of those who do is cut off: the one who
//! fetches, too.
//!
//! | file | holds |
//! |---|---|
//! | `upstream` | the package index, which takes its time |
//! | `proxy` | the proxy, what it knows of one request, and what a way of coalescing is |
//! | `books` | the proxy's cache, and the referee: who fetches what, and what of it was needless |
//! | `by_hand`, `with_group` | the ways of coalescing that are compared |
//! | `figures` | the table and the verdict |

mod books;
mod by_hand;
mod figures;
mod proxy;
mod upstream;
mod with_group;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;

use self::{
    books::Books,
    by_hand::{CellForEach, EachForItself, MapOfSenders, WeakSenders},
    figures::Run,
    proxy::{CLIENT, Coalesce, Route},
    with_group::UnderGroup,
};
use super::{
    Act,
    record::{Ended, Record},
};
use crate::{
    args::{Args, On},
    http::{self, Body, Connector},
    load::{self, Failed, Outcomes, Pace, Work},
    memory,
    report::Scene,
    runtime::{AsyncStd, Runtime, Smol, Tasks, Tokio},
    timeline::Timeline,
    watch,
};

/// It is short: the requests are over before, unless the clients hang.
const PART: f64 = 0.75;
/// What the clients make together.
const REQUESTS_A_SECOND: u64 = 8000;

pub(crate) struct Coalescing;

impl Act for Coalescing {
    fn name(&self) -> &'static str {
        "coalescing"
    }

    fn number(&self) -> &'static str {
        "two"
    }

    fn title(&self) -> &'static str {
        "A proxy before a slow package index: who fetches what all ask for?"
    }

    fn about(&self) -> &'static str {
        "The clients ask a caching reverse proxy for the hot documents of a package index. Each is to be fetched once, however \
         many ask for it at the same time. The proxy fetches in the handler of a request; if that request's client goes, the \
         handler is dropped, and the fetch with it."
    }

    fn perform(&self, args: &Args) -> Scene {
        let mut runs = Vec::new();
        if !args.ecluse_only {
            runs.push(run::<EachForItself>(args));
            runs.push(run::<MapOfSenders>(args));
            runs.push(run::<WeakSenders>(args));
        }
        if args.careful {
            runs.push(run::<CellForEach>(args));
        }
        runs.push(run::<UnderGroup>(args));
        figures::scene(args, &runs)
    }

    #[cfg(test)]
    fn sample(&self, hung: usize) -> Scene {
        figures::sample(hung)
    }
}

fn run<C: Coalesce>(args: &Args) -> Run {
    match args.runtime {
        On::Tokio => Tokio::run(|runtime| run_on::<_, C>(Tasks::new(runtime), args)),
        On::Smol => Smol::run(|runtime| run_on::<_, C>(Tasks::new(runtime), args)),
        On::AsyncStd => AsyncStd::run(|runtime| run_on::<_, C>(Tasks::new(runtime), args)),
    }
}

async fn run_on<R: Runtime, C: Coalesce>(tasks: Tasks<R>, args: &Args) -> Run {
    let timeline = Arc::new(Timeline::new(args.clients));
    let outcomes = Arc::new(Outcomes::new(args, REQUESTS_A_SECOND));
    let memory = memory::Before::now();
    let books = Arc::new(Books::new(
        args.documents,
        Duration::from_millis(args.keep_ms),
    ));
    let upstream = upstream::start(&tasks, args).expect("a socket on the loopback");
    let coalescing = Arc::new(C::default());
    let route = Arc::new(Route {
        upstream,
        http: http::client(&tasks),
        books: Arc::clone(&books),
        timeline: Arc::clone(&timeline),
    });
    let proxy = proxy::start(&tasks, args, &coalescing, route).expect("a socket on the loopback");
    let clients = Arc::new(Clients {
        proxy,
        http: http::client(&tasks),
        documents: args.documents,
        random: Mutex::new(fastrand::Rng::with_seed(args.seed)),
    });
    let within = Duration::from_secs(args.seconds.into()).mul_f64(PART);
    let pace = Pace {
        a_second: REQUESTS_A_SECOND,
        end: Instant::now() + within,
        requests: args.requests,
        // About half of those that are drawn are still waiting then.
        cut_within: Duration::from_millis(args.upstream_ms),
    };
    load::spawn(&tasks, args, pace, &outcomes, &clients);
    drop(clients);
    let fetched = || {
        let counts = books.counts();
        format!("{:>4} fetches, {} needless", counts.begun, counts.needless)
    };
    let end = watch::End {
        within,
        early: true,
    };
    let ending = watch::until_ended(&tasks, C::WAY.name, end, &outcomes, &timeline, fetched).await;
    let memory = memory.peak();
    let counts = books.counts();
    let ended = Ended { ending, memory };
    let record = Record::of(C::WAY, args.clients, outcomes, &timeline, ended, tasks).await;
    Run {
        record,
        counts,
        entries: coalescing.entries(),
        kept: books.kept(HOTTEST),
    }
}

/// What most clients want.
pub(crate) const HOTTEST: u32 = 0;

/// What all clients share.
struct Clients<R> {
    proxy: SocketAddr,
    http: Client<Connector<R>, Body>,
    documents: u32,
    random: Mutex<fastrand::Rng>,
}

impl<R> Clients<R> {
    /// A document, as popular as packages are: the second half as much as the first, and so on.
    fn document(&self) -> u32 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        // The inverse of the sum of 1/n, near enough.
        let rank = f64::from(self.documents + 1).powf(random.f64());
        (rank as u32 - 1).min(self.documents - 1)
    }
}

impl<R: Runtime> Work for Clients<R> {
    async fn request(self: Arc<Self>, client: u32) -> Result<(), Failed> {
        let request = Request::builder()
            .uri(format!("http://{}/{}", self.proxy, self.document()))
            .header(CLIENT, client)
            .body(Body::default())?;
        let response = self.http.request(request).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        match status {
            StatusCode::OK => Ok(()),
            StatusCode::BAD_GATEWAY => Err(Failed::Refused),
            _ => Err(Failed::Transport),
        }
    }
}
