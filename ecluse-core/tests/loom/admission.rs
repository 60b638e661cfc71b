//! Admission: permits are exclusive, come back once, and bring along what their holders wrote;
//! returns beside waiters that come and go, goals that change, and closes.

use core::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
};
use std::sync::Arc;

use ecluse_core::{
    Admission, NotAdmitted,
    admission::{Bypass, Fifo, Policy},
};

use crate::kit::{Data, Wakes, block_on, models, poll, poll_with, ready, spawn};

models!(
    permits_exclude,
    occupancy_is_bounded,
    waiter_sees_what_the_holder_wrote,
    polled_grant_orders_data,
    heavy_waiter_sees_all_returns,
    enlist_meets_return,
    queued_drop_meets_return,
    granted_drop_comes_back,
    head_leaves_beside_a_return,
    abandon_meets_grant,
    close_meets_return_and_enlist,
    close_orders_data,
    shrink_meets_return,
    shrink_meets_acquire,
    grow_meets_enlist,
    slow_return_orders_data,
    free_permits_order_data,
    two_acquirers_one_return,
    newcomer_passes_beside_a_return,
);

struct Shared<P: Policy = Fifo> {
    admission: Admission<P>,
    data: Data,
    more: Data,
}

fn shared<P: Policy>(capacity: usize, room: usize) -> Arc<Shared<P>> {
    Arc::new(Shared {
        admission: Admission::new(capacity, room),
        data: Data::new(),
        more: Data::new(),
    })
}

/// Everything is back, and the flags say so.
fn idle<P: Policy>(admission: &Admission<P>, capacity: usize) {
    let seen = admission.snapshot();
    assert_eq!((seen.capacity, seen.target), (capacity, capacity));
    assert_eq!((seen.available, seen.waiting), (capacity, 0));
    assert!(!admission.has_waiters());
}

fn permits_exclude() {
    let shared = shared::<Fifo>(1, 0);
    let one = move |shared: &Shared| match shared.admission.try_acquire(1) {
        Ok(permit) => {
            shared.data.add();
            drop(permit);
            1
        }
        Err(why) => {
            assert_eq!(why, NotAdmitted::Busy);
            0
        }
    };
    let threads = [(); 2].map(|()| {
        let shared = shared.clone();
        spawn(move || one(&shared))
    });
    let own = one(&shared);
    let all = threads.map(|thread| thread.join().unwrap());
    let last = shared.admission.try_acquire(1).unwrap();
    assert_eq!(shared.data.get(), own + all[0] + all[1]);
    drop(last);
    idle(&shared.admission, 1);
}

fn occupancy_is_bounded() {
    let shared = shared::<Fifo>(2, 2);
    let out = Arc::new(AtomicUsize::new(0));
    let threads = [1, 2].map(|weight| {
        let (shared, out) = (shared.clone(), out.clone());
        spawn(move || {
            let permit = block_on(shared.admission.acquire(weight)).unwrap();
            assert!(out.fetch_add(weight, Ordering::SeqCst) + weight <= 2);
            out.fetch_sub(weight, Ordering::SeqCst);
            drop(permit);
        })
    });
    let seen = shared.admission.snapshot();
    assert_eq!(seen.available + seen.occupancy, 2);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
    idle(&shared.admission, 2);
}

fn waiter_sees_what_the_holder_wrote() {
    let shared = shared::<Fifo>(1, 1);
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let permit = block_on(shared.admission.acquire(1)).unwrap();
            shared.data.add();
            drop(permit);
        }
    });
    let permit = block_on(shared.admission.acquire(1)).unwrap();
    shared.data.add();
    drop(permit);
    waiter.join().unwrap();
    let permit = shared.admission.try_acquire(1).unwrap();
    assert_eq!(shared.data.get(), 2);
    drop(permit);
    idle(&shared.admission, 1);
}

/// No parking: the grant itself must order the data and free the node.
fn polled_grant_orders_data() {
    let shared = shared::<Fifo>(1, 1);
    let permit = shared.admission.try_acquire(1).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.admission.acquire(1));
            for _ in 0..2 {
                if let Poll::Ready(permit) = poll(wait.as_mut()) {
                    let _permit = permit.unwrap();
                    shared.data.add();
                    return;
                }
            }
        }
    });
    shared.data.add();
    drop(permit);
    waiter.join().unwrap();
    idle(&shared.admission, 1);
}

