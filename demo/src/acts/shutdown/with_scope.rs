//! Stopping a server whose connections, requests and jobs are children of one scope.

use std::{
    collections::BTreeMap,
    fmt::Write,
    future::{Future, pending},
    marker::PhantomData,
    ops::ControlFlow,
    pin::{Pin, pin},
    time::{Duration, Instant},
};

use ecluse_tokio::{
    SharedScope,
    cancel::Shutdown,
    runtime::{Clock, Timer, instant_after},
};

use super::{
    requests::{Live, Sort},
    server::{self, Stop},
};
use crate::{
    report::Way,
    runtime::{Runtime, Tasks},
};

/// Everything that the server does is a child of one scope.
#[derive(Clone)]
pub(super) struct Scoped(SharedScope);

impl Stop for Scoped {
    const WAY: Way = Way {
        name: "ecluse scope",
        met: "ecluse's Shutdown: everything that the server runs is a child of one scope; it waits for the signal, cancels, \
              lets clean-ups go on under their shields, forces what is left, and says who that was",
        fails: "a task that never comes back to its executor: nobody can force it",
    };

    fn new() -> Self {
        Self(SharedScope::named("server"))
    }

    fn spawn<R: Runtime>(&self, tasks: &Tasks<R>, task: impl Future<Output = ()> + Send + 'static) {
        // Refused once the scope is cancelled: a connection that came at that moment is closed.
        let _ = self.0.spawn(tasks, |_| task);
    }

    async fn spawn_job<R: Runtime>(
        &self,
        tasks: &Tasks<R>,
        job: impl Future<Output = ()> + Send + 'static,
    ) {
        // A cancelled scope takes no more children, and gives the job back: it is done here.
        if let Err(refused) = self.0.spawn(tasks, |_| job) {
            if let Some(job) = refused.into_future() {
                job.await;
            }
        }
    }

    async fn closing(&self) {
        self.0.cx().cancelled().await;
    }

    async fn serve<R: Runtime>(&self, mut request: Live<R>, tasks: &Tasks<R>) -> bool {
        let scope = pin!(self.0.cx().child().named(request.sort.name()));
        let cx = scope.as_ref().enter();
        if request.sort == Sort::Deaf {
            return server::worked(request, self, tasks).await;
        }
        if cx.guard(request.work()).await.is_ok() {
            return server::answered(request, self, tasks).await;
        }
        cx.protect(async |_| request.clean_up().await).await;
        request.give_up();
        false
    }

    async fn stop<R: Runtime>(&self, signal: SharedScope, grace: Duration) -> Option<String> {
        // Once; a second Ctrl-C ends the process.
        let mut first = Some(&signal);
        let told = || {
            let first = first.take();
            async move {
                match first {
                    Some(signal) => drop(signal.cx().cancelled().await),
                    None => pending().await,
                }
            }
        };
        let looks = async {
            self.0.cx().cancelled().await;
            R::sleep(grace.mul_f64(0.95)).await;
            names(&self.0)
        };
        let timer = Time::<R>(PhantomData);
        let stops = Shutdown::new(&self.0, timer).grace(grace).on(told);
        let (seen, report) = futures_lite::future::zip(looks, stops).await;
        Some(format!(
            "{report}; still there shortly before the end of the grace: {seen}"
        ))
    }
}

/// Who is in the tree, by name.
fn names(scope: &SharedScope) -> String {
    let mut names = BTreeMap::new();
    let _ = scope.tree().visit(|status| {
        if !status.name().is_empty() && status.depth() > 0 {
            *names.entry(status.name()).or_insert(0) += 1;
        }
        ControlFlow::<()>::Continue(())
    });
    let mut text = String::new();
    for (name, count) in names {
        let comma = if text.is_empty() { "" } else { ", " };
        let _ = write!(text, "{comma}{count} {name}");
    }
    if text.is_empty() {
        "nobody".clone_into(&mut text);
    }
    text
}

/// The time of whichever runtime.
#[derive(Clone, Copy)]
struct Time<R>(PhantomData<fn() -> R>);

impl<R> Clock for Time<R> {
    type Instant = Instant;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn after(&self, from: Instant, by: Duration) -> Instant {
        instant_after(from, by)
    }
}

impl<R: Runtime> Timer for Time<R> {
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn sleep_until(&self, at: Instant) -> Self::Sleep {
        Box::pin(R::sleep(at.saturating_duration_since(Instant::now())))
    }
}
