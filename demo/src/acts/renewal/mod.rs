//! Act one: a bearer token expires, and is revoked, while hundreds of requests use it.
//!
//! | file | holds |
//! |---|---|
//! | `endpoint` | the HTTP service: data for a valid token, new tokens for a refresh token |
//! | `ledger` | its books and the referee: what was minted, wasted, punished; who is still there |
//! | `call` | one client's calls over HTTP, each step recorded |
//! | `by_hand`, `with_refresher` | the renewals that are compared |
//! | `figures` | the table and the verdict |

mod by_hand;
mod call;
mod endpoint;
mod figures;
mod ledger;
mod with_refresher;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use self::{
    by_hand::{EachForItself, FlagAndNotify, UnderMutex},
    call::{Call, Renew, Route},
    figures::Run,
    ledger::Ledger,
    with_refresher::ByRefresher,
};
use super::{
    Act,
    record::{Ended, Record},
};
use crate::{
    args::{Args, On},
    http,
    load::{self, Failed, Outcomes, Pace, Work},
    memory,
    report::Scene,
    runtime::{AsyncStd, Runtime, Smol, Tasks, Tokio},
    timeline::Timeline,
    watch,
};

/// What the clients make together.
const REQUESTS_A_SECOND: u64 = 4000;
/// So long after its beginning a request may be cut off.
const CUT_WITHIN: Duration = Duration::from_millis(60);

/// Half-way through a run the token endpoint is down, for so much of a token's life.
const OUTAGE_PERCENT: u32 = 30;

pub(crate) struct Renewal;

impl Act for Renewal {
    fn name(&self) -> &'static str {
        "renewal"
    }

    fn number(&self) -> &'static str {
        "one"
    }

    fn title(&self) -> &'static str {
        "A token expires, and is revoked, while it is in use: who renews it?"
    }

    fn about(&self) -> &'static str {
        "The clients of an HTTP service share one bearer token. It expires, and is revoked, while their requests use it: \
         somebody has to renew it, once, and whoever is just renewing may be cut off, too. A refresh token is good for one \
         use; a second one revokes all that came of the same sign-in. Half-way the token endpoint is down for a while."
    }

    fn perform(&self, args: &Args) -> Scene {
        let mut runs = Vec::new();
        if !args.ecluse_only {
            runs.push(run::<EachForItself>(args));
            runs.push(run::<FlagAndNotify>(args));
            runs.push(run::<UnderMutex<false>>(args));
        }
        if args.careful {
            runs.push(run::<UnderMutex<true>>(args));
        }
        runs.push(run::<ByRefresher>(args));
        figures::scene(args, &runs)
    }

    #[cfg(test)]
    fn sample(&self, hung: usize) -> Scene {
        figures::sample(hung)
    }
}

fn run<N: Renew>(args: &Args) -> Run {
    match args.runtime {
        On::Tokio => Tokio::run(|runtime| run_on::<_, N>(Tasks::new(runtime), args)),
        On::Smol => Smol::run(|runtime| run_on::<_, N>(Tasks::new(runtime), args)),
        On::AsyncStd => AsyncStd::run(|runtime| run_on::<_, N>(Tasks::new(runtime), args)),
    }
}

async fn run_on<R: Runtime, N: Renew>(tasks: Tasks<R>, args: &Args) -> Run {
    let timeline = Arc::new(Timeline::new(args.clients));
    let outcomes = Arc::new(Outcomes::new(args, REQUESTS_A_SECOND));
    let memory = memory::Before::now();
    let life = Duration::from_millis(args.token_ms);
    let half = Duration::from_secs(args.seconds.into()) / 2;
    let outage = half..half + life * OUTAGE_PERCENT / 100;
    let ledger = Arc::new(Ledger::new(life, outage.clone()));
    let address = endpoint::start(&tasks, args, &ledger).expect("a socket on the loopback");
    let clients = Arc::new(Clients {
        renewal: N::new(ledger.sign_in(), life),
        route: Arc::new(Route {
            address,
            http: http::client(&tasks),
            ledger: Arc::clone(&ledger),
            life,
            timeline: Arc::clone(&timeline),
        }),
    });
    let within = Duration::from_secs(args.seconds.into());
    let pace = Pace {
        a_second: REQUESTS_A_SECOND,
        end: Instant::now() + within,
        requests: u64::MAX,
        cut_within: CUT_WITHIN,
    };
    load::spawn(&tasks, args, pace, &outcomes, &clients);
    let minted = || {
        let counts = ledger.counts();
        format!("{:>4} mints, {} wasted", counts.minted, counts.wasted)
    };
    let end = watch::End {
        within,
        early: false,
    };
    let ending = watch::until_ended(&tasks, N::WAY.name, end, &outcomes, &timeline, minted).await;
    let memory = memory.peak();
    let opened = clients.renewal.opened();
    drop(clients);
    let counts = ledger.counts();
    let ended = Ended { ending, memory };
    let record = Record::of(N::WAY, args.clients, outcomes, &timeline, ended, tasks).await;
    Run {
        record,
        counts,
        valid: ledger.valid(),
        outage,
        opened,
    }
}

/// What all clients share.
struct Clients<R, N> {
    renewal: N,
    route: Arc<Route<R>>,
}

impl<R: Runtime, N: Renew> Work for Clients<R, N> {
    async fn request(self: Arc<Self>, client: u32) -> Result<(), Failed> {
        let call = Call {
            client,
            route: Arc::clone(&self.route),
        };
        call.request(&self.renewal).await
    }
}
