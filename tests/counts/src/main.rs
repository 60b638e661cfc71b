//! What one operation costs in instructions, with nobody waiting: a function each, which does it
//! `TIMES` times. Run under callgrind, which says what each function took in all; `cargo xtask counts`
//! takes off the loop, and divides.
//!
//! What is printed: how often, then a line for each function, with what it does.

use core::{future::Future, hint::black_box, pin::pin, task::Context, time::Duration};
use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    task::{Poll, Waker},
};

use ecluse_core::{
    AcquireOutcome, Admission, Channel, Flight, Group, Handoff, Line, Local, Once, Refresher, Root,
    Slot, StdMutex,
    flight::{NoClock, Promote},
    refresh::{Minted, Policy, Reader},
    runtime::Clock,
};

const TIMES: usize = 1000;

/// A future that is ready at its first poll, as in the benches.
#[inline(always)]
fn now<F: Future>(future: F) -> F::Output {
    let future = pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nobody else is there"),
    }
}

/// Always zero.
#[derive(Clone, Copy, Debug)]
struct Still;

impl Clock for Still {
    type Instant = u64;

    #[inline(always)]
    fn now(&self) -> u64 {
        0
    }

    fn after(&self, from: u64, by: Duration) -> u64 {
        from + by.as_secs()
    }
}

/// Hashes as the standard library does, with the same seed each time.
type Hasher = BuildHasherDefault<DefaultHasher>;
type Groups = Group<u64, u64, Promote, StdMutex, Hasher>;
type Token = Refresher<u64, (), Still, StdMutex>;

macro_rules! counted {
    ($($name:ident($thing:ident: $type:ty) $does:literal $body:block)*) => {
        $(
            #[inline(never)]
            fn $name($thing: $type, times: usize) {
                for _ in 0..times {
                    let $thing = black_box($thing);
                    $body
                }
            }
        )*

        /// What is counted, and what it does.
        const COUNTED: &[(&str, &str)] = &[$((stringify!($name), $does)),*];
    };
}

counted! {
    counted_nothing(nothing: &()) "nothing" { black_box(nothing); }
    counted_claim(slot: &Slot) "Slot: claim + release" {
        if let Ok(claim) = slot.try_claim() {
            claim.release();
        }
    }
    counted_claim_awaited(slot: &Slot) "Slot: claim().await + release" {
        if let Ok(claim) = now(slot.claim()) {
            claim.release();
        }
    }
    counted_claim_local(slot: &Slot<Handoff, Local>) "Slot, one thread: claim + release" {
        if let Ok(claim) = slot.try_claim() {
            claim.release();
        }
    }
    counted_acquire(line: &Line) "Line: acquire + release" {
        if let AcquireOutcome::Success(token) = line.try_acquire_token() {
            token.release();
        }
    }
    counted_flight(flight: &Flight<u64>) "Flight: a run alone" {
        let _ = black_box(now(flight.run(|| async { 1 })));
    }
    counted_group(group: &Groups) "Group: a run alone, at a key" {
        let _ = black_box(now(group.run(black_box(7), || async { 1 })));
    }
    counted_once(once: &Once<u64>) "Once: get, it is there" { black_box(once.get()); }
    counted_once_awaited(once: &Once<u64>) "Once: get_or_init().await, it is there" {
        let _ = black_box(now(once.get_or_init(core::future::pending::<u64>)));
    }
    counted_admission(admission: &Admission) "Admission: acquire + return" {
        drop(admission.try_acquire(1));
    }
    counted_admission_awaited(admission: &Admission) "Admission: acquire().await + return" {
        let _ = now(admission.acquire(1));
    }
    counted_peek(reader: &Reader<&Token>) "Reader: peek" { black_box(reader.peek()); }
    counted_refresher(refresher: &Token) "Refresher: get().await" {
        let _ = black_box(now(refresher.get(|| async { unreachable!("there is one") })));
    }
    counted_channel(channel: &Channel<u64, 8>) "Channel: send().await + receive().await, 8 B" {
        let _ = now(channel.send(black_box(1)));
        let _ = black_box(now(channel.receive()));
    }
    counted_child(root: &Root<StdMutex>) "Scope: make a child + drop it" {
        let scope = pin!(root.cx().child());
        black_box(scope.as_ref().enter());
    }
    counted_look(root: &Root<StdMutex>) "Scope: is_cancelled" { black_box(root.cx().is_cancelled()); }
}

#[inline(never)]
fn counted_get(mut reader: Reader<&Token>, times: usize) {
    for _ in 0..times {
        let reader = black_box(&mut reader);
        let _ = black_box(now(reader.get(|| async { unreachable!("there is one") })));
    }
}

fn main() {
    let slot = Slot::new();
    let local = Slot::new();
    let line = Line::new();
    let flight = Flight::new();
    let group = Groups::with(Hasher::default(), NoClock);
    let once = Once::from(1);
    let admission = Admission::new(8, 8);
    let channel = Channel::new();
    let root = Root::new();
    let token = Token::new(Still, Policy::new());
    let mint = || async { Ok(Minted::expires_in(1, Duration::from_secs(3600))) };
    assert!(now(token.get(mint)).is_ok());
    let mut reader = Reader::new(&token);
    assert!(now(reader.get(mint)).is_ok());
    // Once for what is set up at the first use (a thread's number), then those that are counted.
    for times in [1, TIMES - 1] {
        counted_nothing(&(), times);
        counted_claim(&slot, times);
        counted_claim_awaited(&slot, times);
        counted_claim_local(&local, times);
        counted_acquire(&line, times);
        counted_flight(&flight, times);
        counted_group(&group, times);
        counted_once(&once, times);
        counted_once_awaited(&once, times);
        counted_admission(&admission, times);
        counted_admission_awaited(&admission, times);
        counted_peek(&reader, times);
        counted_get(reader.clone(), times);
        counted_refresher(&token, times);
        counted_channel(&channel, times);
        counted_child(&root, times);
        counted_look(&root, times);
    }
    println!("{TIMES}");
    for (function, does) in COUNTED
        .iter()
        .chain(&[("counted_get", "Reader: get().await")])
    {
        println!("{function}\t{does}");
    }
}
