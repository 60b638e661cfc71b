//! A tree of scopes against a list of nodes that each look at their parent's word.
//!
//! After every call: every scope's word is what the model says; exactly those who wait on what was
//! reached were woken, once; the number of attached scopes agrees. Scopes go before their children and
//! those who wait; wakers panic, or come back and cancel the root; waits are forgotten.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use ecluse_core::{Reason, SharedScope, cancel::Kind};

use super::kit::{Crowd, Log, Strike, Wakes, struck};

/// One call. An index is taken modulo what there is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Child(usize),
    Shielded(usize),
    DropScope(usize),
    /// It is dropped by the next waker that comes back.
    Doom(usize),
    Cancel(usize, u8),
    Force(usize, u8),
    /// For the cancel of a scope, or for force. Polled at once.
    Wait(usize, bool, Strike),
    /// With the same waker, or a new one.
    Poll(usize, bool),
    Leave(usize),
    Forget(usize),
}

impl super::Call for Call {
    fn of([kind, a, b]: [u8; 3]) -> Self {
        let i = usize::from(a);
        match kind % 64 {
            0..=13 => Call::Child(i),
            14..=17 => Call::Shielded(i),
            18..=22 => Call::DropScope(i),
            23..=24 => Call::Doom(i),
            25..=30 => Call::Cancel(i, b),
            31..=33 => Call::Force(i, b),
            34..=48 => Call::Wait(i, b % 4 == 0, Strike::of(b / 4)),
            49..=57 => Call::Poll(i, b % 2 == 0),
            58..=61 => Call::Leave(i),
            62 if b % 4 == 0 => Call::Forget(i),
            _ => Call::Poll(i, true),
        }
    }
}

/// What a waker that comes back cancels the root with, after it dropped the doomed scope.
const BACK: Reason = Reason::new(Kind::Shutdown);

/// A reason: its code, and whether it came from above.
type Why = (Kind, u16, bool);

fn why(reason: Reason) -> Why {
    (reason.kind(), reason.code(), reason.is_inherited())
}

struct Node {
    above: Option<usize>,
    shield: bool,
    cancelled: Option<Why>,
    forced: bool,
    /// The walk has a handle on it; how many waits do.
    held: bool,
    waits: usize,
}

#[derive(Default)]
struct Model {
    nodes: Vec<Node>,
    /// Who waits for what: waiter, node, force.
    queued: Vec<(usize, usize, bool)>,
    told: Vec<(usize, Why)>,
    doomed: Option<usize>,
    wakes: Wakes,
}

