//! Channels, ecluse's beside embassy-sync's: the same calls of the same names, for an item of a word and for one of 256
//! bytes; and ecluse's rendezvous, which has no peer.

use core::future::Future;
use core::pin::pin;

use ecluse_core::CriticalSection;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;

use crate::meter::Meter;
use crate::stub;

type Ours<T, const N: usize> = ecluse_core::Channel<T, N, CriticalSection>;
type Embassys<T, const N: usize> = embassy_sync::channel::Channel<CriticalSectionRawMutex, T, N>;

/// Says what [`buffered`](macro@buffered) measures, of a channel and an item.
macro_rules! buffered_names {
    ($of:literal) => {
        [
            concat!($of, ": send"),
            concat!($of, ": receive"),
            concat!($of, ": try_send"),
            concat!($of, ": try_receive"),
            concat!($of, ": receive, enlist"),
            concat!($of, ": receive, pending re-poll"),
            concat!($of, ": send, 1 waits"),
            concat!($of, ": receive, woken poll"),
            concat!($of, ": send, enlist"),
            concat!($of, ": receive, 1 waits"),
            concat!($of, ": send, woken poll"),
            concat!($of, ": leave a queue of 1"),
        ]
    };
}

/// With room and items, and with one who waits for either.
macro_rules! buffered {
    ($run:ident, $library:literal, $channel:ident) => {
        fn $run<T: Copy, const N: usize>(meter: &Meter, names: [&str; 12], item: T) {
            let channel = $channel::<T, N>::new();
            {
                let (mut send, mut receive) = (pin!(channel.send(item)), pin!(channel.receive()));
                stub::with(1, |cx| {
                    assert!(!meter.poll($library, names[0], send.as_mut(), cx));
                    assert!(!meter.poll($library, names[1], receive.as_mut(), cx));
                });
            }
            let sent = meter.print($library, names[2], || channel.try_send(item).is_ok());
            let received = meter.print($library, names[3], || channel.try_receive());
            assert!(sent && received.is_ok());
            {
                let (mut send, mut receive) = (pin!(channel.send(item)), pin!(channel.receive()));
                stub::with(1, |cx| {
                    assert!(meter.poll($library, names[4], receive.as_mut(), cx));
                    assert!(meter.poll($library, names[5], receive.as_mut(), cx));
                    assert!(!meter.poll($library, names[6], send.as_mut(), cx));
                    assert!(!meter.poll($library, names[7], receive.as_mut(), cx));
                });
            }
            while channel.try_send(item).is_ok() {}
            {
                let (mut send, mut receive) = (pin!(channel.send(item)), pin!(channel.receive()));
                stub::with(1, |cx| {
                    assert!(meter.poll($library, names[8], send.as_mut(), cx));
                    assert!(!meter.poll($library, names[9], receive.as_mut(), cx));
                    assert!(!meter.poll($library, names[10], send.as_mut(), cx));
                });
            }
            while channel.try_receive().is_ok() {}
            let mut receive = Some(channel.receive());
            stub::with(1, |cx| {
                let receive = receive.as_mut().expect("just made");
                // SAFETY: Validity: it stays where it is, and is dropped in place. Aliasing: `&mut`.
                let receive = unsafe { core::pin::Pin::new_unchecked(receive) };
                assert!(receive.poll(cx).is_pending());
            });
            meter.print($library, names[11], || receive = None);
        }
    };
}

buffered!(ours, "ecluse", Ours);
buffered!(embassys, "embassy-sync", Embassys);

/// Says what [`rendezvous`] measures, of an item.
macro_rules! rendezvous_names {
    ($of:literal) => {
        [
            concat!($of, ": send, enlist"),
            concat!($of, ": receive, 1 waits"),
            concat!($of, ": send, woken poll"),
            concat!($of, ": receive, enlist"),
            concat!($of, ": try_send, 1 waits"),
            concat!($of, ": receive, woken poll"),
        ]
    };
}

fn rendezvous<T: Copy>(meter: &Meter, names: [&str; 6], item: T) {
    const NAME: &str = "ecluse";
    let channel = Ours::<T, 0>::new();
    {
        let (mut send, mut receive) = (pin!(channel.send(item)), pin!(channel.receive()));
        stub::with(1, |cx| {
            assert!(meter.poll(NAME, names[0], send.as_mut(), cx));
            assert!(!meter.poll(NAME, names[1], receive.as_mut(), cx));
            assert!(!meter.poll(NAME, names[2], send.as_mut(), cx));
        });
    }
    let mut receive = pin!(channel.receive());
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, names[3], receive.as_mut(), cx))
    });
    let sent = meter.print(NAME, names[4], || channel.try_send(item).is_ok());
    assert!(sent);
    stub::with(1, |cx| {
        assert!(!meter.poll(NAME, names[5], receive.as_mut(), cx))
    });
}

const LARGE: [u32; 64] = [7; 64];

pub fn run(meter: &Meter) {
    ours::<u32, 1>(meter, buffered_names!("Channel<1>, 4 B"), 7);
    ours::<_, 1>(meter, buffered_names!("Channel<1>, 256 B"), LARGE);
    ours::<u32, 8>(meter, buffered_names!("Channel<8>, 4 B"), 7);
    ours::<_, 8>(meter, buffered_names!("Channel<8>, 256 B"), LARGE);
    rendezvous::<u32>(meter, rendezvous_names!("Channel<0>, 4 B"), 7);
    rendezvous(meter, rendezvous_names!("Channel<0>, 256 B"), LARGE);
}

/// The same of embassy-sync's.
pub fn run_peer(meter: &Meter) {
    embassys::<u32, 1>(meter, buffered_names!("Channel<1>, 4 B"), 7);
    embassys::<_, 1>(meter, buffered_names!("Channel<1>, 256 B"), LARGE);
    embassys::<u32, 8>(meter, buffered_names!("Channel<8>, 4 B"), 7);
    embassys::<_, 8>(meter, buffered_names!("Channel<8>, 256 B"), LARGE);
}
