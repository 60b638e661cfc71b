//! h01, c20: how a send or a receive is ended by a clock or a scope, and how a thread waits.

use core::time::Duration;

use super::super::cases::channel::{idle, new, parties, received, send};
use super::super::subject::channel::SendError;
use super::super::subject::{Root, TimedOut, cancel::Kind};

use crate::kit::MockClock;
use crate::{Runtime, Verdict};

cases! { engine channel_exits:
    h01_timed_out_send_gives_the_item_back,
    h01_cancelled_scope_gives_the_item_back,
    c20_thread_sends_and_receives needs STD BLOCKING,
}

const MS: Duration = Duration::from_millis(1);

async fn h01_timed_out_send_gives_the_item_back<R: Runtime>(rt: R) -> Verdict {
    let (channel, clock) = (new::<_, u32, 1>(rt), rt.put(MockClock::new()));
    send(channel, 0..1);
    let [late, last] = parties::<_, _, 2>(rt);
    late.enlist(channel.send(1).timeout(clock, 5 * MS));
    last.enlist(channel.send(2).timeout(clock, 5 * MS));
    clock.advance(5 * MS);
    assert_eq!(late.told(), Err(SendError::TimedOut(1)));
    // What finds room at the last moment is sent.
    assert_eq!(received(channel), 0);
    assert_eq!((last.told(), received(channel)), (Ok(()), 2));
    let [receiver] = parties::<_, _, 1>(rt);
    receiver.enlist(channel.receive().timeout(clock, 5 * MS));
    clock.advance(5 * MS);
    assert_eq!(receiver.told(), Err(TimedOut));
    idle(channel);
    assert_eq!(clock.sleepers(), 0);
    Verdict::Pass
}

async fn h01_cancelled_scope_gives_the_item_back<R: Runtime>(rt: R) -> Verdict {
    let (channel, root): (_, &'static Root) = (new::<_, u32, 1>(rt), rt.put(Root::new()));
    send(channel, 0..1);
    let [sender] = parties::<_, _, 1>(rt);
    sender.enlist(root.cx().guard_wait(channel.send(1)));
    root.cancel(Kind::Explicit);
    assert_eq!(sender.told().ok(), Some(Err(SendError::Cancelled(1))));
    // One that was never polled gives it back, too.
    let late = root.cx().guard_wait(channel.send(2)).await;
    assert_eq!(late.ok(), Some(Err(SendError::Cancelled(2))));
    assert_eq!(received(channel), 0);
    idle(channel);
    Verdict::Pass
}

on_hosts! {
    async fn c20_thread_sends_and_receives<R: Runtime>(rt: R) -> Verdict {
        let channel = new::<_, u32, 1>(rt);
        let rounds = rt.count(1_000) as u32;
        let thread = std::thread::spawn(move || {
            for number in 0..rounds {
                channel.send_blocking(number).expect("open");
            }
            channel.close();
        });
        let mut next = 0;
        while let Ok(number) = channel.receive().await {
            assert_eq!(number, next);
            next += 1;
        }
        assert_eq!((next, thread.join().is_ok()), (rounds, true));
        Verdict::Pass
    }
}
