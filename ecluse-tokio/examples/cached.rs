//! A cache of [moka's](https://docs.rs/moka) with a `Group` before it: what is not there is loaded once,
//! however many ask, and a loader that is cut off is succeeded by one of those who wait.
//!
//! Why there is neither a gap nor a duplicate: a loaded value is in the cache before its flight is over,
//! by `publish`; and who leads looks into the cache again, so whoever missed a flight finds its value.
//!
//! `cargo run -p ecluse-tokio --example cached`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{Group, NoAnswer, TokioTimer, flight::Verdict};
use moka::sync::Cache;
use tokio::{sync::Semaphore, time::timeout};

/// A user, or why there is none.
type Loaded = Result<Arc<str>, String>;

struct Users {
    cache: Cache<u64, Arc<str>>,
    loads: Group<u64, Loaded>,
}

impl Users {
    /// From the cache, or by `load`, or by another's `load` that is under way.
    async fn user<F>(&self, id: u64, load: impl FnOnce() -> F) -> Result<Loaded, NoAnswer>
    where
        F: Future<Output = Loaded>,
    {
        if let Some(user) = self.cache.get(&id) {
            return Ok(Ok(user));
        }
        let load = || async {
            match self.cache.get(&id) {
                Some(user) => Ok(user),
                None => load().await,
            }
        };
        let answer = self
            .loads
            .run(id, load)
            .judge(|user| match user {
                Ok(_) => Verdict::Share,
                // The next of those who wait tries for itself.
                Err(_) => Verdict::Retry,
            })
            .publish(|user| {
                if let Ok(user) = user {
                    self.cache.insert(id, Arc::clone(user));
                }
            })
            .timeout(TokioTimer, Duration::from_secs(5))
            .await?;
        Ok(answer.value)
    }
}

#[tokio::main]
async fn main() {
    let users = Arc::new(Users {
        cache: Cache::builder()
            .max_capacity(1000)
            .time_to_live(Duration::from_secs(60))
            .build(),
        loads: Group::new(),
    });
    // The database answers a query for each permit.
    let database = Arc::new(Semaphore::new(0));
    let queries = Arc::new(AtomicU32::new(0));
    let ask = || {
        let (users, database, queries) = (users.clone(), database.clone(), queries.clone());
        tokio::spawn(async move {
            let load = || async move {
                let query = queries.fetch_add(1, Ordering::Relaxed);
                database.acquire().await.unwrap().forget();
                match query {
                    1 => Err("connection lost".to_owned()),
                    _ => Ok("Ada".into()),
                }
            };
            users.user(7, load).await.unwrap()
        })
    };

    let shown = timeout(Duration::from_secs(10), async {
        let first = ask();
        while users.loads.peek(&7).is_none() {
            tokio::task::yield_now().await;
        }
        let others: Vec<_> = (0..100).map(|_| ask()).collect();
        while users.loads.peek(&7) != Some(100) {
            tokio::task::yield_now().await;
        }
        // The first that loads is cut off; the second fails; the third's user is shared.
        first.abort();
        database.add_permits(2);
        let (mut found, mut failed) = (0, 0);
        for other in others {
            match other.await.unwrap() {
                Ok(_) => found += 1,
                Err(_) => failed += 1,
            }
        }
        assert_eq!(ask().await.unwrap().as_deref(), Ok("Ada"));
        (found, failed)
    });
    let (found, failed) = shown.await.expect("nobody hangs");
    let queries = queries.load(Ordering::Relaxed);
    assert_eq!((found, failed, queries, users.loads.len()), (99, 1, 3, 0));
    println!(
        "cached on tokio: 101 callers, 1 cut off, {failed} failed, {found} found; queries: {queries}"
    );
}
