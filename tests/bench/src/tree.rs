//! The cancellation tree beside tokio-util's token: make a child, register, cancel, look, drop.
//!
//! Children and waits lie side by side in rooms that are made before the clock starts, as they would
//! inside their tasks. Each phase is timed on its own.

use std::{
    hint::black_box,
    mem::size_of,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use ecluse_core::{
    Cx, Root, Scope, StdMutex,
    cancel::{CancelWait, Kind},
};
use tokio_util::sync::WaitForCancellationFuture;

use crate::{
    crowd::poll,
    measure::{Case, Rival, Row, Turns},
    peers::Token as CancellationToken,
};

const GROUP: &str = "tree";

/// Room for `n` things that are pinned where they lie.
struct Room<T>(Vec<Option<T>>);

impl<T> Room<T> {
    fn new(n: usize) -> Self {
        Self((0..n).map(|_| None).collect())
    }

    fn fill(&mut self, mut make: impl FnMut(usize) -> T, mut then: impl FnMut(Pin<&mut T>)) {
        for (index, place) in self.0.iter_mut().enumerate() {
            *place = Some(make(index));
            if let Some(value) = place {
                // SAFETY: Validity: the vector is not grown, and what is in it is dropped in place.
                // Aliasing: one reference to each at a time.
                then(unsafe { Pin::new_unchecked(value) });
            }
        }
    }

    fn clear(&mut self) {
        self.0.iter_mut().for_each(|place| *place = None);
    }
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    let most = turns.crowds.last().copied().unwrap_or(1);
    for n in [1, 1_000, 100_000].into_iter().filter(|n| *n <= most) {
        waiters(turns, n, rows);
        children(turns, n, rows);
    }
    looks(turns, rows);
    looks_during_a_cancel(rows);
}

/// How often a small crowd's turn is repeated.
fn repeats(n: usize) -> usize {
    (2_000 / n).max(1)
}

/// Roots, each with n of something: many where n is small, so that a phase is long enough to time.
struct Grove<R> {
    n: usize,
    roots: Vec<R>,
}

impl<R> Grove<R> {
    fn new(n: usize, make: impl Fn() -> R) -> Self {
        let roots = (0..repeats(n)).map(|_| make()).collect();
        Self { n, roots }
    }

    /// The root of a place in the room, for as long as the caller says.
    fn of<'a>(&self, place: usize) -> &'a R {
        // SAFETY: Validity: the room is emptied before the grove goes. Aliasing: shared.
        unsafe { &*core::ptr::from_ref(&self.roots[place / self.n]) }
    }
}

fn case<'a>(phases: &[&str], n: usize, operations: usize) -> Case<'a> {
    let phases = phases.iter().map(|phase| (*phase).into()).collect();
    Case::of_phases(GROUP, phases, n, operations)
}

/// n waits for one scope.
fn waiters(turns: Turns, n: usize, rows: &mut Vec<Row>) {
    let all = n * repeats(n);
    let phases = [
        "register a waiter",
        "cancel, a waiter",
        "observe + drop a waiter",
    ];
    let mut case = case(&phases, n, all);

    let mut room: Room<CancelWait<'_, StdMutex>> = Room::new(all);
    let size = size_of::<CancelWait<'_, StdMutex>>();
    case.timed("ecluse Root", size, move |watch| {
        let grove = Grove::new(n, Root::<StdMutex>::new);
        watch.lap(0, || {
            room.fill(
                |place| grove.of(place).cx().cancelled(),
                |wait| assert!(poll(wait).is_pending()),
            )
        });
        watch.lap(1, || {
            let cancel = |root: &Root<StdMutex>| assert!(root.cancel(Kind::Explicit));
            grove.roots.iter().for_each(cancel)
        });
        watch.lap(2, || observe(&mut room));
    });

    let mut room: Room<WaitForCancellationFuture<'_>> = Room::new(all);
    let size = size_of::<WaitForCancellationFuture<'_>>();
    case.timed("tokio-util token", size, move |watch| {
        let grove = Grove::new(n, CancellationToken::new);
        watch.lap(0, || {
            room.fill(
                |place| grove.of(place).cancelled(),
                |wait| assert!(poll(wait).is_pending()),
            )
        });
        watch.lap(1, || grove.roots.iter().for_each(CancellationToken::cancel));
        watch.lap(2, || observe(&mut room));
    });
    case.run(turns, rows);
}

fn observe<F: Future>(room: &mut Room<F>) {
    for place in &mut room.0 {
        if let Some(wait) = place {
            // SAFETY: as in `Room::fill`.
            assert!(poll(unsafe { Pin::new_unchecked(wait) }).is_ready());
        }
        *place = None;
    }
}

/// n children of one scope.
fn children(turns: Turns, n: usize, rows: &mut Vec<Row>) {
    let all = n * repeats(n);
    let mut dead = case(&["make a child", "cancel, a child", "drop a child"], n, all);

    let mut room: Room<Scope<'_, StdMutex>> = Room::new(all);
    let size = size_of::<Scope<'_, StdMutex>>();
    dead.timed("ecluse Scope", size, move |watch| {
        let grove = Grove::new(n, Root::<StdMutex>::new);
        let enter = |scope: Pin<&mut Scope<'_, StdMutex>>| {
            black_box(scope.as_ref().enter());
        };
        watch.lap(0, || room.fill(|place| grove.of(place).cx().child(), enter));
        watch.lap(1, || {
            let cancel = |root: &Root<StdMutex>| assert!(root.cancel(Kind::Explicit));
            grove.roots.iter().for_each(cancel)
        });
        watch.lap(2, || room.clear());
    });

    let mut room: Room<CancellationToken> = Room::new(all);
    let size = size_of::<CancellationToken>();
    dead.timed("tokio-util child token", size, move |watch| {
        let grove = Grove::new(n, CancellationToken::new);
        let look = |child: Pin<&mut CancellationToken>| {
            black_box(child);
        };
        watch.lap(0, || room.fill(|place| grove.of(place).child_token(), look));
        watch.lap(1, || grove.roots.iter().for_each(CancellationToken::cancel));
        watch.lap(2, || room.clear());
    });
    dead.run(turns, rows);

    // Live ones: what a short child costs under a scope that goes on.
    const OPERATIONS: usize = 10_000;
    let root = Root::<StdMutex>::new();
    let mut scopes: Room<Scope<'_, StdMutex>> = Room::new(n);
    scopes.fill(|_| root.cx().child(), |scope| _ = scope.as_ref().enter());
    let token = CancellationToken::new();
    let mut tokens: Room<CancellationToken> = Room::new(n);
    tokens.fill(|_| token.child_token(), |_| ());
    let mut live = case(&["make + drop a live child"], n, OPERATIONS);
    live.add("ecluse Scope", 0, || {
        for _ in 0..OPERATIONS {
            let scope = std::pin::pin!(root.cx().child());
            black_box(scope.as_ref().enter());
        }
    });
    live.add("tokio-util child token", 0, || {
        for _ in 0..OPERATIONS {
            black_box(token.child_token());
        }
    });
    live.run(turns, rows);
}

