//! Stopping a server as it is written by hand: with tokio-util's token and tracker, which need no runtime
//! of tokio's.

use std::{future::Future, time::Duration};

use ecluse_tokio::SharedScope;
use futures_lite::future::or;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    requests::{Live, Sort},
    server::{self, Stop},
};
use crate::{
    report::Way,
    runtime::{Runtime, Tasks},
};

/// No new connections; who is in flight may finish; when the grace is over, `main` returns.
#[derive(Clone)]
pub(super) struct Drained {
    token: CancellationToken,
    tracker: TaskTracker,
}

impl Stop for Drained {
    const WAY: Way = Way {
        name: "tracker, wait",
        met: "“graceful shutdown” of HTTP servers: no new connections, wait for the rest, with a time-out",
        fails: "whoever takes longer than the time-out was never told, and is still running when the process ends",
    };

    fn new() -> Self {
        Self {
            token: CancellationToken::new(),
            tracker: TaskTracker::new(),
        }
    }

    fn spawn<R: Runtime>(&self, tasks: &Tasks<R>, task: impl Future<Output = ()> + Send + 'static) {
        tasks.spawn(self.tracker.track_future(task));
    }

    async fn spawn_job<R: Runtime>(
        &self,
        tasks: &Tasks<R>,
        job: impl Future<Output = ()> + Send + 'static,
    ) {
        // `tokio::spawn`, and forgotten.
        tasks.spawn(job);
    }

    async fn closing(&self) {
        self.token.cancelled().await;
    }

    async fn serve<R: Runtime>(&self, request: Live<R>, tasks: &Tasks<R>) -> bool {
        server::worked(request, self, tasks).await
    }

    async fn stop<R: Runtime>(&self, signal: SharedScope, grace: Duration) -> Option<String> {
        signal.cx().cancelled().await;
        self.token.cancel();
        self.tracker.close();
        R::timeout(grace, self.tracker.wait()).await;
        None
    }
}

/// The same, and every request that can be is dropped by a `select!` at once.
#[derive(Clone)]
pub(super) struct Selected(Drained);

impl Stop for Selected {
    const WAY: Way = Way {
        name: "token, select!",
        met: "a select! between the token and the work, in each handler",
        fails: "the transaction that the select! drops is half done: no clean-up can be awaited in a drop",
    };

    fn new() -> Self {
        Self(Drained::new())
    }

    fn spawn<R: Runtime>(&self, tasks: &Tasks<R>, task: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(tasks, task);
    }

    async fn spawn_job<R: Runtime>(
        &self,
        tasks: &Tasks<R>,
        job: impl Future<Output = ()> + Send + 'static,
    ) {
        self.0.spawn_job(tasks, job).await;
    }

    async fn closing(&self) {
        self.0.closing().await;
    }

    async fn serve<R: Runtime>(&self, mut request: Live<R>, tasks: &Tasks<R>) -> bool {
        if request.sort == Sort::Deaf {
            return server::worked(request, self, tasks).await;
        }
        if done(&mut request, &self.0.token).await {
            return server::answered(request, self, tasks).await;
        }
        request.give_up();
        false
    }

    async fn stop<R: Runtime>(&self, signal: SharedScope, grace: Duration) -> Option<String> {
        self.0.stop::<R>(signal, grace).await
    }
}

/// The same after some accidents: transactions are undone behind the `select!`, jobs are tracked, too,
/// and a second token, which each task runs under, ends what is left after the grace.
#[derive(Clone)]
pub(super) struct Careful {
    soft: Drained,
    hard: CancellationToken,
}

impl Stop for Careful {
    const WAY: Way = Way {
        name: "two tokens, tracker",
        met: "the same after some accidents: undone behind the select!, a second token to force",
        fails: "nothing here; each handler and each task has to remember both",
    };

    fn new() -> Self {
        Self {
            soft: Drained::new(),
            hard: CancellationToken::new(),
        }
    }

    fn spawn<R: Runtime>(&self, tasks: &Tasks<R>, task: impl Future<Output = ()> + Send + 'static) {
        let hard = self.hard.clone();
        let task = async move {
            let _ = hard.run_until_cancelled(task).await;
        };
        self.soft.spawn(tasks, task);
    }

    async fn spawn_job<R: Runtime>(
        &self,
        tasks: &Tasks<R>,
        job: impl Future<Output = ()> + Send + 'static,
    ) {
        self.spawn(tasks, job);
    }

    async fn closing(&self) {
        self.soft.closing().await;
    }

    async fn serve<R: Runtime>(&self, mut request: Live<R>, tasks: &Tasks<R>) -> bool {
        if request.sort == Sort::Deaf {
            return server::worked(request, self, tasks).await;
        }
        if done(&mut request, &self.soft.token).await {
            return server::answered(request, self, tasks).await;
        }
        request.clean_up().await;
        request.give_up();
        false
    }

    async fn stop<R: Runtime>(&self, signal: SharedScope, grace: Duration) -> Option<String> {
        self.soft.stop::<R>(signal, grace).await;
        self.hard.cancel();
        R::timeout(Duration::from_secs(1), self.soft.tracker.wait()).await;
        None
    }
}

/// `select!`: whether it is done.
async fn done<R: Runtime>(request: &mut Live<R>, token: &CancellationToken) -> bool {
    let work = async {
        request.work().await;
        true
    };
    let told = async {
        token.cancelled().await;
        false
    };
    or(work, told).await
}
