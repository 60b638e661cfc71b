//! `Admission` against a queue, three numbers and the rules of a01 to a03 written down plainly.
//!
//! After every call: the weights of permits and grants add up to the occupancy, which is not above
//! the capacity; the same waiters were woken, in the same order; and every number agrees. At the
//! end, with everything dropped, everything is back.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Wake},
};

use ecluse_core::{
    Admission, NotAdmitted, Permit,
    admission::{Acquiring, Bypass, Fifo, Policy},
};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    TryAcquire(usize),
    Acquire(usize),
    Poll(usize),
    Leave(usize),
    Abandon(usize),
    Release(usize),
    Split(usize, usize),
    Grow(usize),
    Shrink(usize),
    Close,
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let (a, b) = (a as usize, b as usize);
        match kind % 32 {
            0..=3 => Call::TryAcquire(a % 6),
            4..=13 => Call::Acquire(a % 6),
            14..=17 => Call::Poll(a),
            18..=19 => Call::Leave(a),
            20 => Call::Abandon(a),
            21..=26 => Call::Release(a),
            27 => Call::Split(a, b % 4),
            28 => Call::Grow(a % 4),
            29..=30 => Call::Shrink(a % 4),
            // One in 256.
            _ if b % 8 == 0 => Call::Close,
            _ => Call::Poll(b),
        }
    }
}

/// What a waiter is told, as the model has it.
type Told = Result<usize, NotAdmitted>;

struct Model {
    capacity: usize,
    target: usize,
    free: usize,
    room: usize,
    closed: bool,
    past: usize,
    passed: usize,
    /// Who waits, for how much.
    queue: VecDeque<(usize, usize)>,
    /// Who was told what, in order, and has not asked since.
    told: Vec<(usize, Told)>,
    woken: Vec<usize>,
}

impl Model {
    fn admit(&mut self, weight: usize) -> Result<(), NotAdmitted> {
        if self.closed {
            return Err(NotAdmitted::Closed);
        }
        if weight == 0 {
            return Err(NotAdmitted::ZeroWeight);
        }
        if weight > self.target {
            return Err(NotAdmitted::TooHeavy);
        }
        let passes = self.queue.len() <= self.past && self.passed < self.past;
        if weight > self.free || !(self.queue.is_empty() || passes) {
            return Err(NotAdmitted::Busy);
        }
        self.passed += usize::from(!self.queue.is_empty());
        self.free -= weight;
        Ok(())
    }

    fn leave(&mut self, place: usize) {
        self.queue.remove(place);
        if place == 0 {
            self.passed = 0;
        }
    }

    /// The first that can be served, or the head if it has become too heavy.
    fn next(&self) -> Option<(usize, Told)> {
        let &(_, head) = self.queue.front()?;
        if head > self.target {
            return Some((0, Err(NotAdmitted::TooHeavy)));
        }
        let reach = if self.passed < self.past {
            self.past
        } else {
            0
        };
        let fits = |&(_, &(_, weight)): &(usize, &(usize, usize))| weight <= self.free;
        let (place, &(_, weight)) = self.queue.iter().enumerate().take(reach + 1).find(fits)?;
        Some((place, Ok(weight)))
    }

    fn serve(&mut self) {
        while let Some((place, told)) = self.next() {
            let (id, _) = self.queue[place];
            self.leave(place);
            if let Ok(weight) = told {
                self.free -= weight;
                self.passed += usize::from(place != 0);
            }
            self.told.push((id, told));
            self.woken.push(id);
            if self.free == 0 && told.is_ok() {
                break;
            }
        }
    }

    fn put_back(&mut self, weight: usize) {
        for _ in 0..weight {
            if self.capacity > self.target {
                self.capacity -= 1;
            } else {
                self.free += 1;
            }
        }
        self.serve();
    }

    fn aim(&mut self, target: usize) {
        self.target = target;
        while self.capacity < target {
            self.capacity += 1;
            self.free += 1;
        }
        while self.capacity > target && self.free > 0 {
            self.capacity -= 1;
            self.free -= 1;
        }
        self.serve();
    }

    fn close(&mut self) {
        self.closed = true;
        for (id, _) in self.queue.drain(..) {
            self.told.push((id, Err(NotAdmitted::Closed)));
            self.woken.push(id);
        }
        self.passed = 0;
    }
}

#[derive(Default)]
struct Log(Mutex<Vec<usize>>);

struct Entry(Arc<Log>, usize);

impl Wake for Entry {
    fn wake(self: Arc<Self>) {
        self.0.0.lock().unwrap().push(self.1);
    }
}

type Queued<'a, P> = Pin<Box<Acquiring<&'a Admission<P>>>>;

struct Walk<'a, P: Policy> {
    admission: &'a Admission<P>,
    model: Model,
    log: Arc<Log>,
    ids: usize,
    waits: Vec<(usize, Queued<'a, P>)>,
    permits: Vec<Permit<&'a Admission<P>>>,
}

