//! Eight tasks meet an expired credential. One renews it under a `Line`, the others wait and go on.
//! The one that renews is cut off in the middle, twice, and so is one that waits: another takes
//! over each time, nobody is left parked, and the credential is renewed exactly once.
//!
//! `cargo run -p ecluse-tokio --example renew`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_tokio::{AcquireIf, Generation, Line};
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::timeout,
};

const EXPIRED: u32 = 1;
const VALID: u32 = 2;
const TASKS: usize = 8;

/// A session with a service, shared by all tasks.
struct Session {
    renewal: Line,
    credential: AtomicU32,
    minting: mpsc::UnboundedSender<usize>,
    minted: Notify,
    mints: AtomicU32,
}

impl Session {
    /// A request; on a refusal it is made again with a renewed credential.
    async fn request(&self, task: usize) {
        loop {
            // The generation first: it is never newer than the credential that goes with it.
            let seen = self.renewal.generation();
            if self.credential.load(Ordering::Acquire) == VALID {
                return;
            }
            self.renew(task, seen).await;
        }
    }

    /// Renews the credential that was refused in generation `seen`, or waits for who does.
    async fn renew(&self, task: usize, seen: Generation) {
        match self.renewal.acquire_if(seen) {
            AcquireIf::Success(token) => {
                let fresh = self.mint(task).await;
                self.credential.store(fresh, Ordering::Release);
                token.release();
            }
            // However it ends, `request` looks again; if it was abandoned, one of us is next.
            AcquireIf::Failure(wait) => drop(wait.await),
            // Renewed since: a late refusal renews nothing.
            AcquireIf::Outdated => {}
        }
    }

    /// The slow part: the token service, which answers when `main` lets it.
    async fn mint(&self, task: usize) -> u32 {
        self.minting.send(task).unwrap();
        self.minted.notified().await;
        self.mints.fetch_add(1, Ordering::Relaxed);
        VALID
    }
}

#[tokio::main]
async fn main() {
    let (minting, mut minting_now) = mpsc::unbounded_channel();
    let session = Arc::new(Session {
        renewal: Line::new(),
        credential: AtomicU32::new(EXPIRED),
        minting,
        minted: Notify::new(),
        mints: AtomicU32::new(0),
    });
    let stops: Arc<[Notify; TASKS]> = Arc::default();
    let mut tasks: Vec<JoinHandle<bool>> = (0..TASKS)
        .map(|task| {
            let (session, stops) = (Arc::clone(&session), Arc::clone(&stops));
            tokio::spawn(async move {
                tokio::select! {
                    () = session.request(task) => true,
                    () = stops[task].notified() => false,
                }
            })
        })
        .collect();

    // The first that renews is aborted; the second loses its select.
    let first = minting_now.recv().await.unwrap();
    tasks[first].abort();
    let second = minting_now.recv().await.unwrap();
    stops[second].notify_one();
    // The third is let through; one that waits for it is aborted.
    let third = minting_now.recv().await.unwrap();
    let waits = (0..TASKS).find(|task| ![first, second, third].contains(task));
    let waits = tasks.remove(waits.unwrap());
    waits.abort();
    assert!(waits.await.unwrap_err().is_cancelled());
    session.minted.notify_one();

    let mut went_on = 0;
    for task in tasks {
        let ended = timeout(Duration::from_secs(10), task).await;
        went_on += usize::from(ended.expect("nobody hangs").unwrap_or(false));
    }
    let mints = session.mints.load(Ordering::Relaxed);
    let cut_off = TASKS - went_on;
    assert_eq!((mints, cut_off), (1, 3));
    assert!(!session.renewal.is_busy());
    println!("renew on tokio: {TASKS} tasks, {went_on} went on, {cut_off} cut off, mints: {mints}");
}
