//! Two threads and more, one hot key, an upstream that fails, cancels at random: never two runs at a
//! time, and nobody waits in vain.
//!
//! `ECLUSE_STRESS=1000000` sets how many calls there are; a debug build makes a small part of that.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    thread,
    time::Instant,
};

use ecluse_core::{Group, NoAnswer};

use crate::kit::{LIMIT, Wakes, poll_with, within};

type Fetched = Result<u32, ()>;

/// Is inside while it lives.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn enter(inside: &'a AtomicUsize, overlaps: &AtomicUsize) -> Self {
        if inside.fetch_add(1, Ordering::SeqCst) != 0 {
            overlaps.fetch_add(1, Ordering::SeqCst);
        }
        Self(inside)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// An upstream that takes some turns and mostly fails.
async fn fetch(inside: &AtomicUsize, overlaps: &AtomicUsize, random: u32) -> Fetched {
    let _inside = Inside::enter(inside, overlaps);
    let mut turns = random % 3;
    poll_fn(|cx| {
        if turns == 0 {
            return Poll::Ready(());
        }
        turns -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    if random % 4 == 0 { Ok(random) } else { Err(()) }
}

/// Polls a call to its end, or gives it up after some polls.
fn drive(
    call: impl Future<Output = Result<ecluse_core::Answer<Fetched>, NoAnswer>>,
    most: Option<u32>,
) {
    let (wakes, waker) = Wakes::new();
    let mut call = pin!(call);
    let mut polls = 0;
    let start = Instant::now();
    loop {
        let seen = wakes.count();
        match poll_with(call.as_mut(), &waker) {
            Poll::Ready(answer) => {
                assert!(answer.is_ok(), "somebody leads: {answer:?}");
                return;
            }
            Poll::Pending => polls += 1,
        }
        if most.is_some_and(|most| polls > most) {
            return;
        }
        while most.is_none() && wakes.count() == seen {
            assert!(start.elapsed() < LIMIT, "waits in vain");
            thread::yield_now();
        }
    }
}

#[test]
fn a_hot_key_is_never_run_twice_at_a_time() {
    let calls = std::env::var("ECLUSE_STRESS").ok();
    let usual = if cfg!(miri) { 100 } else { 60_000 };
    let calls: u32 = calls.and_then(|calls| calls.parse().ok()).unwrap_or(usual);
    for threads in [2, 4] {
        let body = move || {
            static OVERLAPS: AtomicUsize = AtomicUsize::new(0);
            let group = Group::<u8, Fetched>::new();
            let inside = AtomicUsize::new(0);
            thread::scope(|scope| {
                for thread in 0..threads {
                    let (group, inside) = (&group, &inside);
                    scope.spawn(move || {
                        let mut random: u32 = thread + 1;
                        for _ in 0..calls / threads / 2 {
                            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                            let bits = random >> 8;
                            let call = group.run(1, || fetch(inside, &OVERLAPS, bits));
                            drive(call, (bits % 5 < 3).then_some(bits / 8 % 3));
                        }
                    });
                }
            });
            assert_eq!(OVERLAPS.load(Ordering::SeqCst), 0, "overlapping runs");
            assert_eq!((group.len(), inside.load(Ordering::SeqCst)), (0, 0));
        };
        if calls > 100_000 {
            body()
        } else {
            within(body)
        }
    }
}
