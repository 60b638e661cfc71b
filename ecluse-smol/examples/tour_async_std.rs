//! The primitives on async-std, in brief. What differs from smol is how tasks are spawned and cancelled: to drop a `JoinHandle`
//! detaches, `cancel().await` cancels. The pages of `tour_smol` say more of each, and do on async-std, too, with
//! `async_std::task::spawn`.
//!
//! `cargo run -p ecluse-smol --example tour_async_std`
#![allow(clippy::std_instead_of_core, reason = "a program of the host")]

use std::{
    env,
    fmt::Error,
    future::pending,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_std::{
    channel::bounded,
    future::timeout,
    task::{block_on, spawn, yield_now},
};
use ecluse_smol::{
    AcquireIf, Admission, Channel, Cx, Flight, FlushTable, Group, Line, NotAdmitted, Once, Outcome,
    Refresher, Root, SharedScope, Slot, WaitExt,
    async_std::{AsyncStdSpawn, AsyncStdTimer},
    cancel::Kind,
    refresh::{Minted, Policy},
    runtime::Tally,
};

/// A claim is handed on when its holder is cancelled.
async fn slot() {
    static JOB: Slot = Slot::new();
    let (begun, begins) = bounded(1);
    let worker = spawn(async move {
        let claim = JOB.try_claim().expect("nobody has it");
        begun.send(()).await.expect("the other one waits");
        pending::<()>().await;
        claim.release();
    });
    begins.recv().await.expect("the worker begins");
    let next = spawn(JOB.claim());
    while !JOB.has_waiters() {
        yield_now().await;
    }
    worker.cancel().await; // to drop it would let it go on
    let claim = next.await.expect("it was handed on");
    assert!(claim.inherited().is_some_and(Outcome::is_abandoned));
    claim.release();
}

/// One logs in, the others wait for that; who was refused before it and comes late does not log in again.
async fn line() {
    static LOGIN: Line = Line::new();
    let seen = LOGIN.generation();
    let AcquireIf::Success(token) = LOGIN.acquire_if(seen) else {
        panic!("nobody logs in")
    };
    let AcquireIf::Failure(wait) = LOGIN.acquire_if(seen) else {
        panic!("somebody does")
    };
    token.release();
    let waited = wait.within(Duration::from_secs(60)).await;
    assert_eq!(waited, Ok(Outcome::Done));
    assert!(matches!(LOGIN.acquire_if(seen), AcquireIf::Outdated));
}

/// Two ask for a page, which is fetched once, by a task that its first caller's time-out does not end.
async fn flights() {
    let (page, tally) = (Arc::<Flight<u32>>::default(), Arc::<Tally>::default());
    let (answer, fetched) = bounded(1);
    let get = || {
        let fetched = fetched.clone();
        let fetch = move || async move { fetched.recv().await.unwrap_or(0) };
        Flight::run_detached(&page, AsyncStdSpawn, Arc::clone(&tally), fetch).outlive()
    };
    let short = Duration::from_millis(1);
    assert!(timeout(short, get()).await.is_err());
    let mut next = pin!(get());
    assert!(timeout(short, next.as_mut()).await.is_err()); // it has joined the same fetch
    answer.send(7).await.expect("it is being fetched");
    assert_eq!(next.await.expect("it was fetched").value, 7);
    tally.joined().await;

    static USERS: Group<u32, Option<&str>> = Group::new();
    let load = || async {
        yield_now().await;
        Some("Ada")
    };
    let (one, other) = (spawn(USERS.run(1, load)), spawn(USERS.run(1, load)));
    assert_eq!(one.await.map(|answer| answer.value), Ok(Some("Ada")));
    assert_eq!(other.await.map(|answer| answer.value), Ok(Some("Ada")));
    assert!(USERS.is_empty());
}

/// Who makes the value is cut off; the next one makes it, and it is kept.
async fn once() {
    static CONFIG: Once<String> = Once::new();
    let hasty = timeout(Duration::from_millis(1), CONFIG.get_or_init(pending));
    assert!(hasty.await.is_err());
    let made = CONFIG.get_or_init(|| async { "…".to_owned() }).await;
    assert_eq!(made.ok(), CONFIG.get());
}

/// A refused token is renewed by one task, in the background.
async fn refresher() {
    static MINTS: AtomicU32 = AtomicU32::new(0);
    let mint = || async {
        let number = MINTS.fetch_add(1, Ordering::Relaxed) + 1;
        Ok::<_, Error>(Minted::expires_in(number, Duration::from_secs(3600)))
    };
    let token: Arc<Refresher<_, _>> = Arc::new(Refresher::new(AsyncStdTimer, Policy::new()));
    let tally: Arc<Tally> = Arc::default();
    let get = || Refresher::get_in_background(&token, AsyncStdSpawn, Arc::clone(&tally), mint);
    let first = get().await.expect("it is minted");
    assert!(token.invalidate(first.version));
    let (one, other) = (spawn(get()), spawn(get()));
    let renewed = (one.await.expect("it is"), other.await.expect("it is"));
    assert_eq!((*renewed.0, renewed.0), (2, renewed.1));
    tally.joined().await;
}

/// One request is served, one waits, the next is refused at once.
async fn admission() {
    static LOAD: Admission = Admission::new(1, 1);
    let busy = LOAD.acquire(1).await.expect("it is idle");
    let waits = spawn(LOAD.acquire(1));
    while LOAD.waiting() == 0 {
        yield_now().await;
    }
    let shed = LOAD.acquire(1).await;
    assert_eq!(shed.err(), Some(NotAdmitted::RoomFull));
    drop(busy);
    assert!(waits.await.is_ok());
}

/// A receiver that is cancelled leaves no trace; what is left when the channel is closed is received.
async fn channel() {
    static JOBS: Channel<u32, 2> = Channel::new();
    let worker = spawn(JOBS.receive());
    while !JOBS.has_waiting_receivers() {
        yield_now().await;
    }
    assert_eq!(worker.cancel().await, None);
    JOBS.send(1).await.expect("it is open");
    JOBS.send(2).await.expect("it is open");
    JOBS.close();
    let left = (JOBS.receive().await, JOBS.receive().await);
    assert_eq!(left, (Ok(1), Ok(2)));
    assert!(JOBS.receive().await.is_err());
}

/// A cancel reaches what lies below, with its reason; of two futures that run together one fails, and ends the other.
async fn scopes() {
    static SERVER: Root = Root::new();
    let connection = pin!(SERVER.cx().child());
    let request = pin!(connection.as_ref().enter().child());
    let cx = request.as_ref().enter();
    let mut cleaned = false;
    let both = cx.concurrently(
        async |cx: Cx<'_>| {
            cx.cancelled().await;
            cleaned = true;
            Ok(())
        },
        async { Err::<(), _>(Error) },
    );
    assert_eq!(
        both.await.map_err(|error| error.first().copied()),
        Err(Some(Error))
    );
    assert!(cleaned);
    SERVER.cancel(Kind::Shutdown);
    let ended = cx.guard(pending::<()>()).await;
    assert!(ended.is_err_and(|cancelled| cancelled.reason().kind() == Kind::Shutdown));
}

