//! maitake-sync: what comes nearest to each of our operations.

use core::future::Future;
use core::mem::forget;
use core::pin::{Pin, pin};

use maitake_sync::{Mutex, WaitQueue};

use crate::meter::Meter;
use crate::stub;

const NAME: &str = "maitake-sync";

pub fn run(meter: &Meter) {
    mutex(meter);
    crowd::<1>(
        meter,
        [
            "Mutex: unlock to 1",
            "Mutex: leave a queue of 1",
            "WaitQueue: wake_all of 1",
        ],
    );
    crowd::<8>(
        meter,
        [
            "Mutex: unlock to the first of 8",
            "Mutex: leave a queue of 8",
            "WaitQueue: wake_all of 8",
        ],
    );
    crowd::<64>(
        meter,
        [
            "Mutex: unlock to the first of 64",
            "Mutex: leave a queue of 64",
            "WaitQueue: wake_all of 64",
        ],
    );
}

fn mutex(meter: &Meter) {
    let mutex = Mutex::new(());
    let locked = meter.print(NAME, "Mutex: try_lock", || match mutex.try_lock() {
        Some(guard) => {
            forget(guard);
            true
        }
        None => false,
    });
    assert!(locked);
    let mutex = Mutex::new(());
    let guard = mutex.try_lock().expect("free");
    meter.print(NAME, "Mutex: unlock", || drop(guard));
    let guard = mutex.try_lock().expect("free");
    let mut lock = pin!(mutex.lock());
    stub::with(1, |cx| {
        assert!(meter.poll(NAME, "Mutex: enlist", lock.as_mut(), cx));
        assert!(meter.poll(NAME, "Mutex: pending re-poll", lock.as_mut(), cx));
    });
    drop(guard);
    let waits = stub::with(1, |cx| {
        meter.poll(NAME, "Mutex: woken poll", lock.as_mut(), cx)
    });
    assert!(!waits);
}

fn queue<F: Future, const N: usize>(crowd: &mut [Option<F>; N]) {
    for (i, future) in crowd.iter_mut().flatten().enumerate() {
        // SAFETY: Validity: the array stays where it is, and drops its futures in place. Aliasing: `&mut`.
        let future = unsafe { Pin::new_unchecked(future) };
        assert!(stub::with(i, |cx| future.poll(cx).is_pending()));
    }
}

fn crowd<const N: usize>(meter: &Meter, names: [&str; 3]) {
    let mutex = Mutex::new(());
    let guard = mutex.try_lock().expect("free");
    let mut waiting: [_; N] = core::array::from_fn(|_| Some(mutex.lock()));
    queue(&mut waiting);
    meter.print(NAME, names[1], || waiting[N / 2] = None);
    if N == 1 {
        waiting[0] = Some(mutex.lock());
        queue(&mut waiting);
    }
    meter.print(NAME, names[0], || drop(guard));

    let wait = WaitQueue::new();
    let mut waiting: [_; N] = core::array::from_fn(|_| Some(wait.wait()));
    queue(&mut waiting);
    meter.print(NAME, names[2], || wait.wake_all());
}