/// The question, with nothing else going on.
fn looks(turns: Turns, rows: &mut Vec<Row>) {
    const LOOKS: usize = 20_000;
    let root = Root::<StdMutex>::new();
    let scope = std::pin::pin!(root.cx().child());
    let cx = scope.as_ref().enter();
    let parent = CancellationToken::new();
    let token = parent.child_token();
    let mut case = case(&["is_cancelled"], 1, LOOKS);
    case.add("ecluse Scope", 0, || {
        for _ in 0..LOOKS {
            assert!(!black_box(black_box(cx).is_cancelled()));
        }
    });
    case.add("tokio-util child token", 0, || {
        for _ in 0..LOOKS {
            assert!(!black_box(black_box(&token).is_cancelled()));
        }
    });
    case.run(turns, rows);
}

/// The longest that the question takes, asked of the parent, while another thread cancels 10^6
/// children, in percent of that cancel (`x`). The best of some rounds: on a busy machine the others
/// show how long the asking thread was kept from running.
fn looks_during_a_cancel(rows: &mut Vec<Row>) {
    const CHILDREN: usize = 1_000_000;
    const ROUNDS: usize = 21;

    /// Asks until the cancel is over: the longest in ns, and the cancel's time in ns.
    fn round(ask: impl Fn() -> bool + Sync, cancel: impl FnOnce()) -> (f64, f64) {
        let (ready, over) = (AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|threads| {
            let asker = threads.spawn(|| {
                let mut longest = 0.0f64;
                while !over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    black_box(ask());
                    longest = longest.max(start.elapsed().as_secs_f64());
                    ready.store(true, Ordering::Relaxed);
                }
                longest * 1e9
            });
            while !ready.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            let start = Instant::now();
            cancel();
            let took = start.elapsed().as_secs_f64() * 1e9;
            over.store(true, Ordering::Relaxed);
            (asker.join().expect("the asker"), took)
        })
    }

    let mut best = |implementation, mut one: Box<dyn FnMut() -> (f64, f64)>| {
        let mut rounds: Vec<(f64, f64)> = (0..ROUNDS).map(|_| one()).collect();
        rounds.sort_by(|one, two| one.0.total_cmp(&two.0));
        let (longest, took) = rounds[0];
        let percent = longest / took * 100.0;
        rows.push(Row {
            group: GROUP,
            case: "longest look in a cancel (x: %)".into(),
            implementation,
            n: CHILDREN,
            x: percent,
            x_low: percent,
            x_high: percent,
            ns: longest,
            heap_bytes: 0.0,
            allocations: 0.0,
            future_bytes: 0,
            floor: false,
            rival: None,
        });
        percent
    };

    let mut room: Room<Scope<'_, StdMutex>> = Room::new(CHILDREN);
    let ours = best(
        "ecluse Scope",
        Box::new(move || {
            let root = Root::<StdMutex>::new();
            // SAFETY: Validity: the room is empty again before the root goes. Aliasing: shared.
            let cx: Cx<'_, StdMutex> = unsafe { core::mem::transmute(root.cx()) };
            room.fill(|_| cx.child(), |scope| _ = scope.as_ref().enter());
            let times = round(
                || cx.is_cancelled(),
                || assert!(root.cancel(Kind::Explicit)),
            );
            room.clear();
            times
        }),
    );
    let theirs = best(
        "tokio-util child token",
        Box::new(|| {
            let token = CancellationToken::new();
            let children: Vec<CancellationToken> =
                (0..CHILDREN).map(|_| token.child_token()).collect();
            let times = round(|| token.is_cancelled(), || token.cancel());
            drop(children);
            times
        }),
    );
    if let [.., row, _] = &mut rows[..] {
        row.rival = Some(Rival::new("tokio-util child token", vec![ours / theirs]));
    }
}
