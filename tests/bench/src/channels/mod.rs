//! Channels: an item sent and received with nobody waiting, a buffer that is filled and drained, and
//! an item that wakes who waits for it. Each peer's use is in a file of its own.
//!
//! Peers are paired by what they pay for: ours with the mutex of `std` beside tokio's and
//! async-channel's, ours under a critical section, or without a lock, beside embassy-sync's.

/// How a kind of channel is used: which of its fields send and receive, by which calls, and what they
/// give.
macro_rules! pipe {
    (
        $kind:ident<T $(, $n:ident)?>, $name:literal:
        $sender:tt.send gives $sent:ident if $is_sent:expr;
        $receiver:tt.$receive:ident gives $item:ident as $got:expr;
        $try_receive:ident gives $tried:ident as $try_got:expr
    ) => {
        impl<T $(, const $n: usize)?> $crate::channels::Pipe<T> for $kind<T $(, $n)?> {
            const NAME: &'static str = $name;

            fn send(&mut self, item: T) {
                let $sent = $crate::peers::now(self.$sender.send(item));
                assert!($is_sent);
            }

            fn receive(&mut self) -> T {
                let $item = $crate::peers::now(self.$receiver.$receive());
                $got
            }

            fn try_send(&mut self, item: T) {
                assert!(self.$sender.try_send(item).is_ok());
            }

            fn try_receive(&mut self) -> T {
                let $tried = self.$receiver.$try_receive();
                $try_got
            }

            fn meet(&mut self, item: T) -> T {
                let mut receive = std::pin::pin!(self.$receiver.$receive());
                assert!($crate::peers::poll(receive.as_mut()).is_pending());
                let $sent = $crate::peers::now(self.$sender.send(item));
                assert!($is_sent);
                let $item = $crate::peers::now(receive);
                $got
            }
        }
    };
}

mod async_channel;
mod embassy;
mod ours;
mod tokio;

use std::hint::black_box;

use crate::measure::{Row, Turns};

const ITEMS: usize = 16_384;

/// A channel of one kind and one capacity.
trait Pipe<T> {
    const NAME: &'static str;

    /// `send().await`, with room.
    fn send(&mut self, item: T);
    /// `receive().await`, with an item.
    fn receive(&mut self) -> T;
    fn try_send(&mut self, item: T);
    fn try_receive(&mut self) -> T;
    /// A receiver waits, an item comes, it is woken and polled again.
    fn meet(&mut self, item: T) -> T;
}

fn rows<T: Copy, P: Pipe<T>, const N: usize>(
    turns: Turns,
    rows: &mut Vec<Row>,
    cases: [&'static str; 4],
    item: T,
    mut pipe: P,
) {
    let [awaited, tried, filled, met] = cases;
    let mut row = |case, work: &mut dyn FnMut()| {
        rows.push(turns.row(("channels", case, P::NAME, N), 0, ITEMS, work));
    };
    row(awaited, &mut || {
        for _ in 0..ITEMS {
            pipe.send(black_box(item));
            black_box(pipe.receive());
        }
    });
    row(tried, &mut || {
        for _ in 0..ITEMS {
            pipe.try_send(black_box(item));
            black_box(pipe.try_receive());
        }
    });
    row(filled, &mut || {
        for _ in 0..ITEMS / N {
            for _ in 0..N {
                pipe.send(black_box(item));
            }
            for _ in 0..N {
                black_box(pipe.receive());
            }
        }
    });
    row(met, &mut || {
        for _ in 0..ITEMS {
            black_box(pipe.meet(black_box(item)));
        }
    });
}

const SMALL: [&str; 4] = [
    "send + receive, 8 B",
    "try_send + try_receive, 8 B",
    "fill + drain, 8 B",
    "wait + send + receive, 8 B",
];
const LARGE: [&str; 4] = [
    "send + receive, 256 B",
    "try_send + try_receive, 256 B",
    "fill + drain, 256 B",
    "wait + send + receive, 256 B",
];

fn kinds<T: Copy + Send + 'static, const N: usize>(
    turns: Turns,
    all: &mut Vec<Row>,
    cases: [&'static str; 4],
    item: T,
) {
    rows::<T, _, N>(turns, all, cases, item, ours::Std::<T, N>::new());
    rows::<T, _, N>(turns, all, cases, item, tokio::Tokio::new(N));
    rows::<T, _, N>(turns, all, cases, item, async_channel::AsyncChannel::new(N));
    rows::<T, _, N>(turns, all, cases, item, ours::Critical::<T, N>::new());
    rows::<T, _, N>(turns, all, cases, item, embassy::Critical::<T, N>::new());
    rows::<T, _, N>(turns, all, cases, item, ours::Bare::<T, N>::new());
    rows::<T, _, N>(turns, all, cases, item, embassy::Bare::<T, N>::new());
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    kinds::<u64, 1>(turns, rows, SMALL, 7);
    kinds::<u64, 8>(turns, rows, SMALL, 7);
    kinds::<u64, 64>(turns, rows, SMALL, 7);
    kinds::<[u64; 32], 8>(turns, rows, LARGE, [7; 32]);
}
