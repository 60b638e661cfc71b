//! Channels: an item sent and received with nobody waiting, a buffer that is filled and drained, and
//! an item that wakes who waits for it.
//!
//! Peers are paired by what they pay for: ours with the mutex of `std` beside tokio's and
//! async-channel's, ours under a critical section, or without a lock, beside embassy-sync's.

use std::hint::black_box;

use futures_intrusive::buffer::RealArray;

use crate::{
    measure::{Case, Row, Turns},
    peers::{
        AsyncChannel, BareChannel, CriticalChannel, EmbassyBareChannel, EmbassyCriticalChannel,
        IntrusiveChannel, IntrusiveLocalChannel, Mpsc, Pipe, StdChannel,
    },
};

const ITEMS: usize = 8_192;

/// What is done with a channel.
#[derive(Clone, Copy)]
enum Use {
    Awaited,
    Tried,
    Filled,
    Met,
}

impl Use {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Awaited, "send + receive"),
        (Self::Tried, "try_send + try_receive"),
        (Self::Filled, "fill + drain"),
        (Self::Met, "wait + send + receive"),
    ];
}

fn pipe<T: Copy + 'static, P: Pipe<T> + 'static, const N: usize>(
    case: &mut Case<'_>,
    how: Use,
    item: T,
) {
    let mut pipe = P::with_room(N);
    match how {
        Use::Awaited => case.add(P::NAME, 0, move || {
            for _ in 0..ITEMS {
                pipe.send(black_box(item));
                black_box(pipe.receive());
            }
        }),
        Use::Tried => case.add(P::NAME, 0, move || {
            for _ in 0..ITEMS {
                pipe.try_send(black_box(item));
                black_box(pipe.try_receive());
            }
        }),
        Use::Filled => case.add(P::NAME, 0, move || {
            for _ in 0..ITEMS / N {
                for _ in 0..N {
                    pipe.send(black_box(item));
                }
                for _ in 0..N {
                    black_box(pipe.receive());
                }
            }
        }),
        Use::Met => case.add(P::NAME, 0, move || {
            for _ in 0..ITEMS {
                black_box(pipe.meet(black_box(item)));
            }
        }),
    };
}

fn kinds<T: Copy + Send + 'static, const N: usize>(turns: Turns, rows: &mut Vec<Row>, item: T)
where
    [T; N]: RealArray<T>,
{
    let bytes = size_of::<T>();
    for (how, name) in Use::ALL {
        let case = |whose| Case::new("channels", format!("{name}, {bytes} B{whose}"), N, ITEMS);

        let mut threads = case("");
        pipe::<T, StdChannel<T, N>, N>(&mut threads, how, item);
        pipe::<T, Mpsc<T>, N>(&mut threads, how, item);
        pipe::<T, AsyncChannel<T>, N>(&mut threads, how, item);
        pipe::<T, IntrusiveChannel<T>, N>(&mut threads, how, item);
        threads.run(turns, rows);

        let mut critical = case(", critical section");
        pipe::<T, CriticalChannel<T, N>, N>(&mut critical, how, item);
        pipe::<T, EmbassyCriticalChannel<T, N>, N>(&mut critical, how, item);
        critical.run(turns, rows);

        let mut bare = case(", one thread");
        pipe::<T, BareChannel<T, N>, N>(&mut bare, how, item);
        pipe::<T, EmbassyBareChannel<T, N>, N>(&mut bare, how, item);
        pipe::<T, IntrusiveLocalChannel<T, N>, N>(&mut bare, how, item);
        bare.run(turns, rows);
    }
}

pub fn run(turns: Turns, rows: &mut Vec<Row>) {
    kinds::<u64, 1>(turns, rows, 7);
    kinds::<u64, 8>(turns, rows, 7);
    kinds::<u64, 64>(turns, rows, 7);
    kinds::<[u64; 32], 8>(turns, rows, [7; 32]);
}
