//! Coalescing under a `Group`. Nothing here knows the runtime.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
};

use ecluse_tokio::Group;
use futures_lite::future::poll_once;

use super::{
    books::Document,
    proxy::{Call, Coalesce, Page},
};
use crate::{
    load::Failed,
    report::Way,
    runtime::Runtime,
    timeline::{Doing, Open},
};

/// One request fetches, the others of the same document wait for it. If the one is cut off, exactly one
/// of the others takes over.
#[derive(Debug, Default)]
pub(crate) struct UnderGroup(Group<Document, Page>);

impl Coalesce for UnderGroup {
    const WAY: Way = Way {
        name: "ecluse Group",
        met: "ecluse's Group: one fetches for all who ask; if it is cut off, exactly one of those who wait takes over",
        fails: "all who wait for a page are cut off: then its fetch is, too, and whoever comes next begins anew",
    };

    async fn page<R: Runtime>(&self, call: &Call<R>) -> Page {
        // For the timeline only: since when this request waits.
        let waiting: Mutex<Option<Open>> = Mutex::new(None);
        let waited = || {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.take().map(Open::end).is_some()
        };
        let fetch = || async {
            // It may have come between the look into the cache and here.
            if let Some(page) = call.copy() {
                return Ok(page);
            }
            let doing = if waited() {
                Doing::TakingOver
            } else {
                Doing::Holding
            };
            call.fetch(doing).await
        };
        let mut run = pin!(
            self.0
                .run(call.document, fetch)
                .publish(|page| call.keep(page))
        );
        let answer = match poll_once(run.as_mut()).await {
            Some(answer) => answer,
            None => {
                if !run.is_running() {
                    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    *waiting = Some(call.begin(Doing::Waiting));
                }
                run.await
            }
        };
        waited();
        answer.map_or(Err(Failed::Refused), |answer| answer.value)
    }

    fn entries(&self) -> usize {
        self.0.len()
    }
}
