//! Coalescing as it is written by hand, in the ways that one meets most, and a careful fourth. All look
//! into the cache again once they are alone with their map, so that none fetches what has just come,
//! and all clear their map on failure, too. They differ in what becomes of the others when the one who
//! fetches is cut off.
//!
//! `tokio::sync` needs no runtime of tokio's, so the same code runs on smol and async-std.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{OnceCell, broadcast};

use super::{
    books::Document,
    proxy::{Call, Coalesce, Page},
};
use crate::{
    report::Way,
    runtime::Runtime,
    timeline::{Doing, Open},
};

fn lock<T>(map: &Mutex<T>) -> MutexGuard<'_, T> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A cache and nothing else: "look it up, or fetch and insert", as in the first version of most proxies.
#[derive(Debug, Default)]
pub(crate) struct EachForItself;

impl Coalesce for EachForItself {
    const WAY: Way = Way {
        name: "cache only",
        met: "“look it up, or fetch and insert”",
        fails: "a page expires: all who ask before it is there fetch it, and upstream's queue is as long as the crowd",
    };

    async fn page<R: Runtime>(&self, call: &Call<R>) -> Page {
        let page = call.fetch(Doing::Holding).await;
        call.keep(&page);
        page
    }

    fn entries(&self) -> usize {
        0
    }
}

/// A map of what is being fetched, with a broadcast channel for each: the single-flight map of Go, as it
/// is first carried over to async Rust. Who finds no entry makes one, fetches in its own request
/// handler, removes the entry and sends.
///
/// What it does not survive: that the handler is dropped at its `await`, which has no like in Go. The
/// entry stays, its sender lives, and whoever asks for that document waits for ever.
#[derive(Debug, Default)]
pub(crate) struct MapOfSenders(Mutex<HashMap<Document, broadcast::Sender<Page>>>);

impl Coalesce for MapOfSenders {
    const WAY: Way = Way {
        name: "map of senders",
        met: "the single-flight map of Go, carried over: a channel for each key that is being fetched",
        fails: "the handler that fetches is dropped at its await: its entry stays, and whoever asks for that page waits \
                for ever",
    };

    async fn page<R: Runtime>(&self, call: &Call<R>) -> Page {
        let receiver = {
            let mut map = lock(&self.0);
            if let Some(page) = call.copy() {
                return Ok(page);
            }
            match map.get(&call.document) {
                Some(sender) => Some(sender.subscribe()),
                None => {
                    map.insert(call.document, broadcast::Sender::new(1));
                    None
                }
            }
        };
        if let Some(mut receiver) = receiver {
            let open = call.begin(Doing::Waiting);
            let page = receiver.recv().await?;
            open.end();
            return page;
        }
        let page = call.fetch(Doing::Holding).await;
        call.keep(&page);
        if let Some(sender) = lock(&self.0).remove(&call.document) {
            // Nobody may have joined.
            let _ = sender.send(page.clone());
        }
        page
    }

    fn entries(&self) -> usize {
        lock(&self.0).len()
    }
}

/// The same after the first outage: the map's senders are weak, the one who fetches has the only strong
/// one. If it is dropped, those who wait get an error from their channel, the next to come makes a new
/// entry, and nobody hangs. (The form in which tutorials on request coalescing present the map, before
/// they move the fetch into a task of its own.)
///
/// What it does not settle: who fetches instead. All of them fall back on a fetch of their own, as they
/// would without the map, and at the same moment.
#[derive(Debug, Default)]
pub(crate) struct WeakSenders(Mutex<HashMap<Document, Weak<broadcast::Sender<Page>>>>);

impl Coalesce for WeakSenders {
    const WAY: Way = Way {
        name: "weak senders",
        met: "the same after the first outage, as in tutorials: who fetches has the only strong sender, the others fall \
              back",
        fails: "a fetch that is cut off becomes as many fetches as there were waiters",
    };

    async fn page<R: Runtime>(&self, call: &Call<R>) -> Page {
        let role = {
            let mut map = lock(&self.0);
            if let Some(page) = call.copy() {
                return Ok(page);
            }
            match map.get(&call.document).and_then(Weak::upgrade) {
                Some(sender) => Err(sender.subscribe()),
                None => {
                    let sender = Arc::new(broadcast::Sender::new(1));
                    map.insert(call.document, Arc::downgrade(&sender));
                    Ok(sender)
                }
            }
        };
        match role {
            Ok(sender) => {
                let page = call.fetch(Doing::Holding).await;
                call.keep(&page);
                lock(&self.0).remove(&call.document);
                // Nobody may have joined.
                let _ = sender.send(page.clone());
                page
            }
            Err(mut receiver) => {
                let open = call.begin(Doing::Waiting);
                let received = receiver.recv().await;
                open.end();
                match received {
                    Ok(page) => page,
                    Err(_) => {
                        let page = call.fetch(Doing::TakingOver).await;
                        call.keep(&page);
                        page
                    }
                }
            }
        }
    }

    fn entries(&self) -> usize {
        lock(&self.0).len()
    }
}

/// A map of async once-cells: the cell lets the next one in if the one who fills it is cut off. It does
/// what it should; what it leaves is an entry for each document whose callers were all cut off.
#[derive(Debug, Default)]
pub(crate) struct CellForEach(Mutex<HashMap<Document, Arc<OnceCell<Page>>>>);

impl Coalesce for CellForEach {
    const WAY: Way = Way {
        name: "map of cells",
        met: "an async once-cell for each page: if whoever fills it is cut off, it lets the next one in",
        fails: "nothing here; an entry is left behind for each page whose callers were all cut off",
    };

    async fn page<R: Runtime>(&self, call: &Call<R>) -> Page {
        let (cell, joins) = {
            let mut map = lock(&self.0);
            if let Some(page) = call.copy() {
                return Ok(page);
            }
            let joins = map.contains_key(&call.document);
            (Arc::clone(map.entry(call.document).or_default()), joins)
        };
        let fetches = AtomicBool::new(false);
        let waiting = Mutex::new(joins.then(|| call.begin(Doing::Waiting)));
        let fill = || async {
            fetches.store(true, Ordering::Relaxed);
            let waited = lock(&waiting).take().map(Open::end);
            let doing = if waited.is_some() {
                Doing::TakingOver
            } else {
                Doing::Holding
            };
            call.fetch(doing).await
        };
        let page = cell.get_or_init(fill).await.clone();
        if let Some(open) = lock(&waiting).take() {
            open.end();
        }
        if fetches.into_inner() {
            call.keep(&page);
            lock(&self.0).remove(&call.document);
        }
        page
    }

    fn entries(&self) -> usize {
        lock(&self.0).len()
    }
}