/// A4: one part came back before anybody waited, by a swap of its own; the other serves the queue.
fn heavy_waiter_sees_all_returns() {
    let shared = shared::<Fifo>(2, 1);
    let early = shared.admission.try_acquire(1).unwrap();
    let late = shared.admission.try_acquire(1).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.admission.acquire(2));
            for _ in 0..2 {
                if let Poll::Ready(permit) = poll(wait.as_mut()) {
                    let _permit = permit.unwrap();
                    shared.data.add();
                    shared.more.add();
                    return;
                }
            }
        }
    });
    shared.data.add();
    drop(early);
    shared.more.add();
    drop(late);
    waiter.join().unwrap();
    idle(&shared.admission, 2);
}

fn enlist_meets_return() {
    let shared = shared::<Fifo>(2, 1);
    let permit = shared.admission.try_acquire(2).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || drop(block_on(shared.admission.acquire(2)).unwrap())
    });
    drop(permit);
    waiter.join().unwrap();
    idle(&shared.admission, 2);
}

fn queued_drop_meets_return() {
    let shared = shared::<Fifo>(1, 1);
    let permit = shared.admission.try_acquire(1).unwrap();
    let (wakes, waker) = Wakes::new();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.admission.acquire(1));
            if let Poll::Ready(permit) = poll_with(wait.as_mut(), &waker) {
                shared.data.add();
                drop(permit.unwrap());
            }
            drop(waker);
        }
    });
    shared.data.add();
    drop(permit);
    waiter.join().unwrap();
    idle(&shared.admission, 1);
    let permit = shared.admission.try_acquire(1).unwrap();
    shared.data.add();
    drop(permit);
    assert_eq!(wakes.live(), 0);
}

/// a02: a granted waiter that goes returns its permits, whenever it goes.
fn granted_drop_comes_back() {
    let shared = shared::<Fifo>(1, 2);
    let permit = shared.admission.try_acquire(1).unwrap();
    let leaver = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.admission.acquire(1));
            let _ = poll(wait.as_mut()).map(|permit| drop(permit.unwrap()));
        }
    });
    let stayer = spawn({
        let shared = shared.clone();
        move || {
            let permit = block_on(shared.admission.acquire(1)).unwrap();
            shared.data.add();
            drop(permit);
        }
    });
    shared.data.add();
    drop(permit);
    leaver.join().unwrap();
    stayer.join().unwrap();
    idle(&shared.admission, 1);
}

/// A5: whoever stands behind a heavy head is served, whether the head leaves or is served first.
fn head_leaves_beside_a_return() {
    let shared = shared::<Fifo>(2, 2);
    let out = shared.admission.try_acquire(1).unwrap();
    let shared_too = shared.clone();
    let mut light = Box::pin(shared_too.admission.acquire(1));
    let (wakes, waker) = Wakes::new();
    let (queue, queued) = (
        shared.clone(),
        loom::sync::Arc::new(loom::sync::Notify::new()),
    );
    let leaver = spawn({
        let queued = queued.clone();
        move || {
            let mut heavy = Box::pin(queue.admission.acquire(2));
            assert!(poll(heavy.as_mut()).is_pending());
            queued.notify();
            drop(heavy);
        }
    });
    queued.wait();
    let first = poll_with(light.as_mut(), &waker);
    drop(out);
    leaver.join().unwrap();
    let permit = match first {
        Poll::Ready(permit) => permit,
        Poll::Pending => {
            assert_eq!(wakes.count(), 1);
            ready(poll(light.as_mut()))
        }
    };
    drop(permit.unwrap());
    idle(&shared.admission, 2);
}

fn abandon_meets_grant() {
    let shared = shared::<Fifo>(1, 1);
    let permit = shared.admission.try_acquire(1).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || {
            let mut wait = pin!(shared.admission.acquire(1));
            let first = poll(wait.as_mut());
            let got = match first {
                Poll::Ready(permit) => Some(permit),
                Poll::Pending => wait.as_mut().try_abandon(),
            };
            if let Some(permit) = got {
                let _permit = permit.unwrap();
                shared.data.add();
            }
        }
    });
    shared.data.add();
    drop(permit);
    waiter.join().unwrap();
    idle(&shared.admission, 1);
}

fn close_meets_return_and_enlist() {
    let shared = shared::<Fifo>(1, 1);
    let permit = shared.admission.try_acquire(1).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || match block_on(shared.admission.acquire(1)) {
            Ok(permit) => drop(permit),
            Err(why) => assert_eq!(why, NotAdmitted::Closed),
        }
    });
    let closer = spawn({
        let shared = shared.clone();
        move || assert!(shared.admission.close())
    });
    drop(permit);
    waiter.join().unwrap();
    closer.join().unwrap();
    idle(&shared.admission, 1);
}