impl Model {
    /// Those that are there: children keep their parents.
    fn live(&self) -> Vec<bool> {
        let mut live = vec![false; self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate().rev() {
            live[place] |= node.held || node.waits > 0;
            if let (true, Some(above)) = (live[place], node.above) {
                live[above] = true;
            }
        }
        live
    }

    fn child(&mut self, above: Option<usize>, shield: bool) {
        self.nodes.push(Node {
            above,
            shield,
            cancelled: None,
            forced: false,
            held: true,
            waits: 0,
        });
        self.inherit(self.nodes.len() - 1);
    }

    /// What the word above asks of this one.
    fn inherit(&mut self, place: usize) {
        let Some(above) = self.nodes[place].above else {
            return;
        };
        let (cancelled, forced) = (self.nodes[above].cancelled, self.nodes[above].forced);
        let node = &mut self.nodes[place];
        let reached = if forced {
            !node.forced
        } else {
            cancelled.is_some() && node.cancelled.is_none() && !node.shield
        };
        if reached {
            node.forced = forced;
            if node.cancelled.is_none() {
                node.cancelled = cancelled.map(|(kind, code, _)| (kind, code, true));
            }
        }
    }

    fn drop_doomed(&mut self) {
        if let Some(place) = self.doomed.take() {
            self.nodes[place].held = false;
        }
    }

    fn cancel(&mut self, place: usize, reason: Reason, force: bool) -> bool {
        let node = &mut self.nodes[place];
        if node.forced || (node.cancelled.is_some() && !force) {
            return false;
        }
        node.forced = force;
        if node.cancelled.is_none() {
            node.cancelled = Some((reason.kind(), reason.code(), false));
        }
        // (Parents come before their children.)
        for (below, live) in self.live().into_iter().enumerate() {
            if live {
                self.inherit(below);
            }
        }
        let nodes = &self.nodes;
        let reached = |(_, place, force): &(usize, usize, bool)| {
            nodes[*place].cancelled.is_some() && (!force || nodes[*place].forced)
        };
        let (woken, queued) = self.queued.iter().copied().partition(reached);
        self.queued = queued;
        let woken: Vec<(usize, usize, bool)> = woken;
        for (id, place, _) in woken {
            let why = self.nodes[place].cancelled.expect("cancelled");
            self.told.push((id, why));
            if self.wakes.wake(id) {
                self.drop_doomed();
                self.cancel(0, BACK, false);
            }
        }
        true
    }
}

type Waiting = Pin<Box<dyn Future<Output = Reason>>>;

struct Waits {
    place: usize,
    force: bool,
    reason: Waiting,
}

struct Walk {
    /// By their places in the model; `None`: dropped.
    scopes: Vec<Option<SharedScope>>,
    doomed: Arc<Mutex<Option<SharedScope>>>,
    model: Model,
    waiters: Crowd<Waits>,
    /// How many wakes were compared.
    seen: usize,
}

const SCOPES: usize = 24;

impl Walk {
    /// One of those that the walk has a handle on.
    fn pick(&self, i: usize) -> (usize, &SharedScope) {
        let held: Vec<_> = (0..self.scopes.len())
            .filter(|place| self.scopes[*place].is_some())
            .collect();
        let place = held[i % held.len()];
        (place, self.scopes[place].as_ref().expect("held"))
    }

    fn call(&mut self, call: Call) {
        match call {
            Call::Child(i) => self.child(i, false),
            Call::Shielded(i) => self.child(i, true),
            Call::DropScope(i) => {
                let (place, _) = self.pick(i);
                // (The root is asked to the end.)
                if place != 0 {
                    self.model.nodes[place].held = false;
                    self.scopes[place] = None;
                }
            }
            Call::Doom(i) => {
                let (place, _) = self.pick(i);
                if place != 0 {
                    self.model.drop_doomed();
                    self.model.doomed = Some(place);
                    let before = {
                        let mut doomed = self.doomed.lock().unwrap();
                        std::mem::replace(&mut *doomed, self.scopes[place].take())
                    };
                    drop(before);
                }
            }
            Call::Cancel(i, code) => self.cancel(i, code, false),
            Call::Force(i, code) => self.cancel(i, code, true),
            Call::Wait(i, force, strike) => self.wait(i, force, strike),
            Call::Poll(i, same) => {
                if let Some(i) = self.waiters.pick(i) {
                    self.poll(i, same);
                }
            }
            Call::Leave(i) => {
                if let Some(waiter) = self.waiters.take(i) {
                    self.model.nodes[waiter.wait.place].waits -= 1;
                    self.model.queued.retain(|(id, ..)| *id != waiter.id);
                    drop(waiter.wait);
                }
            }
            Call::Forget(i) => std::mem::forget(self.waiters.take(i)),
        }
        self.compare();
    }

    fn child(&mut self, i: usize, shield: bool) {
        if self.scopes.len() == SCOPES {
            return;
        }
        let (place, scope) = self.pick(i);
        let child = if shield {
            scope.shielded()
        } else {
            scope.child()
        };
        self.model.child(Some(place), shield);
        self.scopes.push(Some(child));
    }

    fn cancel(&mut self, i: usize, code: u8, force: bool) {
        let (place, scope) = self.pick(i);
        let scope = scope.clone();
        let reason = Reason::new(Kind::Explicit).with_code(code.into());
        let expected = self.model.cancel(place, reason, force);
        let got = struck(|| {
            if force {
                scope.force(reason)
            } else {
                scope.cancel(reason)
            }
        });
        let got = self.model.wakes.over(got);
        assert!(got.is_none_or(|got| got == expected));
    }