/// Tasks that are told to end, and waited for; one does not listen, and is dropped by force.
async fn spawned() {
    let server: SharedScope = SharedScope::named("server");
    let listens = async |scope: SharedScope| {
        let _ = scope.cx().guard(pending::<()>()).await;
    };
    server.spawn(&AsyncStdSpawn, listens).expect("it is open");
    server
        .spawn(&AsyncStdSpawn, |_| pending())
        .expect("it is open");
    server.cancel(Kind::Shutdown);
    while server.live() > 1 {
        yield_now().await;
    }
    server.force(Kind::Limit);
    server.joined().await;
    assert_eq!(server.lost(), 1);
}

/// A request that its client takes back: the flush is answered, the request is not.
async fn flush() {
    static REQUESTS: FlushTable<u16, 4> = FlushTable::new();
    let request = REQUESTS.begin(1).expect("there is room");
    let serve = spawn(async move {
        let read = request.cx().guard(pending::<()>()).await;
        drop(request);
        read.is_ok()
    });
    let flush = REQUESTS.flush_as(2, 1).expect("there is room");
    flush.await.expect("nobody flushes the flush").sent();
    assert!(!serve.await);
    assert!(REQUESTS.begin(1).is_ok());
}

/// Runs a page, if it is the one that was asked for, or none was.
async fn show(name: &str, page: impl Future<Output = ()>) {
    if env::args().nth(1).is_none_or(|only| only == name) {
        let shown = timeout(Duration::from_secs(30), page).await;
        shown.unwrap_or_else(|_| panic!("the page `{name}` hangs"));
        println!("{name}: as it says");
    }
}

fn main() {
    block_on(async {
        show("slot", slot()).await;
        show("line", line()).await;
        show("flights", flights()).await;
        show("once", once()).await;
        show("refresher", refresher()).await;
        show("admission", admission()).await;
        show("channel", channel()).await;
        show("scopes", scopes()).await;
        show("spawned", spawned()).await;
        show("flush", flush()).await;
    });
}