impl<P: Policy> Walk<'_, P> {
    fn call(&mut self, call: Call) {
        match call {
            Call::TryAcquire(weight) => {
                let got = self.admission.try_acquire(weight);
                let expected = self.model.admit(weight);
                assert_eq!(got.as_ref().err(), expected.as_ref().err());
                self.permits.extend(got);
            }
            Call::Acquire(weight) => {
                self.ids += 1;
                let id = self.ids;
                self.waits
                    .push((id, Box::pin(self.admission.acquire(weight))));
                let expected = match self.model.admit(weight) {
                    Err(NotAdmitted::Busy) if self.model.queue.len() >= self.model.room => {
                        Some(Err(NotAdmitted::RoomFull))
                    }
                    Err(NotAdmitted::Busy) => {
                        self.model.queue.push_back((id, weight));
                        None
                    }
                    Err(why) => Some(Err(why)),
                    Ok(()) => Some(Ok(weight)),
                };
                self.poll(self.waits.len() - 1, expected);
            }
            Call::Poll(i) if !self.waits.is_empty() => {
                let i = i % self.waits.len();
                let expected = self.settle(i);
                self.poll(i, expected);
            }
            Call::Leave(i) if !self.waits.is_empty() => {
                let i = i % self.waits.len();
                match self.settle(i) {
                    Some(Ok(weight)) => self.model.put_back(weight),
                    Some(Err(_)) => {}
                    None => self.leave(self.waits[i].0),
                }
                drop(self.waits.remove(i));
            }
            Call::Abandon(i) if !self.waits.is_empty() => {
                let i = i % self.waits.len();
                let expected = self.settle(i);
                let (id, mut wait) = self.waits.remove(i);
                if expected.is_none() {
                    self.leave(id);
                }
                let got = wait.as_mut().try_abandon();
                assert_eq!(weigh(&got), expected);
                self.permits.extend(got.and_then(Result::ok));
            }
            Call::Release(i) if !self.permits.is_empty() => {
                let permit = self.permits.swap_remove(i % self.permits.len());
                let weight = permit.weight();
                drop(permit);
                self.model.put_back(weight);
            }
            Call::Split(i, weight) if !self.permits.is_empty() => {
                let i = i % self.permits.len();
                let part = self.permits[i].split(weight);
                self.permits.extend(part);
            }
            Call::Grow(by) => {
                self.model.aim(self.model.target + by);
                assert_eq!(self.admission.grow(by), self.model.target);
            }
            Call::Shrink(by) => {
                self.model.aim(self.model.target.saturating_sub(by));
                assert_eq!(self.admission.shrink(by), self.model.target);
            }
            Call::Close => {
                let first = !self.model.closed;
                self.model.close();
                assert_eq!(self.admission.close(), first);
            }
            _ => {}
        }
        self.compare();
    }

    /// What the model has told this waiter.
    fn settle(&mut self, i: usize) -> Option<Told> {
        let id = self.waits[i].0;
        let at = self.model.told.iter().position(|(told, _)| *told == id)?;
        Some(self.model.told.remove(at).1)
    }

    /// A queued waiter goes, in the model.
    fn leave(&mut self, id: usize) {
        let queue = &self.model.queue;
        let place = queue.iter().position(|(queued, _)| *queued == id);
        self.model.leave(place.expect("neither told nor queued"));
        if self.model.free != 0 {
            self.model.serve();
        }
    }

    fn poll(&mut self, i: usize, expected: Option<Told>) {
        let (id, wait) = &mut self.waits[i];
        let waker = Arc::new(Entry(self.log.clone(), *id)).into();
        let got = match wait.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(got) => Some(got),
            Poll::Pending => None,
        };
        assert_eq!(weigh(&got), expected);
        if got.is_some() {
            drop(self.waits.remove(i));
        }
        self.permits.extend(got.and_then(Result::ok));
    }

    fn compare(&self) {
        let (seen, model) = (self.admission.snapshot(), &self.model);
        assert_eq!(
            (
                seen.capacity,
                seen.target,
                seen.available,
                seen.waiting,
                seen.closed
            ),
            (
                model.capacity,
                model.target,
                model.free,
                model.queue.len(),
                model.closed
            )
        );
        let granted = model.told.iter().filter_map(|(_, told)| told.ok());
        let out = self.permits.iter().map(Permit::weight).chain(granted).sum();
        assert_eq!(seen.occupancy, out, "a permit was lost, or made");
        assert!(seen.occupancy <= seen.capacity);
        assert_eq!(self.admission.has_waiters(), seen.waiting != 0);
        assert_eq!(
            *self.log.0.lock().unwrap(),
            model.woken,
            "who was woken, in which order"
        );
    }
}

fn weigh<P: Policy>(got: &Option<Result<Permit<&Admission<P>>, NotAdmitted>>) -> Option<Told> {
    got.as_ref()
        .map(|got| got.as_ref().map(Permit::weight).map_err(|why| *why))
}

/// The policy, the capacity, the waiting room, calls.
pub(crate) fn run(bytes: &[u8]) {
    let ([policy, capacity, room], rest) = super::head(bytes);
    let (capacity, room, calls) = (capacity % 6, room % 5, super::calls(rest));
    match policy % 4 {
        0 => walk::<Fifo>(capacity, room, 0, &calls),
        1 => walk::<Bypass<0>>(capacity, room, 0, &calls),
        2 => walk::<Bypass<1>>(capacity, room, 1, &calls),
        _ => walk::<Bypass<3>>(capacity, room, 3, &calls),
    }
}

pub(crate) fn walk<P: Policy>(capacity: usize, room: usize, past: usize, calls: &[Call]) {
    let admission = Admission::<P>::new(capacity, room);
    let mut walk = Walk {
        admission: &admission,
        model: Model {
            capacity,
            target: capacity,
            free: capacity,
            room,
            closed: false,
            past,
            passed: 0,
            queue: VecDeque::new(),
            told: Vec::new(),
            woken: Vec::new(),
        },
        log: Arc::default(),
        ids: 0,
        waits: Vec::new(),
        permits: Vec::new(),
    };
    for &call in calls {
        walk.call(call);
    }
    let Walk { waits, permits, .. } = walk;
    drop(waits);
    drop(permits);
    let seen = admission.snapshot();
    assert_eq!(
        (seen.occupancy, seen.waiting),
        (0, 0),
        "something is missing at the end"
    );
    assert_eq!((seen.available, seen.capacity), (seen.target, seen.target));
}
