//! embassy-sync: what comes nearest to each of our operations.

use core::future::Future;
use core::mem::forget;
use core::pin::pin;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::mutex::Mutex;
use embassy_sync::semaphore::{FairSemaphore, Semaphore};
use embassy_sync::watch::Watch;

use crate::meter::Meter;
use crate::stub;

const NAME: &str = "embassy-sync";

pub fn run(meter: &Meter) {
    mutex(meter);
    semaphore::<1>(
        meter,
        [
            "FairSemaphore<1>: enlist",
            "FairSemaphore<1>: pending re-poll",
            "FairSemaphore<1>: release to 1",
            "FairSemaphore<1>: leave a queue of 1",
        ],
    );
    semaphore::<8>(
        meter,
        [
            "FairSemaphore<8>: enlist",
            "FairSemaphore<8>: pending re-poll",
            "FairSemaphore<8>: release to the first of 8",
            "FairSemaphore<8>: leave a queue of 8",
        ],
    );
    semaphore::<64>(
        meter,
        [
            "FairSemaphore<64>: enlist",
            "FairSemaphore<64>: pending re-poll",
            "FairSemaphore<64>: release to the first of 64",
            "FairSemaphore<64>: leave a queue of 64",
        ],
    );
    watch::<1>(meter, "Watch<1>: send, 1 waits");
    watch::<8>(meter, "Watch<8>: send, 8 wait");
    watch::<64>(meter, "Watch<64>: send, 64 wait");
}

fn mutex(meter: &Meter) {
    let mutex = Mutex::<CriticalSectionRawMutex, ()>::new(());
    let locked = meter.print(NAME, "Mutex: try_lock", || match mutex.try_lock() {
        Ok(guard) => {
            forget(guard);
            true
        }
        Err(_) => false,
    });
    assert!(locked);
    let mutex = Mutex::<CriticalSectionRawMutex, ()>::new(());
    let guard = mutex.try_lock().expect("free");
    meter.print(NAME, "Mutex: unlock", || drop(guard));
    let guard = mutex.try_lock().expect("free");
    let mut lock = pin!(mutex.lock());
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "Mutex: enlist", lock.as_mut(), cx));
        assert!(meter.poll(NAME, "Mutex: pending re-poll", lock.as_mut(), cx));
    });
    meter.print(NAME, "Mutex: unlock, 1 waits", || drop(guard));
    let waits = stub::with(1, |cx| {
        meter.poll(NAME, "Mutex: woken poll", lock.as_mut(), cx)
    });
    assert!(!waits);
}

fn semaphore<const N: usize>(meter: &Meter, names: [&str; 4]) {
    let semaphore = FairSemaphore::<CriticalSectionRawMutex, N>::new(0);
    let acquire = || Some(semaphore.acquire(1));
    let mut crowd: [_; N] = core::array::from_fn(|_| acquire());
    for (i, future) in crowd.iter_mut().enumerate() {
        let future = future.as_mut().expect("one of the crowd");
        // SAFETY: Validity: the array stays where it is, and drops its futures in place. Aliasing: `&mut`.
        let mut future = unsafe { core::pin::Pin::new_unchecked(future) };
        stub::with(i, |cx| {
            if i + 1 < N {
                assert!(future.as_mut().poll(cx).is_pending());
                return;
            }
            assert!(meter.poll(NAME, names[0], future.as_mut(), cx));
            assert!(meter.poll(NAME, names[1], future.as_mut(), cx));
        });
    }
    meter.print(NAME, names[2], || semaphore.release(1));
    meter.print(NAME, names[3], || crowd[N / 2] = None);
}

fn watch<const N: usize>(meter: &Meter, name: &str) {
    let watch = Watch::<CriticalSectionRawMutex, u32, N>::new();
    let mut receivers: [_; N] = core::array::from_fn(|_| watch.receiver().expect("N of them"));
    let mut crowd = receivers.each_mut().map(|receiver| receiver.changed());
    for (i, future) in crowd.iter_mut().enumerate() {
        // SAFETY: Validity: the array stays where it is, and drops its futures in place. Aliasing: `&mut`.
        let future = unsafe { core::pin::Pin::new_unchecked(future) };
        assert!(stub::with(i, |cx| future.poll(cx).is_pending()));
    }
    let sender = watch.sender();
    meter.print(NAME, name, || sender.send(7));
}
