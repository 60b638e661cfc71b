//! Eight tasks meet an expired credential. One renews it under a `Line`, the others wait and go on.
//! The one that renews is cut off in the middle, twice, and so is one that waits: another takes
//! over each time, nobody is left parked, and the credential is renewed exactly once.
//!
//! `cargo run -p ecluse-smol --example renew_smol`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use ecluse_smol::{AcquireIf, Generation, Line};
use smol::{
    Task, Timer,
    channel::{Receiver, Sender, unbounded},
    future::or,
};

const EXPIRED: u32 = 1;
const VALID: u32 = 2;
const TASKS: usize = 8;

/// A session with a service, shared by all tasks.
struct Session {
    renewal: Line,
    credential: AtomicU32,
    minting: Sender<usize>,
    minted: Receiver<u32>,
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
        self.minting.send(task).await.unwrap();
        let fresh = self.minted.recv().await.unwrap();
        self.mints.fetch_add(1, Ordering::Relaxed);
        fresh
    }
}

fn main() {
    smol::block_on(async {
        let (minting, minting_now) = unbounded();
        let (answer, minted) = unbounded();
        let session = Arc::new(Session {
            renewal: Line::new(),
            credential: AtomicU32::new(EXPIRED),
            minting,
            minted,
            mints: AtomicU32::new(0),
        });
        let (stops, stopped): (Vec<_>, Vec<_>) = (0..TASKS).map(|_| unbounded::<()>()).unzip();
        let mut tasks: Vec<Option<Task<bool>>> = (0..TASKS)
            .map(|task| {
                let (session, stopped) = (Arc::clone(&session), stopped[task].clone());
                let request = async move {
                    session.request(task).await;
                    true
                };
                let stop = async move { stopped.recv().await.is_err() };
                Some(smol::spawn(or(request, stop)))
            })
            .collect();

        // The first that renews is dropped with its task; the second loses its race.
        let first = minting_now.recv().await.unwrap();
        drop(tasks[first].take());
        let second = minting_now.recv().await.unwrap();
        stops[second].send(()).await.unwrap();
        // The third is let through; one that waits for it is cancelled, and gone when that returns.
        let third = minting_now.recv().await.unwrap();
        let waits = (0..TASKS).find(|task| ![first, second, third].contains(task));
        let cancelled = tasks[waits.unwrap()].take().unwrap().cancel().await;
        assert_eq!(cancelled, None);
        answer.send(VALID).await.unwrap();

        let mut went_on = 0;
        for task in tasks.into_iter().flatten() {
            let late = async {
                Timer::after(Duration::from_secs(10)).await;
                panic!("a task hangs")
            };
            went_on += usize::from(or(task, late).await);
        }
        let mints = session.mints.load(Ordering::Relaxed);
        let cut_off = TASKS - went_on;
        assert_eq!((mints, cut_off), (1, 3));
        assert!(!session.renewal.is_busy());
        println!(
            "renew on smol: {TASKS} tasks, {went_on} went on, {cut_off} cut off, mints: {mints}"
        );
    });
}