    fn wait(&mut self, i: usize, force: bool, strike: Strike) {
        let (place, scope) = self.pick(i);
        let scope = scope.clone();
        let reason: Waiting = Box::pin(async move {
            if force {
                scope.cx().forced().await
            } else {
                scope.cx().cancelled().await
            }
        });
        let wait = Waits {
            place,
            force,
            reason,
        };
        let wakes = &mut self.model.wakes;
        if let Some(i) = self.waiters.enter(wakes, strike, |_| wait) {
            self.model.nodes[place].waits += 1;
            self.poll(i, true);
        }
    }

    fn poll(&mut self, i: usize, same: bool) {
        let waiter = self.waiters.member(i, same, &self.model.wakes);
        let (id, place, force) = (waiter.id, waiter.wait.place, waiter.wait.force);
        let model = &mut self.model;
        let told = model.told.iter().position(|(told, _)| *told == id);
        let expected = match told {
            Some(at) => Some(model.told.remove(at).1),
            None if model.queued.iter().any(|(other, ..)| *other == id) => None,
            None => {
                let node = &model.nodes[place];
                let reached = node.cancelled.filter(|_| !force || node.forced);
                if reached.is_none() {
                    model.queued.push((id, place, force));
                }
                reached
            }
        };
        let cx = &mut Context::from_waker(&waiter.waker);
        let got = match waiter.wait.reason.as_mut().poll(cx) {
            Poll::Ready(reason) => Some(why(reason)),
            Poll::Pending => None,
        };
        assert_eq!(got, expected);
        if got.is_some() {
            self.model.nodes[place].waits -= 1;
            self.waiters.remove(i);
        }
    }

    fn compare(&mut self) {
        // In a tree it is not said who comes first.
        let woken = self.waiters.log.woken();
        let sorted = |ids: &[usize]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids
        };
        assert_eq!(
            sorted(&woken[self.seen..]),
            sorted(&self.model.wakes.woken[self.seen..]),
            "who was woken"
        );
        self.seen = woken.len();
        assert_eq!(woken.iter().collect::<BTreeSet<_>>().len(), woken.len());
        for (place, scope) in self.scopes.iter().enumerate() {
            if let Some(scope) = scope {
                let node = &self.model.nodes[place];
                assert_eq!(scope.cx().reason().map(why), node.cancelled, "of {place}");
                assert_eq!(scope.cx().is_forced(), node.forced, "of {place}");
                assert_eq!(scope.is_cancelled(), node.cancelled.is_some());
            }
        }
        let live = self.model.live().into_iter().filter(|live| *live).count();
        let root = self.scopes[0].as_ref().expect("kept");
        assert_eq!(root.attached(), live - 1);
    }
}

pub(crate) fn walk(calls: &[Call]) {
    let root = SharedScope::new();
    let back = Arc::new(root.clone());
    let weak = Arc::downgrade(&back);
    let doomed = Arc::<Mutex<Option<SharedScope>>>::default();
    let to_drop = doomed.clone();
    let mut model = Model::default();
    model.child(None, false);
    let mut walk = Walk {
        scopes: vec![Some(root)],
        model,
        doomed,
        waiters: Crowd::new(Log::new(move || {
            let doomed = to_drop.lock().unwrap().take();
            drop(doomed);
            if let Some(root) = weak.upgrade() {
                root.cancel(BACK);
            }
        })),
        seen: 0,
    };
    for &call in calls {
        walk.call(call);
    }
    walk.call(Call::Force(0, 0));
    while !walk.waiters.is_empty() {
        walk.call(Call::Poll(0, true));
    }
    drop(back);
}

/// Calls.
pub(crate) fn run(bytes: &[u8]) {
    walk(&super::calls(bytes));
}
