//! Eight tasks meet an expired credential. One renews it under a `Line`, the others wait and go on.
//! The one that renews is cut off in the middle, twice, and so is one that waits: another takes
//! over each time, nobody is left parked, and the credential is renewed exactly once.
//!
//! embassy cannot abort a task: here they lose a `select`, or their time runs out. All memory is
//! static. On the host: `cargo run -p ecluse-embassy --example renew_embassy`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use core::sync::atomic::{AtomicU32, Ordering};

use ecluse_embassy::{
    AcquireIf, Generation, Line, Pool, Tally, WaitExt,
    runtime::{Inline, Spawn},
};
use embassy_executor::{Executor, Spawner};
use embassy_futures::select::{Either, select};
use embassy_sync::{
    blocking_mutex::raw::CriticalSectionRawMutex, channel::Channel, signal::Signal,
};
use embassy_time::{Duration, with_timeout};

const EXPIRED: u32 = 1;
const VALID: u32 = 2;
const TASKS: usize = 8;

type Signals<T> = Signal<CriticalSectionRawMutex, T>;

// A session with a service, shared by all tasks.
static RENEWAL: Line = Line::new();
static CREDENTIAL: AtomicU32 = AtomicU32::new(EXPIRED);
static MINTS: AtomicU32 = AtomicU32::new(0);
static MINTING: Channel<CriticalSectionRawMutex, usize, TASKS> = Channel::new();
static MINTED: Signals<u32> = Signal::new();

// The tasks.
static POOL: Pool<Inline<384>, TASKS> = Pool::new();
static CREW: Tally = Tally::new();
static STOPS: [Signals<()>; TASKS] = [const { Signal::new() }; TASKS];
static WENT_ON: AtomicU32 = AtomicU32::new(0);

/// A request; on a refusal it is made again with a renewed credential.
async fn request(task: usize) {
    loop {
        // The generation first: it is never newer than the credential that goes with it.
        let seen = RENEWAL.generation();
        if CREDENTIAL.load(Ordering::Acquire) == VALID {
            return;
        }
        renew(task, seen).await;
    }
}

/// Renews the credential that was refused in generation `seen`, or waits for who does.
async fn renew(task: usize, seen: Generation) {
    match RENEWAL.acquire_if(seen) {
        AcquireIf::Success(token) => {
            let fresh = mint(task).await;
            CREDENTIAL.store(fresh, Ordering::Release);
            token.release();
        }
        // However it ends, `request` looks again; if it was abandoned, one of us is next.
        AcquireIf::Failure(wait) => drop(wait.await),
        // Renewed since: a late refusal renews nothing.
        AcquireIf::Outdated => {}
    }
}

/// The slow part: the modem, which answers when `direct` lets it.
async fn mint(task: usize) -> u32 {
    MINTING.send(task).await;
    let fresh = MINTED.wait().await;
    MINTS.fetch_add(1, Ordering::Relaxed);
    fresh
}

/// A request that can be stopped.
async fn stoppable(task: usize) {
    if let Either::First(()) = select(request(task), STOPS[task].wait()).await {
        WENT_ON.fetch_add(1, Ordering::Relaxed);
    }
}

/// Cuts some off.
#[embassy_executor::task]
async fn direct(spawner: Spawner) {
    // This one has the token first, and is out of time while it renews.
    let hasty = with_timeout(Duration::from_millis(20), request(0));
    let pool = POOL.on(spawner.make_send());
    for task in 1..TASKS {
        pool.spawn(CREW.ticket(Inline::new(stoppable(task))))
            .unwrap();
    }
    assert!(hasty.await.is_err());
    assert_eq!(MINTING.receive().await, 0);
    // The second loses its select.
    let second = MINTING.receive().await;
    STOPS[second].signal(());
    // The third is let through; one that waits for it is stopped.
    let third = MINTING.receive().await;
    let waits = (1..TASKS).find(|task| ![second, third].contains(task));
    STOPS[waits.unwrap()].signal(());
    embassy_futures::yield_now().await;
    MINTED.signal(VALID);
    let joined = CREW.joined().within(Duration::from_secs(10)).await;
    joined.expect("nobody hangs");
}

fn main() {
    let executor: &'static mut Executor = Box::leak(Box::new(Executor::new()));
    let start = |spawner: Spawner| spawner.spawn(direct(spawner).unwrap());
    // On a chip: `executor.run(start)`, for ever.
    executor.run_until(start, || {
        CREDENTIAL.load(Ordering::Acquire) == VALID && CREW.live() == 0
    });

    let (mints, went_on) = (
        MINTS.load(Ordering::Relaxed),
        WENT_ON.load(Ordering::Relaxed),
    );
    let cut_off = TASKS - went_on as usize;
    assert_eq!((mints, cut_off), (1, 3));
    assert!(!RENEWAL.is_busy());
    println!(
        "renew on embassy: {TASKS} tasks, {went_on} went on, {cut_off} cut off, mints: {mints}"
    );
}