fn close_orders_data() {
    let shared = shared::<Fifo>(1, 1);
    let looker = spawn({
        let shared = shared.clone();
        move || {
            if shared.admission.is_closed() {
                assert_eq!(shared.data.get(), 1);
            }
        }
    });
    shared.data.add();
    assert!(shared.admission.close());
    looker.join().unwrap();
}

/// A3: a change of the goal and a return at the same time lose neither.
fn shrink_meets_return() {
    let shared = shared::<Fifo>(2, 0);
    let permit = shared.admission.try_acquire(2).unwrap();
    let shrinker = spawn({
        let shared = shared.clone();
        move || {
            assert_eq!(shared.admission.shrink(1), 1);
            let seen = shared.admission.snapshot();
            assert_eq!(seen.available + seen.occupancy, seen.capacity);
            assert!(seen.capacity == 1 || seen.available == 0);
        }
    });
    drop(permit);
    shrinker.join().unwrap();
    idle(&shared.admission, 1);
}

fn shrink_meets_acquire() {
    let shared = shared::<Fifo>(2, 0);
    let acquirer = spawn({
        let shared = shared.clone();
        move || {
            for weight in [2, 1] {
                let Ok(permit) = shared.admission.try_acquire(weight) else {
                    continue;
                };
                let seen = shared.admission.snapshot();
                assert!(seen.occupancy >= weight && seen.occupancy <= seen.capacity);
                drop(permit);
            }
        }
    });
    shared.admission.shrink(1);
    acquirer.join().unwrap();
    idle(&shared.admission, 1);
}

fn grow_meets_enlist() {
    let shared = shared::<Fifo>(1, 1);
    let _permit = shared.admission.try_acquire(1).unwrap();
    let waiter = spawn({
        let shared = shared.clone();
        move || drop(block_on(shared.admission.acquire(1)).unwrap())
    });
    assert_eq!(shared.admission.grow(1), 2);
    waiter.join().unwrap();
    assert_eq!(shared.admission.available(), 1);
}

/// Over its goal a return takes the lock; who takes what is left of it does not.
fn slow_return_orders_data() {
    let shared = shared::<Fifo>(2, 0);
    let permit = shared.admission.try_acquire(2).unwrap();
    shared.admission.shrink(1);
    let taker = spawn({
        let shared = shared.clone();
        move || {
            if let Ok(_permit) = shared.admission.try_acquire(1) {
                shared.data.add();
            }
        }
    });
    shared.data.add();
    drop(permit);
    taker.join().unwrap();
    idle(&shared.admission, 1);
}

fn free_permits_order_data() {
    let shared = shared::<Fifo>(2, 0);
    let (one, two) = (
        shared.admission.try_acquire(1).unwrap(),
        shared.admission.try_acquire(1).unwrap(),
    );
    let looker = spawn({
        let shared = shared.clone();
        move || {
            if shared.admission.available() != 0 {
                shared.data.get();
            }
            if shared.admission.snapshot().available == 2 {
                shared.more.get();
            }
        }
    });
    shared.data.add();
    drop(one);
    shared.more.add();
    drop(two);
    looker.join().unwrap();
    idle(&shared.admission, 2);
}

fn two_acquirers_one_return() {
    let shared = shared::<Fifo>(2, 2);
    let both = shared.admission.try_acquire(2).unwrap();
    let acquirer = spawn({
        let shared = shared.clone();
        move || {
            let permit = block_on(shared.admission.acquire(1)).unwrap();
            shared.data.get();
            drop(permit);
        }
    });
    let (wakes, waker) = Wakes::new();
    let mut own = Box::pin(shared.admission.acquire(1));
    assert!(poll_with(own.as_mut(), &waker).is_pending());
    shared.data.add();
    drop(both);
    assert_eq!(wakes.count(), 1);
    drop(ready(poll(own.as_mut())).unwrap());
    drop(own);
    acquirer.join().unwrap();
    idle(&shared.admission, 2);
}

fn newcomer_passes_beside_a_return() {
    let shared = shared::<Bypass<1>>(2, 2);
    let out = shared.admission.try_acquire(1).unwrap();
    let newcomer = spawn({
        let shared = shared.clone();
        move || {
            if let Ok(_permit) = shared.admission.try_acquire(1) {
                shared.data.add();
            }
        }
    });
    let (wakes, waker) = Wakes::new();
    let mut heavy = Box::pin(shared.admission.acquire(2));
    let first = poll_with(heavy.as_mut(), &waker);
    assert!(first.is_pending());
    drop(out);
    newcomer.join().unwrap();
    assert_eq!(wakes.count(), 1);
    let permit = ready(poll(heavy.as_mut())).unwrap();
    shared.data.add();
    drop(permit);
    drop(heavy);
    idle(&shared.admission, 2);
}
